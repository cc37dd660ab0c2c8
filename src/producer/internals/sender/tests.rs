//! Whole passes of the Sender in virtual time, over a client that does what a test says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::client::client_request::RequestFailure;
use crate::client::metadata::{Metadata, MetadataConfig};
use crate::client::metadata_handle::MetadataHandle;
use crate::common::cluster::{Node, NodeId, Uuid};
use crate::common::few::Few;
use crate::common::kafka_error::Persisted;
use crate::common::sync::Rank;
use crate::producer::internals::future_record_metadata::FutureRecordMetadata;
use crate::producer::internals::producer_batch::{Callback, RecordToAppend};
use crate::producer::internals::record_accumulator::{
    AccumulatorConfig, Destination, RecordAccumulator,
};
use crate::protocol::errors::Errors;
use crate::protocol::messages::init_producer_id::InitProducerIdResponse;
use crate::protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use crate::protocol::requests::RequestBody;
use crate::record::compression::Compression;
use crate::testing::mock_client::MockClient;
use crate::testing::mock_time::MockTime;

mod closing;
mod error_page;
mod error_page_transactions;
mod expiry;
mod frozen_coordinators;
mod frozen_leaders;
mod gaps;
mod held_completions;
mod idempotent;
mod late_records;
mod lending;
mod passes;
mod plain;
mod random_faults;
mod recreated_topics;
mod responses;
mod transactions;

/// No record here has headers.
type Header = (&'static str, Option<&'static [u8]>);

const TOPIC: &str = "orders";
const PRODUCER_ID: i64 = 4711;

/// Settings that tests change.
struct Setup {
    acks: i16,
    retries: u32,
    idempotent: bool,
    guarantee_message_order: bool,
    delivery_timeout: Duration,
    /// The leaders of the topic's partitions.
    leaders: Vec<i32>,
    topic_id: Uuid,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            acks: -1,
            retries: u32::MAX,
            idempotent: false,
            guarantee_message_order: false,
            delivery_timeout: ms(10_000),
            leaders: vec![0, 0, 1, 1],
            topic_id: Uuid::ZERO,
        }
    }
}

/// A Sender and everything around it.
struct Fixture {
    time: Arc<MockTime>,
    client: MockClient,
    accumulator: Arc<RecordAccumulator>,
    metadata: Arc<ProducerMetadata>,
    control: Arc<SenderControl>,
    sender: Sender<MockClient>,
    topic_id: Uuid,
    /// How often the I/O thread would have been woken.
    wakes: Arc<AtomicUsize>,
}

/// Counts its calls.
fn count_in(count: &Arc<AtomicUsize>) -> Box<dyn Fn() + Send + Sync> {
    let count = Arc::clone(count);
    Box::new(move || {
        count.fetch_add(1, Ordering::SeqCst);
    })
}

impl Fixture {
    fn new(setup: Setup) -> Self {
        let time = MockTime::shared();
        let client = MockClient::new(Arc::clone(&time));
        client.set_least_loaded_node(Some(node(0)));
        let backoff = ExponentialBackoff::new(BACKOFF, BACKOFF);
        let metadata = Arc::new(ProducerMetadata::new(Metadata::new(
            &MetadataConfig {
                refresh_backoff: backoff,
                max_age: ms(300_000),
                max_idle: ms(300_000),
                random_seed: 1,
            },
            vec![Node::new(-1, "localhost", 9092)],
        )));
        let wakes = Arc::new(AtomicUsize::new(0));
        let accumulator = RecordAccumulator::new(
            AccumulatorConfig {
                batch_size: 1024,
                buffer_memory: 1024 * 1024,
                compression: Compression::NONE,
                linger: Duration::ZERO,
                delivery_timeout: setup.delivery_timeout,
                retry_backoff: backoff,
                guarantee_message_order: setup.guarantee_message_order,
                adaptive_partitioning: false,
                availability_timeout: Duration::ZERO,
            },
            Arc::clone(&time) as Arc<dyn Time>,
            || 0,
            count_in(&wakes),
        );
        let control = Arc::new(SenderControl::new());
        let manager = setup.idempotent.then(|| {
            let core = TransactionManager::new(backoff);
            Arc::new(Mutex::new(Rank::TransactionManager, core))
        });
        let sender = Sender::new(
            SenderConfig {
                acks: setup.acks,
                retries: setup.retries,
                max_request_size: 1024 * 1024,
                request_timeout: ms(1000),
                delivery_timeout: setup.delivery_timeout,
                retry_backoff: backoff,
                guarantee_message_order: setup.guarantee_message_order,
                oldest_produce_version: 3,
            },
            SenderParts {
                client: client.clone(),
                accumulator: RecordDrainer::new(Arc::clone(&accumulator), manager.clone(), || 0.5),
                metadata: Arc::clone(&metadata),
                transaction_manager: manager,
                time: Arc::clone(&time) as Arc<dyn Time>,
                control: Arc::clone(&control),
            },
        );
        let fixture = Self {
            time,
            client,
            accumulator,
            metadata,
            control,
            sender,
            topic_id: setup.topic_id,
            wakes,
        };
        fixture.metadata.add(TOPIC, fixture.now());
        fixture.set_leaders(&setup.leaders, 1);
        fixture
    }

    /// An idempotent producer that has its id.
    fn idempotent(setup: Setup) -> Self {
        Self::with_epoch(0, setup)
    }

    /// The next epoch needs another producer id.
    fn in_its_last_epoch() -> Self {
        Self::with_epoch(i16::MAX, Setup::default())
    }

    fn with_epoch(epoch: i16, setup: Setup) -> Self {
        let mut fixture = Self::new(Setup {
            idempotent: true,
            ..setup
        });
        fixture
            .client
            .prepare_response(producer_id(PRODUCER_ID, epoch));
        fixture.pass();
        fixture
    }

    /// As [`idempotent`](Self::idempotent), after the first batch of partition 0 was acknowledged, so that several may be
    /// on the wire.
    fn warm(setup: Setup) -> Self {
        let mut fixture = Self::idempotent(setup);
        let first = fixture.append(0);
        fixture.pass();
        fixture.answer(0, Errors::None, 0);
        assert!(first.is_done());
        fixture
    }

    fn now(&self) -> Instant {
        self.time.now()
    }

    /// The cluster now has these leaders for the topic's partitions.
    fn set_leaders(&self, leaders: &[i32], epoch: i32) {
        let brokers = (0..3).map(|id| MetadataResponseBroker {
            node_id: id,
            host: "localhost".to_owned(),
            port: 9092 + id,
            ..Default::default()
        });
        let partitions = (0..)
            .zip(leaders)
            .map(|(index, leader)| MetadataResponsePartition {
                partition_index: index,
                leader_id: *leader,
                leader_epoch: epoch,
                ..Default::default()
            });
        let response = MetadataResponse {
            brokers: brokers.collect(),
            topics: vec![MetadataResponseTopic {
                name: Some(TOPIC.to_owned()),
                topic_id: self.topic_id,
                partitions: partitions.collect(),
                ..Default::default()
            }],
            ..Default::default()
        };
        let now = self.now();
        self.metadata.with(|core| {
            let version = core.new_metadata_request_and_version(now).version;
            core.update(version, &response, 9, now).expect("open");
        });
    }

    fn append(&self, partition: i32) -> FutureRecordMetadata {
        self.append_with(partition, b"value", None)
    }

    /// Appends a record; returns whether the I/O thread would be woken for it.
    fn append_and_tell(&self, partition: i32) -> bool {
        let wakes = self.wakes.load(Ordering::SeqCst);
        drop(self.append(partition));
        self.wakes.load(Ordering::SeqCst) > wakes
    }

    fn append_with(
        &self,
        partition: i32,
        value: &[u8],
        mut callback: Option<Callback>,
    ) -> FutureRecordMetadata {
        let snapshot = self.metadata.current();
        let to = Destination {
            topic: snapshot.topic(TOPIC).expect("known"),
            partition: Some(partition),
        };
        let record = RecordToAppend::<Header>::new(0, None, Some(value), &[]);
        let now = self.now();
        let appended = self
            .accumulator
            .append(to, &record, &mut callback, now, ms(1000));
        appended.expect("appended")
    }

    /// One pass that leaves the client open.
    /// Appends a record and lets a pass send it, if it may go.
    fn send(&mut self, partition: i32) -> FutureRecordMetadata {
        let future = self.append(partition);
        self.pass();
        future
    }

    /// Lets the Sender send again what was refused.
    fn pass_after_backoff(&mut self) {
        self.advance(BACKOFF);
        self.pass();
    }

    fn pass(&mut self) {
        self.sender.run_once().expect("the client is open");
        self.sender.check_invariants();
    }

    /// Answers the oldest request for one partition and lets the Sender handle that.
    fn answer(&mut self, partition: i32, error: Errors, offset: i64) {
        self.client.respond(answer(partition, error, offset));
        self.pass();
    }

    /// The oldest request is lost with its connection.
    fn disconnect(&mut self) {
        self.client.fail(RequestFailure::Disconnected {
            reason: "connection reset".into(),
        });
        self.pass();
    }

    fn advance(&self, by: Duration) {
        self.time.advance(by);
    }

    /// The Produce requests without an answer, oldest first.
    fn in_flight(&self) -> Vec<(NodeId, ProduceRequest)> {
        let requests = self.client.requests().into_iter();
        requests
            .filter_map(|request| match request.body {
                RequestBody::Produce(body) => Some((request.destination, body)),
                _ => None,
            })
            .collect()
    }

    /// The numbers of the batches in flight for a partition: epoch and first sequence.
    fn numbers(&self, partition: i32) -> Vec<(i16, i32)> {
        let requests = self.in_flight().into_iter();
        requests
            .flat_map(|(_, request)| batches(&request))
            .filter(|batch| batch.partition == partition)
            .map(|batch| (batch.epoch, batch.sequence))
            .collect()
    }
}

const BACKOFF: Duration = ms(50);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn node(id: i32) -> Node {
    let port = u16::try_from(9092 + id).expect("small");
    Node::new(id, "localhost", port)
}

fn producer_id(producer_id: i64, epoch: i16) -> InitProducerIdResponse {
    InitProducerIdResponse {
        producer_id,
        producer_epoch: epoch,
        ..Default::default()
    }
}

/// The answer to a request with one partition.
fn answer(partition: i32, error: Errors, offset: i64) -> ProduceResponse {
    answers(vec![partition_answer(partition, error, offset)])
}

fn answers(partitions: Vec<PartitionProduceResponse>) -> ProduceResponse {
    ProduceResponse {
        responses: Few::from([TopicProduceResponse {
            name: TOPIC.to_owned(),
            partition_responses: partitions.into(),
            ..Default::default()
        }]),
        ..Default::default()
    }
}

fn partition_answer(partition: i32, error: Errors, offset: i64) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index: partition,
        error_code: error.code(),
        base_offset: offset,
        ..Default::default()
    }
}

/// What a request says about one of its batches.
#[derive(Debug, PartialEq, Eq)]
struct SentRecords {
    partition: i32,
    producer_id: i64,
    epoch: i16,
    sequence: i32,
    count: i32,
}

fn batches(request: &ProduceRequest) -> Vec<SentRecords> {
    let topics = request.topic_data.iter();
    topics
        .flat_map(|topic| &topic.partition_data)
        .map(|data| {
            let bytes = data.records.as_ref().expect("records").contiguous();
            SentRecords {
                partition: data.index,
                producer_id: i64::from_be_bytes(bytes[43..51].try_into().unwrap()),
                epoch: i16::from_be_bytes(bytes[51..53].try_into().unwrap()),
                sequence: i32::from_be_bytes(bytes[53..57].try_into().unwrap()),
                count: i32::from_be_bytes(bytes[57..61].try_into().unwrap()),
            }
        })
        .collect()
}

fn offset(future: &FutureRecordMetadata) -> i64 {
    future.try_get().expect("done").expect("written").offset()
}

fn error(future: &FutureRecordMetadata) -> KafkaError {
    future.try_get().expect("done").expect_err("failed")
}
