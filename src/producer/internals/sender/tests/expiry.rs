//! `delivery.timeout.ms`: in the queue, in flight, and what a late answer may still do.

use super::*;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::TimeLimit;

fn short() -> Setup {
    Setup {
        delivery_timeout: ms(1500),
        ..Setup::default()
    }
}

/// Java: `SenderTest.testInflightBatchesExpireOnDeliveryTimeout`. Scenario: SE7.
#[test]
fn a_batch_in_flight_expires_and_a_late_success_changes_nothing() {
    let mut fixture = Fixture::new(short());
    let future = fixture.send(0);
    fixture.advance(ms(1500));
    fixture.pass();
    let error = error(&future);
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.time_limit(), Some(TimeLimit::DeliveryTimeout));
    assert_eq!(error.persisted(), Persisted::Maybe);
    assert!(
        error
            .message()
            .contains("expiring 1 record(s) for orders-0")
    );
    fixture.answer(0, Errors::None, 3);
    assert!(future.try_get().expect("done").is_err());
    assert_eq!(fixture.control.metrics().failed_total(), 1);
    assert_eq!(fixture.control.metrics().acknowledged_total(), 0);
}

/// Java: `SenderTest.testWhenFirstBatchExpireNoSendSecondBatchIfGuaranteeOrder`. Scenario: SE8.
#[test]
fn with_one_in_flight_the_next_batch_waits_for_the_request_of_an_expired_one() {
    let mut fixture = Fixture::new(Setup {
        guarantee_message_order: true,
        ..short()
    });
    let _first = fixture.send(0);
    fixture.advance(ms(750));
    let _second = fixture.append(0);
    fixture.advance(ms(750));
    fixture.pass();
    assert_eq!(fixture.in_flight().len(), 1, "the first request goes on");
    fixture.answer(0, Errors::None, 0);
    fixture.pass();
    assert_eq!(fixture.in_flight().len(), 1, "now the second one");
}

/// Java: `SenderTest.testExpiredBatchDoesNotRetry`. Scenario: SE9.
#[test]
fn an_expired_batch_is_neither_retried_nor_split() {
    for late in [Errors::NotLeaderOrFollower, Errors::MessageTooLarge] {
        let mut fixture = Fixture::new(short());
        let future = fixture.append_with(0, &[0; 400], None);
        let _other = fixture.append_with(0, &[0; 400], None);
        fixture.pass();
        fixture.advance(ms(1500));
        fixture.pass();
        fixture.answer(0, late, -1);
        fixture.pass_after_backoff();
        assert_eq!(error(&future).kind(), ErrorKind::Timeout);
        assert!(fixture.in_flight().is_empty());
    }
}

/// Java: `SenderTest.testResetNextBatchExpiry`, `testExpiredBatchesInMultiplePartitions`. Scenario: SE10, SE11.
#[test]
fn expired_batches_of_several_partitions_fail_in_one_pass() {
    let mut fixture = Fixture::new(short());
    let futures = [fixture.append(0), fixture.append(1), fixture.append(2)];
    fixture.pass();
    assert_eq!(fixture.client.poll_timeouts().last(), Some(&ms(1500)));
    fixture.advance(ms(1500));
    fixture.pass();
    assert!(
        futures
            .iter()
            .all(|f| error(f).kind() == ErrorKind::Timeout)
    );
    assert_eq!(
        fixture.client.poll_timeouts().last(),
        Some(&Duration::MAX),
        "nothing is left that could expire"
    );
}

/// Java: `SenderTest.testExpiredBatchDoesNotSplitOnMessageTooLargeError`'s neighbour for the queue. Scenario: SE21.
#[test]
fn a_batch_that_expires_in_the_pass_that_would_send_it_is_not_sent() {
    let mut fixture = Fixture::new(short());
    fixture.client.throttle(NodeId(0), ms(1500));
    let future = fixture.send(0);
    fixture.advance(ms(1500));
    fixture.pass();
    assert_eq!(error(&future).kind(), ErrorKind::Timeout);
    assert_eq!(error(&future).persisted(), Persisted::No);
    assert!(fixture.in_flight().is_empty());
}

/// Design: batches in flight are older than those in the queue, so they are reported first.
#[test]
fn what_is_in_flight_expires_before_what_is_queued() {
    let mut fixture = Fixture::new(short());
    let order = Arc::new(Mutex::new(Rank::Leaf, Vec::new()));
    let note = |name: &'static str| -> Option<Callback> {
        let seen = Arc::clone(&order);
        Some(Box::new(move |_| seen.lock().push(name)))
    };
    let _in_flight = fixture.append_with(0, b"value", note("in flight"));
    fixture.pass();
    fixture.client.throttle(NodeId(0), ms(5000));
    let _queued = fixture.append_with(0, b"value", note("queued"));
    fixture.advance(ms(1500));
    fixture.pass();
    assert_eq!(*order.lock(), ["in flight", "queued"]);
}

/// Java: `SenderTest.testAppendInExpiryCallback`. Scenario: SE5.
#[test]
fn a_record_sent_by_a_callback_of_an_expired_one_is_accepted() {
    let mut fixture = Fixture::new(short());
    let again = Arc::new(Mutex::new(Rank::Leaf, None));
    let (accumulator, metadata) = (
        Arc::clone(&fixture.accumulator),
        Arc::clone(&fixture.metadata),
    );
    let (slot, time) = (Arc::clone(&again), Arc::clone(&fixture.time));
    let callback: Callback = Box::new(move |_| {
        let snapshot = metadata.current();
        let to = Destination {
            topic: snapshot.topic(TOPIC).expect("known"),
            partition: Some(0),
        };
        let record = RecordToAppend::<Header>::new(0, None, Some(b"again"), &[]);
        let appended = accumulator.append(to, &record, &mut None, time.now(), Duration::ZERO);
        *slot.lock() = Some(appended.expect("appended"));
    });
    let first = fixture.append_with(0, b"value", Some(callback));
    fixture.client.throttle(NodeId(0), ms(1500));
    fixture.pass();
    fixture.advance(ms(1500));
    fixture.pass();
    assert!(first.is_done());
    fixture.pass();
    let future = again.lock().take().expect("sent again");
    assert!(!future.is_done());
    fixture.answer(0, Errors::None, 0);
    assert_eq!(offset(&future), 0);
}

/// Java: `SenderTest.testNoBufferReuseWhenBatchExpires` (KAFKA-19012). Scenario: SE7, SE23.
#[test]
fn the_bytes_of_an_expired_batch_stay_on_the_wire_until_its_request_ends() {
    let mut fixture = Fixture::new(short());
    let available = fixture.accumulator.pool().available();
    let _expired = fixture.append_with(0, &[1; 300], None);
    fixture.pass();
    let before = fixture.in_flight();
    fixture.advance(ms(1500));
    fixture.pass();
    assert!(fixture.accumulator.pool().available() < available);
    let _other = fixture.append_with(2, &[2; 300], None);
    fixture.pass();
    assert_eq!(fixture.in_flight()[0], before[0], "the same bytes");
    drop(before);
    fixture.answer(0, Errors::None, 0);
    fixture.answer(2, Errors::None, 0);
    assert_eq!(fixture.accumulator.pool().available(), available);
}

/// Scenario: SE9.
#[test]
fn an_answer_that_comes_too_late_for_a_retry_is_the_end() {
    let mut fixture = Fixture::new(short());
    let time = Arc::clone(&fixture.time);
    let slow: Callback = Box::new(move |_| time.advance(ms(1000)));
    let _expires = fixture.append_with(2, b"value", Some(slow));
    fixture.advance(ms(750));
    let future = fixture.send(0);
    fixture.advance(ms(750));
    let refused = answer(0, Errors::NotEnoughReplicas, -1);
    fixture.client.respond_from(NodeId(0), refused);
    fixture.pass();
    assert_eq!(error(&future).kind(), ErrorKind::NotEnoughReplicas);
    assert_eq!(error(&future).attempts().len(), 1);
}
