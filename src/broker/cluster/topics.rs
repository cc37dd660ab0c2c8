//! The topics of the cluster: names, ids, partitions, and which broker leads what.
//!
//! Java: `metadata/image/TopicsImage.java`, `core/server/AutoTopicCreationManager.scala`.
//! Differs: one table that all brokers share; the quorum that agrees on it in Kafka has no counterpart here.
//! Threads: plain data. Locks: none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::broker::cluster::brokers::{Brokers, Timings};
use crate::broker::cluster::partition::Partition;
use crate::broker::log::unified_log::LogConfig;
use crate::common::cluster::{NodeId, Uuid};
use crate::common::time::earlier;
use crate::protocol::errors::Errors;

mod controller;

/// Every topic, and the brokers.
#[derive(Debug)]
pub(crate) struct Topics {
    brokers: Brokers,
    topics: BTreeMap<String, Topic>,
    defaults: TopicDefaults,
    topics_created: u64,
    /// Partitions in which followers may have something to do, by topic and number: at once, or at a time.
    unsettled: BTreeMap<(String, usize), Option<Instant>>,
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
    log: LogConfig,
}

impl Topics {
    pub(crate) fn new(defaults: TopicDefaults) -> Self {
        Self {
            brokers: Brokers::new(Timings::default()),
            topics: BTreeMap::new(),
            defaults,
            topics_created: 0,
            unsettled: BTreeMap::new(),
        }
    }

    pub(crate) fn defaults(&self) -> &TopicDefaults {
        &self.defaults
    }

    pub(crate) fn brokers(&self) -> &Brokers {
        &self.brokers
    }

    pub(crate) fn set_timings(&mut self, timings: Timings) {
        self.brokers.timings = timings;
    }

    /// How long followers take to copy: those on one broker, or on all that have no time of their own.
    pub(crate) fn set_replication_delay(&mut self, broker: Option<NodeId>, delay: Duration) {
        match broker {
            Some(id) => self.brokers.set_replication(id, delay),
            None => self.brokers.timings.replication = delay,
        }
        self.unsettle_all();
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

    /// For a change, after which `replicate` looks at the partition.
    pub(crate) fn partition_mut(&mut self, topic: &str, partition: i32) -> Option<&mut Partition> {
        let partition = usize::try_from(partition).ok()?;
        let found = self.topics.get_mut(topic)?.partitions.get_mut(partition)?;
        self.unsettled.insert((topic.to_owned(), partition), None);
        Some(found)
    }

    /// Lets `replicate` look at every partition.
    fn unsettle_all(&mut self) {
        for (name, topic) in &self.topics {
            let numbers = 0..topic.partitions.len();
            let keys = numbers.map(|number| ((name.clone(), number), None));
            self.unsettled.extend(keys);
        }
    }

    /// Followers copy what is due, and the ISR follows; what cannot be done now is done later.
    pub(crate) fn replicate(&mut self, now: Instant) {
        let due = |at: &Option<Instant>| at.is_none_or(|at| at <= now);
        let keys: Vec<_> = self
            .unsettled
            .iter()
            .filter(|(_, at)| due(at))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            let found = self
                .topics
                .get_mut(&key.0)
                .and_then(|topic| topic.partitions.get_mut(key.1));
            match found.and_then(|partition| partition.replicate(&self.brokers, now)) {
                Some(next) => self.unsettled.insert(key, Some(next)),
                None => self.unsettled.remove(&key),
            };
        }
    }

    /// When `poll` or `replicate` has something to do.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let copies = self.unsettled.values().flatten().min().copied();
        earlier(copies, self.brokers.next_timeout())
    }

    pub(crate) fn partitions_mut(&mut self) -> impl Iterator<Item = &mut Partition> {
        let topics = self.topics.values_mut();
        topics.flat_map(|topic| &mut topic.partitions)
    }

    /// The brokers that the controller counts on, by number.
    pub(crate) fn alive(&self) -> Vec<NodeId> {
        let mut brokers = self.brokers.ids();
        brokers.retain(|id| self.brokers.is_alive(*id));
        brokers
    }

    /// Makes a topic. `-1` partitions or replicas mean the cluster's default.
    pub(crate) fn create(
        &mut self,
        name: &str,
        plan: &TopicPlan,
    ) -> Result<&Topic, (Errors, String)> {
        let (partitions, replication_factor) = self.check_plan(name, plan)?;
        self.topics_created += 1;
        // Round robin, so that leaders are spread evenly; the offset spreads topics of one partition too.
        let assignments = match &plan.assignments {
            assigned if !assigned.is_empty() => assigned.clone(),
            _ => {
                let first = self.topics.len();
                let placed = first..first + partitions;
                placed
                    .map(|first| self.place(first, replication_factor))
                    .collect()
            }
        };
        let log = plan.log.unwrap_or(self.defaults.log);
        let make = |replicas| Partition::new(replicas, log, &self.brokers);
        let made = Topic {
            id: topic_id(self.topics_created),
            partitions: assignments.into_iter().map(make).collect(),
            log,
        };
        self.topics.insert(name.to_owned(), made);
        Ok(&self.topics[name])
    }

    /// The next brokers in turn.
    fn place(&self, first: usize, replicas: usize) -> Vec<NodeId> {
        let brokers = self.brokers.ids();
        (0..replicas)
            .map(|r| brokers[(first + r) % brokers.len()])
            .collect()
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
        if !plan.assignments.is_empty() {
            return self.check_assignments(name, &plan.assignments);
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
        let brokers = self.brokers.ids().len();
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

    /// Every partition must have as many replicas as the first one, each on another broker that exists.
    fn check_assignments(
        &self,
        name: &str,
        assignments: &[Vec<NodeId>],
    ) -> Result<(usize, usize), (Errors, String)> {
        let replicas = assignments.first().map_or(0, Vec::len);
        let wrong = assignments.iter().find(|nodes| {
            let different: BTreeSet<_> = nodes.iter().collect();
            let known = nodes.iter().all(|node| self.brokers.get(*node).is_some());
            !known || different.len() != nodes.len() || nodes.len() != replicas || nodes.is_empty()
        });
        match wrong {
            None => Ok((assignments.len(), replicas)),
            Some(nodes) => {
                let text = format!(
                    "the replicas {nodes:?} of topic {name} are not {replicas} brokers that exist"
                );
                Err((Errors::InvalidReplicaAssignment, text))
            }
        }
    }

    /// Changes what a topic is configured to do; returns whether there is such a topic.
    pub(crate) fn configure(
        &mut self,
        name: &str,
        change: impl Fn(&mut LogConfig),
        now: Instant,
    ) -> bool {
        let Some(topic) = self.topics.get_mut(name) else {
            return false;
        };
        change(&mut topic.log);
        for partition in &mut topic.partitions {
            partition.configure(topic.log, &self.brokers);
        }
        self.brokers.spread_word(now);
        self.unsettle_all();
        self.poll(now);
        true
    }

    /// Adds partitions to a topic up to a new count; returns whether the topic exists and the count grew.
    pub(crate) fn grow(&mut self, name: &str, count: usize) -> bool {
        let Some(topic) = self.topics.get(name) else {
            return false;
        };
        let before = topic.partitions.len();
        let replicas = topic
            .partitions
            .first()
            .map_or(1, |partition| partition.replicas.len());
        let placed: Vec<_> = (before..count)
            .map(|first| self.place(first, replicas))
            .collect();
        if let Some(topic) = self.topics.get_mut(name) {
            for replicas in placed {
                topic
                    .partitions
                    .push(Partition::new(replicas, topic.log, &self.brokers));
            }
        }
        before < count
    }

    /// Deletes a topic with all that it holds; returns whether there was one.
    pub(crate) fn delete(&mut self, name: &str) -> bool {
        self.topics.remove(name).is_some()
    }
}

/// What a topic to be made shall look like.
#[derive(Debug, Clone)]
pub(crate) struct TopicPlan {
    pub(crate) partitions: i32,
    pub(crate) replication_factor: i16,
    pub(crate) log: Option<LogConfig>,
    /// The replicas of each partition; where there are none, the cluster chooses.
    pub(crate) assignments: Vec<Vec<NodeId>>,
}

impl TopicPlan {
    /// The cluster's defaults.
    pub(crate) const DEFAULT: Self = Self {
        partitions: -1,
        replication_factor: -1,
        log: None,
        assignments: Vec::new(),
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
    use crate::common::time::{SystemTime, Time};

    fn now() -> Instant {
        SystemTime.now()
    }

    fn three_brokers() -> Topics {
        let log = LogConfig::default();
        let mut topics = Topics::new(TopicDefaults {
            auto_create: true,
            partitions: 1,
            replication_factor: 3,
            log,
        });
        for id in 1..=3 {
            topics.broker_started(NodeId(id), "127.0.0.1".into(), 9000, now());
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
                .map(|p| p.current().leader.expect("led").0)
                .collect()
        };
        assert_eq!(leaders(&topics), [1, 2, 3]);
        topics.broker_stopped(NodeId(2), now());
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
