//! Producer ids and sequence numbers through whole passes.

use super::*;
use crate::common::error_kind::ErrorKind;

/// Java: `SenderTest.testInitProducerIdRequest`, `testIdempotentInitProducerIdWithMaxInFlightOne`. Scenario: ID1.
#[test]
fn the_producer_id_comes_before_the_first_batch() {
    let mut fixture = Fixture::new(Setup {
        idempotent: true,
        guarantee_message_order: true,
        ..Setup::default()
    });
    let future = fixture.send(0);
    assert!(fixture.in_flight().is_empty());
    fixture.client.respond(producer_id(PRODUCER_ID, 0));
    fixture.pass();
    fixture.pass();
    let sent = batches(&fixture.in_flight()[0].1);
    assert_eq!((sent[0].producer_id, sent[0].epoch), (PRODUCER_ID, 0));
    assert_eq!((sent[0].sequence, sent[0].count), (0, 1));
    fixture.answer(0, Errors::None, 0);
    assert!(future.is_done());
}

/// Java: `SenderTest.testNodeNotReady`. Scenario: ID1.
#[test]
fn a_failed_request_for_an_id_is_repeated_after_a_back_off() {
    let mut fixture = Fixture::new(Setup {
        idempotent: true,
        ..Setup::default()
    });
    fixture.pass();
    fixture.client.fail(RequestFailure::Disconnected {
        reason: "gone".into(),
    });
    fixture.pass();
    fixture.pass();
    assert!(fixture.client.requests().is_empty());
    assert_eq!(fixture.client.poll_timeouts().last(), Some(&BACKOFF));
    fixture.pass_after_backoff();
    assert_eq!(fixture.client.requests().len(), 1);
}

/// Java: `SenderTest.testNodeNotReady`. Scenario: ID1.
#[test]
fn without_a_node_to_ask_the_io_thread_waits() {
    let mut fixture = Fixture::new(Setup {
        idempotent: true,
        ..Setup::default()
    });
    fixture.client.set_least_loaded_node(None);
    fixture.pass();
    assert_eq!(fixture.client.poll_timeouts().last(), Some(&ms(100)));
    fixture.client.set_least_loaded_node(Some(node(0)));
    fixture.pass();
    assert_eq!(fixture.client.requests().len(), 1);
}

/// Java: `SenderTest.testClusterAuthorizationExceptionInInitProducerIdRequest`. Scenario: ID18.
#[test]
fn without_permission_records_fail_until_the_permission_is_given() {
    let mut fixture = Fixture::new(Setup {
        idempotent: true,
        ..Setup::default()
    });
    let first = fixture.send(0);
    let mut denied = producer_id(-1, -1);
    denied.error_code = Errors::ClusterAuthorizationFailed.code();
    fixture.client.respond(denied);
    fixture.pass();
    assert_eq!(error(&first).kind(), ErrorKind::ClusterAuthorization);
    assert!(!error(&first).is_fatal());
    fixture.pass();
    assert!(fixture.client.requests().is_empty(), "no hot loop");
    let second = fixture.append(0);
    fixture.pass_after_backoff();
    fixture.client.respond(producer_id(PRODUCER_ID, 0));
    fixture.pass();
    fixture.pass();
    fixture.answer(0, Errors::None, 0);
    assert_eq!(offset(&second), 0);
}

/// Java: `SenderTest.testClusterAuthorizationExceptionInProduceRequest`. Scenario: ID18.
#[test]
fn losing_the_permission_while_sending_is_fatal() {
    let mut fixture = Fixture::idempotent(Setup::default());
    let future = fixture.send(0);
    fixture.answer(0, Errors::ClusterAuthorizationFailed, -1);
    assert_eq!(error(&future).kind(), ErrorKind::ClusterAuthorization);
    let later = fixture.send(0);
    assert!(error(&later).is_fatal());
}

#[test]
fn after_a_fatal_error_every_record_fails_wherever_its_partition_waited() {
    let mut fixture = Fixture::idempotent(Setup::default());
    let refused = fixture.send(0);
    fixture.set_leaders(&[0, -1, 1, 1], 2);
    let leaderless = fixture.send(1);
    fixture.answer(0, Errors::ClusterAuthorizationFailed, -1);
    fixture.pass();
    assert!(refused.is_done() && error(&leaderless).is_fatal());
    let again = fixture.append_and_tell(1);
    assert!(again, "the I/O thread is told of the next record");
}

/// Java: `SenderTest.testIdempotenceWithMultipleInflights`. Scenario: ID2.
#[test]
fn two_batches_in_flight_have_numbers_in_a_row() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send(0);
    let second = fixture.send(0);
    assert_eq!(fixture.numbers(0), [(0, 1), (0, 2)]);
    fixture.answer(0, Errors::None, 1);
    fixture.answer(0, Errors::None, 2);
    assert_eq!((offset(&first), offset(&second)), (1, 2));
}

/// Scenario: ID21 (KAFKA-15591).
#[test]
fn until_the_first_acknowledgement_one_batch_is_in_flight() {
    let mut fixture = Fixture::idempotent(Setup::default());
    let _first = fixture.send(0);
    let _second = fixture.send(0);
    assert_eq!(fixture.numbers(0), [(0, 0)]);
    fixture.answer(0, Errors::None, 0);
    fixture.pass();
    assert_eq!(fixture.numbers(0), [(0, 1)]);
}

/// Java: `SenderTest.testIdempotenceWithMultipleInflightsRetriedInOrder`. Scenario: ID3.
#[test]
fn after_a_failure_batches_go_again_one_by_one_in_their_order() {
    let mut fixture = Fixture::warm(Setup::default());
    let futures: Vec<_> = (0..3).map(|_| fixture.send(0)).collect();
    fixture.answer(0, Errors::LeaderNotAvailable, -1);
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    let _queued = fixture.append(0);
    fixture.advance(BACKOFF);
    for (n, future) in futures.iter().enumerate() {
        fixture.pass();
        let sent = fixture.numbers(0);
        assert_eq!(sent[0], (0, n as i32 + 1));
        assert_eq!(sent.len() > 1, n == 2, "new ones follow the last retry");
        fixture.answer(0, Errors::None, n as i64 + 1);
        assert_eq!(offset(future), n as i64 + 1);
    }
    assert_eq!(fixture.numbers(0), [(0, 4)]);
}

/// Java: `SenderTest.testIdempotenceWithMultipleInflightsWhereFirstFailsFatallyAndSequenceOfFutureBatchesIsAdjusted`.
/// Scenario: ID4.
#[test]
fn a_batch_refused_for_good_makes_the_later_ones_start_over() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send(0);
    let second = fixture.send(0);
    fixture.answer(0, Errors::MessageTooLarge, -1);
    assert_eq!(error(&first).kind(), ErrorKind::RecordTooLarge);
    fixture.pass();
    assert_eq!(fixture.numbers(0), [(0, 2)], "its request has not ended");
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(1, 0)]);
    fixture.answer(0, Errors::None, 1);
    assert_eq!(offset(&second), 1);
}

/// Java: `SenderTest.testEpochBumpOnOutOfOrderSequenceForNextBatch`. Scenario: ID5.
#[test]
fn a_gap_that_nothing_explains_starts_a_new_epoch() {
    let mut fixture = Fixture::warm(Setup::default());
    let future = fixture.send(0);
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(1, 0)]);
    fixture.answer(0, Errors::None, 1);
    assert_eq!(offset(&future), 1);
}

/// Design: a batch that may have been written never gets another identity.
#[test]
fn a_batch_that_may_be_written_fails_instead_of_starting_over() {
    let mut fixture = Fixture::warm(Setup::default());
    let future = fixture.send(0);
    fixture.disconnect();
    fixture.pass_after_backoff();
    for _ in 0..3 {
        assert_eq!(fixture.numbers(0), [(0, 1)], "the same numbers");
        fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
        fixture.pass_after_backoff();
    }
    let error = error(&future);
    assert_eq!(error.kind(), ErrorKind::OutOfOrderSequence);
    assert_eq!(error.persisted(), Persisted::Maybe);
    let next = fixture.send(0);
    assert_eq!(fixture.numbers(0), [(1, 0)]);
    fixture.answer(0, Errors::None, 9);
    assert_eq!(offset(&next), 9);
}

/// Out of order at the expected number contradicts what the broker said before, so it is asked once more.
#[test]
fn a_batch_that_may_be_written_survives_a_mistaken_refusal() {
    let mut fixture = Fixture::warm(Setup::default());
    let future = fixture.send(0);
    fixture.disconnect();
    fixture.pass_after_backoff();
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(0, 1)]);
    fixture.answer(0, Errors::DuplicateSequenceNumber, -1);
    assert!(future.try_get().expect("done").is_ok());
}

/// Java: `SenderTest.testCorrectHandlingOfOutOfOrderResponsesWhenSecondSucceeds`. Scenario: ID7.
#[test]
fn a_second_batch_that_succeeds_first_harms_nothing() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send(0);
    let second = fixture.send(0);
    let requests = fixture.client.requests();
    let last = requests[1].correlation_id;
    fixture
        .client
        .respond_to_request(last, answer(0, Errors::None, 1000));
    fixture.pass();
    assert_eq!(offset(&second), 1000);
    fixture.disconnect();
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(0, 1)]);
    fixture.answer(0, Errors::DuplicateSequenceNumber, -1);
    assert_eq!(offset(&first), -1);
}

/// Java: `SenderTest.testExpiryOfUnsentBatchesShouldNotCauseUnresolvedSequences`. Scenario: ID8.
#[test]
fn batches_that_expire_unsent_leave_nothing_unresolved() {
    let mut fixture = Fixture::warm(Setup::default());
    fixture.client.throttle(NodeId(0), ms(10_000));
    let expired = fixture.send(0);
    fixture.advance(ms(10_000));
    fixture.pass();
    assert_eq!(error(&expired).persisted(), Persisted::No);
    let _next = fixture.send(0);
    assert_eq!(fixture.numbers(0), [(0, 1)]);
}

/// Two batches whose connection is lost; the first expires in its queue, the second has time left.
fn first_expires(fixture: &mut Fixture) -> (FutureRecordMetadata, FutureRecordMetadata) {
    let first = fixture.send(0);
    fixture.advance(ms(5000));
    let second = fixture.send(0);
    fixture.client.server_disconnect(NodeId(0));
    fixture.pass();
    fixture.client.throttle(NodeId(0), ms(5000));
    fixture.advance(ms(5000));
    fixture.pass();
    assert_eq!(error(&first).persisted(), Persisted::Maybe);
    (first, second)
}

/// Java: `SenderTest.testExpiryOfFirstBatchShouldNotCauseUnresolvedSequencesIfFutureBatchesSucceed`. Scenario: ID9.
#[test]
fn a_later_success_tells_that_an_expired_batch_was_written() {
    let mut fixture = Fixture::warm(Setup::default());
    let (_, second) = first_expires(&mut fixture);
    let third = fixture.send(0);
    assert_eq!(fixture.numbers(0), [(0, 2)], "new ones are held meanwhile");
    fixture.answer(0, Errors::None, 2);
    assert_eq!(offset(&second), 2);
    fixture.pass();
    assert_eq!(fixture.numbers(0), [(0, 3)]);
    fixture.answer(0, Errors::None, 3);
    assert_eq!(offset(&third), 3);
}

/// Java: `SenderTest.testExpiryOfFirstBatchShouldCauseEpochBumpIfFutureBatchesFail`. Scenario: ID9, SE22.
#[test]
fn a_later_refusal_tells_that_an_expired_batch_was_lost() {
    let mut fixture = Fixture::warm(Setup::default());
    let (_, second) = first_expires(&mut fixture);
    let third = fixture.send(0);
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    assert_eq!(error(&second).kind(), ErrorKind::OutOfOrderSequence);
    assert_eq!(error(&second).persisted(), Persisted::Maybe);
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(1, 0)]);
    fixture.answer(0, Errors::None, 1);
    assert_eq!(offset(&third), 1);
}

/// Java: `SenderTest.testExpiryOfAllSentBatchesShouldCauseUnresolvedSequences`. Scenario: ID10.
#[test]
fn when_all_sent_batches_expire_the_queued_ones_start_at_zero() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send(0);
    fixture.advance(ms(10_000));
    let next = fixture.send(0);
    assert!(first.is_done());
    assert_eq!(fixture.numbers(0), [(0, 1)], "its request is pending");
    fixture.disconnect();
    fixture.pass();
    assert_eq!(fixture.numbers(0), [(1, 0)]);
    fixture.answer(0, Errors::None, 4);
    assert_eq!(offset(&next), 4);
}

/// Scenario: SE22.
#[test]
fn a_late_success_of_an_expired_batch_keeps_the_epoch() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send(0);
    fixture.advance(ms(10_000));
    let _next = fixture.send(0);
    assert!(error(&first).persisted() == Persisted::Maybe);
    fixture.answer(0, Errors::None, 1);
    fixture.pass();
    assert_eq!(fixture.numbers(0), [(0, 2)]);
}

/// Java: `SenderTest.testCloseWithProducerIdReset`, `testBatchesDrainedWithOldProducerIdShouldSucceedOnSubsequentRetry`.
/// Scenario: ID11, ID12, ID20.
#[test]
fn a_used_up_epoch_brings_a_new_id_while_other_partitions_finish_with_the_old_one() {
    let mut fixture = Fixture::in_its_last_epoch();
    let old = fixture.send(1);
    let refused = fixture.send(0);
    fixture.disconnect();
    fixture.answer(0, Errors::MessageTooLarge, -1);
    assert!(refused.is_done());
    let new = fixture.send(0);
    assert!(fixture.in_flight().is_empty());
    fixture.client.respond(producer_id(PRODUCER_ID + 1, 0));
    fixture.pass();
    fixture.pass_after_backoff();
    let (_, request) = fixture.in_flight().remove(0);
    let ids: Vec<_> = batches(&request)
        .iter()
        .map(|b| (b.partition, b.producer_id, b.sequence))
        .collect();
    assert_eq!(ids, [(0, PRODUCER_ID + 1, 0), (1, PRODUCER_ID, 0)]);
    let both = [0, 1].map(|p| partition_answer(p, Errors::None, 1));
    fixture.client.respond(answers(both.into()));
    fixture.pass();
    assert_eq!((offset(&old), offset(&new)), (1, 1));
}

/// Java: `SenderTest.testUnknownProducerHandlingWhenRetentionLimitReached`. Scenario: ID15.
#[test]
fn a_forgotten_producer_starts_over_and_its_batch_is_sent_again() {
    let mut fixture = Fixture::warm(Setup::default());
    let future = fixture.send(0);
    let mut forgotten = answer(0, Errors::UnknownProducerId, -1);
    forgotten.responses[0].partition_responses[0].log_start_offset = 10;
    fixture.client.respond(forgotten);
    fixture.pass();
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(1, 0)]);
    fixture.answer(0, Errors::None, 10);
    assert_eq!(offset(&future), 10);
}

/// Java: `SenderTest.testIdempotentSplitBatchAndSend`. Scenario: ID17.
#[test]
fn the_parts_of_a_split_batch_have_numbers_in_a_row() {
    let mut fixture = Fixture::warm(Setup::default());
    let futures: Vec<_> = (0..2)
        .map(|_| fixture.append_with(0, &[0; 400], None))
        .collect();
    fixture.pass();
    fixture.answer(0, Errors::MessageTooLarge, -1);
    fixture.pass();
    assert_eq!(fixture.numbers(0), [(0, 1)]);
    fixture.answer(0, Errors::None, 1);
    fixture.pass();
    assert_eq!(fixture.numbers(0), [(0, 2)]);
    fixture.answer(0, Errors::None, 2);
    assert_eq!((offset(&futures[0]), offset(&futures[1])), (1, 2));
}

/// Java: `SenderTest.testIdempotenceWithMultipleInflightsInOrder`'s duplicate half. Scenario: ID14.
#[test]
fn a_duplicate_is_a_success_without_an_offset() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send(0);
    fixture.disconnect();
    fixture.pass_after_backoff();
    fixture.answer(0, Errors::DuplicateSequenceNumber, -1);
    assert_eq!(offset(&first), -1);
    let second = fixture.send(0);
    assert_eq!(fixture.numbers(0), [(0, 2)]);
    fixture.answer(0, Errors::None, 2);
    assert_eq!(offset(&second), 2);
}

/// Java: `SenderTest.testResetOfProducerStateShouldAllowQueuedBatchesToDrain`. Scenario: ID13.
#[test]
fn a_partition_that_was_idle_at_the_bump_starts_over_with_its_next_batch() {
    let mut fixture = Fixture::warm(Setup::default());
    let other = fixture.send(1);
    fixture.answer(1, Errors::None, 0);
    assert!(other.is_done());
    let _gap = fixture.send(0);
    fixture.answer(0, Errors::OutOfOrderSequenceNumber, -1);
    fixture.pass();
    let _next = fixture.send(1);
    assert_eq!(fixture.numbers(1), [(1, 0)]);
}
