//! `ottla`: a synchronous, threaded Apache Kafka producer that mirrors the design of the Java producer.

#![allow(dead_code)] // temporary: removed when every layer has its user

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
pub use producer::internals::future_record_metadata::FutureRecordMetadata;
pub use producer::kafka_producer::{
    CloseReport, KafkaProducer, KafkaProducerBuilder, ProducerHealth, TrySendError,
};
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
}

/// An in-process Kafka cluster for tests, demos and teaching (feature `embedded-broker`).
#[cfg(feature = "embedded-broker")]
pub mod embedded {
    pub use crate::broker::embedded_cluster::{
        EmbeddedCluster, EmbeddedClusterBuilder, StoredRecord,
    };
    pub use crate::broker::faults::{Api, Fault};
}
