//! What follows when a node is overdue: others are asked who leads what, and what anybody can answer is asked elsewhere.
//!
//! Java: none; see `suspicion`.
//! Differs: does not exist in Java.
//! Threads: the I/O thread. Locks: the metadata's leaf.

use std::time::Instant;

use crate::client::client_request::{Outcome, RequestFailure};
use crate::client::in_flight_requests::AskedBy;
use crate::client::metadata_handle::MetadataHandle;
use crate::client::network_client::NetworkClient;
use crate::common::cluster::NodeId;
use crate::common::planted::planted;
use crate::network::selectable::Selectable;
use crate::protocol::requests::RequestBody;

impl<S: Selectable, M: MetadataHandle> NetworkClient<S, M> {
    /// Looks for nodes that are overdue, where it is time, and asks others. Returns whether a new one was found, which the
    /// client's user has to know before it waits.
    pub(super) fn maybe_suspect(&mut self, now: Instant) -> bool {
        let suspicion = &mut self.metadata_updater.suspicion;
        let is_due = suspicion.next_look().is_some_and(|at| at <= now);
        if !is_due && suspicion.suspects().is_empty() {
            return false;
        }
        let awaited = self.in_flight_requests.oldest();
        let found = suspicion.look(awaited.chain(self.connection_states.attempts()), now);
        if suspicion.takes_question(now) {
            let metadata = &self.metadata_updater.metadata;
            metadata.with(|metadata| metadata.request_update(true));
        }
        self.ask_elsewhere(now);
        found
    }

    /// When somebody may be overdue.
    pub(super) fn next_look(&mut self) -> Option<Instant> {
        let suspicion = &mut self.metadata_updater.suspicion;
        if self.in_flight_requests.count() == 0
            && self.connection_states.attempts().next().is_none()
        {
            suspicion.rest();
        }
        suspicion.next_look()
    }

    /// Takes back what suspects were asked and any node can answer, as long as there is a node that is not suspected.
    fn ask_elsewhere(&mut self, now: Instant) {
        let suspects = self.metadata_updater.suspicion.suspects().iter().copied();
        let asked: Vec<NodeId> = suspects
            .filter(|node| self.in_flight_requests.has_any_node_request(*node))
            .collect();
        if asked.is_empty() {
            return;
        }
        let best = self.choose_least_loaded_node(now).node;
        let suspicion = &self.metadata_updater.suspicion;
        let has_better = best.is_some_and(|node| !suspicion.is_suspect(node.node_id()));
        if !has_better || planted!("frozen-node-holds-the-question") {
            return;
        }
        for node in asked {
            self.take_back(node, now);
        }
    }

    fn take_back(&mut self, node: NodeId, now: Instant) {
        let updater = &mut self.metadata_updater;
        let ended = &mut self.ended.aborted_sends;
        self.in_flight_requests
            .give_up_any_node_requests(node, |request| {
                log::debug!("{} goes to another node than {node}", request.api_key);
                if request.asked_by == AskedBy::Client {
                    updater.gives_up_request();
                    return;
                }
                let failure = RequestFailure::Disconnected {
                    reason: format!("node {node} is overdue, another one is asked").into(),
                };
                ended.push(request.end(Outcome::Failed(failure), now));
            });
    }
}

/// Whether it does not matter which node answers, nor whether a second one does.
pub(super) fn any_node_will_do(request: &RequestBody) -> bool {
    match request {
        RequestBody::Metadata(_) | RequestBody::FindCoordinator(_) => true,
        RequestBody::InitProducerId(request) => request.transactional_id.is_none(),
        _ => false,
    }
}
