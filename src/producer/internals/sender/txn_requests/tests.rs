//! What transactional requests say, field by field, and what their answers mean.

use super::*;
use crate::producer::consumer_group_metadata::ConsumerGroupMetadata;
use crate::producer::offset_and_metadata::OffsetAndMetadata;
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use crate::protocol::messages::find_coordinator::Coordinator;

const IDENTITY: ProducerIdAndEpoch = ProducerIdAndEpoch {
    producer_id: 4711,
    epoch: 3,
};

fn transaction(version: TransactionVersion) -> TransactionId {
    TransactionId {
        transactional_id: "txn".into(),
        identity: IDENTITY,
        version,
    }
}

fn tp(topic: &str, partition: i32) -> TopicPartition {
    TopicPartition::new(topic, partition)
}

/// Two topics whose partitions have the same numbers.
fn partitions() -> Vec<TopicPartition> {
    vec![tp("a", 0), tp("a", 1), tp("b", 0)]
}

fn offsets(group: ConsumerGroupMetadata) -> GroupOffsets {
    let at = OffsetAndMetadata::new;
    GroupOffsets {
        group,
        offsets: [
            (tp("a", 0), at(10)),
            (
                tp("a", 1),
                at(11).with_leader_epoch(5).with_metadata("note"),
            ),
            (tp("b", 0), at(12)),
        ]
        .into_iter()
        .collect(),
    }
}

fn init() -> InitProducerId {
    InitProducerId {
        transactional_id: Some("txn".into()),
        transaction_timeout_ms: 60_000,
        identity: IDENTITY,
        two_phase_commit: false,
        keep_prepared: false,
    }
}

/// The request as it is at this version.
fn built(body: TxnRequestBody, version: i16) -> RequestBody {
    builder(body).build(version).expect("it can be said")
}

#[test]
fn partitions_are_added_under_their_topics_and_by_who_writes_to_them() {
    let request = TxnRequestBody::AddPartitionsToTxn {
        transaction: transaction(TransactionVersion::V1),
        partitions: partitions(),
    };
    let topic = |name: &str, partitions| AddPartitionsToTxnTopic {
        name: name.to_owned(),
        partitions,
    };
    let expected = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: "txn".to_owned(),
        v3_and_below_producer_id: 4711,
        v3_and_below_producer_epoch: 3,
        v3_and_below_topics: vec![topic("a", vec![0, 1]), topic("b", vec![0])],
        ..Default::default()
    };
    assert_eq!(built(request, 3), expected.into());
}

#[test]
fn groups_and_ends_name_the_transaction_and_who_has_it() {
    let group = TxnRequestBody::AddOffsetsToTxn {
        transaction: transaction(TransactionVersion::V1),
        group_id: "group".to_owned(),
    };
    let expected = AddOffsetsToTxnRequest {
        transactional_id: "txn".to_owned(),
        producer_id: 4711,
        producer_epoch: 3,
        group_id: "group".to_owned(),
    };
    assert_eq!(built(group, 3), expected.into());
    for committed in [false, true] {
        let end = TxnRequestBody::EndTxn {
            transaction: transaction(TransactionVersion::V2),
            commit: committed,
        };
        let expected = EndTxnRequest {
            transactional_id: "txn".to_owned(),
            producer_id: 4711,
            producer_epoch: 3,
            committed,
        };
        assert_eq!(built(end, 5), expected.into());
    }
}

/// Scenario: TX19.
#[test]
fn offsets_say_where_the_consumer_stands_and_who_it_is() {
    let group = ConsumerGroupMetadata::new("group")
        .with_member(8, "member")
        .with_group_instance_id("instance");
    let request = TxnRequestBody::TxnOffsetCommit {
        transaction: transaction(TransactionVersion::V1),
        offsets: offsets(group),
    };
    let at = |index, offset, epoch, text: &str| TxnOffsetCommitRequestPartition {
        partition_index: index,
        committed_offset: offset,
        committed_leader_epoch: epoch,
        committed_metadata: Some(text.to_owned()),
    };
    let topic = |name: &str, partitions| TxnOffsetCommitRequestTopic {
        name: name.to_owned(),
        partitions,
    };
    let expected = TxnOffsetCommitRequest {
        transactional_id: "txn".to_owned(),
        group_id: "group".to_owned(),
        producer_id: 4711,
        producer_epoch: 3,
        generation_id: 8,
        member_id: "member".to_owned(),
        group_instance_id: Some("instance".to_owned()),
        topics: vec![
            topic("a", vec![at(0, 10, -1, ""), at(1, 11, 5, "note")]),
            topic("b", vec![at(0, 12, -1, "")]),
        ],
    };
    assert_eq!(built(request, 3), expected.into());
}

/// Java: `TransactionManagerTest.testTransactionV2Enabled..` (KIP-890). Scenario: TX26.
#[test]
fn a_transaction_of_version_1_uses_no_request_that_makes_it_one_of_version_2() {
    for (version, highest_end, highest_commit) in [
        (TransactionVersion::V1, 4, 4),
        (TransactionVersion::V2, 5, 5),
    ] {
        let transaction = transaction(version);
        let end = builder(TxnRequestBody::EndTxn {
            transaction: transaction.clone(),
            commit: true,
        });
        assert_eq!(end.latest_allowed_version(), highest_end);
        let commit = builder(TxnRequestBody::TxnOffsetCommit {
            transaction,
            offsets: offsets(ConsumerGroupMetadata::new("group")),
        });
        assert_eq!(commit.latest_allowed_version(), highest_commit);
    }
}

/// Java: `TransactionManagerTest.testInitPidTransactionalIdWithKeepPrepared..` (KIP-360, KIP-939). Scenario: TX15.
#[test]
fn an_identity_is_asked_for_as_the_version_allows() {
    let asked = |init: InitProducerId, version| match built(
        TxnRequestBody::InitProducerId(init),
        version,
    ) {
        RequestBody::InitProducerId(request) => request,
        other => panic!("not for an identity: {other:?}"),
    };
    let known = asked(init(), 3);
    assert_eq!(known.transactional_id.as_deref(), Some("txn"));
    assert_eq!(known.transaction_timeout_ms, 60_000);
    assert_eq!((known.producer_id, known.producer_epoch), (4711, 3));
    assert!(!known.enable_2_pc && !known.keep_prepared_txn);
    let older = asked(init(), 2);
    assert_eq!((older.producer_id, older.producer_epoch), (-1, -1));
    let prepared = InitProducerId {
        two_phase_commit: true,
        keep_prepared: true,
        ..init()
    };
    let oldest = |init| builder(TxnRequestBody::InitProducerId(init)).oldest_allowed_version();
    assert_eq!((oldest(init()), oldest(prepared.clone())), (0, 6));
    let prepared = asked(prepared, 6);
    assert!(prepared.enable_2_pc && prepared.keep_prepared_txn);
}

#[test]
fn coordinators_are_asked_for_by_kind_and_by_name() {
    for (key, name, key_type) in [
        (CoordinatorKey::Group("group".to_owned()), "group", 0),
        (CoordinatorKey::Transaction("txn".into()), "txn", 1),
    ] {
        let asked = |version| {
            let RequestBody::FindCoordinator(request) =
                built(TxnRequestBody::FindCoordinator(key.clone()), version)
            else {
                panic!("not for a coordinator");
            };
            assert_eq!(request.key_type, key_type);
            (request.key, request.coordinator_keys)
        };
        assert_eq!(asked(3), (name.to_owned(), Vec::new()));
        assert_eq!(asked(4), (String::new(), vec![name.to_owned()]));
    }
}

fn failure(response: TxnResponse) -> KafkaError {
    match response {
        TxnResponse::Failed(error) => error,
        other => panic!("no failure: {other:?}"),
    }
}

#[test]
fn a_coordinator_must_be_the_one_that_was_asked_for_and_be_somewhere() {
    let named = |key: &str, node_id, host: &str, port| FindCoordinatorResponse {
        coordinators: vec![
            Coordinator {
                key: "other".to_owned(),
                node_id: 1,
                host: "elsewhere".to_owned(),
                port: 9093,
                ..Default::default()
            },
            Coordinator {
                key: key.to_owned(),
                node_id,
                host: host.to_owned(),
                port,
                ..Default::default()
            },
        ],
        ..Default::default()
    };
    let plain = FindCoordinatorResponse {
        node_id: 0,
        host: "here".to_owned(),
        port: 9092,
        ..Default::default()
    };
    let asked = TxnRequestBody::FindCoordinator(CoordinatorKey::Group("group".to_owned()));
    let answer = |body: FindCoordinatorResponse| read(&asked, body.into());
    for found in [named("group", 0, "here", 9092), plain] {
        let TxnResponse::Coordinator(node) = answer(found) else {
            panic!("no coordinator");
        };
        assert_eq!(node, Node::new(0, "here", 9092));
    }
    for odd in [
        named("groups", 0, "here", 9092),
        named("group", -1, "here", 9092),
        named("group", 0, "", 9092),
        named("group", 0, "here", -1),
        named("group", 0, "here", 65_536),
    ] {
        let error = failure(answer(odd));
        assert_eq!(error.kind(), ErrorKind::UnknownServer, "{error}");
    }
}

fn identified(producer_id: i64, epoch: i16) -> InitProducerIdResponse {
    InitProducerIdResponse {
        producer_id,
        producer_epoch: epoch,
        ..Default::default()
    }
}

#[test]
fn an_identity_with_a_negative_half_is_none() {
    let asked = TxnRequestBody::InitProducerId(init());
    for (producer_id, epoch) in [(0, 0), (0, 7), (i64::MAX, i16::MAX)] {
        let TxnResponse::InitProducerId(identity) =
            read(&asked, identified(producer_id, epoch).into())
        else {
            panic!("no identity");
        };
        assert_eq!((identity.producer_id, identity.epoch), (producer_id, epoch));
    }
    for (producer_id, epoch) in [(-1, 0), (0, -1), (i64::MIN, i16::MIN)] {
        let error = failure(read(&asked, identified(producer_id, epoch).into()));
        assert_eq!(error.kind(), ErrorKind::Disconnect, "asked again: {error}");
    }
}

/// KIP-939.
#[test]
fn a_prepared_transaction_is_told_of_where_it_was_asked_for() {
    let keeping = InitProducerId {
        keep_prepared: true,
        ..init()
    };
    for (asked, ongoing, is_prepared) in [
        (keeping.clone(), 0, true),
        (keeping.clone(), 5, true),
        (keeping, -1, false),
        (init(), 5, false),
    ] {
        let mut answer = identified(4711, 4);
        answer.ongoing_txn_producer_id = ongoing;
        answer.ongoing_txn_producer_epoch = 2;
        let asked = TxnRequestBody::InitProducerId(asked);
        match read(&asked, answer.into()) {
            TxnResponse::Prepared { identity, prepared } => {
                assert!(is_prepared, "nothing is: {ongoing}");
                assert_eq!((identity.producer_id, identity.epoch), (4711, 4));
                assert_eq!((prepared.producer_id, prepared.epoch), (ongoing, 2));
            }
            TxnResponse::InitProducerId(_) => assert!(!is_prepared, "{ongoing} is"),
            other => panic!("no identity: {other:?}"),
        }
    }
}

/// Scenario: ID18.
#[test]
fn who_may_not_have_an_identity_is_told_which_permission_is_missing() {
    let mut denied = identified(-1, -1);
    denied.error_code = Errors::ClusterAuthorizationFailed.code();
    let mut idempotent = init();
    idempotent.transactional_id = None;
    for (asked, names_permission) in [(idempotent.clone(), true), (init(), false)] {
        let asked = TxnRequestBody::InitProducerId(asked);
        let error = failure(read(&asked, denied.clone().into()));
        assert_eq!(error.kind(), ErrorKind::ClusterAuthorization);
        assert_eq!(
            error.message().contains("IdempotentWrite"),
            names_permission,
            "{error}"
        );
    }
    let mut busy = denied;
    busy.error_code = Errors::CoordinatorLoadInProgress.code();
    let asked = TxnRequestBody::InitProducerId(idempotent);
    let error = failure(read(&asked, busy.into()));
    assert_eq!(error.kind(), ErrorKind::CoordinatorLoadInProgress);
}

#[test]
fn the_next_identity_is_taken_where_the_end_brings_one() {
    let asked = TxnRequestBody::EndTxn {
        transaction: transaction(TransactionVersion::V2),
        commit: true,
    };
    for (producer_id, epoch, expected) in [
        (4711, 4, Some((4711, 4))),
        (0, 0, Some((0, 0))),
        (-1, -1, None),
        (4711, -1, None),
    ] {
        let answer = EndTxnResponse {
            producer_id,
            producer_epoch: epoch,
            ..Default::default()
        };
        let TxnResponse::Ended(next) = read(&asked, answer.into()) else {
            panic!("no end");
        };
        assert_eq!(next.map(|id| (id.producer_id, id.epoch)), expected);
    }
}

/// Scenario: TX12.
#[test]
fn each_partition_gets_the_answer_for_its_topic_and_number() {
    let asked = TxnRequestBody::AddPartitionsToTxn {
        transaction: transaction(TransactionVersion::V1),
        partitions: partitions(),
    };
    let result = |index, error: Errors| AddPartitionsToTxnPartitionResult {
        partition_index: index,
        partition_error_code: error.code(),
    };
    let topic = |name: &str, results| AddPartitionsToTxnTopicResult {
        name: name.to_owned(),
        results_by_partition: results,
    };
    let answer = AddPartitionsToTxnResponse {
        results_by_topic_v3_and_below: vec![
            topic("b", vec![result(0, Errors::TopicAuthorizationFailed)]),
            topic("a", vec![result(0, Errors::None)]),
        ],
        ..Default::default()
    };
    let TxnResponse::Partitions(answers) = read(&asked, answer.into()) else {
        panic!("no answers");
    };
    let kinds = answers
        .into_iter()
        .map(|(tp, error)| (tp.to_string(), error.map(|error| error.kind())));
    let expected = [
        ("a-0".to_owned(), None),
        // Left out, so it is asked for again.
        ("a-1".to_owned(), Some(ErrorKind::Disconnect)),
        ("b-0".to_owned(), Some(ErrorKind::TopicAuthorization)),
    ];
    assert_eq!(kinds.collect::<Vec<_>>(), expected);
}

#[test]
fn an_answer_to_another_request_is_no_success() {
    let asked = TxnRequestBody::EndTxn {
        transaction: transaction(TransactionVersion::V2),
        commit: true,
    };
    let error = failure(read(&asked, identified(1, 1).into()));
    assert_eq!(error.kind(), ErrorKind::UnknownServer);
    assert!(error.message().contains("EndTxn"), "{error}");
}
