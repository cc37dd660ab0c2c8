//! One partition: its replicas, who leads them, and who is in sync.
//!
//! Java: `core/cluster/Partition.scala`, `metadata/PartitionRegistration.java`.
//! Differs: one object holds what the controller decided, what each broker has heard of it, and every replica.
//! Threads: plain data. Locks: none.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::broker::cluster::brokers::Brokers;
use crate::broker::cluster::replica::{Replica, Role};
use crate::broker::log::unified_log::{Appended, IncomingBatch, LogConfig};
use crate::common::cluster::{LeaderEpoch, NodeId};
use crate::protocol::errors::Errors;

mod replication;

/// The state of one partition.
#[derive(Debug)]
pub(crate) struct Partition {
    /// What the controller decided last.
    current: Leadership,
    /// What brokers believe that have not heard of it yet.
    outdated: BTreeMap<NodeId, Leadership>,
    /// Where the replicas are; the preferred leader first.
    pub(crate) replicas: Vec<NodeId>,
    copies: BTreeMap<NodeId, Replica>,
    config: LogConfig,
}

/// Who leads, and who is in sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leadership {
    pub(crate) leader: Option<NodeId>,
    pub(crate) epoch: LeaderEpoch,
    /// Never empty: the last one stays even when its broker is gone, because it has everything.
    pub(crate) isr: Vec<NodeId>,
}

impl Partition {
    pub(crate) fn new(replicas: Vec<NodeId>, config: LogConfig, brokers: &Brokers) -> Self {
        let alive = |id: &NodeId| brokers.is_alive(*id);
        let mut isr: Vec<NodeId> = replicas.iter().copied().filter(alive).collect();
        let leader = isr.first().copied();
        if isr.is_empty() {
            isr.extend(replicas.first());
        }
        let copies = replicas
            .iter()
            .map(|id| (*id, Replica::new(config)))
            .collect();
        let mut partition = Self {
            current: Leadership {
                leader,
                epoch: LeaderEpoch(0),
                isr,
            },
            outdated: BTreeMap::new(),
            replicas,
            copies,
            config,
        };
        // A new topic is known everywhere at once.
        for id in brokers.ids() {
            if brokers.is_running(id) {
                partition.assume_role(id);
            }
        }
        partition
    }

    /// What the controller decided last.
    pub(crate) fn current(&self) -> &Leadership {
        &self.current
    }

    /// What a broker believes.
    pub(crate) fn as_seen_by(&self, broker: NodeId) -> &Leadership {
        self.outdated.get(&broker).unwrap_or(&self.current)
    }

    /// The replica of a broker that believes to lead, rightly or not.
    pub(crate) fn led_by(&self, broker: NodeId) -> Option<&Replica> {
        let believed = self.as_seen_by(broker).leader;
        self.copies
            .get(&broker)
            .filter(|replica| believed == Some(broker) && replica.leading().is_some())
    }

    /// The replica of the leader that the controller chose.
    pub(crate) fn leader_replica(&self) -> Option<&Replica> {
        self.copies.get(&self.current.leader?)
    }

    fn leader_replica_mut(&mut self) -> Option<&mut Replica> {
        self.copies.get_mut(&self.current.leader?)
    }

    pub(crate) fn replica(&self, broker: NodeId) -> Option<&Replica> {
        self.copies.get(&broker)
    }

    pub(crate) fn replica_mut(&mut self, broker: NodeId) -> Option<&mut Replica> {
        self.copies.get_mut(&broker)
    }

    /// Every replica, by broker.
    pub(crate) fn copies_mut(&mut self) -> impl Iterator<Item = &mut Replica> {
        self.copies.values_mut()
    }

    /// `min.insync.replicas`, but no more than there are replicas.
    pub(crate) fn min_isr(&self) -> usize {
        self.config.min_insync_replicas.min(self.replicas.len())
    }

    /// Takes over what the topic is configured to do; where unclean election is allowed now, somebody may lead now.
    pub(crate) fn configure(&mut self, config: LogConfig, brokers: &Brokers) {
        self.config = config;
        for replica in self.copies.values_mut() {
            replica.log.configure(config);
        }
        self.elect(brokers);
    }

    /// Deletes what lies before an offset and below the high watermark. Returns where the leader's log begins now.
    pub(crate) fn delete_records(&mut self, before: i64) -> Option<i64> {
        let replica = self.leader_replica_mut()?;
        let to = before.min(replica.high_watermark());
        replica.raise_start_offset(to);
        Some(replica.log.start_offset())
    }

    /// Whether a leader may say that a batch is in enough replicas.
    pub(crate) fn has_enough_replicas(&self, leader: NodeId) -> bool {
        self.as_seen_by(leader).isr.len() >= self.min_isr()
    }

    /// Whether a reader and the leader that it asks think of the same epoch; -1 is a reader that does not say.
    pub(crate) fn check_epoch(&self, leader: NodeId, wanted: i32) -> Option<Errors> {
        let wanted = LeaderEpoch::from_wire(wanted)?;
        match wanted.cmp(&self.as_seen_by(leader).epoch) {
            Ordering::Less => Some(Errors::FencedLeaderEpoch),
            Ordering::Equal => None,
            Ordering::Greater => Some(Errors::UnknownLeaderEpoch),
        }
    }

    /// Appends a batch as the leader; nothing happens where the broker does not believe to lead.
    pub(crate) fn append(
        &mut self,
        broker: NodeId,
        batch: IncomingBatch,
        wall_clock_ms: i64,
    ) -> Option<Appended> {
        let Leadership { leader, epoch, .. } = *self.as_seen_by(broker);
        let appended = self
            .copies
            .get_mut(&broker)
            .filter(|replica| leader == Some(broker) && replica.leading().is_some())?
            .append(batch, epoch, wall_clock_ms);
        self.maybe_raise_high_watermark(broker);
        Some(appended)
    }

    /// The first replica in sync and alive leads; where unclean election is allowed, any other that is alive.
    pub(crate) fn elect(&mut self, brokers: &Brokers) {
        let led = self.current.leader.is_some_and(|id| brokers.is_alive(id));
        if led {
            return;
        }
        let mut alive = self.replicas.iter().filter(|id| brokers.is_alive(**id));
        let in_sync = alive.clone().find(|id| self.current.isr.contains(id));
        let unclean = alive.next().filter(|_| self.config.unclean_leader_election);
        match (in_sync.copied(), unclean.copied()) {
            (Some(leader), _) => self.lead(Some(leader), brokers),
            (None, Some(leader)) => {
                // What only the others had is lost.
                self.decide(
                    Leadership {
                        leader: Some(leader),
                        epoch: self.next_epoch(),
                        isr: vec![leader],
                    },
                    brokers,
                );
            }
            (None, None) => self.lead(None, brokers),
        }
    }

    /// Makes `leader` lead from now on, under the next epoch; nothing happens where it leads already.
    pub(crate) fn lead(&mut self, leader: Option<NodeId>, brokers: &Brokers) {
        if self.current.leader != leader {
            let epoch = self.next_epoch();
            let isr = self.current.isr.clone();
            self.decide(Leadership { leader, epoch, isr }, brokers);
        }
    }

    /// The controller has given up on a broker: it leaves the ISR, and another leads what it led.
    pub(crate) fn fence(&mut self, broker: NodeId, brokers: &Brokers) {
        self.leave_isr(broker, brokers);
        if self.current.leader == Some(broker) {
            self.elect(brokers);
        }
    }

    /// A replica leaves the ISR, unless it is the last one in it.
    pub(crate) fn leave_isr(&mut self, broker: NodeId, brokers: &Brokers) {
        if self.current.isr.contains(&broker) && self.current.isr.len() > 1 {
            let isr = without(&self.current.isr, broker);
            self.decide(
                Leadership {
                    isr,
                    ..self.current.clone()
                },
                brokers,
            );
        }
    }

    /// A broker has heard all that was decided.
    pub(crate) fn hear(&mut self, broker: NodeId) {
        self.outdated.remove(&broker);
        self.assume_role(broker);
    }

    /// A broker's process has ended, and with it all that was only in its memory.
    pub(crate) fn went_down(&mut self, broker: NodeId, lost_batches: usize) {
        self.outdated.remove(&broker);
        if let Some(replica) = self.copies.get_mut(&broker) {
            replica.role = Role::Offline;
            replica.lose_batches(lost_batches);
        }
    }

    fn next_epoch(&self) -> LeaderEpoch {
        LeaderEpoch(self.current.epoch.0.saturating_add(1))
    }

    /// Records a decision of the controller. Brokers that hear at once act on it, the others keep what they knew.
    fn decide(&mut self, decision: Leadership, brokers: &Brokers) {
        let before = std::mem::replace(&mut self.current, decision);
        let behind: Vec<NodeId> = brokers.hard_of_hearing().collect();
        for id in &behind {
            self.outdated.entry(*id).or_insert_with(|| before.clone());
        }
        for id in self.replicas.clone() {
            if brokers.is_running(id) && !behind.contains(&id) {
                self.assume_role(id);
            }
        }
    }

    /// A broker begins to lead or to follow, as it has heard.
    fn assume_role(&mut self, broker: NodeId) {
        let Leadership { leader, epoch, .. } = *self.as_seen_by(broker);
        let Some(replica) = self.copies.get_mut(&broker) else {
            return;
        };
        if leader == Some(broker) {
            if replica
                .leading()
                .is_none_or(|leading| leading.epoch != epoch)
            {
                let others = self.replicas.iter().copied().filter(|id| *id != broker);
                replica.lead(epoch, others);
            }
            self.maybe_raise_high_watermark(broker);
        } else if replica.following().is_none_or(|f| f.epoch != epoch) {
            replica.follow(epoch);
        }
    }

    /// The high watermark is what all in sync have; it waits while they are too few (KIP-966).
    fn maybe_raise_high_watermark(&mut self, leader: NodeId) {
        if !self.has_enough_replicas(leader) && !self.config.high_watermark_below_min_isr {
            return;
        }
        let isr = &self.outdated.get(&leader).unwrap_or(&self.current).isr;
        let Some(replica) = self.copies.get_mut(&leader) else {
            return;
        };
        let Role::Leader(leading) = &replica.role else {
            return;
        };
        let theirs = leading
            .followers
            .iter()
            .filter(|(id, _)| isr.contains(id))
            .map(|(_, progress)| progress.end_offset)
            .min();
        let own = replica.log.end_offset();
        replica.raise_high_watermark(theirs.map_or(own, |theirs| theirs.min(own)));
    }
}

fn without(nodes: &[NodeId], node: NodeId) -> Vec<NodeId> {
    nodes.iter().copied().filter(|id| *id != node).collect()
}

#[cfg(test)]
mod tests;
