//! Requests and their responses, and responses that are none.

use super::*;
use crate::client::client_request::ClientRequest;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::protocol::messages::init_producer_id::InitProducerIdResponse;
use crate::protocol::messages::metadata::MetadataRequest;

/// Java: `NetworkClientTest.testSendToUnreadyNode`. Scenario: N01.
#[test]
fn a_request_to_a_node_that_is_not_ready_is_not_sent() {
    let mut fixture = Fixture::new(1);
    let id = fixture.send(0);
    assert_eq!(fixture.sent().len(), 0);
    let responses = fixture.pass();
    assert_eq!(correlation_ids(&responses), [id]);
    assert!(is_disconnected(&responses[0]));
    assert_eq!(fixture.network.poll_count(), 0);
}

/// Java: `NetworkClientTest.testSimpleRequestResponse`. Scenario: N02.
#[test]
fn a_response_is_matched_with_its_request() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let id = fixture.send(0);
    assert_eq!(fixture.client.in_flight_request_count(), 1);
    let (header, _) = fixture.only_sent(0, ApiKeys::InitProducerId);
    assert_eq!(header.correlation_id, id);
    assert_eq!(header.client_id.as_deref(), Some("ottla"));
    assert_eq!(fixture.pass().len(), 0);
    fixture.time.advance(ms(7));
    let body = InitProducerIdResponse {
        producer_id: 4711,
        ..InitProducerIdResponse::default()
    };
    fixture.answer(0, &header, body.clone());
    let responses = fixture.pass();
    assert_eq!(correlation_ids(&responses), [id]);
    let Outcome::Answered(answer) = &responses[0].outcome else {
        panic!("{responses:?}");
    };
    assert_eq!(*answer, ResponseBody::from(body));
    assert_eq!(responses[0].latency, ms(7));
    assert_eq!(fixture.pass().len(), 0, "told once");
    assert!(!fixture.client.has_in_flight_requests());
}

/// Java: `NetworkClientTest.testSimpleRequestResponseWithNoBrokerDiscovery`. Scenario: N02 (no version discovery).
#[test]
fn without_version_discovery_the_latest_versions_are_used() {
    let mut fixture = Fixture::with_config(
        1,
        NetworkClientConfig {
            discover_broker_versions: false,
            ..config()
        },
    );
    assert!(!fixture.ready(0));
    fixture.pass();
    assert!(fixture.is_ready(0), "a TCP connection is all it takes");
    fixture.produce(0, 1);
    let (header, _) = fixture.only_sent(0, ApiKeys::Produce);
    assert_eq!(header.api_version, 13);
}

/// Java: `NetworkClientTest.testUnsupportedApiVersionsRequestWithoutVersionProvidedByTheBroker` (the choice), own.
/// Scenario: P11, P13, P17 (the choice at the node).
#[test]
fn a_request_without_a_common_version_fails_locally_and_leaves_the_connection_alone() {
    let mut fixture = Fixture::new(1);
    assert!(!fixture.ready(0));
    fixture.pass();
    fixture.answer_api_versions(0, versions([(ApiKeys::Produce, 0, 6)]));
    fixture.pass();
    let send = |fixture: &mut Fixture, builder| fixture.send_request(0, builder, None);
    // zstd needs 7.
    let builder = RequestBuilder::of(ProduceRequest::default()).at_least(7);
    let id = send(&mut fixture, builder);
    let polls = fixture.network.poll_count();
    let responses = fixture.pass();
    assert_eq!(fixture.network.poll_count(), polls, "told without I/O");
    assert_eq!(correlation_ids(&responses), [id]);
    let Outcome::Failed(RequestFailure::VersionMismatch(error)) = &responses[0].outcome else {
        panic!("{responses:?}");
    };
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert_eq!(
        error.message(),
        "no common version of Produce: the broker speaks 0 to 6, this request needs 7 to 13"
    );
    send(&mut fixture, RequestBuilder::of(ProduceRequest::default()));
    let (header, _) = fixture.only_sent(0, ApiKeys::Produce);
    assert_eq!(header.api_version, 6);
    assert_eq!(fixture.client.in_flight_request_count(), 1);
}

/// Scenario: P18 (the cap).
#[test]
fn a_request_may_cap_its_own_version_and_fail_while_it_is_built() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    // A topic without an id cannot be named by version 13.
    let builder = RequestBuilder::of(ProduceRequest::default()).at_most(12);
    fixture.send_request(0, builder, None);
    let (header, _) = fixture.only_sent(0, ApiKeys::Produce);
    assert_eq!(header.api_version, 12);
    let unsayable = |version| {
        let message = format!("version {version} cannot say this");
        Err(KafkaError::new(ErrorKind::UnsupportedVersion, message))
    };
    fixture.send_request(0, RequestBuilder::new(ApiKeys::Produce, unsayable), None);
    let responses = fixture.pass();
    let Outcome::Failed(failure) = &responses[0].outcome else {
        panic!("{responses:?}");
    };
    assert_eq!(
        failure.to_string(),
        "UnsupportedVersion: version 13 cannot say this"
    );
    assert!(fixture.is_ready(0));
}

/// Java: `NetworkClientTest.testMetadataRequestWithUnsupportedVersion` (the user's own). Scenario: N21.
#[test]
fn a_metadata_request_of_the_user_is_answered_to_the_user() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let id = fixture.send_request(0, RequestBuilder::of(MetadataRequest::default()), None);
    fixture.network.disconnect(NodeId(0));
    let responses = fixture.pass();
    assert_eq!(correlation_ids(&responses), [id]);
    assert!(is_disconnected(&responses[0]));
}

/// Java: `NetworkClientTest.testCorrelationId`. Scenario: N26.
#[test]
fn correlation_ids_leave_out_the_eight_of_the_authenticator() {
    let mut fixture = Fixture::new(1);
    let now = fixture.now();
    let next = |fixture: &mut Fixture| {
        let builder = RequestBuilder::of(InitProducerIdRequest::default());
        fixture
            .client
            .new_client_request(NodeId(0), builder, now, true)
            .correlation_id
    };
    assert_eq!(next(&mut fixture), 0);
    assert_eq!(next(&mut fixture), 1);
    fixture.client.correlation_id = i32::MAX - 8;
    assert_eq!(next(&mut fixture), i32::MAX - 8);
    assert_eq!(next(&mut fixture), i32::MIN);
    assert_eq!(next(&mut fixture), i32::MIN + 1);
    fixture.client.correlation_id = -1;
    assert_eq!(next(&mut fixture), -1);
    assert_eq!(next(&mut fixture), 0);
}

/// Scenario: N32.
#[test]
fn the_fifth_request_in_flight_is_allowed_and_the_sixth_is_not() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    for _ in 0..5 {
        assert!(fixture.is_ready(0));
        fixture.send(0);
    }
    assert!(!fixture.is_ready(0));
    assert_eq!(fixture.client.in_flight_request_count_of(NodeId(0)), 5);
    let (_, header, _) = fixture.sent().remove(0);
    fixture.answer(0, &header, InitProducerIdResponse::default());
    assert_eq!(fixture.pass().len(), 1);
    assert!(fixture.is_ready(0));
}

/// Scenario: N32 (partial write).
#[test]
fn a_request_half_written_holds_back_the_next() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.network.slow_sends(true);
    fixture.send(0);
    assert!(!fixture.is_ready(0));
    fixture.pass();
    assert!(fixture.is_ready(0));
}

/// Java: `NetworkClientTest.testSendWithNoAcks` (idea). Scenario: N33.
#[test]
fn a_request_without_a_response_is_done_when_it_is_written() {
    for slow in [false, true] {
        let mut fixture = Fixture::new(1);
        fixture.connect(0);
        fixture.network.slow_sends(slow);
        let id = fixture.produce(0, 0);
        assert_eq!(fixture.client.has_in_flight_requests(), slow);
        let responses = fixture.poll(ms(1000));
        assert_eq!(correlation_ids(&responses), [id]);
        assert!(matches!(responses[0].outcome, Outcome::Written));
        assert!(!fixture.client.has_in_flight_requests());
        let limit = if slow { ms(1000) } else { Duration::ZERO };
        assert_eq!(fixture.network.last_timeout(), Some(limit));
        // On an error the broker closes the connection, which is nobody's answer.
        fixture.network.disconnect(NodeId(0));
        assert_eq!(fixture.pass().len(), 0);
    }
}

/// Java: `NetworkClientTest.testCorrelationId` (mismatch), own. Scenario: N34.
#[test]
fn a_response_to_another_request_ends_the_connection_and_fails_all_in_flight() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let first = fixture.send(0);
    let second = fixture.send(0);
    fixture.answer_as(0, 5, second, InitProducerIdResponse::default());
    let responses = fixture.pass();
    assert_eq!(correlation_ids(&responses), [first, second]);
    assert!(responses.iter().all(is_disconnected));
    let Outcome::Failed(failure) = &responses[0].outcome else {
        panic!("{responses:?}");
    };
    assert_eq!(
        failure.to_string(),
        format!(
            "10.0.0.0:9092: the response has correlation id {second} where {first} was to be answered"
        )
    );
    assert!(!fixture.is_ready(0));
    fixture.time.advance(ms(1000));
    fixture.answer_metadata_out_of_band([node(0)]);
    fixture.time.advance(ms(1000));
    fixture.sent();
    fixture.connect(0);
}

/// Scenario: N34 (undecodable body).
#[test]
fn a_response_that_cannot_be_read_ends_the_connection_and_fails_all_in_flight() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let first = fixture.send(0);
    let second = fixture.send(0);
    let mut frame = first.to_be_bytes().to_vec();
    frame.extend([0, 0]);
    fixture.network.receive(NodeId(0), frame);
    let responses = fixture.pass();
    assert_eq!(correlation_ids(&responses), [first, second]);
    assert!(responses.iter().all(is_disconnected));
    let reason = fixture.last_connection_error().expect("kept");
    assert!(
        reason.starts_with("10.0.0.0:9092: the response to InitProducerId v6 cannot be read:"),
        "{reason}"
    );
}

/// Scenario: N35.
#[test]
fn a_response_that_nobody_asked_for_ends_the_connection() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    fixture.network.receive(NodeId(0), vec![0; 20]);
    assert_eq!(fixture.pass().len(), 0);
    assert!(!fixture.is_ready(0));
    assert!(fixture.client.connection_failed(&node(0)));
}

/// There are no callbacks inside `poll`; what is left of that scenario is that whoever handles the responses
/// may send at once. Scenario: N36.
#[test]
fn a_response_may_be_followed_by_a_request_at_once() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    for _ in 0..3 {
        let id = fixture.send(0);
        let (header, _) = fixture.only_sent(0, ApiKeys::InitProducerId);
        fixture.answer(0, &header, InitProducerIdResponse::default());
        assert_eq!(correlation_ids(&fixture.pass()), [id]);
    }
}

/// Java: `NetworkClientTest.testServerDisconnectAfterInternalApiVersionRequest` (order). Scenario: NW1.
#[test]
fn responses_that_arrived_are_delivered_before_the_disconnect_of_the_same_poll() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let first = fixture.send(0);
    let second = fixture.send(0);
    let (_, header, _) = fixture.sent().remove(0);
    fixture.answer(0, &header, InitProducerIdResponse::default());
    let error = "connection reset by peer".to_owned();
    // Both in one poll: the mock delivers the last frame with the end of its connection.
    fixture.network.fail(
        NodeId(0),
        crate::network::channel_state::ChannelState::Ready { error },
    );
    let mut responses = fixture.pass();
    responses.extend(fixture.pass());
    assert_eq!(correlation_ids(&responses), [first, second]);
    assert!(matches!(responses[0].outcome, Outcome::Answered(_)));
    let Outcome::Failed(failure) = &responses[1].outcome else {
        panic!("{responses:?}");
    };
    assert_eq!(
        failure.to_string(),
        "10.0.0.0:9092: connection lost: connection reset by peer"
    );
}

#[test]
fn a_request_says_of_itself_what_it_is() {
    let builder = RequestBuilder::of(ProduceRequest::default()).at_most(12);
    let request = ClientRequest {
        correlation_id: 1,
        destination: NodeId(1),
        builder,
        created: MockTime::shared().now(),
        expects_response: true,
        timeout: ms(1),
    };
    assert_eq!(request.api_key(), ApiKeys::Produce);
    assert_eq!(format!("{:?}", request.builder), "Produce v3-12");
}

#[test]
fn a_request_that_the_lost_connection_did_not_take_is_known_not_to_be_sent() {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let first = fixture.send(0);
    fixture.network.refuse_sends();
    let second = fixture.send(0);
    let responses = fixture.pass();
    assert_eq!(correlation_ids(&responses), [first, second]);
    assert!(is_disconnected(&responses[0]));
    let Outcome::Failed(RequestFailure::NotSent { reason }) = &responses[1].outcome else {
        panic!("{:?}", responses[1]);
    };
    assert!(reason.contains("broken pipe"), "{reason}");
}
