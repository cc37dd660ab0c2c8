//! A record that the producer accepted and then gave up: handed back instead of lost.
//!
//! Java: none; a forced close drops the records and fails their futures.
//! Differs: the application gets the serialized records back and may send them elsewhere.
//! Threads: plain data. Locks: none.

use crate::common::cluster::TopicPartition;
use crate::common::kafka_error::Persisted;

/// A record that was accepted and then given up, as it would have gone over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnsentRecord {
    /// Where it was to go.
    pub topic_partition: TopicPartition,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The serialized key.
    pub key: Option<Vec<u8>>,
    /// The serialized value.
    pub value: Option<Vec<u8>>,
    /// The headers, in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Whether a broker may have written it all the same: then sending it again may duplicate it.
    pub persisted: Persisted,
}
