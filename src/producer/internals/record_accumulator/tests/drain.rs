//! Draining: which batches a request gets, in which order.

use super::*;

const ONE_BATCH: usize = 1024;

/// Java: `RecordAccumulatorTest.testDrainBatches`. Scenario: AC4.
#[test]
fn partitions_of_a_node_take_turns() {
    let mut fixture = Fixture::new(&[1, 1, 2, 2], config());
    let full = [b'v'; 900];
    for partition in 0..4 {
        drop(fixture.append(partition, &full));
        drop(fixture.append(partition, &full));
    }
    for expected in [[0, 2], [1, 3], [0, 2], [1, 3]] {
        assert_eq!(fixture.ready_nodes(), [1, 2]);
        let mut drained = fixture.drain_up_to(1, ONE_BATCH);
        drained.extend(fixture.drain_up_to(2, ONE_BATCH));
        assert_eq!(partitions(&drained), expected);
    }
    assert!(!fixture.accumulator.has_undrained());
}

/// Java: `RecordAccumulatorTest.testPartialDrain`. Scenario: AC5.
#[test]
fn a_request_takes_what_fits_and_the_rest_comes_next() {
    let mut fixture = Fixture::new(&[1, 1], config());
    fixture.fill(0);
    fixture.fill(1);
    fixture.ready();
    assert_eq!(fixture.drain_up_to(1, ONE_BATCH).len(), 1);
    assert_eq!(fixture.ready_nodes(), [1]);
    assert_eq!(partitions(&fixture.drain_up_to(1, ONE_BATCH)), [1]);
}

/// Scenario: AC5.
#[test]
fn a_request_may_be_filled_to_its_last_byte() {
    let mut fixture = Fixture::new(&[1], config());
    drop(fixture.append(0, VALUE));
    let size = fixture.pass().remove(0).size_in_bytes();
    for (room, taken) in [(2 * size - 1, 1), (2 * size, 2)] {
        let mut fixture = Fixture::new(&[1, 1], config());
        drop(fixture.append(0, VALUE));
        drop(fixture.append(1, VALUE));
        fixture.ready();
        let batches = fixture.drain_up_to(1, room);
        assert!(batches.iter().all(|batch| batch.size_in_bytes() == size));
        assert_eq!(batches.len(), taken);
    }
}

/// Java: `RecordAccumulatorTest.testDrainBatches` (first batch larger than the limit). Scenario: AC6.
#[test]
fn a_batch_larger_than_a_request_goes_alone() {
    let mut fixture = Fixture::new(&[1, 1], config());
    drop(fixture.append(0, &[b'x'; 5000]));
    drop(fixture.append(1, VALUE));
    fixture.ready();
    assert_eq!(partitions(&fixture.drain_up_to(1, ONE_BATCH)), [0]);
    fixture.ready();
    assert_eq!(partitions(&fixture.drain_up_to(1, ONE_BATCH)), [1]);
}

/// Scenario: AC26.
#[test]
fn one_partition_that_is_held_back_does_not_stop_the_others() {
    let manager = manager();
    let mut fixture = Fixture::with_manager(&[1, 1, 1], config(), Some(manager));
    for partition in 0..3 {
        drop(fixture.append(partition, VALUE));
    }
    let mut first = fixture.pass();
    assert_eq!(first.len(), 3);
    // Until a first batch is acknowledged the next one of the same partition waits (KAFKA-15591).
    for partition in 0..3 {
        drop(fixture.append(partition, VALUE));
    }
    let done = first.remove(1);
    acknowledge(&mut fixture, done);
    let drained = fixture.pass();
    assert_eq!(partitions(&drained), [1]);
}

#[test]
fn a_request_has_one_batch_per_partition() {
    let mut fixture = Fixture::new(&[1], config());
    for _ in 0..3 {
        drop(fixture.append(0, &[b'v'; 900]));
    }
    assert_eq!(fixture.ready_nodes(), [1]);
    for _ in 0..3 {
        assert_eq!(fixture.drain(1).len(), 1);
    }
    assert!(fixture.drain(1).is_empty());
}

/// Scenario: AC30.
#[test]
fn a_node_that_nobody_knows_gets_nothing() {
    let mut fixture = Fixture::new(&[1], config());
    drop(fixture.append(0, VALUE));
    fixture.ready();
    assert!(fixture.drain(99).is_empty());
    assert_eq!(fixture.ready_nodes(), [1]);
}

/// What the Sender does with a good answer.
pub(super) fn acknowledge(fixture: &mut Fixture, batch: ProducerBatch) {
    use crate::producer::internals::transaction_manager::BatchId;
    let (identity, first) = batch.identity().expect("it was drained");
    let tp = batch.topic_partition().clone();
    let manager = fixture.drainer.transaction_manager.clone();
    manager
        .expect("numbers come from it")
        .lock()
        .handle_completed(BatchId {
            tp: &tp,
            identity,
            first,
        });
    batch.complete(Some(0), None);
}
