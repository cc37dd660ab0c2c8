//! Disconnecting, closing nodes, and closing the client.

use super::*;
use crate::common::error_kind::ErrorKind;
use crate::common::time::FOREVER;

const CLOSED: &str = "closed by the test";

/// Java: `NetworkClientTest.testClose`. Scenario: N04.
#[test]
fn the_requests_of_a_closed_connection_end() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let id = fixture.send(0);
    let now = fixture.now();
    fixture.client.disconnect(NodeId(0), CLOSED, now);
    assert!(!fixture.client.has_in_flight_requests());
    assert!(!fixture.is_ready(0));
    let responses = fixture.pass();
    assert_eq!(correlation_ids(&responses), [id]);
    assert!(is_disconnected(&responses[0]));
}

/// Java: `NetworkClientTest.testDisconnectWithMultipleInFlights`. Scenario: N24.
#[test]
fn all_requests_of_a_lost_connection_end_in_the_order_of_sending() {
    let mut fixture = Fixture::new(2);
    fixture.connect(0);
    fixture.connect(1);
    let ids: Vec<_> = (0..3).map(|_| fixture.send(0)).collect();
    fixture.send(1);
    fixture.network.disconnect(NodeId(0));
    let responses = fixture.pass();
    assert_eq!(correlation_ids(&responses), ids);
    assert!(responses.iter().all(is_disconnected));
    assert_eq!(fixture.client.in_flight_request_count(), 1);
}

/// Java: `NetworkClientTest.testCallDisconnect`. Scenario: N25.
#[test]
fn a_disconnect_of_our_own_ends_requests_without_io_and_starts_the_backoff_once() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let ids = [fixture.send(0), fixture.send(0)];
    let now = fixture.now();
    fixture
        .client
        .disconnect(NodeId(0), "closed by the test", now);
    assert!(fixture.client.connection_failed(&node(0)));
    let polls = fixture.network.poll_count();
    let responses = fixture.pass();
    assert_eq!(fixture.network.poll_count(), polls);
    assert_eq!(correlation_ids(&responses), ids);
    let delay = fixture.client.connection_delay(&node(0), fixture.now());
    fixture.time.advance(ms(10));
    let now = fixture.now();
    fixture
        .client
        .disconnect(NodeId(0), "closed by the test", now);
    let later = fixture.client.connection_delay(&node(0), now);
    assert_eq!(later, delay - ms(10));
    fixture
        .client
        .disconnect(NodeId(55), "closed by the test", now);
}

/// Java: `NetworkClientTest.testInitiateClose` (idea); the Sender decides to close and wakes its own poll. Scenario: N39,
/// M01 (close).
#[test]
fn a_wake_ends_the_poll_and_a_closed_client_refuses_the_next() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.client.waker().wakeup();
    let before = fixture.time.elapsed();
    fixture.poll(FOREVER);
    assert_eq!(fixture.time.elapsed(), before, "no time passed");
    fixture.client.close();
    fixture.client.close();
    let now = fixture.now();
    let mut responses = Vec::new();
    let error = fixture.client.poll(FOREVER, now, &mut responses);
    assert_eq!(error.expect_err("closed").kind(), ErrorKind::Disconnect);
    assert!(fixture.metadata.with(|m| m.is_closed()));
    assert_eq!(fixture.network.address_of(NodeId(0)), None);
}
