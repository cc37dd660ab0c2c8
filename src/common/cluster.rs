//! The names of things in a cluster: nodes, topics, partitions, and the numbers that identify producers and batches.
//!
//! Java: `common/Node.java`, `common/TopicPartition.java`, `common/PartitionInfo.java`, `common/Uuid.java`,
//! `common/utils/ProducerIdAndEpoch.java`.
//! Differs: each number has a type of its own; sequences are counted without wrapping and wrap only on the wire.
//! Threads: plain data. Locks: none.

use crate::common::planted::planted;
use std::fmt;
use std::sync::Arc;

/// A broker's id; bootstrap servers, whose ids are not known yet, count down from -1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) i32);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A broker: its id and where it listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Node {
    id: i32,
    host: Arc<str>,
    port: u16,
    rack: Option<Arc<str>>,
}

impl Node {
    /// A broker with an id that listens on `host:port`.
    pub fn new(id: i32, host: impl Into<Arc<str>>, port: u16) -> Self {
        Self {
            id,
            host: host.into(),
            port,
            rack: None,
        }
    }

    /// The same broker, in a rack.
    #[must_use]
    pub fn with_rack(self, rack: Option<Arc<str>>) -> Self {
        Self { rack, ..self }
    }

    /// The broker's id; negative for a bootstrap server.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// The host name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The rack, where the broker has one.
    pub fn rack(&self) -> Option<&str> {
        self.rack.as_deref()
    }

    pub(crate) fn node_id(&self) -> NodeId {
        NodeId(self.id)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{} (id: {})", self.host, self.port, self.id)
    }
}

/// A topic's name and a partition's number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    topic: Arc<str>,
    partition: i32,
}

impl TopicPartition {
    /// Names a partition of a topic.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self {
            topic: topic.into(),
            partition,
        }
    }

    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition's number, from 0.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    pub(crate) fn shared_topic(&self) -> &Arc<str> {
        &self.topic
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// What is known about one partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionInfo {
    /// The topic and the partition.
    pub topic_partition: TopicPartition,
    /// The broker that takes writes, or nothing while there is none.
    pub leader: Option<Node>,
    /// The ids of the brokers that keep a copy.
    pub replicas: Vec<i32>,
    /// The ids of the brokers whose copy is complete.
    pub in_sync_replicas: Vec<i32>,
    /// The ids of the brokers whose copy is not reachable.
    pub offline_replicas: Vec<i32>,
}

/// 16 bytes that identify a topic; all zero where there is no id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(crate) struct Uuid(pub(crate) [u8; 16]);

impl Uuid {
    pub(crate) const ZERO: Uuid = Uuid([0; 16]);

    pub(crate) fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Which reign of a leader a fact belongs to; rises with each new leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct LeaderEpoch(pub(crate) i32);

impl LeaderEpoch {
    /// -1 on the wire means that the epoch is not known.
    pub(crate) fn from_wire(epoch: i32) -> Option<Self> {
        (epoch >= 0).then_some(Self(epoch))
    }
}

/// The identity under which a producer numbers its batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ProducerIdAndEpoch {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
}

impl ProducerIdAndEpoch {
    /// No identity: idempotence is off, or the id has not come yet.
    pub(crate) const NONE: Self = Self {
        producer_id: -1,
        epoch: -1,
    };

    pub(crate) fn is_valid(self) -> bool {
        self.producer_id >= 0 && (self.epoch >= 0 || planted!("negative-epoch-is-used"))
    }
}

/// The number of a record among all that a producer sent to one partition in one epoch; never wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Sequence(pub(crate) u64);

impl Sequence {
    pub(crate) const FIRST: Sequence = Sequence(0);

    /// The number of the record `by` records later.
    #[must_use]
    pub(crate) fn incremented(self, by: u32) -> Self {
        Self(self.0 + u64::from(by))
    }

    /// As it stands on the wire, where `i32::MAX` is followed by 0.
    pub(crate) fn to_wire(self) -> i32 {
        let wrapped = self.0 & 0x7fff_ffff;
        i32::try_from(wrapped).expect("31 bits fit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Java: `DefaultRecordBatchTest.testIncrementSequence`. Scenario: ID16 (arithmetic).
    #[test]
    fn sequences_wrap_only_on_the_wire() {
        let max = Sequence(i32::MAX as u64);
        assert_eq!(max.incremented(1).to_wire(), 0);
        assert_eq!(max.incremented(100).to_wire(), 99);
        assert_eq!(
            Sequence(i32::MAX as u64 - 1).incremented(1).to_wire(),
            i32::MAX
        );
        assert!(max.incremented(1) > max);
    }
}
