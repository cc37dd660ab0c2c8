//! The wait for metadata.

use super::*;
use crate::common::kafka_thread;

/// Sends from another thread; the result is there when that thread ends.
pub(super) fn send_elsewhere(
    fixture: &Fixture,
    record: ProducerRecord<'static, [u8; 1], [u8; 1]>,
) -> std::sync::mpsc::Receiver<Result<FutureRecordMetadata, KafkaError>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let producer = fixture.producer.clone();
    let body = move || {
        let _ = sender.send(producer.send(record));
    };
    kafka_thread::spawn("sender", body, |panic| panic!("{panic}")).unwrap();
    receiver
}

/// The result of a send that waits for `answer`, which comes as often as it is asked for: a thread that asks right after
/// an answer waits for the next one.
pub(super) fn answered(
    sent: &std::sync::mpsc::Receiver<Result<FutureRecordMetadata, KafkaError>>,
    answer: impl Fn(),
) -> Result<FutureRecordMetadata, KafkaError> {
    loop {
        answer();
        if let Ok(result) = sent.try_recv() {
            return result;
        }
        std::thread::yield_now();
    }
}

/// Until a sending thread wants news that the snapshot does not have.
pub(super) fn until_asked(fixture: &Fixture, topic: &str) {
    while !fixture.metadata.with(|core| core.contains_topic(topic)) {
        std::thread::yield_now();
    }
}

/// Java: `KafkaProducerTest.testMetadataFetch`, `testMetadataFetchOnStaleMetadata`. Scenario: SN1.
#[test]
fn a_known_topic_needs_no_waiting() {
    let fixture = Fixture::new(&[("max.block.ms", "0")]);
    fixture.know(2);
    let version = fixture.metadata.current().version;
    assert!(fixture.producer.send(record()).is_ok());
    assert_eq!(fixture.metadata.current().version, version);
    assert_eq!(fixture.producer.partitions_for(TOPIC).unwrap().len(), 2);
}

/// Java: `KafkaProducerTest.testSendNotAllowedInMaxBlock..`. Scenario: SN4.
#[test]
fn with_no_time_to_block_a_known_topic_works_and_an_unknown_one_fails_at_once() {
    let fixture = Fixture::new(&[("max.block.ms", "0")]);
    let late = fixture.producer.send(record()).unwrap();
    let error = failure(&late);
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.time_limit(), Some(TimeLimit::MaxBlock));
    assert_eq!(
        error.message(),
        "topic orders is not present in the metadata after 0 ms"
    );
    fixture.know(1);
    assert!(!fixture.producer.send(record()).unwrap().is_done());
}

/// Java: `KafkaProducerTest.testTopicNotExistingInMetadata`. Scenario: SN2 (the text).
#[test]
fn a_topic_that_does_not_come_is_named_with_what_the_cluster_said() {
    let fixture = Fixture::new(&[("max.block.ms", "5")]);
    fixture.answer_error(TOPIC, Errors::UnknownTopicOrPartition);
    let error = failure(&fixture.producer.send(record()).unwrap());
    assert!(
        error.message().starts_with(
            "topic orders is not present in the metadata after 5 ms; the cluster said: "
        ),
        "{error}"
    );
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with("UnknownTopicOrPartition"), "{cause}");
}

/// Java: `KafkaProducerTest.testMetadataPartitionCount..`. Scenario: SN3 (the text).
#[test]
fn a_partition_that_does_not_come_is_named_with_the_count() {
    let fixture = Fixture::new(&[("max.block.ms", "5")]);
    fixture.know(2);
    let error = failure(&fixture.producer.send(record().with_partition(2)).unwrap());
    assert_eq!(
        error.message(),
        "partition 2 of topic orders with 2 partitions is not present in the metadata after 5 ms"
    );
    let error = failure(&fixture.producer.send(record().with_partition(7)).unwrap());
    assert!(error.message().starts_with("partition 7 of topic orders"));
}

/// Java: `KafkaProducerTest.testTopicRefreshInMetadata`. Scenario: SN7.
#[test]
fn news_of_another_topic_does_not_end_the_wait() {
    let fixture = Fixture::new(&[]);
    let sent = send_elsewhere(&fixture, record());
    until_asked(&fixture, TOPIC);
    fixture.answer_error("another", Errors::UnknownTopicOrPartition);
    assert!(sent.try_recv().is_err());
    let future = answered(&sent, || fixture.know(1)).unwrap();
    assert!(!future.is_done());
}

/// Java: `KafkaProducerTest.closeWhileWaitingForMetadata..`. Scenario: SN8.
#[test]
fn closing_wakes_a_thread_that_waits_for_metadata() {
    let mut fixture = Fixture::new(&[]);
    let sent = send_elsewhere(&fixture, record());
    until_asked(&fixture, TOPIC);
    fixture.end();
    let error = sent.recv().unwrap().unwrap_err();
    assert!(error.message().contains("closed"), "{error}");
}

/// Scenario: SN9.
#[test]
fn a_refused_login_reaches_every_waiter() {
    let fixture = Fixture::new(&[]);
    let waiting: Vec<_> = (0..3).map(|_| send_elsewhere(&fixture, record())).collect();
    until_asked(&fixture, TOPIC);
    let refused = KafkaError::new(ErrorKind::SaslAuthentication, "wrong password");
    let refuse = || {
        fixture
            .metadata
            .with(|core| core.fatal_error(refused.clone()))
    };
    for sent in waiting {
        let future = answered(&sent, refuse).unwrap();
        assert_eq!(failure(&future).kind(), ErrorKind::SaslAuthentication);
    }
}

/// Scenario: SN10.
#[test]
fn waiters_for_two_forbidden_topics_both_fail_at_once() {
    let fixture = Fixture::new(&[]);
    let topics = ["forbidden", "secret"];
    let waiting = topics.map(|topic| {
        let record = ProducerRecord::new(topic, *b"k", *b"v");
        let sent = send_elsewhere(&fixture, record);
        until_asked(&fixture, topic);
        sent
    });
    let answer = || {
        for topic in topics {
            fixture.answer_error(topic, Errors::TopicAuthorizationFailed);
        }
    };
    for (sent, topic) in waiting.into_iter().zip(topics) {
        let error = failure(&answered(&sent, answer).unwrap());
        assert_eq!(error.kind(), ErrorKind::TopicAuthorization);
        assert!(error.message().contains(topic), "{error}");
    }
}

/// Java: `KafkaProducerTest.testTopicExpiryInMetadata`. Scenario: SN5.
#[test]
fn a_topic_that_was_idle_too_long_is_asked_for_again_by_the_next_send() {
    let fixture = Fixture::new(&[("max.block.ms", "0")]);
    fixture.know(1);
    fixture.time.advance(Duration::from_millis(6));
    fixture.know(1);
    let known = || fixture.metadata.with(|core| core.contains_topic(TOPIC));
    assert!(!known());
    let late = fixture.producer.send(record()).unwrap();
    assert_eq!(failure(&late).kind(), ErrorKind::Timeout);
    assert!(known());
    fixture.know(1);
    assert!(!fixture.producer.send(record()).unwrap().is_done());
}

/// Java: `KafkaProducerTest.testPartitionsForWithNullTopic`, `testPartitionsFor..`. Scenario: SN23.
#[test]
fn partitions_for_needs_a_name_and_waits_as_send_does() {
    let fixture = Fixture::new(&[("max.block.ms", "5")]);
    let error = fixture.producer.partitions_for("").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalArgument);
    let error = fixture.producer.partitions_for(TOPIC).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}
