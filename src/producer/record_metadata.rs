//! Where a record landed: the good news that `send` promises.
//!
//! Java: `clients/producer/RecordMetadata.java`.
//! Differs: what may be missing is an `Option` instead of -1.
//! Threads: plain data. Locks: none.

use std::fmt;

use crate::common::cluster::TopicPartition;

/// Where a record landed.
///
/// With `acks=0` nobody says where, so the offset is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordMetadata {
    topic_partition: TopicPartition,
    offset: Option<i64>,
    timestamp: i64,
    serialized_key_size: Option<u32>,
    serialized_value_size: Option<u32>,
}

impl RecordMetadata {
    pub(crate) fn new(
        topic_partition: TopicPartition,
        offset: Option<i64>,
        timestamp: i64,
        serialized_key_size: Option<u32>,
        serialized_value_size: Option<u32>,
    ) -> Self {
        Self {
            topic_partition,
            offset,
            timestamp,
            serialized_key_size,
            serialized_value_size,
        }
    }

    /// The topic's name.
    pub fn topic(&self) -> &str {
        self.topic_partition.topic()
    }

    /// The partition's number.
    pub fn partition(&self) -> i32 {
        self.topic_partition.partition()
    }

    /// The topic and the partition.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    /// Whether the broker said where the record is.
    pub fn has_offset(&self) -> bool {
        self.offset.is_some()
    }

    /// The record's place in the partition, or -1 where the broker did not say (`acks=0`).
    pub fn offset(&self) -> i64 {
        self.offset.unwrap_or(-1)
    }

    /// Milliseconds since the epoch: the broker's clock where the topic uses log append time, else the record's own.
    pub fn timestamp(&self) -> i64 {
        self.timestamp
    }

    /// How many bytes the key took, or nothing where there was no key.
    pub fn serialized_key_size(&self) -> Option<u32> {
        self.serialized_key_size
    }

    /// How many bytes the value took, or nothing where there was no value.
    pub fn serialized_value_size(&self) -> Option<u32> {
        self.serialized_value_size
    }
}

impl fmt::Display for RecordMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.topic_partition, self.offset())
    }
}
