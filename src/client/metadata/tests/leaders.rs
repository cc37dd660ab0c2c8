//! Which leader is believed.

use super::*;

/// Java: `MetadataTest.testUpdateLastEpoch`, `testEpochUpdateAfterTopicDeletion` (idea). Scenario: M05, M07.
#[test]
fn an_older_epoch_is_ignored_and_a_newer_one_replaces() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(0, 10)])]));
    assert_eq!((fixture.leader(0), fixture.epoch(0)), (Some(0), Some(10)));
    fixture.answer(&response([topic(TOPIC, &[(1, 9)])]));
    assert_eq!((fixture.leader(0), fixture.epoch(0)), (Some(0), Some(10)));
    fixture.answer(&response([topic(TOPIC, &[(2, 10)])]));
    assert_eq!(
        fixture.leader(0),
        Some(2),
        "equal: replicas may have changed"
    );
    fixture.answer(&response([topic(TOPIC, &[(1, 12)])]));
    assert_eq!((fixture.leader(0), fixture.epoch(0)), (Some(1), Some(12)));
}

/// Java: `MetadataTest.testStaleMetadata`. Scenario: M07 (topic that vanished).
#[test]
fn an_old_leader_does_not_come_back_after_an_error() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(0, 10)])]));
    fixture.answer(&response([failed_topic(TOPIC, Errors::LeaderNotAvailable)]));
    assert!(fixture.metadata.snapshot().topic(TOPIC).is_none());
    fixture.answer(&response([topic(TOPIC, &[(1, 9)])]));
    assert_eq!(fixture.leader(0), None, "from a broker that is behind");
    fixture.answer(&response([topic(TOPIC, &[(1, 11)])]));
    assert_eq!(fixture.leader(0), Some(1));
}

/// Java: `MetadataTest.testIgnoreLeaderEpochInOlderMetadataResponse`. Scenario: M06.
#[test]
fn epochs_before_version_9_are_not_believed() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer_at(8, &response([topic(TOPIC, &[(0, 10)])]));
    assert_eq!((fixture.leader(0), fixture.epoch(0)), (Some(0), None));
    fixture.answer_at(9, &response([topic(TOPIC, &[(0, 10)])]));
    assert_eq!(fixture.epoch(0), Some(10));
    fixture.answer_at(8, &response([topic(TOPIC, &[(1, 7)])]));
    assert_eq!((fixture.leader(0), fixture.epoch(0)), (Some(1), None));
    fixture.answer_at(9, &response([topic(TOPIC, &[(2, 8)])]));
    assert_eq!((fixture.leader(0), fixture.epoch(0)), (Some(2), Some(8)));
}

/// Java: `MetadataTest.testEpochUpdateOnChangedTopicIds`, `testEpochUpdateAfterTopicDeletion`. Scenario: M08.
#[test]
fn a_topic_that_was_made_again_begins_with_new_epochs() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([with_id(1, topic(TOPIC, &[(0, 10)]))]));
    fixture.answer(&response([with_id(1, topic(TOPIC, &[(1, 1)]))]));
    assert_eq!(fixture.leader(0), Some(0), "the same topic, a stale answer");
    fixture.answer(&response([with_id(2, topic(TOPIC, &[(1, 1)]))]));
    assert_eq!((fixture.leader(0), fixture.epoch(0)), (Some(1), Some(1)));
    let snapshot = Arc::clone(fixture.metadata.snapshot());
    assert_eq!(
        snapshot.topic_name(Uuid([2; 16])).map(|n| &**n),
        Some(TOPIC)
    );
    assert!(snapshot.topic_name(Uuid([1; 16])).is_none());
    // Deleted, so that the id is lost, and made again.
    let error = Errors::UnknownTopicOrPartition;
    fixture.answer(&response([failed_topic(TOPIC, error)]));
    fixture.answer(&response([with_id(3, topic(TOPIC, &[(2, 0)]))]));
    assert_eq!((fixture.leader(0), fixture.epoch(0)), (Some(2), Some(0)));
}

/// Java: `MetadataTest.testEpochUpdateOnChangedTopicIds` (older broker). Scenario: M09.
#[test]
fn without_a_topic_id_epochs_decide() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([with_id(1, topic(TOPIC, &[(0, 10)]))]));
    fixture.answer(&response([topic(TOPIC, &[(1, 9)])]));
    assert_eq!(fixture.leader(0), Some(0));
    let snapshot = fixture.metadata.snapshot();
    assert!(snapshot.topic(TOPIC).expect("known").id.is_zero());
    assert!(snapshot.topic_name(Uuid([1; 16])).is_none());
    fixture.answer(&response([topic(TOPIC, &[(1, 11)])]));
    assert_eq!(fixture.leader(0), Some(1));
}

/// Java: `MetadataTest.testOutOfBandEpochUpdate`, `testUpdateLastEpoch`. Scenario: M10.
#[test]
fn a_newer_epoch_seen_elsewhere_makes_the_metadata_stale() {
    let mut fixture = Fixture::new(&[TOPIC]);
    let partition = TopicPartition::new(TOPIC, 0);
    let seen = |fixture: &mut Fixture, epoch| {
        let epoch = LeaderEpoch(epoch);
        fixture
            .metadata
            .update_last_seen_epoch_if_newer(&partition, epoch)
    };
    assert!(!seen(&mut fixture, 5), "nothing is known about it yet");
    fixture.answer(&response([topic(TOPIC, &[(0, 10)])]));
    assert!(!seen(&mut fixture, 10) && !seen(&mut fixture, 9));
    assert!(!fixture.metadata.full_update_requested());
    assert!(seen(&mut fixture, 12));
    assert!(fixture.metadata.full_update_requested());
    fixture.answer(&response([topic(TOPIC, &[(1, 11)])]));
    assert_eq!(fixture.epoch(0), Some(10), "11 is too old by now");
    fixture.answer(&response([topic(TOPIC, &[(1, 12)])]));
    assert_eq!((fixture.leader(0), fixture.epoch(0)), (Some(1), Some(12)));
}

/// Java: `MetadataTest.testUpdatePartitionLeadership`, `testUpdatePartitiallyLeadership..`. Scenario: M17, MD6.
#[test]
fn leaders_named_in_passing_are_taken_over_where_they_are_news() {
    let mut fixture = Fixture::new(&[TOPIC]);
    let partitions = [(0, 10), (0, 10), (0, 10), (0, 10), (0, 10), (0, 10)];
    fixture.answer(&response([topic(TOPIC, &partitions)]));
    let before = Arc::clone(fixture.metadata.snapshot());
    let elsewhere = LeaderHint {
        topic_partition: TopicPartition::new("invoices", 0),
        ..hint(0, 1, 99)
    };
    let hints = [
        hint(0, 1, 11),
        hint(1, 7, 11),
        hint(2, 1, 10),
        hint(3, -1, 11),
        hint(4, 1, -1),
        hint(5, 8, 11),
        hint(99, 1, 11),
        elsewhere,
    ];
    let new_node = Node::new(7, "broker7.example", 9092);
    let updated = fixture
        .metadata
        .update_partition_leadership(&hints, vec![new_node]);
    let expected = [0, 1].map(|partition| TopicPartition::new(TOPIC, partition));
    assert_eq!(updated, expected);
    let leaders: Vec<_> = (0..6).map(|p| fixture.leader(p)).collect();
    assert_eq!(
        leaders,
        [Some(1), Some(7), Some(0), Some(0), Some(0), Some(0)]
    );
    let snapshot = fixture.metadata.snapshot();
    assert!(snapshot.version > before.version);
    assert_eq!(snapshot.nodes().len(), 4, "nodes are merged");
    assert_eq!(snapshot.topic(TOPIC).expect("known").available.len(), 6);
    assert_eq!(before.leader_for(TOPIC, 0).map(Node::id), Some(0));
    assert!(
        fixture.metadata.full_update_requested(),
        "a newer epoch whose node nobody knows is a reason to ask"
    );
    fixture.answer(&response([topic(TOPIC, &[(2, 10)])]));
    assert_eq!(fixture.leader(0), Some(1), "older answers are ignored");
}

/// Scenario: M17 (nothing new), MD6 (older or equal).
#[test]
fn hints_that_are_no_news_change_nothing() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(0, 10)])]));
    let version = fixture.metadata.version();
    let hints = [hint(0, 1, 10), hint(0, 1, 9)];
    let updated = fixture
        .metadata
        .update_partition_leadership(&hints, Vec::new());
    assert_eq!(updated, []);
    assert_eq!(fixture.metadata.version(), version);
    assert!(!fixture.metadata.full_update_requested());
}

/// Java: `MetadataTest.testMetadataMissingLeader..`, `ClusterTest` (ideas). Scenario: M16.
#[test]
fn a_leader_that_nobody_knows_is_no_leader() {
    let mut fixture = Fixture::new(&[TOPIC]);
    let mut answer = response([topic(TOPIC, &[(0, 1), (9, 1), (-1, 1)])]);
    answer.topics[0].partitions[0].offline_replicas = vec![2];
    answer.topics[0].partitions.reverse();
    fixture.answer(&answer);
    let leaders: Vec<_> = (0..3).map(|p| fixture.leader(p)).collect();
    assert_eq!(leaders, [Some(0), None, None]);
    let snapshot = fixture.metadata.snapshot();
    assert_eq!(snapshot.topic(TOPIC).expect("known").available, [0]);
    assert_eq!(snapshot.partition_count(TOPIC), Some(3));
    let infos = snapshot.partition_infos(TOPIC);
    assert_eq!(infos[0].offline_replicas, [2]);
    assert_eq!(infos[0].replicas, [0, 1, 2]);
    assert_eq!(infos[1].leader, None);
    assert_eq!(snapshot.partition(TOPIC, 3), None);
    assert_eq!(snapshot.partition(TOPIC, -1), None);
    assert_eq!(snapshot.leader_for("invoices", 0), None);
}

/// Scenario: M16 (a broker that left the list).
#[test]
fn a_broker_that_leaves_the_list_leads_nothing() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(2, 1), (0, 1)])]));
    fixture.metadata.add("invoices", fixture.now);
    let mut partial = response([topic("invoices", &[(0, 1)])]);
    partial.brokers.pop();
    fixture.answer(&partial);
    assert_eq!((fixture.leader(0), fixture.leader(1)), (None, Some(0)));
    let snapshot = fixture.metadata.snapshot();
    assert_eq!(snapshot.topic(TOPIC).expect("known").available, [1]);
}

#[test]
fn a_partition_outside_its_topic_is_ignored() {
    let mut fixture = Fixture::new(&[TOPIC]);
    let mut answer = response([topic(TOPIC, &[(0, 1), (0, 1)])]);
    answer.topics[0].partitions[1].partition_index = i32::MAX;
    fixture.answer(&answer);
    let snapshot = fixture.metadata.snapshot();
    let topic = snapshot.topic(TOPIC).expect("known");
    assert_eq!(topic.partitions.len(), 2);
    assert_eq!(topic.partitions[1], PartitionMetadata::default());
}

/// Java: `MetadataTest.testRebootstrap`. Scenario: M24 (what survives).
#[test]
fn beginning_again_keeps_topics_and_epochs() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(0, 10), (1, 10)])]));
    let version = fixture.metadata.version();
    fixture.metadata.rebootstrap();
    let snapshot = Arc::clone(fixture.metadata.snapshot());
    assert!(snapshot.is_bootstrap && snapshot.version > version);
    let nodes: Vec<_> = snapshot.nodes().iter().map(Node::id).collect();
    assert_eq!(nodes, [-1]);
    assert_eq!(snapshot.partition_count(TOPIC), Some(2), "batches may fill");
    assert_eq!(fixture.leader(0), None);
    assert!(fixture.metadata.full_update_requested());
    assert_eq!(names(&fixture.request().request), [TOPIC]);
    fixture.answer(&response([topic(TOPIC, &[(2, 9), (2, 11)])]));
    assert_eq!((fixture.leader(0), fixture.leader(1)), (None, Some(2)));
}
