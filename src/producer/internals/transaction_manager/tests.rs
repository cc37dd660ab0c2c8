//! Tests of the numbering, in the core alone.

use std::time::{Duration, Instant};

use super::*;
use crate::common::time::{SystemTime, Time};

mod moves;
mod transactions;
mod treatments;
mod troubles;
mod untimely;

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

fn id_request() -> TxnRequest {
    let init = InitProducerId {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        identity: ProducerIdAndEpoch::NONE,
        two_phase_commit: false,
        keep_prepared: false,
    };
    TxnRequest {
        to: None,
        body: TxnRequestBody::InitProducerId(init),
    }
}

fn with_id(identity: ProducerIdAndEpoch) -> TransactionManager {
    let mut manager = TransactionManager::new(backoff());
    assert_eq!(manager.poll_request(now(), false), Some(id_request()));
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
    assert_eq!(manager.poll_request(now(), false), Some(id_request()));
    assert_eq!(manager.poll_request(now(), false), None);
    assert!(!manager.can_drain(&tp(), None));
    manager.handle_response(TxnResponse::InitProducerId(ID), now(), 0.5);
    assert!(manager.can_drain(&tp(), None));
}

/// Scenario: ID1.
#[test]
fn a_failed_question_for_an_id_waits_before_it_is_repeated() {
    let start = now();
    let mut manager = TransactionManager::new(backoff());
    manager.poll_request(start, false);
    let failed = TxnResponse::Failed(KafkaError::new(ErrorKind::Disconnect, "gone"));
    assert!(manager.handle_response(failed, start, 0.5).is_none());
    assert_eq!(manager.poll_request(start, false), None);
    let due = manager.next_timeout(start).expect("a retry");
    assert_eq!(due - start, Duration::from_millis(100));
    assert!(manager.poll_request(due, false).is_some());
}

/// Scenario: ID18.
#[test]
fn a_missing_permission_fails_what_waits_and_is_asked_again_later() {
    let start = now();
    let mut manager = TransactionManager::new(backoff());
    manager.poll_request(start, false);
    let denied = KafkaError::new(ErrorKind::ClusterAuthorization, "denied");
    let error = manager.handle_response(TxnResponse::Failed(denied), start, 0.5);
    assert!(error.is_some_and(|e| !e.is_fatal()));
    assert_eq!(manager.poll_request(start, false), None);
    assert!(
        manager
            .poll_request(start + Duration::from_millis(120), false)
            .is_some()
    );
}

/// Java: `SenderTest.testIdempotenceWithMultipleInflights`. Scenario: ID2.
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

/// Java: `SenderTest.testIdempotenceWithMultipleInflightsRetriedInOrder`. Scenario: ID3.
#[test]
fn retried_batches_go_one_at_a_time_the_oldest_first() {
    let mut manager = warm();
    let (a, b) = (Sequence(1), Sequence(3));
    manager.assign_sequence(&tp(), 2);
    manager.assign_sequence(&tp(), 2);
    for first in [1, 3] {
        let verdict = manager.can_retry(batch(&tp(), first), ErrorKind::NotEnoughReplicas, -1);
        assert_eq!(verdict, Verdict::Retry);
        manager.handle_reenqueued(batch(&tp(), first));
    }
    assert!(manager.can_drain(&tp(), Some(a)) && !manager.can_drain(&tp(), Some(b)));
    manager.handle_resent(batch(&tp(), 1));
    assert!(!manager.can_drain(&tp(), Some(b)));
    manager.handle_completed(batch(&tp(), 1));
    assert!(manager.can_drain(&tp(), Some(b)));
}

/// Java: `SenderTest.testIdempotenceWithMultipleInflightsWhereFirstFailsFatallyAndSequenceOfFutureBatchesIsAdjusted`
/// (the order of the errors). Scenario: ID6.
#[test]
fn out_of_order_behind_an_outstanding_batch_is_a_plain_retry() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    manager.assign_sequence(&tp(), 1);
    assert_eq!(
        manager.can_retry(batch(&tp(), 2), ErrorKind::OutOfOrderSequence, -1),
        Verdict::Retry
    );
    assert!(manager.poll_restart().is_empty());
}

/// Java: `TransactionManagerTest.testEpochBumpAfterLastInflightBatchFails`. Scenario: ID5.
#[test]
fn out_of_order_at_the_expected_number_restarts_once_the_wire_is_empty() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    manager.assign_sequence(&tp(), 1);
    assert_eq!(
        manager.can_retry(batch(&tp(), 1), ErrorKind::OutOfOrderSequence, -1),
        Verdict::Renumber
    );
    manager.handle_reenqueued(batch(&tp(), 1));
    assert!(manager.poll_restart().is_empty(), "one is on the wire");
    assert!(!manager.can_drain(&tp(), Some(Sequence(1))) && !manager.can_drain(&tp(), None));
    assert_eq!(
        manager.can_retry(batch(&tp(), 2), ErrorKind::OutOfOrderSequence, -1),
        Verdict::Renumber
    );
    manager.handle_reenqueued(batch(&tp(), 2));
    assert_eq!(manager.poll_restart(), [tp()]);
    manager.restart(&[tp()]);
    assert!(manager.can_drain(&tp(), None));
    assert_eq!(manager.assign_sequence(&tp(), 1), (NEXT_EPOCH, Sequence(0)));
}

/// Scenario: ID4.
#[test]
fn a_batch_refused_for_good_leaves_a_gap_that_needs_a_new_epoch() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    assert_eq!(
        manager.can_retry(batch(&tp(), 1), ErrorKind::RecordTooLarge, -1),
        Verdict::Fail
    );
    manager.handle_failed(batch(&tp(), 1), false);
    assert!(!manager.can_drain(&tp(), None));
    assert_eq!(manager.poll_restart(), [tp()]);
    manager.restart(&[tp()]);
    assert_eq!(manager.assign_sequence(&tp(), 1), (NEXT_EPOCH, Sequence(0)));
}

/// Java: `SenderTest.testExpiryOfFirstBatchShouldNotCauseUnresolvedSequencesIfFutureBatchesSucceed`. Scenario: ID9.
#[test]
fn a_lost_batch_is_in_the_log_if_a_later_one_is() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    manager.assign_sequence(&tp(), 1);
    manager.handle_reenqueued(batch(&tp(), 1));
    manager.handle_failed(batch(&tp(), 1), true);
    assert!(!manager.can_drain(&tp(), None), "held while unresolved");
    assert!(manager.poll_restart().is_empty());
    manager.handle_completed(batch(&tp(), 2));
    assert!(manager.poll_restart().is_empty());
    assert!(manager.can_drain(&tp(), None));
    assert_eq!(manager.assign_sequence(&tp(), 1), (ID, Sequence(3)));
}

/// Scenario: ID7, ID9.
#[test]
fn answers_that_overtake_each_other_resolve_as_well() {
    let mut manager = warm();
    for _ in 0..3 {
        manager.assign_sequence(&tp(), 1);
    }
    manager.handle_failed(batch(&tp(), 1), true);
    manager.handle_completed(batch(&tp(), 3));
    manager.handle_completed(batch(&tp(), 2));
    assert!(manager.poll_restart().is_empty());
    assert!(manager.can_drain(&tp(), None));
}

#[test]
fn a_broken_partition_waits_for_the_request_of_a_batch_given_up() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    manager.assign_sequence(&tp(), 1);
    manager.handle_abandoned(batch(&tp(), 1));
    manager.handle_failed(batch(&tp(), 2), false);
    assert!(manager.poll_restart().is_empty());
    manager.handle_failed(batch(&tp(), 1), true);
    assert_eq!(manager.poll_restart(), [tp()]);
}

/// Java: `SenderTest.testExpiryOfAllSentBatchesShouldCauseUnresolvedSequences`. Scenario: ID10.
#[test]
fn losing_every_sent_batch_restarts_at_zero() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    manager.handle_failed(batch(&tp(), 1), true);
    assert_eq!(manager.poll_restart(), [tp()]);
    manager.restart(&[tp()]);
    assert_eq!(manager.assign_sequence(&tp(), 1), (NEXT_EPOCH, Sequence(0)));
}

/// Scenario: SE22.
#[test]
fn a_batch_given_up_on_the_wire_holds_new_ones_until_its_request_ends() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    manager.handle_abandoned(batch(&tp(), 1));
    assert!(manager.poll_restart().is_empty());
    assert!(!manager.can_drain(&tp(), None));
    manager.handle_completed(batch(&tp(), 1));
    assert!(manager.poll_restart().is_empty());
    assert!(manager.can_drain(&tp(), None), "it was written after all");
}

/// Java: `SenderTest.testCloseWithProducerIdReset` (its core half). Scenario: ID11.
#[test]
fn a_used_up_epoch_asks_for_a_new_id() {
    let last = ProducerIdAndEpoch {
        producer_id: 7,
        epoch: i16::MAX,
    };
    let mut manager = with_id(last);
    manager.assign_sequence(&tp(), 1);
    let lost = BatchId {
        tp: &tp(),
        identity: last,
        first: Sequence(0),
    };
    manager.handle_failed(lost, false);
    let due = manager.poll_restart();
    manager.restart(&due);
    assert!(!manager.can_drain(&tp(), None));
    assert_eq!(manager.poll_request(now(), false), Some(id_request()));
}

/// Java: `SenderTest.testBatchesDrainedWithOldProducerIdShouldSucceedOnSubsequentRetry`. Scenario: ID12, ID13.
#[test]
fn other_partitions_keep_the_old_epoch_until_they_are_idle() {
    let (busy, idle) = (
        TopicPartition::new("orders", 1),
        TopicPartition::new("orders", 2),
    );
    let mut manager = warm();
    for tp in [&busy, &idle] {
        manager.assign_sequence(tp, 1);
    }
    manager.handle_completed(batch(&idle, 0));
    manager.handle_reenqueued(batch(&busy, 0));
    manager.assign_sequence(&tp(), 1);
    manager.handle_failed(batch(&tp(), 1), false);
    let due = manager.poll_restart();
    manager.restart(&due);
    assert_eq!(manager.assign_sequence(&idle, 1), (NEXT_EPOCH, Sequence(0)));
    assert!(manager.can_drain(&busy, Some(Sequence(0))) && !manager.can_drain(&busy, None));
    manager.handle_completed(batch(&busy, 0));
    assert!(manager.can_drain(&busy, None));
    assert_eq!(manager.assign_sequence(&busy, 1), (NEXT_EPOCH, Sequence(0)));
}

/// Java: `TransactionManagerTest.testBatchCompletedAfterProducerReset`, `testBatchFailureAfterProducerReset`.
/// Scenario: ID20 (KAFKA-8483).
#[test]
fn outcomes_that_come_after_a_restart_change_nothing() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    manager.handle_failed(batch(&tp(), 1), false);
    let due = manager.poll_restart();
    manager.restart(&due);
    manager.assign_sequence(&tp(), 1);
    manager.handle_completed(batch(&tp(), 0));
    manager.handle_failed(batch(&tp(), 0), false);
    manager.handle_abandoned(batch(&tp(), 0));
    assert!(manager.poll_restart().is_empty());
    assert!(
        !manager.can_drain(&tp(), None),
        "its own first batch is out"
    );
}

/// Java: `SenderTest.testUnknownProducerHandlingWhenRetentionLimitReached`,
/// `testUnknownProducerErrorShouldBeRetriedWhenLogStartOffsetIsUnknown`. Scenario: ID15.
#[test]
fn an_unknown_producer_id_restarts_unless_the_log_start_is_unknown() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    assert_eq!(
        manager.can_retry(batch(&tp(), 1), ErrorKind::UnknownProducerId, -1),
        Verdict::Retry
    );
    assert_eq!(
        manager.can_retry(batch(&tp(), 1), ErrorKind::UnknownProducerId, 10),
        Verdict::Renumber
    );
}

/// Java: `SenderTest.testIdempotentSplitBatchAndSend`. Scenario: ID17.
#[test]
fn the_parts_of_a_split_batch_share_its_numbers() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 5);
    let firsts = manager.handle_split(batch(&tp(), 1), &[2, 1, 2]);
    assert_eq!(firsts, [Sequence(1), Sequence(3), Sequence(4)]);
    assert!(manager.can_drain(&tp(), Some(Sequence(1))));
    assert!(!manager.can_drain(&tp(), Some(Sequence(3))));
    for first in [1, 3, 4] {
        manager.handle_resent(batch(&tp(), first));
        manager.handle_completed(batch(&tp(), first));
    }
    assert_eq!(manager.assign_sequence(&tp(), 1), (ID, Sequence(6)));
}

/// Java: `TransactionManagerTest.testSequenceNumberOverflow`. Scenario: ID16.
#[test]
fn numbers_stay_in_order_beyond_the_wrap_of_the_wire() {
    let mut manager = warm();
    let most = i32::MAX as u32 - 2;
    manager.assign_sequence(&tp(), most);
    manager.handle_completed(batch(&tp(), 1));
    let (_, before) = manager.assign_sequence(&tp(), 3);
    let (_, after) = manager.assign_sequence(&tp(), 3);
    assert_eq!((before.to_wire(), after.to_wire()), (i32::MAX - 1, 1));
    for first in [before, after] {
        manager.handle_reenqueued(batch(&tp(), first.0));
    }
    assert!(manager.can_drain(&tp(), Some(before)) && !manager.can_drain(&tp(), Some(after)));
    manager.handle_completed(batch(&tp(), before.0));
    manager.handle_failed(batch(&tp(), after.0), true);
    assert_eq!(
        manager.poll_restart(),
        [tp()],
        "the last number was not acknowledged"
    );
}

/// Scenario: ID16 (split and unresolved at the wrap).
#[test]
fn a_split_and_an_expiry_at_the_wrap_leave_the_numbers_in_order() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), i32::MAX as u32 - 2);
    manager.handle_completed(batch(&tp(), 1));
    let (_, first) = manager.assign_sequence(&tp(), 4);
    let parts = manager.handle_split(batch(&tp(), first.0), &[1, 1, 2]);
    let wire: Vec<_> = parts.iter().map(|part| part.to_wire()).collect();
    assert_eq!(wire, [i32::MAX - 1, i32::MAX, 0]);
    for part in &parts {
        assert!(manager.can_drain(&tp(), Some(*part)));
        manager.handle_resent(batch(&tp(), part.0));
        if *part == parts[1] {
            manager.handle_failed(batch(&tp(), part.0), true);
        } else {
            manager.handle_completed(batch(&tp(), part.0));
        }
        manager.check_invariants();
    }
    assert!(
        manager.poll_restart().is_empty(),
        "the last part tells of the second"
    );
    assert_eq!(manager.assign_sequence(&tp(), 1).1.to_wire(), 2);
}

/// Java: `SenderTest.testUnsupportedVersionInProduceRequest` (its core half). Scenario: ID19.
#[test]
fn a_fatal_error_stops_everything_and_stays() {
    let mut manager = warm();
    assert!(is_fatal(ErrorKind::UnsupportedVersion) && !is_fatal(ErrorKind::RecordTooLarge));
    manager.fail(KafkaError::new(ErrorKind::UnsupportedVersion, "first"));
    manager.fail(KafkaError::new(ErrorKind::ClusterAuthorization, "second"));
    let error = manager.fatal_error().expect("an error");
    assert!(error.is_fatal() && error.message() == "first");
    assert!(!manager.can_drain(&tp(), None));
    assert_eq!(manager.poll_request(now(), false), None);
}
