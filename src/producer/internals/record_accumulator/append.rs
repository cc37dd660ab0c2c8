//! One append, from the moment it has its queue's lock.
//!
//! Java: `clients/producer/internals/RecordAccumulator.java` (`tryAppend`, `appendNewBatch`, `partitionChanged`).
//! Differs: the usual case, an open batch with room, is a short path of its own; a new batch usually gets its memory
//! without giving up the lock.
//! Threads: any. Locks: holds `PartitionQueue`; `BufferPool`, `IncompleteBatches`, `ReadyList`, `PartitionLoad` inside.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

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
use crate::producer::internals::record_accumulator::{Destination, RecordAccumulator};
use crate::record::default_record::RecordHeader;
use crate::record::default_record_batch::RECORD_BATCH_OVERHEAD;
use crate::record::memory_records_builder::{MemoryRecordsBuilder, estimate_size_upper_bound};

impl RecordAccumulator {
    /// The usual case: the last batch of the partition is open and has room. Nothing where it is anything else.
    #[inline(always)]
    pub(super) fn append_to_open_batch<H: RecordHeader>(
        &self,
        topic: &TopicQueues,
        to: &Destination<'_>,
        record: &RecordToAppend<'_, H>,
        callback: &mut Option<Callback>,
    ) -> Option<Result<FutureRecordMetadata, KafkaError>> {
        let (number, sticky) = match to.partition {
            Some(number) => (number, None),
            None => {
                let sticky = topic.partitioner.current()?;
                (sticky.partition(), Some(sticky))
            }
        };
        let partition = topic.find(number)?;
        let mut queue = partition.lock();
        if self.is_closed() || sticky.is_some_and(|s| topic.partitioner.is_changed(s)) {
            return None;
        }
        let batch = queue.last_mut()?;
        let joined = batch.append_where_it_fits(record, callback)?;
        let result = Arc::clone(batch.result());
        if let Some(sticky) = sticky {
            let choose = || self.choose(topic, to.topic);
            topic
                .partitioner
                .update(sticky, joined.size, joined.fills, choose);
        }
        if joined.fills && partition.tell(&mut queue, None) {
            drop(queue);
            if let Err(forked) = self.wake_for_record() {
                return Some(Err(forked));
            }
        }
        let record = AppendedRecord::new(joined.index, record);
        Some(Ok(FutureRecordMetadata::new(result, record)))
    }

    /// Every case: chooses a partition, opens a batch, waits for memory.
    #[inline(never)]
    pub(super) fn append_thoroughly<H: RecordHeader>(
        &self,
        topic: &TopicQueues,
        to: Destination<'_>,
        record: &RecordToAppend<'_, H>,
        callback: &mut Option<Callback>,
        (mut now, max_block): (Instant, Duration),
    ) -> Result<FutureRecordMetadata, KafkaError> {
        let mut buffer = None;
        loop {
            let (number, sticky) = match to.partition {
                Some(number) => (number, None),
                None => {
                    let sticky = topic.partitioner.peek(|| self.choose(topic, to.topic));
                    (sticky.partition(), Some(sticky))
                }
            };
            let partition = to
                .topic
                .partition(number)
                .and_then(|_| self.topics.queue(topic, number))
                .ok_or_else(|| no_such_partition(&to, number))?;
            let mut append = Append {
                accumulator: self,
                topic,
                to,
                sticky,
                partition,
                queue: partition.lock(),
            };
            match append.attempt(record, callback, &mut buffer, now)? {
                Attempt::Appended { future, wake } => {
                    drop(append);
                    if wake {
                        self.wake_for_record()?;
                    }
                    return Ok(future);
                }
                Attempt::Moved => {}
                Attempt::NeedsBuffer(size) => {
                    // Waits without the lock.
                    drop(append);
                    buffer = Some(self.allocate(size, now, max_block)?);
                    now = self.time.now();
                }
            }
        }
    }
}

/// What one append works with.
struct Append<'a> {
    accumulator: &'a RecordAccumulator,
    topic: &'a TopicQueues,
    to: Destination<'a>,
    /// The choice that led here, where the partition was chosen by the built-in partitioner.
    sticky: Option<Sticky>,
    partition: &'a Arc<PartitionQueue>,
    queue: LockedQueue<'a>,
}

/// How far an append came.
enum Attempt {
    Appended {
        future: FutureRecordMetadata,
        /// Whether the I/O thread must be woken.
        wake: bool,
    },
    /// Another partition is the sticky one by now.
    Moved,
    /// A new batch is needed, and a buffer of this size for it, which takes waiting.
    NeedsBuffer(usize),
}

impl Append<'_> {
    /// `buffer` is memory that was waited for; it stays where it is if it turns out not to be needed.
    fn attempt<H: RecordHeader>(
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
            if let Some((future, size)) = batch.try_append(record, callback)? {
                let wake = self.after_append(size, None);
                return Ok(Attempt::Appended { future, wake });
            }
            // It is full. The I/O thread learns as much when it drains it, which is too late in a burst.
            let natural = batch.natural_size();
            let pressed = self.accumulator.is_pressed();
            self.queue.learn_size(natural, pressed);
        }
        let first = estimate_size_upper_bound(record);
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
        // Once per batch is often enough for the metadata to keep the topic.
        self.to.topic.usage.touch(now);
        let owner: Weak<dyn BatchOwner> = Arc::downgrade(self.partition) as Weak<dyn BatchOwner>;
        let tp = self.partition.topic_partition().clone();
        let result = Arc::new(ProduceRequestResult::new(tp, owner));
        let incomplete = accumulator.incomplete.add(&result, now);
        let config = &accumulator.config;
        let ratio = accumulator.ratio_of(self.partition.topic_partition());
        let records = OpenRecords::new(buffer, accumulator.largest_buffer, |memory| {
            MemoryRecordsBuilder::new(memory, config.batch_size, config.compression, ratio)
        });
        let mut batch = ProducerBatch::new(result, now, records, incomplete);
        let (future, size) = batch
            .try_append(record, callback)?
            .expect("the buffer was made for this record");
        self.queue.push_back(batch);
        let wake = self.after_append(size + RECORD_BATCH_OVERHEAD, Some(now));
        Ok(Attempt::Appended { future, wake })
    }

    /// Counts the bytes for the sticky choice, and tells the I/O thread what is new to it. `opened` is when the batch
    /// was opened, where it is a new one. Returns whether the I/O thread must be woken.
    fn after_append(&mut self, size: usize, opened: Option<Instant>) -> bool {
        if let Some(sticky) = self.sticky {
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

fn no_such_partition(to: &Destination<'_>, number: i32) -> KafkaError {
    KafkaError::illegal_argument(format!(
        "partition {number} is not one of the {} partitions of topic {}",
        to.topic.partitions.len(),
        to.topic.name
    ))
}
