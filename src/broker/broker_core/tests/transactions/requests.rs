//! The forms of the requests: several keys, several groups, topics by id, questions of brokers.

use super::*;
use crate::broker::broker_core::tests;
use crate::protocol::messages::add_partitions_to_txn::AddPartitionsToTxnTransaction;
use crate::protocol::messages::api_versions::ApiVersionsResponse;
use crate::protocol::messages::offset_fetch::{OffsetFetchRequestTopic, OffsetFetchResponse};

fn response(replies: Vec<Reply>) -> ResponseBody {
    tests::body(replies).expect("an answer")
}

#[test]
fn the_feature_says_which_transactions_the_cluster_has() {
    let mut fixture = Fixture::new();
    let ask = |fixture: &mut Fixture, version| -> ApiVersionsResponse {
        let request = ApiVersionsRequest {
            client_software_name: "a".to_owned(),
            client_software_version: "1".to_owned(),
        };
        match response(fixture.ask(version, request)) {
            ResponseBody::ApiVersions(response) => response,
            other => panic!("{other:?}"),
        }
    };
    let before = ask(&mut fixture, 4);
    let feature = &before.finalized_features[0];
    assert_eq!(
        (feature.name.as_str(), feature.max_version_level),
        ("transaction.version", 2)
    );
    let supported = &before.supported_features[0];
    assert_eq!((supported.min_version, supported.max_version), (0, 2));
    let older = ask(&mut fixture, 3);
    assert!(
        older.supported_features.is_empty(),
        "no range from 0 (KAFKA-17011)"
    );
    fixture.core.coordinators.settings.transaction_version = 0;
    fixture.core.coordinators.settings.features_epoch += 1;
    let after = ask(&mut fixture, 4);
    assert!(after.finalized_features.is_empty());
    assert!(after.finalized_features_epoch > before.finalized_features_epoch);
    let offered = |api: ApiKeys| {
        let mut keys = after.api_keys.iter();
        let found = keys.find(|key| key.api_key == api.id()).expect("offered");
        (found.min_version, found.max_version)
    };
    assert_eq!(offered(ApiKeys::InitProducerId), (0, 5));
    assert_eq!(offered(ApiKeys::EndTxn), (0, 5));
}

#[test]
fn coordinators_are_found_one_by_one_and_together() {
    let mut fixture = Fixture::new();
    let owner = fixture.coordinator(KeyType::Transaction, ID);
    let request = |key_type| FindCoordinatorRequest {
        key: ID.to_owned(),
        key_type,
        coordinator_keys: vec![ID.to_owned(), "other".to_owned()],
    };
    let mut ask = |version, key_type| match response(fixture.ask(version, request(key_type))) {
        ResponseBody::FindCoordinator(response) => response,
        other => panic!("{other:?}"),
    };
    let one = ask(3, 1);
    assert_eq!((one.error_code, one.node_id, one.port), (NONE, owner, 9000));
    let several = ask(4, 1);
    let keys: Vec<&str> = (several.coordinators.iter())
        .map(|found| found.key.as_str())
        .collect();
    assert_eq!(keys, [ID, "other"]);
    assert_eq!(several.coordinators[0].node_id, owner);
    let invalid = Errors::InvalidRequest.code();
    assert_eq!(ask(4, 2).coordinators[0].error_code, invalid);
    let now = fixture.now.monotonic;
    for broker in 1..=3 {
        fixture.core.broker_stopped(NodeId(broker), now);
    }
    fixture.pass(Duration::from_secs(60));
    let owners = fixture.core.coordinators.owners(KeyType::Transaction);
    assert_eq!(owners.owner(ID), None);
}

/// Version 4 of AddPartitionsToTxn, by which a broker asks for a producer (KIP-890).
#[test]
fn a_broker_may_ask_whether_partitions_have_joined() {
    let mut fixture = Fixture::new();
    let producer = fixture.producer(Speaks::Version1);
    assert_eq!(fixture.add_partition(producer, 0), NONE);
    let mut ask = |verify_only, epoch| {
        let transaction = AddPartitionsToTxnTransaction {
            transactional_id: ID.to_owned(),
            producer_id: producer.me.producer_id,
            producer_epoch: epoch,
            verify_only,
            topics: vec![AddPartitionsToTxnTopic {
                name: "t".to_owned(),
                partitions: vec![0, 1],
            }],
        };
        let request = AddPartitionsToTxnRequest {
            transactions: vec![transaction],
            ..Default::default()
        };
        match fixture.ask_coordinator(5, request) {
            ResponseBody::AddPartitionsToTxn(response) => {
                let topic = &response.results_by_transaction[0].topic_results[0];
                let results = topic.results_by_partition.iter();
                let errors = results.map(|result| Errors::from_code(result.partition_error_code));
                errors.collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        }
    };
    let epoch = producer.me.epoch;
    assert_eq!(
        ask(true, epoch),
        [Errors::None, Errors::TransactionAbortable]
    );
    assert_eq!(ask(false, epoch), [Errors::None, Errors::None]);
    assert_eq!(ask(true, epoch), [Errors::None, Errors::None]);
    assert_eq!(ask(true, epoch + 1), [Errors::ProducerFenced; 2]);
}

#[test]
fn offsets_are_fetched_for_some_partitions_for_all_and_by_topic_id() {
    let mut fixture = Fixture::new();
    let mut producer = fixture.producer(Speaks::Version2);
    let broker = fixture.coordinator(KeyType::Group, "g");
    assert_eq!(
        offset_error(fixture.ask_at(broker, 5, offsets(producer, 7))),
        NONE
    );
    fixture.end_well(&mut producer, true);
    let mut ask = |version, request: OffsetFetchRequest| -> OffsetFetchResponse {
        match response(fixture.ask_at(broker, version, request)) {
            ResponseBody::OffsetFetch(response) => response,
            other => panic!("{other:?}"),
        }
    };
    let some = vec![OffsetFetchRequestTopic {
        name: "t".to_owned(),
        partition_indexes: vec![1, 2],
    }];
    for (version, topics, expected) in [
        (1, Some(some.clone()), vec![-1, 7]),
        (7, Some(some), vec![-1, 7]),
        (7, None, vec![7]),
    ] {
        let request = OffsetFetchRequest {
            group_id: "g".to_owned(),
            topics,
            ..Default::default()
        };
        let found = ask(version, request);
        let partitions = found.topics[0].partitions.iter();
        let offsets: Vec<_> = partitions.map(|found| found.committed_offset).collect();
        assert_eq!(offsets, expected, "version {version}");
    }
    let by_id = |topic_id| OffsetFetchRequest {
        groups: vec![OffsetFetchRequestGroup {
            group_id: "g".to_owned(),
            topics: Some(vec![OffsetFetchRequestTopics {
                topic_id,
                partition_indexes: vec![2],
                ..Default::default()
            }]),
            ..Default::default()
        }],
        ..Default::default()
    };
    let unknown = ask(10, by_id(Default::default()));
    let partition = &unknown.groups[0].topics[0].partitions[0];
    assert_eq!(partition.error_code, Errors::UnknownTopicId.code());
    let id = fixture.core.topics.get("t").expect("made").id;
    match response(fixture.ask_at(broker, 10, by_id(id))) {
        ResponseBody::OffsetFetch(found) => {
            let topic = &found.groups[0].topics[0];
            assert_eq!(
                (topic.topic_id, topic.partitions[0].committed_offset),
                (id, 7)
            );
        }
        other => panic!("{other:?}"),
    }
    let elsewhere = broker % 3 + 1;
    match response(fixture.ask_at(elsewhere, 10, by_id(id))) {
        ResponseBody::OffsetFetch(refused) => {
            let error = refused.groups[0].error_code;
            assert_eq!(error, Errors::NotCoordinator.code());
        }
        other => panic!("{other:?}"),
    }
}

/// What real brokers answer where nobody is a member.
#[test]
fn offsets_in_the_name_of_a_member_are_refused() {
    let mut fixture = Fixture::new();
    let producer = fixture.producer(Speaks::Version2);
    let broker = fixture.coordinator(KeyType::Group, "g");
    let mut commit = |generation_id, member: &str| {
        let request = TxnOffsetCommitRequest {
            generation_id,
            member_id: member.to_owned(),
            ..offsets(producer, 7)
        };
        Errors::from_code(offset_error(fixture.ask_at(broker, 5, request)))
    };
    assert_eq!(commit(3, "m"), Errors::IllegalGeneration);
    assert_eq!(commit(-1, "m"), Errors::None);
    assert_eq!(commit(3, "m"), Errors::UnknownMemberId);
    let nowhere = TxnOffsetCommitRequest {
        group_id: String::new(),
        ..offsets(producer, 7)
    };
    let refused = offset_error(fixture.ask_at(broker, 5, nowhere));
    assert_eq!(refused, Errors::InvalidGroupId.code());
}

#[test]
fn offsets_of_a_topic_that_is_deleted_are_forgotten() {
    let mut fixture = Fixture::new();
    let mut producer = fixture.producer(Speaks::Version2);
    let broker = fixture.coordinator(KeyType::Group, "g");
    fixture.ask_at(broker, 5, offsets(producer, 7));
    fixture.end_well(&mut producer, true);
    assert_eq!(fixture.group_offset(true), (7, NONE));
    fixture.core.coordinators.groups.topic_deleted("t");
    assert_eq!(fixture.group_offset(true), (-1, NONE));
}
