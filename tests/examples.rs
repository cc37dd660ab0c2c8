//! Every example runs without a broker and prints what it promises.

#[path = "examples/expected.rs"]
mod expected;

use expected::{ANYWHERE, check};

#[test]
fn examples_bring_their_own_cluster() {
    for example in ANYWHERE {
        check(*example, None);
    }
}

#[cfg(feature = "properties")]
#[test]
fn a_producer_is_configured_by_a_file() {
    check(expected::PROPERTIES_FILE, None);
}

/// Only the cluster inside the process can be read back by the example itself.
#[test]
fn consuming_transforming_and_producing_shows_what_is_committed() {
    let lines = &[
        "next order: 2",
        "  the group's offset: Some(2)",
        "  committed: invoice for three pens",
        "  committed: invoice for one book",
        "aborted: the printer has no paper",
        "next order: 2",
        "  the group's offset: Some(2)",
        "  committed: invoice for three pens",
        "  committed: invoice for one book",
        "next order: 4",
        "  the group's offset: Some(4)",
        "  committed: invoice for three pens",
        "  committed: invoice for one book",
        "  committed: invoice for two lamps",
        "  committed: invoice for a chair",
    ];
    check(("consume_transform_produce", lines), None);
}

#[test]
fn every_example_is_checked() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let files = std::fs::read_dir(folder).expect("examples");
    let mut found: Vec<_> = files
        .map(|file| file.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|is| is == "rs"))
        .map(|path| path.file_stem().expect("a name").to_os_string())
        .collect();
    found.sort();
    let mut checked: Vec<std::ffi::OsString> =
        ANYWHERE.iter().map(|(name, _)| (*name).into()).collect();
    checked.extend(["consume_transform_produce", "properties_file"].map(Into::into));
    checked.sort();
    assert_eq!(found, checked);
}
