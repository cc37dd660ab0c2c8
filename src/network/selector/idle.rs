//! When to look for connections that nobody uses.
//!
//! Java: `Selector.IdleExpiryManager`.
//! Differs: connections carry the time of their last use; they are compared only when one may be due, not kept in order.
//! Threads: the I/O thread. Locks: none.

use std::time::{Duration, Instant};

use crate::common::cluster::NodeId;
use crate::common::time::deadline;

/// Finds the connection that has been idle for too long.
#[derive(Debug)]
pub(super) struct IdleExpiry {
    /// `connections.max.idle.ms`; nothing means that connections stay open.
    max_idle: Option<Duration>,
    /// No connection is due before this; nothing where there is none.
    next_check: Option<Instant>,
}

impl IdleExpiry {
    pub(super) fn new(max_idle: Option<Duration>) -> Self {
        Self {
            max_idle,
            next_check: None,
        }
    }

    /// A connection was opened.
    pub(super) fn started(&mut self, now: Instant) {
        if self.next_check.is_none() {
            self.next_check = self.max_idle.map(|idle| deadline(now, idle));
        }
    }

    /// When to look next.
    pub(super) fn next_check(&self) -> Option<Instant> {
        self.next_check
    }

    /// The connection that has not been used for the longest time, if that is too long by `now`. It is taken to be closed.
    pub(super) fn expired(
        &mut self,
        now: Instant,
        last_active: impl Iterator<Item = (NodeId, Instant)>,
    ) -> Option<NodeId> {
        let max_idle = self.max_idle?;
        self.next_check.filter(|check| *check <= now)?;
        let (mut oldest, mut second) = (None, None);
        for (id, since) in last_active {
            let due = (deadline(since, max_idle), id);
            if oldest.is_none_or(|(oldest, _)| due.0 < oldest) {
                second = oldest.replace(due);
            } else if second.is_none_or(|(second, _)| due.0 < second) {
                second = Some(due);
            }
        }
        // At most one is closed per poll; where the second is due too, the next poll does not wait.
        let expired = oldest.filter(|(due, _)| *due <= now);
        let next = if expired.is_some() { second } else { oldest };
        self.next_check = next.map(|(due, _)| due);
        expired.map(|(_, id)| id)
    }
}
