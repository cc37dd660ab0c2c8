//! What senders and the I/O thread see of the metadata they share.

use std::time::Duration;

use super::*;
use crate::client::metadata::{LeaderHint, MetadataConfig};
use crate::common::cluster::{LeaderEpoch, Node, NodeId, TopicPartition};
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::kafka_thread;
use crate::common::time::{FOREVER, Time, deadline};
use crate::protocol::errors::Errors;
use crate::protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::testing::mock_time::MockTime;

fn metadata() -> Arc<ProducerMetadata> {
    let config = MetadataConfig {
        refresh_backoff: ExponentialBackoff::new(
            Duration::from_millis(100),
            Duration::from_millis(1000),
        ),
        max_age: Duration::from_secs(300),
        max_idle: Duration::from_secs(300),
        random_seed: 1,
    };
    let core = Metadata::new(&config, vec![Node::new(-1, "localhost", 9092)]);
    Arc::new(ProducerMetadata::new(core))
}

fn answer(metadata: &ProducerMetadata, topic: &str, error: Errors, now: Instant) {
    answer_all(metadata, &[topic], error, now);
}

/// The answer to the request that is due, about these topics.
fn answer_all(metadata: &ProducerMetadata, topics: &[&str], error: Errors, now: Instant) {
    let topics = topics.iter().map(|topic| MetadataResponseTopic {
        error_code: error.code(),
        name: Some((*topic).to_owned()),
        partitions: vec![MetadataResponsePartition {
            leader_id: 1,
            leader_epoch: 5,
            ..Default::default()
        }],
        ..Default::default()
    });
    let response = MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: 1,
            host: "localhost".to_owned(),
            port: 9092,
            ..Default::default()
        }],
        topics: topics.collect(),
        ..Default::default()
    };
    metadata.with(|core| {
        let version = core.new_metadata_request_and_version(now).version;
        core.update(version, &response, 12, now).expect("open");
    });
}

type Waiting = crate::common::sync::thread::JoinHandle<()>;

/// A thread that waits for news and checks what it gets.
fn waiter(
    metadata: &Arc<ProducerMetadata>,
    check: impl FnOnce(Result<Arc<MetadataSnapshot>, KafkaError>) + Send + 'static,
) -> Waiting {
    let shared = Arc::clone(metadata);
    let last = metadata.current().version;
    let until = deadline(MockTime::shared().now(), FOREVER);
    let body = move || check(shared.await_update(last, until));
    kafka_thread::spawn("waiter", body, |text| panic!("{text}")).expect("a thread")
}

/// Java: `ProducerMetadataTest.testMetadata`. Scenario: M20, MD4, SN1.
#[test]
fn every_waiter_gets_the_next_snapshot() {
    let (metadata, time) = (metadata(), MockTime::shared());
    metadata.add("orders", time.now());
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            waiter(&metadata, |news| {
                assert!(news.expect("news").topic("orders").is_some());
            })
        })
        .collect();
    answer(&metadata, "orders", Errors::None, time.now());
    waiters.into_iter().for_each(|w| w.join().unwrap());
}

/// Java: `ProducerMetadataTest.testMetadataAwaitAfterClose`, `testMetadataUpdateAfterClose`. Scenario: MD4, SN8.
#[test]
fn closing_wakes_who_waits_and_refuses_who_comes_later() {
    let metadata = metadata();
    let refused = |news: Result<_, KafkaError>| {
        assert!(news.unwrap_err().message().contains("closed"));
    };
    let waiting = waiter(&metadata, refused);
    metadata.close();
    waiting.join().unwrap();
    waiter(&metadata, refused).join().unwrap();
}

/// Scenario: SN9.
#[test]
fn a_fatal_error_reaches_every_waiter() {
    let metadata = metadata();
    let denied = |news: Result<_, KafkaError>| {
        assert_eq!(news.unwrap_err().kind(), ErrorKind::SaslAuthentication);
    };
    let waiters = [waiter(&metadata, denied), waiter(&metadata, denied)];
    let error = KafkaError::new(ErrorKind::SaslAuthentication, "wrong password");
    metadata.with(|core| core.fatal_error(error));
    waiters.into_iter().for_each(|w| w.join().unwrap());
}

#[test]
fn an_error_that_is_older_than_the_question_is_not_its_answer() {
    let metadata = metadata();
    let error = KafkaError::new(ErrorKind::SaslAuthentication, "wrong password");
    metadata.with(|core| core.fatal_error(error));
    let version = metadata.request_update();
    let now = MockTime::shared().now();
    let news = metadata.await_update(version, now);
    assert_eq!(news.unwrap_err().kind(), ErrorKind::Timeout);
    let older = metadata.await_update(version - 1, now);
    assert_eq!(older.unwrap_err().kind(), ErrorKind::SaslAuthentication);
}

/// Scenario: SN10.
#[test]
fn the_error_of_a_topic_stays_for_everyone_to_see() {
    let (metadata, time) = (metadata(), MockTime::shared());
    for topic in ["secret", "also-secret"] {
        metadata.add(topic, time.now());
        let denied = Errors::TopicAuthorizationFailed;
        answer(&metadata, topic, denied, time.now());
    }
    for topic in ["secret", "also-secret", "secret"] {
        let error = fatal_topic_error(&metadata.current(), topic).expect("an error");
        assert_eq!(error.kind(), ErrorKind::TopicAuthorization);
        assert!(error.message().contains(topic));
    }
    assert!(fatal_topic_error(&metadata.current(), "unknown").is_none());
}

/// Scenario: SN4, MD4.
#[test]
fn a_wait_ends_with_its_deadline() {
    let (metadata, time) = (metadata(), MockTime::shared());
    let last = metadata.current().version;
    let error = metadata.await_update(last, time.now()).unwrap_err();
    assert_eq!(error.time_limit(), Some(TimeLimit::MaxBlock));
}

fn hint(partition: i32, leader: i32, epoch: i32) -> LeaderHint {
    LeaderHint {
        topic_partition: TopicPartition::new("orders", partition),
        leader: Some(NodeId(leader)),
        epoch: LeaderEpoch::from_wire(epoch),
    }
}

fn time_to_next_update(metadata: &ProducerMetadata, now: Instant) -> Duration {
    metadata.with(|core| core.time_to_next_update(now))
}

/// The topics that the request which is due asks for.
fn asked(metadata: &ProducerMetadata, now: Instant) -> Vec<String> {
    let request = metadata.with(|core| core.new_metadata_request_and_version(now).request);
    let topics = request.topics.into_iter().flatten();
    let mut names: Vec<_> = topics.filter_map(|topic| topic.name).collect();
    names.sort();
    names
}

/// Java: `ProducerMetadataTest.testTopicExpiry`, `testRequestUpdateForTopic`. Scenario: MD1, MD2.
#[test]
fn a_new_topic_is_asked_for_at_once_and_alone_a_known_one_with_all() {
    let (metadata, time) = (metadata(), MockTime::shared());
    metadata.add("orders", time.now());
    answer(&metadata, "orders", Errors::None, time.now());
    assert!(!time_to_next_update(&metadata, time.now()).is_zero());
    metadata.add("orders", time.now());
    assert!(!time_to_next_update(&metadata, time.now()).is_zero());
    metadata.add("payments", time.now());
    assert!(time_to_next_update(&metadata, time.now()).is_zero());
    assert_eq!(asked(&metadata, time.now()), ["payments"]);
    answer(&metadata, "payments", Errors::None, time.now());
    let snapshot = metadata.current();
    assert!(snapshot.topic("orders").is_some() && snapshot.topic("payments").is_some());
    metadata.with(|core| core.request_update_for_topic("payments"));
    assert_eq!(asked(&metadata, time.now()), ["orders", "payments"]);
}

/// Java: `ProducerMetadataTest.testMetadataPartialUpdate`. Scenario: MD2.
#[test]
fn an_answer_about_a_new_topic_does_not_stand_for_all() {
    let (metadata, time) = (metadata(), MockTime::shared());
    metadata.add("orders", time.now());
    answer(&metadata, "orders", Errors::None, time.now());
    metadata.add("payments", time.now());
    let partial = metadata.with(|core| core.new_metadata_request_and_version(time.now()).version);
    metadata.request_update();
    metadata.with(|core| {
        let nothing = MetadataResponse::default();
        core.update(partial, &nothing, 12, time.now())
            .expect("open");
        assert!(core.full_update_requested());
    });
}

/// Java: `ProducerMetadataTest.testTopicExpiry`. Scenario: MD3, SN5.
#[test]
fn a_topic_that_nobody_uses_is_forgotten_and_one_in_use_is_kept() {
    let (metadata, time) = (metadata(), MockTime::shared());
    for topic in ["idle", "used"] {
        metadata.add(topic, time.now());
        answer(&metadata, topic, Errors::None, time.now());
    }
    time.advance(Duration::from_secs(200));
    metadata.add("used", time.now());
    time.advance(Duration::from_secs(100));
    assert_eq!(asked(&metadata, time.now()), ["idle", "used"]);
    answer_all(&metadata, &["idle", "used"], Errors::None, time.now());
    assert!(metadata.current().topic("used").is_some());
    assert!(metadata.current().topic("idle").is_none());
    metadata.add("idle", time.now());
    assert!(time_to_next_update(&metadata, time.now()).is_zero());
}

/// Scenario: MD5 (KIP-580).
#[test]
fn answers_that_bring_nothing_new_are_asked_for_ever_more_seldom() {
    let (metadata, time) = (metadata(), MockTime::shared());
    metadata.add("orders", time.now());
    let mut waits = Vec::new();
    for _ in 0..4 {
        answer(&metadata, "orders", Errors::None, time.now());
        metadata.request_update();
        waits.push(time_to_next_update(&metadata, time.now()));
    }
    assert!(waits.windows(2).all(|pair| pair[1] > pair[0]), "{waits:?}");
}

/// Java: `MetadataTest.testUpdatePartitionLeadership`. Scenario: MD6.
#[test]
fn a_hint_counts_only_with_a_newer_epoch_a_known_partition_and_a_known_node() {
    let (metadata, time) = (metadata(), MockTime::shared());
    metadata.add("orders", time.now());
    answer(&metadata, "orders", Errors::None, time.now());
    let leader = || {
        metadata
            .current()
            .partition("orders", 0)
            .and_then(|p| p.leader)
    };
    let apply = |hint: LeaderHint, nodes: Vec<Node>| {
        metadata.with(|core| core.update_partition_leadership(&[hint], nodes).len())
    };
    assert_eq!(leader(), Some(NodeId(1)));
    let other = || vec![Node::new(2, "localhost", 9093)];
    assert_eq!(apply(hint(0, 2, 5), other()), 0, "the epoch is not newer");
    assert_eq!(apply(hint(7, 2, 6), other()), 0, "no such partition");
    assert_eq!(apply(hint(0, 3, 6), other()), 0, "no such node");
    assert_eq!(leader(), Some(NodeId(1)));
    assert_eq!(apply(hint(0, 2, 7), other()), 1);
    assert_eq!(leader(), Some(NodeId(2)));
}
