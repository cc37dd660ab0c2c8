//! `docs/java-map.md`: where each Java class lives here, written from the contracts that the files open with.

use super::page;
use super::source::Source;

const OPENING: &str = "# Where each Java class lives

Written from the contracts at the top of our files by `OTTLA_REGENERATE=1 cargo test --test tidy`, and checked by the
same test. Paths on the left are below Kafka's `clients/src/main/java/org/apache/kafka` (the broker's below `core` and
`storage`); paths on the right are below `src`.

| Java | here | what is different |
| --- | --- | --- |
";

pub(crate) fn check(files: &[Source]) {
    page::check("docs/java-map.md", &generate(files));
}

fn generate(files: &[Source]) -> String {
    let mut rows: Vec<String> = files
        .iter()
        .filter(|file| !file.is_test_file())
        .filter_map(row)
        .collect();
    rows.sort();
    OPENING.to_owned() + &rows.concat()
}

fn row(file: &Source) -> Option<String> {
    let header = file.header();
    let java = part(&header, "Java:")?;
    let differs = part(&header, "Differs:").unwrap_or_default();
    let here = file.path.strip_prefix("src/").unwrap_or(&file.path);
    let cell = |text: &str| text.trim_end_matches('.').replace('|', "\\|");
    Some(format!(
        "| {} | `{here}` | {} |\n",
        cell(&java),
        cell(&differs)
    ))
}

/// The text after a label, up to the next label or empty line.
fn part(header: &str, label: &str) -> Option<String> {
    let mut lines = header.lines().skip_while(|line| !line.starts_with(label));
    let mut text = lines.next()?.trim_start_matches(label).trim().to_owned();
    for line in lines
        .take_while(|line| !line.is_empty() && !LABELS.iter().any(|label| line.starts_with(label)))
    {
        text.push(' ');
        text.push_str(line);
    }
    Some(text)
}

const LABELS: [&str; 4] = ["Java:", "Differs:", "Threads:", "Locks:"];
