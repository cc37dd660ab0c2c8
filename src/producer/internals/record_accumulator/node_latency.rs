//! Which nodes have been unable to take requests for too long (`partitioner.availability.timeout.ms`).
//!
//! Java: `NodeLatencyStats` in `clients/producer/internals/RecordAccumulator.java`.
//! Differs: both times under one lock instead of two fields with an order of writes and reads.
//! Threads: the I/O thread writes, any reads. Locks: `NodeLatencies` (leaf).

use std::time::{Duration, Instant};

use crate::common::cluster::NodeId;
use crate::common::fast_hash::FastMap;
use crate::common::sync::{Mutex, Rank};

/// When each node was last looked at with data for it, and when it could last take some.
#[derive(Debug)]
pub(super) struct NodeLatencies {
    /// Zero switches it off.
    timeout: Duration,
    nodes: Mutex<FastMap<NodeId, NodeLatency>>,
}

#[derive(Debug, Clone, Copy)]
struct NodeLatency {
    ready: Instant,
    drained: Instant,
}

impl NodeLatencies {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            nodes: Mutex::new(Rank::Leaf, FastMap::default()),
        }
    }

    pub(super) fn update(&self, node: NodeId, now: Instant, can_drain: bool) {
        if self.timeout.is_zero() {
            return;
        }
        let mut nodes = self.nodes.lock();
        let first = NodeLatency {
            ready: now,
            drained: now,
        };
        let latency = nodes.entry(node).or_insert(first);
        latency.ready = now;
        if can_drain {
            latency.drained = now;
        }
    }

    pub(super) fn is_slow(&self, node: NodeId) -> bool {
        if self.timeout.is_zero() {
            return false;
        }
        let nodes = self.nodes.lock();
        nodes.get(&node).is_some_and(|latency| {
            latency.ready.saturating_duration_since(latency.drained) > self.timeout
        })
    }
}
