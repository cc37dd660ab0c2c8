//! `docs/errors.md`: tests run every error through the real code and write down what came of it.
//!
//! Java: none. Differs: nothing to differ from. Threads: tests of one process. Locks: one leaf around the file.

use std::fmt::Write;
use std::path::Path;
use std::sync::OnceLock;

use crate::common::kafka_error::{KafkaError, Persisted};
use crate::common::sync::{Mutex, Rank};
use crate::protocol::errors::Errors;

/// What came of one cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The code or the local failure, as the page names it.
    pub(crate) cause: String,
    /// What the producer does.
    pub(crate) does: String,
    /// What the caller sees.
    pub(crate) sees: String,
    /// Whether the record may be in the log if it fails.
    pub(crate) written: &'static str,
}

/// All codes that a broker can send, and one that nobody knows yet.
pub(crate) fn every_code() -> impl Iterator<Item = Errors> {
    let listed = Errors::ALL.iter().copied();
    listed.chain([Errors::Unlisted(UNLISTED)])
}

/// A code as the page names it.
pub(crate) fn cause(error: Errors) -> String {
    match error {
        Errors::Unlisted(_) => "any code that is not listed".to_owned(),
        _ => format!("{} {}", error.code(), error.name()),
    }
}

/// What a caller can learn from an error without reading its text. `own` is the kind that the broker's code stands for.
pub(crate) fn sees(error: &KafkaError, own: Option<Errors>) -> String {
    let own = own.map(|code| code.exception(None).kind());
    let mut words = match own {
        Some(kind) if kind == error.kind() => "the kind of the code".to_owned(),
        _ => format!("`{}`", error.kind().name()),
    };
    let mut add = |is: bool, word| {
        if is {
            words.push_str(word);
        }
    };
    add(own.is_none() && error.is_retriable(), ", retriable");
    add(error.is_fatal(), ", fatal");
    add(error.is_abortable(), ", abortable");
    words
}

/// In the last column.
pub(crate) fn written(error: &KafkaError) -> &'static str {
    match error.persisted() {
        Persisted::No => "no",
        Persisted::Maybe => "maybe",
    }
}

/// Checks a section of the page whose rows share a row where nothing but the cause differs.
pub(crate) fn check_grouped(section: &str, findings: &[Finding]) {
    let mut groups: Vec<(Vec<&str>, &Finding)> = Vec::new();
    for finding in findings {
        let same = |other: &Finding| {
            (&other.does, &other.sees, other.written)
                == (&finding.does, &finding.sees, finding.written)
        };
        match groups.iter_mut().find(|(_, other)| same(other)) {
            Some((causes, _)) => causes.push(&finding.cause),
            None => groups.push((vec![&finding.cause], finding)),
        }
    }
    // The largest group is what happens by default, so it comes last.
    groups.sort_by_key(|(causes, _)| causes.len());
    let mut text = String::from("| code | the producer | the caller sees | written? |\n");
    text.push_str("| --- | --- | --- | --- |\n");
    let mut folded = String::new();
    for (causes, finding) in &groups {
        let causes = named(causes, &mut folded);
        let Finding { does, sees, .. } = finding;
        writeln!(text, "| {causes} | {does} | {sees} | {} |", finding.written).expect("a string");
    }
    check(section, &(text + &folded));
}

/// All causes of a row; or what else causes the same, and how many codes, whose names are folded below the table.
fn named(causes: &[&str], folded: &mut String) -> String {
    if causes.len() <= MOST_NAMED {
        return causes.join(", ");
    }
    let (special, plain): (Vec<&str>, Vec<&str>) =
        causes.iter().partition(|cause| cause.ends_with(')'));
    let rest = format!("the other {} codes", plain.len());
    let names = plain.join(", ");
    write!(
        folded,
        "\n<details><summary>{rest}</summary>\n\n{names}\n\n</details>\n"
    )
    .expect("a string");
    let all = special.into_iter().chain([rest.as_str()]);
    all.collect::<Vec<_>>().join(", ")
}

/// Checks a section about failures that have no code. The text of each is part of the page.
pub(crate) fn check_local(section: &str, rows: &[(&str, &str, KafkaError)]) {
    let mut text = String::from("| failure | the producer | the caller sees | says | written? |\n");
    text.push_str("| --- | --- | --- | --- | --- |\n");
    for (failure, does, error) in rows {
        let sees = sees(error, None);
        let (says, written) = (error.message(), written(error));
        writeln!(text, "| {failure} | {does} | {sees} | {says} | {written} |").expect("a string");
    }
    check(section, &text);
}

/// Checks a section of the page against what the code says, or writes it anew with `OTTLA_REGENERATE=1`.
pub(crate) fn check(section: &str, expected: &str) {
    static LOCK: OnceLock<Mutex<()>> = OnceLock::new();
    let _one_at_a_time = LOCK.get_or_init(|| Mutex::new(Rank::Leaf, ())).lock();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    let page = std::fs::read_to_string(&path).expect("docs/errors.md is there");
    let opening = format!("<!-- {section} -->\n\n");
    let (before, rest) = page
        .split_once(&opening)
        .unwrap_or_else(|| panic!("docs/errors.md has no section {section}"));
    let (found, after) = rest
        .split_once("\n<!-- end -->")
        .unwrap_or_else(|| panic!("section {section} of docs/errors.md has no end"));
    if std::env::var_os("OTTLA_REGENERATE").is_some() {
        let page = format!("{before}{opening}{expected}\n<!-- end -->{after}");
        std::fs::write(&path, page).expect("docs/errors.md can be written");
        return;
    }
    assert!(
        found == expected,
        "section {section} of docs/errors.md is stale: OTTLA_REGENERATE=1 cargo test --lib error_page\n{expected}"
    );
}

/// A code that no version of Kafka has.
const UNLISTED: i16 = 4711;
/// A row with more codes than this names them below the table.
const MOST_NAMED: usize = 40;
