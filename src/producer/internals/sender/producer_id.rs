//! Starts partitions over whose run of numbers is not whole any more.
//!
//! Java: `clients/producer/internals/Sender.java` (`runOnce`: `maybeResolveSequences`, `bumpIdempotentEpochAndResetIdIfNeeded`).
//! Differs: waits until nothing of the partition is on the wire; what may have been written fails instead of being sent
//! again under other numbers.
//! Threads: the I/O thread. Locks: TransactionManager.

use std::time::Instant;

use crate::client::kafka_client::KafkaClient;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::sender::Sender;

impl<C: KafkaClient> Sender<C> {
    /// Takes the numbered batches of partitions that must start over out of their queues: those that may have been
    /// written fail, since a second identity could write them twice; the others get new numbers when they are drained.
    pub(super) fn restart_partitions(&mut self, now: Instant) {
        let Some(manager) = &self.transaction_manager else {
            return;
        };
        let due = manager.lock().poll_restart();
        if due.is_empty() {
            return;
        }
        manager.lock().restart(&due);
        for tp in &due {
            let mut uncertain = Vec::new();
            let mut unwritten = Vec::new();
            for batch in self.accumulator.take_numbered(tp) {
                match batch.into_unwritten() {
                    Ok(batch) => unwritten.push(batch),
                    Err(batch) => uncertain.push(batch),
                }
            }
            self.accumulator.put_back_unnumbered(unwritten);
            for batch in uncertain {
                let text = format!(
                    "the batch of {} record(s) for {tp} cannot keep its place, since a batch before it failed or its topic was made again, and may have been written before",
                    batch.record_count()
                );
                let error = KafkaError::new(ErrorKind::OutOfOrderSequence, text);
                self.fail_batch(batch, error, now);
            }
        }
    }

    /// Takes the batches out of their queues that no broker can accept any more because numbers before theirs are
    /// missing. The transaction they belong to must be aborted.
    pub(super) fn take_stuck_batches(&mut self) -> Vec<ProducerBatch> {
        let due = match self.manager() {
            Some(mut manager) => manager.poll_gaps(),
            None => Vec::new(),
        };
        let mut stuck = Vec::new();
        for tp in due {
            stuck.extend(self.accumulator.take_numbered(&tp));
        }
        stuck
    }
}
