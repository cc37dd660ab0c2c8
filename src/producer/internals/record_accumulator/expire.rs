//! Gives up on batches whose time is over before they were sent.
//!
//! Java: `clients/producer/internals/RecordAccumulator.java` (`expiredBatches`, `maybeUpdateNextBatchExpiryTime`).
//! Differs: one timer per partition, which serves one batch after the other, where Java looks at every partition on every pass.
//! Threads: the I/O thread. Locks: `PartitionQueue`.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Instant;

use crate::common::planted::planted;
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::record_accumulator::partition_queue::{
    LockedQueue, PartitionQueue,
};
use crate::producer::internals::record_accumulator::record_drainer::{RecordDrainer, Timer};

impl RecordDrainer {
    /// Takes out the queued batches that have reached `delivery.timeout.ms`, counted from their creation, in the order of
    /// each queue. Neither a missing leader nor a back-off nor a pending request protects them.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<ProducerBatch> {
        let mut expired = Vec::new();
        while let Some(timer) = self.pop_due_expiry(now) {
            let partition = timer.partition;
            let mut queue = partition.lock();
            if queue.expiry_timer == Some(timer.at) {
                queue.expiry_timer = None;
            }
            if planted!("queued-batches-never-expire") {
                continue;
            }
            let before = expired.len();
            let timeout = self.delivery_timeout();
            while queue
                .head()
                .is_some_and(|head| head.is_expired(timeout, now))
            {
                expired.extend(queue.pop_front());
            }
            if expired.len() > before {
                self.look_again(&partition, &mut queue);
            }
            self.watch_expiry(&partition, &mut queue);
        }
        expired
    }

    /// When to look for queued batches that expire, at the latest: at the first timer, which may be that of a batch that left
    /// long before. Only a few of those are dropped at a time, since the next batch of the partition can do with its timer.
    /// Nothing where no batch is left. Java: `nextExpiryTimeMs`.
    pub(crate) fn next_expiry(&mut self) -> Option<Instant> {
        if !self.accumulator.has_incomplete() {
            return None;
        }
        for _ in 0..A_FEW {
            let Reverse(timer) = self.expiries.peek()?;
            let timeout = self.delivery_timeout();
            let mut queue = timer.partition.lock();
            let head = queue.head().map(|head| head.expires_at(timeout));
            if head.is_some_and(|at| at <= timer.at) {
                return Some(timer.at);
            }
            if queue.expiry_timer == Some(timer.at) {
                queue.expiry_timer = None;
            }
            drop(queue);
            let Reverse(timer) = self.expiries.pop()?;
            let mut queue = timer.partition.lock();
            self.watch_expiry(&timer.partition, &mut queue);
        }
        self.expiries.peek().map(|Reverse(timer)| timer.at)
    }

    /// Sees to it that there is a timer for the first batch of a partition.
    pub(super) fn watch_expiry(
        &mut self,
        partition: &Arc<PartitionQueue>,
        queue: &mut LockedQueue<'_>,
    ) {
        let timeout = self.delivery_timeout();
        let Some(at) = queue.head().map(|head| head.expires_at(timeout)) else {
            return;
        };
        if queue.expiry_timer.is_none_or(|known| known > at) {
            queue.expiry_timer = Some(at);
            self.expiries.push(Reverse(Timer {
                at,
                partition: Arc::clone(partition),
            }));
        }
    }

    fn pop_due_expiry(&mut self, now: Instant) -> Option<Timer> {
        let Reverse(timer) = self.expiries.peek()?;
        if timer.at > now {
            return None;
        }
        self.expiries.pop().map(|Reverse(timer)| timer)
    }
}

/// So many timers are cleared up in one pass: idle partitions lose theirs in the end, busy ones keep them.
const A_FEW: usize = 8;
