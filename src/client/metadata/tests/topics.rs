//! Which topics are known, and for how long.

use super::*;

/// Java: `MetadataTest.testInvalidTopicError`, `testTopicAuthorizationError`, `testMultipleErrors..`. Scenario: M14.
#[test]
fn errors_of_topics_stay_with_their_snapshot() {
    let mut fixture = Fixture::new(&["bad name", "secret", TOPIC]);
    fixture.answer(&response([
        failed_topic("bad name", Errors::InvalidTopicException),
        failed_topic("secret", Errors::TopicAuthorizationFailed),
        topic(TOPIC, &[(0, 1)]),
    ]));
    let failed = Arc::clone(fixture.metadata.snapshot());
    let error = |name| failed.topic_error(name);
    assert_eq!(error("bad name"), Some(Errors::InvalidTopicException));
    assert_eq!(error("secret"), Some(Errors::TopicAuthorizationFailed));
    assert_eq!(error(TOPIC), None);
    assert!(
        !fixture.metadata.full_update_requested(),
        "asking again is no use"
    );
    fixture.answer(&response([
        topic("bad name", &[(0, 1)]),
        topic("secret", &[(0, 1)]),
        topic(TOPIC, &[(0, 1)]),
    ]));
    assert_eq!(fixture.metadata.snapshot().topic_error("secret"), None);
    assert_eq!(fixture.metadata.snapshot().topic_error("bad name"), None);
    assert!(fixture.metadata.snapshot().topic("secret").is_some());
    assert_eq!(error("secret"), Some(Errors::TopicAuthorizationFailed));
}

/// Java: `MetadataTest.testPartialMetadataUpdate`, `MetadataSnapshotTest.testMissingLeaderEndpoint..`,
/// `MetadataTest.testMetadataTopicErrors` (idea). Scenario: M12 (merge, error, not retained).
#[test]
fn a_partial_answer_replaces_what_it_is_about_and_keeps_the_rest() {
    let mut fixture = Fixture::new(&["kept", "broken"]);
    fixture.answer(&response([
        topic("kept", &[(0, 1)]),
        topic("broken", &[(0, 1)]),
    ]));
    fixture.metadata.add("new", fixture.now);
    let partial = fixture.request();
    assert!(partial.version.is_partial);
    fixture.answer(&response([
        failed_topic("broken", Errors::UnknownTopicOrPartition),
        topic("new", &[(0, 1), (1, 1)]),
        topic("uninvited", &[(0, 1)]),
    ]));
    let snapshot = fixture.metadata.snapshot();
    let mut known: Vec<_> = snapshot.topics().map(|topic| &*topic.name).collect();
    known.sort_unstable();
    assert_eq!(known, ["kept", "new"]);
    assert_eq!(
        snapshot.topic_error("broken"),
        Some(Errors::UnknownTopicOrPartition)
    );
    assert!(
        fixture.metadata.full_update_requested(),
        "to mend the broken one"
    );
}

/// Scenario: M25.
#[test]
fn partitions_without_leader_or_listener_are_asked_about_again() {
    for error in [Errors::ListenerNotFound, Errors::LeaderNotAvailable] {
        let mut fixture = Fixture::new(&[TOPIC]);
        let mut answer = response([topic(TOPIC, &[(0, 1), (-1, 4)])]);
        answer.topics[0].partitions[1].error_code = error.code();
        fixture.answer(&answer);
        assert_eq!((fixture.leader(0), fixture.leader(1)), (Some(0), None));
        assert!(fixture.metadata.full_update_requested());
        assert!(fixture.time_to_next_update() >= ms(80), "with back-off");
    }
}

/// Java: `MetadataTest.testClusterResource..` (idea). Scenario: M18.
#[test]
fn cluster_id_and_controller_are_what_the_last_answer_says() {
    let mut fixture = Fixture::new(&[TOPIC]);
    let snapshot = Arc::clone(fixture.metadata.snapshot());
    assert!(snapshot.is_bootstrap);
    assert_eq!(snapshot.cluster_id, None);
    fixture.answer(&response([]));
    let snapshot = Arc::clone(fixture.metadata.snapshot());
    assert!(!snapshot.is_bootstrap);
    assert_eq!(snapshot.cluster_id.as_deref(), Some("kafka-cluster"));
    assert_eq!(snapshot.controller, Some(NodeId(0)));
    let mut answer = response([]);
    answer.cluster_id = Some("another".to_owned());
    answer.controller_id = 2;
    fixture.answer(&answer);
    let snapshot = Arc::clone(fixture.metadata.snapshot());
    assert_eq!(snapshot.cluster_id.as_deref(), Some("another"));
    assert_eq!(snapshot.controller, Some(NodeId(2)));
    answer.controller_id = -1;
    fixture.answer(&answer);
    assert_eq!(fixture.metadata.snapshot().controller, None);
}

/// Java: `ProducerMetadataTest.testTopicExpiry`, `testMetadataExpiryWithRetainTopic..`. Scenario: M19, MD3.
#[test]
fn a_topic_is_forgotten_when_nobody_used_it_for_long() {
    let mut fixture = Fixture::new(&[TOPIC, "idle"]);
    let both = response([topic(TOPIC, &[(0, 1)]), topic("idle", &[(0, 1)])]);
    fixture.now += MAX_IDLE;
    fixture.answer(&both);
    let snapshot = Arc::clone(fixture.metadata.snapshot());
    assert!(
        snapshot.topic("idle").is_some(),
        "kept until the first answer"
    );
    // As a send does it, without the lock.
    let used = snapshot.topic(TOPIC).expect("known");
    used.usage.touch(fixture.now);
    assert!(used.usage.idle(fixture.now) < ms(1000));
    fixture.metadata.request_update(true);
    fixture.answer(&both);
    assert!(fixture.metadata.contains_topic(TOPIC));
    assert!(!fixture.metadata.contains_topic("idle"));
    assert!(fixture.metadata.snapshot().topic("idle").is_none());
    fixture.metadata.add("idle", fixture.now);
    let request = fixture.request();
    assert!(request.version.is_partial);
    assert_eq!(names(&request.request), ["idle"]);
    fixture.answer(&response([topic("idle", &[(0, 1)])]));
    assert!(fixture.metadata.snapshot().topic("idle").is_some());
}

/// Java: `ProducerMetadataTest.testTopicExpiry` (use renews). Scenario: MD3 (use).
#[test]
fn each_use_renews_the_interest() {
    let mut fixture = Fixture::new(&[TOPIC]);
    let answer = response([topic(TOPIC, &[(0, 1)])]);
    for _ in 0..5 {
        fixture.now += MAX_IDLE - ms(1);
        fixture.metadata.add(TOPIC, fixture.now);
        fixture.metadata.request_update(true);
        fixture.answer(&answer);
        assert!(fixture.metadata.contains_topic(TOPIC));
    }
    fixture.now += MAX_IDLE;
    fixture.answer(&answer);
    assert!(!fixture.metadata.contains_topic(TOPIC));
}

/// Scenario: P18 (lookup by id).
#[test]
fn a_topic_named_by_its_id_alone_is_found() {
    let mut fixture = Fixture::new(&[TOPIC]);
    fixture.answer(&response([with_id(1, topic(TOPIC, &[(0, 1)]))]));
    let mut nameless = with_id(1, topic(TOPIC, &[(1, 2)]));
    nameless.name = None;
    let mut unknown = with_id(9, topic(TOPIC, &[(2, 3)]));
    unknown.name = None;
    fixture.answer(&response([unknown, nameless]));
    assert_eq!(fixture.leader(0), Some(1));
}
