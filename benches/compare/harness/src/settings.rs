//! The words that a client program is started with.

use std::collections::HashMap;

/// `name=value` words.
pub struct Settings(HashMap<String, String>);

impl Settings {
    /// From the command line.
    pub fn from_arguments() -> Self {
        let words = std::env::args().skip(1).map(|word| {
            let (name, value) = word.split_once('=').expect("a word is name=value");
            (name.to_owned(), value.to_owned())
        });
        Self(words.collect())
    }

    /// `bootstrap=HOST:PORT`.
    pub fn bootstrap(&self) -> &str {
        self.text("bootstrap").expect("bootstrap=HOST:PORT")
    }

    /// `topic=NAME`.
    pub fn topic(&self) -> &str {
        self.text("topic").unwrap_or("bench")
    }

    /// The value of a word, when it was given.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A number, or what to take without the word.
    pub fn number(&self, name: &str, otherwise: usize) -> usize {
        let parse = |text: &str| text.parse().expect("a number");
        self.text(name).map_or(otherwise, parse)
    }

    /// The lines of the file `values=PATH`: what is sent, in turn.
    pub fn values(&self) -> Vec<Vec<u8>> {
        let path = self.text("values").expect("values=FILE");
        let text = std::fs::read_to_string(path).expect("a file with a value a line");
        text.lines().map(|line| line.as_bytes().to_vec()).collect()
    }
}
