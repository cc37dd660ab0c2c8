//! Chooses partitions in the place of the built-in rule.
//!
//! Java: `clients/producer/Partitioner.java`, `RoundRobinPartitioner.java`, `common/Cluster.java` (what a partitioner sees).
//! Differs: an answer that is no partition of the topic fails the send, where Java lets the record wait until it expires;
//! the record comes as one argument.
//! Threads: called on the sending threads, many at once. Locks: round robin has a leaf lock for its counters' map.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::common::cluster::{Node, PartitionInfo};
use crate::common::kafka_error::KafkaError;
use crate::common::sync::{Mutex, Rank};

/// Chooses the partition of records that do not name one themselves.
///
/// Without a partitioner, records with a key go where Java would put them (murmur2 over all partitions), and records
/// without one fill one partition's batch after the other, faster brokers more often.
pub trait Partitioner<K: ?Sized, V: ?Sized>: Send + Sync {
    /// The partition for a record. Called exactly once per record, after serialization, with no lock held.
    ///
    /// # Errors
    /// Fails the send.
    fn partition(
        &self,
        record: &RecordToPlace<'_, K, V>,
        cluster: &Cluster<'_>,
    ) -> Result<i32, KafkaError>;

    /// Called once, before the first record, with the configuration as it was given (without passwords; `client.id` as
    /// it is in use).
    ///
    /// # Errors
    /// Where a setting makes no sense; the producer is not made then.
    fn configure(&mut self, _configs: &BTreeMap<String, String>) -> Result<(), KafkaError> {
        Ok(())
    }

    /// Called once, when the producer is closed.
    fn close(&self) {}
}

/// A record that needs a partition, as data and as bytes.
pub struct RecordToPlace<'a, K: ?Sized, V: ?Sized> {
    pub(crate) topic: &'a str,
    pub(crate) key: Option<&'a K>,
    pub(crate) key_bytes: Option<&'a [u8]>,
    pub(crate) value: Option<&'a V>,
    pub(crate) value_bytes: Option<&'a [u8]>,
}

impl<'a, K: ?Sized, V: ?Sized> RecordToPlace<'a, K, V> {
    /// The topic's name.
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// The key, or nothing where it is null.
    pub fn key(&self) -> Option<&'a K> {
        self.key
    }

    /// The serialized key, or nothing where it is null.
    pub fn key_bytes(&self) -> Option<&'a [u8]> {
        self.key_bytes
    }

    /// The value, or nothing where it is null.
    pub fn value(&self) -> Option<&'a V> {
        self.value
    }

    /// The serialized value, or nothing where it is null.
    pub fn value_bytes(&self) -> Option<&'a [u8]> {
        self.value_bytes
    }
}

impl<K: ?Sized, V: ?Sized> fmt::Debug for RecordToPlace<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordToPlace")
            .field("topic", &self.topic)
            .finish_non_exhaustive()
    }
}

/// The cluster as a partitioner sees it: the state of one moment.
#[derive(Debug, Clone, Copy)]
pub struct Cluster<'a> {
    snapshot: &'a MetadataSnapshot,
}

impl<'a> Cluster<'a> {
    pub(crate) fn new(snapshot: &'a MetadataSnapshot) -> Self {
        Self { snapshot }
    }

    /// How many partitions a topic has; nothing for a topic that is not known.
    pub fn partition_count(&self, topic: &str) -> Option<usize> {
        self.snapshot.partition_count(topic)
    }

    /// The partitions of a topic that have a leader, in rising order.
    pub fn available_partitions(&self, topic: &str) -> &'a [i32] {
        self.snapshot
            .topic(topic)
            .map(|topic| topic.available.as_slice())
            .unwrap_or_default()
    }

    /// Everything known about the partitions of a topic.
    pub fn partitions(&self, topic: &str) -> Vec<PartitionInfo> {
        self.snapshot.partition_infos(topic)
    }

    /// The broker that takes writes for a partition, where there is one.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<&'a Node> {
        self.snapshot.leader_for(topic, partition)
    }

    /// All brokers, sorted by id.
    pub fn nodes(&self) -> &'a [Node] {
        self.snapshot.nodes()
    }
}

/// Spreads the records of a topic evenly over the partitions that have a leader, whatever their keys.
#[derive(Debug)]
pub struct RoundRobinPartitioner {
    counters: Mutex<BTreeMap<String, Arc<AtomicU32>>>,
}

impl RoundRobinPartitioner {
    /// Starts with the first partition of each topic.
    pub fn new() -> Self {
        Self {
            counters: Mutex::new(Rank::Leaf, BTreeMap::new()),
        }
    }

    fn next(&self, topic: &str) -> usize {
        let counter = {
            let mut counters = self.counters.lock();
            match counters.get(topic) {
                Some(counter) => Arc::clone(counter),
                None => Arc::clone(counters.entry(topic.to_owned()).or_default()),
            }
        };
        // A counter that guards nothing, hence `Relaxed`; it wraps once in four billion records.
        usize::try_from(counter.fetch_add(1, Ordering::Relaxed)).unwrap_or_default()
    }
}

impl Default for RoundRobinPartitioner {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: ?Sized, V: ?Sized> Partitioner<K, V> for RoundRobinPartitioner {
    fn partition(
        &self,
        record: &RecordToPlace<'_, K, V>,
        cluster: &Cluster<'_>,
    ) -> Result<i32, KafkaError> {
        let next = self.next(record.topic);
        let available = cluster.available_partitions(record.topic);
        if let Some(partition) = available.get(next % available.len().max(1)) {
            return Ok(*partition);
        }
        let count = cluster.partition_count(record.topic).unwrap_or(0).max(1);
        Ok(i32::try_from(next % count).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::metadata_snapshot::{PartitionMetadata, TopicMetadata, TopicUsage};
    use crate::common::cluster::{NodeId, Uuid};
    use crate::common::time::Time;
    use crate::testing::mock_time::MockTime;

    fn cluster(leaders: &[Option<i32>]) -> MetadataSnapshot {
        let mut snapshot = MetadataSnapshot::default();
        snapshot.set_nodes(vec![Node::new(0, "a", 1), Node::new(1, "b", 2)]);
        let partitions = leaders
            .iter()
            .map(|leader| PartitionMetadata {
                leader: leader.map(NodeId),
                ..PartitionMetadata::default()
            })
            .collect();
        let usage = Arc::new(TopicUsage::new(MockTime::shared().now()));
        snapshot.set_topic(TopicMetadata::new(
            "t".into(),
            Uuid::ZERO,
            partitions,
            usage,
        ));
        snapshot
    }

    fn choices(snapshot: &MetadataSnapshot, n: usize) -> Vec<i32> {
        let partitioner = RoundRobinPartitioner::new();
        let record = RecordToPlace::<[u8], [u8]> {
            topic: "t",
            key: None,
            key_bytes: Some(b"always the same"),
            value: None,
            value_bytes: None,
        };
        let cluster = Cluster::new(snapshot);
        (0..n)
            .map(|_| partitioner.partition(&record, &cluster).unwrap())
            .collect()
    }

    /// Java: `RoundRobinPartitionerTest.testRoundRobinWithKeyBytes`. Scenario: PT12.
    #[test]
    fn records_go_round_whatever_their_key() {
        assert_eq!(
            choices(&cluster(&[Some(0), Some(1), Some(0)]), 5),
            [0, 1, 2, 0, 1]
        );
    }

    /// Java: `RoundRobinPartitionerTest.testRoundRobinWithUnavailablePartitions`. Scenario: PT12.
    #[test]
    fn partitions_without_a_leader_are_left_out() {
        assert_eq!(
            choices(&cluster(&[Some(0), None, Some(1)]), 4),
            [0, 2, 0, 2]
        );
    }

    #[test]
    fn all_partitions_are_used_where_none_has_a_leader() {
        assert_eq!(choices(&cluster(&[None, None]), 3), [0, 1, 0]);
    }
}
