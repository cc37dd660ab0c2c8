//! Metadata goes first: when it is asked for, of whom, and what happens when nobody answers.

use super::*;
use crate::common::error_kind::ErrorKind;
use crate::protocol::Errors;
use crate::testing::mock_selector::ConnectOutcome;

/// Java: `NetworkClientTest.testReadyAndDisconnect` (idea). Scenario: N37.
#[test]
fn no_node_is_ready_while_an_update_is_due() {
    let mut fixture = Fixture::new(2);
    fixture.connect(0);
    fixture.connect(1);
    fixture.time.advance(ms(100));
    fixture.metadata.with(|m| m.request_update(true));
    assert!(fixture.is_ready(0), "back-off since the last answer");
    fixture.time.advance(ms(20));
    assert!(!fixture.is_ready(0) && !fixture.is_ready(1));
    fixture.pass();
    assert!(fixture.is_ready(0) && fixture.is_ready(1), "in flight");
    let (to, header, _) = fixture.sent().remove(0);
    assert_eq!(header.api, ApiKeys::Metadata);
    fixture.answer(to.0, &header, metadata_response([node(0), node(1)]));
    assert_eq!(fixture.pass().len(), 0, "the user did not ask");
    assert!(fixture.is_ready(0) && fixture.is_ready(1));
}

/// Java: `NetworkClientTest.testMetadataRequestWithUnsupportedVersion`, own. Scenario: N05.
#[test]
fn metadata_without_a_common_version_is_told_to_every_waiter_and_tried_with_backoff() {
    let mut fixture = Fixture::new(1);
    fixture.ready(0);
    fixture.pass();
    fixture.answer_api_versions(0, versions([(ApiKeys::Metadata, 0, 3)]));
    fixture.pass();
    fixture.time.advance(ms(200));
    let before = fixture.metadata.with(|m| m.request_update(true));
    fixture.poll(ms(5_000));
    let snapshot = fixture.metadata.snapshot();
    assert!(snapshot.version > before, "waiters wake");
    let error = snapshot.fatal_error.clone().expect("told");
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert_eq!(fixture.sent().len(), 0);
    let polls = fixture.network.poll_count();
    fixture.poll(ms(1_000));
    fixture.poll(ms(1_000));
    assert!(fixture.network.poll_count() <= polls + 2);
    assert!(fixture.is_ready(0) || fixture.network.last_timeout() > Some(ms(50)));
}

/// Java: `NetworkClientTest.testConnectionDelay..`, own. Scenario: N38.
#[test]
fn only_one_connection_is_opened_for_metadata() {
    let servers: Vec<_> = (1..=4)
        .map(|n| Node::new(-n, format!("10.0.0.{n}"), 9092))
        .collect();
    let mut fixture = Fixture::bootstrapped(servers, config());
    for n in 1..=4 {
        fixture.network.on_connect(address(n), ConnectOutcome::Hang);
    }
    for _ in 0..5 {
        fixture.poll(ms(100));
    }
    assert_eq!(fixture.network.connects().len(), 1);
    fixture.poll(ms(60_000));
    fixture.poll(ms(1_000));
    fixture.poll(ms(1_000));
    let connects = fixture.network.connects();
    assert_eq!(connects.len(), 2, "the next one when the first is given up");
    assert_ne!(connects[0].0, connects[1].0);
}

/// Scenario: N42.
#[test]
fn an_idle_client_polls_only_when_a_timer_is_due() {
    let mut fixture = Fixture::new(3);
    fixture.connect(0);
    fixture.send(0);
    let (header, _) = fixture.only_sent(0, ApiKeys::InitProducerId);
    let answer = crate::protocol::messages::init_producer_id::InitProducerIdResponse::default();
    fixture.answer(0, &header, answer);
    assert_eq!(fixture.pass().len(), 1);
    let polls = fixture.network.poll_count();
    let idle = fixture.time.elapsed();
    fixture.poll(Duration::MAX);
    // The metadata grows old after five minutes; nothing else is to be done before that.
    assert_eq!(fixture.network.poll_count(), polls + 1);
    assert_eq!(fixture.time.elapsed() - idle, ms(300_000) - idle);
}

/// Scenario: M15 (at the client).
#[test]
fn a_broker_that_knows_no_broker_is_asked_again_after_a_backoff() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.metadata.with(|m| m.request_update(true));
    fixture.time.advance(ms(200));
    let version = fixture.metadata.snapshot().version;
    fixture.pass();
    let (header, _) = fixture.only_sent(0, ApiKeys::Metadata);
    fixture.answer(0, &header, metadata_response([]));
    fixture.pass();
    assert_eq!(fixture.metadata.snapshot().version, version);
    fixture.poll(ms(10_000));
    let timeout = fixture.network.last_timeout().expect("polled");
    assert!((ms(80)..=ms(120)).contains(&timeout), "{timeout:?}");
    fixture.pass();
    fixture.only_sent(0, ApiKeys::Metadata);
}

/// Java: `NetworkClientTest.testRebootstrap`, `testInflightRequestsDuringRebootstrap`. Scenario: M22, M24.
#[test]
fn when_every_broker_is_gone_the_bootstrap_servers_are_asked_again() {
    let mut fixture = Fixture::with_config(
        2,
        NetworkClientConfig {
            reconnect_backoff: ExponentialBackoff::new(ms(10_000), ms(10_000)),
            ..config()
        },
    );
    let topic = "orders";
    let now = fixture.now();
    fixture.metadata.with(|m| m.add(topic, now));
    for id in 0..2 {
        let refused = ConnectOutcome::refused(address(id));
        fixture.network.on_connect(address(id), refused);
        fixture.ready(id);
    }
    for _ in 0..20 {
        fixture.poll(ms(20));
    }
    assert!(fixture.metadata.snapshot().is_bootstrap);
    let connects = fixture.network.connects();
    assert!(
        connects.contains(&(NodeId(99), address(99))),
        "{connects:?}"
    );
    fixture.answer_api_versions(99, everything());
    fixture.pass();
    fixture.time.advance(ms(1000));
    fixture.pass();
    let (_, body) = fixture.only_sent(99, ApiKeys::Metadata);
    let RequestBody::Metadata(request) = body else {
        panic!("{body:?}");
    };
    let names: Vec<_> = request
        .topics
        .into_iter()
        .flatten()
        .map(|t| t.name)
        .collect();
    assert_eq!(names, [Some(topic.to_owned())], "topics survive");
}

/// Java: `NetworkClientTest.testNoRebootstrap..` (strategy none). Scenario: M22 (strategy none).
#[test]
fn without_that_strategy_the_known_brokers_are_tried_for_ever() {
    let mut fixture = Fixture::with_config(
        1,
        NetworkClientConfig {
            rebootstrap_trigger: None,
            ..config()
        },
    );
    let refused = ConnectOutcome::refused(address(0));
    fixture.network.on_connect(address(0), refused);
    fixture.ready(0);
    for _ in 0..100 {
        fixture.poll(ms(10_000));
    }
    let connects = fixture.network.connects();
    assert!(connects.len() > 10);
    assert!(connects.iter().all(|(id, _)| *id == NodeId(0)));
    assert!(fixture.time.elapsed() > ms(5_000), "with back-off");
}

/// Java: `NetworkClientTest.testRebootstrapTrigger` (idea). Scenario: M23, M24.
#[test]
fn metadata_that_does_not_come_for_too_long_means_to_begin_again() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.time.advance(ms(200));
    let user = fixture.send(0);
    fixture.sent();
    // Old metadata alone starts no clock: it does when an update is wanted and cannot be had.
    assert_eq!(
        fixture.client.time_to_rebootstrap(fixture.now()),
        Duration::MAX
    );
    fixture.metadata.with(|m| m.request_update(true));
    fixture.pass();
    let wanted = fixture.client.time_to_rebootstrap(fixture.now());
    assert_eq!(wanted, ms(300_000));
    let (header, _) = fixture.only_sent(0, ApiKeys::Metadata);
    fixture.answer(0, &header, metadata_response([]));
    // The answer to the metadata request stands behind the user's in the queue, so that one comes first.
    let corrupt = fixture.pass();
    assert_eq!(correlation_ids(&corrupt), [user]);
    fixture.time.advance(ms(300_000));
    fixture.pass();
    assert!(fixture.metadata.snapshot().is_bootstrap);
}

/// Scenario: M23 (cleared by success).
#[test]
fn an_answer_stops_the_clock() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.time.advance(ms(200));
    fixture.metadata.with(|m| m.request_update(true));
    fixture.pass();
    let (header, _) = fixture.only_sent(0, ApiKeys::Metadata);
    fixture.answer(0, &header, metadata_response([node(0)]));
    fixture.pass();
    let now = fixture.now();
    assert_eq!(fixture.client.time_to_rebootstrap(now), Duration::MAX);
}

/// Java: `NetworkClientTest.testRebootstrapRequired` (idea). Scenario: M23 (error 129), M24.
#[test]
fn a_broker_may_ask_for_it_at_once() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.time.advance(ms(200));
    fixture.metadata.with(|m| m.request_update(true));
    fixture.pass();
    let user = fixture.send(0);
    let (_, header, _) = fixture.sent().remove(0);
    let answer = MetadataResponse {
        error_code: Errors::RebootstrapRequired.code(),
        ..metadata_response([node(0)])
    };
    fixture.answer(0, &header, answer);
    let responses = fixture.pass();
    assert!(fixture.metadata.snapshot().is_bootstrap);
    assert_eq!(correlation_ids(&responses), [user], "old connections close");
    assert!(is_disconnected(&responses[0]));
    assert_eq!(fixture.network.address_of(NodeId(0)), None);
}

/// Scenario: M25 (at the client).
#[test]
fn a_missing_listener_is_reported_and_asked_about_again_with_backoff() {
    use crate::protocol::messages::metadata::{MetadataResponsePartition, MetadataResponseTopic};
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let now = fixture.now();
    fixture.metadata.with(|m| m.add("orders", now));
    fixture.time.advance(ms(200));
    let mut waits = Vec::new();
    for _ in 0..5 {
        let begin = fixture.time.elapsed();
        fixture.pass();
        while !fixture.client.has_in_flight_requests() {
            fixture.time.advance(ms(10));
            fixture.pass();
        }
        waits.push(fixture.time.elapsed() - begin);
        let (header, _) = fixture.only_sent(0, ApiKeys::Metadata);
        let answer = MetadataResponse {
            topics: vec![MetadataResponseTopic {
                name: Some("orders".to_owned()),
                partitions: vec![MetadataResponsePartition {
                    error_code: Errors::ListenerNotFound.code(),
                    leader_id: -1,
                    leader_epoch: 3,
                    ..MetadataResponsePartition::default()
                }],
                ..MetadataResponseTopic::default()
            }],
            ..metadata_response([node(0)])
        };
        fixture.answer(0, &header, answer);
        fixture.pass();
    }
    assert_eq!(waits[0], Duration::ZERO, "a new topic does not wait");
    assert!(waits[4] >= ms(300), "{waits:?}");
    assert!(waits.iter().all(|wait| *wait <= ms(1000)), "{waits:?}");
}

/// Scenario: M23 (a trigger of no time).
#[test]
fn a_client_that_knows_only_its_bootstrap_servers_does_not_begin_again_and_again() {
    let mut fixture = Fixture::bootstrapped(
        vec![node(1)],
        NetworkClientConfig {
            rebootstrap_trigger: Some(Duration::ZERO),
            ..config()
        },
    );
    fixture.network.on_connect(address(1), ConnectOutcome::Hang);
    let version = fixture.metadata.snapshot().version;
    for _ in 0..3 {
        fixture.poll(ms(1_000));
        assert_eq!(fixture.network.last_timeout(), Some(ms(1_000)));
    }
    assert_eq!(fixture.metadata.snapshot().version, version);
    assert_eq!(fixture.network.connects().len(), 1);
}

/// Scenario: M23 (a trigger of no time). In Java every question that is not answered at once closes all connections.
#[test]
fn a_trigger_of_no_time_begins_again_when_an_attempt_has_failed_and_not_while_it_is_made() {
    let mut fixture = Fixture::with_config(
        1,
        NetworkClientConfig {
            rebootstrap_trigger: Some(Duration::ZERO),
            ..config()
        },
    );
    fixture.connect(0);
    for _ in 0..3 {
        fixture.time.advance(ms(1000));
        fixture.metadata.with(|m| m.request_update(true));
        fixture.pass();
        fixture.time.advance(ms(5000));
        fixture.pass();
        assert!(!fixture.metadata.snapshot().is_bootstrap, "a slow link");
        let (header, _) = fixture.only_sent(0, ApiKeys::Metadata);
        fixture.answer(0, &header, metadata_response([node(0)]));
        fixture.pass();
    }
    fixture.time.advance(ms(1000));
    fixture.metadata.with(|m| m.request_update(true));
    fixture.pass();
    let (header, _) = fixture.only_sent(0, ApiKeys::Metadata);
    fixture.answer(0, &header, metadata_response([]));
    fixture.pass();
    assert!(fixture.metadata.snapshot().is_bootstrap);
}
