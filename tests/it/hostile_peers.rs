//! Whatever listens on the port: the caller learns what it was, within its limit.

use ottla::{ErrorKind, KafkaError, ProducerRecord, TimeLimit};

use crate::peers::{Peer, closed_port};
use crate::support::{error, must_end, text_producer};

/// Short, so that each test waits for one limit only once.
const SETTINGS: [(&str, &str); 3] = [
    ("max.block.ms", "500"),
    ("request.timeout.ms", "200"),
    ("delivery.timeout.ms", "1000"),
];

/// What the first send fails with; the future carries it, as in Java.
fn first_error(servers: &str) -> KafkaError {
    let servers = servers.to_owned();
    must_end("send", move || {
        let producer = text_producer(&servers, &SETTINGS);
        error(
            producer
                .send(ProducerRecord::new("t", "k", "v"))
                .and_then(|future| future.get()),
        )
    })
}

fn assert_not_present(error: &KafkaError, cause: &str) {
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.time_limit(), Some(TimeLimit::MaxBlock), "{error}");
    let text = error.to_string();
    assert!(text.contains("topic t"), "names the topic: {text}");
    assert!(text.contains("500 ms"), "names the limit: {text}");
    assert!(text.contains(cause), "says why ({cause}): {text}");
}

#[test]
fn no_broker_at_all() {
    let address = closed_port();
    let error = first_error(&address);
    assert_not_present(&error, &address);
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_broker_that_never_answers() {
    let peer = Peer::silent();
    assert_not_present(&first_error(peer.address()), peer.address());
}

#[test]
fn a_broker_that_closes_after_every_request() {
    let peer = Peer::hangs_up();
    assert_not_present(&first_error(peer.address()), peer.address());
}

#[test]
fn an_http_server() {
    let peer = Peer::answers(
        "HTTP/1.1 400 Bad Request\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
    );
    assert_not_present(&first_error(peer.address()), "HTTP");
}

#[test]
fn a_tls_server() {
    // A fatal alert, "unexpected message", as TLS servers send to those who do not speak TLS.
    let peer = Peer::answers([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x0a]);
    assert_not_present(&first_error(peer.address()), "TLS");
}

#[test]
fn a_frame_of_negative_length() {
    let peer = Peer::answers((-1_i32).to_be_bytes());
    assert_not_present(&first_error(peer.address()), "-1");
}

#[test]
fn a_frame_of_length_zero() {
    let peer = Peer::answers(0_i32.to_be_bytes());
    assert_not_present(&first_error(peer.address()), peer.address());
}

#[test]
fn a_frame_of_the_greatest_length() {
    let peer = Peer::answers(i32::MAX.to_be_bytes());
    assert_not_present(&first_error(peer.address()), "2147483647");
}

#[test]
fn a_wrong_correlation_id() {
    // A complete answer to ApiVersions 0 with an empty list, for a request that was never made.
    let mut frame = 10_i32.to_be_bytes().to_vec();
    frame.extend_from_slice(&12345_i32.to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0, 0, 0, 0]);
    let peer = Peer::answers(frame);
    assert_not_present(&first_error(peer.address()), "correlation id");
}

#[test]
fn no_name_of_the_bootstrap_list_can_be_resolved() {
    let pairs = [("bootstrap.servers", "no-such-host.invalid:9092")];
    let error = must_end("construction", move || {
        error(ottla::KafkaProducer::<str, str>::from_properties(pairs))
    });
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(
        error.to_string().contains("no-such-host.invalid"),
        "{error}"
    );
}
