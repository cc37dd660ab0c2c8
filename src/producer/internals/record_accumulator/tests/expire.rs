//! Giving up on batches that are too old.

use super::*;

fn expiring(ms: u64) -> AccumulatorConfig {
    AccumulatorConfig {
        delivery_timeout: Duration::from_millis(ms),
        ..lingering(10)
    }
}

/// Java: `RecordAccumulatorTest.testExpiredBatches`, `ProducerBatchTest.testBatchExpiration`. Scenario: AC16, PB4.
#[test]
fn a_batch_expires_at_its_timeout_and_not_a_moment_before() {
    let mut fixture = Fixture::new(&[1], expiring(100));
    drop(fixture.append(0, VALUE));
    fixture.ready();
    fixture.pass_ms(99);
    assert!(fixture.expired().is_empty());
    fixture.pass_ms(1);
    assert_eq!(fixture.expired().len(), 1);
    assert!(!fixture.accumulator.has_undrained());
    assert!(fixture.ready_nodes().is_empty());
    drop(fixture.append(0, VALUE));
    assert!(
        fixture.ready().next_check.is_some(),
        "the queue goes on as before"
    );
}

/// Scenario: AC16.
#[test]
fn the_longest_timeout_there_is_works() {
    let mut fixture = Fixture::new(
        &[1],
        AccumulatorConfig {
            delivery_timeout: Duration::MAX,
            ..config()
        },
    );
    drop(fixture.append(0, VALUE));
    fixture.ready();
    assert!(fixture.expired().is_empty());
    assert!(fixture.drainer.next_expiry().is_some());
}

/// Java: `RecordAccumulatorTest.testExpiredBatchesRetry`, `testSoonToExpireBatchesArePickedUpForExpiry`. Scenario: AC17.
#[test]
fn neither_a_mute_nor_a_missing_leader_protects_from_expiry() {
    let mut fixture = Fixture::new(&[1, 1], expiring(100));
    fixture.set_leaders(&[None, Some((1, 0))]);
    drop(fixture.append(0, &[b'a'; 900]));
    drop(fixture.append(0, &[b'b'; 900]));
    drop(fixture.append(1, VALUE));
    fixture.ready();
    let muted = TopicPartition::new(TOPIC, 1);
    fixture.drainer.mute(&muted);
    fixture.ready();
    fixture.pass_ms(100);
    let mut expired = fixture.expired();
    expired.iter_mut().for_each(|batch| {
        batch.seal(&mut fixture.drainer.compressors);
    });
    expired.sort_by_key(|batch| batch.topic_partition().partition());
    assert_eq!(partitions(&expired), [0, 0, 1]);
    assert_eq!(
        values(&expired[0]),
        [vec![b'a'; 900]],
        "in the order of the queue"
    );
    assert_eq!(fixture.drainer.next_expiry(), None);
}

/// Scenario: AC17 (next expiry).
#[test]
fn the_next_expiry_is_that_of_the_oldest_batch_in_a_queue() {
    let mut fixture = Fixture::new(&[1, 1], expiring(100));
    let start = fixture.now();
    assert_eq!(fixture.drainer.next_expiry(), None);
    drop(fixture.append(0, VALUE));
    fixture.pass_ms(10);
    drop(fixture.append(1, VALUE));
    fixture.ready();
    let after = |ms| Some(start + Duration::from_millis(ms));
    assert_eq!(fixture.drainer.next_expiry(), after(100));
    let drained = fixture.pass();
    assert_eq!(partitions(&drained), [0]);
    assert_eq!(fixture.drainer.next_expiry(), after(110));
    for batch in drained {
        fixture.reenqueue(batch);
    }
    fixture.ready();
    assert_eq!(fixture.drainer.next_expiry(), after(100));
}

/// Java: `RecordAccumulatorTest.testExpiredBatchesRetry`. Scenario: AC18.
#[test]
fn retries_do_not_make_a_batch_younger() {
    let mut fixture = Fixture::new(&[1], expiring(1000));
    drop(fixture.append(0, VALUE));
    let mut attempts = 0;
    for _ in 0..10 {
        fixture.pass_ms(99);
        for batch in fixture.pass() {
            attempts += 1;
            fixture.reenqueue(batch);
        }
        assert!(fixture.expired().is_empty());
    }
    assert!(attempts > 2);
    fixture.pass_ms(10);
    let expired = fixture.expired();
    assert_eq!(expired.len(), 1);
    assert_eq!(expired[0].attempts().len(), attempts);
}

/// Two requests of a partition fail, the newer one last: its batch must not hide the older one, which expires first.
#[test]
fn batches_that_come_back_in_any_order_expire_in_the_order_of_their_creation() {
    let mut fixture = Fixture::new(&[1], expiring(1000));
    drop(fixture.append(0, VALUE));
    fixture.pass_ms(100);
    let older = fixture.pass().remove(0);
    drop(fixture.append(0, VALUE));
    fixture.pass_ms(100);
    let newer = fixture.pass().remove(0);
    fixture.reenqueue(older);
    fixture.reenqueue(newer);
    fixture.ready();
    fixture.pass_ms(800);
    assert_eq!(fixture.expired().len(), 1, "the older one is due");
    fixture.pass_ms(100);
    assert_eq!(fixture.expired().len(), 1);
}

/// Scenario: AC16.
#[test]
fn what_stood_behind_an_expired_batch_does_not_wait_for_its_back_off() {
    let mut fixture = Fixture::new(&[1], expiring(1000));
    drop(fixture.append(0, VALUE));
    fixture.pass_ms(10);
    let failed = fixture.pass().remove(0);
    fixture.pass_ms(940);
    fixture.reenqueue(failed);
    drop(fixture.append(0, b"next"));
    assert!(fixture.ready_nodes().is_empty());
    fixture.pass_ms(50);
    assert_eq!(fixture.expired().len(), 1);
    assert_eq!(values(&fixture.pass()[0]), [b"next".to_vec()]);
}

/// Java: none, which looks at every partition. Batches leave long before they would expire, so their timers are left behind.
#[test]
fn timers_that_are_left_behind_delay_nothing_and_wake_nobody() {
    let partitions = 3 * 8;
    let mut fixture = Fixture::new(&vec![1; partitions], expiring(100));
    let start = fixture.now();
    let after = |ms| Some(start + Duration::from_millis(ms));
    let numbers = || (0..).take(partitions);
    numbers().for_each(|n| drop(fixture.append(n, VALUE)));
    fixture.pass_ms(10);
    let sent = fixture.pass();
    assert_eq!(sent.len(), partitions);
    assert_eq!(fixture.drainer.next_expiry(), after(100));
    for batch in sent {
        batch.complete(Some(0), None);
    }
    assert_eq!(fixture.drainer.next_expiry(), None, "nothing is left");
    // The next batches of the same partitions expire when it is their time, not when the timers come up.
    numbers().for_each(|n| drop(fixture.append(n, VALUE)));
    fixture.ready();
    fixture.pass_ms(90);
    assert!(fixture.expired().is_empty());
    assert_eq!(fixture.drainer.next_expiry(), after(110));
    fixture.pass_ms(9);
    assert!(fixture.expired().is_empty());
    fixture.pass_ms(1);
    assert_eq!(fixture.expired().len(), partitions);
    assert_eq!(fixture.drainer.next_expiry(), None);
}
