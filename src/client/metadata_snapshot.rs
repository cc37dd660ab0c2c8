//! What is known about the cluster at one moment; never changes, shared by everyone who reads it.
//!
//! Java: `clients/MetadataSnapshot.java`, `common/Cluster.java`.
//! Differs: carries its version and the errors that came with it, so that a waiter judges the very snapshot it was woken
//! for; partitions are found by their number; the time of a topic's last use is kept beside it, so that a send needs no lock.
//! Threads: any. Locks: none.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::common::cluster::{LeaderEpoch, Node, NodeId, PartitionInfo, TopicPartition, Uuid};
use crate::common::fast_hash::{FastMap, hash_of};
use crate::common::kafka_error::KafkaError;
use crate::protocol::Errors;

/// Brokers, topics, partitions and their leaders.
#[derive(Debug, Clone, Default)]
pub(crate) struct MetadataSnapshot {
    /// Rises with every change, also with one that brought nothing but an error.
    pub(crate) version: u64,
    pub(crate) cluster_id: Option<Arc<str>>,
    pub(crate) controller: Option<NodeId>,
    /// Whether the nodes are still the bootstrap servers: no broker has answered yet.
    pub(crate) is_bootstrap: bool,
    /// Why nothing can be learnt about this cluster: the login was refused, or no version is common. Cleared by the next
    /// response.
    pub(crate) fatal_error: Option<KafkaError>,
    /// Sorted by id.
    nodes: Vec<Node>,
    topics: FastMap<Arc<str>, Arc<TopicMetadata>>,
    topic_names: FastMap<Uuid, Arc<str>>,
    /// Topics that the cluster answered with an error; such a topic is not in `topics`.
    topic_errors: FastMap<Arc<str>, Errors>,
}

impl MetadataSnapshot {
    /// The same topics without their leaders, behind bootstrap servers that nobody has asked yet.
    pub(crate) fn rebootstrapped(&self, nodes: Vec<Node>) -> Self {
        let mut next = Self {
            is_bootstrap: true,
            cluster_id: None,
            controller: None,
            fatal_error: None,
            ..self.clone()
        };
        next.set_nodes(nodes);
        next.drop_leaders_without_node();
        next
    }

    /// A topic, where it is known to exist.
    #[inline]
    pub(crate) fn topic(&self, name: &str) -> Option<&Arc<TopicMetadata>> {
        self.topics.get(name)
    }

    /// All topics, in no order.
    pub(crate) fn topics(&self) -> impl Iterator<Item = &Arc<TopicMetadata>> {
        self.topics.values()
    }

    pub(crate) fn topic_name(&self, id: Uuid) -> Option<&Arc<str>> {
        self.topic_names.get(&id)
    }

    /// The error that the cluster gave for a topic, retriable or not.
    pub(crate) fn topic_error(&self, name: &str) -> Option<Errors> {
        self.topic_errors.get(name).copied()
    }

    /// How many partitions a topic has, where it is known to exist.
    pub(crate) fn partition_count(&self, topic: &str) -> Option<usize> {
        self.topic(topic).map(|topic| topic.partitions.len())
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<&PartitionMetadata> {
        self.topic(topic)?.partition(partition)
    }

    /// The broker that takes writes for a partition, where there is one.
    pub(crate) fn leader_for(&self, topic: &str, partition: i32) -> Option<&Node> {
        self.node(self.partition(topic, partition)?.leader?)
    }

    /// All nodes, sorted by id.
    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(crate) fn node(&self, id: NodeId) -> Option<&Node> {
        let at = self.nodes.binary_search_by_key(&id, Node::node_id).ok()?;
        self.nodes.get(at)
    }

    /// A topic's partitions as the application sees them.
    pub(crate) fn partition_infos(&self, topic: &str) -> Vec<PartitionInfo> {
        let Some(topic) = self.topic(topic) else {
            return Vec::new();
        };
        let plain = |ids: &[NodeId]| ids.iter().map(|id| id.0).collect();
        (0..)
            .zip(&topic.partitions)
            .map(|(number, partition)| PartitionInfo {
                topic_partition: TopicPartition::new(Arc::clone(&topic.name), number),
                leader: partition.leader.and_then(|id| self.node(id)).cloned(),
                replicas: plain(&partition.replicas),
                in_sync_replicas: plain(&partition.in_sync_replicas),
                offline_replicas: plain(&partition.offline_replicas),
            })
            .collect()
    }
}

/// How a snapshot is put together; used by `Metadata` before it is shared, and by tests.
impl MetadataSnapshot {
    pub(crate) fn set_nodes(&mut self, mut nodes: Vec<Node>) {
        nodes.sort_by_key(Node::node_id);
        nodes.dedup_by_key(|node| node.node_id());
        self.nodes = nodes;
    }

    /// The list of nodes that came with an answer about some topics also holds for the others.
    pub(crate) fn drop_leaders_without_node(&mut self) {
        let is_known = |p: &PartitionMetadata| p.leader.is_none_or(|id| self.node(id).is_some());
        let stale: Vec<_> = self
            .topics()
            .filter(|topic| !topic.partitions.iter().all(is_known))
            .map(|topic| TopicMetadata::clone(topic))
            .collect();
        for mut topic in stale {
            for partition in &mut topic.partitions {
                partition.leader = partition.leader.filter(|id| self.node(*id).is_some());
            }
            topic.refresh_available();
            self.set_topic(topic);
        }
    }

    /// Adds a topic or replaces it.
    pub(crate) fn set_topic(&mut self, topic: impl Into<Arc<TopicMetadata>>) {
        let topic = topic.into();
        self.remove_topic(&topic.name);
        if !topic.id.is_zero() {
            self.topic_names.insert(topic.id, Arc::clone(&topic.name));
        }
        self.topics.insert(Arc::clone(&topic.name), topic);
    }

    /// Notes that the cluster answered a topic with an error.
    pub(crate) fn set_topic_error(&mut self, name: &Arc<str>, error: Errors) {
        self.remove_topic(name);
        self.topic_errors.insert(Arc::clone(name), error);
    }

    /// Forgets a topic and its error.
    pub(crate) fn remove_topic(&mut self, name: &str) {
        self.topic_errors.remove(name);
        if let Some(old) = self.topics.remove(name) {
            self.topic_names.remove(&old.id);
        }
    }

    /// Forgets the topics, and the errors of topics, that are not to be kept.
    pub(crate) fn retain_topics(&mut self, mut keep: impl FnMut(&Arc<str>) -> bool) {
        self.topics.retain(|name, _| keep(name));
        self.topic_errors.retain(|name, _| keep(name));
        let topics = &self.topics;
        self.topic_names.retain(|id, name| {
            let topic = topics.get(name);
            topic.is_some_and(|topic| topic.id == *id)
        });
    }
}

/// A topic and its partitions.
#[derive(Debug, Clone)]
pub(crate) struct TopicMetadata {
    pub(crate) name: Arc<str>,
    /// Kept so that nobody who looks for more about the topic works it out again.
    pub(crate) name_hash: u64,
    /// All zero where the brokers know no topic ids.
    pub(crate) id: Uuid,
    pub(crate) is_internal: bool,
    /// At its own number each.
    pub(crate) partitions: Vec<PartitionMetadata>,
    /// The numbers of the partitions that have a leader, in rising order.
    pub(crate) available: Vec<i32>,
    /// When the application used the topic last; one and the same through all snapshots.
    pub(crate) usage: Arc<TopicUsage>,
}

impl TopicMetadata {
    pub(crate) fn new(
        name: Arc<str>,
        id: Uuid,
        partitions: Vec<PartitionMetadata>,
        usage: Arc<TopicUsage>,
    ) -> Self {
        let mut topic = Self {
            name_hash: hash_of(&name),
            name,
            id,
            is_internal: false,
            partitions,
            available: Vec::new(),
            usage,
        };
        topic.refresh_available();
        topic
    }

    /// To be called after `partitions` was changed.
    pub(crate) fn refresh_available(&mut self) {
        self.available = (0..)
            .zip(&self.partitions)
            .filter_map(|(number, partition)| partition.leader.map(|_| number))
            .collect();
    }

    pub(crate) fn partition(&self, number: i32) -> Option<&PartitionMetadata> {
        self.partitions.get(usize::try_from(number).ok()?)
    }
}

/// Who leads a partition and who keeps copies of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PartitionMetadata {
    /// Nothing while the partition has no leader, or one that is not among the known nodes.
    pub(crate) leader: Option<NodeId>,
    /// Nothing where the brokers are too old to say it reliably.
    pub(crate) leader_epoch: Option<LeaderEpoch>,
    pub(crate) replicas: Vec<NodeId>,
    pub(crate) in_sync_replicas: Vec<NodeId>,
    pub(crate) offline_replicas: Vec<NodeId>,
}

/// When the application used a topic last, which decides how long the topic is asked for.
pub(crate) struct TopicUsage {
    origin: Instant,
    /// Milliseconds since `origin`. A plain value that guards nothing, hence `Relaxed`; seconds of delay are harmless.
    last_used_ms: AtomicU64,
}

impl TopicUsage {
    /// A topic that is used for the first time.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            origin: now,
            last_used_ms: AtomicU64::new(0),
        }
    }

    /// The topic is used now. Cheap enough for every record: it writes about once a second.
    pub(crate) fn touch(&self, now: Instant) {
        let ms = u64::try_from(self.since_origin(now).as_millis()).unwrap_or(u64::MAX);
        if ms >= self.last_used_ms.load(Ordering::Relaxed) + TOUCH_INTERVAL_MS {
            self.last_used_ms.store(ms, Ordering::Relaxed);
        }
    }

    /// How long the topic has not been used; up to a second more than the truth.
    pub(crate) fn idle(&self, now: Instant) -> Duration {
        let last = Duration::from_millis(self.last_used_ms.load(Ordering::Relaxed));
        self.since_origin(now).saturating_sub(last)
    }

    fn since_origin(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.origin)
    }
}

impl fmt::Debug for TopicUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.last_used_ms.load(Ordering::Relaxed))
    }
}

/// A cache line shared by all sending threads is written this rarely.
const TOUCH_INTERVAL_MS: u64 = 1000;
