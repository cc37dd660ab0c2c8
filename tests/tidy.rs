//! The rules of `docs/style.md` that a machine can check, over every source file of the crate.
//!
//! Regenerate `docs/java-map.md` and `docs/scenarios.md` with `OTTLA_REGENERATE=1 cargo test --test tidy`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[path = "tidy/invariants.rs"]
mod invariants;
#[path = "tidy/java_map.rs"]
mod java_map;
#[path = "tidy/page.rs"]
mod page;
#[path = "tidy/scenarios.rs"]
mod scenarios;
#[path = "tidy/source.rs"]
mod source;

use source::Source;

/// Layer, and what it may import. Anything else through `crate::` is an upward or sideways import.
const LAYERS: [(&str, &[&str]); 8] = [
    ("common", &[]),
    ("protocol", &["common"]),
    ("record", &["common", "protocol"]),
    ("network", &["common", "protocol"]),
    ("client", &["common", "protocol", "network"]),
    ("producer", &["common", "protocol", "record", "client"]),
    ("broker", &["common", "protocol", "record"]),
    (
        "testing",
        &[
            "common", "protocol", "record", "network", "client", "producer", "broker",
        ],
    ),
];

/// What only some files of a layer may import.
const EXCEPTIONS: [(&str, &str); 3] = [
    // Builds the object graph, the `Selector` in it.
    ("src/producer/kafka_producer/wiring", "network"),
    // The same over a network that is not real, in tests only.
    ("src/producer/kafka_producer/stepped", "network"),
    // The socket shell, as Java's `Processor` uses `Selector`.
    ("src/broker/server", "network"),
];

const LONGEST_FILE: usize = 600;
const LONGEST_FUNCTION: usize = 70;
const LONGEST_EXAMPLE: usize = 110;

#[test]
fn layers_import_downwards_only() {
    let mut wrong = Vec::new();
    for file in sources("src") {
        let Some(layer) = file.layer() else { continue };
        let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
            if file.path != "src/lib.rs" && !file.path.starts_with("src/bin/") {
                wrong.push(format!("{}: no layer called {layer}", file.path));
            }
            continue;
        };
        for (line, import) in file.crate_imports() {
            let target = import.split("::").next().unwrap_or_default();
            if !LAYERS.iter().any(|(name, _)| *name == target) || target == layer {
                continue;
            }
            let excepted = EXCEPTIONS
                .iter()
                .any(|(path, to)| file.path.starts_with(path) && *to == target);
            let test_only = file.is_test_line(line);
            if !allowed.contains(&target) && !excepted && !test_only {
                wrong.push(format!("{}:{line}: {layer} imports {target}", file.path));
            }
            if layer == "record"
                && target == "protocol"
                && !import.starts_with("protocol::byte_utils")
                && import != "protocol::ProtocolError"
                && !test_only
            {
                wrong.push(format!(
                    "{}:{line}: record imports more than protocol's primitives",
                    file.path
                ));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_file_imports_no_other_parents_child() {
    let files = sources("src");
    let pages: BTreeSet<String> = files
        .iter()
        .filter(|f| f.is_page())
        .map(|f| f.module_path())
        .collect();
    let modules: BTreeSet<String> = files.iter().map(Source::module_path).collect();
    let mut wrong = Vec::new();
    for file in files.iter().filter(|f| !f.path.starts_with("src/testing")) {
        let own = file.module_path();
        for (line, import) in file.crate_imports() {
            if file.is_test_line(line) {
                continue;
            }
            let mut module = String::new();
            for part in import.split("::") {
                let parent = module.clone();
                module = if parent.is_empty() {
                    part.to_owned()
                } else {
                    format!("{parent}::{part}")
                };
                if !modules.contains(&module) {
                    break;
                }
                let private = !parent.is_empty() && !pages.contains(&parent);
                let family = own == parent || own.starts_with(&format!("{parent}::"));
                if private && !family {
                    wrong.push(format!(
                        "{}:{line}: {module} belongs to {parent}",
                        file.path
                    ));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn every_file_opens_with_its_contract() {
    let mut wrong = Vec::new();
    for file in sources("src") {
        let header = file.header();
        if header.is_empty() {
            wrong.push(format!("{}: no contract", file.path));
        } else if !file.is_test_file()
            && file.path != "src/lib.rs"
            && !file.path.starts_with("src/bin/")
        {
            for part in ["Java:", "Differs:", "Threads:", "Locks:"] {
                if !header.contains(part) && !file.is_page() {
                    wrong.push(format!("{}: the contract lacks `{part}`", file.path));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn files_and_functions_stay_small() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "benches", "examples"] {
        for file in sources(folder) {
            let limit = if folder == "examples" {
                LONGEST_EXAMPLE
            } else {
                LONGEST_FILE
            };
            if file.lines.len() > limit {
                wrong.push(format!(
                    "{}: {} lines, the limit is {limit}",
                    file.path,
                    file.lines.len()
                ));
            }
            for (line, name, length) in file.functions() {
                if length > LONGEST_FUNCTION {
                    wrong.push(format!(
                        "{}:{line}: {name} has {length} lines, the limit is {LONGEST_FUNCTION}",
                        file.path
                    ));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn modules_are_named_files() {
    let wrong: Vec<_> = sources("src")
        .into_iter()
        .filter(|f| f.path.ends_with("/mod.rs"))
        .map(|f| f.path)
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// The oldest supported Rust has no let chains, and no newer compiler says so.
#[test]
fn no_let_chains() {
    let mut wrong = Vec::new();
    for folder in ["src", "examples"] {
        for file in sources(folder) {
            wrong.extend(
                file.let_chains()
                    .into_iter()
                    .map(|line| format!("{}:{line}: a let chain", file.path)),
            );
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn nothing_is_left_for_later() {
    let mut wrong = Vec::new();
    for folder in ["src", "tests", "examples", "benches"] {
        for file in sources(folder) {
            if file.path.starts_with("tests/tidy") {
                continue;
            }
            for (n, line) in file.lines.iter().enumerate() {
                let later = [
                    "TODO",
                    "FIXME",
                    "todo!(",
                    "unimplemented!(",
                    "dbg!(",
                    "#[ignore",
                ];
                let sleeps = ["thread::sleep(", "sleep(Duration"];
                let prints = file.path.starts_with("src/")
                    && !file.path.starts_with("src/bin/")
                    && line.contains("println!(");
                let comment = line.trim_start().starts_with("//");
                // A benchmark of idleness has to wait, and so has a load of so many records per second.
                let may_sleep =
                    file.path.starts_with("benches/") || file.path.starts_with("tests/chaos/");
                let found = later.iter().any(|word| line.contains(word));
                let asleep = !may_sleep && sleeps.iter().any(|word| line.contains(word));
                if found || asleep || (prints && !comment) {
                    wrong.push(format!("{}:{}: {}", file.path, n + 1, line.trim()));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn unwrap_stays_in_tests() {
    let mut wrong = Vec::new();
    for file in sources("src") {
        for (n, line) in file.lines.iter().enumerate() {
            let code = !line.trim_start().starts_with("//");
            if code
                && line.contains(".unwrap()")
                && !file.is_test_line(n + 1)
                && !file.path.starts_with("src/testing")
            {
                wrong.push(format!("{}:{}", file.path, n + 1));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_java_map_is_what_the_contracts_say() {
    java_map::check(&sources("src"));
}

#[test]
fn every_scenario_of_the_catalogues_has_its_test() {
    let mut files = sources("src");
    files.extend(sources("tests"));
    scenarios::check(&files);
}

#[test]
fn every_invariant_has_its_test() {
    let mut files = sources("src");
    files.extend(sources("tests"));
    invariants::check(&files);
}

/// Every Rust file below a folder of the crate, in the order of their names.
fn sources(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = BTreeMap::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() && !is_package(&path) {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is text");
                let name = relative(root, &path);
                found.insert(name.clone(), Source::new(name, &text));
            }
        }
    }
    found.into_values().collect()
}

fn is_package(folder: &Path) -> bool {
    folder.join("Cargo.toml").exists()
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root)
        .expect("below the root")
        .to_string_lossy()
        .replace('\\', "/")
}
