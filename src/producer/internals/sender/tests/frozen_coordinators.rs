//! A coordinator that stops answering: when another one is asked, and when it is waited for.

use super::transactions::{COORDINATOR, Txn, V1, V2, is_ok};
use super::*;
use crate::common::cluster::{Node, TopicPartition};
use crate::protocol::ApiKeys;

const NEXT: NodeId = NodeId(1);
const SECOND: Duration = Duration::from_secs(1);

impl Txn {
    /// A transaction with a record in it whose end is asked for at the coordinator.
    fn ending(level: i16) -> (Self, impl Fn() -> bool) {
        let mut txn = Self::open(level);
        let _sent = txn.send(0);
        txn.fixture.answer(0, Errors::None, 0);
        let commit = txn.commit();
        txn.pass();
        assert_eq!(txn.places(), [(COORDINATOR, ApiKeys::EndTxn)]);
        (txn, move || is_ok(&commit))
    }

    /// What waits for an answer, and where.
    fn places(&self) -> Vec<(NodeId, ApiKeys)> {
        let requests = self.fixture.client.requests().into_iter();
        requests
            .map(|request| (request.destination, request.body.api_key()))
            .collect()
    }

    /// Another node answers the question who the coordinator is.
    fn names(&mut self, coordinator: NodeId, error: Errors) {
        self.coordinator = coordinator;
        let mut requests = self.fixture.client.requests().into_iter();
        let question = requests
            .rfind(|request| request.body.api_key() == ApiKeys::FindCoordinator)
            .expect("a question");
        assert_ne!(question.destination, COORDINATOR);
        let response = self.response(&question.body, error.code());
        let client = &self.fixture.client;
        client.respond_to_request(question.correlation_id, response);
        self.pass();
    }

    fn suspect_coordinator(&mut self) {
        self.fixture.client.suspect(COORDINATOR);
        self.pass();
    }
}

#[test]
fn the_end_of_a_transaction_goes_to_the_next_coordinator_when_the_first_one_freezes() {
    for (level, next_epoch) in [(V1, 1), (V2, 0)] {
        let (mut txn, is_committed) = Txn::ending(level);
        txn.suspect_coordinator();
        let expected = [
            (COORDINATOR, ApiKeys::EndTxn),
            (NodeId(0), ApiKeys::FindCoordinator),
        ];
        assert_eq!(txn.places(), expected, "the end is not taken back yet");
        let before = txn.fixture.now();
        txn.names(NEXT, Errors::None);
        txn.pass();
        assert_eq!(txn.fixture.now(), before);
        txn.serve(ApiKeys::FindCoordinator);
        txn.fixture.advance(BACKOFF);
        txn.serve(ApiKeys::EndTxn);
        if level == V1 {
            // A late copy of the first end must find nobody.
            txn.serve(ApiKeys::InitProducerId);
        }
        assert!(is_committed());
        assert_eq!(txn.epoch, next_epoch);
        assert_eq!(txn.places(), []);
    }
}

#[test]
fn a_coordinator_that_is_only_slow_is_waited_for_and_asked_about_once_a_second() {
    let (mut txn, is_committed) = Txn::ending(V2);
    let end = txn.fixture.client.requests()[0].correlation_id;
    txn.suspect_coordinator();
    for answer in [Errors::None, Errors::CoordinatorNotAvailable] {
        txn.names(COORDINATOR, answer);
        txn.pass();
        txn.fixture.advance(SECOND - ms(1));
        txn.pass();
        assert_eq!(txn.places(), [(COORDINATOR, ApiKeys::EndTxn)]);
        let timeouts = txn.fixture.client.poll_timeouts();
        assert_eq!(timeouts.last(), Some(&ms(1)), "comes again for this");
        txn.fixture.advance(ms(1));
        txn.pass();
        assert_eq!(txn.places().len(), 2);
    }
    let response = txn.response(&txn.fixture.client.requests()[0].body, 0);
    txn.fixture.client.respond_to_request(end, response);
    txn.pass();
    assert!(is_committed(), "the first request was answered in the end");
}

#[test]
fn news_that_come_after_the_answer_close_nothing() {
    let (mut txn, is_committed) = Txn::ending(V2);
    txn.suspect_coordinator();
    let end = txn.fixture.client.requests()[0].clone();
    let response = txn.response(&end.body, 0);
    let client = &txn.fixture.client;
    client.respond_to_request(end.correlation_id, response);
    client.forget_suspects();
    txn.pass();
    assert!(is_committed());
    txn.manage(TransactionManager::begin_transaction).unwrap();
    txn.manage(|manager| manager.maybe_add_partition(&TopicPartition::new(TOPIC, 1)));
    txn.names(NEXT, Errors::None);
    assert_eq!(txn.places(), [], "nothing is given up, and nothing asked");
}

#[test]
fn what_was_not_sent_yet_goes_to_the_next_coordinator_at_once() {
    let mut txn = Txn::open(V1);
    txn.fixture
        .client
        .throttle(COORDINATOR, Duration::from_secs(100));
    let future = txn.append(0);
    txn.suspect_coordinator();
    assert_eq!(txn.places(), [(NodeId(0), ApiKeys::FindCoordinator)]);
    txn.names(NEXT, Errors::None);
    txn.pass();
    assert_eq!(txn.places(), [(NEXT, ApiKeys::AddPartitionsToTxn)]);
    assert!(!future.is_done());
}

#[test]
fn a_suspect_is_not_asked_about_another_one() {
    let (mut txn, _) = Txn::ending(V2);
    txn.fixture.client.suspect(NodeId(0));
    txn.suspect_coordinator();
    assert_eq!(txn.places(), [(COORDINATOR, ApiKeys::EndTxn)]);
}

/// KIP-890: before it writes, a leader asks the coordinator whether the transaction is open.
#[test]
fn a_leader_that_waits_for_a_frozen_coordinator_is_asked_again_once_there_is_another_one() {
    for level in [V1, V2] {
        let mut txn = Txn::open(level);
        let other = Some(Node::new(1, "localhost", 9093));
        txn.fixture.client.set_least_loaded_node(other);
        let future = txn.send(0);
        let before = txn.places();
        assert_eq!(before, [(NodeId(0), ApiKeys::Produce)]);
        txn.fixture.client.suspect(NodeId(0));
        txn.pass();
        assert_eq!(txn.places()[1..], [(NEXT, ApiKeys::FindCoordinator)]);
        txn.names(COORDINATOR, Errors::None);
        assert_eq!(txn.places(), before, "it may be slow for another reason");
        txn.fixture.advance(SECOND);
        txn.pass();
        txn.names(NEXT, Errors::None);
        txn.pass();
        txn.fixture.pass_after_backoff();
        assert_eq!(txn.places(), before, "the same leader");
        txn.fixture.answer(0, Errors::DuplicateSequenceNumber, -1);
        assert!(future.is_done());
        let commit = txn.commit();
        txn.pass();
        assert_eq!(txn.places(), [(NEXT, ApiKeys::EndTxn)]);
        txn.serve(ApiKeys::EndTxn);
        assert!(is_ok(&commit));
    }
}
