//! Flushing, closing and dropping: nothing is lost in silence, and nobody waits for ever.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use ottla::embedded::{Api, Fault};
use ottla::{ErrorKind, KafkaProducer, Persisted, ProducerRecord};

use crate::setup::{TOPIC, cluster, producer, until};

const LONG: Duration = Duration::from_secs(60);

fn record(n: usize) -> ProducerRecord<'static, [u8; 8], [u8; 8]> {
    ProducerRecord::new(TOPIC, n.to_be_bytes(), n.to_be_bytes())
}

/// Java: `KafkaProducerTest.testCloseIdempotent..`. Scenario: CL1.
#[test]
fn closing_again_reports_nothing_new() {
    let cluster = cluster();
    let producer = producer(
        &cluster,
        &[("linger.ms", "60000"), ("request.timeout.ms", "1000")],
    );
    for n in 0..10 {
        let _sent = producer.send(record(n)).unwrap();
    }
    let report = producer.close(LONG).unwrap();
    assert_eq!((report.delivered(), report.failed()), (10, 0));
    assert!(report.is_complete() && report.unsent().is_empty());
    let again = producer.close(LONG).unwrap();
    assert_eq!((again.delivered(), again.failed()), (0, 0));
    assert!(again.is_complete());
    let error = producer.send(record(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalState);
    assert!(!producer.health().is_open);
}

#[test]
fn dropping_the_last_handle_delivers_everything() {
    let cluster = cluster();
    let producer = producer(
        &cluster,
        &[("linger.ms", "60000"), ("delivery.timeout.ms", "120000")],
    );
    let second = producer.clone();
    for n in 0..10_000 {
        let _sent = producer.send(record(n)).unwrap();
    }
    drop(producer);
    assert!(second.health().is_open, "another handle is left");
    drop(second);
    assert_eq!(cluster.end_offset(TOPIC, 0), Some(10_000));
}

/// Java: `KafkaProducerTest.testClosingWithZeroTimeout..`. Scenario: CL3.
#[test]
fn closing_without_time_hands_back_exactly_what_was_not_acknowledged() {
    let cluster = cluster();
    let producer = producer(&cluster, &[("batch.size", "200"), ("linger.ms", "60000")]);
    let acknowledged = producer.send(record(0)).unwrap();
    assert!(acknowledged.get().is_ok());
    cluster.inject(Fault::on(Api::Produce).never_answer());
    let told = Arc::new(AtomicUsize::new(0));
    let futures: Vec<_> = (1..=100)
        .map(|n| {
            let told = Arc::clone(&told);
            let callback = move |result: Result<_, _>| {
                assert!(result.is_err());
                told.fetch_add(1, Ordering::SeqCst);
            };
            producer.send_with_callback(record(n), callback).unwrap()
        })
        .collect();
    // Some are on the wire without an answer, the others wait behind them.
    until(|| cluster.requests(Api::Produce) >= 2);
    let report = producer.close(Duration::ZERO).unwrap();
    assert!(report.is_complete());
    assert_eq!(report.delivered(), 0);
    let unsent: BTreeSet<Vec<u8>> = report
        .unsent()
        .iter()
        .map(|record| record.key.clone().unwrap())
        .collect();
    let expected: BTreeSet<Vec<u8>> = (1..=100_usize).map(|n| n.to_be_bytes().to_vec()).collect();
    assert_eq!(unsent, expected);
    assert_eq!(report.unsent().len(), 100);
    assert_eq!(told.load(Ordering::SeqCst), 100, "each callback ran once");
    for (future, record) in futures.iter().zip(report.unsent()) {
        let error = future.try_get().unwrap().unwrap_err();
        assert_eq!(error.persisted(), record.persisted);
    }
    let maybe = report.outcome_unknown();
    assert!(maybe > 0 && maybe < 100, "{maybe} of 100 were on the wire");
    let last = report.unsent().last().unwrap();
    assert_eq!(last.persisted, Persisted::No);
    let health = producer.health();
    assert_eq!(health.buffer_available, health.buffer_total);
    cluster.clear_faults();
    let next = crate::setup::producer(&cluster, &[]);
    for unsent in report.into_unsent() {
        let _sent = next.send(ProducerRecord::from(unsent)).unwrap();
    }
    let report = next.close(LONG).unwrap();
    assert_eq!((report.delivered(), report.unsent().len()), (100, 0));
}

/// Java: `KafkaProducerTest.testFlushCompleteSendOfInflightBatches`, `SenderTest.testFlushBatches..`. Scenario: CL4.
#[test]
fn flushing_completes_what_is_on_its_way_and_does_not_mind_failures() {
    let cluster = cluster();
    let producer = producer(&cluster, &[("linger.ms", "60000")]);
    let good = producer.send(record(0)).unwrap();
    producer.flush().unwrap();
    assert!(good.try_get().unwrap().is_ok());
    let refused = Fault::on(Api::Produce)
        .error(ErrorKind::TopicAuthorization)
        .times(1);
    cluster.inject(refused);
    let bad = producer.send(record(1)).unwrap();
    producer.flush().unwrap();
    let error = bad.try_get().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TopicAuthorization);
}

#[test]
fn flushing_with_a_limit_keeps_it() {
    let cluster = cluster();
    let producer = producer(&cluster, &[]);
    cluster.inject(Fault::on(Api::Produce).never_answer());
    let future = producer.send(record(0)).unwrap();
    let error = producer
        .flush_timeout(Duration::from_millis(20))
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(
        error.message(),
        "some records have no outcome after 20 ms of flushing"
    );
    assert!(!future.is_done());
    let report = producer.close(Duration::ZERO).unwrap();
    assert_eq!(report.unsent().len(), 1);
}

/// Java: `KafkaProducerTest.testFlushFromCallback..`, `testCloseFromCallback..`. Scenario: CL2.
#[test]
fn a_callback_that_would_wait_for_the_producer_is_refused() {
    let cluster = cluster();
    let producer = producer(&cluster, &[]);
    let other = producer.send(record(1)).unwrap();
    let (sender, receiver) = mpsc::channel();
    let inside = producer.clone();
    let _sent = producer
        .send_with_callback(record(2), move |_| {
            let waits = inside.send(record(3)).unwrap();
            let results = (
                waits.get().unwrap_err(),
                inside.flush().unwrap_err(),
                inside.close(LONG).unwrap(),
            );
            sender.send(results).unwrap();
        })
        .unwrap();
    assert!(other.get().is_ok());
    let (get, flush, close) = receiver.recv().unwrap();
    for error in [get, flush] {
        assert_eq!(error.kind(), ErrorKind::IllegalState);
        assert!(error.message().contains("inside a callback"), "{error}");
    }
    assert!(!close.is_complete(), "the thread cannot join itself");
    assert!(producer.close(LONG).unwrap().is_complete());
}

#[test]
fn a_callback_that_panics_harms_nobody() {
    let cluster = cluster();
    let producer = producer(&cluster, &[]);
    let panicking = producer
        .send_with_callback(record(0), |_| panic!("a callback of the test"))
        .unwrap();
    assert!(panicking.get().is_ok());
    assert!(producer.send(record(1)).unwrap().get().is_ok());
    let panics = ("callback-panic-total", 1.0);
    assert!(producer.health().counters.contains(&panics));
}

#[test]
fn a_callback_that_blocks_cannot_hold_up_a_close_with_a_limit() {
    let cluster = cluster();
    let producer = producer(&cluster, &[]);
    let (release, blocked) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel();
    let _sent = producer
        .send_with_callback(record(0), move |_| {
            entered.send(()).unwrap();
            let _ = blocked.recv();
        })
        .unwrap();
    inside.recv().unwrap();
    let report = producer.close(Duration::from_millis(10)).unwrap();
    assert!(!report.is_complete());
    release.send(()).unwrap();
    assert!(producer.close(LONG).unwrap().is_complete());
}

#[test]
fn the_last_handle_may_be_dropped_inside_a_callback() {
    let cluster = cluster();
    let producer = producer(&cluster, &[("linger.ms", "60000")]);
    let (sender, receiver) = mpsc::channel();
    let last = producer.clone();
    let first = producer
        .send_with_callback(record(0), move |_| {
            let waiting = last.send(record(1)).unwrap();
            sender.send(waiting).unwrap();
            drop(last);
        })
        .unwrap();
    let handle: KafkaProducer<_, _> = producer;
    drop(handle);
    assert!(first.get().is_ok());
    let second = receiver.recv().unwrap();
    assert!(second.get().is_ok());
    until(|| cluster.end_offset(TOPIC, 0) == Some(2));
}

#[test]
fn two_hundred_threads_may_send_while_another_one_closes() {
    let cluster = cluster();
    let producer = producer(&cluster, &[("buffer.memory", "262144")]);
    let outcomes: Vec<_> = (0..200)
        .map(|t| {
            let producer = producer.clone();
            thread::spawn(move || {
                let mut futures = Vec::new();
                for n in 0.. {
                    match producer.send(record(t * 1000 + n)) {
                        Ok(future) => futures.push(future),
                        Err(error) => return (futures, error),
                    }
                }
                unreachable!("the producer is closed at some time");
            })
        })
        .collect();
    until(|| cluster.end_offset(TOPIC, 0) > Some(1000));
    let report = producer.close(LONG).unwrap();
    assert!(report.is_complete() && report.unsent().is_empty());
    let mut written = 0;
    for outcome in outcomes {
        let (futures, error) = outcome.join().unwrap();
        assert!(
            matches!(error.kind(), ErrorKind::IllegalState | ErrorKind::Kafka),
            "{error}"
        );
        written += futures
            .iter()
            .filter(|future| future.try_get().expect("all are done").is_ok())
            .count();
    }
    assert_eq!(
        cluster.end_offset(TOPIC, 0),
        Some(i64::try_from(written).unwrap())
    );
}

/// Handing back a whole buffer takes its time. On a machine that is busy with other things one close may be too short for it;
/// then the next one has the rest.
#[test]
fn closing_without_time_hands_back_a_full_buffer() {
    let cluster = cluster();
    let producer = producer(&cluster, &[]);
    assert_eq!(producer.partitions_for(TOPIC).unwrap().len(), 1);
    cluster.inject(Fault::on(Api::Produce).never_answer());
    let value = [0_u8; 100];
    let mut accepted = 0;
    while producer
        .try_send(ProducerRecord::new(TOPIC, *b"k", value))
        .is_ok()
    {
        accepted += 1;
    }
    assert!(accepted > 100_000);
    let mut handed_back = 0;
    loop {
        let report = producer.close(Duration::ZERO).unwrap();
        handed_back += report.unsent().len();
        if report.is_complete() {
            break;
        }
    }
    assert_eq!(handed_back, accepted);
}
