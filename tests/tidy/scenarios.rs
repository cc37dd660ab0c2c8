//! The scenario catalogues: which situations of the Java client must have a test here.
//!
//! A test names the situation that it holds in its doc comment: `Scenario: SE2.` or `Scenario: P01, P02.`

use std::collections::BTreeSet;

use super::source::Source;

/// Letters, first and last number, and how many digits the number has.
const CATALOGUE: [(&str, u32, u32, usize); 17] = [
    ("CF", 1, 6, 1),  // configuration and construction
    ("SN", 1, 24, 1), // send path and metadata wait
    ("MD", 1, 6, 1),  // producer metadata
    ("PT", 1, 12, 1), // partitioners
    ("AC", 1, 32, 1), // accumulator
    ("BP", 1, 10, 1), // buffer pool
    ("PB", 1, 11, 1), // batches and futures
    ("RF", 1, 8, 1),  // record formats
    ("SE", 1, 23, 1), // sender without idempotence
    ("ID", 1, 21, 1), // idempotent sequencing
    ("CL", 1, 4, 1),  // flush and close
    ("NW", 1, 2, 1),  // what the sender expects of the network
    ("P", 1, 20, 2),  // encoding and versions
    ("N", 1, 42, 2),  // network client
    ("C", 1, 12, 2),  // connection states and addresses
    ("M", 1, 25, 2),  // metadata
    ("S", 1, 24, 2),  // selector and channel
];

/// Situations that need transactions or TLS, which do not exist yet; and numbers that the catalogue skips.
const NOT_YET: [&str; 8] = ["SN18", "SN20", "SN21", "AC20", "SE14", "P14", "P16", "S22"];

pub(crate) fn check(files: &[Source]) {
    let tagged = tagged(files);
    let mut missing = Vec::new();
    for (letters, first, last, digits) in CATALOGUE {
        for number in first..=last {
            let id = format!("{letters}{number:0digits$}");
            if !NOT_YET.contains(&id.as_str()) && !tagged.contains(&id) {
                missing.push(id);
            }
        }
    }
    assert!(
        missing.is_empty(),
        "{} scenarios have no test: {}",
        missing.len(),
        missing.join(" ")
    );
}

fn tagged(files: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files
        .iter()
        .filter(|file| !file.path.starts_with("tests/tidy"))
    {
        let mut lines = file.lines.iter().peekable();
        while let Some(line) = lines.next() {
            let Some((_, list)) = comment(line).and_then(|text| text.split_once("Scenario: "))
            else {
                continue;
            };
            let mut list = list.to_owned();
            // A list may run over several comment lines; it ends at its full stop.
            while !list.contains('.') {
                let Some(more) = lines.peek().and_then(|next| comment(next)) else {
                    break;
                };
                list.push(' ');
                list.push_str(more);
                lines.next();
            }
            let ids = list.split('.').next().unwrap_or_default();
            found.extend(
                ids.split([',', ' ', ';'])
                    .filter(|id| !id.is_empty())
                    .map(str::to_owned),
            );
        }
    }
    found
}

fn comment(line: &str) -> Option<&str> {
    line.trim_start()
        .strip_prefix("//")
        .map(|text| text.trim_start_matches(['/', '!']).trim())
}
