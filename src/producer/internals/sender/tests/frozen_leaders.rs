//! A leader that stops answering: when its batches go to the next one, in which order, and when they stay.

use super::*;

const OLD: NodeId = NodeId(0);
const NEW: NodeId = NodeId(1);

impl Fixture {
    /// Partition 0 moves to another leader, in a newer epoch.
    fn move_leader(&self) {
        self.set_leaders(&[1, 0, 1, 1], 2);
    }

    /// Appends a record and lets a pass send it, if it may go.
    fn send(&mut self) -> FutureRecordMetadata {
        let future = self.append(0);
        self.pass();
        future
    }

    /// Where the batches of partition 0 are, and their numbers.
    fn places(&self) -> Vec<(NodeId, i16, i32)> {
        let requests = self.in_flight().into_iter();
        requests
            .flat_map(|(to, request)| batches(&request).into_iter().map(move |b| (to, b)))
            .filter(|(_, batch)| batch.partition == 0)
            .map(|(to, batch)| (to, batch.epoch, batch.sequence))
            .collect()
    }

    /// Answers one after another what the new leader gets, and returns the numbers in the order of their arrival.
    fn drain_at_new_leader(&mut self) -> Vec<i32> {
        let mut arrived = Vec::new();
        let mut offset = 100;
        while let Some((to, request)) = self.in_flight().into_iter().next() {
            assert_eq!(to, NEW);
            arrived.extend(batches(&request).iter().map(|batch| batch.sequence));
            self.client
                .respond_from(NEW, answer(0, Errors::None, offset));
            offset += 1;
            self.pass();
            self.pass();
        }
        arrived
    }
}

/// Scenario: ID7 (a frozen leader).
#[test]
fn batches_of_a_frozen_leader_go_to_the_next_one_at_once_and_as_they_are() {
    let mut fixture = Fixture::warm(Setup::default());
    let sent = [fixture.send(), fixture.send(), fixture.send()];
    assert_eq!(fixture.places(), [(OLD, 0, 1), (OLD, 0, 2), (OLD, 0, 3)]);
    fixture.client.suspect(OLD);
    fixture.pass();
    assert_eq!(fixture.places().len(), 3, "it may just be slow");
    fixture.move_leader();
    let before = fixture.now();
    fixture.pass();
    fixture.pass();
    assert_eq!(
        fixture.places(),
        [(NEW, 0, 1)],
        "one by one, the oldest first"
    );
    assert_eq!(fixture.now(), before, "without a back-off");
    assert_eq!(fixture.drain_at_new_leader(), [1, 2, 3]);
    assert_eq!(sent.map(|future| offset(&future)), [100, 101, 102]);
}

/// Scenario: ID21 (a frozen leader holds the first batch, KAFKA-15591).
#[test]
fn the_first_batch_of_a_partition_is_first_at_the_new_leader_too() {
    let mut fixture = Fixture::idempotent(Setup::default());
    let first = fixture.send();
    let second = fixture.send();
    fixture.move_leader();
    let third = fixture.send();
    assert_eq!(fixture.places(), [(OLD, 0, 0)], "nothing overtakes it");
    fixture.client.suspect(OLD);
    fixture.pass();
    fixture.pass();
    assert_eq!(fixture.places(), [(NEW, 0, 0)]);
    assert_eq!(fixture.drain_at_new_leader(), [0, 1]);
    assert_eq!(offset(&first), 100);
    assert!(second.is_done() && third.is_done());
}

#[test]
fn a_leader_that_is_not_overdue_keeps_its_connection_when_it_is_deposed() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send();
    fixture.move_leader();
    let second = fixture.send();
    assert_eq!(fixture.places(), [(OLD, 0, 1)], "the next batch waits");
    fixture.answer(0, Errors::None, 1);
    fixture.pass();
    assert_eq!(fixture.places(), [(NEW, 0, 2)]);
    assert!(first.is_done() && !second.is_done());
}

#[test]
fn an_overdue_leader_that_was_not_deposed_keeps_its_connection() {
    let mut fixture = Fixture::warm(Setup::default());
    let future = fixture.send();
    fixture.client.suspect(OLD);
    for epoch in 2..5 {
        fixture.set_leaders(&[0, 1, 1, 1], epoch);
        fixture.pass();
    }
    assert_eq!(fixture.places(), [(OLD, 0, 1)], "a newer epoch of its own");
    fixture.answer(0, Errors::None, 1);
    assert_eq!(offset(&future), 1);
}

#[test]
fn another_leader_without_a_newer_epoch_is_no_reason() {
    let mut fixture = Fixture::warm(Setup::default());
    let _future = fixture.send();
    fixture.client.suspect(OLD);
    fixture.set_leaders(&[1, 0, 1, 1], 1);
    fixture.pass();
    fixture.pass();
    assert_eq!(fixture.places(), [(OLD, 0, 1)]);
}

#[test]
fn without_idempotence_a_frozen_leader_is_waited_for() {
    let mut fixture = Fixture::new(Setup::default());
    let first = fixture.send();
    fixture.client.suspect(OLD);
    fixture.move_leader();
    let second = fixture.send();
    fixture.pass();
    assert_eq!(fixture.in_flight().len(), 1);
    assert_eq!(fixture.in_flight()[0].0, OLD);
    fixture.client.time_out(OLD);
    fixture.pass();
    fixture.advance(BACKOFF);
    fixture.pass();
    assert_eq!(fixture.in_flight()[0].0, NEW);
    fixture.client.respond_from(NEW, answer(0, Errors::None, 0));
    fixture.pass();
    fixture.pass();
    assert!(first.is_done());
    fixture.client.respond_from(NEW, answer(0, Errors::None, 1));
    fixture.pass();
    assert!(second.is_done());
}

#[test]
fn a_late_answer_of_the_old_leader_before_the_news_is_taken() {
    let mut fixture = Fixture::warm(Setup::default());
    let future = fixture.send();
    fixture.client.suspect(OLD);
    fixture.client.respond(answer(0, Errors::None, 7));
    fixture.move_leader();
    fixture.pass();
    assert_eq!(offset(&future), 7);
    fixture.pass();
    assert_eq!(fixture.places(), [], "nothing goes twice");
}

#[test]
fn a_batch_that_waits_to_be_sent_again_goes_before_those_that_were_behind_it() {
    let mut fixture = Fixture::warm(Setup::default());
    let sent = [fixture.send(), fixture.send()];
    fixture.answer(0, Errors::NotEnoughReplicas, -1);
    assert_eq!(fixture.places(), [(OLD, 0, 2)], "the first one backs off");
    fixture.client.suspect(OLD);
    fixture.move_leader();
    fixture.pass();
    fixture.advance(BACKOFF);
    fixture.pass();
    assert_eq!(fixture.places(), [(NEW, 0, 1)]);
    assert_eq!(fixture.drain_at_new_leader(), [1, 2]);
    assert!(sent.iter().all(FutureRecordMetadata::is_done));
}

/// Scenario: ID9 (a frozen leader).
#[test]
fn after_a_batch_expired_at_a_frozen_leader_the_next_one_starts_over_at_the_new_one() {
    let mut fixture = Fixture::warm(Setup {
        delivery_timeout: ms(2000),
        ..Setup::default()
    });
    let expired = fixture.send();
    fixture.advance(ms(2000));
    fixture.pass();
    assert_eq!(error(&expired).persisted(), Persisted::Maybe);
    let next = fixture.send();
    fixture.move_leader();
    fixture.pass();
    assert_eq!(fixture.places(), [(OLD, 0, 1)], "its fate is not known yet");
    fixture.client.suspect(OLD);
    fixture.pass();
    fixture.pass();
    assert_eq!(fixture.places(), [(NEW, 1, 0)], "a new epoch");
    fixture.client.respond_from(NEW, answer(0, Errors::None, 9));
    fixture.pass();
    assert_eq!(offset(&next), 9);
}

#[test]
fn a_leader_that_comes_back_before_the_news_is_used_changes_nothing() {
    let mut fixture = Fixture::warm(Setup::default());
    let first = fixture.send();
    fixture.move_leader();
    let second = fixture.send();
    fixture.set_leaders(&[0, 0, 1, 1], 3);
    fixture.pass();
    assert_eq!(fixture.places(), [(OLD, 0, 1)]);
    fixture.answer(0, Errors::None, 1);
    fixture.pass();
    assert_eq!(fixture.places(), [(OLD, 0, 2)]);
    fixture.answer(0, Errors::None, 2);
    assert!(first.is_done() && second.is_done());
}

#[test]
fn the_other_partitions_of_a_given_up_connection_are_sent_again_as_they_are() {
    let mut fixture = Fixture::warm(Setup::default());
    let moved = fixture.append(0);
    let stays = fixture.append(1);
    fixture.pass();
    fixture.client.suspect(OLD);
    fixture.move_leader();
    fixture.pass();
    fixture.pass();
    fixture.advance(BACKOFF);
    fixture.pass();
    assert_eq!(fixture.numbers(0), [(0, 1)]);
    assert_eq!(fixture.numbers(1), [(0, 0)], "back at its old leader");
    fixture.client.respond_from(NEW, answer(0, Errors::None, 1));
    fixture.client.respond_from(OLD, answer(1, Errors::None, 0));
    fixture.pass();
    assert!(moved.is_done() && stays.is_done());
}
