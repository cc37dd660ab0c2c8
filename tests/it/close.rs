//! How a producer ends: delivered, reported, handed back.

use std::collections::BTreeSet;
use std::time::Duration;

use ottla::embedded::{Api, Fault};
use ottla::{ErrorKind, Persisted, ProducerRecord};

use crate::support::{cluster, error, must_end, text, text_producer, values};

#[test]
fn dropping_the_last_handle_delivers_everything() {
    let cluster = cluster();
    let producer = text_producer(
        &cluster.bootstrap_servers(),
        &[("linger.ms", "60000"), ("delivery.timeout.ms", "120000")],
    );
    let other = producer.clone();
    for number in 0..10_000 {
        let value = number.to_string();
        let _sent = producer
            .send(ProducerRecord::new("t", "k", value.as_str()))
            .expect("room");
    }
    drop(producer);
    must_end("drop", move || drop(other));
    assert_eq!(values(&cluster, "t", 0).len(), 10_000);
}

#[test]
fn close_delivers_and_reports() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    for number in 0..1_000 {
        let value = number.to_string();
        let _sent = producer
            .send(ProducerRecord::new("t", "k", value.as_str()))
            .expect("room");
    }
    let report = must_end("close", move || {
        producer.close(Duration::from_secs(30)).expect("closes")
    });
    assert_eq!(
        (
            report.delivered() <= 1_000,
            report.failed(),
            report.outcome_unknown()
        ),
        (true, 0, 0)
    );
    assert!(report.unsent().is_empty());
}

#[test]
fn close_at_once_hands_back_exactly_what_was_not_acknowledged() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[("linger.ms", "0")]);
    producer
        .send(ProducerRecord::new("t", "k", "acknowledged"))
        .expect("room")
        .get()
        .expect("delivered");
    cluster.inject(Fault::on(Api::Produce).never_answer());
    let mut futures = Vec::new();
    for number in 0..5_000 {
        let value = number.to_string();
        let record = ProducerRecord::new("t", "k", value.as_str())
            .with_timestamp(number)
            .with_header("n", value.as_bytes());
        futures.push(producer.send(record).expect("room"));
    }
    let report = must_end("close", move || {
        producer.close(Duration::ZERO).expect("closes")
    });
    let handed_back: BTreeSet<String> = report
        .unsent()
        .iter()
        .map(|record| text(record.value.clone()))
        .collect();
    let expected: BTreeSet<String> = (0..5_000).map(|number| number.to_string()).collect();
    assert_eq!(handed_back, expected);
    let written: BTreeSet<String> = values(&cluster, "t", 0).into_iter().collect();
    for record in report.unsent() {
        let value = text(record.value.clone());
        assert_eq!(record.topic_partition.topic(), "t");
        assert_eq!(record.timestamp.to_string(), value);
        if written.contains(&value) {
            assert_eq!(record.persisted, Persisted::Maybe, "{value} is in the log");
        }
    }
    let maybe = report
        .unsent()
        .iter()
        .filter(|record| record.persisted == Persisted::Maybe)
        .count();
    assert!(maybe < 5_000, "what never left is certainly not written");
    for future in futures {
        let error = error(future.get());
        assert!(error.to_string().contains("closed"), "{error}");
    }
}

/// Scenario: CL1.
#[test]
fn closing_again_is_harmless_and_sending_then_is_an_error() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    let _ = producer.close(Duration::from_secs(10)).expect("closes");
    let _sent = producer
        .close(Duration::from_secs(10))
        .expect("closes again");
    let error = error(producer.send(ProducerRecord::new("t", "k", "v")));
    assert_eq!(error.kind(), ErrorKind::IllegalState, "{error}");
}

/// Scenario: CL4.
#[test]
fn flush_ends_with_failing_records_too() {
    let cluster = cluster();
    let producer = text_producer(
        &cluster.bootstrap_servers(),
        &[("linger.ms", "60000"), ("delivery.timeout.ms", "120000")],
    );
    cluster.inject(
        Fault::on(Api::Produce)
            .error(ErrorKind::PolicyViolation)
            .times(1),
    );
    let future = producer
        .send(ProducerRecord::new("t", "k", "v"))
        .expect("room");
    must_end("flush", move || producer.flush().expect("flushes"));
    assert_eq!(error(future.get()).kind(), ErrorKind::PolicyViolation);
}

#[test]
fn a_flush_with_a_limit_keeps_it() {
    let cluster = cluster();
    let producer = text_producer(
        &cluster.bootstrap_servers(),
        &[("ottla.drop.timeout.ms", "100")],
    );
    producer.partitions_for("t").expect("known");
    cluster.inject(Fault::on(Api::Produce).never_answer());
    let _future = producer
        .send(ProducerRecord::new("t", "k", "v"))
        .expect("room");
    let error = must_end("flush", move || {
        error(producer.flush_timeout(Duration::from_millis(200)))
    });
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(error.to_string().contains("200 ms"), "{error}");
}
