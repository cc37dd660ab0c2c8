//! The core in virtual time: requests in, replies out.

mod broken_brokers;
mod random_walk;
mod replication;
mod transactions;

use std::time::{Duration, Instant};

use super::*;
use crate::broker::cluster::topics::TopicPlan;
use crate::broker::faults::{Api, Fault};
use crate::broker::log::unified_log::LogConfig;
use crate::common::cluster::ProducerIdAndEpoch;
use crate::common::error_kind::ErrorKind;
use crate::common::few::Few;
use crate::common::header::Header;
use crate::common::payload::Payload;
use crate::common::time::{SystemTime, Time};
use crate::protocol::Records;
use crate::protocol::api_keys::ApiKeys;
use crate::protocol::errors::Errors;
use crate::protocol::headers::ResponseHeader;
use crate::protocol::messages::api_versions::ApiVersionsRequest;
use crate::protocol::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use crate::protocol::messages::fetch::{FetchPartition, FetchRequest, FetchResponse, FetchTopic};
use crate::protocol::messages::find_coordinator::FindCoordinatorRequest;
use crate::protocol::messages::init_producer_id::InitProducerIdRequest;
use crate::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use crate::protocol::messages::metadata::{MetadataRequest, MetadataRequestTopic};
use crate::protocol::messages::produce::{
    PartitionProduceData, PartitionProduceResponse, ProduceRequest, TopicProduceData,
};
use crate::protocol::requests;
use crate::record::checksum::BatchChecksum;
use crate::record::compression_type::CompressionType;
use crate::record::default_record::{RecordDeltas, RecordToAppend};
use crate::record::default_record_batch::BatchHeader;
use crate::record::record_batch::Attributes;
use crate::testing::golden::hex;

/// One record, k to v, without producer id: 70 bytes as the Java client writes them.
const BATCH: &str = "00000000000000000000003affffffff02e99b8dd80000000000000000018bcfe568000000018bcfe56800\
                     ffffffffffffffffffffffffffff0000000110000000026b027600";

/// Three brokers, a topic `t` with a partition led by each.
struct Fixture {
    core: BrokerCore,
    now: Now,
}

impl Fixture {
    fn new() -> Self {
        let log = LogConfig::default();
        let defaults = TopicDefaults {
            auto_create: true,
            partitions: 1,
            replication_factor: 3,
            log,
        };
        let mut core = BrokerCore::new(defaults);
        for id in 1..=3 {
            core.broker_started(NodeId(id), "127.0.0.1".to_owned(), 9000, SystemTime.now());
        }
        let plan = TopicPlan {
            partitions: 3,
            ..TopicPlan::DEFAULT
        };
        core.topics.create("t", &plan).expect("a legal plan");
        Self {
            core,
            now: Now {
                monotonic: SystemTime.now(),
                wall_clock_ms: 1_700_000_000_000,
            },
        }
    }

    /// Replies to a request of broker 1's first connection.
    fn ask(&mut self, version: i16, body: impl Into<RequestBody>) -> Vec<Reply> {
        self.ask_at(1, version, body)
    }

    fn ask_at(&mut self, broker: i32, version: i16, body: impl Into<RequestBody>) -> Vec<Reply> {
        let body = body.into();
        let header = RequestHeader {
            api: body.api_key(),
            api_version: version,
            correlation_id: 7,
            client_id: None,
        };
        let connection = ConnectionId {
            broker: NodeId(broker),
            number: 1,
        };
        let mut replies = Vec::new();
        self.core.handle(
            Incoming {
                connection,
                header,
                body,
            },
            self.now,
            &mut replies,
        );
        replies
    }

    fn produce(&mut self, broker: i32, partition: i32) -> PartitionProduceResponse {
        let replies = self.ask_at(broker, 10, produce("t", partition, batch()));
        let Some(ResponseBody::Produce(mut response)) = body(replies) else {
            panic!("no answer")
        };
        response.responses.remove(0).partition_responses.remove(0)
    }

    fn pass(&mut self, time: Duration) -> Vec<Reply> {
        self.now.monotonic += time;
        let mut replies = Vec::new();
        self.core.poll(self.now, &mut replies);
        replies
    }
}

fn body(mut replies: Vec<Reply>) -> Option<ResponseBody> {
    match replies.pop()?.action {
        ReplyAction::Send(body) => Some(body),
        _ => None,
    }
}

fn batch() -> Vec<u8> {
    hex(BATCH)
}

/// One record, numbered by its producer.
fn numbered(producer: ProducerIdAndEpoch, base_sequence: i32, transactional: bool) -> Vec<u8> {
    numbered_value(producer, base_sequence, transactional, b"v")
}

fn numbered_value(
    producer: ProducerIdAndEpoch,
    base_sequence: i32,
    transactional: bool,
    value: &[u8],
) -> Vec<u8> {
    let record = RecordToAppend::<Header>::new(1_700_000_000_000, None, Some(value), &[]);
    let first = RecordDeltas {
        timestamp: 0,
        offset: 0,
    };
    let mut body = Vec::new();
    record.at(first).write(&mut body);
    let header = BatchHeader {
        base_offset: 0,
        partition_leader_epoch: -1,
        attributes: Attributes::produced(CompressionType::None, transactional),
        last_offset_delta: 0,
        base_timestamp: 1_700_000_000_000,
        max_timestamp: 1_700_000_000_000,
        producer,
        base_sequence,
        count: 1,
    };
    let mut bytes = header.encode(&body, &BatchChecksum::default()).to_vec();
    bytes.extend(body);
    bytes
}

fn produce(topic: &str, partition: i32, records: Vec<u8>) -> ProduceRequest {
    let records = Some(Records::from(Payload::new(records)));
    let partition_data = Few::from([PartitionProduceData {
        index: partition,
        records,
    }]);
    let topic_data = Few::from([TopicProduceData {
        name: topic.into(),
        partition_data,
        ..Default::default()
    }]);
    ProduceRequest {
        acks: -1,
        timeout_ms: 1000,
        topic_data,
        ..Default::default()
    }
}

fn fetch(partition: i32, offset: i64, max_wait_ms: i32) -> FetchRequest {
    let wanted = FetchPartition {
        partition,
        fetch_offset: offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    let topics = vec![FetchTopic {
        topic: "t".to_owned(),
        partitions: vec![wanted],
        ..Default::default()
    }];
    FetchRequest {
        max_wait_ms,
        min_bytes: 1,
        max_bytes: 1 << 20,
        topics,
        ..Default::default()
    }
}

fn fetched(replies: Vec<Reply>) -> FetchResponse {
    match body(replies) {
        Some(ResponseBody::Fetch(response)) => response,
        other => panic!("no fetch answer: {other:?}"),
    }
}

fn bytes_fetched(response: &FetchResponse) -> usize {
    response.responses[0].partitions[0]
        .records
        .as_ref()
        .map_or(0, Records::size)
}

#[test]
fn a_batch_gets_the_next_offset_and_is_read_back() {
    let mut fixture = Fixture::new();
    assert_eq!(fixture.produce(1, 0).base_offset, 0);
    assert_eq!(fixture.produce(1, 0).base_offset, 1);
    let response = fetched(fixture.ask(12, fetch(0, 1, 0)));
    assert_eq!(bytes_fetched(&response), 70);
    assert_eq!(response.responses[0].partitions[0].high_watermark, 2);
}

#[test]
fn only_the_leader_takes_batches_and_others_name_it() {
    let mut fixture = Fixture::new();
    let refused = fixture.produce(1, 1);
    assert_eq!(refused.error_code, Errors::NotLeaderOrFollower.code());
    assert_eq!(refused.current_leader.leader_id, 2);
    let Some(ResponseBody::Produce(response)) = body(fixture.ask(10, produce("t", 1, batch())))
    else {
        panic!()
    };
    assert_eq!(response.node_endpoints[0].node_id, 2);
}

#[test]
fn a_broken_batch_is_refused() {
    let mut fixture = Fixture::new();
    let mut broken = batch();
    *broken.last_mut().expect("bytes") ^= 1;
    let Some(ResponseBody::Produce(response)) = body(fixture.ask(9, produce("t", 0, broken)))
    else {
        panic!()
    };
    let refused = &response.responses[0].partition_responses[0];
    assert_eq!(refused.error_code, Errors::CorruptMessage.code());
}

#[test]
fn without_acknowledgement_there_is_no_answer_and_an_error_hangs_up() {
    let mut fixture = Fixture::new();
    let mut request = produce("t", 0, batch());
    request.acks = 0;
    assert!(matches!(
        fixture.ask(9, request.clone())[0].action,
        ReplyAction::Nothing
    ));
    request.topic_data[0].partition_data[0].index = 99;
    assert!(matches!(
        fixture.ask(9, request)[0].action,
        ReplyAction::Close
    ));
}

#[test]
fn a_fetch_waits_for_data() {
    let mut fixture = Fixture::new();
    assert!(fixture.ask_at(1, 12, fetch(0, 0, 500)).is_empty());
    let mut replies = fixture.ask_at(1, 9, produce("t", 0, batch()));
    assert_eq!(
        replies.len(),
        2,
        "the produce request and the fetch that waited"
    );
    assert_eq!(bytes_fetched(&fetched(vec![replies.remove(1)])), 70);
    assert_eq!(fixture.core.next_timeout(), None);
}

#[test]
fn a_fetch_that_has_waited_long_enough_is_answered_empty() {
    let mut fixture = Fixture::new();
    let asked: Instant = fixture.now.monotonic;
    assert!(fixture.ask(12, fetch(0, 0, 500)).is_empty());
    assert_eq!(
        fixture.core.next_timeout(),
        Some(asked + Duration::from_millis(500))
    );
    assert!(fixture.pass(Duration::from_millis(499)).is_empty());
    assert_eq!(
        bytes_fetched(&fetched(fixture.pass(Duration::from_millis(1)))),
        0
    );
}

#[test]
fn offsets_are_listed_by_position_and_time() {
    let mut fixture = Fixture::new();
    fixture.produce(1, 0);
    fixture.produce(1, 0);
    let mut list = |timestamp: i64| {
        let partitions = vec![ListOffsetsPartition {
            partition_index: 0,
            timestamp,
            ..Default::default()
        }];
        let topics = vec![ListOffsetsTopic {
            name: "t".to_owned(),
            partitions,
        }];
        let request = ListOffsetsRequest {
            replica_id: -1,
            topics,
            ..Default::default()
        };
        let Some(ResponseBody::ListOffsets(response)) = body(fixture.ask(7, request)) else {
            panic!()
        };
        response.topics[0].partitions[0].offset
    };
    assert_eq!((list(-2), list(-1)), (0, 2));
    assert_eq!(list(1_700_000_000_000), 0);
    assert_eq!(list(1_700_000_000_001), -1);
}

#[test]
fn a_topic_asked_for_is_made_unless_that_is_off() {
    let mut fixture = Fixture::new();
    let mut ask = |allow: bool| {
        let topics = Some(vec![MetadataRequestTopic {
            name: Some("new".to_owned()),
            ..Default::default()
        }]);
        let request = MetadataRequest {
            topics,
            allow_auto_topic_creation: allow,
            ..Default::default()
        };
        let Some(ResponseBody::Metadata(response)) = body(fixture.ask(12, request)) else {
            panic!()
        };
        (
            response.topics[0].error_code,
            response.topics[0].partitions.len(),
            response.brokers.len(),
        )
    };
    assert_eq!(ask(false), (Errors::UnknownTopicOrPartition.code(), 0, 3));
    assert_eq!(ask(true), (0, 1, 3));
    assert_eq!(ask(false), (0, 1, 3));
}

#[test]
fn an_unknown_version_of_api_versions_is_answered_with_the_known_ones() {
    let mut fixture = Fixture::new();
    let Some(ResponseBody::ApiVersions(response)) =
        body(fixture.ask(99, ApiVersionsRequest::default()))
    else {
        panic!()
    };
    assert_eq!(response.error_code, Errors::UnsupportedVersion.code());
    assert_eq!(response.api_keys[0].api_key, ApiKeys::ApiVersions.id());
}

#[test]
fn producer_ids_differ() {
    let mut fixture = Fixture::new();
    let mut ask = || match body(fixture.ask(
        4,
        InitProducerIdRequest {
            transactional_id: None,
            ..Default::default()
        },
    )) {
        Some(ResponseBody::InitProducerId(response)) => response.producer_id,
        other => panic!("{other:?}"),
    };
    assert_ne!(ask(), ask());
}

#[test]
fn faults_drop_lose_silence_delay_and_refuse() {
    let mut fixture = Fixture::new();
    fixture
        .core
        .faults
        .add(Fault::on(Api::Produce).drop_connection().times(1));
    assert!(matches!(
        fixture.ask(9, produce("t", 0, batch()))[0].action,
        ReplyAction::Close
    ));
    fixture
        .core
        .faults
        .add(Fault::on(Api::Produce).lose_response().times(1));
    assert!(matches!(
        fixture.ask(9, produce("t", 0, batch()))[0].action,
        ReplyAction::Close
    ));
    fixture
        .core
        .faults
        .add(Fault::on(Api::Produce).never_answer().times(1));
    assert!(fixture.ask(9, produce("t", 0, batch())).is_empty());
    fixture.core.faults.add(
        Fault::on(Api::Produce)
            .delay(Duration::from_millis(30))
            .times(1),
    );
    assert!(fixture.ask(9, produce("t", 0, batch())).is_empty());
    assert_eq!(fixture.pass(Duration::from_millis(30)).len(), 1);
    fixture.core.faults.add(
        Fault::on(Api::Produce)
            .error(ErrorKind::NotEnoughReplicas)
            .times(1),
    );
    assert_eq!(
        fixture.produce(1, 0).error_code,
        Errors::NotEnoughReplicas.code()
    );
    assert_eq!(
        fixture.produce(1, 0).base_offset,
        3,
        "dropped and refused requests wrote nothing"
    );
}

/// What a version cannot say must not be said, or the answer could not be sent.
#[test]
fn every_answer_can_be_encoded_in_the_version_of_its_request() {
    let mut requests = one_of_each();
    requests.extend(transactions::one_of_each());
    for failing in [false, true] {
        let mut fixture = Fixture::new();
        fixture.core.coordinators.settings.two_phase_commit = true;
        for request in &requests {
            for version in request.api_key().versions() {
                if failing {
                    fixture.core.faults.add(
                        Fault::on(api(request))
                            .error(ErrorKind::NotController)
                            .times(1),
                    );
                }
                let answer = body(fixture.ask(version, request.clone())).expect("an answer");
                let header = ResponseHeader { correlation_id: 7 };
                let encoded = requests::encode_response(header, version, &answer);
                assert!(
                    encoded.is_ok(),
                    "{} {version}: {encoded:?}",
                    request.api_key()
                );
            }
        }
    }
}

fn one_of_each() -> Vec<RequestBody> {
    let topic = |name: &str| {
        Some(vec![MetadataRequestTopic {
            name: Some(name.to_owned()),
            ..Default::default()
        }])
    };
    let offsets = ListOffsetsTopic {
        name: "t".to_owned(),
        partitions: vec![ListOffsetsPartition {
            timestamp: -1,
            ..Default::default()
        }],
    };
    let created = CreatableTopic {
        name: "c".to_owned(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    vec![
        produce("t", 0, batch()).into(),
        produce("t", 1, batch()).into(),
        fetch(0, 0, 0).into(),
        ListOffsetsRequest {
            replica_id: -1,
            topics: vec![offsets],
            ..Default::default()
        }
        .into(),
        MetadataRequest {
            topics: topic("t"),
            ..Default::default()
        }
        .into(),
        FindCoordinatorRequest {
            key: "g".to_owned(),
            coordinator_keys: vec!["g".to_owned()],
            ..Default::default()
        }
        .into(),
        ApiVersionsRequest {
            client_software_name: "a".to_owned(),
            client_software_version: "1".to_owned(),
        }
        .into(),
        CreateTopicsRequest {
            topics: vec![created],
            ..Default::default()
        }
        .into(),
        InitProducerIdRequest {
            transactional_id: None,
            ..Default::default()
        }
        .into(),
    ]
}

fn api(request: &RequestBody) -> Api {
    let all = [
        Api::Produce,
        Api::Fetch,
        Api::ListOffsets,
        Api::Metadata,
        Api::FindCoordinator,
        Api::ApiVersions,
        Api::CreateTopics,
        Api::InitProducerId,
        Api::AddPartitionsToTxn,
        Api::AddOffsetsToTxn,
        Api::EndTxn,
        Api::TxnOffsetCommit,
        Api::OffsetFetch,
    ];
    all.into_iter()
        .find(|api| api.key() == request.api_key())
        .expect("every key has its name")
}

#[test]
fn leaders_move_when_a_broker_stops() {
    let mut fixture = Fixture::new();
    fixture.produce(1, 0);
    let now = fixture.now.monotonic;
    fixture.core.broker_stopped(NodeId(1), now);
    assert_eq!(fixture.produce(2, 0).base_offset, 1);
}
