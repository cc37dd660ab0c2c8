//! What happened to a batch on its way: attempts, waits between them, and whether a broker may have it.
//!
//! Java: `clients/producer/internals/ProducerBatch.java` (`attempts`, `lastAttemptMs`, `currentLeaderEpoch`).
//! Differs: remembers how each attempt ended; the next attempt's time is fixed when the last one has failed, where Java
//! rolls the dice for the jitter at each look.
//! Threads: plain data. Locks: none.

use std::time::{Duration, Instant};

use crate::common::cluster::{LeaderEpoch, NodeId, Uuid};
use crate::common::kafka_error::{Attempt, Persisted};

/// The story of a batch after it was sealed.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    attempts: Vec<Attempt>,
    failures: u32,
    retry_at: Option<Instant>,
    /// The node that has the request but has not answered.
    on_wire: Option<NodeId>,
    /// An attempt ended without an answer: a broker may have written the batch.
    unknown: bool,
    /// The id of the topic that it was sent to; zero where that is not known.
    topic_id: Uuid,
    leader_epoch: Option<LeaderEpoch>,
    /// What `failures` was when `leader_epoch` was first seen.
    failures_at_epoch: u32,
}

impl Delivery {
    pub(super) fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    pub(super) fn failures(&self) -> u32 {
        self.failures
    }

    pub(super) fn handed_to(&mut self, node: NodeId) {
        self.on_wire = Some(node);
    }

    pub(super) fn goes_to_topic(&mut self, id: Uuid) {
        if !id.is_zero() {
            self.topic_id = id;
        }
    }

    pub(super) fn is_of_other_topic(&self, id: Uuid) -> bool {
        !self.topic_id.is_zero() && !id.is_zero() && self.topic_id != id
    }

    pub(super) fn attempt_ended(&mut self, after: Duration, outcome: String, refused: bool) {
        let node = self.on_wire.take();
        self.unknown |= !refused && node.is_some();
        if self.attempts.len() == KEPT_ATTEMPTS {
            // The first attempt often tells the cause, the last ones tell the present state.
            self.attempts.remove(1);
        }
        let node = node.map_or(-1, |node| node.0);
        self.attempts.push(Attempt::new(node, after, outcome));
    }

    pub(super) fn persisted(&self) -> Persisted {
        if self.unknown || self.on_wire.is_some() {
            Persisted::Maybe
        } else {
            Persisted::No
        }
    }

    pub(super) fn retry_after(&mut self, now: Instant, backoff: impl FnOnce(u32) -> Duration) {
        self.retry_at = Some(now + backoff(self.failures));
        self.failures += 1;
    }

    /// What a part of the batch begins with: nothing to wait for, but the same past.
    pub(super) fn of_part(&self) -> Self {
        Self {
            attempts: self.attempts.clone(),
            unknown: self.unknown,
            topic_id: self.topic_id,
            leader_epoch: self.leader_epoch,
            ..Self::default()
        }
    }

    /// A newer leader epoch makes the next retry free of back-off, once (KIP-951).
    pub(super) fn update_leader_epoch(&mut self, latest: Option<LeaderEpoch>) {
        if latest > self.leader_epoch {
            self.leader_epoch = latest;
            self.failures_at_epoch = self.failures;
        }
    }

    pub(super) fn leader_epoch(&self) -> Option<LeaderEpoch> {
        self.leader_epoch
    }

    /// When the next attempt may be made, where that is later than `now`.
    pub(super) fn backing_off_until(&self, now: Instant) -> Option<Instant> {
        let leader_changed = self.failures > 0 && self.failures == self.failures_at_epoch;
        self.retry_at.filter(|at| *at > now && !leader_changed)
    }
}

/// Attempts told in an error; what lies between the first and the last ones is left out.
const KEPT_ATTEMPTS: usize = 10;
