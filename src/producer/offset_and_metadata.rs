//! A position in a partition, as a consumer commits it.
//!
//! Java: `clients/consumer/OffsetAndMetadata.java`.
//! Differs: a negative offset is refused where it is used, not where it is made.
//! Threads: plain data. Locks: none.

/// The offset of the next record to read, and what the application wants to remember with it.
///
/// ```
/// use ottla::OffsetAndMetadata;
///
/// let next = OffsetAndMetadata::new(42).with_metadata("checked");
/// assert_eq!((next.offset(), next.metadata()), (42, "checked"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OffsetAndMetadata {
    offset: i64,
    leader_epoch: Option<i32>,
    metadata: String,
}

impl OffsetAndMetadata {
    /// The next record to read is the one with this offset.
    pub fn new(offset: i64) -> Self {
        Self {
            offset,
            leader_epoch: None,
            metadata: String::new(),
        }
    }

    /// The same offset with the leader epoch of the last record that was read.
    #[must_use]
    pub fn with_leader_epoch(self, leader_epoch: i32) -> Self {
        Self {
            leader_epoch: (leader_epoch >= 0).then_some(leader_epoch),
            ..self
        }
    }

    /// The same offset with a text of the application's own.
    #[must_use]
    pub fn with_metadata(self, metadata: impl Into<String>) -> Self {
        Self {
            metadata: metadata.into(),
            ..self
        }
    }

    /// The offset of the next record to read.
    pub fn offset(&self) -> i64 {
        self.offset
    }

    /// The leader epoch of the last record that was read, where it is known.
    pub fn leader_epoch(&self) -> Option<i32> {
        self.leader_epoch
    }

    /// The application's text.
    pub fn metadata(&self) -> &str {
        &self.metadata
    }
}
