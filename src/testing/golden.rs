//! Reads what the real Java client printed once, in `tests/golden`, and the notation in which it gives bytes.
//!
//! Java: none; `tests/kafka/Oracle.java` is the writer.
//! Differs: nothing to differ from. Threads: pure functions. Locks: none.

use std::path::Path;

/// The lines of a golden file, cut at tabs; comments left out.
pub(crate) fn lines(file: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(file);
    std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

/// Bytes in hexadecimal; blanks and bars are for the eye.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split([' ', '\n', '|']).collect();
    assert!(digits.len() % 2 == 0, "odd number of digits");
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("two digits"))
        .collect()
}

/// Bytes as one word: `null`, `=HEX`, `rep:COUNT:HEX` for a repeated byte, `gen:COUNT:SEED` for random ones.
pub(crate) fn word(text: &str) -> Option<Vec<u8>> {
    if text == "null" {
        return None;
    }
    if let Some(digits) = text.strip_prefix('=') {
        return Some(hex(digits));
    }
    let parts: Vec<&str> = text.split(':').collect();
    let count = parts[1].parse().expect("a count");
    Some(match parts[0] {
        "rep" => vec![hex(parts[2])[0]; count],
        "gen" => Xorshift(parts[2].parse().expect("a seed")).bytes(count),
        other => panic!("unknown word {other}"),
    })
}

/// xorshift64 with the shifts 13, 7, 17; the seed, which is not 0, is the state before the first step.
#[derive(Debug, Clone)]
pub(crate) struct Xorshift(pub(crate) u64);

impl Xorshift {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number from 0, and less than `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 32) as usize % bound
    }

    pub(crate) fn byte(&mut self) -> u8 {
        (self.next() >> 32) as u8
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.byte()).collect()
    }
}
