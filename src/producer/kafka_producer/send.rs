//! The way of a record from the caller into the batch of its partition.
//!
//! Java: `clients/producer/KafkaProducer.java` (`doSend`, `partition`, `ensureValidRecordSize`).
//! Differs: bytes that a serializer lends go straight into the batch; a custom partitioner is asked exactly once, and an
//! answer that is no partition of the topic is an error; on the I/O thread nothing waits.
//! Threads: any. Locks: those of `wait_on_metadata` and `append`, one after the other; user code runs under none.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::metadata_snapshot::TopicMetadata;
use crate::common::error_kind::ErrorKind;
use crate::common::header::{Header, Headers};
use crate::common::kafka_error::KafkaError;
use crate::common::serialization::Serializer;
use crate::producer::internals::future_record_metadata::FutureRecordMetadata;
use crate::producer::internals::producer_batch::{Callback, RecordToAppend};
use crate::producer::internals::record_accumulator::Destination;
use crate::producer::kafka_producer::Inner;
use crate::producer::kafka_producer::callbacks::{AppendCallbacks, is_api_error, tell_at_once};
use crate::producer::kafka_producer::metadata_wait::Wanted;
use crate::producer::kafka_producer::thread_memory::{Known, ThreadMemory, clear};
use crate::producer::partitioner::{Cluster, Partitioner, RecordToPlace};
use crate::producer::producer_interceptor::{Acknowledgement, InterceptedRecord};
use crate::producer::producer_record::{ProducerRecord, validate};
use crate::record::memory_records_builder::estimate_size_upper_bound;

/// A record on its way, whoever owns its parts.
pub(super) struct Outgoing<'r, K: ?Sized, V: ?Sized> {
    topic: &'r str,
    /// As it was asked for; as it was chosen from the moment on when it is.
    partition: Option<i32>,
    timestamp: Option<i64>,
    key: Option<&'r K>,
    value: Option<&'r V>,
    headers: &'r mut Headers,
    /// Whom to tell, until somebody else will.
    callback: Option<Callback>,
    /// How long this may take; what is left of it from the moment on when some is used.
    max_block: Duration,
}

impl<'r, K: ?Sized, V: ?Sized> Outgoing<'r, K, V> {
    #[inline]
    pub(super) fn of<RK: Borrow<K>, RV: Borrow<V>>(
        record: &'r mut ProducerRecord<'_, RK, RV>,
        callback: Option<Callback>,
        max_block: Duration,
    ) -> Self {
        Self {
            topic: &record.topic,
            partition: record.partition,
            timestamp: record.timestamp,
            key: record.key.as_ref().map(Borrow::borrow),
            value: record.value.as_ref().map(Borrow::borrow),
            headers: &mut record.headers,
            callback,
            max_block,
        }
    }

    #[inline]
    fn wanted(&self) -> Wanted<'r> {
        Wanted {
            topic: self.topic,
            partition: self.partition,
        }
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> Inner<K, V> {
    /// On its way up from `append`, the promise stays in registers: it is copied only once, into what this returns. What a
    /// function that is not inlined returns lies in memory, and a processor that copies in one piece what was just written in
    /// several waits until that is done. So what those return is taken apart and put together again, here and in `append`.
    #[inline]
    pub(super) fn send(
        &self,
        record: &mut Outgoing<'_, K, V>,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        match self.try_send(record) {
            Ok(future) => Ok(future),
            Err(error) if is_api_error(error.kind()) => {
                self.note_failed_send(&error);
                Ok(FutureRecordMetadata::refused(error))
            }
            Err(error) => Err(error),
        }
    }

    #[inline]
    pub(super) fn try_send(
        &self,
        record: &mut Outgoing<'_, K, V>,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        if !self.plugins.interceptors.is_empty() {
            let future = self.intercept_and_send(record)?;
            return Ok(future);
        }
        self.do_send(record)
            .map_err(|error| self.refuse(error, record))
    }

    #[cold]
    fn intercept_and_send(
        &self,
        record: &mut Outgoing<'_, K, V>,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        let mut seen = InterceptedRecord {
            topic: record.topic.into(),
            partition: record.partition,
            timestamp: record.timestamp,
            key: record.key.into(),
            value: record.value.into(),
            headers: std::mem::take(record.headers),
        };
        self.plugins.interceptors.on_send(&mut seen);
        *record.headers = std::mem::take(&mut seen.headers);
        let mut record = Outgoing {
            topic: seen.topic(),
            partition: seen.partition(),
            timestamp: seen.timestamp(),
            key: seen.key(),
            value: seen.value(),
            headers: record.headers,
            callback: record.callback.take(),
            max_block: record.max_block,
        };
        self.do_send(&mut record).map_err(|error| {
            let error = self.refuse(error, &mut record);
            self.plugins
                .interceptors
                .on_acknowledgement(&Acknowledgement {
                    topic: record.topic,
                    partition: record.partition,
                    headers: record.headers,
                    result: Err(&error),
                });
            error
        })
    }

    /// Says why a record goes no further; as in Java the callback hears of it first, and only of what goes into the
    /// future.
    #[cold]
    fn refuse(&self, error: KafkaError, record: &mut Outgoing<'_, K, V>) -> KafkaError {
        let error = self.explained(error);
        self.control.metrics().records_failed(1);
        self.control.note_error(&error, self.time.now());
        if is_api_error(error.kind()) {
            tell_at_once(record.callback.take(), &error);
        }
        error
    }

    #[inline]
    fn do_send(&self, record: &mut Outgoing<'_, K, V>) -> Result<FutureRecordMetadata, KafkaError> {
        self.check_open()?;
        match &self.transactions {
            None => self.find_and_append(record),
            Some(manager) => {
                let future = self.send_in_transaction(manager, record)?;
                Ok(future)
            }
        }
    }

    #[inline]
    pub(super) fn find_and_append(
        &self,
        record: &mut Outgoing<'_, K, V>,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        let now = self.time.now();
        let mut lent = ThreadMemory::lend();
        let ThreadMemory { found, key, value } = lent.memory();
        let stamp = self.metadata.stamp();
        let (Known { topic, tick }, now) = match found.find(stamp, record.wanted()) {
            Some(known) => (known, now),
            None => {
                let (topic, now) = self.ask_for_topic(record, now)?;
                (found.keep(stamp, topic), now)
            }
        };
        let timestamp = match record.timestamp {
            Some(timestamp) => {
                validate(None, Some(timestamp))?;
                timestamp
            }
            None => self.clock.epoch_ms(now, tick),
        };
        self.serialize_and_append(record, topic, (key, value), timestamp, now)
    }

    /// Waits for the metadata of the topic, which takes its part of the time.
    #[cold]
    fn ask_for_topic(
        &self,
        record: &mut Outgoing<'_, K, V>,
        now: Instant,
    ) -> Result<(Arc<TopicMetadata>, Instant), KafkaError> {
        validate(record.partition, record.timestamp)?;
        let (snapshot, then) = self.wait_on_metadata(record.wanted(), now, record.max_block)?;
        let waited = then.saturating_duration_since(now);
        record.max_block = record.max_block.saturating_sub(waited);
        let topic = snapshot
            .topic(record.topic)
            .expect("the wait for metadata ended because the topic is known");
        Ok((Arc::clone(topic), then))
    }

    #[inline]
    fn serialize_and_append(
        &self,
        record: &mut Outgoing<'_, K, V>,
        topic: &TopicMetadata,
        (key, value): (&mut Vec<u8>, &mut Vec<u8>),
        timestamp: i64,
        now: Instant,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        let key_bytes = serialize(
            self.plugins.key_serializer.as_ref(),
            (record.topic, record.key),
            record.headers,
            key,
        )?;
        let value_bytes = serialize(
            self.plugins.value_serializer.as_ref(),
            (record.topic, record.value),
            record.headers,
            value,
        )?;
        if record.partition.is_none() {
            record.partition = match &self.plugins.placement.custom {
                None => self.partition_for_key(key_bytes, topic),
                Some(partitioner) => {
                    let to_place = RecordToPlace {
                        topic: record.topic,
                        key: record.key,
                        key_bytes,
                        value: record.value,
                        value_bytes,
                    };
                    Some(self.ask(partitioner.as_ref(), &to_place, topic)?)
                }
            };
        }
        let headers = record.headers.as_slice();
        let to_append = RecordToAppend::new(timestamp, key_bytes, value_bytes, headers);
        self.ensure_valid_record_size(topic, &to_append)?;
        let to = Destination {
            topic,
            partition: record.partition,
        };
        let (callback, max_block) = (&mut record.callback, record.max_block);
        if self.plugins.interceptors.is_empty() {
            self.accumulator
                .append(to, &to_append, callback, now, max_block)
        } else {
            let future = self.append_intercepted(to, &to_append, callback, now, max_block)?;
            Ok(future)
        }
    }

    /// The partition of the key; nothing leaves it to the built-in partitioner.
    #[inline]
    pub(super) fn partition_for_key(
        &self,
        key: Option<&[u8]>,
        topic: &TopicMetadata,
    ) -> Option<i32> {
        let placement = &self.plugins.placement;
        let key = key.filter(|_| !placement.ignore_keys)?;
        placement
            .hash
            .partition_for_key(key, topic.partitions.len())
    }

    /// The partition of the user's choice.
    fn ask(
        &self,
        partitioner: &dyn Partitioner<K, V>,
        record: &RecordToPlace<'_, K, V>,
        topic: &TopicMetadata,
    ) -> Result<i32, KafkaError> {
        let count = topic.partitions.len();
        let chosen = partitioner.partition(record, &Cluster::new(&self.metadata.current()))?;
        if usize::try_from(chosen).is_ok_and(|chosen| chosen < count) {
            return Ok(chosen);
        }
        Err(KafkaError::illegal_argument(format!(
            "the partitioner chose partition {chosen} of topic {}, which has {count} partitions",
            record.topic
        )))
    }

    #[inline]
    fn ensure_valid_record_size(
        &self,
        topic: &TopicMetadata,
        record: &RecordToAppend<'_, Header>,
    ) -> Result<(), KafkaError> {
        let size = estimate_size_upper_bound(record);
        if size > self.limits.largest_record {
            return Err(self.too_large(&topic.name, size));
        }
        Ok(())
    }

    #[cold]
    fn too_large(&self, topic: &str, size: usize) -> KafkaError {
        let (limit, name) = if size > self.limits.max_request_size {
            (self.limits.max_request_size, "max.request.size")
        } else {
            (self.limits.buffer_memory, "buffer.memory")
        };
        KafkaError::new(
            ErrorKind::RecordTooLarge,
            format!("record of {size} bytes is larger than {name} {limit} (topic {topic})"),
        )
    }

    /// Appends a record whose outcome the interceptors hear of before its callback does.
    #[cold]
    fn append_intercepted(
        &self,
        to: Destination<'_>,
        record: &RecordToAppend<'_, Header>,
        callback: &mut Option<Callback>,
        now: Instant,
        max_block: Duration,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        self.accumulator.expect_callbacks();
        let mut callbacks = AppendCallbacks::new(
            &self.plugins.interceptors,
            &to.topic.name,
            record.headers,
            callback.take(),
        );
        let for_batch = &mut callbacks.for_batch;
        let appended = self
            .accumulator
            .append(to, record, for_batch, now, max_block);
        match &appended {
            Ok(future) => {
                let tp = future.topic_partition();
                callbacks.appended_to(tp.expect("it was appended").partition());
            }
            Err(_) => *callback = callbacks.take_back(),
        }
        appended
    }

    /// Where the process was forked, or the producer closed in the middle of a send, that is what the caller must hear.
    fn explained(&self, error: KafkaError) -> KafkaError {
        match (self.process.check(), self.control.failure()) {
            (Err(forked), _) => forked,
            (Ok(()), Some(failure)) if error.kind() == ErrorKind::Kafka => failure.clone(),
            _ => error,
        }
    }
}

/// Data as bytes, lent by the data itself or by `buffer`.
fn serialize<'a, T: ?Sized>(
    serializer: &dyn Serializer<T>,
    (topic, data): (&str, Option<&'a T>),
    headers: &mut Headers,
    buffer: &'a mut Vec<u8>,
) -> Result<Option<&'a [u8]>, KafkaError> {
    clear(buffer);
    match data {
        Some(data) => serializer.serialize(topic, headers, data, buffer),
        None => serializer.serialize_null(topic, headers, buffer),
    }
}

/// A record that [`try_send`](crate::KafkaProducer::try_send) did not send, and why.
pub struct TrySendError<R> {
    error: KafkaError,
    record: R,
}

impl<R> TrySendError<R> {
    pub(super) fn new(error: KafkaError, record: R) -> Self {
        Self { error, record }
    }

    /// Why the record was not sent: [`Timeout`](ErrorKind::Timeout) where its topic is not known yet,
    /// [`BufferExhausted`](ErrorKind::BufferExhausted) where there is no memory, or what `send` would say.
    pub fn error(&self) -> &KafkaError {
        &self.error
    }

    /// Whether waiting would have helped.
    pub fn would_block(&self) -> bool {
        matches!(
            self.error.kind(),
            ErrorKind::Timeout | ErrorKind::BufferExhausted
        )
    }

    /// The record, as it was given.
    pub fn into_record(self) -> R {
        self.record
    }
}

impl<R> fmt::Debug for TrySendError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrySendError")
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<R> fmt::Display for TrySendError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl<R> std::error::Error for TrySendError<R> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}
