//! The way of a record from the caller into the batch of its partition.
//!
//! Java: `clients/producer/KafkaProducer.java` (`doSend`, `partition`, `ensureValidRecordSize`).
//! Differs: bytes that a serializer lends go straight into the batch; a custom partitioner is asked exactly once, and an
//! answer that is no partition of the topic is an error; on the I/O thread nothing waits.
//! Threads: any. Locks: those of `wait_on_metadata` and `append`, one after the other; user code runs under none.

use std::borrow::Borrow;
use std::fmt;
use std::time::{Duration, Instant};

use crate::client::metadata_snapshot::TopicMetadata;
use crate::common::error_kind::ErrorKind;
use crate::common::header::{Header, Headers};
use crate::common::kafka_error::KafkaError;
use crate::common::serialization::Serializer;
use crate::producer::internals::future_record_metadata::FutureRecordMetadata;
use crate::producer::internals::producer_batch::{Callback, RecordToAppend};
use crate::producer::internals::record_accumulator::{Destination, RecordAppendResult};
use crate::producer::kafka_producer::Inner;
use crate::producer::kafka_producer::callbacks::{AppendCallbacks, is_api_error, tell_at_once};
use crate::producer::kafka_producer::metadata_wait::Wanted;
use crate::producer::kafka_producer::thread_memory::{Scratch, ThreadMemory};
use crate::producer::partitioner::{Cluster, RecordToPlace};
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
}

impl<'r, K: ?Sized, V: ?Sized> Outgoing<'r, K, V> {
    pub(super) fn of<RK: Borrow<K>, RV: Borrow<V>>(
        record: &'r mut ProducerRecord<'_, RK, RV>,
    ) -> Self {
        Self {
            topic: &record.topic,
            partition: record.partition,
            timestamp: record.timestamp,
            key: record.key.as_ref().map(Borrow::borrow),
            value: record.value.as_ref().map(Borrow::borrow),
            headers: &mut record.headers,
        }
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> Inner<K, V> {
    pub(super) fn send(
        &self,
        record: &mut Outgoing<'_, K, V>,
        mut callback: Option<Callback>,
        max_block: Duration,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        match self.intercept_and_send(record, &mut callback, max_block) {
            Err(error) if is_api_error(error.kind()) => Ok(FutureRecordMetadata::refused(error)),
            other => other,
        }
    }

    pub(super) fn try_send(
        &self,
        record: &mut Outgoing<'_, K, V>,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        self.intercept_and_send(record, &mut None, Duration::ZERO)
    }

    fn intercept_and_send(
        &self,
        record: &mut Outgoing<'_, K, V>,
        callback: &mut Option<Callback>,
        max_block: Duration,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        if self.plugins.interceptors.is_empty() {
            let sent = self.do_send(record, callback, max_block);
            return sent.inspect_err(|error| self.refused(callback.take(), error));
        }
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
        };
        let sent = self.do_send(&mut record, callback, max_block);
        sent.inspect_err(|error| {
            self.refused(callback.take(), error);
            self.plugins
                .interceptors
                .on_acknowledgement(&Acknowledgement {
                    topic: record.topic,
                    partition: record.partition,
                    headers: record.headers,
                    result: Err(error),
                });
        })
    }

    /// A record goes no further. As in Java the callback hears of it first, and only of what goes into the future.
    fn refused(&self, callback: Option<Callback>, error: &KafkaError) {
        self.control.metrics().records_failed(1);
        self.control.note_error(error, self.time.now());
        if is_api_error(error.kind()) {
            tell_at_once(callback, error);
        }
    }

    fn do_send(
        &self,
        record: &mut Outgoing<'_, K, V>,
        callback: &mut Option<Callback>,
        max_block: Duration,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        validate(record.partition, record.timestamp)?;
        self.check_open()?;
        let wanted = Wanted {
            topic: record.topic,
            partition: record.partition,
        };
        let start = self.time.now();
        ThreadMemory::with(|ThreadMemory { topics, scratch }| {
            let stamp = self.metadata.stamp();
            let found = topics.find(stamp, wanted.topic);
            if let Some(topic) = found.filter(|topic| wanted.is_in(topic)) {
                let known = Known {
                    topic,
                    now: start,
                    remaining: max_block,
                };
                return self.serialize_and_append(record, callback, &known, scratch);
            }
            let (snapshot, now) = self
                .wait_on_metadata(wanted, start, max_block)
                .map_err(|error| self.closed_meanwhile(error))?;
            let topic = snapshot
                .topic(wanted.topic)
                .expect("the wait for metadata ended because the topic is known");
            topics.keep(stamp, topic);
            let known = Known {
                topic,
                now,
                remaining: max_block.saturating_sub(now.saturating_duration_since(start)),
            };
            self.serialize_and_append(record, callback, &known, scratch)
        })
    }

    fn serialize_and_append(
        &self,
        record: &mut Outgoing<'_, K, V>,
        callback: &mut Option<Callback>,
        known: &Known<'_>,
        Scratch { key, value, tick }: &mut Scratch,
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
            let to_place = RecordToPlace {
                topic: record.topic,
                key: record.key,
                key_bytes,
                value: record.value,
                value_bytes,
            };
            record.partition = self.partition(&to_place, known.topic)?;
        }
        let to_append = RecordToAppend {
            timestamp: match record.timestamp {
                Some(timestamp) => timestamp,
                None => self.clock.epoch_ms(known.now, tick),
            },
            key: key_bytes,
            value: value_bytes,
            headers: record.headers.as_slice(),
        };
        self.ensure_valid_record_size(record.topic, &to_append)?;
        self.append(record, &to_append, callback, known)
    }

    /// The partition of the user's choice, or that of the key; nothing leaves it to the built-in partitioner.
    pub(super) fn partition(
        &self,
        record: &RecordToPlace<'_, K, V>,
        topic: &TopicMetadata,
    ) -> Result<Option<i32>, KafkaError> {
        let count = topic.partitions.len();
        let Some(custom) = &self.plugins.placement.custom else {
            return Ok(match record.key_bytes {
                Some(key) if !self.plugins.placement.ignore_keys => {
                    self.plugins.placement.hash.partition_for_key(key, count)
                }
                _ => None,
            });
        };
        let chosen = custom.partition(record, &Cluster::new(&self.metadata.current()))?;
        if usize::try_from(chosen).is_ok_and(|chosen| chosen < count) {
            return Ok(Some(chosen));
        }
        Err(KafkaError::illegal_argument(format!(
            "the partitioner chose partition {chosen} of topic {}, which has {count} partitions",
            record.topic
        )))
    }

    fn ensure_valid_record_size(
        &self,
        topic: &str,
        record: &RecordToAppend<'_, Header>,
    ) -> Result<(), KafkaError> {
        let size = estimate_size_upper_bound(record.key, record.value, record.headers);
        let (limit, name) = if size > self.limits.max_request_size {
            (self.limits.max_request_size, "max.request.size")
        } else if size > self.limits.buffer_memory {
            (self.limits.buffer_memory, "buffer.memory")
        } else {
            return Ok(());
        };
        Err(KafkaError::new(
            ErrorKind::RecordTooLarge,
            format!("record of {size} bytes is larger than {name} {limit} (topic {topic})"),
        ))
    }

    fn append(
        &self,
        record: &Outgoing<'_, K, V>,
        to_append: &RecordToAppend<'_, Header>,
        callback: &mut Option<Callback>,
        known: &Known<'_>,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        let to = Destination {
            topic: known.topic,
            partition: record.partition,
        };
        let append = |callback: &mut Option<Callback>| {
            let Known { now, remaining, .. } = *known;
            self.accumulator
                .append(to, to_append, callback, now, remaining)
        };
        if self.plugins.interceptors.is_empty() {
            return self
                .appended(append(callback))
                .map(|appended| appended.future);
        }
        let mut callbacks = AppendCallbacks::new(
            &self.plugins.interceptors,
            record.topic,
            record.headers,
            callback.take(),
        );
        match self.appended(append(&mut callbacks.for_batch)) {
            Ok(appended) => {
                callbacks.appended_to(appended.partition);
                Ok(appended.future)
            }
            Err(error) => {
                *callback = callbacks.take_back();
                Err(error)
            }
        }
    }

    /// Wakes the I/O thread where there is news for it.
    fn appended(
        &self,
        appended: Result<RecordAppendResult, KafkaError>,
    ) -> Result<RecordAppendResult, KafkaError> {
        match &appended {
            Ok(RecordAppendResult { wake: true, .. }) => {
                self.process.check()?;
                self.closing.wakeup();
            }
            Ok(_) => {}
            Err(_) => self.process.check()?,
        }
        appended.map_err(|error| self.closed_meanwhile(error))
    }

    /// Where the producer closed in the middle of a send, that is what the caller must hear.
    fn closed_meanwhile(&self, error: KafkaError) -> KafkaError {
        match self.control.failure() {
            Some(failure) if error.kind() == ErrorKind::Kafka => failure.clone(),
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
    match data {
        Some(data) => serializer.serialize(topic, headers, data, buffer),
        None => serializer.serialize_null(topic, headers, buffer),
    }
}

/// What a record is placed by.
struct Known<'a> {
    topic: &'a TopicMetadata,
    /// The time after the wait for metadata; the time before it where there was none.
    now: Instant,
    /// What is left of `max.block.ms`.
    remaining: Duration,
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
