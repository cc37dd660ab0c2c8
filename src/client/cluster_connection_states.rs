//! How far the connection to each node is, when to try again, and where.
//!
//! Java: `clients/ClusterConnectionStates.java`.
//! Differs: deadlines instead of a last attempt and a wait; the addresses of a node are handed in, never looked up here.
//! Threads: the I/O thread. Locks: none.

mod node_addresses;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::cluster_connection_states::node_addresses::NodeAddresses;
use crate::common::cluster::{Node, NodeId};
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::fast_hash::FastMap;
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::common::time::deadline;

/// How far a connection is. Each move is a method of [`ClusterConnectionStates`] of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionState {
    /// Name lookup, TCP, TLS and login, all until the deadline.
    Connecting {
        deadline: Instant,
    },
    /// The request for the node's versions is on its way; its own timeout applies.
    CheckingApiVersions,
    /// For any request, unless throttled.
    Ready,
    Disconnected {
        retry_at: Instant,
    },
    /// Disconnected because the login was refused.
    AuthenticationFailed {
        retry_at: Instant,
    },
}

impl ConnectionState {
    /// When a new attempt may be made, where there is no connection.
    fn retry_at(self) -> Option<Instant> {
        match self {
            Self::Disconnected { retry_at } | Self::AuthenticationFailed { retry_at } => {
                Some(retry_at)
            }
            _ => None,
        }
    }

    fn is_connected(self) -> bool {
        matches!(self, Self::CheckingApiVersions | Self::Ready)
    }
}

#[derive(Debug)]
struct NodeConnectionState {
    state: ConnectionState,
    host: Arc<str>,
    port: u16,
    addresses: NodeAddresses,
    /// Attempts since the last one that reached READY; an attempt whose login is refused counts twice, as in Java.
    failed_attempts: u32,
    /// Attempts in a row that ended while CONNECTING.
    failed_connect_attempts: u32,
    last_connect_attempt: Instant,
    throttled_until: Option<Instant>,
    /// Kept until the next login succeeds.
    authentication_error: Option<KafkaError>,
}

/// The states of all nodes that were ever tried.
#[derive(Debug)]
pub(crate) struct ClusterConnectionStates {
    nodes: FastMap<NodeId, NodeConnectionState>,
    /// The nodes in CONNECTING.
    connecting: Vec<NodeId>,
    reconnect_backoff: ExponentialBackoff,
    setup_timeout: ExponentialBackoff,
    random: fastrand::Rng,
}

/// What happens to a connection.
impl ClusterConnectionStates {
    /// `reconnect.backoff.ms` up to `reconnect.backoff.max.ms`, `socket.connection.setup.timeout.ms` up to its maximum.
    pub(crate) fn new(
        reconnect_backoff: ExponentialBackoff,
        setup_timeout: ExponentialBackoff,
        random_seed: u64,
    ) -> Self {
        Self {
            nodes: FastMap::default(),
            connecting: Vec::new(),
            reconnect_backoff,
            setup_timeout,
            random: fastrand::Rng::with_seed(random_seed),
        }
    }

    /// An attempt begins; the node's next address is for it.
    pub(crate) fn connecting(&mut self, node: &Node, now: Instant) {
        let id = node.node_id();
        let known = self.nodes.get_mut(&id).filter(|known| {
            let is_same = *known.host == *node.host() && known.port == node.port();
            if !is_same {
                let (old, port) = (&known.host, known.port);
                log::info!(
                    "node {id} moved from {old}:{port} to {}:{}",
                    node.host(),
                    node.port()
                );
            }
            is_same
        });
        let failures = known.as_ref().map_or(0, |k| k.failed_connect_attempts);
        let limit = self.setup_timeout.backoff(failures, self.random.f64());
        let deadline = deadline(now, limit);
        let state = ConnectionState::Connecting { deadline };
        if let Some(known) = known {
            known.state = state;
            known.last_connect_attempt = now;
            known.addresses.move_to_next();
        } else {
            let new = NodeConnectionState {
                state,
                host: node.host().into(),
                port: node.port(),
                addresses: NodeAddresses::default(),
                failed_attempts: 0,
                failed_connect_attempts: 0,
                last_connect_attempt: now,
                throttled_until: None,
                authentication_error: None,
            };
            self.nodes.insert(id, new);
        }
        self.connecting.push(id);
    }

    /// The attempt is over, or the connection is lost. Waits for the next attempt grow until READY is reached.
    pub(crate) fn disconnected(&mut self, id: NodeId, now: Instant) {
        let random = self.random.f64();
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        match node.state {
            ConnectionState::Connecting { .. } => node.failed_connect_attempts += 1,
            // The broker may have moved while it was connected.
            state if state.is_connected() => {
                node.failed_connect_attempts = 0;
                node.addresses.clear();
            }
            _ => node.failed_connect_attempts = 0,
        }
        let wait = self.reconnect_backoff.backoff(node.failed_attempts, random);
        let retry_at = deadline(now, wait);
        node.failed_attempts += 1;
        node.last_connect_attempt = now;
        node.state = ConnectionState::Disconnected { retry_at };
        self.connecting.retain(|connecting| *connecting != id);
    }

    /// The attempt that was just reported as disconnected ended because the login was refused.
    pub(crate) fn authentication_failed(&mut self, id: NodeId, now: Instant, error: KafkaError) {
        let random = self.random.f64();
        let Some(node) = self.nodes.get_mut(&id) else {
            return;
        };
        let wait = self.reconnect_backoff.backoff(node.failed_attempts, random);
        let retry_at = deadline(now, wait);
        node.failed_attempts += 1;
        node.state = ConnectionState::AuthenticationFailed { retry_at };
        node.authentication_error = Some(error);
    }

    /// The request for the node's versions is queued, which proves that TCP, TLS and login are done.
    pub(crate) fn checking_api_versions(&mut self, id: NodeId) {
        self.established(id, ConnectionState::CheckingApiVersions);
    }

    /// The node can be used.
    pub(crate) fn ready(&mut self, id: NodeId) {
        if let Some(node) = self.established(id, ConnectionState::Ready) {
            node.authentication_error = None;
            node.failed_attempts = 0;
        }
    }

    fn established(
        &mut self,
        id: NodeId,
        state: ConnectionState,
    ) -> Option<&mut NodeConnectionState> {
        self.connecting.retain(|connecting| *connecting != id);
        let node = self.nodes.get_mut(&id)?;
        node.state = state;
        node.failed_connect_attempts = 0;
        Some(node)
    }

    /// The node asked for a pause (KIP-219); a pause never gets shorter.
    pub(crate) fn throttle(&mut self, id: NodeId, until: Instant) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.throttled_until = node.throttled_until.max(Some(until));
        }
    }

    /// The addresses of the node's host were looked up.
    pub(crate) fn set_addresses(&mut self, id: NodeId, addresses: Vec<SocketAddr>) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.addresses.resolved(addresses);
        }
    }
}

/// What is asked about a connection.
impl ClusterConnectionStates {
    /// The address for the attempt under way; nothing where the host has to be looked up first.
    pub(crate) fn current_address(&mut self, id: NodeId) -> Option<SocketAddr> {
        self.nodes.get_mut(&id)?.addresses.current()
    }

    /// Host and port of a node that was tried.
    pub(crate) fn host_and_port(&self, id: NodeId) -> Option<(&Arc<str>, u16)> {
        let node = self.nodes.get(&id)?;
        Some((&node.host, node.port))
    }

    /// Whether an attempt may be made now.
    pub(crate) fn can_connect(&self, id: NodeId, now: Instant) -> bool {
        let Some(node) = self.nodes.get(&id) else {
            return true;
        };
        node.state
            .retry_at()
            .is_some_and(|at| at <= now || planted!("reconnect-without-backoff"))
    }

    /// Whether the node takes requests now.
    pub(crate) fn is_ready(&self, id: NodeId, now: Instant) -> bool {
        self.nodes.get(&id).is_some_and(|node| {
            node.state == ConnectionState::Ready && node.throttled_until.is_none_or(|at| at <= now)
        })
    }

    pub(crate) fn is_connected(&self, id: NodeId) -> bool {
        let node = self.nodes.get(&id);
        node.is_some_and(|node| node.state.is_connected())
    }

    /// Whether the node was tried and is not connected now.
    pub(crate) fn is_disconnected(&self, id: NodeId) -> bool {
        let node = self.nodes.get(&id);
        node.is_some_and(|node| node.state.retry_at().is_some())
    }

    pub(crate) fn is_connecting(&self, id: NodeId) -> bool {
        self.connecting.contains(&id)
    }

    /// Whether a connection to the node is on its way.
    pub(crate) fn is_preparing(&self, id: NodeId) -> bool {
        self.nodes.get(&id).is_some_and(|node| {
            matches!(
                node.state,
                ConnectionState::Connecting { .. } | ConnectionState::CheckingApiVersions
            )
        })
    }

    /// How long until an attempt may be made (0), or has to be over; for ever where there is a connection.
    pub(crate) fn connection_delay(&self, id: NodeId, now: Instant) -> Duration {
        let Some(node) = self.nodes.get(&id) else {
            return Duration::ZERO;
        };
        match node.state {
            ConnectionState::Connecting { deadline } => deadline.saturating_duration_since(now),
            ConnectionState::CheckingApiVersions | ConnectionState::Ready => Duration::MAX,
            ConnectionState::Disconnected { retry_at }
            | ConnectionState::AuthenticationFailed { retry_at } => {
                retry_at.saturating_duration_since(now)
            }
        }
    }

    /// As [`connection_delay`](Self::connection_delay), but also ends with a pause that the node asked for.
    pub(crate) fn poll_delay(&self, id: NodeId, now: Instant) -> Duration {
        let throttled = self.throttle_delay(id, now);
        if throttled.is_zero() || !self.is_connected(id) {
            self.connection_delay(id, now)
        } else {
            throttled
        }
    }

    /// What is left of the pause that the node asked for.
    pub(crate) fn throttle_delay(&self, id: NodeId, now: Instant) -> Duration {
        let until = self.nodes.get(&id).and_then(|node| node.throttled_until);
        until.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// When the last attempt began or ended; nothing for a node that was never tried.
    pub(crate) fn last_connect_attempt(&self, id: NodeId) -> Option<Instant> {
        self.nodes.get(&id).map(|node| node.last_connect_attempt)
    }

    pub(crate) fn failed_attempts(&self, id: NodeId) -> u32 {
        self.nodes.get(&id).map_or(0, |node| node.failed_attempts)
    }

    /// Why the last login was refused, until one succeeds.
    #[cfg_attr(not(test), expect(dead_code, reason = "logins are still to come"))]
    pub(crate) fn authentication_error(&self, id: NodeId) -> Option<&KafkaError> {
        self.nodes.get(&id)?.authentication_error.as_ref()
    }

    /// The attempts under way, and when they began.
    pub(crate) fn attempts(&self) -> impl Iterator<Item = (NodeId, Instant)> {
        self.connecting.iter().filter_map(|id| {
            let node = self.nodes.get(id)?;
            Some((*id, node.last_connect_attempt))
        })
    }

    /// How long until an attempt has to be over.
    pub(crate) fn time_to_next_setup_timeout(&self, now: Instant) -> Duration {
        let attempts = self.connecting.iter();
        attempts
            .map(|id| self.connection_delay(*id, now))
            .min()
            .unwrap_or(Duration::MAX)
    }

    /// The nodes whose attempt takes too long.
    pub(crate) fn nodes_with_connection_setup_timeout(&self, now: Instant) -> Vec<NodeId> {
        let attempts = self.connecting.iter().copied();
        attempts
            .filter(|id| self.connection_delay(*id, now).is_zero())
            .collect()
    }

    /// Where among `len` nodes to begin looking for one.
    pub(crate) fn random_offset(&mut self, len: usize) -> usize {
        self.random.usize(..len.max(1))
    }
}

#[cfg(test)]
mod tests;
