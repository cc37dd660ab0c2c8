//! Brokers that answer nonsense: whatever they say, each record ends once, and rightly.
//!
//! The whole producer in virtual time, down to the frames, before one broker that keeps an honest log.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::*;
use crate::client::host_resolver::HostResolver;
use crate::common::cluster::Uuid;
use crate::common::few::Few;
use crate::common::kafka_error::Persisted;
use crate::network::selectable::Selectable;
use crate::producer::kafka_producer::stepped::Stepped;
use crate::protocol::ApiKeys;
use crate::protocol::headers::{RequestHeader, ResponseHeader};
use crate::protocol::messages::api_versions::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey,
};
use crate::protocol::messages::init_producer_id::InitProducerIdResponse;
use crate::protocol::messages::produce::{
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse,
};
use crate::protocol::requests::{RequestBody, ResponseBody, decode_request, encode_response};
use crate::testing::mock_selector::MockSelector;

mod metadata;
mod produce;
mod transactions;
mod versions;

const ID: Uuid = Uuid([7; 16]);
/// After so many passes without a request all answers are taken in.
const QUIET: usize = 4;
/// Timers that run out in any of these stories, and many more.
const TOO_MANY_WAITS: usize = 500;

/// What an odd broker makes of an answer: frames without their sizes.
type Oddity = Box<dyn Fn(&RequestHeader, ResponseBody) -> Vec<Vec<u8>>>;

/// How a record must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Acked,
    AckedWithoutOffset,
    Failed(ErrorKind, Persisted),
}

/// Finds the one broker there is.
#[derive(Debug)]
struct Resolver;

impl HostResolver for Resolver {
    fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let address = format!("{host}:{port}").parse();
        Ok(vec![address.map_err(std::io::Error::other)?])
    }

    fn may_block(&self) -> bool {
        false
    }
}

/// A broker with an honest log, and the producer before it.
pub(super) struct World {
    pub(super) stepped: Stepped<MockSelector>,
    network: MockSelector,
    pub(super) time: Arc<MockTime>,
    /// Producer id, epoch, first sequence of each batch of a partition.
    log: HashMap<i32, Vec<(i64, i16, i32)>>,
    /// The API whose answers are odd, how many of them, and how.
    odd: Option<(ApiKeys, usize, Oddity)>,
    /// The level of the feature `transaction.version`.
    transaction_version: i16,
    /// The partitions that were added to transactions, where the cluster wants to be told of them.
    added: Vec<i32>,
    /// The epoch that the broker gave last.
    epoch: i16,
    /// Every request so far, and its version.
    requests: Vec<(ApiKeys, i16)>,
    /// Passes in a row in which nothing was sent.
    quiet: usize,
    /// Passes that waited for time to pass.
    waits: usize,
}

impl World {
    pub(super) fn new(settings: &[(&str, &str)]) -> Self {
        let base = [
            ("bootstrap.servers", "10.0.0.0:9092"),
            ("linger.ms", "0"),
            ("enable.metrics.push", "false"),
        ];
        let config = ProducerConfig::from_properties(base.iter().chain(settings).copied()).unwrap();
        let time = MockTime::long_ago();
        let network = MockSelector::new(Arc::clone(&time));
        let stepped = Stepped::new(
            &config,
            network.clone(),
            Arc::new(Resolver),
            Arc::clone(&time) as Arc<dyn Time>,
        );
        Self {
            stepped: stepped.unwrap(),
            network,
            time,
            log: HashMap::new(),
            odd: None,
            transaction_version: 0,
            added: Vec::new(),
            epoch: -1,
            requests: Vec::new(),
            quiet: 0,
            waits: 0,
        }
    }

    /// The next `times` answers to `api` are odd.
    fn odd(
        mut self,
        api: ApiKeys,
        times: usize,
        oddity: impl Fn(&RequestHeader, ResponseBody) -> Vec<Vec<u8>> + 'static,
    ) -> Self {
        self.odd = Some((api, times, Box::new(oddity)));
        self
    }

    /// One pass of the I/O half, and the broker's answers to what it sent.
    fn step(&mut self) {
        if self.quiet < QUIET {
            // The broker answers before any time passes.
            self.network.waker().wakeup();
            self.quiet += 1;
        } else {
            self.quiet = 0;
            self.waits += 1;
            assert!(self.waits < TOO_MANY_WAITS, "a hot loop");
        }
        self.stepped.sender.run_once().expect("the client is open");
        for (node, frame) in self.network.take_sent() {
            self.quiet = 0;
            let frame = frame.slice(4..frame.len()).expect("a size and more");
            let (header, body) = decode_request(&frame).expect("a request");
            self.requests.push((header.api, header.api_version));
            let answer = self.answer(body);
            for frame in self.frames(&header, answer) {
                self.network.receive(node, frame);
            }
        }
    }

    fn frames(&mut self, header: &RequestHeader, answer: ResponseBody) -> Vec<Vec<u8>> {
        match &mut self.odd {
            Some((api, times, oddity)) if *api == header.api && *times > 0 => {
                *times -= 1;
                oddity(header, answer)
            }
            _ => vec![frame(header, answer)],
        }
    }

    fn answer(&mut self, request: RequestBody) -> ResponseBody {
        match request {
            RequestBody::ApiVersions(_) => ApiVersionsResponse {
                finalized_features_epoch: 1,
                finalized_features: vec![FinalizedFeatureKey {
                    name: "transaction.version".to_owned(),
                    max_version_level: self.transaction_version,
                    min_version_level: 0,
                }],
                ..honest_versions()
            }
            .into(),
            RequestBody::Metadata(_) => honest_metadata().into(),
            RequestBody::InitProducerId(_) => {
                self.epoch += 1;
                InitProducerIdResponse {
                    producer_id: 4711,
                    producer_epoch: self.epoch,
                    ..Default::default()
                }
                .into()
            }
            RequestBody::EndTxn(_) => {
                self.epoch += i16::from(self.transaction_version == 2);
                transactions::ended(self.epoch).into()
            }
            RequestBody::Produce(request) => self.append(&request).into(),
            RequestBody::AddPartitionsToTxn(request) => {
                let topics = request.v3_and_below_topics.iter();
                self.added
                    .extend(topics.flat_map(|topic| &topic.partitions));
                transactions::answer(request.into())
            }
            other => transactions::answer(other),
        }
    }

    fn append(&mut self, request: &ProduceRequest) -> ProduceResponse {
        let mut responses = Few::new();
        let is_told = request.transactional_id.is_some() && self.transaction_version < 2;
        for topic in &request.topic_data {
            let mut indexes = topic.partition_data.iter().map(|data| data.index);
            assert!(!is_told || indexes.all(|index| self.added.contains(&index)));
            let partitions = topic.partition_data.iter().map(|data| {
                let bytes = data.records.as_ref().expect("records").contiguous();
                let batch = (
                    i64::from_be_bytes(bytes[43..51].try_into().unwrap()),
                    i16::from_be_bytes(bytes[51..53].try_into().unwrap()),
                    i32::from_be_bytes(bytes[53..57].try_into().unwrap()),
                );
                let log = self.log.entry(data.index).or_default();
                let known = log.iter().position(|written| *written == batch);
                let at = known.unwrap_or_else(|| {
                    log.push(batch);
                    log.len() - 1
                });
                PartitionProduceResponse {
                    index: data.index,
                    base_offset: i64::try_from(at).unwrap(),
                    ..Default::default()
                }
            });
            responses.push(TopicProduceResponse {
                name: topic.name.to_string(),
                topic_id: topic.topic_id,
                partition_responses: partitions.collect(),
            });
        }
        ProduceResponse {
            responses,
            ..Default::default()
        }
    }

    /// Hands a record over as soon as the topic is known.
    pub(super) fn send(&mut self, partition: i32) -> FutureRecordMetadata {
        loop {
            let record = record().with_partition(partition);
            match self.stepped.producer.try_send(record) {
                Ok(future) => return future,
                Err(refused) => {
                    assert!(refused.would_block(), "{refused}");
                    // The call has woken the I/O half, which holds back the time for one pass.
                    self.quiet = 0;
                    (0..=QUIET).for_each(|_| self.step());
                }
            }
        }
    }

    /// Steps until the record has ended, which must be by its deadline.
    fn end_of(&mut self, future: &FutureRecordMetadata) -> End {
        let deadline = self.time.elapsed() + DELIVERY_TIMEOUT;
        while !future.is_done() {
            self.step();
            assert!(self.time.elapsed() <= deadline, "the record is late");
        }
        match future.try_get().expect("done") {
            Ok(metadata) if metadata.has_offset() => End::Acked,
            Ok(_) => End::AckedWithoutOffset,
            Err(error) => End::Failed(error.kind(), error.persisted()),
        }
    }

    /// Sends a record to this broker; it must end like this, and the next one must succeed.
    fn ends_with(mut self, name: &str, expected: End) -> Self {
        let first = self.send(0);
        assert_eq!(self.end_of(&first), expected, "{name}");
        let written = self.log.get(&0).map_or(0, Vec::len);
        let allowed = match expected {
            End::Acked | End::AckedWithoutOffset => 1..=1,
            End::Failed(_, Persisted::No) => 0..=0,
            End::Failed(_, Persisted::Maybe) => 0..=1,
        };
        assert!(
            allowed.contains(&written),
            "{name}: written {written} times"
        );
        let second = self.send(1);
        assert_eq!(self.end_of(&second), End::Acked, "{name}: the next record");
        assert_eq!(self.log[&1].len(), 1, "{name}: the next record");
        self
    }

    fn connections(&self) -> usize {
        self.network.connects().len()
    }
}

fn frame(header: &RequestHeader, body: impl Into<ResponseBody>) -> Vec<u8> {
    frame_to(header.correlation_id, header.api_version, body)
}

fn frame_to(correlation_id: i32, version: i16, body: impl Into<ResponseBody>) -> Vec<u8> {
    let header = ResponseHeader { correlation_id };
    let segments = encode_response(header, version, &body.into()).expect("encodes");
    let bytes: Vec<u8> = segments.iter().flat_map(|s| s.iter().copied()).collect();
    bytes[4..].to_vec()
}

fn honest_versions() -> ApiVersionsResponse {
    let apis = ApiKeys::ALL.iter().map(|api| ApiVersion {
        api_key: api.id(),
        min_version: *api.versions().start(),
        max_version: *api.versions().end(),
    });
    ApiVersionsResponse {
        api_keys: apis.collect(),
        ..Default::default()
    }
}

/// One broker, and a topic with two partitions on it.
fn honest_metadata() -> MetadataResponse {
    let partitions = (0..2).map(|partition_index| MetadataResponsePartition {
        partition_index,
        leader_id: 0,
        leader_epoch: 1,
        replica_nodes: vec![0],
        isr_nodes: vec![0],
        ..Default::default()
    });
    MetadataResponse {
        brokers: vec![broker(0, "10.0.0.0", 9092)],
        cluster_id: Some("one".to_owned()),
        topics: vec![MetadataResponseTopic {
            name: Some(TOPIC.to_owned()),
            topic_id: ID,
            partitions: partitions.collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn broker(node_id: i32, host: &str, port: i32) -> MetadataResponseBroker {
    MetadataResponseBroker {
        node_id,
        host: host.to_owned(),
        port,
        rack: None,
    }
}

/// The default of `delivery.timeout.ms`.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(120);
