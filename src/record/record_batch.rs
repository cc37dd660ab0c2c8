//! What all formats of batches have in common: where the magic byte stands, and what the attribute bits mean.
//!
//! Java: `common/record/RecordBatch.java`, `common/record/Records.java`, `common/record/TimestampType.java`.
//! Differs: attributes are a type with questions instead of masks at each use.
//! Threads: plain data. Locks: none.

use crate::record::compression_type::CompressionType;
use crate::record::record_error::RecordError;

/// The offset and the size that stand before every batch, in all formats.
pub(crate) const LOG_OVERHEAD: usize = 12;

/// Up to and with the magic byte, which says how to read the rest; at the same place in all formats.
pub(crate) const HEADER_SIZE_UP_TO_MAGIC: usize = 17;

/// The timestamp of a record that has none.
pub(crate) const NO_TIMESTAMP: i64 = -1;

/// The first sequence of a batch that has none.
pub(crate) const NO_SEQUENCE: i32 = -1;

/// The leader's epoch as a producer writes it: the broker knows better.
pub(crate) const NO_PARTITION_LEADER_EPOCH: i32 = -1;

/// Whose clock a batch's timestamps come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimestampType {
    /// The producer's, one for each record.
    CreateTime,
    /// The broker's, one for the whole batch.
    LogAppendTime,
}

/// The attribute bits of a batch of format 1 or 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attributes(pub(crate) i16);

impl Attributes {
    const CODEC: i16 = 0x07;
    const LOG_APPEND_TIME: i16 = 0x08;
    const TRANSACTIONAL: i16 = 0x10;
    const CONTROL: i16 = 0x20;

    /// What a producer writes.
    pub(crate) fn produced(codec: CompressionType, transactional: bool) -> Self {
        let transactional = if transactional {
            Self::TRANSACTIONAL
        } else {
            0
        };
        Self(i16::from(codec.id()) | transactional)
    }

    /// What a coordinator writes where a transaction ends.
    pub(crate) fn marker() -> Self {
        Self(Self::TRANSACTIONAL | Self::CONTROL)
    }

    /// Whether the batch is part of a transaction.
    #[cfg(feature = "embedded-broker")]
    pub(crate) fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    pub(crate) fn codec(self) -> Result<CompressionType, RecordError> {
        let [_, low] = (self.0 & Self::CODEC).to_be_bytes();
        CompressionType::for_id(low).ok_or(RecordError::UnknownCodec(low))
    }

    pub(crate) fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::LOG_APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }

    #[must_use]
    pub(crate) fn with_log_append_time(self) -> Self {
        Self(self.0 | Self::LOG_APPEND_TIME)
    }

    /// Whether the batch holds a marker of a transaction instead of records.
    pub(crate) fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }
}
