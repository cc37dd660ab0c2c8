//! Queues records per partition until a batch is full, old, or somebody waits for it.
//!
//! Java: `clients/producer/internals/RecordAccumulator.java`.
//! Differs: two halves: appending (this file, any thread) and draining (`RecordDrainer`, the I/O thread's own), which
//! looks only at partitions that have something; batches start small and grow; memory comes back by the last drop.
//! Threads: any. Locks: `PartitionQueue`; `BufferPool`, `IncompleteBatches`, `ReadyList`, `PartitionLoad` inside it.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::client::metadata_snapshot::TopicMetadata;
use crate::common::cluster::{NodeId, TopicPartition};
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::common::sync::atomic::{AtomicBool, Ordering};
use crate::common::time::Time;
use crate::producer::internals::buffer_pool::{BufferPool, Patience, PooledBuffer};
use crate::producer::internals::future_record_metadata::FutureRecordMetadata;
use crate::producer::internals::incomplete_batches::IncompleteBatches;
use crate::producer::internals::produce_request_result::{Lender, ProduceRequestResult};
use crate::producer::internals::producer_batch::{Callback, RecordToAppend};
use crate::record::compression::Compression;
use crate::record::compression_ratio_estimator::CompressionRatioEstimator;
use crate::record::compression_type::CompressionType;
use crate::record::default_record::RecordHeader;

mod append;
mod drain;
mod expire;
mod node_latency;
mod partition_load;
mod partition_queue;
mod ready;
mod ready_list;
mod record_drainer;
mod topics;

#[cfg(test)]
mod tests;

pub(crate) use self::record_drainer::RecordDrainer;

use self::node_latency::NodeLatencies;
use self::ready_list::ReadyList;
use self::topics::Topics;

/// The half that application threads use.
pub(crate) struct RecordAccumulator {
    config: AccumulatorConfig,
    topics: Topics,
    pool: Arc<BufferPool>,
    incomplete: Arc<IncompleteBatches>,
    ready: Arc<ReadyList>,
    /// How large the buffer of a batch may grow, unless a single record needs more.
    largest_buffer: usize,
    ratios: CompressionRatioEstimator,
    latencies: NodeLatencies,
    time: Arc<dyn Time>,
    /// Random numbers for the choice of partitions.
    random: fn() -> u32,
    /// Set once by `close`. Appends read it under their queue's lock, and the closing thread takes every such lock after
    /// it has set it, so no record slips in behind.
    closed: AtomicBool,
    /// Whether any record ever had a callback. Set before the record is appended, under whose queue's lock it is drained.
    has_callbacks: AtomicBool,
}

/// The settings that shape the accumulator.
#[derive(Debug, Clone)]
pub(crate) struct AccumulatorConfig {
    /// `batch.size`; 0 counts as 1, a batch per record.
    pub(crate) batch_size: usize,
    pub(crate) buffer_memory: usize,
    pub(crate) compression: Compression,
    pub(crate) linger: Duration,
    pub(crate) delivery_timeout: Duration,
    pub(crate) retry_backoff: ExponentialBackoff,
    /// Whether one request per partition must be answered before the next one goes
    /// (`max.in.flight.requests.per.connection=1`).
    pub(crate) guarantee_message_order: bool,
    /// `partitioner.adaptive.partitioning.enable`, and no partitioner of the user's own.
    pub(crate) adaptive_partitioning: bool,
    /// `partitioner.availability.timeout.ms`; zero is off.
    pub(crate) availability_timeout: Duration,
}

/// Where a record goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(crate) topic: &'a TopicMetadata,
    /// Nothing leaves the choice to the built-in partitioner.
    pub(crate) partition: Option<i32>,
}

impl RecordAccumulator {
    /// `wakeup` ends the sleep of the I/O thread and is cheap where that does not sleep.
    pub(crate) fn new(
        config: AccumulatorConfig,
        time: Arc<dyn Time>,
        random: fn() -> u32,
        wakeup: Box<dyn Fn() + Send + Sync>,
    ) -> Arc<Self> {
        let ready = Arc::new(ReadyList::new(time.now(), wakeup));
        let batch_size = config.batch_size.max(1);
        let largest_buffer = match config.compression.codec() {
            CompressionType::None => batch_size,
            _ => batch_size.saturating_mul(PLAIN_FACTOR),
        };
        let pool = BufferPool::new(config.buffer_memory, largest_buffer);
        Arc::new(Self {
            topics: Topics::new(batch_size, Arc::clone(&ready)),
            pool,
            incomplete: IncompleteBatches::new(),
            ready,
            largest_buffer,
            ratios: CompressionRatioEstimator::new(),
            latencies: NodeLatencies::new(config.availability_timeout),
            time,
            random,
            closed: AtomicBool::new(false),
            has_callbacks: AtomicBool::new(false),
            config: AccumulatorConfig {
                batch_size,
                ..config
            },
        })
    }

    /// Adds a record to the batch that is open for its partition, or to a new one. Waits for buffer memory where there is
    /// none, at most `max_block`. The callback is taken only where the record was added. Wakes the I/O thread where there
    /// is news for it that it would see too late.
    ///
    /// # Errors
    /// Where the memory does not come in time or can never come, where the producer is closed, and in a process that was
    /// forked off, which has no I/O thread.
    #[inline(always)]
    pub(crate) fn append<H: RecordHeader>(
        &self,
        to: Destination<'_>,
        record: &RecordToAppend<'_, H>,
        callback: &mut Option<Callback>,
        now: Instant,
        max_block: Duration,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        let topic = self.topics.topic(to.topic);
        if let Some(appended) = self.append_to_open_batch(topic, &to, record, callback) {
            return appended;
        }
        // Taken apart and put together again; see `Inner::send`.
        let appended = self.append_thoroughly(topic, to, record, callback, (now, max_block))?;
        Ok(appended)
    }

    /// Lets every batch that exists now leave without its linger, and returns the promises of all of them.
    ///
    /// Java: `beginFlush`.
    pub(crate) fn begin_flush(&self) -> Vec<Arc<ProduceRequestResult>> {
        let results = self.incomplete.results();
        results.iter().for_each(|result| result.want());
        results
    }

    /// Waits until every batch that exists now is done, or until `deadline`. Returns whether all are.
    ///
    /// Java: `awaitFlushCompletion`.
    pub(crate) fn await_flush_completion(&self, deadline: Option<Instant>) -> bool {
        self.begin_flush()
            .iter()
            .all(|result| result.await_all_dependents(deadline))
    }

    /// No record is accepted from now on; who waits for memory fails.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.pool.close();
        self.ready.wakeup();
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Whether any batch is not done. Java: `hasIncomplete`.
    pub(crate) fn has_incomplete(&self) -> bool {
        !self.incomplete.is_empty()
    }

    /// To be called before the first record with a callback is appended.
    #[inline]
    pub(crate) fn expect_callbacks(&self) {
        self.has_callbacks.store(true, Ordering::Relaxed);
    }

    /// Whether completing a record may run the application's code.
    pub(crate) fn has_callbacks(&self) -> bool {
        self.has_callbacks.load(Ordering::Relaxed)
    }

    /// Lets threads that wait for a record do the I/O thread's work.
    pub(crate) fn lend_by(&self, lender: Weak<dyn Lender>) {
        self.ready.lend_by(lender);
    }

    /// The results of all batches that are not done.
    pub(crate) fn incomplete(&self) -> &IncompleteBatches {
        &self.incomplete
    }

    /// Whether any batch waits in a queue. Java: `hasUndrained`.
    pub(crate) fn has_undrained(&self) -> bool {
        // Takes every lock: an append that saw the accumulator open has finished when its queue is looked at.
        self.topics.queues().iter().any(|q| !q.lock().is_empty())
    }

    pub(crate) fn pool(&self) -> &Arc<BufferPool> {
        &self.pool
    }

    /// The calling thread is the one that drains: from now on it is refused to wait for records.
    pub(crate) fn enter_io_thread(&self) {
        self.ready.enter_io_thread();
    }

    /// Whether the calling thread is the one that drains, on which nothing may wait for a record or for memory.
    pub(crate) fn is_io_thread(&self) -> bool {
        self.ready.is_io_thread()
    }

    /// From now on this process is not the one in which the I/O thread runs.
    #[cfg(test)]
    pub(crate) fn fork(&self) {
        self.ready.forked.store(true, Ordering::SeqCst);
    }

    /// A node was looked at for sending: could it take a request? Java: `updateNodeLatencyStats`.
    pub(crate) fn update_node_latency_stats(&self, node: NodeId, now: Instant, can_drain: bool) {
        self.latencies.update(node, now, can_drain);
    }

    /// Wakes the I/O thread for a record, whose queue's lock must not be held any more.
    #[cold]
    fn wake_for_record(&self) -> Result<(), KafkaError> {
        self.ready.process().check()?;
        self.ready.nudge();
        Ok(())
    }

    /// Everything must go: the memory is used up, or the producer closes.
    fn is_pressed(&self) -> bool {
        self.pool.queued() > 0 || self.is_closed()
    }

    /// How small the next batch will become.
    fn ratio_of(&self, tp: &TopicPartition) -> f32 {
        match self.config.compression.codec() {
            CompressionType::None => 1.0,
            codec => self.ratios.estimation(tp.topic(), codec),
        }
    }

    fn allocate(
        &self,
        size: usize,
        now: Instant,
        max_block: Duration,
    ) -> Result<PooledBuffer, KafkaError> {
        let patience = Patience {
            now,
            // Nobody but the I/O thread frees memory, so there it would wait for itself.
            max_block: if self.is_io_thread() {
                Duration::ZERO
            } else {
                max_block
            },
            on_wait: &|| {
                if !planted!("starving-in-silence") {
                    self.ready.wakeup();
                }
            },
        };
        self.pool.allocate(size, &patience)
    }
}

impl fmt::Debug for RecordAccumulator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordAccumulator")
            .field("config", &self.config)
            .field("incomplete", &self.incomplete.len())
            .finish_non_exhaustive()
    }
}

/// Records are compressed when their batch is complete, so the buffer of a batch holds more than `batch.size`: up to this
/// many times as much.
const PLAIN_FACTOR: usize = 16;
