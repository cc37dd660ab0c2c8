//! Numbers that a broker misses, producers that it forgot, and ids that are used up.

use super::*;
use crate::common::error_kind::ErrorKind;

/// Java: `SenderTest.testEpochBumpOnOutOfOrderSequenceForNextBatchWhenBatchInFlightFails`. Scenario: ID5.
#[test]
fn behind_a_gap_batches_in_flight_start_over_with_the_one_that_found_it() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send(0);
    let second = fixture.send(0);
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(0, 2)], "its request has not ended");
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    fixture.pass_after_backoff();
    assert_eq!(
        fixture.numbers(0),
        [(1, 0)],
        "the first alone until it is acknowledged"
    );
    fixture.answer(0, Errors::None, 1);
    fixture.pass();
    assert_eq!(fixture.numbers(0), [(1, 1)]);
    fixture.answer(0, Errors::None, 2);
    assert_eq!((offset(&first), offset(&second)), (1, 2));
}

/// Java: `SenderTest.testEpochBumpOnOutOfOrderSequenceForNextBatchWhenThereIsNoBatchInFlight`. Scenario: ID5.
#[test]
fn a_gap_found_after_others_were_acknowledged_starts_over_at_zero() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send(0);
    fixture.answer(0, Errors::None, 1);
    let second = fixture.send(0);
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(1, 0)]);
    fixture.answer(0, Errors::None, 2);
    assert_eq!((offset(&first), offset(&second)), (1, 2));
}

/// Java: `SenderTest.testUnknownProducerErrorShouldBeRetriedForFutureBatchesWhenFirstFails`. Scenario: ID15.
#[test]
fn batches_behind_a_forgotten_producer_are_sent_again_after_it() {
    let mut fixture = Fixture::warm(Setup::default());
    let futures = [0, 1].map(|_| fixture.send(0));
    for _ in 0..2 {
        let mut forgotten = answer(0, Errors::UnknownProducerId, -1);
        forgotten.responses[0].partition_responses[0].log_start_offset = 10;
        fixture.client.respond(forgotten);
        fixture.pass();
    }
    for n in 0..2 {
        fixture.pass_after_backoff();
        assert_eq!(fixture.numbers(0), [(1, n)]);
        fixture.answer(0, Errors::None, 10 + i64::from(n));
    }
    assert_eq!(futures.map(|future| offset(&future)), [10, 11]);
}

/// Java: `SenderTest.testUnknownProducerErrorShouldBeRetriedWhenLogStartOffsetIsUnknown`. Scenario: ID15.
#[test]
fn a_leader_too_new_to_know_the_producer_is_asked_again_under_the_same_numbers() {
    let mut fixture = Fixture::warm(Setup::default());
    let future = fixture.send(0);
    let mut unknown = answer(0, Errors::UnknownProducerId, -1);
    unknown.responses[0].partition_responses[0].log_start_offset = -1;
    fixture.client.respond(unknown);
    fixture.pass();
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(0, 1)]);
    fixture.answer(0, Errors::None, 1);
    assert_eq!(offset(&future), 1);
}

/// Java: `SenderTest.testCloseWithProducerIdReset`. Scenario: ID11.
#[test]
fn a_graceful_close_while_a_new_id_is_awaited_sends_what_waits_for_it() {
    let mut fixture = Fixture::in_its_last_epoch();
    let first = fixture.send(0);
    fixture.answer(0, Errors::MessageTooLarge, -1);
    assert_eq!(error(&first).kind(), ErrorKind::RecordTooLarge);
    let second = fixture.send(0);
    fixture.control.initiate_close();
    assert!(fixture.sender.has_work());
    fixture.client.respond(producer_id(PRODUCER_ID + 1, 0));
    fixture.pass();
    fixture.pass();
    fixture.answer(0, Errors::None, 0);
    assert_eq!(offset(&second), 0);
    assert!(!fixture.sender.has_work());
}

/// Java: `SenderTest.testProducerBatchRetriesWhenPartitionLeaderChanges`. Scenario: PB7 (numbers).
#[test]
fn a_newer_leader_epoch_makes_one_retry_free_and_keeps_the_numbers() {
    let mut fixture = Fixture::warm(Setup::default());
    let future = fixture.send(0);
    fixture.answer(0, Errors::NotLeaderOrFollower, -1);
    fixture.set_leaders(&[1, 0, 1, 1], 2);
    fixture.pass();
    assert_eq!(
        (fixture.in_flight()[0].0, fixture.numbers(0)),
        (NodeId(1), vec![(0, 1)])
    );
    fixture.answer(0, Errors::NotLeaderOrFollower, -1);
    fixture.pass();
    assert!(fixture.in_flight().is_empty(), "the same epoch waits");
    fixture.pass_after_backoff();
    fixture.answer(0, Errors::None, 1);
    assert_eq!(offset(&future), 1);
}

/// A refusal for good after an attempt without an answer leaves open whether the batch was written. What was sent behind
/// it may be written as well and fails where the broker misses the first; the next one starts over. Scenario: ID4, ID5.
#[test]
fn behind_a_batch_refused_after_a_lost_attempt_only_what_was_sent_fails() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send(0);
    let second = fixture.send(0);
    fixture.disconnect();
    fixture.disconnect();
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(0, 1)]);
    fixture.answer(0, Errors::MessageTooLarge, -1);
    assert_eq!(error(&first).kind(), ErrorKind::RecordTooLarge);
    assert_eq!(error(&first).persisted(), Persisted::Maybe);
    fixture.pass_after_backoff();
    let third = fixture.send(0);
    assert_eq!(fixture.numbers(0), [(0, 2)], "new ones are held meanwhile");
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    assert_eq!(error(&second).kind(), ErrorKind::OutOfOrderSequence);
    assert_eq!(error(&second).persisted(), Persisted::Maybe);
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(1, 0)]);
    fixture.answer(0, Errors::None, 1);
    assert_eq!(offset(&third), 1);
}
