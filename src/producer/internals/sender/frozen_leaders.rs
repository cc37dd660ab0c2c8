//! Gives up the connection to a leader that is overdue, once somebody else is known to lead what it was sent.
//!
//! Java: none; there the batches wait for `request.timeout.ms`.
//! Differs: does not exist in Java. Being late is no reason by itself, since a broker may be slow; a newer leader epoch
//! elsewhere is. Only where batches have numbers: the new leader then tells what it has already from what it lacks.
//! Threads: the I/O thread. Locks: none.

use std::time::Instant;

use crate::client::kafka_client::KafkaClient;
use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::common::cluster::{LeaderEpoch, NodeId, TopicPartition};
use crate::common::planted::planted;
use crate::producer::internals::sender::Sender;

impl<C: KafkaClient> Sender<C> {
    /// Closes the connections to leaders that are overdue and deposed. The next poll ends their requests, and the batches
    /// go to the new leaders under the numbers that they have.
    pub(super) fn give_up_frozen_leaders(&mut self, snapshot: &MetadataSnapshot, now: Instant) {
        let is_numbered = self.transaction_manager.is_some() || planted!("given-up-unnumbered");
        if !is_numbered || !self.client.has_suspects() {
            return;
        }
        let client = &self.client;
        let superseded = self.in_flight.superseded(
            |node| client.is_suspect(node),
            |tp| newest_leader(snapshot, tp),
        );
        for (node, tp, leader) in superseded {
            let reason =
                format!("node {node} is overdue, and node {leader} has become the leader of {tp}");
            log::warn!("giving up a connection: {reason}");
            self.client.disconnect(node, &reason, now);
        }
    }
}

fn newest_leader(
    snapshot: &MetadataSnapshot,
    tp: &TopicPartition,
) -> Option<(NodeId, LeaderEpoch)> {
    let partition = snapshot.partition(tp.topic(), tp.partition())?;
    Some((partition.leader?, partition.leader_epoch?))
}
