//! A leader that stops answering: when its batches go to the next one, in which order, and when they stay.

use std::collections::{BTreeMap, VecDeque};

use super::random_faults::Cluster;
use super::*;
use crate::testing::mock_client::SentRequest;

const OLD: NodeId = NodeId(0);
const NEW: NodeId = NodeId(1);

impl Fixture {
    /// Partition 0 moves to another leader, in a newer epoch.
    fn move_leader(&self) {
        self.set_leaders(&[1, 0, 1, 1], 2);
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
    let sent = [fixture.send(0), fixture.send(0), fixture.send(0)];
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
    let first = fixture.send(0);
    let second = fixture.send(0);
    fixture.move_leader();
    let third = fixture.send(0);
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
    let first = fixture.send(0);
    fixture.move_leader();
    let second = fixture.send(0);
    assert_eq!(fixture.places(), [(OLD, 0, 1)], "the next batch waits");
    fixture.answer(0, Errors::None, 1);
    fixture.pass();
    assert_eq!(fixture.places(), [(NEW, 0, 2)]);
    assert!(first.is_done() && !second.is_done());
}

#[test]
fn an_overdue_leader_that_was_not_deposed_keeps_its_connection() {
    let mut fixture = Fixture::warm(Setup::default());
    let future = fixture.send(0);
    let before = fixture.client.requests()[0].correlation_id;
    fixture.client.suspect(OLD);
    for epoch in 2..5 {
        fixture.set_leaders(&[0, 1, 1, 1], epoch);
        fixture.pass();
    }
    let after = fixture.client.requests()[0].correlation_id;
    assert_eq!(after, before, "still the first request");
    assert_eq!(fixture.places(), [(OLD, 0, 1)], "a newer epoch of its own");
    fixture.answer(0, Errors::None, 1);
    assert_eq!(offset(&future), 1);
}

#[test]
fn another_leader_without_a_newer_epoch_is_no_reason() {
    let mut fixture = Fixture::warm(Setup::default());
    let _future = fixture.send(0);
    fixture.client.suspect(OLD);
    fixture.set_leaders(&[1, 0, 1, 1], 1);
    fixture.pass();
    fixture.pass();
    assert_eq!(fixture.places(), [(OLD, 0, 1)]);
}

#[test]
fn without_idempotence_a_frozen_leader_is_waited_for() {
    let mut fixture = Fixture::new(Setup::default());
    let first = fixture.send(0);
    fixture.client.suspect(OLD);
    fixture.move_leader();
    let second = fixture.send(0);
    fixture.pass();
    assert_eq!(fixture.in_flight().len(), 1);
    assert_eq!(fixture.in_flight()[0].0, OLD);
    fixture.client.time_out(OLD);
    fixture.pass();
    fixture.pass_after_backoff();
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
    let future = fixture.send(0);
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
    let sent = [fixture.send(0), fixture.send(0)];
    fixture.answer(0, Errors::NotEnoughReplicas, -1);
    assert_eq!(fixture.places(), [(OLD, 0, 2)], "the first one backs off");
    fixture.client.suspect(OLD);
    fixture.move_leader();
    fixture.pass();
    fixture.pass_after_backoff();
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
    let expired = fixture.send(0);
    fixture.advance(ms(2000));
    fixture.pass();
    assert_eq!(error(&expired).persisted(), Persisted::Maybe);
    let next = fixture.send(0);
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
    let first = fixture.send(0);
    fixture.move_leader();
    let second = fixture.send(0);
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
    let stays = fixture.send(1);
    fixture.client.suspect(OLD);
    fixture.move_leader();
    fixture.pass();
    fixture.pass();
    fixture.pass_after_backoff();
    assert_eq!(fixture.numbers(0), [(0, 1)]);
    assert_eq!(fixture.numbers(1), [(0, 0)], "back at its old leader");
    fixture.client.respond_from(NEW, answer(0, Errors::None, 1));
    fixture.client.respond_from(OLD, answer(1, Errors::None, 0));
    fixture.pass();
    assert!(moved.is_done() && stays.is_done());
}

/// What can happen around a frozen leader, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// The application sends one more record.
    Append,
    /// The old leader thaws for as long as it takes to handle its oldest request.
    Handle,
    /// The oldest answer of the old leader arrives, if the connection is still there.
    Deliver,
    /// The cluster makes another node the leader.
    Elect,
    /// The producer gets metadata.
    News,
    /// The old leader is overdue.
    Suspect,
}

const EVENTS: [Event; 6] = [
    Event::Append,
    Event::Handle,
    Event::Deliver,
    Event::Elect,
    Event::News,
    Event::Suspect,
];

/// Whether batches were acknowledged before the freeze, and the order of events.
struct Story {
    order: Vec<Event>,
    fixture: Fixture,
    cluster: Cluster,
    /// What the old leader got and has not handled.
    held: VecDeque<SentRequest>,
    answers: BTreeMap<i32, ProduceResponse>,
    futures: Vec<FutureRecordMetadata>,
}

impl Story {
    fn new(acknowledged: bool, order: &[Event]) -> Self {
        let mut story = Self {
            order: order.to_vec(),
            fixture: Fixture::idempotent(Setup::default()),
            cluster: Cluster::new(0),
            held: VecDeque::new(),
            answers: BTreeMap::new(),
            futures: Vec::new(),
        };
        if acknowledged {
            story.append();
            story.answer_all();
        }
        story.append();
        story.append();
        story.held = story.fixture.client.requests().into();
        story
    }

    fn append(&mut self) {
        let value = self.futures.len().to_string();
        let future = self.fixture.append_with(0, value.as_bytes(), None);
        self.futures.push(future);
        self.fixture.pass();
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Append => self.append(),
            Event::Handle => {
                if let Some(request) = self.held.pop_front() {
                    let answer = self.cluster.handle(&request);
                    self.answers.insert(request.correlation_id, answer);
                }
            }
            Event::Deliver => self.deliver(),
            Event::Elect => self.cluster.elect(0, NEW.0),
            Event::News => {
                let (leaders, epoch) = self.cluster.leaders_and_epoch();
                self.fixture.set_leaders(leaders, epoch);
            }
            Event::Suspect => self.fixture.client.suspect(OLD),
        }
        self.fixture.pass();
    }

    fn deliver(&mut self) {
        let requests = self.fixture.client.requests().into_iter();
        let pending: Vec<_> = requests.map(|request| request.correlation_id).collect();
        if let Some((id, answer)) = self.answers.pop_first() {
            if pending.contains(&id) {
                self.fixture.client.respond_to_request(id, answer);
            }
        }
    }

    /// Every request is handled, and every answer arrives.
    fn answer_all(&mut self) {
        for request in self.fixture.client.requests() {
            let id = request.correlation_id;
            self.held.retain(|held| held.correlation_id != id);
            let answer = match self.answers.remove(&id) {
                Some(answer) => answer,
                None => self.cluster.handle(&request),
            };
            self.fixture.client.respond_to_request(id, answer);
        }
        self.fixture.pass();
    }

    /// All is well again, and stays so until everything has come to its end.
    fn end(mut self) {
        for event in [Event::Elect, Event::News] {
            self.happen(event);
        }
        for _ in 0..20 {
            self.answer_all();
            self.fixture.advance(BACKOFF);
            self.fixture.pass();
        }
        let order = &self.order;
        for (n, future) in self.futures.iter().enumerate() {
            let outcome = future.try_get();
            assert!(
                matches!(outcome, Some(Ok(_))),
                "{order:?}: {n}: {outcome:?}"
            );
            assert_eq!(offset(future), n as i64, "{order:?}");
        }
        let all: Vec<_> = (0..self.futures.len()).collect();
        assert_eq!(self.cluster.log(0), all, "{order:?}");
    }
}

/// Every order of what can happen, with and without a batch that was acknowledged before. Scenario: ID7, ID21.
#[test]
fn whatever_the_order_of_events_each_record_is_in_the_log_once_and_in_its_place() {
    let mut stories = 0;
    for_each_order(&mut EVENTS.to_vec(), 0, &mut |order| {
        for acknowledged in [false, true] {
            let mut story = Story::new(acknowledged, order);
            for event in order {
                story.happen(*event);
            }
            story.end();
            stories += 1;
        }
    });
    assert_eq!(stories, 1440);
}

fn for_each_order(events: &mut Vec<Event>, from: usize, each: &mut impl FnMut(&[Event])) {
    if from == events.len() {
        return each(events);
    }
    for at in from..events.len() {
        events.swap(from, at);
        for_each_order(events, from + 1, each);
        events.swap(from, at);
    }
}
