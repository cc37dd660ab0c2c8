//! Puts a configuration together in Rust types.
//!
//! Java: `new Properties()` and `put` with the constants of `clients/producer/ProducerConfig.java`.
//! Differs: a method for each setting that is often used; every other key by its name.
//! Threads: plain data. Locks: none.

use std::time::Duration;

use crate::common::kafka_error::KafkaError;
use crate::producer::producer_config::values::Values;
use crate::producer::producer_config::{Acks, ProducerConfig};

/// A configuration in the making; nothing is checked before [`build`](Self::build).
#[derive(Clone)]
#[must_use = "a builder does nothing until it is built"]
pub struct ProducerConfigBuilder {
    properties: Vec<(String, String)>,
}

impl ProducerConfigBuilder {
    pub(super) fn new(bootstrap_servers: String) -> Self {
        let properties = Vec::new();
        Self { properties }.set("bootstrap.servers", bootstrap_servers)
    }

    /// Checks everything.
    ///
    /// # Errors
    /// As [`ProducerConfig::from_properties`].
    pub fn build(self) -> Result<ProducerConfig, KafkaError> {
        ProducerConfig::from_values(Values::read(self.properties)?)
    }

    /// Sets any key by its Java name.
    pub fn set(mut self, key: impl Into<String>, value: impl ToString) -> Self {
        self.properties.push((key.into(), value.to_string()));
        self
    }

    /// `client.id`: the name that brokers log and count for this producer.
    pub fn client_id(self, id: impl ToString) -> Self {
        self.set("client.id", id)
    }

    /// `acks`: how many replicas must have a record before it counts as written.
    pub fn acks(self, acks: Acks) -> Self {
        self.set("acks", acks.name())
    }

    /// `enable.idempotence`: whether retries may neither duplicate nor reorder records.
    pub fn idempotence(self, on: bool) -> Self {
        self.set("enable.idempotence", on)
    }

    /// `linger.ms`: how long a batch waits for more records.
    pub fn linger(self, time: Duration) -> Self {
        self.set_ms("linger.ms", time)
    }

    /// `batch.size` in bytes.
    pub fn batch_size(self, bytes: usize) -> Self {
        self.set("batch.size", bytes)
    }

    /// `buffer.memory` in bytes: how much may wait to be sent.
    pub fn buffer_memory(self, bytes: usize) -> Self {
        self.set("buffer.memory", bytes)
    }

    /// `max.request.size` in bytes, also the limit of one record.
    pub fn max_request_size(self, bytes: usize) -> Self {
        self.set("max.request.size", bytes)
    }

    /// `max.block.ms`: how long `send` may wait for metadata and memory.
    pub fn max_block(self, time: Duration) -> Self {
        self.set_ms("max.block.ms", time)
    }

    /// `delivery.timeout.ms`: how long a record may take from its batch's creation to its outcome.
    pub fn delivery_timeout(self, time: Duration) -> Self {
        self.set_ms("delivery.timeout.ms", time)
    }

    /// `request.timeout.ms`: how long a request may wait for its answer.
    pub fn request_timeout(self, time: Duration) -> Self {
        self.set_ms("request.timeout.ms", time)
    }

    /// `compression.type` by Java's name: `none`, `gzip`, `snappy`, `lz4` or `zstd`.
    pub fn compression(self, codec: impl ToString) -> Self {
        self.set("compression.type", codec)
    }

    fn set_ms(self, key: &str, time: Duration) -> Self {
        self.set(key, time.as_millis())
    }
}

impl std::fmt::Debug for ProducerConfigBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values may hold passwords, and nothing has been read yet.
        f.debug_list()
            .entries(self.properties.iter().map(|(key, _)| key))
            .finish()
    }
}
