//! Sees every record before it is serialized, and every outcome.
//!
//! Java: `clients/producer/ProducerInterceptor.java`.
//! Differs: changes the record in place; the record's key and value are replaced by shared ones, since they may be
//! borrowed; an error or a panic leaves the record as it was before this interceptor.
//! Threads: `on_send` on the sending threads; `on_acknowledgement` mostly on the I/O thread. Locks: none.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::common::header::Headers;
use crate::common::kafka_error::KafkaError;
use crate::producer::record_metadata::RecordMetadata;

/// Code that sees every record before it is sent and every outcome.
///
/// Interceptors are called in the order in which they were given. What they do wrong is logged and otherwise ignored.
pub trait ProducerInterceptor<K: ?Sized, V: ?Sized>: Send + Sync {
    /// Called on the sending thread, before the record is serialized and has a partition of the producer's choice.
    ///
    /// # Errors
    /// Undoes what this interceptor did to the record; the record is sent all the same.
    fn on_send(&self, record: &mut InterceptedRecord<'_, K, V>) -> Result<(), KafkaError>;

    /// Called when the record was written or has failed, before the callback of the send; also for records that were
    /// refused by `send` itself. Runs on the I/O thread as a rule, so it must be quick.
    fn on_acknowledgement(&self, _acknowledgement: &Acknowledgement<'_>) {}

    /// Called once, before the first record, with the configuration as it was given (without passwords; `client.id` as
    /// it is in use).
    ///
    /// # Errors
    /// Where a setting makes no sense; the producer is not made then.
    fn configure(&mut self, _configs: &BTreeMap<String, String>) -> Result<(), KafkaError> {
        Ok(())
    }

    /// Called once, when the producer is closed.
    fn close(&self) {}
}

/// A record on its way through the interceptors.
pub struct InterceptedRecord<'a, K: ?Sized, V: ?Sized> {
    pub(crate) topic: Cow<'a, str>,
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Part<'a, K>,
    pub(crate) value: Part<'a, V>,
    pub(crate) headers: Headers,
}

/// A key or a value: null, as it was sent, or as an interceptor replaced it.
pub(crate) enum Part<'a, T: ?Sized> {
    Null,
    Sent(&'a T),
    Replaced(Arc<T>),
}

impl<T: ?Sized> Part<'_, T> {
    pub(crate) fn get(&self) -> Option<&T> {
        match self {
            Part::Null => None,
            Part::Sent(data) => Some(data),
            Part::Replaced(data) => Some(data),
        }
    }
}

impl<'a, T: ?Sized> From<Option<&'a T>> for Part<'a, T> {
    fn from(data: Option<&'a T>) -> Self {
        data.map_or(Part::Null, Part::Sent)
    }
}

impl<T: ?Sized> Clone for Part<'_, T> {
    fn clone(&self) -> Self {
        match self {
            Part::Null => Part::Null,
            Part::Sent(data) => Part::Sent(data),
            Part::Replaced(data) => Part::Replaced(Arc::clone(data)),
        }
    }
}

impl<K: ?Sized, V: ?Sized> InterceptedRecord<'_, K, V> {
    /// The topic's name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partition that was asked for.
    pub fn partition(&self) -> Option<i32> {
        self.partition
    }

    /// The timestamp that was asked for, in milliseconds since the epoch.
    pub fn timestamp(&self) -> Option<i64> {
        self.timestamp
    }

    /// The key, or nothing where it is null.
    pub fn key(&self) -> Option<&K> {
        self.key.get()
    }

    /// The value, or nothing where it is null.
    pub fn value(&self) -> Option<&V> {
        self.value.get()
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The headers, to change them.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// Sends the record to another topic.
    pub fn set_topic(&mut self, topic: impl Into<String>) {
        self.topic = Cow::Owned(topic.into());
    }

    /// Asks for another partition, or for none.
    pub fn set_partition(&mut self, partition: Option<i32>) {
        self.partition = partition;
    }

    /// Asks for another timestamp, or for none.
    pub fn set_timestamp(&mut self, timestamp: Option<i64>) {
        self.timestamp = timestamp;
    }

    /// Replaces the key; nothing makes it null.
    pub fn set_key<T: Into<Arc<K>>>(&mut self, key: Option<T>) {
        self.key = key.map_or(Part::Null, |key| Part::Replaced(key.into()));
    }

    /// Replaces the value; nothing makes it null.
    pub fn set_value<T: Into<Arc<V>>>(&mut self, value: Option<T>) {
        self.value = value.map_or(Part::Null, |value| Part::Replaced(value.into()));
    }
}

impl<K: ?Sized, V: ?Sized> Clone for InterceptedRecord<'_, K, V> {
    fn clone(&self) -> Self {
        Self {
            topic: self.topic.clone(),
            partition: self.partition,
            timestamp: self.timestamp,
            key: self.key.clone(),
            value: self.value.clone(),
            headers: self.headers.clone(),
        }
    }
}

impl<K: ?Sized, V: ?Sized> fmt::Debug for InterceptedRecord<'_, K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InterceptedRecord")
            .field("topic", &self.topic)
            .field("partition", &self.partition)
            .finish_non_exhaustive()
    }
}

/// What became of a record.
#[derive(Debug, Clone, Copy)]
pub struct Acknowledgement<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) headers: &'a Headers,
    pub(crate) result: Result<&'a RecordMetadata, &'a KafkaError>,
}

impl<'a> Acknowledgement<'a> {
    /// The topic's name.
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// The partition; nothing where the record failed before it had one.
    pub fn partition(&self) -> Option<i32> {
        self.partition
    }

    /// The headers as they were sent; they cannot be changed any more.
    pub fn headers(&self) -> &'a Headers {
        self.headers
    }

    /// Where the record landed, or why it failed.
    ///
    /// # Errors
    /// Why the record failed.
    pub fn result(&self) -> Result<&'a RecordMetadata, &'a KafkaError> {
        self.result
    }
}
