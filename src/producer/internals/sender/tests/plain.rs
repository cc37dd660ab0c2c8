//! Sending, answering and retrying without sequence numbers.

use super::*;
use crate::client::client_request::RequestFailure;
use crate::common::error_kind::ErrorKind;
use crate::protocol::messages::produce::{LeaderIdAndEpoch, NodeEndpoint};

/// Java: `SenderTest.testSimple`. Scenario: SE1.
#[test]
fn a_record_is_sent_and_gets_its_offset() {
    let mut fixture = Fixture::new(Setup::default());
    let future = fixture.send(0);
    let in_flight = fixture.in_flight();
    assert_eq!(in_flight.len(), 1);
    assert_eq!(in_flight[0].0, NodeId(0));
    assert_eq!((in_flight[0].1.acks, in_flight[0].1.timeout_ms), (-1, 1000));
    assert!(!future.is_done());
    fixture.answer(0, Errors::None, 7);
    assert_eq!(offset(&future), 7);
    fixture.pass();
    assert!(fixture.in_flight().is_empty() && !fixture.sender.has_work());
}

#[test]
fn every_ready_partition_of_a_node_goes_into_one_request() {
    let mut fixture = Fixture::new(Setup::default());
    let futures: Vec<_> = (0..4).map(|p| fixture.append(p)).collect();
    fixture.pass();
    let sent: Vec<Vec<i32>> = fixture
        .in_flight()
        .iter()
        .map(|(_, request)| batches(request).iter().map(|b| b.partition).collect())
        .collect();
    assert_eq!(sent.len(), 2);
    assert!(sent.contains(&vec![0, 1]) && sent.contains(&vec![2, 3]));
    for node in [0, 1] {
        let both = [2 * node, 2 * node + 1];
        let partitions = both.map(|p| partition_answer(p, Errors::None, i64::from(p) * 10));
        let response = answers(partitions.into_iter().rev().collect());
        fixture.client.respond_from(NodeId(node), response);
    }
    fixture.pass();
    let offsets: Vec<_> = futures.iter().map(offset).collect();
    assert_eq!(offsets, [0, 10, 20, 30]);
}

/// Java: `SenderTest.testRetries`. Scenario: SE2.
#[test]
fn a_lost_connection_is_a_reason_to_try_again() {
    let mut fixture = Fixture::new(Setup {
        retries: 1,
        ..Setup::default()
    });
    let future = fixture.send(0);
    fixture.disconnect();
    assert!(!future.is_done());
    fixture.pass();
    assert!(fixture.in_flight().is_empty(), "backing off");
    fixture.pass_after_backoff();
    fixture.answer(0, Errors::None, 3);
    assert_eq!(offset(&future), 3);
}

/// Java: `SenderTest.testRetries` (its second half). Scenario: SE2.
#[test]
fn used_up_retries_end_in_a_network_error_with_its_story() {
    let mut fixture = Fixture::new(Setup {
        retries: 1,
        ..Setup::default()
    });
    let future = fixture.append(0);
    for _ in 0..2 {
        fixture.pass();
        fixture.disconnect();
        fixture.advance(BACKOFF);
    }
    let error = error(&future);
    assert_eq!(error.kind(), ErrorKind::Network);
    assert_eq!(error.attempts().len(), 2);
    assert_eq!(error.attempts()[0].node, 0);
    assert_eq!(error.persisted(), Persisted::Maybe);
}

/// In Java nobody can tell.
#[test]
fn what_the_lost_connection_did_not_take_is_not_written() {
    let mut fixture = Fixture::new(Setup {
        retries: 0,
        ..Setup::default()
    });
    let future = fixture.send(0);
    let reason = "connection lost: broken pipe".into();
    fixture.client.fail(RequestFailure::NotSent { reason });
    fixture.pass();
    let error = error(&future);
    assert_eq!(error.kind(), ErrorKind::Network);
    assert_eq!(error.persisted(), Persisted::No);
}

/// Scenario: SE3.
#[test]
fn an_error_that_will_not_pass_fails_at_once() {
    let mut fixture = Fixture::new(Setup::default());
    let future = fixture.send(0);
    fixture.answer(0, Errors::InvalidRequiredAcks, -1);
    let error = error(&future);
    assert_eq!(error.kind(), ErrorKind::InvalidRequiredAcks);
    assert_eq!(error.persisted(), Persisted::No);
    assert_eq!(fixture.control.metrics().failed_total(), 1);
}

/// Java: `SenderTest.testSendInOrder`. Scenario: SE4.
#[test]
fn with_one_in_flight_nothing_follows_an_open_batch_even_to_another_node() {
    let mut fixture = Fixture::new(Setup {
        guarantee_message_order: true,
        ..Setup::default()
    });
    let first = fixture.send(0);
    let second = fixture.append(0);
    fixture.set_leaders(&[1, 0, 1, 1], 2);
    fixture.pass();
    assert_eq!(fixture.in_flight().len(), 1);
    fixture.answer(0, Errors::None, 0);
    assert!(first.is_done() && !second.is_done());
    fixture.pass();
    assert_eq!(fixture.in_flight()[0].0, NodeId(1));
}

/// Design: no batch overtakes an unresolved one to a new leader.
#[test]
fn with_several_in_flight_a_moved_partition_waits_for_the_old_leader() {
    let mut fixture = Fixture::new(Setup::default());
    let first = fixture.send(0);
    let _second = fixture.append(0);
    fixture.set_leaders(&[1, 0, 1, 1], 2);
    fixture.pass();
    assert_eq!(fixture.in_flight().len(), 1, "the first is unresolved");
    fixture.answer(0, Errors::NotLeaderOrFollower, -1);
    fixture.pass();
    assert!(!first.is_done());
    let in_flight = fixture.in_flight();
    assert_eq!(in_flight[0].0, NodeId(1), "a newer epoch needs no back-off");
    assert_eq!(in_flight.len(), 2);
}

/// Java: `SenderTest.testWhenProduceResponseReturnsWithALeaderShipChangeErrorButNoNewLeaderInformation`. Scenario: SE15.
#[test]
fn a_leader_error_without_a_hint_asks_for_metadata() {
    let mut fixture = Fixture::new(Setup::default());
    let _future = fixture.send(0);
    assert!(!wants_metadata(&fixture));
    fixture.answer(0, Errors::NotLeaderOrFollower, -1);
    assert!(wants_metadata(&fixture));
    fixture.pass();
    assert!(fixture.in_flight().is_empty(), "backing off");
}

fn wants_metadata(fixture: &Fixture) -> bool {
    fixture.metadata.with(|core| core.full_update_requested())
}

/// Java: `SenderTest.testWhenProduceResponseReturnsWithALeaderShipChangeErrorAndNewLeaderInformation`. Scenario: SE15.
#[test]
fn a_hint_at_the_new_leader_is_used_at_once() {
    let mut fixture = Fixture::new(Setup::default());
    let future = fixture.send(0);
    let mut response = answer(0, Errors::NotLeaderOrFollower, -1);
    response.responses[0].partition_responses[0].current_leader = LeaderIdAndEpoch {
        leader_id: 5,
        leader_epoch: 9,
    };
    response.node_endpoints = vec![NodeEndpoint {
        node_id: 5,
        host: "localhost".to_owned(),
        port: 9097,
        rack: None,
    }];
    fixture.client.respond(response);
    fixture.pass();
    fixture.pass();
    assert_eq!(fixture.in_flight()[0].0, NodeId(5));
    fixture.answer(0, Errors::None, 1);
    assert_eq!(offset(&future), 1);
}

/// Scenario: SE16.
#[test]
fn without_acks_a_record_is_done_once_it_is_out() {
    let mut fixture = Fixture::new(Setup {
        acks: 0,
        ..Setup::default()
    });
    let future = fixture.send(0);
    assert_eq!(offset(&future), -1);
}

/// Scenario: SE17.
#[test]
fn a_request_timeout_fails_every_request_of_the_connection_in_their_order() {
    let mut fixture = Fixture::new(Setup {
        retries: 0,
        ..Setup::default()
    });
    let order = Arc::new(Mutex::new(Rank::Leaf, Vec::new()));
    for n in 0..3 {
        let seen = Arc::clone(&order);
        let callback: Callback = Box::new(move |result| {
            seen.lock().push((n, result.unwrap_err().kind()));
        });
        let _future = fixture.append_with(0, b"value", Some(callback));
        fixture.pass();
    }
    fixture.client.time_out(NodeId(0));
    fixture.pass();
    let timeout = ErrorKind::Timeout;
    assert_eq!(*order.lock(), [(0, timeout), (1, timeout), (2, timeout)]);
}

/// Java: `SenderTest.testNodeLatencyStats` (the wait). Scenario: SE6 (what the partitioner makes of it: PT10), SE18.
#[test]
fn a_throttled_node_is_left_alone_until_the_throttle_ends() {
    let mut fixture = Fixture::new(Setup::default());
    let _first = fixture.send(0);
    fixture.answer(0, Errors::None, 0);
    fixture.client.throttle(NodeId(0), ms(100));
    let _second = fixture.send(0);
    assert!(fixture.in_flight().is_empty());
    assert_eq!(fixture.client.poll_timeouts().last(), Some(&ms(100)));
    fixture.advance(ms(100));
    fixture.pass();
    assert_eq!(fixture.in_flight().len(), 1);
}

/// Java: `SenderTest.testUnsupportedForMessageFormatInProduceRequest`. Scenario: SE19.
#[test]
fn an_old_message_format_fails_only_the_batch() {
    let mut fixture = Fixture::idempotent(Setup::default());
    let future = fixture.send(0);
    fixture.answer(0, Errors::UnsupportedForMessageFormat, -1);
    assert_eq!(
        error(&future).kind(),
        ErrorKind::UnsupportedForMessageFormat
    );
    let _other = fixture.send(1);
    assert_eq!(fixture.in_flight().len(), 1);
}

/// Java: `SenderTest.testDoNotPollWhenNoRequestSent`. Scenario: SE11.
#[test]
fn a_pass_polls_once_and_an_idle_one_waits_for_news() {
    let mut fixture = Fixture::new(Setup::default());
    fixture.pass();
    assert_eq!(fixture.client.poll_timeouts(), [Duration::MAX]);
}
