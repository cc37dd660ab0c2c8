//! Callbacks of one partition run in its order, also where acknowledgements come in another.

use super::*;
use crate::common::sync::Mutex;

/// What became of the records, in the order in which their callbacks ran: the record, and whether it was written.
type Told = Arc<Mutex<Vec<(usize, bool)>>>;

/// Three records in three requests.
fn three_on_their_way(fixture: &mut Fixture) -> (Told, Vec<FutureRecordMetadata>) {
    let told: Told = Arc::new(Mutex::new(Rank::Leaf, Vec::new()));
    let mut futures = Vec::new();
    for number in 0..3 {
        let told = Arc::clone(&told);
        let callback: Callback =
            Box::new(move |outcome| told.lock().push((number, outcome.is_ok())));
        futures.push(fixture.append_with(0, b"value", Some(callback)));
        fixture.pass();
    }
    (told, futures)
}

/// The answer to the first leaves open whether it was written, the others are written.
fn the_first_is_left_open(fixture: &mut Fixture) -> (Told, Vec<FutureRecordMetadata>) {
    let (told, futures) = three_on_their_way(fixture);
    fixture.answer(0, Errors::NotEnoughReplicasAfterAppend, -1);
    fixture.answer(0, Errors::None, 2);
    fixture.answer(0, Errors::None, 3);
    assert_eq!(*told.lock(), []);
    (told, futures)
}

#[test]
fn callbacks_wait_for_an_earlier_batch_that_is_repeated() {
    let mut fixture = Fixture::warm(Setup::default());
    let (told, futures) = the_first_is_left_open(&mut fixture);
    assert!(futures.iter().all(|future| !future.is_done()));
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(0, 1)]);
    fixture.answer(0, Errors::DuplicateSequenceNumber, 1);
    assert_eq!(*told.lock(), [(0, true), (1, true), (2, true)]);
    assert_eq!((offset(&futures[1]), offset(&futures[2])), (2, 3));
}

/// The third has nothing before it any more, and its callback still comes after that of the second.
#[test]
fn callbacks_wait_for_those_that_wait() {
    let mut fixture = Fixture::warm(Setup::default());
    let (told, _futures) = three_on_their_way(&mut fixture);
    fixture.answer(0, Errors::NotEnoughReplicasAfterAppend, -1);
    fixture.answer(0, Errors::None, 2);
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(0, 3), (0, 1)]);
    let requests = fixture.client.requests();
    let (third, first) = (requests[0].correlation_id, requests[1].correlation_id);
    let known = answer(0, Errors::DuplicateSequenceNumber, 1);
    fixture.client.respond_to_request(first, known);
    let written = answer(0, Errors::None, 3);
    fixture.client.respond_to_request(third, written);
    fixture.pass();
    assert_eq!(*told.lock(), [(0, true), (1, true), (2, true)]);
}

#[test]
fn callbacks_wait_no_longer_than_until_the_earlier_batch_expires() {
    let mut fixture = Fixture::warm(Setup::default());
    let (told, _) = the_first_is_left_open(&mut fixture);
    fixture.client.throttle(NodeId(0), ms(20_000));
    fixture.advance(ms(10_000));
    fixture.pass();
    assert_eq!(*told.lock(), [(0, false), (1, true), (2, true)]);
}

#[test]
fn a_batch_that_expires_on_the_wire_holds_nothing_up() {
    let mut fixture = Fixture::warm(Setup::default());
    let (told, _) = the_first_is_left_open(&mut fixture);
    fixture.pass_after_backoff();
    fixture.advance(ms(10_000));
    fixture.pass();
    assert_eq!(*told.lock(), [(0, false), (1, true), (2, true)]);
    fixture.answer(0, Errors::DuplicateSequenceNumber, 1);
}

#[test]
fn a_forced_close_tells_what_was_acknowledged() {
    let mut fixture = Fixture::warm(Setup::default());
    let (told, _) = the_first_is_left_open(&mut fixture);
    fixture.control.force_close();
    fixture.sender.run();
    assert_eq!(*told.lock(), [(0, false), (1, true), (2, true)]);
}

#[test]
fn a_graceful_close_waits_for_what_is_acknowledged_and_not_told() {
    let mut fixture = Fixture::warm(Setup::default());
    let (told, _) = the_first_is_left_open(&mut fixture);
    fixture.accumulator.close();
    fixture.control.initiate_close();
    fixture.client.advance_time_during_poll(true);
    fixture.client.prepare_response(answer(0, Errors::None, 1));
    fixture.sender.run();
    assert_eq!(*told.lock(), [(0, true), (1, true), (2, true)]);
}

/// Where nothing runs, there is no order to keep.
#[test]
fn futures_alone_are_done_with_their_own_acknowledgement() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send(0);
    let second = fixture.send(0);
    fixture.answer(0, Errors::NotEnoughReplicasAfterAppend, -1);
    fixture.answer(0, Errors::None, 2);
    assert!(!first.is_done());
    assert_eq!(offset(&second), 2);
}
