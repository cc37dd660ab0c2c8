//! Text in a charset, and identifiers as text.
//!
//! Java: `common/serialization/StringSerializer.java`, `UUIDSerializer.java`.
//! Differs: knows the charsets that every JVM must have, no others; UTF-8 text is lent, not copied.
//! Threads: any. Locks: none.

use std::collections::BTreeMap;

use crate::common::header::Headers;
use crate::common::kafka_error::KafkaError;
use crate::common::serialization::{Serializer, serialization_error};

/// Text: UTF-8, or the charset that `key.serializer.encoding`, `value.serializer.encoding` or `serializer.encoding` names.
///
/// Characters that the charset lacks become `?`, as in Java.
#[derive(Debug, Clone, Copy, Default)]
pub struct StringSerializer {
    charset: Charset,
}

impl StringSerializer {
    /// Text in a charset, by its name: `UTF-8`, `US-ASCII`, `ISO-8859-1`, `UTF-16`, `UTF-16BE` or `UTF-16LE`.
    ///
    /// # Errors
    /// Where the charset is another one.
    pub fn with_encoding(name: &str) -> Result<Self, KafkaError> {
        Charset::from_name(name).map(|charset| Self { charset })
    }
}

impl<T: AsRef<str> + ?Sized> Serializer<T> for StringSerializer {
    fn serialize<'a>(
        &self,
        _topic: &str,
        _headers: &mut Headers,
        data: &'a T,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        Ok(Some(self.charset.encode(data.as_ref(), buffer)))
    }

    fn configure(
        &mut self,
        configs: &BTreeMap<String, String>,
        is_key: bool,
    ) -> Result<(), KafkaError> {
        self.charset = Charset::from_configs(configs, is_key)?;
        Ok(())
    }
}

/// The 36 characters of an identifier in lower case with hyphens, not its 16 bytes. In the charset of text.
#[derive(Debug, Clone, Copy, Default)]
pub struct UuidSerializer {
    charset: Charset,
}

impl Serializer<[u8; 16]> for UuidSerializer {
    fn serialize<'a>(
        &self,
        _topic: &str,
        _headers: &mut Headers,
        data: &'a [u8; 16],
        buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        let hex: Vec<String> = data.iter().map(|byte| format!("{byte:02x}")).collect();
        let groups: [std::ops::Range<usize>; 5] = [0..4, 4..6, 6..8, 8..10, 10..16];
        let text = groups
            .map(|group| hex.get(group).unwrap_or_default().concat())
            .join("-");
        // The text lives in this call only, so it cannot be lent even where it is UTF-8 already.
        let mut encoded = Vec::new();
        buffer.extend_from_slice(self.charset.encode(&text, &mut encoded));
        Ok(Some(buffer))
    }

    fn configure(
        &mut self,
        configs: &BTreeMap<String, String>,
        is_key: bool,
    ) -> Result<(), KafkaError> {
        self.charset = Charset::from_configs(configs, is_key)?;
        Ok(())
    }
}

/// The charsets that every Java has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Charset {
    #[default]
    Utf8,
    Ascii,
    Latin1,
    /// Big-endian behind a byte order mark.
    Utf16,
    Utf16Be,
    Utf16Le,
}

impl Charset {
    fn from_configs(configs: &BTreeMap<String, String>, is_key: bool) -> Result<Self, KafkaError> {
        let own = if is_key {
            "key.serializer.encoding"
        } else {
            "value.serializer.encoding"
        };
        match configs
            .get(own)
            .or_else(|| configs.get("serializer.encoding"))
        {
            Some(name) => Self::from_name(name),
            None => Ok(Self::Utf8),
        }
    }

    fn from_name(name: &str) -> Result<Self, KafkaError> {
        match name.to_ascii_uppercase().as_str() {
            "UTF-8" | "UTF8" => Ok(Charset::Utf8),
            "US-ASCII" | "ASCII" => Ok(Charset::Ascii),
            "ISO-8859-1" | "ISO8859_1" | "LATIN1" => Ok(Charset::Latin1),
            "UTF-16" | "UTF16" => Ok(Charset::Utf16),
            "UTF-16BE" => Ok(Charset::Utf16Be),
            "UTF-16LE" => Ok(Charset::Utf16Le),
            _ => Err(serialization_error(format!(
                "unknown encoding {name}: must be one of UTF-8, US-ASCII, ISO-8859-1, UTF-16, UTF-16BE, UTF-16LE"
            ))),
        }
    }

    fn encode<'a>(self, text: &'a str, buffer: &'a mut Vec<u8>) -> &'a [u8] {
        match self {
            Charset::Utf8 => return text.as_bytes(),
            Charset::Ascii => buffer.extend(text.chars().map(|c| narrow(c, '\u{7f}'))),
            Charset::Latin1 => buffer.extend(text.chars().map(|c| narrow(c, '\u{ff}'))),
            // An empty text has no byte order mark either.
            Charset::Utf16 if text.is_empty() => {}
            Charset::Utf16 => {
                buffer.extend_from_slice(&[0xfe, 0xff]);
                buffer.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
            }
            Charset::Utf16Be => buffer.extend(text.encode_utf16().flat_map(u16::to_be_bytes)),
            Charset::Utf16Le => buffer.extend(text.encode_utf16().flat_map(u16::to_le_bytes)),
        }
        buffer
    }
}

/// The byte of a character up to `last`, or a question mark.
fn narrow(c: char, last: char) -> u8 {
    if c <= last {
        u8::try_from(u32::from(c)).unwrap_or(b'?')
    } else {
        b'?'
    }
}
