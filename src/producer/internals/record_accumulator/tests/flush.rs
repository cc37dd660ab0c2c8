//! Flush, close and abort.

use super::*;
use crate::common::kafka_error::Persisted;

/// Java: `RecordAccumulatorTest.testFlush`. Scenario: AC12.
#[test]
fn a_flush_makes_partial_batches_ready() {
    let mut fixture = Fixture::new(&[1, 2, 3], lingering(60_000));
    for partition in 0..3 {
        drop(fixture.append(partition, VALUE));
    }
    assert!(fixture.ready_nodes().is_empty());
    let flushed = fixture
        .accumulator
        .await_flush_completion(Some(fixture.now()));
    assert!(!flushed, "its limit was over before it began");
    assert_eq!(fixture.ready_nodes(), [1, 2, 3]);
    let batches: Vec<_> = (1..=3).flat_map(|node| fixture.drain(node)).collect();
    batches.into_iter().for_each(complete);
    assert!(fixture.accumulator.await_flush_completion(None));
}

/// Scenario: AC13.
#[test]
fn a_flush_neither_awaits_nor_hurries_what_comes_after_it() {
    let mut fixture = Fixture::new(&[1], lingering(60_000));
    drop(fixture.append(0, VALUE));
    let accumulator = Arc::clone(&fixture.accumulator);
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| accumulator.await_flush_completion(None));
        while !accumulator
            .incomplete
            .results()
            .iter()
            .all(|r| r.is_wanted())
        {
            std::thread::yield_now();
        }
        let batches = fixture.pass();
        drop(fixture.append(0, b"later"));
        assert!(fixture.ready_nodes().is_empty(), "the later one lingers");
        batches.into_iter().for_each(complete);
        assert!(flush.join().expect("no panic"));
    });
    assert!(fixture.accumulator.has_incomplete(), "the later one");
}

/// Java: `RecordAccumulatorTest.testAbortIncompleteBatches`. Scenario: AC14.
#[test]
fn an_abort_hands_every_batch_over_and_frees_all_memory() {
    let mut fixture = Fixture::new(&[1, 1], lingering(60_000));
    let done = Arc::new(AtomicUsize::new(0));
    let mut futures = Vec::new();
    for n in 0..100 {
        let done = Arc::clone(&done);
        let mut callback: Option<Callback> = Some(Box::new(move |result| {
            assert!(result.is_err());
            done.fetch_add(1, Ordering::SeqCst);
        }));
        let result = fixture.append_with(Some(n % 2), VALUE, &mut callback, Duration::ZERO);
        futures.push(result.expect("there is memory").future);
    }
    fixture.ready();
    let mut in_flight = fixture.drain(1);
    for batch in &mut in_flight {
        batch.handed_to(NodeId(1));
    }
    let error = || KafkaError::new(crate::ErrorKind::Kafka, "the producer was closed");
    let aborted = fixture.drainer.abort_incomplete();
    let unsent: usize = aborted
        .iter()
        .map(|batch| batch.unsent_records().len())
        .sum();
    let sent: usize = in_flight
        .iter()
        .map(|batch| batch.unsent_records().len())
        .sum();
    assert_eq!(unsent + sent, 100);
    assert!(
        in_flight
            .iter()
            .all(|batch| batch.persisted() == Persisted::Maybe)
    );
    aborted
        .into_iter()
        .chain(in_flight)
        .for_each(|batch| assert_eq!(batch.fail(error()), 0));
    assert_eq!(done.load(Ordering::SeqCst), 100);
    assert!(futures.iter().all(|future| future.get().is_err()));
    assert!(!fixture.accumulator.has_undrained() && !fixture.accumulator.has_incomplete());
    assert_eq!(fixture.available(), 1024 * 1024);
}

/// Java: `RecordAccumulatorTest.testAbortUnsentBatches`. Scenario: AC15.
#[test]
fn aborting_the_undrained_leaves_what_was_drained() {
    let mut fixture = Fixture::new(&[1, 1], config());
    drop(fixture.append(0, VALUE));
    let retried = fixture.pass().remove(0);
    fixture.reenqueue(retried);
    drop(fixture.append(1, VALUE));
    let aborted = fixture.drainer.abort_undrained();
    assert_eq!(partitions(&aborted), [1]);
    assert!(fixture.accumulator.has_undrained());
    fixture.pass_ms(100);
    assert_eq!(partitions(&fixture.pass()), [0]);
}

/// Scenario: PB8.
#[test]
fn a_batch_that_gets_lost_fails_its_records_instead_of_keeping_them_waiting() {
    let mut fixture = Fixture::new(&[1], config());
    let appended = fixture.append(0, VALUE);
    drop(fixture.pass());
    let error = appended.future.get().expect_err("nobody completed it");
    assert_eq!(error.persisted(), Persisted::No);
    assert_eq!(fixture.available(), 1024 * 1024);
}
