//! The headers of a record: an ordered list of names with bytes, where a name may come more than once.
//!
//! Java: `common/header/Header.java`, `common/header/Headers.java`, `common/header/internals/RecordHeaders.java`.
//! Differs: read-only is what `&Headers` is, so nothing has to be frozen when a record is sent; a missing name is
//! `None`, not null; names cannot be null.
//! Threads: plain data. Locks: none.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::slice;

/// One header: a name and bytes, or no bytes at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Header {
    key: String,
    value: Option<Vec<u8>>,
}

impl Header {
    /// A header with bytes.
    pub fn new(key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self {
            key: key.into(),
            value: Some(value.into()),
        }
    }

    /// A header whose value is null, which is not the same as no bytes.
    pub fn null(key: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: None,
        }
    }

    /// The name.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The bytes, or nothing where the value is null.
    pub fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }
}

/// The headers of a record, in the order in which they were added.
#[derive(Clone, Default)]
pub struct Headers {
    /// Nothing until there is one: most records have none, and a word is quickly made, moved and dropped.
    #[expect(clippy::box_collection, reason = "one word, not three")]
    headers: Option<Box<Vec<Header>>>,
}

impl Headers {
    /// No headers; takes no memory.
    pub const fn new() -> Self {
        Self { headers: None }
    }

    /// Adds a header at the end.
    pub fn add(&mut self, header: Header) -> &mut Self {
        self.list().push(header);
        self
    }

    /// Removes every header of this name.
    pub fn remove(&mut self, key: &str) -> &mut Self {
        self.list().retain(|header| header.key != key);
        self
    }

    /// The header of this name that was added last.
    pub fn last_header(&self, key: &str) -> Option<&Header> {
        self.iter().rev().find(|header| header.key == key)
    }

    /// Every header of this name, oldest first.
    pub fn headers<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Header> {
        self.iter().filter(move |header| header.key == key)
    }

    /// Every header, oldest first.
    pub fn iter(&self) -> slice::Iter<'_, Header> {
        self.as_slice().iter()
    }

    /// Every header as a slice, oldest first.
    #[inline]
    pub fn as_slice(&self) -> &[Header] {
        match &self.headers {
            Some(headers) => headers,
            None => &[],
        }
    }

    /// How many headers there are.
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    fn list(&mut self) -> &mut Vec<Header> {
        self.headers.get_or_insert_default()
    }
}

impl PartialEq for Headers {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Headers {}

impl Hash for Headers {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_slice().hash(state);
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self).finish()
    }
}

impl FromIterator<Header> for Headers {
    fn from_iter<I: IntoIterator<Item = Header>>(headers: I) -> Self {
        let mut all = Self::new();
        all.extend(headers);
        all
    }
}

impl Extend<Header> for Headers {
    fn extend<I: IntoIterator<Item = Header>>(&mut self, headers: I) {
        self.list().extend(headers);
    }
}

impl<'a> IntoIterator for &'a Headers {
    type Item = &'a Header;
    type IntoIter = slice::Iter<'a, Header>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Headers {
        [
            Header::new("k", "1"),
            Header::new("other", "2"),
            Header::null("k"),
        ]
        .into_iter()
        .collect()
    }

    /// Java: `RecordHeadersTest.testAdd`, `testLastHeader`, `testHeadersWithMultipleEntries..`.
    #[test]
    fn names_may_repeat_and_keep_their_order() {
        let headers = three();
        assert_eq!(headers.last_header("k"), Some(&Header::null("k")));
        let values: Vec<_> = headers.headers("k").map(Header::value).collect();
        assert_eq!(values, [Some(b"1".as_slice()), None]);
        assert_eq!(headers.last_header("absent"), None);
    }

    /// Java: `RecordHeadersTest.testRemove`, `testAddRemoveInterleaved`.
    #[test]
    fn removing_a_name_removes_all_of_it() {
        let mut headers = three();
        headers.remove("k").add(Header::new("k", "3"));
        let keys: Vec<_> = headers.iter().map(Header::key).collect();
        assert_eq!(keys, ["other", "k"]);
        assert_eq!(headers.len(), 2);
    }

    /// Java: `RecordHeadersTest.testNew` (copies are independent).
    #[test]
    fn a_clone_is_independent() {
        let original = three();
        let mut copy = original.clone();
        copy.remove("k");
        assert_eq!(original.len(), 3);
        assert!(Headers::new().is_empty());
    }
}
