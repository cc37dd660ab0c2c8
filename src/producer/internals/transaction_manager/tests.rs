//! Tests of the numbering, in the core alone.

use std::time::{Duration, Instant};

use super::*;
use crate::common::time::{SystemTime, Time};

const ID: ProducerIdAndEpoch = ProducerIdAndEpoch {
    producer_id: 7,
    epoch: 0,
};
const NEXT_EPOCH: ProducerIdAndEpoch = ProducerIdAndEpoch {
    producer_id: 7,
    epoch: 1,
};

fn now() -> Instant {
    SystemTime.now()
}

fn backoff() -> ExponentialBackoff {
    ExponentialBackoff::new(Duration::from_millis(100), Duration::from_millis(1000))
}

fn with_id(identity: ProducerIdAndEpoch) -> TransactionManager {
    let mut manager = TransactionManager::new(backoff());
    assert_eq!(
        manager.poll_request(now()),
        Some(TxnRequest::InitProducerId)
    );
    let response = TxnResponse::InitProducerId(identity);
    assert!(manager.handle_response(response, now(), 0.5).is_none());
    manager
}

fn tp() -> TopicPartition {
    TopicPartition::new("orders", 0)
}

fn batch(tp: &TopicPartition, first: u64) -> BatchId<'_> {
    BatchId {
        tp,
        identity: ID,
        first: Sequence(first),
    }
}

/// A manager whose partition `orders-0` has one acknowledged record, so that more than one batch may be on the wire.
fn warm() -> TransactionManager {
    let mut manager = with_id(ID);
    assert_eq!(manager.assign_sequence(&tp(), 1), (ID, Sequence(0)));
    manager.handle_completed(batch(&tp(), 0));
    manager
}

/// Java: `TransactionManagerTest.testDefaultSequenceNumber`. Scenario: ID1.
#[test]
fn nothing_is_drained_before_the_producer_id_has_come() {
    let mut manager = TransactionManager::new(backoff());
    assert!(!manager.can_drain(&tp(), None));
    assert_eq!(
        manager.poll_request(now()),
        Some(TxnRequest::InitProducerId)
    );
    assert_eq!(manager.poll_request(now()), None);
    assert!(!manager.can_drain(&tp(), None));
    manager.handle_response(TxnResponse::InitProducerId(ID), now(), 0.5);
    assert!(manager.can_drain(&tp(), None));
}

/// Scenario: ID1.
#[test]
fn a_failed_question_for_an_id_waits_before_it_is_repeated() {
    let start = now();
    let mut manager = TransactionManager::new(backoff());
    manager.poll_request(start);
    let failed = TxnResponse::Failed(KafkaError::new(ErrorKind::Disconnect, "gone"));
    assert!(manager.handle_response(failed, start, 0.5).is_none());
    assert_eq!(manager.poll_request(start), None);
    let due = manager.next_timeout(start).expect("a retry");
    assert_eq!(due - start, Duration::from_millis(100));
    assert!(manager.poll_request(due).is_some());
}

/// Scenario: ID18.
#[test]
fn a_missing_permission_fails_what_waits_and_is_asked_again_later() {
    let start = now();
    let mut manager = TransactionManager::new(backoff());
    manager.poll_request(start);
    let denied = KafkaError::new(ErrorKind::ClusterAuthorization, "denied");
    let error = manager.handle_response(TxnResponse::Failed(denied), start, 0.5);
    assert!(error.is_some_and(|e| !e.is_fatal()));
    assert_eq!(manager.poll_request(start), None);
    assert!(
        manager
            .poll_request(start + Duration::from_millis(120))
            .is_some()
    );
}

/// Java: `TransactionManagerTest.testSequenceNumberOverflow` and neighbours. Scenario: ID2, ID16.
#[test]
fn numbers_rise_with_each_batch_and_the_acknowledged_mark_only_moves_up() {
    let mut manager = warm();
    assert_eq!(manager.assign_sequence(&tp(), 3), (ID, Sequence(1)));
    assert_eq!(manager.assign_sequence(&tp(), 2), (ID, Sequence(4)));
    manager.handle_completed(batch(&tp(), 4));
    manager.handle_completed(batch(&tp(), 1));
    assert_eq!(manager.assign_sequence(&tp(), 1), (ID, Sequence(6)));
    assert!(manager.poll_restart().is_empty());
}

/// Scenario: ID21 (KAFKA-15591).
#[test]
fn a_partition_has_one_batch_on_the_wire_until_the_first_is_acknowledged() {
    let mut manager = with_id(ID);
    manager.assign_sequence(&tp(), 1);
    assert!(!manager.can_drain(&tp(), None));
    assert!(manager.can_drain(&TopicPartition::new("orders", 1), None));
    manager.handle_completed(batch(&tp(), 0));
    assert!(manager.can_drain(&tp(), None));
}

#[test]
fn no_more_than_five_batches_are_outstanding() {
    let mut manager = warm();
    for _ in 0..5 {
        assert!(manager.can_drain(&tp(), None));
        manager.assign_sequence(&tp(), 1);
    }
    assert!(!manager.can_drain(&tp(), None));
}
