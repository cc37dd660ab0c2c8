//! The producer: many threads send through it, one background thread talks to the brokers.
//!
//! Java: `clients/producer/KafkaProducer.java`, `clients/producer/Producer.java`.
//! Differs: handles are cloned and share one producer; dropping the last one delivers within a limit; `close` reports and
//! hands back what was not sent; there is a `send` that never blocks; a custom partitioner is asked once per record.
//! Threads: any. Locks: none of its own; see `internals`.

mod builder;
mod callbacks;
mod close;
mod health;
mod metadata_wait;
mod plugins;
mod record_clock;
mod send;
#[cfg(test)]
#[cfg_attr(
    not(feature = "embedded-broker"),
    expect(dead_code, reason = "for the simulator, which needs brokers")
)]
pub(crate) mod stepped;
mod thread_memory;
mod transactions;
mod wiring;

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::common::cluster::PartitionInfo;
use crate::common::kafka_error::{KafkaError, TimeLimit};
use crate::common::planted::planted;
use crate::common::process::Process;
use crate::common::serialization::DefaultSerializer;
use crate::common::sync::Mutex;
use crate::common::time::{Time, deadline};
use crate::producer::internals::future_record_metadata::FutureRecordMetadata;
use crate::producer::internals::producer_batch::Callback;
use crate::producer::internals::producer_metadata::ProducerMetadata;
use crate::producer::internals::record_accumulator::RecordAccumulator;
use crate::producer::internals::sender::SenderControl;
use crate::producer::internals::transaction_manager::TransactionManager;
use crate::producer::kafka_producer::close::Closing;
use crate::producer::kafka_producer::plugins::Plugins;
use crate::producer::kafka_producer::record_clock::RecordClock;
use crate::producer::kafka_producer::send::Outgoing;
use crate::producer::producer_config::ProducerConfig;
use crate::producer::producer_record::ProducerRecord;
use crate::producer::record_metadata::RecordMetadata;

pub use builder::{ByType, Given, KafkaProducerBuilder, SerializerChoice};
pub use close::CloseReport;
pub use health::ProducerHealth;
pub use send::TrySendError;

/// Sends records to Kafka, from any number of threads.
///
/// `K` and `V` are what is serialized; records may own or borrow them. Clones are handles to one and the same producer,
/// with one background thread for all. Dropping the last handle delivers what is still waiting, for at most
/// `ottla.drop.timeout.ms`; [`close`](Self::close) does the same with a limit of your own and tells what became of it.
///
/// ```no_run
/// use ottla::{KafkaProducer, ProducerRecord};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), ottla::KafkaError> {
/// let producer = KafkaProducer::<i32, str>::from_properties([
///     ("bootstrap.servers", "localhost:9092"),
///     ("acks", "all"),
/// ])?;
///
/// // Waits for the answer.
/// let metadata = producer.send(ProducerRecord::new("my-topic", 1, "Message_1"))?.get()?;
/// println!("partition {}, offset {}", metadata.partition(), metadata.offset());
///
/// // Is told the answer.
/// let text = format!("Message_{}", 2);
/// producer.send_with_callback(ProducerRecord::new("my-topic", 2, text), |result| match result {
///     Ok(metadata) => println!("{metadata}"),
///     Err(error) => eprintln!("{error}"),
/// })?;
///
/// producer.flush()?;
/// producer.close(Duration::from_secs(30))?;
/// # Ok(())
/// # }
/// ```
pub struct KafkaProducer<K: ?Sized, V: ?Sized> {
    inner: Arc<Inner<K, V>>,
}

impl<K, V> KafkaProducer<K, V>
where
    K: DefaultSerializer + ?Sized + 'static,
    V: DefaultSerializer + ?Sized + 'static,
{
    /// A producer with the serializers that its types name.
    ///
    /// # Errors
    /// Where the configuration names serializers for other types, no server's name can be resolved, or the system gives
    /// no thread.
    pub fn new(config: ProducerConfig) -> Result<Self, KafkaError> {
        Self::builder(config).build()
    }

    /// A producer from Java's keys and values.
    ///
    /// # Errors
    /// As [`ProducerConfig::from_properties`] and [`new`](Self::new).
    pub fn from_properties<N, T>(
        properties: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, KafkaError>
    where
        N: AsRef<str>,
        T: AsRef<str>,
    {
        Self::new(ProducerConfig::from_properties(properties)?)
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> KafkaProducer<K, V> {
    /// Starts a producer with serializers, a partitioner or interceptors of your own.
    pub fn builder(config: ProducerConfig) -> KafkaProducerBuilder<K, V> {
        KafkaProducerBuilder::new(config)
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> KafkaProducer<K, V> {
    /// Sends a record: puts it into the batch of its partition and returns the promise of its outcome.
    ///
    /// May wait for metadata and for buffer memory, `max.block.ms` in all. What goes wrong with the record itself (no such
    /// topic, too large, no memory in time) is in the promise, as in Java.
    ///
    /// # Errors
    /// What Java throws: the producer is closed, the record cannot be serialized, the partition makes no sense.
    #[inline]
    pub fn send<RK: Borrow<K>, RV: Borrow<V>>(
        &self,
        mut record: ProducerRecord<'_, RK, RV>,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        let max_block = self.inner.limits.max_block;
        self.inner
            .send(&mut Outgoing::of(&mut record, None, max_block))
    }

    /// As [`send`](Self::send), and calls `callback` with the outcome: on the background thread, in the order of the
    /// partition, before the promise is kept. Where the record is refused at once, on the calling thread before this
    /// returns. Exactly once, unless this returns an error.
    ///
    /// A callback must be quick, and must not wait for the producer: it runs on the thread that it would wait for.
    ///
    /// # Errors
    /// As [`send`](Self::send); the callback is not called then.
    #[inline]
    pub fn send_with_callback<RK: Borrow<K>, RV: Borrow<V>>(
        &self,
        mut record: ProducerRecord<'_, RK, RV>,
        callback: impl FnOnce(Result<RecordMetadata, KafkaError>) + Send + 'static,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        let max_block = self.inner.limits.max_block;
        let callback: Callback = Box::new(callback);
        self.inner.accumulator.expect_callbacks();
        self.inner
            .send(&mut Outgoing::of(&mut record, Some(callback), max_block))
    }

    /// As [`send`](Self::send), with a limit of its own in place of `max.block.ms`.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    #[inline]
    pub fn send_timeout<RK: Borrow<K>, RV: Borrow<V>>(
        &self,
        mut record: ProducerRecord<'_, RK, RV>,
        timeout: Duration,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        self.inner
            .send(&mut Outgoing::of(&mut record, None, timeout))
    }

    /// Sends a record where that needs no waiting, and gives it back where it does.
    ///
    /// A topic that is not known yet is asked for, so a later try may succeed.
    ///
    /// # Errors
    /// Whatever is in the way, with the record.
    #[inline]
    pub fn try_send<'r, RK: Borrow<K>, RV: Borrow<V>>(
        &self,
        record: ProducerRecord<'r, RK, RV>,
    ) -> Result<FutureRecordMetadata, TrySendError<ProducerRecord<'r, RK, RV>>> {
        let mut record = record;
        let headers = record.headers().clone();
        let mut outgoing = Outgoing::of(&mut record, None, Duration::ZERO);
        let sent = self.inner.try_send(&mut outgoing);
        sent.map_err(|error| TrySendError::new(error, record.with_headers(headers)))
    }

    /// Waits until every record that was sent before is done, successfully or not. Their batches leave at once.
    ///
    /// # Errors
    /// In a callback, and in a process that was forked off.
    pub fn flush(&self) -> Result<(), KafkaError> {
        self.inner.check_may_wait("flush")?;
        self.inner.accumulator.await_flush_completion(None);
        Ok(())
    }

    /// As [`flush`](Self::flush), but no longer than `timeout`.
    ///
    /// # Errors
    /// As [`flush`](Self::flush), and where the time runs out; the records are still on their way then.
    pub fn flush_timeout(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.inner.check_may_wait("flush")?;
        let until = deadline(self.inner.time.now(), timeout);
        if self.inner.accumulator.await_flush_completion(Some(until)) {
            return Ok(());
        }
        let message = format!(
            "some records have no outcome after {} ms of flushing",
            timeout.as_millis()
        );
        Err(KafkaError::timeout(TimeLimit::Call, message))
    }

    /// The partitions of a topic. Waits for metadata, at most `max.block.ms`; a topic that was asked for once needs no
    /// waiting at its first record.
    ///
    /// # Errors
    /// Where the topic is not known in time, its name is not legal, or this user may not know of it.
    pub fn partitions_for(&self, topic: &str) -> Result<Vec<PartitionInfo>, KafkaError> {
        self.inner.partitions_for(topic)
    }

    /// What can be said about the producer at this moment; cheap.
    pub fn health(&self) -> ProducerHealth {
        self.inner.health()
    }

    /// Accepts no more records, delivers what was accepted, for at most `timeout`, and gives up the rest. Every later call
    /// but this one fails; closing again reports nothing new.
    ///
    /// In a callback it does not wait at all, since the thread that would deliver is busy with the callback.
    ///
    /// # Errors
    /// Where the background thread died, and in a process that was forked off.
    pub fn close(&self, timeout: Duration) -> Result<CloseReport, KafkaError> {
        self.inner.close(timeout)
    }
}

impl<K: ?Sized, V: ?Sized> Clone for KafkaProducer<K, V> {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
        }
    }
}

impl<K: ?Sized, V: ?Sized> fmt::Debug for KafkaProducer<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaProducer")
            .field("client_id", &self.inner.limits.client_id)
            .field("closed", &self.inner.accumulator.is_closed())
            .finish_non_exhaustive()
    }
}

/// What all handles share. The I/O thread holds none of it, so that the last handle's drop ends it.
struct Inner<K: ?Sized, V: ?Sized> {
    limits: Limits,
    plugins: Plugins<K, V>,
    metadata: Arc<ProducerMetadata>,
    accumulator: Arc<RecordAccumulator>,
    control: Arc<SenderControl>,
    closing: Closing,
    time: Arc<dyn Time>,
    clock: RecordClock,
    /// Exists where the producer has a `transactional.id`.
    transactions: Option<Arc<Mutex<TransactionManager>>>,
    process: Process,
}

/// What of the configuration a send looks at.
#[derive(Debug, Clone)]
struct Limits {
    client_id: String,
    max_block: Duration,
    max_request_size: usize,
    buffer_memory: usize,
    /// The lesser of the two.
    largest_record: usize,
    drop_timeout: Duration,
}

impl<K: ?Sized, V: ?Sized> Inner<K, V> {
    /// Refuses to wait where waiting could not end.
    fn check_may_wait(&self, what: &str) -> Result<(), KafkaError> {
        self.process.check()?;
        if self.accumulator.is_io_thread() && !planted!("callback-may-wait") {
            return Err(KafkaError::illegal_state(format!(
                "{what} was called on the I/O thread (inside a callback), which is the thread that completes records"
            )));
        }
        Ok(())
    }

    /// Refuses a closed producer, and says why it is closed where it closed by itself.
    #[inline]
    fn check_open(&self) -> Result<(), KafkaError> {
        if self.control.is_running() {
            return Ok(());
        }
        let failure = self.control.failure().cloned();
        Err(failure
            .unwrap_or_else(|| KafkaError::illegal_state("the producer has been closed already")))
    }
}

#[cfg(test)]
mod tests;
