//! Acknowledged batches whose callbacks must run later, behind those of an earlier batch of the same partition.
//!
//! Java: none; there a batch that is repeated after a doubtful answer has its callbacks run after those of later ones.
//! Differs: does not exist in Java. `Callback` promises the order of the partition, and this keeps the promise.
//! Threads: the I/O thread. Locks: TransactionManager, for short.

use std::mem;

use crate::client::kafka_client::KafkaClient;
use crate::common::cluster::TopicPartition;
use crate::common::fast_hash::FastMap;
use crate::common::planted::planted;
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::sender::Sender;
use crate::producer::internals::sender::responses::batch_id;

/// What waits for the batches before it. Empty but for the rare case that a broker has written a batch, said something
/// that leaves this open, and acknowledged the next one.
#[derive(Debug, Default)]
pub(super) struct HeldCompletions {
    /// Of each partition in the order of the numbers. No list is empty.
    by_partition: FastMap<TopicPartition, Vec<Acknowledged>>,
}

/// A batch and what the broker said of it.
#[derive(Debug)]
pub(super) struct Acknowledged {
    pub(super) batch: ProducerBatch,
    pub(super) base_offset: Option<i64>,
    pub(super) log_append_time: Option<i64>,
}

impl HeldCompletions {
    fn has(&self, tp: &TopicPartition) -> bool {
        !self.by_partition.is_empty() && self.by_partition.contains_key(tp)
    }

    fn hold(&mut self, acknowledged: Acknowledged) {
        let tp = acknowledged.batch.topic_partition().clone();
        let held = self.by_partition.entry(tp).or_default();
        let first = |a: &Acknowledged| a.batch.identity();
        let at = held.partition_point(|other| first(other) < first(&acknowledged));
        held.insert(at, acknowledged);
    }

    /// Takes the batches that need not wait any more.
    fn take(&mut self, must_wait: impl Fn(&ProducerBatch) -> bool) -> Vec<Acknowledged> {
        let mut taken = Vec::new();
        self.by_partition.retain(|_, held| {
            let free = held.partition_point(|held| !must_wait(&held.batch));
            taken.extend(held.drain(..free));
            !held.is_empty()
        });
        taken
    }

    #[cfg(test)]
    pub(super) fn batches(&self) -> impl Iterator<Item = &ProducerBatch> {
        self.by_partition.values().flatten().map(|held| &held.batch)
    }
}

impl<C: KafkaClient> Sender<C> {
    /// Tells the owners of an acknowledged batch: at once where nothing earlier of its partition is open, and where they
    /// have futures alone, which have no order among them.
    pub(super) fn tell_in_order(&mut self, acknowledged: Acknowledged, is_next: bool) {
        let tp = acknowledged.batch.topic_partition();
        let is_in_order = is_next && !self.held.has(tp);
        let has_order = acknowledged.batch.has_callbacks() && !planted!("callbacks-overtake");
        if is_in_order || !has_order {
            return self.tell(acknowledged);
        }
        log::debug!("{tp}: acknowledged, and told after an earlier batch that is not");
        self.held.hold(acknowledged);
    }

    /// Tells those whose turn has come, now that earlier batches may have ended.
    pub(super) fn tell_held(&mut self) {
        if self.held.by_partition.is_empty() {
            return;
        }
        let mut held = mem::take(&mut self.held);
        let told = {
            let manager = self.manager();
            held.take(|batch| {
                let known = manager.as_ref().zip(batch_id(batch));
                known.is_some_and(|(manager, id)| manager.has_earlier(id))
            })
        };
        self.held = held;
        for acknowledged in told {
            self.tell(acknowledged);
        }
    }

    /// Tells all, since what they wait for has been given up.
    pub(super) fn tell_all_held(&mut self) {
        for acknowledged in self.held.take(|_| false) {
            self.tell(acknowledged);
        }
    }

    fn tell(&self, acknowledged: Acknowledged) {
        let Acknowledged {
            batch,
            base_offset,
            log_append_time,
        } = acknowledged;
        let panicked = batch.complete(base_offset, log_append_time);
        self.metrics().callbacks_panicked(panicked);
    }
}
