//! One append, from the moment it has its queue's lock.
//!
//! Java: `clients/producer/internals/RecordAccumulator.java` (`tryAppend`, `appendNewBatch`, `partitionChanged`).
//! Differs: a new batch usually gets its memory without giving up the lock.
//! Threads: any. Locks: holds `PartitionQueue`; `BufferPool`, `IncompleteBatches`, `ReadyList`, `PartitionLoad` inside.

use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::time::deadline;
use crate::producer::internals::buffer_pool::PooledBuffer;
use crate::producer::internals::built_in_partitioner::Sticky;
use crate::producer::internals::future_record_metadata::{AppendedRecord, FutureRecordMetadata};
use crate::producer::internals::produce_request_result::{BatchOwner, ProduceRequestResult};
use crate::producer::internals::producer_batch::{
    Callback, OpenRecords, ProducerBatch, RecordToAppend,
};
use crate::producer::internals::record_accumulator::partition_queue::{
    LockedQueue, PartitionQueue,
};
use crate::producer::internals::record_accumulator::topics::TopicQueues;
use crate::producer::internals::record_accumulator::{
    Destination, RecordAccumulator, RecordAppendResult,
};
use crate::record::default_record::RecordHeader;
use crate::record::default_record_batch::RECORD_BATCH_OVERHEAD;
use crate::record::memory_records_builder::{MemoryRecordsBuilder, estimate_size_upper_bound};

/// What one append works with.
pub(super) struct Append<'a> {
    pub(super) accumulator: &'a RecordAccumulator,
    pub(super) topic: &'a TopicQueues,
    pub(super) to: Destination<'a>,
    /// The choice that led here, where the partition was chosen by the built-in partitioner.
    pub(super) sticky: Option<Sticky>,
    pub(super) partition: &'a Arc<PartitionQueue>,
    pub(super) queue: LockedQueue<'a>,
}

/// How far an append came.
pub(super) enum Attempt {
    Appended(RecordAppendResult),
    /// Another partition is the sticky one by now.
    Moved,
    /// A new batch is needed, and a buffer of this size for it, which takes waiting.
    NeedsBuffer(usize),
}

impl Append<'_> {
    /// `buffer` is memory that was waited for; it stays where it is if it turns out not to be needed.
    pub(super) fn attempt<H: RecordHeader>(
        &mut self,
        record: &RecordToAppend<'_, H>,
        callback: &mut Option<Callback>,
        buffer: &mut Option<PooledBuffer>,
        now: Instant,
    ) -> Result<Attempt, KafkaError> {
        if self.accumulator.is_closed() {
            return Err(closed());
        }
        if self.has_moved() {
            return Ok(Attempt::Moved);
        }
        if let Some(batch) = self.queue.last_mut() {
            if let Some((appended, size)) = batch.try_append(record, callback)? {
                let result = Arc::clone(batch.result());
                let wake = self.after_append(size, None);
                return Ok(self.appended(result, appended, wake));
            }
        }
        let first = estimate_size_upper_bound(record.key, record.value, record.headers);
        // As much as the batches of this partition usually fill, so that those of a busy one need not grow.
        let size = self.queue.usual_size.max(first);
        let pool = &self.accumulator.pool;
        match buffer.take().or_else(|| pool.try_allocate(size)) {
            Some(buffer) => self.open_batch(record, callback, buffer, now),
            None => Ok(Attempt::NeedsBuffer(size)),
        }
    }

    /// Whether the sticky choice was replaced, or should have been: a switch that was put off while the last batch was
    /// open is made up for as soon as that is full.
    fn has_moved(&self) -> bool {
        let Some(sticky) = self.sticky else {
            return false;
        };
        let partitioner = &self.topic.partitioner;
        partitioner.is_changed(sticky)
            || self.queue.ends_full() && partitioner.update(sticky, 0, true, || self.choose())
    }

    fn open_batch<H: RecordHeader>(
        &mut self,
        record: &RecordToAppend<'_, H>,
        callback: &mut Option<Callback>,
        buffer: PooledBuffer,
        now: Instant,
    ) -> Result<Attempt, KafkaError> {
        let accumulator = self.accumulator;
        let owner: Weak<dyn BatchOwner> = Arc::downgrade(self.partition) as Weak<dyn BatchOwner>;
        let tp = self.partition.topic_partition().clone();
        let result = Arc::new(ProduceRequestResult::new(tp, owner));
        let incomplete = accumulator.incomplete.add(&result);
        let config = &accumulator.config;
        let ratio = accumulator.ratio_of(self.partition.topic_partition());
        let records = OpenRecords::new(buffer, |memory| {
            MemoryRecordsBuilder::new(memory, config.batch_size, config.compression, ratio)
        });
        let mut batch = ProducerBatch::new(Arc::clone(&result), now, records, incomplete);
        let (appended, size) = batch
            .try_append(record, callback)?
            .expect("the buffer was made for this record");
        self.queue.push_back(batch);
        let wake = self.after_append(size + RECORD_BATCH_OVERHEAD, Some(now));
        Ok(self.appended(result, appended, wake))
    }

    /// Counts the bytes for the sticky choice, and tells the I/O thread what is new to it. `opened` is when the batch
    /// was opened, where it is a new one. Returns whether the I/O thread must be woken.
    fn after_append(&mut self, size: usize, opened: Option<Instant>) -> bool {
        if let Some(sticky) = self.sticky {
            let size = u32::try_from(size).unwrap_or(u32::MAX);
            let enable_switch = self.queue.ends_full();
            self.topic
                .partitioner
                .update(sticky, size, enable_switch, || self.choose());
        }
        let linger = self.accumulator.config.linger;
        let at_once = self.queue.starts_full();
        match opened {
            None if !at_once => false,
            Some(now) if !at_once && !linger.is_zero() && !self.accumulator.is_pressed() => {
                let due = Some(deadline(now, linger));
                self.partition.tell(&mut self.queue, due)
            }
            _ => self.partition.tell(&mut self.queue, None),
        }
    }

    fn appended(
        &self,
        result: Arc<ProduceRequestResult>,
        record: AppendedRecord,
        wake: bool,
    ) -> Attempt {
        Attempt::Appended(RecordAppendResult {
            future: FutureRecordMetadata::new(result, record),
            partition: self.partition.topic_partition().partition(),
            wake,
        })
    }

    fn choose(&self) -> i32 {
        self.accumulator.choose(self.topic, self.to.topic)
    }
}

fn closed() -> KafkaError {
    KafkaError::new(
        ErrorKind::Kafka,
        "the producer was closed while a send was in progress",
    )
}
