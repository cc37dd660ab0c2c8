//! A synchronous, threaded Apache Kafka producer that mirrors the design of the Java producer.
//!
//! ```
//! use std::time::Duration;
//! use ottla::{KafkaProducer, ProducerRecord};
//!
//! # fn main() -> Result<(), ottla::KafkaError> {
//! # #[cfg(feature = "embedded-broker")] {
//! # let cluster = ottla::embedded::EmbeddedCluster::start()?;
//! # let servers = cluster.bootstrap_servers();
//! # let servers = servers.as_str();
//! # /*
//! let servers = "localhost:9092";
//! # */
//! let producer = KafkaProducer::<i32, str>::from_properties([
//!     ("bootstrap.servers", servers),
//!     ("compression.type", "lz4"),
//! ])?;
//!
//! // Wait for the record to be written.
//! let metadata = producer.send(ProducerRecord::new("my-topic", 1, "Message_1"))?.get()?;
//! println!("partition {}, offset {}", metadata.partition(), metadata.offset());
//!
//! // Or be told, on the producer's own thread.
//! let _sent = producer.send_with_callback(ProducerRecord::new("my-topic", 2, "Message_2"), |result| {
//!     if let Err(error) = result {
//!         eprintln!("{error}");
//!     }
//! })?;
//!
//! let report = producer.close(Duration::from_secs(30))?;
//! assert!(report.unsent().is_empty());
//! # }
//! # Ok(())
//! # }
//! ```
//!
//! # What to know first
//!
//! * **Blocking.** [`send`](KafkaProducer::send) waits for metadata and for buffer memory, at most `max.block.ms` in all;
//!   [`try_send`](KafkaProducer::try_send) never waits. [`FutureRecordMetadata::get`] waits for the outcome, which comes
//!   within `delivery.timeout.ms`; the batch it waits for leaves at once, whatever `linger.ms` says. Every other blocking
//!   call names its limit.
//! * **Threads.** A [`KafkaProducer`] is a cheap handle, shared by as many threads as you like. It has one background
//!   thread, which runs all callbacks and does all input and output, save that a thread which waits for its record may do its
//!   own. Dropping the last handle delivers what is outstanding
//!   within `ottla.drop.timeout.ms`; [`close`](KafkaProducer::close) does so with a limit of your own and reports.
//! * **Errors.** What Java throws is the `Err` of `send`, what Java puts into the future is in the future.
//!   [`KafkaError::persisted`] says whether a record that failed may have been written all the same.
//! * **Transactions.** With a `transactional.id`: [`init_transactions`](KafkaProducer::init_transactions) once, then
//!   [`in_transaction`](KafkaProducer::in_transaction), or the calls by Java's names.
//! * **Configuration.** Java's keys, defaults and ranges: [`ProducerConfig`]; every key in [`guide::config`].
//! * **Features.** `gzip`, `snappy`, `lz4` and `properties` are on by default and need no C compiler; `zstd` (the C
//!   library), `embedded-broker` and `cli` are opt-in.
//!
//! The background in longer form: [`guide::design`], [`guide::errors`] and [`guide::testing`].

#[cfg(feature = "embedded-broker")]
pub(crate) mod broker;
pub(crate) mod client;
pub(crate) mod common;
pub(crate) mod network;
pub(crate) mod producer;
pub(crate) mod protocol;
pub(crate) mod record;
#[cfg(test)]
pub(crate) mod testing;

pub use common::cluster::{Node, PartitionInfo, TopicPartition};
pub use common::error_kind::ErrorKind;
pub use common::header::{Header, Headers};
pub use common::kafka_error::{Attempt, KafkaError, Persisted, TimeLimit};
pub use common::serialization::{DefaultSerializer, Serializer};
pub use producer::consumer_group_metadata::ConsumerGroupMetadata;
pub use producer::internals::future_record_metadata::FutureRecordMetadata;
pub use producer::kafka_producer::{
    CloseReport, KafkaProducer, KafkaProducerBuilder, ProducerHealth, TrySendError,
};
pub use producer::offset_and_metadata::OffsetAndMetadata;
pub use producer::partitioner::{Cluster, Partitioner, RecordToPlace, RoundRobinPartitioner};
pub use producer::producer_config::{Acks, ConfigKey, ProducerConfig, ProducerConfigBuilder};
pub use producer::producer_interceptor::{Acknowledgement, InterceptedRecord, ProducerInterceptor};
pub use producer::producer_record::{Null, ProducerRecord};
pub use producer::record_metadata::RecordMetadata;
pub use producer::unsent_record::UnsentRecord;

/// The serializers of Java, byte for byte.
pub mod serialization {
    pub use crate::common::serialization::{
        BooleanSerializer, ByteArraySerializer, DoubleSerializer, FloatSerializer,
        IntegerSerializer, ListSerializer, LongSerializer, ShortSerializer, StringSerializer,
        UuidSerializer, VoidSerializer,
    };
    pub use crate::producer::kafka_producer::{ByType, Given, SerializerChoice};
}

/// An in-process Kafka cluster for tests, demos and teaching (feature `embedded-broker`).
#[cfg(feature = "embedded-broker")]
pub mod embedded {
    pub use crate::broker::embedded_cluster::{
        EmbeddedCluster, EmbeddedClusterBuilder, StoredRecord,
    };
    pub use crate::broker::faults::{Api, Fault};
}

/// The pages of `docs/`, so that their code is compiled and their links are checked.
pub mod guide {
    #[doc = include_str!("../docs/design.md")]
    pub mod design {}

    #[doc = include_str!("../docs/config.md")]
    pub mod config {}

    #[doc = include_str!("../docs/errors.md")]
    pub mod errors {}

    #[doc = include_str!("../docs/invariants.md")]
    pub mod invariants {}

    #[doc = include_str!("../docs/scenarios.md")]
    pub mod scenarios {}

    #[cfg_attr(feature = "embedded-broker", doc = include_str!("../docs/testing.md"))]
    #[cfg_attr(
        not(feature = "embedded-broker"),
        doc = "This page needs the feature `embedded-broker`."
    )]
    pub mod testing {}
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
