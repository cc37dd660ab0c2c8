//! Passes on the thread of a waiter.

use super::*;
use crate::common::error_kind::ErrorKind;

/// A Sender that is lent, and the rest of the fixture.
fn resting(fixture: Fixture) -> (Arc<SharedSender<MockClient>>, Lent) {
    resting_for(fixture, Duration::ZERO)
}

/// The same, for waiters that look for as long before they sleep.
fn resting_for(fixture: Fixture, spin: Duration) -> (Arc<SharedSender<MockClient>>, Lent) {
    let lent = Lent {
        client: fixture.client,
        accumulator: fixture.accumulator,
        control: fixture.control,
    };
    let shared = SharedSender::lend(fixture.sender, spin);
    assert!(shared.begin_rest());
    (shared, lent)
}

/// What a fixture has besides its Sender.
struct Lent {
    client: MockClient,
    accumulator: Arc<RecordAccumulator>,
    control: Arc<SenderControl>,
}

#[test]
fn a_waiter_brings_its_record_itself() {
    let fixture = Fixture::new(Setup::default());
    let future = fixture.append(0);
    fixture.client.prepare_response(answer(0, Errors::None, 7));
    let (shared, _) = resting(fixture);
    assert_eq!(future.get().unwrap().offset(), 7);
    assert_eq!(shared.turns(), 1);
    assert!(shared.is_resting(), "nothing is left to do");
}

#[test]
fn a_waiter_looks_before_it_sleeps() {
    for (spin, sleeps) in [(Duration::ZERO, true), (Duration::from_micros(50), false)] {
        let fixture = Fixture::new(Setup::default());
        let future = fixture.append(0);
        fixture.client.prepare_response(answer(0, Errors::None, 7));
        let (_shared, lent) = resting_for(fixture, spin);
        assert_eq!(future.get().unwrap().offset(), 7);
        let [wait] = lent.client.poll_timeouts()[..] else {
            panic!("one wait");
        };
        assert_eq!(wait > Duration::ZERO, sleeps);
    }
}

#[test]
fn a_waiter_leaves_the_work_to_an_io_thread_that_does_it() {
    let fixture = Fixture::new(Setup::default());
    let future = fixture.append(0);
    let shared = SharedSender::lend(fixture.sender, Duration::ZERO);
    assert!(future.get_timeout(Duration::ZERO).is_err());
    assert_eq!(shared.turns(), 0);
}

#[test]
fn a_waiter_whose_time_is_up_calls_the_io_thread() {
    let fixture = Fixture::new(Setup::default());
    fixture.client.advance_time_during_poll(true);
    let future = fixture.append(0);
    let (shared, _) = resting(fixture);
    let error = future.get_timeout(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(shared.turns(), 1);
    assert!(!shared.is_resting(), "a record is on its way");
}

#[test]
fn a_waiter_that_is_done_calls_the_io_thread_for_what_is_left() {
    let fixture = Fixture::new(Setup::default());
    let (mine, _other) = (fixture.append(0), fixture.append(2));
    fixture.client.prepare_response(answer(0, Errors::None, 7));
    let (shared, _) = resting(fixture);
    assert_eq!(mine.get().unwrap().offset(), 7);
    assert!(!shared.is_resting());
}

#[test]
fn callbacks_are_left_to_the_io_thread() {
    let fixture = Fixture::new(Setup::default());
    fixture.accumulator.expect_callbacks();
    let future = fixture.append_with(0, b"value", Some(Box::new(|_| {})));
    let (shared, _) = resting(fixture);
    assert!(future.get_timeout(Duration::ZERO).is_err());
    assert_eq!(shared.turns(), 0);
    assert!(!shared.is_resting(), "the I/O thread is called instead");
}

#[test]
fn the_io_thread_dies_of_a_panic_in_the_turn_of_a_waiter() {
    let fixture = Fixture::new(Setup::default());
    let future = fixture.append(0);
    let refused = answer(0, Errors::None, 0);
    fixture.client.prepare_response_if(|_| false, refused);
    fixture.client.clone().ready(&node(0), fixture.now());
    let (shared, lent) = resting(fixture);
    assert!(future.get_timeout(ms(1)).is_err());
    assert!(!shared.is_resting());
    shared.run();
    assert!(error(&future).message().contains("panic"));
    let failure = lent.control.failure().expect("the I/O thread died");
    assert!(failure.message().contains("not the request expected"));
}

#[test]
fn after_the_end_a_waiter_finds_nothing_to_do() {
    let fixture = Fixture::new(Setup::default());
    let future = fixture.append(0);
    let (shared, lent) = resting(fixture);
    lent.control.force_close();
    shared.run();
    assert!(error(&future).message().contains("closed forcefully"));
    assert_eq!(shared.turns(), 0);
    assert!(!lent.accumulator.has_incomplete());
    lent.client.clone().close();
}
