//! Requests that are not answered and connections that do not come about.

use super::*;
use crate::testing::mock_selector::ConnectOutcome;

/// Java: `NetworkClientTest.testDefaultRequestTimeout`, `testCustomRequestTimeout`. Scenario: N10.
#[test]
fn an_overdue_request_ends_its_connection() {
    for custom in [None, Some(ms(1000))] {
        let mut fixture = Fixture::new(1);
        fixture.connect(0);
        let builder = RequestBuilder::of(InitProducerIdRequest::default());
        let id = fixture.send_request(0, builder, custom);
        let limit = custom.unwrap_or(ms(30_000));
        fixture.time.advance(limit - ms(1));
        assert_eq!(fixture.pass().len(), 0);
        let responses = fixture.poll(ms(60_000));
        assert_eq!(
            fixture.network.last_timeout(),
            Some(ms(1)),
            "the timer is due"
        );
        assert_eq!(correlation_ids(&responses), [id]);
        assert!(is_timed_out(&responses[0]));
        assert!(fixture.client.connection_failed(&node(0)));
        assert_eq!(fixture.network.address_of(NodeId(0)), None);
        assert!(fixture.metadata.with(|m| m.full_update_requested()));
        let Outcome::Failed(failure) = &responses[0].outcome else {
            panic!("{responses:?}");
        };
        assert_eq!(
            failure.to_string(),
            format!("no response within {} ms", limit.as_millis())
        );
    }
}

/// Java: `NetworkClientTest.testRequestTimeoutOrder`, own. Scenario: N11.
#[test]
fn a_younger_request_with_less_patience_ends_the_connection_for_all() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let first = fixture.send(0);
    fixture.time.advance(ms(100));
    let builder = RequestBuilder::of(InitProducerIdRequest::default());
    let second = fixture.send_request(0, builder, Some(ms(500)));
    let third = fixture.send(0);
    fixture.time.advance(ms(500));
    let responses = fixture.pass();
    assert_eq!(correlation_ids(&responses), [first, second, third]);
    assert!(responses.iter().all(is_timed_out));
}

/// Java: `NetworkClientTest.testConnectionSetupTimeout`. Scenario: N12.
#[test]
fn connects_that_hang_end_each_at_its_own_time() {
    let mut fixture = Fixture::new(3);
    for id in 0..2 {
        fixture
            .network
            .on_connect(address(id), ConnectOutcome::Hang);
    }
    fixture.connect(2);
    fixture.ready(0);
    fixture.time.advance(ms(5_000));
    fixture.ready(1);
    let remaining = fixture.client.connection_delay(&node(0), fixture.now());
    fixture.time.advance(remaining);
    fixture.pass();
    assert!(fixture.client.connection_failed(&node(0)));
    assert!(!fixture.client.connection_failed(&node(1)));
    let remaining = fixture.client.connection_delay(&node(1), fixture.now());
    assert!(remaining >= ms(1000), "{remaining:?}");
    fixture.time.advance(remaining);
    fixture.pass();
    assert!(fixture.client.connection_failed(&node(1)));
    let reason = fixture.last_connection_error();
    assert_eq!(
        reason.as_deref(),
        Some("10.0.0.1:9092: no connection within socket.connection.setup.timeout.ms")
    );
}

/// Java: `NetworkClientTest.testConnectionSetupTimeout` (growth). Scenario: N12 (growth).
#[test]
fn the_setup_timeout_grows_with_failures_and_starts_anew_after_success() {
    let mut fixture = Fixture::new(1);
    fixture.network.on_connect(address(0), ConnectOutcome::Hang);
    for base in [10_000, 20_000, 30_000, 30_000] {
        fixture.ready(0);
        let limit = fixture.client.connection_delay(&node(0), fixture.now());
        let range = ms(base * 4 / 5)..=ms((base * 6 / 5).min(30_000));
        assert!(range.contains(&limit), "{limit:?} around {base}");
        fixture.time.advance(limit);
        fixture.pass();
        fixture.time.advance(ms(1000));
        fixture.answer_metadata_out_of_band([node(0)]);
    }
    fixture
        .network
        .on_connect(address(0), ConnectOutcome::Connect);
    fixture.sent();
    fixture.connect(0);
    fixture.network.disconnect(NodeId(0));
    fixture.pass();
    fixture.time.advance(ms(100));
    fixture.network.on_connect(address(0), ConnectOutcome::Hang);
    fixture.answer_metadata_out_of_band([node(0)]);
    fixture.ready(0);
    let limit = fixture.client.connection_delay(&node(0), fixture.now());
    assert!((ms(8_000)..=ms(12_000)).contains(&limit), "{limit:?}");
}

/// Java: `NetworkClientTest.testUnsupportedApiVersionsRequest..` (stuck channel), own. Scenario: N30.
#[test]
fn a_handshake_that_never_ends_is_ended_by_the_setup_timeout() {
    let mut fixture = Fixture::new(1);
    fixture
        .network
        .on_connect(address(0), ConnectOutcome::StayInHandshake);
    fixture.ready(0);
    fixture.pass();
    assert_eq!(fixture.sent().len(), 0);
    assert!(fixture.client.connection_states.is_connecting(NodeId(0)));
    fixture.poll(ms(60_000));
    assert!(fixture.client.connection_failed(&node(0)));
    assert!(fixture.time.elapsed() <= ms(12_000));
}

/// Scenario: N30 (the handshake ends in time).
#[test]
fn versions_are_asked_for_when_the_handshake_is_over() {
    let mut fixture = Fixture::new(1);
    fixture
        .network
        .on_connect(address(0), ConnectOutcome::StayInHandshake);
    fixture.ready(0);
    fixture.pass();
    fixture.pass();
    assert_eq!(fixture.sent().len(), 0);
    fixture.network.make_ready(NodeId(0));
    fixture.pass();
    fixture.only_sent(0, ApiKeys::ApiVersions);
    assert!(!fixture.client.connection_states.is_connecting(NodeId(0)));
}

/// Scenario: N31.
#[test]
fn a_version_request_without_an_answer_ends_with_the_request_timeout() {
    let mut fixture = Fixture::new(1);
    fixture.ready(0);
    fixture.pass();
    fixture.only_sent(0, ApiKeys::ApiVersions);
    fixture.time.advance(ms(29_999));
    assert_eq!(fixture.pass().len(), 0);
    assert!(!fixture.client.connection_failed(&node(0)));
    fixture.time.advance(ms(1));
    assert_eq!(fixture.pass().len(), 0, "nobody asked for it");
    assert!(fixture.client.connection_failed(&node(0)));
}

/// Java: `NetworkClientTest.testConnectionDelay`, `testConnectionDelayWithNoExponentialBackoff`,
/// `testConnectionDelayConnected`, `testConnectionDelayDisconnected`. Scenario: N20.
#[test]
fn the_delay_of_a_connection_tells_when_to_try_again() {
    for (max, range) in [(1000, 40..=60), (50, 50..=50)] {
        let mut fixture = Fixture::with_config(
            1,
            NetworkClientConfig {
                reconnect_backoff: ExponentialBackoff::new(ms(50), ms(max)),
                ..config()
            },
        );
        let delay = |fixture: &Fixture| {
            let now = fixture.now();
            fixture.client.connection_delay(&node(0), now)
        };
        assert_eq!(delay(&fixture), Duration::ZERO, "never tried");
        fixture.connect(0);
        assert_eq!(delay(&fixture), Duration::MAX, "connected");
        fixture.network.disconnect(NodeId(0));
        fixture.pass();
        let first = delay(&fixture);
        assert!(
            (ms(*range.start())..=ms(*range.end())).contains(&first),
            "{first:?}"
        );
        fixture.time.advance(ms(10));
        assert_eq!(delay(&fixture), first - ms(10));
        fixture.time.advance(first);
        assert_eq!(delay(&fixture), Duration::ZERO);
    }
}
