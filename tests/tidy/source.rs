//! One source file, as the rules see it.

/// A file's path from the crate's root, and its lines.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) lines: Vec<String>,
}

impl Source {
    pub(crate) fn new(path: String, text: &str) -> Self {
        Self {
            path,
            lines: text.lines().map(str::to_owned).collect(),
        }
    }

    /// `src/network/selector.rs` is of the layer `network`; so is `src/network.rs`.
    pub(crate) fn layer(&self) -> Option<&str> {
        let below = self.path.strip_prefix("src/")?;
        Some(below.split('/').next()?.trim_end_matches(".rs"))
    }

    /// `src/network/selector.rs` is `network::selector`.
    pub(crate) fn module_path(&self) -> String {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        below.trim_end_matches(".rs").replace('/', "::")
    }

    /// The `//!` lines that the file opens with, as one text.
    pub(crate) fn header(&self) -> String {
        let lines = self.lines.iter().take_while(|line| line.starts_with("//!"));
        lines
            .map(|line| line.trim_start_matches("//!").trim())
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Holds docs, `mod` lines and re-exports only.
    pub(crate) fn is_page(&self) -> bool {
        let code = self
            .lines
            .iter()
            .map(|line| line.trim())
            .filter(|line| !line.is_empty() && !line.starts_with("//"));
        let (mut in_list, mut in_attribute) = (false, false);
        let mut any = false;
        for line in code {
            any = true;
            let is_mod = line.ends_with(';') && line.contains("mod ");
            let is_use = ["use ", "pub use ", "pub(crate) use "]
                .iter()
                .any(|start| line.starts_with(start));
            let is_attribute = in_attribute || line.starts_with("#[") || line.starts_with("#![");
            if !(is_mod || is_use || is_attribute || in_list) {
                return false;
            }
            in_attribute = is_attribute && !line.ends_with(']');
            in_list = (is_use || in_list) && !line.ends_with(';');
        }
        any
    }

    /// A file that exists in test builds only.
    pub(crate) fn is_test_file(&self) -> bool {
        self.path.starts_with("src/testing")
            || self.path.ends_with("tests.rs")
            || self.path.ends_with("_test.rs")
            || self.path.contains("tests/")
    }

    /// A line (from 1) that is compiled in test builds only: it follows the inline test module's opening.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.is_test_file() || self.first_test_line().is_some_and(|first| line >= first)
    }

    fn first_test_line(&self) -> Option<usize> {
        let opens = |window: &[String]| {
            window[0].trim() == "#[cfg(test)]"
                && window[1].contains("mod ")
                && window[1].trim_end().ends_with('{')
        };
        self.lines.windows(2).position(opens).map(|at| at + 1)
    }

    /// Every `crate::a::b` of the file, with its line; `use crate::a::{b, c}` counts as `a`.
    pub(crate) fn crate_imports(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (n, line) in self.lines.iter().enumerate() {
            if line.trim_start().starts_with("//") {
                continue;
            }
            for (at, _) in line.match_indices("crate::") {
                let before = line[..at].chars().next_back();
                if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                    continue;
                }
                let rest = &line[at + "crate::".len()..];
                let end = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                    .unwrap_or(rest.len());
                found.push((n + 1, rest[..end].trim_end_matches(':').to_owned()));
            }
        }
        found
    }

    /// Line, name and length of every function.
    pub(crate) fn functions(&self) -> Vec<(usize, String, usize)> {
        let mut found = Vec::new();
        let mut open: Vec<(usize, String, usize)> = Vec::new();
        for (n, line) in self.lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let code = line.trim_start();
            if let Some(name) = function_name(code) {
                let on_one_line = code.ends_with('}') && code.contains('{');
                if !code.ends_with(';') && !on_one_line {
                    open.push((n + 1, name, indent));
                }
            } else if code == "}" || code.starts_with("} ") || code.starts_with("});") {
                if open.last().is_some_and(|(_, _, depth)| *depth == indent) {
                    let (start, name, _) = open.pop().expect("just seen");
                    found.push((start, name, n + 2 - start));
                }
            } else if code.ends_with(';')
                && open.last().is_some_and(|(_, _, depth)| *depth == indent)
            {
                // A declaration without a body over several lines.
                open.pop();
            }
        }
        found
    }

    /// Lines at which an `if let` or `while let` is joined to another condition.
    pub(crate) fn let_chains(&self) -> Vec<usize> {
        let mut found = Vec::new();
        for (n, line) in self.lines.iter().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") {
                continue;
            }
            if code.contains("&& let ") {
                found.push(n + 1);
            }
            for opener in ["if let ", "while let "] {
                let Some(at) = code.find(opener) else {
                    continue;
                };
                // The condition ends at the line that opens the block.
                let mut condition = code[at..].to_owned();
                for next in self.lines.iter().skip(n + 1).take(12) {
                    if condition.trim_end().ends_with('{') {
                        break;
                    }
                    condition.push(' ');
                    condition.push_str(next.trim());
                }
                if top_level_and(&condition) {
                    found.push(n + 1);
                }
            }
        }
        found
    }
}

fn function_name(code: &str) -> Option<String> {
    let at = if code.starts_with("fn ") {
        0
    } else {
        code.find(" fn ")? + 1
    };
    let words = [
        "pub",
        "pub(crate)",
        "pub(super)",
        "const",
        "async",
        "extern",
    ];
    if !code[..at]
        .split_whitespace()
        .all(|word| words.contains(&word))
    {
        return None;
    }
    let name = &code[at + 3..];
    Some(
        name.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()?
            .to_owned(),
    )
}

/// `&&` outside of any bracket, string and closure.
fn top_level_and(condition: &str) -> bool {
    let mut depth = 0;
    let mut in_string = false;
    let mut previous = ' ';
    for c in condition.chars() {
        match c {
            '"' if previous != '\\' => in_string = !in_string,
            _ if in_string => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '&' if previous == '&' && depth == 0 => return true,
            _ => {}
        }
        previous = c;
    }
    false
}
