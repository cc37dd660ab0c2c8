//! The I/O thread's half of the accumulator: which partitions have something to send, sorted by what they wait for.
//!
//! Java: `clients/producer/internals/RecordAccumulator.java`, the methods that only the Sender calls.
//! Differs: a value of its own that the Sender owns, so the compiler knows that one thread drains; partitions stand in
//! lists by what they wait for, where Java asks each of them on each pass.
//! Threads: the I/O thread. Locks: `PartitionQueue`, `TransactionManager` inside it; `ReadyList` (leaf).

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::common::cluster::{NodeId, TopicPartition};
use crate::common::fast_hash::FastMap;
use crate::common::planted::planted;
use crate::common::sync::Mutex;
use crate::producer::internals::producer_batch::{ProducerBatch, Splitter, UnwrittenBatch};
use crate::producer::internals::record_accumulator::RecordAccumulator;
use crate::producer::internals::record_accumulator::partition_queue::{
    LockedQueue, PartitionQueue, Place,
};
use crate::producer::internals::transaction_manager::{BatchId, TransactionManager};
use crate::record::compression::CompressorPool;
use crate::record::compression_type::CompressionType;

/// The half that the Sender owns.
#[derive(Debug)]
pub(crate) struct RecordDrainer {
    pub(super) accumulator: Arc<RecordAccumulator>,
    pub(super) transaction_manager: Option<Arc<Mutex<TransactionManager>>>,
    /// The cluster as the last pass saw it.
    pub(super) snapshot: Arc<MetadataSnapshot>,
    /// Partitions to be looked at by the next pass.
    pub(super) pending: Vec<Arc<PartitionQueue>>,
    /// Partitions with something to send, by leader; each list goes round.
    pub(super) sendable: FastMap<NodeId, VecDeque<Arc<PartitionQueue>>>,
    pub(super) leaderless: Vec<Arc<PartitionQueue>>,
    pub(super) blocked: Vec<Arc<PartitionQueue>>,
    /// Ends of lingers and back-offs.
    pub(super) timers: Timers,
    pub(super) expiries: Timers,
    /// The last pass that took batches out; see `ready`.
    pub(super) last_drain: Option<Instant>,
    pub(super) compressors: CompressorPool,
    /// Random numbers for the jitter of back-offs, from 0 to 1.
    random: fn() -> f64,
}

/// Partitions by time, earliest first. Entries that are no longer true are dropped when they come up.
pub(super) type Timers = BinaryHeap<Reverse<Timer>>;

/// Look at this partition at this time.
#[derive(Debug)]
pub(super) struct Timer {
    pub(super) at: Instant,
    pub(super) partition: Arc<PartitionQueue>,
}

impl RecordDrainer {
    pub(crate) fn new(
        accumulator: Arc<RecordAccumulator>,
        transaction_manager: Option<Arc<Mutex<TransactionManager>>>,
        random: fn() -> f64,
    ) -> Self {
        Self {
            accumulator,
            transaction_manager,
            snapshot: Arc::default(),
            pending: Vec::new(),
            sendable: FastMap::default(),
            leaderless: Vec::new(),
            blocked: Vec::new(),
            timers: Timers::new(),
            expiries: Timers::new(),
            last_drain: None,
            compressors: CompressorPool::new(),
            random,
        }
    }

    /// Puts a batch back that may be tried again, after a back-off. It keeps its number, its memory and its age.
    pub(crate) fn reenqueue(&mut self, batch: ProducerBatch, now: Instant) {
        self.reenqueue_within(Duration::MAX, batch, now);
    }

    /// As [`reenqueue`](Self::reenqueue), with a back-off of `longest` at most.
    pub(crate) fn reenqueue_within(
        &mut self,
        longest: Duration,
        mut batch: ProducerBatch,
        now: Instant,
    ) {
        let random = (self.random)();
        let backoff = self.accumulator.config.retry_backoff;
        batch.retry_after(now, |failures| {
            backoff.backoff(failures, random).min(longest)
        });
        self.put_back(batch);
    }

    /// Puts a batch back as it is.
    pub(crate) fn put_back(&mut self, batch: ProducerBatch) {
        let Some(partition) = self.find(batch.topic_partition()) else {
            debug_assert!(false, "a batch comes from a queue");
            return;
        };
        let mut queue = partition.lock();
        if planted!("retry-goes-to-the-end") {
            queue.push_back(batch);
        } else {
            queue.insert_in_sequence_order(batch);
        }
        self.look_again(&partition, &mut queue);
    }

    /// Puts a batch that the broker found too large back in parts. A batch of one record comes back: it must fail.
    ///
    /// Java: `splitAndReenqueue`.
    pub(crate) fn split_and_reenqueue(&mut self, big: ProducerBatch) -> Result<(), ProducerBatch> {
        let identity = big.identity();
        let tp = big.topic_partition().clone();
        if let Some(sealed) = big.sealed().filter(|s| s.codec() != CompressionType::None) {
            let ratios = &self.accumulator.ratios;
            let observed = sealed.compression_ratio();
            ratios.set_after_split(tp.shared_topic(), sealed.codec(), observed);
        }
        let mut parts = big.split(&mut Splitter {
            batch_size: self.accumulator.config.batch_size,
            compression: self.accumulator.config.compression,
            compressors: &mut self.compressors,
            incomplete: &self.accumulator.incomplete,
        })?;
        if let (Some((identity, first)), Some(manager)) = (identity, &self.transaction_manager) {
            let counts: Vec<_> = parts.iter().map(ProducerBatch::record_count).collect();
            let whole = BatchId {
                tp: &tp,
                identity,
                first,
            };
            let firsts = manager.lock().handle_split(whole, &counts);
            for (part, first) in parts.iter_mut().zip(firsts) {
                part.set_identity(identity, first);
            }
        }
        // Without numbers each goes to the front, so the last one goes first.
        if planted!("split-parts-in-reverse") {
            parts.reverse();
        }
        parts.into_iter().rev().for_each(|part| self.put_back(part));
        Ok(())
    }

    /// Takes the numbers from batches that are certainly not written, and puts them back in their order.
    pub(crate) fn put_back_unnumbered(&mut self, batches: Vec<UnwrittenBatch>) {
        // Each goes to the front, so the last one goes first.
        for batch in batches.into_iter().rev() {
            self.put_back(batch.without_identity());
        }
    }

    /// Holds a partition back until it is unmuted. Java: `mutePartition`.
    pub(crate) fn mute(&mut self, tp: &TopicPartition) {
        if let Some(partition) = self.find(tp) {
            let mut queue = partition.lock();
            queue.muted = true;
            self.look_again(&partition, &mut queue);
        }
    }

    /// The request that held the partition has ended, one way or the other. Java: `unmutePartition`.
    pub(crate) fn unmute(&mut self, tp: &TopicPartition) {
        if let Some(partition) = self.find(tp) {
            let mut queue = partition.lock();
            queue.muted = false;
            self.look_again(&partition, &mut queue);
        }
    }

    /// Takes the batches with a number out of a partition's queue: their run of numbers starts over.
    pub(crate) fn take_numbered(&mut self, tp: &TopicPartition) -> Vec<ProducerBatch> {
        let Some(partition) = self.find(tp) else {
            return Vec::new();
        };
        let mut queue = partition.lock();
        let numbered = queue.take_where(|batch| batch.identity().is_some());
        self.look_again(&partition, &mut queue);
        numbered
    }

    /// The half that application threads use.
    pub(crate) fn accumulator(&self) -> &Arc<RecordAccumulator> {
        &self.accumulator
    }

    /// Closes the accumulator and takes every batch out of it, sealed, so that its records can be read back.
    ///
    /// Java: `abortIncompleteBatches`; the Sender has the batches that are on their way.
    pub(crate) fn abort_incomplete(&mut self) -> Vec<ProducerBatch> {
        self.accumulator.close();
        let mut batches = self.take_from_all(|_| true);
        for batch in &mut batches {
            batch.seal_plain(&mut self.compressors);
        }
        batches
    }

    /// Takes out every batch; what is appended later is accepted. Java: `abortBatches`.
    pub(crate) fn take_all(&mut self) -> Vec<ProducerBatch> {
        self.take_from_all(|_| true)
    }

    /// Takes out every batch that was never sent. Java: `abortUndrainedBatches`.
    pub(crate) fn abort_undrained(&mut self) -> Vec<ProducerBatch> {
        self.take_from_all(|batch| batch.sealed().is_none())
    }

    fn take_from_all(&mut self, wanted: impl Fn(&ProducerBatch) -> bool) -> Vec<ProducerBatch> {
        let mut all = Vec::new();
        for partition in self.accumulator.topics.queues() {
            let mut queue = partition.lock();
            let taken = queue.take_where(&wanted);
            if !taken.is_empty() {
                // What it waited for was for these; the next record must not wait for that.
                self.look_again(&partition, &mut queue);
                all.extend(taken);
            }
        }
        all
    }

    /// Calls `each` with the batches of every queue that has any, first to last.
    #[cfg(test)]
    pub(crate) fn for_each_queue(&self, mut each: impl FnMut(&TopicPartition, &[&ProducerBatch])) {
        for partition in self.accumulator.topics.queues() {
            let queue = partition.lock();
            let batches: Vec<_> = queue.batches().collect();
            if !batches.is_empty() {
                each(partition.topic_partition(), &batches);
            }
        }
    }

    pub(super) fn find(&self, tp: &TopicPartition) -> Option<Arc<PartitionQueue>> {
        let topic = self.accumulator.topics.find(tp.topic())?;
        topic.find(tp.partition()).cloned()
    }

    /// Something changed that the next pass must judge.
    pub(super) fn look_again(
        &mut self,
        partition: &Arc<PartitionQueue>,
        queue: &mut LockedQueue<'_>,
    ) {
        queue.place = Place::Listed { at_once: true };
        self.pending.push(Arc::clone(partition));
    }

    pub(super) fn delivery_timeout(&self) -> Duration {
        self.accumulator.config.delivery_timeout
    }
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }
}
