//! Turns a line of text into the parts of a record.
//!
//! Java: `tools/LineMessageReader.java`.
//! Differs: separators are plain text; Java takes `headers.separator` as a regular expression.

use ottla::{ErrorKind, KafkaError};

use crate::client_options::Pairs;

/// How lines are read; Java's names and defaults.
#[derive(Debug)]
pub(crate) struct LineReader {
    parse_key: bool,
    key_separator: String,
    parse_headers: bool,
    headers_delimiter: String,
    headers_separator: String,
    headers_key_separator: String,
    null_marker: Option<String>,
    ignore_error: bool,
    line_number: u64,
}

/// A header's name and value.
pub(crate) type Header = (String, Option<Vec<u8>>);

/// The parts of a record that a line holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) headers: Vec<Header>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
}

impl LineReader {
    /// Reads the reader's properties; an unknown one is an error, since it would have no effect.
    pub(crate) fn new(properties: &Pairs) -> Result<Self, KafkaError> {
        let mut reader = Self {
            parse_key: false,
            key_separator: "\t".to_owned(),
            parse_headers: false,
            headers_delimiter: "\t".to_owned(),
            headers_separator: ",".to_owned(),
            headers_key_separator: ":".to_owned(),
            null_marker: None,
            ignore_error: false,
            line_number: 0,
        };
        for (key, value) in properties {
            reader.set(key, value)?;
        }
        reader.check()?;
        Ok(reader)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), KafkaError> {
        match key {
            "parse.key" => self.parse_key = boolean(key, value)?,
            "key.separator" => self.key_separator = not_empty(key, value)?,
            "parse.headers" => self.parse_headers = boolean(key, value)?,
            "headers.delimiter" => self.headers_delimiter = not_empty(key, value)?,
            "headers.separator" => self.headers_separator = not_empty(key, value)?,
            "headers.key.separator" => self.headers_key_separator = not_empty(key, value)?,
            "null.marker" => self.null_marker = Some(value.to_owned()),
            "ignore.error" => self.ignore_error = boolean(key, value)?,
            _ => {
                let known = "parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, \
                             headers.key.separator, null.marker and ignore.error";
                return Err(wrong(format!(
                    "the reader property {key} is not known; there are {known}"
                )));
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), KafkaError> {
        let separators = [
            &self.headers_delimiter,
            &self.headers_separator,
            &self.headers_key_separator,
        ];
        let same = separators[0] == separators[1]
            || separators[0] == separators[2]
            || separators[1] == separators[2];
        if self.parse_headers && same {
            let text = "headers.delimiter, headers.separator and headers.key.separator must differ from each other";
            return Err(wrong(text.to_owned()));
        }
        Ok(())
    }

    /// Takes a line apart.
    pub(crate) fn read(&mut self, line: &str) -> Result<Line, KafkaError> {
        self.line_number += 1;
        let mut rest = line;
        let mut headers = Vec::new();
        if self.parse_headers {
            if let Some((text, after)) =
                self.split(rest, &self.headers_delimiter, "headers delimiter")?
            {
                headers = self.headers(text)?;
                rest = after;
            }
        }
        let mut key = None;
        if self.parse_key {
            if let Some((text, after)) = self.split(rest, &self.key_separator, "key separator")? {
                key = self.field(text);
                rest = after;
            }
        }
        Ok(Line {
            headers,
            key,
            value: self.field(rest),
        })
    }

    fn headers(&self, text: &str) -> Result<Vec<Header>, KafkaError> {
        if self.null_marker.as_deref() == Some(text) || text.is_empty() {
            return Ok(Vec::new());
        }
        let mut headers = Vec::new();
        for pair in text.split(self.headers_separator.as_str()) {
            match self.split(pair, &self.headers_key_separator, "header key separator")? {
                Some((key, value)) => headers.push((key.to_owned(), self.field(value))),
                None => headers.push((pair.to_owned(), None)),
            }
        }
        Ok(headers)
    }

    fn split<'a>(
        &self,
        text: &'a str,
        separator: &str,
        what: &str,
    ) -> Result<Option<(&'a str, &'a str)>, KafkaError> {
        let found = text.split_once(separator);
        if found.is_none() && !self.ignore_error {
            let text = format!(
                "no {what} {separator:?} on line {}: {text:?}",
                self.line_number
            );
            return Err(KafkaError::new(ErrorKind::Kafka, text));
        }
        Ok(found)
    }

    fn field(&self, text: &str) -> Option<Vec<u8>> {
        (self.null_marker.as_deref() != Some(text)).then(|| text.as_bytes().to_vec())
    }
}

fn boolean(key: &str, value: &str) -> Result<bool, KafkaError> {
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(wrong(format!(
            "the reader property {key} is true or false, not {value:?}"
        ))),
    }
}

fn not_empty(key: &str, value: &str) -> Result<String, KafkaError> {
    if value.is_empty() {
        return Err(wrong(format!(
            "the reader property {key} must not be empty"
        )));
    }
    Ok(value.to_owned())
}

fn wrong(text: String) -> KafkaError {
    KafkaError::new(ErrorKind::Config, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(properties: &[(&str, &str)]) -> LineReader {
        let pairs = properties
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        LineReader::new(&pairs).expect("legal properties")
    }

    fn bytes(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
    }

    /// Java: `ConsoleProducerTest.testLineReader`.
    #[test]
    fn a_line_is_the_value_unless_a_key_is_asked_for() {
        let line = reader(&[]).read("a\tb").expect("readable");
        assert_eq!((line.key, line.value), (None, bytes("a\tb")));
        let line = reader(&[("parse.key", "true")])
            .read("a\tb\tc")
            .expect("readable");
        assert_eq!((line.key, line.value), (bytes("a"), bytes("b\tc")));
    }

    /// Java: `LineMessageReaderTest.testLineReaderWithHeaders`.
    #[test]
    fn headers_come_first() {
        let mut reader = reader(&[
            ("parse.headers", "true"),
            ("parse.key", "true"),
            ("key.separator", "|"),
        ]);
        let line = reader.read("h1:v1,h2:v2\tkey|value").expect("readable");
        assert_eq!(
            line.headers,
            [
                ("h1".to_owned(), bytes("v1")),
                ("h2".to_owned(), bytes("v2"))
            ]
        );
        assert_eq!((line.key, line.value), (bytes("key"), bytes("value")));
    }

    #[test]
    fn the_null_marker_makes_nothing_of_a_field() {
        let mut reader = reader(&[("parse.key", "true"), ("null.marker", "NULL")]);
        assert_eq!(
            reader.read("NULL\tNULL").expect("readable"),
            Line::default()
        );
    }

    #[test]
    fn a_missing_separator_names_the_line_or_is_ignored() {
        let mut strict = reader(&[("parse.key", "true")]);
        strict.read("a\tb").expect("readable");
        let error = strict.read("no separator").expect_err("refused");
        assert_eq!(
            error.message(),
            "no key separator \"\\t\" on line 2: \"no separator\""
        );
        let mut lenient = reader(&[("parse.key", "true"), ("ignore.error", "true")]);
        assert_eq!(
            lenient.read("whole").expect("readable").value,
            bytes("whole")
        );
    }

    #[test]
    fn unknown_properties_and_equal_separators_are_refused() {
        let pairs = |k: &str, v: &str| vec![(k.to_owned(), v.to_owned())];
        assert!(LineReader::new(&pairs("parse.keys", "true")).is_err());
        let mut same = pairs("parse.headers", "true");
        same.push(("headers.separator".to_owned(), ":".to_owned()));
        assert!(LineReader::new(&same).is_err());
    }
}
