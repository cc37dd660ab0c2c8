//! Brokers that ask for a pause (KIP-219).

use super::*;

impl Fixture {
    /// Sends Produce at `version` and lets the answer ask for a pause.
    fn produce_with_throttle(&mut self, version: i16, throttle_time_ms: i32) {
        let builder = RequestBuilder::of(ProduceRequest::default()).at_most(version);
        self.send_request(0, builder, None);
        let sent = self.sent();
        let (_, header, _) = sent.last().expect("just sent");
        self.answer(0, header, produce_response(throttle_time_ms));
        assert_eq!(self.pass().len(), 1);
    }
}

/// Java: `NetworkClientTest.testConnectionThrottling`. Scenario: N14.
#[test]
fn a_node_that_asks_for_a_pause_gets_it() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.produce_with_throttle(13, 100);
    assert!(!fixture.is_ready(0));
    let now = fixture.now();
    assert_eq!(fixture.client.poll_delay(&node(0), now), ms(100));
    fixture.time.advance(ms(99));
    assert!(!fixture.is_ready(0));
    fixture.time.advance(ms(1));
    assert!(fixture.is_ready(0));
    let now = fixture.now();
    assert_eq!(fixture.client.poll_delay(&node(0), now), Duration::MAX);
}

/// Scenario: N14 (never shorter).
#[test]
fn a_shorter_pause_does_not_shorten_a_longer_one() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.produce(0, 1);
    fixture.produce(0, 1);
    let sent = fixture.sent();
    fixture.answer(0, &sent[0].1, produce_response(100));
    fixture.answer(0, &sent[1].1, produce_response(20));
    fixture.pass();
    fixture.pass();
    fixture.time.advance(ms(50));
    assert!(!fixture.is_ready(0));
    fixture.time.advance(ms(50));
    assert!(fixture.is_ready(0));
}

/// Java: `NetworkClientTest.testThrottlingNotEnabledForConnectionToOlderBroker`. Scenario: N15.
#[test]
fn an_older_broker_has_waited_itself() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.produce_with_throttle(5, 100);
    assert!(fixture.is_ready(0));
    fixture.produce_with_throttle(6, 100);
    assert!(!fixture.is_ready(0));
}

/// Java: `NetworkClientTest.testRequestTimeoutWithThrottle` (idea). Scenario: N13.
#[test]
fn the_time_of_a_pause_does_not_count_against_requests_in_flight() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.produce(0, 1);
    let waiting = fixture.produce(0, 1);
    let (_, header, _) = fixture.sent().remove(0);
    fixture.answer(0, &header, produce_response(10_000));
    assert_eq!(fixture.pass().len(), 1);
    fixture.time.advance(ms(39_999));
    assert_eq!(fixture.pass().len(), 0);
    fixture.time.advance(ms(1));
    let responses = fixture.pass();
    assert_eq!(correlation_ids(&responses), [waiting]);
    assert!(is_timed_out(&responses[0]));
}

/// Scenario: N14 (nonsense).
#[test]
fn a_pause_is_never_longer_than_an_hour_and_never_negative() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.produce_with_throttle(13, -5);
    assert!(fixture.is_ready(0));
    fixture.produce_with_throttle(13, i32::MAX);
    let now = fixture.now();
    assert_eq!(fixture.client.poll_delay(&node(0), now), ms(3_600_000));
}
