//! Records that `send` refuses, and who hears of it.

use super::*;

/// Java: `KafkaProducerTest.testSendToInvalidTopic`. Scenario: SN6 (the send).
#[test]
fn a_topic_with_an_illegal_name_fails_the_future_at_once() {
    let fixture = Fixture::new(&[]);
    fixture.answer_error("a b", Errors::InvalidTopicException);
    let told = Count::default();
    let count = told.clone();
    let future = fixture
        .producer
        .send_with_callback(ProducerRecord::new("a b", *b"k", *b"v"), move |result| {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::InvalidTopic);
            count.add();
        })
        .unwrap();
    assert_eq!(failure(&future).kind(), ErrorKind::InvalidTopic);
    assert_eq!(told.get(), 1);
    fixture.assert_nothing_buffered();
}

/// Java: `KafkaProducerTest.testCallbackAndInterceptorHandleError` (too large). Scenario: SN14.
#[test]
fn a_record_above_a_limit_fails_with_the_limits_name() {
    let fixture = Fixture::new(&[("max.request.size", "100")]);
    fixture.know(1);
    let value = vec![0_u8; 1000];
    let future = fixture
        .producer
        .send(ProducerRecord::new(TOPIC, *b"k", &*value))
        .unwrap();
    let error = failure(&future);
    assert_eq!(error.kind(), ErrorKind::RecordTooLarge);
    assert_eq!(
        error.message(),
        "record of 1087 bytes is larger than max.request.size 100 (topic orders)"
    );
    let fixture = Fixture::new(&[("buffer.memory", "900"), ("batch.size", "10")]);
    fixture.know(1);
    let future = fixture
        .producer
        .send(ProducerRecord::new(TOPIC, *b"k", &*value))
        .unwrap();
    assert_eq!(
        failure(&future).message(),
        "record of 1087 bytes is larger than buffer.memory 900 (topic orders)"
    );
    fixture.assert_nothing_buffered();
}

/// Scenario: SN12.
#[test]
fn a_negative_partition_or_timestamp_is_returned_to_the_caller() {
    let fixture = Fixture::new(&[]);
    fixture.know(1);
    for record in [record().with_partition(-1), record().with_timestamp(-1)] {
        let error = fixture.producer.send(record).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IllegalArgument);
    }
}

/// Java: `KafkaProducerTest.closeShouldBeIdempotent`, `testSendAfterClose..`.
#[test]
fn a_closed_producer_refuses_to_send() {
    let mut fixture = Fixture::new(&[]);
    fixture.know(1);
    fixture.end();
    let error = fixture.producer.send(record()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalState);
    assert_eq!(error.message(), "the producer has been closed already");
    assert!(fixture.producer.partitions_for(TOPIC).is_err());
}

#[test]
fn a_forked_child_is_told_so_before_it_waits_for_anything() {
    let mut fixture = Fixture::new(&[]);
    fixture.know(1);
    let inner = Arc::get_mut(&mut fixture.producer.inner).unwrap();
    inner.process = Process::parent_of_this();
    fixture.accumulator.fork();
    let producer = &fixture.producer;
    let forked = |error: KafkaError| assert_eq!(error.kind(), ErrorKind::Forked);
    forked(producer.send(record()).unwrap_err());
    forked(producer.flush().unwrap_err());
    forked(producer.close(Duration::ZERO).unwrap_err());
    let elsewhere = ProducerRecord::new("unknown", *b"k", *b"v");
    forked(producer.send(elsewhere).unwrap_err());
}

/// A callback runs on the thread that completes records. Scenario: SN22.
#[test]
fn the_io_thread_is_never_made_to_wait() {
    let fixture = Fixture::new(&[("buffer.memory", "16384")]);
    fixture.know(1);
    let value = vec![0_u8; 12_000];
    let _first = fixture
        .producer
        .send(ProducerRecord::new(TOPIC, *b"k", &*value))
        .unwrap();
    fixture.accumulator.enter_io_thread();
    let unknown = ProducerRecord::new("unknown", *b"k", *b"v");
    let late = fixture.producer.send(unknown).unwrap();
    assert_eq!(failure(&late).kind(), ErrorKind::Timeout);
    let full = fixture
        .producer
        .send(ProducerRecord::new(TOPIC, *b"k", &*value))
        .unwrap();
    assert_eq!(failure(&full).kind(), ErrorKind::BufferExhausted);
    let error = fixture.producer.flush().unwrap_err();
    assert_eq!(
        error.message(),
        "flush was called on the I/O thread (inside a callback), which is the thread that completes records"
    );
}

#[test]
fn try_send_gives_the_record_back_as_it_was() {
    let fixture = Fixture::new(&[("max.block.ms", "100000")]);
    let record = record().with_header("trace", "1");
    let error = fixture.producer.try_send(record.clone()).unwrap_err();
    assert!(error.would_block());
    assert_eq!(error.error().kind(), ErrorKind::Timeout);
    assert_eq!(error.into_record(), record);
    fixture.know(1);
    assert!(fixture.producer.try_send(record).is_ok());
}

/// Threads that wait for memory, and records that are refused for lack of it, leave nothing behind.
#[test]
fn a_full_buffer_is_told_with_its_figures_and_what_was_buffered_stays() {
    let fixture = Fixture::new(&[("buffer.memory", "16384"), ("max.block.ms", "5")]);
    fixture.know(1);
    let value = vec![0_u8; 12_000];
    let kept = fixture
        .producer
        .send(ProducerRecord::new(TOPIC, *b"k", &*value))
        .unwrap();
    let full = fixture
        .producer
        .send(ProducerRecord::new(TOPIC, *b"k", &*value))
        .unwrap();
    let error = failure(&full);
    assert_eq!(error.kind(), ErrorKind::BufferExhausted);
    assert_eq!(error.time_limit(), Some(TimeLimit::MaxBlock));
    assert!(!kept.is_done());
}

#[test]
fn the_health_of_a_producer_shows_what_waits() {
    let fixture = Fixture::new(&[("buffer.memory", "65536")]);
    let health = fixture.producer.health();
    assert_eq!((health.known_brokers, health.incomplete_batches), (0, 0));
    assert_eq!(health.oldest_unacknowledged, None);
    fixture.know(1);
    let _sent = fixture.producer.send(record()).unwrap();
    fixture.time.advance(Duration::from_millis(7));
    let health = fixture.producer.health();
    assert!(health.is_open && health.failure.is_none());
    assert_eq!((health.known_brokers, health.incomplete_batches), (1, 1));
    assert_eq!(health.oldest_unacknowledged, Some(Duration::from_millis(7)));
    assert!(health.buffer_available < health.buffer_total);
}

#[test]
fn the_health_of_a_producer_shows_what_failed_last_and_when() {
    let mut fixture = Fixture::new(&[("max.request.size", "100"), ("buffer.memory", "65536")]);
    fixture.know(1);
    let health = fixture.producer.health();
    assert!(health.last_error.is_none() && health.last_error_age.is_none());
    let value = vec![0_u8; 1000];
    let too_large = ProducerRecord::new(TOPIC, *b"k", &*value);
    assert!(fixture.producer.send(too_large).unwrap().is_done());
    fixture.time.advance(Duration::from_millis(7));
    let health = fixture.producer.health();
    assert_eq!(health.last_error.unwrap().kind(), ErrorKind::RecordTooLarge);
    assert_eq!(health.last_error_age, Some(Duration::from_millis(7)));
    let waits = fixture.producer.send(record()).unwrap();
    fixture.end();
    let health = fixture.producer.health();
    assert_eq!(
        health.last_error.unwrap().message(),
        failure(&waits).message()
    );
    assert_eq!(health.last_error_age, Some(Duration::ZERO));
}
