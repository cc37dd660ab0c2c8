//! A record on its way into Kafka: where to, key, value, headers, timestamp.
//!
//! Java: `clients/producer/ProducerRecord.java`.
//! Differs: owns or borrows its parts, whatever the application has at hand; named methods take the place of six
//! constructors; a negative partition or timestamp is reported by `send`, since building cannot fail.
//! Threads: plain data. Locks: none.

use std::borrow::{Borrow, Cow};
use std::convert::Infallible;
use std::fmt;
use std::marker::PhantomData;

use crate::common::header::{Header, Headers};
use crate::common::kafka_error::KafkaError;
use crate::producer::unsent_record::UnsentRecord;
use crate::record::default_record::RecordHeader;

/// A record to send: a topic, and a key and a value that are owned or borrowed.
///
/// A `KafkaProducer<[u8], str>` takes keys that are `Vec<u8>`, `&[u8]`, `[u8; 4]`, `Arc<[u8]>` .. and values that are
/// `String`, `&str`, `Arc<str>` .. : everything that implements `Borrow<[u8]>` and `Borrow<str>`. References to arrays and
/// to strings do not; write `*b"key"`, `key.as_slice()` or `text.as_str()`.
///
/// ```
/// use ottla::ProducerRecord;
///
/// let record = ProducerRecord::new("orders", "customer-7", "3 books")
///     .with_partition(2)
///     .with_header("trace", "4bf92f35");
/// assert_eq!(record.partition(), Some(2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "a record does nothing until it is sent"]
pub struct ProducerRecord<'a, K, V> {
    pub(in crate::producer) topic: Cow<'a, str>,
    pub(in crate::producer) partition: Option<i32>,
    pub(in crate::producer) timestamp: Option<i64>,
    pub(in crate::producer) key: Option<K>,
    pub(in crate::producer) value: Option<V>,
    pub(in crate::producer) headers: Headers,
}

impl<'a, K, V> ProducerRecord<'a, K, V> {
    /// A record with a key and a value.
    pub fn new(topic: impl Into<Cow<'a, str>>, key: K, value: V) -> Self {
        Self::nullable(topic, Some(key), Some(value))
    }

    /// A record whose key or value may be null.
    pub fn nullable(topic: impl Into<Cow<'a, str>>, key: Option<K>, value: Option<V>) -> Self {
        Self {
            topic: topic.into(),
            partition: None,
            timestamp: None,
            key,
            value,
            headers: Headers::new(),
        }
    }

    /// The same record for a given partition.
    pub fn with_partition(self, partition: i32) -> Self {
        Self {
            partition: Some(partition),
            ..self
        }
    }

    /// The same record with a timestamp in milliseconds since the epoch, which otherwise is the time of `send`.
    ///
    /// Brokers forget a producer by the timestamp of its last record in a partition. Where that is older than
    /// `producer.id.expiration.ms` (of the broker, one day unless set), they may do so at any time, and then cannot tell a repeated
    /// batch from a new one.
    pub fn with_timestamp(self, timestamp: i64) -> Self {
        Self {
            timestamp: Some(timestamp),
            ..self
        }
    }

    /// The same record with one more header.
    pub fn with_header(mut self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.add(Header::new(key, value));
        self
    }

    /// The same record with these headers.
    pub fn with_headers(self, headers: Headers) -> Self {
        Self { headers, ..self }
    }

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
        self.key.as_ref()
    }

    /// The value, or nothing where it is null.
    pub fn value(&self) -> Option<&V> {
        self.value.as_ref()
    }

    /// The headers.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The headers, to change them.
    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }
}

impl<'a, K: ?Sized, V> ProducerRecord<'a, Null<K>, V> {
    /// A record without a key. Which partition it goes to is the producer's choice.
    pub fn value_only(topic: impl Into<Cow<'a, str>>, value: V) -> Self {
        Self::nullable(topic, None, Some(value))
    }
}

impl<'a, K, V: ?Sized> ProducerRecord<'a, K, Null<V>> {
    /// A record without a value, which deletes the key from a compacted topic.
    pub fn tombstone(topic: impl Into<Cow<'a, str>>, key: K) -> Self {
        Self::nullable(topic, Some(key), None)
    }
}

/// A record that was handed back, ready to be sent again: to the same partition, with the same timestamp. Where
/// [`UnsentRecord::persisted`] is [`Maybe`](crate::Persisted::Maybe), that may duplicate it.
impl From<UnsentRecord> for ProducerRecord<'static, Vec<u8>, Vec<u8>> {
    fn from(unsent: UnsentRecord) -> Self {
        let headers = unsent.headers.into_iter();
        let headers = headers.map(|(key, value)| match value {
            Some(value) => Header::new(key, value),
            None => Header::null(key),
        });
        let topic = unsent.topic_partition.topic().to_owned();
        Self::nullable(topic, unsent.key, unsent.value)
            .with_partition(unsent.topic_partition.partition())
            .with_timestamp(unsent.timestamp)
            .with_headers(headers.collect())
    }
}

/// The type of a key or a value that is always null; there is no value of it.
pub struct Null<T: ?Sized> {
    never: Infallible,
    of: PhantomData<fn(&T)>,
}

impl<T: ?Sized> Borrow<T> for Null<T> {
    fn borrow(&self) -> &T {
        match self.never {}
    }
}

impl<T: ?Sized> Clone for Null<T> {
    fn clone(&self) -> Self {
        match self.never {}
    }
}

impl<T: ?Sized> PartialEq for Null<T> {
    fn eq(&self, _: &Self) -> bool {
        match self.never {}
    }
}

impl<T: ?Sized> Eq for Null<T> {}

impl<T: ?Sized> fmt::Debug for Null<T> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.never {}
    }
}

impl RecordHeader for Header {
    fn key(&self) -> &str {
        self.key()
    }

    fn value(&self) -> Option<&[u8]> {
        self.value()
    }
}

/// Refuses what Java's constructor refuses.
#[inline]
pub(crate) fn validate(partition: Option<i32>, timestamp: Option<i64>) -> Result<(), KafkaError> {
    if let Some(partition) = partition.filter(|partition| *partition < 0) {
        return Err(KafkaError::illegal_argument(format!(
            "invalid partition {partition}: must be at least 0, or not given at all"
        )));
    }
    if let Some(timestamp) = timestamp.filter(|timestamp| *timestamp < 0) {
        return Err(KafkaError::illegal_argument(format!(
            "invalid timestamp {timestamp}: must be at least 0, or not given at all"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Stands for the signature of `KafkaProducer::<K, V>::send`.
    fn send<K: ?Sized, V: ?Sized, RK: Borrow<K>, RV: Borrow<V>>(
        record: &ProducerRecord<'_, RK, RV>,
        look: impl Fn(Option<&K>, Option<&V>),
    ) {
        look(
            record.key().map(Borrow::borrow),
            record.value().map(Borrow::borrow),
        );
    }

    #[test]
    fn literals_owned_and_shared_parts_need_no_annotations() {
        let expect = |key: Option<&i32>, value: Option<&str>| {
            assert_eq!((key, value), (Some(&1), Some("Message_1")));
        };
        send::<i32, str, _, _>(&ProducerRecord::new("t", 1, "Message_1"), expect);
        send::<i32, str, _, _>(
            &ProducerRecord::new("t", &1, "Message_1".to_owned()),
            expect,
        );
        let shared: Arc<str> = "Message_1".into();
        send::<i32, str, _, _>(&ProducerRecord::new(String::from("t"), 1, shared), expect);
        send::<[u8], [u8], _, _>(
            &ProducerRecord::new("t", vec![1_u8], *b"xy"),
            |key, value| assert_eq!((key, value), (Some([1].as_slice()), Some(b"xy".as_slice()))),
        );
    }

    #[test]
    fn null_keys_and_values_need_no_annotations() {
        send::<i32, str, _, _>(&ProducerRecord::value_only("t", "v"), |key, value| {
            assert_eq!((key, value), (None, Some("v")));
        });
        send::<i32, str, _, _>(&ProducerRecord::tombstone("t", 7), |key, value| {
            assert_eq!((key, value), (Some(&7), None));
        });
    }

    /// Java: `ProducerRecordTest.testInvalidRecords`. Scenario: SN12.
    #[test]
    fn a_negative_partition_or_timestamp_is_refused() {
        assert!(validate(None, None).is_ok() && validate(Some(0), Some(0)).is_ok());
        let error = validate(Some(-1), None).unwrap_err();
        assert_eq!(
            error.message(),
            "invalid partition -1: must be at least 0, or not given at all"
        );
        let error = validate(None, Some(-1)).unwrap_err();
        assert_eq!(
            error.message(),
            "invalid timestamp -1: must be at least 0, or not given at all"
        );
    }

    /// Java: `ProducerRecordTest.testEqualsAndHashCode`.
    #[test]
    fn records_are_equal_where_all_parts_are() {
        let record = ProducerRecord::new("t", 1, "v")
            .with_partition(3)
            .with_timestamp(4);
        assert_eq!(record, record.clone());
        assert_ne!(record, record.clone().with_header("h", "x"));
        assert_ne!(record, record.clone().with_partition(4));
    }
}
