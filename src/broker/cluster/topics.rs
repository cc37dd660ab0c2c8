//! The topics of the cluster: names, ids, partitions, and which broker leads what.
//!
//! Java: `metadata/image/TopicsImage.java`, `core/server/AutoTopicCreationManager.scala`.
//! Differs: one table that all brokers share; the quorum that agrees on it in Kafka has no counterpart here.
//! Threads: plain data. Locks: none.

use std::collections::{BTreeMap, BTreeSet};

use crate::broker::cluster::partition::Partition;
use crate::broker::log::unified_log::LogConfig;
use crate::common::cluster::{NodeId, Uuid};
use crate::protocol::errors::Errors;

/// Every topic, and which brokers are alive.
#[derive(Debug)]
pub(crate) struct Topics {
    brokers: BTreeMap<NodeId, BrokerState>,
    topics: BTreeMap<String, Topic>,
    defaults: TopicDefaults,
    topics_created: u64,
}

/// Where a broker listens, and whether it runs.
#[derive(Debug, Clone)]
pub(crate) struct BrokerState {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) alive: bool,
}

/// What a topic gets that says nothing itself.
#[derive(Debug, Clone)]
pub(crate) struct TopicDefaults {
    pub(crate) auto_create: bool,
    pub(crate) partitions: i32,
    pub(crate) replication_factor: i16,
    pub(crate) log: LogConfig,
}

/// One topic.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    pub(crate) partitions: Vec<Partition>,
}

impl Topics {
    pub(crate) fn new(defaults: TopicDefaults) -> Self {
        Self {
            brokers: BTreeMap::new(),
            topics: BTreeMap::new(),
            defaults,
            topics_created: 0,
        }
    }

    pub(crate) fn defaults(&self) -> &TopicDefaults {
        &self.defaults
    }

    pub(crate) fn brokers(&self) -> &BTreeMap<NodeId, BrokerState> {
        &self.brokers
    }

    /// The broker runs from now on, and leads again where nobody else can.
    pub(crate) fn broker_started(&mut self, id: NodeId, host: String, port: u16) {
        self.brokers.insert(
            id,
            BrokerState {
                host,
                port,
                alive: true,
            },
        );
        self.elect_leaders();
    }

    /// The broker is gone; other replicas lead what it led.
    pub(crate) fn broker_stopped(&mut self, id: NodeId) {
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.alive = false;
        }
        self.elect_leaders();
    }

    pub(crate) fn is_alive(&self, id: NodeId) -> bool {
        self.brokers.get(&id).is_some_and(|broker| broker.alive)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &Topic)> {
        self.topics.iter()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Topic> {
        self.topics.get(name)
    }

    pub(crate) fn name_of(&self, id: Uuid) -> Option<&str> {
        self.topics
            .iter()
            .find(|(_, topic)| topic.id == id)
            .map(|(name, _)| name.as_str())
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Option<&Partition> {
        let partition = usize::try_from(partition).ok()?;
        self.topics.get(topic)?.partitions.get(partition)
    }

    pub(crate) fn partition_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        let partition = usize::try_from(partition).ok()?;
        self.topics.get_mut(topic)?.partitions.get_mut(partition)
    }

    pub(crate) fn partitions_mut(&mut self) -> impl Iterator<Item = &mut Partition> {
        let topics = self.topics.values_mut();
        topics.flat_map(|topic| &mut topic.partitions)
    }

    /// The brokers that run, by number.
    pub(crate) fn alive(&self) -> Vec<NodeId> {
        let brokers = self.brokers.iter();
        brokers
            .filter(|(_, broker)| broker.alive)
            .map(|(id, _)| *id)
            .collect()
    }

    /// Makes a topic. `-1` partitions or replicas mean the cluster's default.
    pub(crate) fn create(
        &mut self,
        name: &str,
        plan: &TopicPlan,
    ) -> Result<&Topic, (Errors, String)> {
        let (partitions, replication_factor) = self.check_plan(name, plan)?;
        self.topics_created += 1;
        let id = topic_id(self.topics_created);
        let brokers: Vec<NodeId> = self.brokers.keys().copied().collect();
        let replicas = |partition: usize| -> Vec<NodeId> {
            // Round robin, so that leaders are spread evenly; the offset spreads topics of one partition too.
            let first = partition + self.topics.len();
            (0..replication_factor)
                .map(|r| brokers[(first + r) % brokers.len()])
                .collect()
        };
        let mut made = Topic {
            id,
            partitions: Vec::new(),
        };
        for partition in 0..partitions {
            made.partitions.push(Partition::new(
                replicas(partition),
                plan.log.unwrap_or(self.defaults.log),
            ));
        }
        self.topics.insert(name.to_owned(), made);
        self.elect_leaders();
        Ok(&self.topics[name])
    }

    pub(crate) fn check_plan(
        &self,
        name: &str,
        plan: &TopicPlan,
    ) -> Result<(usize, usize), (Errors, String)> {
        if !is_legal_topic_name(name) {
            return Err((
                Errors::InvalidTopicException,
                format!("the topic name {name:?} is not legal"),
            ));
        }
        if self.topics.contains_key(name) {
            return Err((
                Errors::TopicAlreadyExists,
                format!("topic {name} exists already"),
            ));
        }
        let wanted = if plan.partitions == -1 {
            self.defaults.partitions
        } else {
            plan.partitions
        };
        let partitions = usize::try_from(wanted)
            .ok()
            .filter(|n| (1..=MOST_PARTITIONS).contains(n));
        let Some(partitions) = partitions else {
            let text =
                format!("{wanted} partitions for topic {name}: must be 1 to {MOST_PARTITIONS}");
            return Err((Errors::InvalidPartitions, text));
        };
        let wanted = if plan.replication_factor == -1 {
            self.defaults.replication_factor
        } else {
            plan.replication_factor
        };
        let brokers = self.brokers.len();
        let replicas = usize::try_from(wanted)
            .ok()
            .filter(|n| (1..=brokers).contains(n));
        let Some(replicas) = replicas else {
            let text = format!(
                "replication factor {wanted} for topic {name}: there are {brokers} brokers"
            );
            return Err((Errors::InvalidReplicationFactor, text));
        };
        Ok((partitions, replicas))
    }

    /// Adds partitions to a topic up to a new count; returns whether the topic exists and the count grew.
    pub(crate) fn grow(&mut self, name: &str, count: usize) -> bool {
        let brokers: Vec<NodeId> = self.brokers.keys().copied().collect();
        let log = self.defaults.log;
        let Some(topic) = self
            .topics
            .get_mut(name)
            .filter(|topic| topic.partitions.len() < count)
        else {
            return false;
        };
        let replicas = topic
            .partitions
            .first()
            .map_or(1, |partition| partition.replicas.len());
        for partition in topic.partitions.len()..count {
            let nodes = (0..replicas)
                .map(|r| brokers[(partition + r) % brokers.len()])
                .collect();
            topic.partitions.push(Partition::new(nodes, log));
        }
        self.elect_leaders();
        true
    }

    /// Deletes a topic with all that it holds; returns whether there was one.
    pub(crate) fn delete(&mut self, name: &str) -> bool {
        self.topics.remove(name).is_some()
    }

    fn elect_leaders(&mut self) {
        let alive: BTreeSet<NodeId> = self
            .brokers
            .iter()
            .filter(|(_, b)| b.alive)
            .map(|(id, _)| *id)
            .collect();
        for topic in self.topics.values_mut() {
            for partition in &mut topic.partitions {
                partition.elect(|node| alive.contains(&node));
            }
        }
    }
}

/// What a topic to be made shall look like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TopicPlan {
    pub(crate) partitions: i32,
    pub(crate) replication_factor: i16,
    pub(crate) log: Option<LogConfig>,
}

impl TopicPlan {
    /// The cluster's defaults.
    pub(crate) const DEFAULT: Self = Self {
        partitions: -1,
        replication_factor: -1,
        log: None,
    };
}

/// Java: `Topic.validate`.
fn is_legal_topic_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=249).contains(&name.len()) && name != "." && name != ".." && name.chars().all(legal)
}

/// Ids count up, so that two runs of a test see the same ones; the version bits make them look like random ones.
fn topic_id(n: u64) -> Uuid {
    let mut id = [0x40; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    Uuid(id)
}

/// More would be a mistake in an in-memory cluster, not a plan.
const MOST_PARTITIONS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn three_brokers() -> Topics {
        let log = LogConfig::default();
        let mut topics = Topics::new(TopicDefaults {
            auto_create: true,
            partitions: 1,
            replication_factor: 3,
            log,
        });
        for id in 1..=3 {
            topics.broker_started(NodeId(id), "127.0.0.1".into(), 9000);
        }
        topics
    }

    #[test]
    fn leaders_are_spread_and_move_when_their_broker_stops() {
        let mut topics = three_brokers();
        let plan = TopicPlan {
            partitions: 3,
            ..TopicPlan::DEFAULT
        };
        topics.create("orders", &plan).expect("a legal plan");
        let leaders = |topics: &Topics| -> Vec<_> {
            topics
                .get("orders")
                .expect("made")
                .partitions
                .iter()
                .map(|p| p.leader.expect("led").0)
                .collect()
        };
        assert_eq!(leaders(&topics), [1, 2, 3]);
        topics.broker_stopped(NodeId(2));
        assert_eq!(leaders(&topics), [1, 3, 3]);
    }

    #[test]
    fn a_bad_plan_is_refused_by_name() {
        let mut topics = three_brokers();
        let error = |topics: &mut Topics, name: &str, plan: TopicPlan| {
            topics.create(name, &plan).expect_err("bad").0
        };
        assert_eq!(
            error(&mut topics, "a b", TopicPlan::DEFAULT),
            Errors::InvalidTopicException
        );
        let none = TopicPlan {
            partitions: 0,
            ..TopicPlan::DEFAULT
        };
        assert_eq!(error(&mut topics, "t", none), Errors::InvalidPartitions);
        let four = TopicPlan {
            replication_factor: 4,
            ..TopicPlan::DEFAULT
        };
        assert_eq!(
            error(&mut topics, "t", four),
            Errors::InvalidReplicationFactor
        );
        topics
            .create("t", &TopicPlan::DEFAULT)
            .expect("a legal plan");
        assert_eq!(
            error(&mut topics, "t", TopicPlan::DEFAULT),
            Errors::TopicAlreadyExists
        );
    }

    #[test]
    fn a_topic_made_again_has_another_id() {
        let mut topics = three_brokers();
        let first = topics
            .create("t", &TopicPlan::DEFAULT)
            .expect("a legal plan")
            .id;
        assert!(topics.delete("t"));
        let second = topics
            .create("t", &TopicPlan::DEFAULT)
            .expect("a legal plan")
            .id;
        assert_ne!(first, second);
        assert_eq!(topics.name_of(second), Some("t"));
        assert_eq!(topics.name_of(first), None);
    }
}
