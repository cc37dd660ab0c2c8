//! The scenario catalogues: which situations of the Java client must have a test here.
//!
//! A test names the situation that it holds in its doc comment: `Scenario: SE2.` or `Scenario: P01, P02.` The list of
//! situations is `scenarios.txt`; `docs/scenarios.md` is written from both.

use std::collections::{BTreeMap, BTreeSet};

use super::page;
use super::source::Source;

const LIST: &str = include_str!("scenarios.txt");

const OPENING: &str = "# Scenarios

Two catalogues of situations, made from the unit tests of the Java client, from its bug reports and from hazards that we
saw ourselves, say what a producer must be tested in. This page has every line of them with the tests that hold it. It is
written from the doc comments of the tests (`/// Scenario: SE2.`) by `OTTLA_REGENERATE=1 cargo test --test tidy`, and the
same test fails where a line has no test or this page is stale.

Levels: *core* is one class in virtual time, *producer* the whole producer in virtual time, *simulator* the whole producer
with brokers in virtual time, *sockets* real sockets on loopback, *cluster* the whole producer on the embedded cluster,
*Kafka* a real Kafka cluster. Paths are below `src`, but for those that begin with `tests`.

";

const HEAD: &str = "| line | situation | tests | level | Java |\n| --- | --- | --- | --- | --- |\n";

/// What a test says of itself in its doc comment.
struct Tagged {
    ids: Vec<String>,
    java: Vec<String>,
    test: String,
    level: &'static str,
}

/// One line of the list.
struct Line {
    id: String,
    waits_for: Option<String>,
    name: String,
}

/// Every line has a test, or waits for its feature; every tag names a line; the page says so.
pub(crate) fn check(files: &[Source]) {
    let mut tests: BTreeMap<String, Vec<Tagged>> = BTreeMap::new();
    for tagged in files
        .iter()
        .filter(|file| !file.path.starts_with("tests/tidy"))
        .flat_map(tagged)
    {
        for id in &tagged.ids {
            let copy = Tagged {
                ids: Vec::new(),
                java: tagged.java.clone(),
                test: tagged.test.clone(),
                level: tagged.level,
            };
            tests.entry(id.clone()).or_default().push(copy);
        }
    }
    let sections = sections();
    let known: BTreeSet<&String> = sections
        .iter()
        .flat_map(|(_, l)| l)
        .map(|l| &l.id)
        .collect();
    let strangers: Vec<_> = tests.keys().filter(|id| !known.contains(id)).collect();
    assert!(strangers.is_empty(), "no line has these ids: {strangers:?}");
    let missing: Vec<_> = sections
        .iter()
        .flat_map(|(_, lines)| lines)
        .filter(|line| line.waits_for.is_none() && !tests.contains_key(&line.id))
        .map(|line| line.id.as_str())
        .collect();
    assert!(missing.is_empty(), "scenarios without a test: {missing:?}");
    page::check("docs/scenarios.md", &page(&sections, &tests));
}

fn page(sections: &[(String, Vec<Line>)], tests: &BTreeMap<String, Vec<Tagged>>) -> String {
    let lines: Vec<&Line> = sections.iter().flat_map(|(_, lines)| lines).collect();
    let held = lines.iter().filter(|l| tests.contains_key(&l.id)).count();
    let names: BTreeSet<_> = tests.values().flatten().map(|t| &t.test).collect();
    let mut page = String::from(OPENING);
    page += &format!(
        "{held} of {} lines are held, by {} tests.\n",
        lines.len(),
        names.len()
    );
    for (title, lines) in sections {
        page += &format!("\n## {title}\n\n{HEAD}");
        for line in lines {
            page += &row(line, tests.get(&line.id).map_or(&[], Vec::as_slice));
        }
    }
    page
}

fn row(line: &Line, tests: &[Tagged]) -> String {
    let waits = line.waits_for.as_deref().unwrap_or_default();
    if tests.is_empty() {
        return format!(
            "| {} | {} | *waits for {waits}* | | |\n",
            line.id, line.name
        );
    }
    let names: Vec<&str> = tests.iter().map(|test| test.test.as_str()).collect();
    let levels: BTreeSet<&str> = tests.iter().map(|test| test.level).collect();
    let java: BTreeSet<&str> = tests
        .iter()
        .flat_map(|test| &test.java)
        .map(String::as_str)
        .collect();
    let list = |words: BTreeSet<&str>, by: &str| words.into_iter().collect::<Vec<_>>().join(by);
    format!(
        "| {} | {} | {} | {} | {} |\n",
        line.id,
        line.name,
        names.join("<br>"),
        list(levels, ", "),
        list(java, "<br>")
    )
}

fn sections() -> Vec<(String, Vec<Line>)> {
    let mut sections: Vec<(String, Vec<Line>)> = Vec::new();
    for text in LIST.lines().filter(|line| !line.starts_with('#')) {
        if let Some(title) = text.strip_prefix("= ") {
            sections.push((title.to_owned(), Vec::new()));
            continue;
        }
        let (id, rest) = text.split_once(' ').expect("an id and a name");
        let (waits_for, name) = match rest.strip_prefix('[').and_then(|r| r.split_once("] ")) {
            Some((feature, name)) => (Some(feature.to_owned()), name),
            None => (None, rest),
        };
        let (_, lines) = sections.last_mut().expect("a title comes first");
        lines.push(Line {
            id: id.to_owned(),
            waits_for,
            name: name.to_owned(),
        });
    }
    sections
}

/// The tests of a file that name a situation. A tag in a comment that no function follows belongs to the file.
fn tagged(file: &Source) -> Vec<Tagged> {
    let mut found = Vec::new();
    let mut lines = file.lines.iter().enumerate().peekable();
    while let Some((n, line)) = lines.next() {
        let Some(first) = comment(line) else { continue };
        let mut text = first.to_owned();
        while let Some(more) = lines.peek().and_then(|(_, next)| comment(next)) {
            text.push(' ');
            text.push_str(more);
            lines.next();
        }
        let ids = ids(&text);
        if ids.is_empty() {
            continue;
        }
        let name = file.lines[n..].iter().find_map(|line| function(line));
        let path = file.path.strip_prefix("src/").unwrap_or(&file.path);
        let test = match name.filter(|_| !line.starts_with("//!")) {
            Some(name) => format!("`{name}` in {path}"),
            None => format!("all of {path}"),
        };
        found.push(Tagged {
            ids,
            java: originals(&text),
            test,
            level: level(&file.path),
        });
    }
    found
}

/// The ids after `Scenario:`, up to the full stop.
fn ids(text: &str) -> Vec<String> {
    let Some((_, list)) = text.split_once("Scenario: ") else {
        return Vec::new();
    };
    let list = list.split(['.', '`']).next().unwrap_or_default();
    let words = list.split([',', ' ', ';', '(', ')', ':']);
    let is_id = |word: &&str| {
        let letters = word.trim_end_matches(|c: char| c.is_ascii_digit());
        letters.len() < word.len()
            && (1..=2).contains(&letters.len())
            && letters.chars().all(|c| c.is_ascii_uppercase())
    };
    words.filter(is_id).map(str::to_owned).collect()
}

/// The names of Java's tests, in the order of the comment.
fn originals(text: &str) -> Vec<String> {
    let Some((_, rest)) = text.split_once("Java: ") else {
        return Vec::new();
    };
    let rest = rest.split("Scenario:").next().unwrap_or_default();
    let quoted = rest.split('`').skip(1).step_by(2);
    let mut class = String::new();
    let mut names = Vec::new();
    for name in quoted {
        let full = if name.starts_with(char::is_uppercase) {
            class = name.split('.').next().unwrap_or_default().to_owned();
            name.to_owned()
        } else {
            format!("{class}.{name}")
        };
        names.push(format!("`{full}`"));
    }
    names
}

fn level(path: &str) -> &'static str {
    let levels = [
        ("src/network/selector/tests", "sockets"),
        ("src/testing/sim", "simulator"),
        ("src/testing/scenarios", "simulator"),
        ("src/producer/kafka_producer", "producer"),
        ("tests/interop", "Kafka"),
        ("tests/chaos", "Kafka"),
        ("tests", "cluster"),
    ];
    let of = levels.iter().find(|(start, _)| path.starts_with(start));
    of.map_or("core", |(_, level)| level)
}

fn function(line: &str) -> Option<String> {
    let rest = line.trim_start().strip_prefix("fn ")?;
    Some(rest.split('(').next()?.to_owned())
}

fn comment(line: &str) -> Option<&str> {
    line.trim_start()
        .strip_prefix("//")
        .map(|text| text.trim_start_matches(['/', '!']).trim())
}
