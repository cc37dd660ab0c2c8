//! `docs/invariants.md`: every test that it names exists, and no promise and no known bug is missing.

use std::collections::BTreeSet;
use std::path::Path;

use super::source::Source;

/// The promises are numbered from 1.
const PROMISES: u32 = 20;

/// The tickets of the Java client's bugs that the page accounts for.
const TICKETS: [&str; 60] = [
    "19012", "17862", "10888", "14156", "9965", "13303", "13782", "9279", "5239", "14020", "16226",
    "20917", "13834", "8350", "8202", "8325", "9312", "19479", "12736", "9605", "5251", "5427",
    "4741", "1836", "2121", "8483", "8484", "13794", "8805", "12152", "13412", "13668", "14830",
    "14831", "14317", "15591", "14359", "14312", "19880", "17455", "10520", "5477", "7763", "6446",
    "10790", "12841", "9203", "3160", "7692", "14562", "17898", "18019", "18227", "18654", "18660",
    "19176", "19250", "19367", "19690", "20077",
];

pub(crate) fn check(files: &[Source]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/invariants.md");
    let page = std::fs::read_to_string(path).expect("docs/invariants.md is there");
    let tests: BTreeSet<String> = files.iter().flat_map(tests).collect();
    let mut wrong = Vec::new();
    let rows = page.lines().filter(|line| {
        line.starts_with("| ") && !line.contains("---") && !line.contains("held by |")
    });
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let held_by = cells.last().copied().unwrap_or_default();
        let names: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        if names.is_empty() {
            wrong.push(format!("no test holds: {}", cells[0]));
        }
        let unknown = names.into_iter().filter(|name| !tests.contains(*name));
        wrong.extend(unknown.map(|name| format!("no such test: {name}")));
    }
    for promise in 1..=PROMISES {
        if !page.contains(&format!("\n| I{promise} | ")) {
            wrong.push(format!("promise I{promise} is missing"));
        }
    }
    let has = |ticket: &str| {
        page.lines()
            .filter(|line| line.starts_with("| KAFKA-"))
            .any(|line| line.split(['-', ',', ' ']).any(|word| word == ticket))
    };
    let missing = TICKETS.iter().filter(|ticket| !has(ticket));
    wrong.extend(missing.map(|ticket| format!("KAFKA-{ticket} is missing")));
    assert_eq!(wrong, Vec::<String>::new());
}

/// The names of the functions below `#[test]`, in macros too.
fn tests(file: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut after_attribute = false;
    for line in &file.lines {
        let code = line.trim_start();
        if let Some(rest) = code.strip_prefix("fn ").filter(|_| after_attribute) {
            found.extend(rest.split('(').next().map(str::to_owned));
            after_attribute = false;
        } else if code.starts_with("#[test]") {
            after_attribute = true;
        }
    }
    found
}
