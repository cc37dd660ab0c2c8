//! Batches that come back: where they go, and when they may go again.

use super::*;
use crate::common::cluster::Sequence;

/// Java: `RecordAccumulatorTest.testRetryBackoff`. Scenario: AC8.
#[test]
fn a_back_off_holds_only_the_batch_that_failed() {
    let mut fixture = Fixture::new(&[1, 1], config());
    drop(fixture.append(0, VALUE));
    let failed = fixture.pass().remove(0);
    fixture.reenqueue(failed);
    drop(fixture.append(1, VALUE));
    assert_eq!(partitions(&fixture.pass()), [1]);
    assert_eq!(fixture.next_check_ms(), Some(100));
    fixture.pass_ms(99);
    assert!(fixture.pass().is_empty());
    fixture.pass_ms(1);
    assert_eq!(partitions(&fixture.pass()), [0]);
}

/// Java: `RecordAccumulatorTest.testExponentialRetryBackoff`. Scenario: AC9.
#[test]
fn each_failure_doubles_the_back_off_up_to_its_limit() {
    let mut fixture = Fixture::new(&[1], config());
    drop(fixture.append(0, VALUE));
    let mut batch = fixture.pass().remove(0);
    for expected in [100, 200, 400, 800, 1000, 1000] {
        fixture.reenqueue(batch);
        assert!(fixture.ready_nodes().is_empty());
        assert_eq!(fixture.next_check_ms(), Some(expected));
        fixture.pass_ms(expected as u64);
        batch = fixture.pass().remove(0);
    }
    assert_eq!(batch.failures(), 6);
}

/// Java: `RecordAccumulatorTest.testReadyAndDrainWhenABatchIsBeingRetried`, `testRetryBackoffOnLeaderChange`.
/// Scenario: AC10, PB7.
#[test]
fn a_newer_leader_epoch_saves_the_back_off_once() {
    let mut fixture = Fixture::new(&[1], config());
    drop(fixture.append(0, VALUE));
    let batch = fixture.pass().remove(0);
    fixture.reenqueue(batch);
    assert!(fixture.ready_nodes().is_empty());
    fixture.set_leaders(&[Some((2, 0))]);
    assert!(
        fixture.ready_nodes().is_empty(),
        "another leader of the same epoch is no news"
    );
    fixture.set_leaders(&[Some((2, 1))]);
    assert_eq!(fixture.ready_nodes(), [2]);
    let batch = fixture.drain(2).remove(0);
    fixture.reenqueue(batch);
    assert!(
        fixture.ready_nodes().is_empty(),
        "the epoch is known by now"
    );
    fixture.pass_ms(200);
    assert_eq!(fixture.ready_nodes(), [2]);
}

/// Java: `RecordAccumulatorTest.testRequeueOnFrontOfQueue` (without idempotence). Scenario: AC32.
#[test]
fn without_numbers_a_batch_goes_back_to_the_front() {
    let mut fixture = Fixture::new(&[1], config());
    drop(fixture.append(0, b"first"));
    let first = fixture.pass().remove(0);
    drop(fixture.append(0, b"second"));
    fixture.reenqueue(first);
    fixture.pass_ms(100);
    assert_eq!(values(&fixture.pass()[0]), [b"first".to_vec()]);
    assert_eq!(values(&fixture.pass()[0]), [b"second".to_vec()]);
}

/// Java: `SenderTest.testIdempotenceWithMultipleInflightsRetriedInOrder` (the queue). Scenario: AC32.
#[test]
fn with_numbers_batches_go_back_in_the_order_of_their_numbers() {
    let mut fixture = Fixture::new(&[1], config());
    for name in ["0", "1", "2", "3", "new"] {
        drop(fixture.append(0, &[name.as_bytes(), &[b' '; 900]].concat()));
    }
    fixture.ready();
    let identity = ProducerIdAndEpoch {
        producer_id: 7,
        epoch: 0,
    };
    let mut batches: Vec<_> = (0..4_u64)
        .map(|n| {
            let mut batch = fixture.drain(1).remove(0);
            batch.set_identity(identity, Sequence(n));
            batch
        })
        .collect();
    for n in [2, 0, 1, 0] {
        let batch = batches.remove(n);
        fixture.reenqueue(batch);
    }
    fixture.pass_ms(100);
    for name in ["0", "1", "2", "3", "new"] {
        let batch = fixture.pass().remove(0);
        assert!(values(&batch)[0].starts_with(name.as_bytes()), "{name}");
    }
}

/// The back-off ends before the linger would have ended for which there still is a timer. Scenario: AC8.
#[test]
fn a_back_off_that_ends_before_the_timer_of_its_partition_has_one_of_its_own() {
    let mut fixture = Fixture::new(&[1, 1], lingering(1000));
    drop(fixture.append(1, VALUE));
    fixture.ready();
    fixture.pass_ms(10);
    let appended = fixture.append(0, VALUE);
    fixture.ready();
    let timed_out = appended.future.get_timeout(Duration::ZERO);
    timed_out.expect_err("nobody sends it");
    let failed = fixture.pass().remove(0);
    fixture.pass_ms(100);
    fixture.reenqueue(failed);
    assert_eq!(fixture.next_check_ms(), Some(100));
    fixture.pass_ms(100);
    assert_eq!(partitions(&fixture.pass()), [0]);
}
