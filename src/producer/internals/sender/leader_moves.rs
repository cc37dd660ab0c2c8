//! Holds back partitions whose leader moved while a request to the old leader is pending.
//!
//! Java: none; there a batch can overtake an unresolved one on its way to the new leader (KAFKA-15591 is one result).
//! Differs: does not exist in Java.
//! Threads: the I/O thread. Locks: none.

use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::common::cluster::{NodeId, TopicPartition};
use crate::common::fast_hash::FastSet;
use crate::common::planted::planted;
use crate::producer::internals::sender::in_flight_batches::{InFlightBatches, InFlightRequest};

/// The partitions that are held back.
#[derive(Debug, Default)]
pub(super) struct LeaderMoves {
    held: FastSet<TopicPartition>,
    /// The version of the snapshot that was looked at last.
    seen: Option<u64>,
}

impl LeaderMoves {
    /// The partitions to hold back from now on, because of leaders that this snapshot brings.
    pub(super) fn newly_held(
        &mut self,
        snapshot: &MetadataSnapshot,
        in_flight: &InFlightBatches,
    ) -> Vec<TopicPartition> {
        if self.seen.replace(snapshot.version) == Some(snapshot.version) {
            return Vec::new();
        }
        let moved = |tp: &TopicPartition, node| {
            let leader = leader(snapshot, tp);
            leader.is_some_and(|leader| leader != node)
        };
        let mut held = in_flight.pending_elsewhere(moved);
        if planted!("moved-partition-overtakes") {
            held.clear();
        }
        held.retain(|tp| self.held.insert(tp.clone()));
        held
    }

    pub(super) fn holds_any(&self) -> bool {
        !self.held.is_empty()
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> impl Iterator<Item = &TopicPartition> {
        self.held.iter()
    }

    /// The partitions that need not be held any more, now that this request has ended.
    pub(super) fn released(
        &mut self,
        ended: &InFlightRequest,
        snapshot: &MetadataSnapshot,
        in_flight: &InFlightBatches,
    ) -> Vec<TopicPartition> {
        let free: Vec<_> = ended
            .partitions()
            .filter(|tp| self.held.contains(tp))
            .filter(|tp| !in_flight.is_pending_elsewhere(tp, leader(snapshot, tp)))
            .cloned()
            .collect();
        for tp in &free {
            self.held.remove(tp);
        }
        free
    }
}

fn leader(snapshot: &MetadataSnapshot, tp: &TopicPartition) -> Option<NodeId> {
    snapshot.partition(tp.topic(), tp.partition())?.leader
}
