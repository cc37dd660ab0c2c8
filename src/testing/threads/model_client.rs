//! A cluster of one broker that answers whenever the scheduler lets it, with the real sleep of the I/O thread.
//!
//! Java: none; nearest is `test/MockClient.java`.
//! Differs: no test steps in; what was written is noted down for the end.
//! Threads: the I/O thread. Locks: those of the `Bell`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread;

use crate::client::client_request::{ClientRequest, ClientResponse, Outcome, RequestBuilder};
use crate::client::kafka_client::{ClientWaker, KafkaClient, LeastLoadedNode};
use crate::client::metadata_handle::MetadataHandle;
use crate::common::cluster::{Node, NodeId, ProducerIdAndEpoch};
use crate::common::few::Few;
use crate::common::kafka_error::KafkaError;
use crate::common::payload::Payload;
use crate::network::selector_waker::SelectorWaker;
use crate::producer::internals::producer_metadata::ProducerMetadata;
use crate::protocol::errors::Errors;
use crate::protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use crate::protocol::requests::{RequestBody, ResponseBody};
use crate::record::memory_records::MemoryRecords;
use crate::testing::mock_time::MockTime;
use crate::testing::threads::Notes;
use crate::testing::threads::model_coordinator::{Fates, ModelCoordinator};
use crate::testing::threads::sleep::Bell;

pub(crate) const TOPIC: &str = "orders";
pub(crate) const PARTITIONS: i32 = 2;

/// A record as it was written: partition and value.
pub(crate) type Written = (i32, Vec<u8>);

/// The client's end of the cluster, and the cluster.
#[derive(Debug)]
pub(crate) struct ModelClient {
    waker: ClientWaker,
    bell: Arc<Bell>,
    metadata: Arc<ProducerMetadata>,
    time: Arc<MockTime>,
    written: Arc<Notes<Written>>,
    coordinator: ModelCoordinator,
    next_offsets: [i64; PARTITIONS as usize],
    last_correlation_id: i32,
    answers: VecDeque<ClientResponse>,
    is_closed: bool,
}

impl ModelClient {
    pub(crate) fn new(metadata: Arc<ProducerMetadata>, time: Arc<MockTime>) -> Self {
        let bell = Arc::new(Bell::new());
        let rings = Arc::clone(&bell);
        Self {
            waker: ClientWaker::new(Arc::new(SelectorWaker::new(move || rings.ring()))),
            bell,
            metadata,
            time,
            written: Arc::default(),
            coordinator: ModelCoordinator::default(),
            next_offsets: [0; PARTITIONS as usize],
            last_correlation_id: 0,
            answers: VecDeque::new(),
            is_closed: false,
        }
    }

    /// Everything that the broker took, in the order of its log.
    pub(crate) fn written(&self) -> Arc<Notes<Written>> {
        Arc::clone(&self.written)
    }

    /// What became of transactions.
    pub(crate) fn fates(&self) -> Arc<Fates> {
        self.coordinator.fates()
    }

    /// As the real selector does it. Returns whether the wait ended by itself.
    fn sleep(&self, timeout: Duration, now: Instant) {
        let waker = &self.waker;
        if !timeout.is_zero() && waker.begin_sleep() {
            if self.answers.is_empty() {
                let deadline = (timeout != Duration::MAX).then(|| now + timeout);
                if !self.bell.wait(deadline) {
                    self.time.advance(timeout);
                    // Or a schedule that starves all others would let nothing happen but time pass.
                    thread::yield_now();
                }
            } else {
                // Asleep until the answer comes, which is when the scheduler says so.
                thread::yield_now();
            }
        }
        waker.end_sleep();
    }

    fn answer_metadata(&self, now: Instant) {
        let wanted = self.metadata.with(|core| core.contains_topic(TOPIC));
        if wanted && self.metadata.current().topic(TOPIC).is_none() {
            publish(&self.metadata, now);
        }
    }

    fn append(&mut self, version: i16, request: &ProduceRequest) -> ProduceResponse {
        let mut response = ProduceResponse::default();
        for topic in &request.topic_data {
            let mut answers = Few::new();
            for data in &topic.partition_data {
                let bytes = data.records.as_ref().expect("records").contiguous();
                let is_transactional = request.transactional_id.is_some();
                let (producer, records) = read(data.index, bytes);
                let error = match producer.filter(|_| is_transactional) {
                    Some(producer) => self.coordinator.take_batch(version, producer, &records),
                    None => Errors::None,
                };
                let at = usize::try_from(data.index).expect("small");
                answers.push(PartitionProduceResponse {
                    index: data.index,
                    error_code: error.code(),
                    base_offset: self.next_offsets[at],
                    ..Default::default()
                });
                if error == Errors::None {
                    self.next_offsets[at] += i64::try_from(records.len()).expect("few");
                    records
                        .into_iter()
                        .for_each(|record| self.written.add(record));
                }
            }
            response.responses.push(TopicProduceResponse {
                name: topic.name.to_string(),
                topic_id: topic.topic_id,
                partition_responses: answers,
            });
        }
        response
    }
}

/// Who made the batch, and its records.
fn read(partition: i32, bytes: Payload) -> (Option<ProducerIdAndEpoch>, Vec<Written>) {
    let batches = MemoryRecords::new(bytes);
    let first = batches.batches().next().expect("a batch").expect("whole");
    let records = batches.records().expect("whole").into_iter().map(|record| {
        let value = record.value.as_deref().expect("a value");
        (partition, value.to_vec())
    });
    let producer = first.as_default().map(|batch| batch.header().producer);
    (producer, records.collect())
}

/// Tells the metadata that there is a topic, led by node 0.
pub(crate) fn publish(metadata: &ProducerMetadata, now: Instant) {
    let partitions = (0..PARTITIONS).map(|partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 0,
        leader_epoch: 1,
        ..Default::default()
    });
    let response = MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: 0,
            host: "localhost".to_owned(),
            port: 9092,
            ..Default::default()
        }],
        topics: vec![MetadataResponseTopic {
            name: Some(TOPIC.to_owned()),
            partitions: partitions.collect(),
            ..Default::default()
        }],
        ..Default::default()
    };
    metadata.with(|core| {
        if !core.contains_topic(TOPIC) {
            core.add(TOPIC, now);
        }
        let version = core.new_metadata_request_and_version(now).version;
        core.update(version, &response, 9, now).expect("open");
    });
}

impl KafkaClient for ModelClient {
    fn is_ready(&self, _: &Node, _: Instant) -> bool {
        true
    }

    fn ready(&mut self, _: &Node, _: Instant) -> bool {
        true
    }

    fn poll_delay(&self, _: &Node, _: Instant) -> Duration {
        Duration::MAX
    }

    fn connection_failed(&self, _: &Node) -> bool {
        false
    }

    fn has_suspects(&self) -> bool {
        false
    }

    fn is_suspect(&self, _: NodeId) -> bool {
        false
    }

    fn new_client_request(
        &mut self,
        destination: NodeId,
        builder: RequestBuilder,
        created: Instant,
        expects_response: bool,
    ) -> ClientRequest {
        self.last_correlation_id += 1;
        ClientRequest {
            correlation_id: self.last_correlation_id,
            destination,
            builder,
            created,
            expects_response,
            timeout: Duration::from_secs(30),
        }
    }

    fn send(&mut self, request: ClientRequest, _: Instant) {
        let version = request.builder.latest_allowed_version();
        let body: ResponseBody = match request.builder.build(version).expect("all versions") {
            RequestBody::Produce(body) => self.append(version, &body).into(),
            other => self.coordinator.answer(version, other),
        };
        self.answers.push_back(ClientResponse {
            correlation_id: request.correlation_id,
            destination: request.destination,
            outcome: Outcome::Answered(body),
            latency: Duration::ZERO,
        });
    }

    fn poll(
        &mut self,
        timeout: Duration,
        now: Instant,
        responses: &mut Vec<ClientResponse>,
    ) -> Result<(), KafkaError> {
        assert!(!self.is_closed, "polled after it was closed");
        self.answer_metadata(now);
        // Some answers are there before the poll, some make it wait.
        let at_hand = thread_rng().gen_range(0..=self.answers.len());
        if at_hand == 0 {
            self.sleep(timeout, now);
        }
        self.answer_metadata(now);
        let come = at_hand.max(1).min(self.answers.len());
        responses.extend(self.answers.drain(..come));
        Ok(())
    }

    fn disconnect(&mut self, _: NodeId, _: &str, _: Instant) {}

    fn least_loaded_node(&mut self, _: Instant) -> LeastLoadedNode {
        LeastLoadedNode {
            node: Some(Node::new(0, "localhost", 9092)),
            at_least_one_connection_ready: true,
        }
    }

    fn waker(&self) -> ClientWaker {
        self.waker.clone()
    }

    fn close(&mut self) {
        self.is_closed = true;
    }
}
