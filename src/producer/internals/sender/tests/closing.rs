//! The ends of the I/O thread: graceful, forced, and by a panic.

use super::*;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_thread;
use crate::common::time::{FOREVER, deadline};

/// Java: `SenderTest.testIncompleteTransactionAbortOnShutdown`'s plain sibling. Scenario: CL4.
#[test]
fn a_graceful_close_ends_once_everything_is_answered() {
    let fixture = Fixture::new(Setup::default());
    let future = fixture.append(0);
    fixture.accumulator.close();
    fixture.control.initiate_close();
    fixture.client.prepare_response(answer(0, Errors::None, 0));
    fixture.sender.run();
    assert_eq!(offset(&future), 0);
    assert!(fixture.control.await_termination(fixture.time.now()));
    assert!(fixture.control.take_unsent().is_empty());
}

/// Scenario: CL3.
#[test]
fn a_graceful_close_without_a_broker_ends_with_the_delivery_timeout() {
    let fixture = Fixture::new(Setup::default());
    fixture.client.advance_time_during_poll(true);
    fixture.client.throttle(NodeId(0), ms(1_000_000));
    let future = fixture.append(0);
    fixture.accumulator.close();
    fixture.control.initiate_close();
    fixture.sender.run();
    assert_eq!(error(&future).kind(), ErrorKind::Timeout);
    assert_eq!(fixture.time.elapsed(), ms(10_000));
}

/// Java: `SenderTest.testForceShutdownWithIncompleteTransaction`'s plain sibling. Scenario: CL3.
#[test]
fn a_forced_close_fails_everything_and_hands_the_records_back() {
    let mut fixture = Fixture::new(Setup::default());
    let in_flight = fixture.append_with(0, b"sent", None);
    fixture.pass();
    let queued = fixture.append_with(0, b"queued", None);
    fixture.control.force_close();
    fixture.sender.run();
    assert_eq!(error(&in_flight).persisted(), Persisted::Maybe);
    assert_eq!(error(&queued).persisted(), Persisted::No);
    assert!(error(&queued).message().contains("closed forcefully"));
    let unsent = fixture.control.take_unsent();
    let values: Vec<_> = unsent
        .iter()
        .map(|r| (r.value.as_deref(), r.persisted))
        .collect();
    let expected = [
        (Some(&b"sent"[..]), Persisted::Maybe),
        (Some(&b"queued"[..]), Persisted::No),
    ];
    assert_eq!(values, expected);
}

/// Java: `SenderTest.testForceCloseWithProducerIdReset`. Scenario: ID11.
#[test]
fn a_forced_close_while_an_id_is_awaited_ends() {
    let mut fixture = Fixture::new(Setup {
        idempotent: true,
        ..Setup::default()
    });
    let future = fixture.send(0);
    fixture.control.force_close();
    fixture.sender.run();
    assert!(error(&future).message().contains("closed forcefully"));
}

/// Scenario: SN8.
#[test]
fn the_end_of_the_io_thread_refuses_those_who_wait_for_metadata() {
    let fixture = Fixture::new(Setup::default());
    fixture.control.force_close();
    fixture.sender.run();
    let version = fixture.metadata.current().version;
    let waited = fixture.metadata.await_update(version, fixture.time.now());
    assert!(waited.unwrap_err().message().contains("closed"));
}

#[test]
fn a_panic_on_the_io_thread_fails_every_record_and_stays_known() {
    let fixture = Fixture::new(Setup::default());
    let future = fixture.append(0);
    // A prepared answer for another request makes the client panic in the middle of a pass.
    fixture
        .client
        .prepare_response_if(|_| false, answer(0, Errors::None, 0));
    let mut sender = fixture.sender;
    sender.client.ready(&node(0), fixture.time.now());
    sender.run();
    assert!(error(&future).message().contains("panic"));
    let failure = fixture.control.failure().expect("the I/O thread died");
    assert!(failure.is_fatal() && failure.message().contains("not the request expected"));
    assert!(fixture.control.await_termination(fixture.time.now()));
    assert!(!fixture.control.is_running());
}

#[test]
fn what_a_pass_that_died_had_drained_is_handed_back() {
    let fixture = Fixture::new(Setup::default());
    let future = fixture.append(0);
    let (now, snapshot) = (fixture.now(), fixture.metadata.snapshot());
    let mut sender = fixture.sender;
    let ready = sender.accumulator.ready(&snapshot, now);
    assert_eq!(ready.ready_nodes.as_slice(), [NodeId(0)]);
    let drained = &mut sender.scratch.drained;
    sender.accumulator.drain(NodeId(0), 1024, now, drained);
    sender.end(None);
    assert!(error(&future).message().contains("closed forcefully"));
    assert_eq!(fixture.control.take_unsent().len(), 1);
}

/// Scenario: CL3.
#[test]
fn who_waits_for_the_end_is_woken_by_it() {
    let fixture = Fixture::new(Setup::default());
    let control = Arc::clone(&fixture.control);
    let until = deadline(fixture.now(), FOREVER);
    let body = move || assert!(control.await_termination(until));
    let waiting = kafka_thread::spawn("waiter", body, |text| panic!("{text}")).unwrap();
    fixture.control.force_close();
    fixture.sender.run();
    waiting.join().unwrap();
}

#[test]
fn the_end_of_the_network_fails_every_record_and_stays_known() {
    let fixture = Fixture::new(Setup::default());
    let future = fixture.append(0);
    fixture.client.clone().close();
    fixture.sender.run();
    assert!(error(&future).is_fatal());
    let failure = fixture.control.failure().expect("the I/O thread died");
    assert!(failure.message().contains("closed"));
}
