//! One partition: who leads it, and its log.
//!
//! Java: `core/cluster/Partition.scala`.
//! Differs: every replica shares one log until replication exists, so a new leader has all that the old one had.
//! Threads: plain data. Locks: none.

use crate::broker::log::producer_state::ProducerStateManager;
use crate::broker::log::unified_log::{Appended, IncomingBatch, LogConfig, UnifiedLog};
use crate::common::cluster::{LeaderEpoch, NodeId};

/// The state of one partition.
#[derive(Debug)]
pub(crate) struct Partition {
    pub(crate) leader: Option<NodeId>,
    pub(crate) leader_epoch: LeaderEpoch,
    /// The preferred leader first.
    pub(crate) replicas: Vec<NodeId>,
    pub(crate) log: UnifiedLog,
    pub(crate) producers: ProducerStateManager,
}

impl Partition {
    pub(crate) fn new(replicas: Vec<NodeId>, config: LogConfig) -> Self {
        Self {
            leader: replicas.first().copied(),
            leader_epoch: LeaderEpoch(0),
            replicas,
            log: UnifiedLog::new(config),
            producers: ProducerStateManager::default(),
        }
    }

    /// Appends a batch as the leader.
    pub(crate) fn append(&mut self, batch: IncomingBatch, wall_clock_ms: i64) -> Appended {
        let appended = self.log.append(batch, self.leader_epoch, wall_clock_ms);
        if let Some(stored) = self.log.last_batch() {
            self.producers.observe_batch(
                stored.header(),
                stored.marker(),
                stored.log_append_time(),
            );
        }
        appended
    }

    /// Before this offset every transaction is decided.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        self.producers
            .transactions()
            .last_stable_offset(self.log.end_offset())
    }

    /// Makes `leader` lead from now on, under the next epoch; nothing happens where it leads already.
    pub(crate) fn lead(&mut self, leader: Option<NodeId>) {
        if self.leader != leader {
            self.leader = leader;
            self.leader_epoch = LeaderEpoch(self.leader_epoch.0.saturating_add(1));
        }
    }

    /// Chooses the first replica that is alive where the leader is not.
    pub(crate) fn elect(&mut self, is_alive: impl Fn(NodeId) -> bool) {
        if !self.leader.is_some_and(&is_alive) {
            let alive = self
                .replicas
                .iter()
                .copied()
                .find(|replica| is_alive(*replica));
            self.lead(alive);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_leader_is_replaced_by_the_first_replica_alive_under_a_new_epoch() {
        let mut partition =
            Partition::new(vec![NodeId(1), NodeId(2), NodeId(3)], LogConfig::default());
        partition.elect(|node| node != NodeId(1));
        assert_eq!(partition.leader, Some(NodeId(2)));
        assert_eq!(partition.leader_epoch, LeaderEpoch(1));
        partition.elect(|_| true);
        assert_eq!(partition.leader, Some(NodeId(2)), "a live leader stays");
        partition.elect(|_| false);
        assert_eq!(partition.leader, None);
    }
}
