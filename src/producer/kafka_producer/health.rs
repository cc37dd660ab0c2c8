//! What a producer says about itself.
//!
//! Java: `KafkaProducer.metrics`, whose registry of sampled metrics this is not.
//! Differs: one cheap snapshot instead of a map of a hundred names.
//! Threads: any. Locks: leaves, for short.

use std::time::Duration;

use crate::common::kafka_error::KafkaError;
use crate::producer::kafka_producer::Inner;

/// The state of a producer at one moment.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProducerHealth {
    /// The name under which brokers know the producer.
    pub client_id: String,
    /// Whether records are accepted.
    pub is_open: bool,
    /// Why the producer stopped by itself, where it did.
    pub failure: Option<KafkaError>,
    /// How many brokers are known; 0 until one of the bootstrap servers has answered.
    pub known_brokers: usize,
    /// What failed last: a record, an attempt to deliver one that is made again, a request of a transaction, which may be made
    /// again as well, or the background thread.
    pub last_error: Option<KafkaError>,
    /// How long ago that was.
    pub last_error_age: Option<Duration>,
    /// Why the last connection failed, until metadata comes again.
    pub last_connection_error: Option<String>,
    /// How many batches have no outcome yet.
    pub incomplete_batches: usize,
    /// How long the oldest record without an outcome has been waiting for it.
    pub oldest_unacknowledged: Option<Duration>,
    /// `buffer.memory`, in bytes.
    pub buffer_total: usize,
    /// The bytes of it that nobody holds.
    pub buffer_available: usize,
    /// Records that a broker acknowledged, since the producer was made.
    pub records_acknowledged: u64,
    /// Records that failed for good, since the producer was made.
    pub records_failed: u64,
    /// What the background thread has done so far, by the names of Java's metrics; times in milliseconds.
    pub counters: Vec<(&'static str, f64)>,
}

impl<K: ?Sized, V: ?Sized> Inner<K, V> {
    pub(super) fn health(&self) -> ProducerHealth {
        let metrics = self.control.metrics();
        let pool = self.accumulator.pool();
        let snapshot = self.metadata.current();
        let known_brokers = if snapshot.is_bootstrap {
            0
        } else {
            snapshot.nodes().len()
        };
        let (last_error, met) = self.control.last_error().unzip();
        ProducerHealth {
            last_error,
            last_error_age: met.map(|met| self.time.now().saturating_duration_since(met)),
            client_id: self.limits.client_id.clone(),
            is_open: self.check_open().is_ok(),
            failure: self.control.failure().cloned(),
            known_brokers,
            last_connection_error: self
                .metadata
                .last_connection_error()
                .map(|reason| reason.to_string()),
            incomplete_batches: self.accumulator.incomplete().len(),
            oldest_unacknowledged: self
                .accumulator
                .incomplete()
                .oldest()
                .map(|created| self.time.now().saturating_duration_since(created)),
            buffer_total: pool.total(),
            buffer_available: pool.available(),
            records_acknowledged: metrics.acknowledged_total(),
            records_failed: metrics.failed_total(),
            counters: metrics.snapshot(),
        }
    }
}
