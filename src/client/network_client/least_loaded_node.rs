//! The choice among nodes when any will do.
//!
//! Java: `clients/NetworkClient.java` (`leastLoadedNode`).
//! Differs: the order of preference is one comparison per node; one that is overdue is the last resort.
//! Threads: the I/O thread. Locks: none.

use std::time::Instant;

use crate::client::kafka_client::LeastLoadedNode;
use crate::client::metadata_handle::MetadataHandle;
use crate::client::network_client::NetworkClient;
use crate::common::cluster::Node;
use crate::network::selectable::Selectable;

/// How good a choice a node is; the smallest is the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Load {
    /// May be used now; the fewer requests in flight the better.
    Ready { in_flight: usize },
    /// On its way; better than opening one more connection.
    Connecting,
    /// May be connected; the longer ago the last attempt the better, and never is best.
    Connectable { last_attempt: Option<Instant> },
    /// Overdue, but then so is everybody.
    Suspect {
        is_connecting: bool,
        in_flight: usize,
    },
}

impl<S: Selectable, M: MetadataHandle> NetworkClient<S, M> {
    pub(super) fn choose_least_loaded_node(&mut self, now: Instant) -> LeastLoadedNode {
        let snapshot = self.metadata_updater.metadata.snapshot();
        let nodes = snapshot.nodes();
        let offset = self.connection_states.random_offset(nodes.len());
        let (behind, first) = nodes.split_at(offset.min(nodes.len()));
        let mut best: Option<(Load, &Node)> = None;
        let mut at_least_one_connection_ready = false;
        for node in first.iter().chain(behind) {
            let id = node.node_id();
            at_least_one_connection_ready |=
                self.connection_states.is_ready(id, now) && self.selector.is_channel_ready(id);
            let Some(load) = self.load_of(node, now) else {
                continue;
            };
            if best.is_none_or(|(least, _)| load < least) {
                best = Some((load, node));
            }
            if load == (Load::Ready { in_flight: 0 }) {
                break;
            }
        }
        LeastLoadedNode {
            node: best.map(|(_, node)| node.clone()),
            at_least_one_connection_ready,
        }
    }

    /// Nothing for a node that is throttled, busy, or to be left alone for now.
    fn load_of(&self, node: &Node, now: Instant) -> Option<Load> {
        let id = node.node_id();
        let in_flight = self.in_flight_requests.count_of(id);
        let is_connecting = self.connection_states.is_preparing(id);
        let is_usable = is_connecting || self.can_send_request(id, now);
        if is_usable && self.metadata_updater.suspicion.is_suspect(id) {
            Some(Load::Suspect {
                is_connecting,
                in_flight,
            })
        } else if self.can_send_request(id, now) {
            Some(Load::Ready { in_flight })
        } else if is_connecting {
            Some(Load::Connecting)
        } else if self.connection_states.can_connect(id, now) {
            let last_attempt = self.connection_states.last_connect_attempt(id);
            Some(Load::Connectable { last_attempt })
        } else {
            None
        }
    }
}
