//! The brokers: which of them run, who can reach whom, and what the controller thinks of each.
//!
//! Java: `controller/ClusterControlManager.java`, `controller/BrokerHeartbeatManager.java`.
//! Differs: the controller is no broker and never fails; it is reached by the largest group of brokers that can reach
//! one another, as the majority of a quorum would be.
//! Threads: plain data. Locks: none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::common::cluster::NodeId;

/// Every broker that was ever started.
#[derive(Debug)]
pub(crate) struct Brokers {
    brokers: BTreeMap<NodeId, BrokerState>,
    /// Pairs, the lower id first, between which nothing passes.
    cuts: BTreeSet<(NodeId, NodeId)>,
    pub(crate) timings: Timings,
}

/// One broker.
#[derive(Debug)]
pub(crate) struct BrokerState {
    pub(crate) host: String,
    pub(crate) port: u16,
    life: Life,
    contact: Contact,
    /// The controller has given up on it: it leads nothing and is in no ISR.
    fenced: bool,
    /// The brokers that were alive when this one stopped hearing news; nothing where it is up to date.
    last_seen: Option<BTreeSet<NodeId>>,
    /// How long its followers take to copy, where that differs from the others'.
    replication: Option<Duration>,
}

/// What a broker's process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Running,
    /// As after SIGSTOP: its connections stay open, and it does nothing.
    Frozen,
    Down,
}

/// Whether the controller and a broker hear each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contact {
    /// Up to date.
    Current,
    /// News is on its way.
    HearsAt(Instant),
    /// Nothing passes.
    SilentSince(Instant),
}

/// How long things take that take time in a real cluster.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timings {
    /// From an append to its copy at the followers.
    pub(crate) replication: Duration,
    /// `replica.lag.time.max.ms`: how long a follower may lack something and stay in the ISR.
    pub(crate) replica_lag_max: Duration,
    /// `broker.session.timeout.ms`: how long a broker may be frozen or cut off before others lead what it led.
    pub(crate) session_timeout: Duration,
    /// How long until a killed broker is missed.
    pub(crate) crash_notice: Duration,
    /// From a decision of the controller to its arrival at the brokers.
    pub(crate) metadata: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        Self {
            replication: Duration::ZERO,
            replica_lag_max: Duration::from_secs(1),
            session_timeout: Duration::from_secs(1),
            crash_notice: Duration::ZERO,
            metadata: Duration::ZERO,
        }
    }
}

impl Brokers {
    pub(crate) fn new(timings: Timings) -> Self {
        Self {
            brokers: BTreeMap::new(),
            cuts: BTreeSet::new(),
            timings,
        }
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&BrokerState> {
        self.brokers.get(&id)
    }

    pub(crate) fn ids(&self) -> Vec<NodeId> {
        self.brokers.keys().copied().collect()
    }

    /// Whether the controller counts on the broker.
    pub(crate) fn is_alive(&self, id: NodeId) -> bool {
        self.get(id).is_some_and(|broker| !broker.fenced)
    }

    /// Whether the process does anything.
    pub(crate) fn is_running(&self, id: NodeId) -> bool {
        self.life(id) == Life::Running
    }

    pub(crate) fn life(&self, id: NodeId) -> Life {
        self.get(id).map_or(Life::Down, |broker| broker.life)
    }

    /// The brokers that are alive as one of them sees it.
    pub(crate) fn alive_as_seen_by(
        &self,
        seer: NodeId,
    ) -> impl Iterator<Item = (NodeId, &BrokerState)> {
        let last_seen = self.get(seer).and_then(|broker| broker.last_seen.as_ref());
        self.brokers
            .iter()
            .filter(move |(id, broker)| last_seen.map_or(!broker.fenced, |seen| seen.contains(id)))
            .map(|(id, broker)| (*id, broker))
    }

    /// Whether bytes pass between two brokers that both run.
    pub(crate) fn are_linked(&self, a: NodeId, b: NodeId) -> bool {
        self.is_running(a) && self.is_running(b) && !self.cuts.contains(&pair(a, b))
    }

    /// Whether the controller hears the broker, and the broker knows all that the controller decided.
    pub(crate) fn is_current(&self, id: NodeId) -> bool {
        self.get(id).is_some_and(|broker| {
            broker.life == Life::Running && broker.contact == Contact::Current
        })
    }

    /// Brokers that will not hear of a decision at the moment it is made.
    pub(crate) fn hard_of_hearing(&self) -> impl Iterator<Item = NodeId> {
        let at_once = self.timings.metadata.is_zero();
        self.brokers
            .iter()
            .filter(move |(_, broker)| {
                broker.life != Life::Down && !(at_once && broker.contact == Contact::Current)
            })
            .map(|(id, _)| *id)
    }

    /// How long a follower on this broker takes to copy.
    pub(crate) fn replication(&self, id: NodeId) -> Duration {
        self.get(id)
            .and_then(|broker| broker.replication)
            .unwrap_or(self.timings.replication)
    }

    pub(crate) fn set_replication(&mut self, id: NodeId, takes: Duration) {
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.replication = Some(takes);
        }
    }

    /// A process has started; the controller takes it in when it is heard.
    pub(crate) fn started(&mut self, id: NodeId, host: String, port: u16, now: Instant) {
        let replication = self.get(id).and_then(|broker| broker.replication);
        let state = BrokerState {
            host,
            port,
            life: Life::Running,
            contact: Contact::SilentSince(now),
            fenced: true,
            last_seen: None,
            replication,
        };
        self.brokers.insert(id, state);
        self.update_contact(now);
    }

    /// Returns whether anything changed.
    pub(crate) fn set_life(&mut self, id: NodeId, life: Life, now: Instant) -> bool {
        let Some(broker) = self.brokers.get_mut(&id).filter(|b| b.life != life) else {
            return false;
        };
        broker.life = life;
        self.update_contact(now);
        true
    }

    /// From now on nothing passes between the two sets.
    pub(crate) fn cut(&mut self, left: &[NodeId], right: &[NodeId], now: Instant) {
        for a in left {
            self.cuts
                .extend(right.iter().filter(|b| *b != a).map(|b| pair(*a, *b)));
        }
        self.update_contact(now);
    }

    /// Everything passes again.
    pub(crate) fn heal(&mut self, now: Instant) {
        self.cuts.clear();
        self.update_contact(now);
    }

    /// The controller has decided something: word of it is on its way.
    pub(crate) fn spread_word(&mut self, now: Instant) {
        if self.timings.metadata.is_zero() {
            return;
        }
        let arrives = now + self.timings.metadata;
        for broker in self.brokers.values_mut() {
            if broker.life == Life::Running && broker.contact == Contact::Current {
                broker.contact = Contact::HearsAt(arrives);
            }
        }
    }

    /// Fences a broker or takes it in again; brokers that do not hear of it keep what they knew.
    pub(crate) fn set_fenced(&mut self, id: NodeId, fenced: bool) {
        let alive: BTreeSet<NodeId> = self
            .brokers
            .iter()
            .filter(|(_, broker)| !broker.fenced)
            .map(|(id, _)| *id)
            .collect();
        let behind: Vec<NodeId> = self.hard_of_hearing().collect();
        for deaf in behind {
            if let Some(broker) = self.brokers.get_mut(&deaf) {
                broker.last_seen.get_or_insert_with(|| alive.clone());
            }
        }
        if let Some(broker) = self.brokers.get_mut(&id) {
            broker.fenced = fenced;
        }
    }

    /// A broker that the controller has missed for too long.
    pub(crate) fn next_to_fence(&self, now: Instant) -> Option<NodeId> {
        let missed = |broker: &BrokerState| self.given_up_at(broker).is_some_and(|due| due <= now);
        self.brokers
            .iter()
            .find(|(_, broker)| missed(broker))
            .map(|(id, _)| *id)
    }

    /// A broker that news has reached; it is up to date from now on.
    pub(crate) fn next_to_hear(&mut self, now: Instant) -> Option<NodeId> {
        let reached =
            |broker: &BrokerState| matches!(broker.contact, Contact::HearsAt(due) if due <= now);
        let (id, broker) = self
            .brokers
            .iter_mut()
            .find(|(_, broker)| broker.life == Life::Running && reached(broker))?;
        broker.contact = Contact::Current;
        broker.last_seen = None;
        Some(*id)
    }

    /// When a broker is to be fenced, or hears news.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.brokers
            .values()
            .filter_map(|broker| match broker.contact {
                Contact::HearsAt(due) => Some(due),
                _ => self.given_up_at(broker),
            })
            .min()
    }

    fn given_up_at(&self, broker: &BrokerState) -> Option<Instant> {
        let patience = match broker.life {
            Life::Down => self.timings.crash_notice,
            _ => self.timings.session_timeout,
        };
        match broker.contact {
            Contact::SilentSince(since) if !broker.fenced => Some(since + patience),
            _ => None,
        }
    }

    /// Works out anew who reaches the controller.
    fn update_contact(&mut self, now: Instant) {
        let with_controller = self.largest_group();
        let arrives = now + self.timings.metadata;
        for (id, broker) in &mut self.brokers {
            let silent = matches!(broker.contact, Contact::SilentSince(_));
            match (with_controller.contains(id), silent) {
                (true, true) => broker.contact = Contact::HearsAt(arrives),
                (false, false) => broker.contact = Contact::SilentSince(now),
                _ => {}
            }
        }
    }

    /// The largest set of running brokers that reach one another, directly or not; of equal ones that with the lowest id.
    fn largest_group(&self) -> BTreeSet<NodeId> {
        let mut left: BTreeSet<NodeId> = self
            .brokers
            .keys()
            .copied()
            .filter(|id| self.is_running(*id))
            .collect();
        let mut largest = BTreeSet::new();
        while let Some(first) = left.pop_first() {
            let mut group = BTreeSet::from([first]);
            let mut to_visit = vec![first];
            while let Some(here) = to_visit.pop() {
                let linked = |id: &NodeId| self.are_linked(here, *id);
                let reached: Vec<NodeId> = left.iter().copied().filter(linked).collect();
                for id in reached {
                    left.remove(&id);
                    group.insert(id);
                    to_visit.push(id);
                }
            }
            if group.len() > largest.len() {
                largest = group;
            }
        }
        largest
    }
}

fn pair(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::time::{SystemTime, Time};

    fn brokers(count: i32) -> (Brokers, Instant) {
        let now = SystemTime.now();
        let mut brokers = Brokers::new(Timings::default());
        for id in 1..=count {
            brokers.started(NodeId(id), "127.0.0.1".to_owned(), 9000, now);
        }
        (brokers, now)
    }

    fn group(brokers: &Brokers) -> Vec<i32> {
        brokers.largest_group().iter().map(|id| id.0).collect()
    }

    #[test]
    fn the_controller_stays_with_the_larger_side_of_a_cut() {
        let (mut brokers, now) = brokers(3);
        brokers.cut(&[NodeId(1)], &[NodeId(2)], now);
        assert_eq!(group(&brokers), [1, 2, 3], "3 passes word between 1 and 2");
        brokers.cut(&[NodeId(1)], &[NodeId(3)], now);
        assert_eq!(group(&brokers), [2, 3]);
        brokers.set_life(NodeId(3), Life::Frozen, now);
        assert_eq!(
            group(&brokers),
            [1],
            "of equal sides the one with the lowest id"
        );
        brokers.heal(now);
        assert_eq!(group(&brokers), [1, 2]);
    }
}
