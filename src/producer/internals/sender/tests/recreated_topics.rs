//! A topic that is deleted and made again under the same name: what goes to the new one, and under which numbers.

use super::*;
use crate::common::error_kind::ErrorKind;

const OLD: Uuid = Uuid([1; 16]);
const NEW: Uuid = Uuid([2; 16]);

fn setup() -> Setup {
    Setup {
        topic_id: OLD,
        ..Setup::default()
    }
}

impl Fixture {
    fn recreate(&mut self) {
        self.topic_id = NEW;
        self.set_leaders(&[0, 0, 1, 1], 0);
    }

    /// The topic ids that the requests without an answer go to.
    fn topic_ids(&self) -> Vec<Uuid> {
        let requests = self.in_flight().into_iter();
        requests
            .flat_map(|(_, request)| request.topic_data)
            .map(|topic| topic.topic_id)
            .collect()
    }

    fn answer_by_id(&mut self, id: Uuid, error: Errors, offset: i64) {
        let mut answer = answer(0, error, offset);
        answer.responses[0].name = String::new();
        answer.responses[0].topic_id = id;
        self.client.respond(answer);
        self.pass();
    }
}

/// A producer whose partition 0 has had an acknowledgement from the old topic.
fn warm() -> Fixture {
    let mut fixture = Fixture::idempotent(setup());
    let first = fixture.send(0);
    fixture.answer_by_id(OLD, Errors::None, 0);
    assert!(first.is_done());
    fixture
}

#[test]
fn an_idle_partition_starts_over_in_the_new_topic() {
    let mut fixture = warm();
    fixture.recreate();
    let future = fixture.send(0);
    assert_eq!(
        (fixture.numbers(0), fixture.topic_ids()),
        (vec![(1, 0)], vec![NEW])
    );
    fixture.answer_by_id(NEW, Errors::None, 0);
    assert_eq!(offset(&future), 0);
}

#[test]
fn what_the_old_topic_refused_for_certain_goes_to_the_new_one_under_new_numbers() {
    let mut fixture = warm();
    let futures = [fixture.append(0), fixture.append(0)];
    fixture.pass();
    fixture.answer_by_id(OLD, Errors::UnknownTopicId, -1);
    fixture.recreate();
    fixture.pass();
    fixture.pass_after_backoff();
    assert_eq!(
        (fixture.numbers(0), fixture.topic_ids()),
        (vec![(1, 0)], vec![NEW])
    );
    fixture.answer_by_id(NEW, Errors::None, 0);
    assert_eq!(futures.map(|f| offset(&f)), [0, 1]);
}

/// Java: none; there the batch goes to the new topic under its old number.
#[test]
fn what_may_be_in_the_old_topic_is_never_sent_to_the_new_one() {
    let mut fixture = warm();
    let uncertain = fixture.send(0);
    fixture.disconnect();
    let behind = fixture.append(0);
    fixture.recreate();
    fixture.pass();
    let error = error(&uncertain);
    assert_eq!(
        (error.kind(), error.persisted()),
        (ErrorKind::OutOfOrderSequence, Persisted::Maybe)
    );
    fixture.pass();
    assert_eq!(
        (fixture.numbers(0), fixture.topic_ids()),
        (vec![(1, 0)], vec![NEW])
    );
    fixture.answer_by_id(NEW, Errors::None, 0);
    assert_eq!(offset(&behind), 0);
}

#[test]
fn nothing_goes_to_the_new_topic_while_a_request_to_the_old_one_is_pending() {
    let mut fixture = warm();
    let pending = fixture.send(0);
    fixture.recreate();
    let next = fixture.send(0);
    assert_eq!(fixture.topic_ids(), [OLD]);
    fixture.answer_by_id(OLD, Errors::None, 1);
    assert_eq!(offset(&pending), 1, "it was in time");
    fixture.pass();
    assert_eq!(
        (fixture.numbers(0), fixture.topic_ids()),
        (vec![(1, 0)], vec![NEW])
    );
    fixture.answer_by_id(NEW, Errors::None, 0);
    assert_eq!(offset(&next), 0);
}

#[test]
fn a_topic_that_is_gone_for_a_while_is_recognised_when_it_comes_back() {
    let mut fixture = warm();
    fixture.set_leaders(&[-1, -1, -1, -1], 2);
    fixture.pass();
    fixture.recreate();
    let _future = fixture.send(0);
    assert_eq!(fixture.numbers(0), [(1, 0)]);
    let mut same = warm();
    same.set_leaders(&[-1, -1, -1, -1], 2);
    same.pass();
    same.set_leaders(&[0, 0, 1, 1], 3);
    let _future = same.append(0);
    same.pass();
    assert_eq!(same.numbers(0), [(0, 1)], "the same topic");
}

#[test]
fn without_idempotence_batches_go_on_in_the_new_topic_as_in_java() {
    let mut fixture = Fixture::new(setup());
    let future = fixture.send(0);
    fixture.disconnect();
    fixture.recreate();
    fixture.pass_after_backoff();
    assert_eq!(fixture.topic_ids(), [NEW]);
    fixture.answer_by_id(NEW, Errors::None, 0);
    assert_eq!(offset(&future), 0);
}
