//! What one pass does and leaves alone: requests, waits, connections, words.

use super::transactions::{Txn, V1, is_ok};
use super::*;
use crate::common::error_kind::ErrorKind;
use crate::protocol::ApiKeys;

/// Scenario: SE1.
#[test]
fn a_request_names_each_topic_once() {
    let mut fixture = Fixture::new(Setup::default());
    let (first, second) = (fixture.append(0), fixture.append(1));
    fixture.pass();
    let sent = fixture.in_flight();
    assert_eq!(sent.len(), 1);
    let topics = &sent[0].1.topic_data;
    assert_eq!(topics.len(), 1);
    let partitions = topics[0].partition_data.iter().map(|data| data.index);
    assert_eq!(partitions.collect::<Vec<_>>(), [0, 1]);
    let both = vec![
        partition_answer(0, Errors::None, 4),
        partition_answer(1, Errors::None, 5),
    ];
    fixture.client.respond(answers(both));
    fixture.pass();
    assert_eq!((offset(&first), offset(&second)), (4, 5));
}

/// Scenario: SE7.
#[test]
fn what_stood_behind_an_expired_batch_is_sent_by_the_same_pass() {
    let mut fixture = Fixture::new(Setup {
        delivery_timeout: ms(1500),
        ..Setup::default()
    });
    let old = fixture.send(0);
    fixture.advance(ms(1480));
    fixture.answer(0, Errors::NotEnoughReplicas, -1);
    let next = fixture.send(0);
    assert!(fixture.in_flight().is_empty(), "it waits for the first one");
    fixture.advance(ms(20));
    fixture.pass();
    assert_eq!(error(&old).kind(), ErrorKind::Timeout);
    assert_eq!(fixture.in_flight().len(), 1);
    fixture.answer(0, Errors::None, 0);
    assert_eq!(offset(&next), 0);
}

#[test]
fn a_deposed_leader_keeps_its_connection_where_another_node_is_overdue() {
    let mut fixture = Fixture::warm(Setup::default());
    let at_first = fixture.send(0);
    let at_second = fixture.send(2);
    fixture.client.suspect(NodeId(0));
    fixture.set_leaders(&[0, 0, 2, 2], 2);
    let before = fixture.client.requests();
    fixture.pass();
    fixture.pass();
    let ids = |requests: Vec<crate::testing::mock_client::SentRequest>| {
        let ids = requests.iter().map(|request| request.correlation_id);
        ids.collect::<Vec<_>>()
    };
    assert_eq!(ids(fixture.client.requests()), ids(before), "both go on");
    fixture
        .client
        .respond_from(NodeId(1), answer(2, Errors::None, 7));
    fixture
        .client
        .respond_from(NodeId(0), answer(0, Errors::None, 8));
    fixture.pass();
    assert_eq!((offset(&at_first), offset(&at_second)), (8, 7));
}

/// Scenario: TX6.
#[test]
fn a_commit_that_waits_for_its_batches_does_not_keep_the_thread_busy() {
    let mut txn = Txn::open(V1);
    let future = txn.send(0);
    let commit = txn.commit();
    txn.pass();
    let waits = txn.fixture.client.poll_timeouts();
    assert!(waits.last().is_some_and(|wait| !wait.is_zero()));
    txn.fixture.answer(0, Errors::None, 0);
    assert!(future.is_done());
    txn.serve(ApiKeys::EndTxn);
    assert!(is_ok(&commit));
}

/// Java: `TransactionManagerTest.testTransitionToFatalErrorWhenRetriedBatchIsExpired`. Scenario: TX14.
#[test]
fn without_epochs_on_demand_only_a_batch_that_may_be_written_is_the_end() {
    for (answer, is_the_end) in [
        (Errors::InvalidRecord, false),
        (Errors::UnknownServerError, true),
    ] {
        let mut txn = Txn::open(V1);
        let future = txn.send(0);
        txn.manage(|manager| manager.note_init_producer_id_version(1));
        txn.fixture.answer(0, answer, -1);
        assert!(future.is_done());
        let is_fatal = txn.manage(|manager| manager.fatal_error().is_some());
        assert_eq!(is_fatal, is_the_end, "{answer}");
    }
}

/// An answer with this text of the broker's.
fn said(error: Errors, text: &str) -> ProduceResponse {
    let mut response = answer(0, error, -1);
    let partition = &mut response.responses[0].partition_responses[0];
    partition.error_message = Some(text.to_owned());
    response
}

/// Scenario: SE13.
#[test]
fn an_error_tells_what_the_broker_said_and_which_topic_is_denied() {
    for (text, ending) in [("ask the owner", ": ask the owner"), ("", "")] {
        let mut fixture = Fixture::new(Setup::default());
        let future = fixture.send(0);
        let denied = Errors::TopicAuthorizationFailed;
        fixture.client.respond(said(denied, text));
        fixture.pass();
        let error = error(&future);
        assert_eq!(error.kind(), ErrorKind::TopicAuthorization);
        assert_eq!(error.message(), "not authorized to write to topic orders");
        let expected = Some(text).filter(|text| !text.is_empty());
        assert_eq!(error.broker_message(), expected);
        let story: Vec<_> = error.attempts().iter().map(|a| &a.outcome).collect();
        assert_eq!(story, [&format!("{denied}{ending}")]);
    }
}
