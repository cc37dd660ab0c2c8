//! Connecting: names, addresses, versions, logins.

use super::*;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::network::channel_state::{ChannelState, InvalidReceive};
use crate::protocol::Errors;
use crate::testing::mock_selector::ConnectOutcome;

/// Java: `NetworkClientTest.testConnectionDelay*`, `testDnsLookupFailure`. Scenario: N03.
#[test]
fn a_name_that_cannot_be_resolved_is_a_failed_attempt() {
    let mut fixture = Fixture::new(1);
    let broker = Node::new(7, "nowhere.example", 9092);
    let now = fixture.now();
    assert!(!fixture.client.ready(&broker, now));
    assert_eq!(fixture.network.connects(), []);
    assert!(fixture.client.connection_failed(&broker));
    let delay = fixture.client.connection_delay(&broker, now);
    assert!((ms(40)..=ms(60)).contains(&delay), "{delay:?}");
    let (wanted, reason) = fixture.metadata.with(|metadata| {
        let reason = metadata.last_connection_error().cloned();
        (metadata.full_update_requested(), reason)
    });
    assert!(wanted);
    assert_eq!(
        reason.as_deref(),
        Some(
            "nowhere.example:9092: cannot resolve nowhere.example: nowhere.example:9092 is not known"
        )
    );
}

/// Java looks names up on the I/O thread.
#[test]
fn a_name_that_is_looked_up_elsewhere_leads_to_a_connection_or_a_failed_attempt() {
    for address in [Some(address(7)), None] {
        let mut fixture = Fixture::new(1);
        fixture.resolver.1.store(true, Ordering::SeqCst);
        fixture.resolver.0.lock().extend(address);
        let broker = Node::new(7, "kafka.example", 9092);
        let now = fixture.now();
        assert!(!fixture.client.ready(&broker, now));
        assert!(!fixture.client.connection_failed(&broker));
        while fixture.network.connects().is_empty() && !fixture.client.connection_failed(&broker) {
            fixture.pass();
            std::thread::yield_now();
        }
        let expected: Vec<_> = address.map(|at| (NodeId(7), at)).into_iter().collect();
        assert_eq!(fixture.network.connects(), expected);
        assert_eq!(fixture.client.connection_failed(&broker), address.is_none());
    }
}

/// Java: `NetworkClientTest.testApiVersionsRequest`. Scenario: N07.
#[test]
fn a_node_is_ready_when_it_has_told_its_versions() {
    let mut fixture = Fixture::new(1);
    assert!(!fixture.ready(0));
    assert_eq!(fixture.sent().len(), 0);
    fixture.pass();
    let (header, body) = fixture.only_sent(0, ApiKeys::ApiVersions);
    assert_eq!(header.api_version, 4);
    let RequestBody::ApiVersions(request) = body else {
        panic!("{body:?}");
    };
    assert_eq!(request.client_software_name, "ottla");
    assert!(!fixture.ready(0));
    fixture.answer(0, &header, everything());
    assert_eq!(fixture.pass().len(), 0, "nobody asked for it");
    assert!(fixture.ready(0));
    assert_eq!(fixture.network.connects(), [(NodeId(0), address(0))]);
}

/// Java: `NetworkClientTest.testUnsupportedApiVersionsRequestWithVersionProvidedByTheBroker`. Scenario: N08.
#[test]
fn a_node_that_refuses_the_version_says_which_one_it_knows() {
    let mut fixture = Fixture::new(1);
    fixture.ready(0);
    fixture.pass();
    let (header, _) = fixture.only_sent(0, ApiKeys::ApiVersions);
    let refusal = ApiVersionsResponse {
        error_code: Errors::UnsupportedVersion.code(),
        ..versions([(ApiKeys::ApiVersions, 0, 2)])
    };
    fixture.answer_as(0, 0, header.correlation_id, refusal);
    fixture.pass();
    let (header, _) = fixture.only_sent(0, ApiKeys::ApiVersions);
    assert_eq!(header.api_version, 2);
    fixture.answer(0, &header, everything());
    fixture.pass();
    assert!(fixture.is_ready(0));
}

/// Java: `NetworkClientTest.testUnsupportedApiVersionsRequestWithoutVersionProvidedByTheBroker`. Scenario: N09.
#[test]
fn a_node_that_does_not_say_is_asked_at_version_0_and_then_given_up() {
    let mut fixture = Fixture::new(1);
    fixture.ready(0);
    fixture.pass();
    let (header, _) = fixture.only_sent(0, ApiKeys::ApiVersions);
    let refusal = ApiVersionsResponse {
        error_code: Errors::UnsupportedVersion.code(),
        ..ApiVersionsResponse::default()
    };
    fixture.answer_as(0, 0, header.correlation_id, refusal.clone());
    fixture.pass();
    let (header, _) = fixture.only_sent(0, ApiKeys::ApiVersions);
    assert_eq!(header.api_version, 0);
    fixture.answer(0, &header, refusal);
    fixture.pass();
    assert!(!fixture.is_ready(0));
    assert!(fixture.client.connection_failed(&node(0)));
    let reason = fixture.last_connection_error();
    assert_eq!(
        reason.as_deref(),
        Some("10.0.0.0:9092: the broker answered ApiVersions with UNSUPPORTED_VERSION")
    );
}

/// Scenario: N09 (ready at version 0).
#[test]
fn a_broker_from_before_version_lists_is_ready_at_version_0() {
    let mut fixture = Fixture::new(1);
    fixture.ready(0);
    fixture.pass();
    let (header, _) = fixture.only_sent(0, ApiKeys::ApiVersions);
    let refusal = ApiVersionsResponse {
        error_code: Errors::UnsupportedVersion.code(),
        ..ApiVersionsResponse::default()
    };
    fixture.answer_as(0, 0, header.correlation_id, refusal);
    fixture.pass();
    fixture.answer_api_versions(0, everything());
    fixture.pass();
    assert!(fixture.is_ready(0));
}

/// Java: `NetworkClientTest.testInvalidApiVersionsRequest`. Scenario: N06.
#[test]
fn any_other_error_to_the_version_request_ends_the_connection() {
    let mut fixture = Fixture::new(1);
    fixture.ready(0);
    fixture.pass();
    let (header, _) = fixture.only_sent(0, ApiKeys::ApiVersions);
    let refusal = ApiVersionsResponse {
        error_code: Errors::InvalidRequest.code(),
        ..ApiVersionsResponse::default()
    };
    fixture.answer(0, &header, refusal);
    fixture.pass();
    assert!(!fixture.is_ready(0));
    assert!(fixture.client.connection_failed(&node(0)));
    assert_eq!(fixture.network.address_of(NodeId(0)), None);
}

/// Java: `NetworkClientTest.testServerDisconnectAfterInternalApiVersionRequest`. Scenario: N22.
#[test]
fn a_disconnect_while_versions_are_asked_for_is_nobodys_business_but_grows_the_backoff() {
    let mut fixture = Fixture::new(1);
    for round in 0..4 {
        let now = fixture.now();
        fixture.client.ready(&node(0), now);
        fixture.pass();
        fixture.only_sent(0, ApiKeys::ApiVersions);
        fixture.network.disconnect(NodeId(0));
        assert_eq!(fixture.pass().len(), 0);
        let delay = fixture.client.connection_delay(&node(0), fixture.now());
        let base = 50 * (1 << round);
        assert!(
            (ms(base * 4 / 5)..=ms(base * 6 / 5)).contains(&delay),
            "{delay:?}"
        );
        fixture.time.advance(delay);
        fixture.answer_metadata_out_of_band([node(0)]);
    }
}

/// Java: `NetworkClientTest.testClientDisconnectAfterInternalApiVersionRequest`. Scenario: N23.
#[test]
fn a_disconnect_of_our_own_while_versions_are_asked_for_is_nobodys_business() {
    let mut fixture = Fixture::new(1);
    fixture.ready(0);
    fixture.pass();
    assert_eq!(fixture.client.in_flight_request_count(), 1);
    let now = fixture.now();
    fixture
        .client
        .disconnect(NodeId(0), "closed by the test", now);
    assert_eq!(fixture.client.in_flight_request_count(), 0);
    assert_eq!(fixture.pass().len(), 0);
}

/// Java: `NetworkClientTest.testReconnectAfterAddressChange`. Scenario: N27.
#[test]
fn a_broker_that_moved_is_found_at_its_new_addresses() {
    let mut fixture = Fixture::new(1);
    let broker = Node::new(7, "broker.example", 9092);
    *fixture.resolver.0.lock() = vec![address(20), address(21)];
    let now = fixture.now();
    fixture.client.ready(&broker, now);
    assert_eq!(fixture.network.connects(), [(NodeId(7), address(20))]);
    fixture.pass();
    fixture.answer_api_versions(7, everything());
    fixture.pass();
    *fixture.resolver.0.lock() = vec![address(30), address(31)];
    fixture.network.disconnect(NodeId(7));
    fixture.pass();
    for _ in 0..4 {
        fixture.time.advance(ms(1200));
        let now = fixture.now();
        fixture.client.ready(&broker, now);
        fixture.network.disconnect(NodeId(7));
        fixture.pass();
    }
    let later: Vec<_> = fixture.network.connects()[1..]
        .iter()
        .map(|c| c.1)
        .filter(|a| *a != address(0) && *a != address(99))
        .collect();
    assert_eq!(later[..2], [address(30), address(31)]);
    assert!(!later.contains(&address(20)) && !later.contains(&address(21)));
}

/// Java: `NetworkClientTest.testFailedConnectionToFirstAddress`, `testFailedConnectionToFirstAddressAfterReconnect`.
/// Scenario: N28.
#[test]
fn an_address_that_refuses_gives_way_to_the_next() {
    let mut fixture = Fixture::new(1);
    let broker = Node::new(7, "broker.example", 9092);
    *fixture.resolver.0.lock() = vec![address(20), address(21)];
    for n in [20, 21] {
        let refused = ConnectOutcome::refused(address(n));
        fixture.network.on_connect(address(n), refused);
    }
    let mut reason = None;
    for _ in 0..3 {
        let now = fixture.now();
        fixture.client.ready(&broker, now);
        fixture.pass();
        reason = fixture.last_connection_error();
        fixture.time.advance(ms(1200));
        fixture.answer_metadata_out_of_band([node(0)]);
    }
    let tried: Vec<_> = fixture.network.connects().iter().map(|c| c.1).collect();
    assert_eq!(tried, [address(20), address(21), address(20)]);
    assert_eq!(
        reason.as_deref(),
        Some("cannot connect to 10.0.0.20:9092: connection refused")
    );
}

/// Java: `NetworkClientTest.testCloseConnectingNode`. Scenario: N29.
#[test]
fn a_node_closed_while_connecting_may_be_connected_again() {
    let mut fixture = Fixture::new(1);
    let now = fixture.now();
    fixture.ready(0);
    fixture
        .client
        .disconnect(NodeId(0), "closed by the test", now);
    fixture.time.advance(ms(100));
    assert_eq!(fixture.pass().len(), 0);
    assert_eq!(fixture.sent().len(), 0);
    fixture.connect(0);
}

/// Java: `NetworkClientTest.testAuthenticationFailureWithInFlightMetadataRequest`. Scenario: N19.
#[test]
fn a_refused_login_does_not_disturb_the_metadata_of_another_node() {
    let mut fixture = Fixture::new(2);
    fixture.connect(1);
    fixture.metadata.with(|m| m.request_update(true));
    fixture.time.advance(ms(200));
    fixture.pass();
    let (header, _) = fixture.only_sent(1, ApiKeys::Metadata);
    fixture
        .network
        .on_connect(address(0), ConnectOutcome::StayInHandshake);
    fixture.ready(0);
    fixture.pass();
    let error = KafkaError::new(ErrorKind::SaslAuthentication, "wrong password");
    fixture
        .network
        .fail(NodeId(0), ChannelState::AuthenticationFailed(error.clone()));
    fixture.pass();
    let kept = fixture.client.authentication_error(&node(0));
    assert_eq!(kept.expect("kept").message(), "wrong password");
    let fatal = fixture.metadata.snapshot().fatal_error.clone();
    assert_eq!(fatal.expect("told").message(), "wrong password");
    let version = fixture.metadata.snapshot().version;
    fixture.answer(1, &header, metadata_response([node(0), node(1)]));
    fixture.pass();
    let snapshot = fixture.metadata.snapshot();
    assert!(snapshot.version > version);
    assert!(snapshot.fatal_error.is_none());
}

/// Java: `NetworkClientTest.testAuthenticationFailure*`, own. Scenario: N40.
#[test]
fn two_refused_logins_count_four_and_the_node_is_tried_again() {
    let mut fixture = Fixture::new(1);
    let error = KafkaError::new(ErrorKind::SaslAuthentication, "wrong password");
    let failure = ChannelState::AuthenticationFailed(error);
    let refused = ConnectOutcome::Fail(failure);
    fixture.network.on_connect(address(0), refused);
    for _ in 0..2 {
        let now = fixture.now();
        fixture.client.ready(&node(0), now);
        fixture.pass();
        let delay = fixture.client.connection_delay(&node(0), fixture.now());
        fixture.time.advance(delay);
        fixture.answer_metadata_out_of_band([node(0)]);
    }
    assert_eq!(
        fixture.client.connection_states.failed_attempts(NodeId(0)),
        4
    );
    fixture
        .network
        .on_connect(address(0), ConnectOutcome::Connect);
    fixture.time.advance(ms(200));
    fixture.connect(0);
    assert!(fixture.client.authentication_error(&node(0)).is_none());
}

/// Scenario: N41.
#[test]
fn a_broker_that_returns_with_other_versions_is_asked_again() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    assert!(fixture.api_versions.get(NodeId(0)).is_some());
    fixture.network.disconnect(NodeId(0));
    fixture.pass();
    assert!(fixture.api_versions.get(NodeId(0)).is_none());
    fixture.time.advance(ms(100));
    fixture.answer_metadata_out_of_band([node(0)]);
    fixture.ready(0);
    fixture.pass();
    fixture.answer_api_versions(0, versions([(ApiKeys::Produce, 3, 9)]));
    fixture.pass();
    fixture.produce(0, 1);
    let (header, _) = fixture.only_sent(0, ApiKeys::Produce);
    assert_eq!(header.api_version, 9);
}

#[test]
fn a_web_server_on_the_port_is_named_to_who_waits_for_metadata() {
    let mut fixture = Fixture::new(1);
    fixture.ready(0);
    fixture.pass();
    let invalid = InvalidReceive {
        prefix: *b"HTTP",
        limit: 524_288,
    };
    fixture
        .network
        .fail(NodeId(0), ChannelState::InvalidReceive(invalid));
    fixture.pass();
    let reason = fixture.last_connection_error().expect("kept");
    assert_eq!(
        &*reason,
        "10.0.0.0:9092: an HTTP server speaks on this port, not a Kafka broker: frame of 1213486160 bytes above \
         the limit 524288"
    );
}
