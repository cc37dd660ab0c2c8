//! The facade without a network: the test plays the part of the I/O thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::wiring::{Io, accumulator_config, assemble, sender_config};
use super::*;
use crate::client::kafka_client::ClientWaker;
use crate::client::metadata::{Metadata, MetadataConfig};
use crate::client::metadata_handle::MetadataHandle;
use crate::common::cluster::Node;
use crate::common::error_kind::ErrorKind;
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::serialization::ByteArraySerializer;
use crate::producer::internals::key_hash::KeyHash;
use crate::producer::internals::record_accumulator::RecordDrainer;
use crate::producer::internals::sender::{Sender, SenderParts};
use crate::producer::kafka_producer::plugins::{Placement, Unconfigured};
use crate::protocol::errors::Errors;
use crate::protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::testing::mock_client::MockClient;
use crate::testing::mock_time::MockTime;

mod anomalies;
mod error_page;
mod hot_path;
#[cfg(not(shuttle))]
mod limits;
mod placement;
mod plugins;
mod refusals;
#[cfg(shuttle)]
mod threads;
mod waiting;

const TOPIC: &str = "orders";

/// A producer whose I/O thread never runs on its own.
struct Fixture {
    producer: KafkaProducer<[u8], [u8]>,
    metadata: Arc<ProducerMetadata>,
    accumulator: Arc<RecordAccumulator>,
    control: Arc<SenderControl>,
    drainer: Option<RecordDrainer>,
    config: ProducerConfig,
    time: Arc<MockTime>,
}

impl Fixture {
    fn new(settings: &[(&str, &str)]) -> Self {
        Self::with(settings, unconfigured())
    }

    fn with(settings: &[(&str, &str)], plugins: Unconfigured<[u8], [u8]>) -> Self {
        let base = [("bootstrap.servers", "localhost:9092")];
        let config = ProducerConfig::from_properties(base.iter().chain(settings).copied()).unwrap();
        let time = MockTime::shared();
        let shared_time = Arc::clone(&time) as Arc<dyn Time>;
        let backoff = ExponentialBackoff::new(Duration::from_millis(1), Duration::from_millis(1));
        let metadata_config = MetadataConfig {
            refresh_backoff: backoff,
            max_age: config.connection.metadata_max_age,
            // Below the shortest that can be configured: time that a test skips is time that a wait may take.
            max_idle: Duration::from_millis(5),
            random_seed: 1,
        };
        let servers = vec![Node::new(-1, "localhost", 9092)];
        let metadata = Arc::new(ProducerMetadata::new(Metadata::new(
            &metadata_config,
            servers,
        )));
        let accumulator = RecordAccumulator::new(
            accumulator_config(&config, plugins.placement.custom.is_some()).unwrap(),
            Arc::clone(&shared_time),
            || 0,
            Box::new(|| {}),
        );
        let control = Arc::new(SenderControl::new());
        let io = Io {
            metadata: Arc::clone(&metadata),
            accumulator: Arc::clone(&accumulator),
            control: Arc::clone(&control),
            closing: Closing::new(ClientWaker::idle(), None),
            time: shared_time,
            transactions: None,
        };
        let plugins = plugins.configure(&config.originals()).unwrap();
        Self {
            producer: assemble(&config, "client".to_owned(), plugins, io),
            drainer: Some(RecordDrainer::new(Arc::clone(&accumulator), None, || 0.5)),
            metadata,
            accumulator,
            control,
            config,
            time,
        }
    }

    /// A broker answers that the topic has so many partitions.
    fn know(&self, partitions: i32) {
        let partitions = (0..partitions).map(|partition_index| MetadataResponsePartition {
            partition_index,
            leader_id: 0,
            leader_epoch: 1,
            ..Default::default()
        });
        self.answer(MetadataResponseTopic {
            name: Some(TOPIC.to_owned()),
            partitions: partitions.collect(),
            ..Default::default()
        });
    }

    /// A broker answers that there is something wrong with a topic.
    fn answer_error(&self, topic: &str, error: Errors) {
        self.answer(MetadataResponseTopic {
            error_code: error.code(),
            name: Some(topic.to_owned()),
            ..Default::default()
        });
    }

    fn answer(&self, topic: MetadataResponseTopic) {
        let now = self.time.now();
        let name = topic.name.clone().unwrap_or_default();
        self.metadata.with(|core| {
            if !core.contains_topic(&name) {
                core.add(&name, now);
            }
        });
        let response = MetadataResponse {
            brokers: vec![MetadataResponseBroker {
                node_id: 0,
                host: "localhost".to_owned(),
                port: 9092,
                ..Default::default()
            }],
            topics: vec![topic],
            ..Default::default()
        };
        self.metadata.with(|core| {
            let version = core.new_metadata_request_and_version(now).version;
            core.update(version, &response, 9, now).unwrap();
        });
    }

    /// Nothing was put into any batch, and no memory is held.
    fn assert_nothing_buffered(&self) {
        assert!(!self.accumulator.has_incomplete());
        let pool = self.accumulator.pool();
        assert_eq!(pool.available(), pool.total());
    }

    /// The I/O thread begins and ends at once: what is left fails.
    fn end(&mut self) {
        let Some(accumulator) = self.drainer.take() else {
            return;
        };
        self.control.force_close();
        let parts = SenderParts {
            client: MockClient::new(Arc::clone(&self.time)),
            accumulator,
            metadata: Arc::clone(&self.metadata),
            transaction_manager: None,
            time: Arc::clone(&self.time) as Arc<dyn Time>,
            control: Arc::clone(&self.control),
        };
        Sender::new(sender_config(&self.config), parts).run();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.end();
    }
}

fn unconfigured() -> Unconfigured<[u8], [u8]> {
    Unconfigured {
        key_serializer: Box::new(ByteArraySerializer),
        value_serializer: Box::new(ByteArraySerializer),
        placement: Placement {
            custom: None,
            ignore_keys: false,
            hash: KeyHash::Murmur2,
        },
        interceptors: Vec::new(),
    }
}

fn record() -> ProducerRecord<'static, [u8; 1], [u8; 1]> {
    ProducerRecord::new(TOPIC, *b"k", *b"v")
}

fn failure(future: &FutureRecordMetadata) -> KafkaError {
    future
        .try_get()
        .expect("a refused record's future is done")
        .expect_err("the record was refused")
}

/// Counts calls from any thread.
#[derive(Debug, Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Count {
    fn add(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}
