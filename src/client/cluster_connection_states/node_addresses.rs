//! The addresses of one node's host, tried in turn (KIP-302, KIP-601).
//!
//! Java: `clients/ClusterConnectionStates.java` (`NodeConnectionState`).
//! Differs: nothing in the order of addresses; the lookup happens elsewhere.
//! Threads: the I/O thread. Locks: none.

use std::net::SocketAddr;

/// What the last lookup gave, and how far it has been tried.
#[derive(Debug, Default)]
pub(super) struct NodeAddresses {
    /// Empty where the host has to be looked up.
    list: Vec<SocketAddr>,
    index: usize,
    last_attempted: Option<SocketAddr>,
}

impl NodeAddresses {
    /// The address to try; nothing where the host has to be looked up first.
    pub(super) fn current(&mut self) -> Option<SocketAddr> {
        let address = self.list.get(self.index).copied()?;
        self.last_attempted = Some(address);
        Some(address)
    }

    /// A lookup gave `list`. An address that just failed is not tried again at once where there is another one.
    pub(super) fn resolved(&mut self, list: Vec<SocketAddr>) {
        let failed_is_first = list.len() > 1 && list.first() == self.last_attempted.as_ref();
        self.index = usize::from(failed_is_first);
        self.list = list;
    }

    /// The present address failed; after the last one the host is looked up again.
    pub(super) fn move_to_next(&mut self) {
        self.index += 1;
        if self.index >= self.list.len() {
            self.clear();
        }
    }

    /// Has the host looked up again before the next attempt.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.index = 0;
    }
}
