//! What the connection states promise.

use super::*;
use crate::common::error_kind::ErrorKind;
use crate::common::time::{SystemTime, Time};

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn states() -> ClusterConnectionStates {
    let reconnect = ExponentialBackoff::new(ms(50), ms(1000));
    let setup = ExponentialBackoff::new(ms(10_000), ms(30_000));
    ClusterConnectionStates::new(reconnect, setup, 7)
}

fn node(id: NodeId) -> Node {
    Node::new(id.0, "broker.example", 9092)
}

fn address(n: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, n], 9092))
}

fn around(base: u64, max: u64) -> std::ops::RangeInclusive<Duration> {
    ms(base * 4 / 5)..=ms((base * 6 / 5).min(max))
}

/// Java: `ClusterConnectionStatesTest.testClusterConnectionStateChanges`, `testMultipleNodeConnectionStates`.
/// Scenario: C01.
#[test]
fn a_connection_goes_through_its_states_on_its_own() {
    let mut states = states();
    let now = SystemTime.now();
    assert!(states.can_connect(A, now));
    assert!(!states.is_disconnected(A), "never tried");
    states.connecting(&node(A), now);
    assert!(states.is_connecting(A) && states.is_preparing(A));
    assert!(!states.can_connect(A, now) && !states.is_ready(A, now));
    assert!(states.can_connect(B, now), "the other one is independent");
    states.checking_api_versions(A);
    assert!(!states.is_connecting(A));
    assert!(states.is_preparing(A) && states.is_connected(A));
    assert!(!states.is_ready(A, now));
    states.ready(A);
    assert!(states.is_ready(A, now));
    assert!(!states.is_preparing(A));
    states.connecting(&node(B), now);
    states.disconnected(B, now);
    assert!(states.is_disconnected(B) && !states.is_disconnected(A));
    assert!(!states.can_connect(B, now));
    assert!(states.can_connect(B, now + ms(60)));
    states.disconnected(A, now);
    assert!(!states.is_ready(A, now));
    assert_eq!(states.last_connect_attempt(A), Some(now));
}

/// Java: `ClusterConnectionStatesTest.testAuthorizationFailed`. Scenario: C02.
#[test]
fn a_refused_login_is_remembered_until_one_succeeds() {
    let mut states = states();
    let now = SystemTime.now();
    states.connecting(&node(A), now);
    let error = KafkaError::new(ErrorKind::SaslAuthentication, "no");
    states.disconnected(A, now);
    states.authentication_failed(A, now, error);
    assert!(states.authentication_error(A).is_some());
    assert!(states.is_disconnected(A));
    states.connecting(&node(A), now + ms(200));
    assert!(states.authentication_error(A).is_some());
    states.checking_api_versions(A);
    states.ready(A);
    assert!(states.authentication_error(A).is_none());
}

/// Java: `ClusterConnectionStatesTest.testExponentialReconnectBackoff`. Scenario: C03.
#[test]
fn the_reconnect_backoff_grows_and_ends_with_ready_only() {
    let mut states = states();
    let mut now = SystemTime.now();
    for base in [50, 100, 200, 400, 800, 1000, 1000, 1000] {
        states.connecting(&node(A), now);
        // Getting as far as asking for versions is not yet a success.
        states.checking_api_versions(A);
        states.disconnected(A, now);
        let delay = states.connection_delay(A, now);
        assert!(
            around(base, 1000).contains(&delay),
            "{delay:?} around {base}"
        );
        now += delay;
    }
    states.connecting(&node(A), now);
    states.ready(A);
    states.disconnected(A, now);
    let delay = states.connection_delay(A, now);
    assert!(around(50, 1000).contains(&delay), "{delay:?}");
}

/// Java: `ClusterConnectionStatesTest.testExponentialConnectionSetupTimeout`,
/// `testTimedOutConnections`. Scenario: C04.
#[test]
fn the_setup_timeout_grows_while_no_connection_comes_about() {
    let mut states = states();
    let mut now = SystemTime.now();
    for base in [10_000, 20_000, 30_000, 30_000] {
        states.connecting(&node(A), now);
        let limit = states.connection_delay(A, now);
        assert!(
            around(base, 30_000).contains(&limit),
            "{limit:?} around {base}"
        );
        assert_eq!(states.time_to_next_setup_timeout(now), limit);
        now += limit - ms(1);
        assert_eq!(states.nodes_with_connection_setup_timeout(now), []);
        now += ms(1);
        assert_eq!(states.nodes_with_connection_setup_timeout(now), [A]);
        states.disconnected(A, now);
        assert_eq!(states.time_to_next_setup_timeout(now), Duration::MAX);
        now += ms(1000);
    }
    for lost_later in [false, true] {
        states.connecting(&node(A), now);
        states.checking_api_versions(A);
        if lost_later {
            states.disconnected(A, now);
        } else {
            states.ready(A);
            states.disconnected(A, now);
        }
        states.connecting(&node(A), now);
        let limit = states.connection_delay(A, now);
        assert!(around(10_000, 30_000).contains(&limit), "{limit:?}");
        states.disconnected(A, now);
    }
}

/// Java: `ClusterConnectionStatesTest.testSingleIP`, `testMultipleIPs`, `testHostResolveChange`. Scenario: C06.
#[test]
fn addresses_are_tried_in_turn_and_then_looked_up_again() {
    let mut states = states();
    let now = SystemTime.now();
    states.connecting(&node(A), now);
    assert_eq!(states.current_address(A), None, "to be looked up");
    states.set_addresses(A, vec![address(1), address(2)]);
    assert_eq!(states.current_address(A), Some(address(1)));
    assert_eq!(states.current_address(A), Some(address(1)), "stays");
    states.disconnected(A, now);
    states.connecting(&node(A), now);
    assert_eq!(states.current_address(A), Some(address(2)));
    states.disconnected(A, now);
    states.connecting(&node(A), now);
    assert_eq!(states.current_address(A), None, "exhausted");
    states.connecting(&node(B), now);
    states.set_addresses(B, vec![address(9)]);
    states.disconnected(B, now);
    states.connecting(&node(B), now);
    assert_eq!(
        states.current_address(B),
        None,
        "a single one is looked up each time"
    );
}

/// Java: `ClusterConnectionStatesTest.testNodeWithNewHostname`, `testIsPreparingConnection` (idea),
/// `NetworkClientTest.testReconnectAfterAddressChange`. Scenario: C07.
#[test]
fn a_lost_connection_or_another_host_means_to_look_up_again() {
    let mut states = states();
    let now = SystemTime.now();
    states.connecting(&node(A), now);
    states.set_addresses(A, vec![address(1), address(2)]);
    states.current_address(A);
    states.checking_api_versions(A);
    states.ready(A);
    states.disconnected(A, now);
    states.connecting(&node(A), now);
    assert_eq!(states.current_address(A), None, "it may have moved");
    states.set_addresses(A, vec![address(1), address(2)]);
    assert_eq!(states.current_address(A), Some(address(2)));
    states.disconnected(A, now);
    assert_eq!(states.failed_attempts(A), 2);
    let moved = Node::new(A.0, "other.example", 9092);
    states.connecting(&moved, now);
    assert_eq!(states.failed_attempts(A), 0, "a fresh start");
    assert_eq!(states.current_address(A), None);
    let (host, port) = states.host_and_port(A).expect("known");
    assert_eq!((&**host, port), ("other.example", 9092));
}

/// Java: `ClusterConnectionStatesTest.testSkipLastAttemptedIp`. Scenario: C09.
#[test]
fn the_address_that_was_tried_last_is_not_tried_first_again() {
    let mut states = states();
    let now = SystemTime.now();
    let mut attempt = |list: &[SocketAddr]| {
        states.connecting(&node(A), now);
        if states.current_address(A).is_none() {
            states.set_addresses(A, list.to_vec());
        }
        let address = states.current_address(A);
        states.checking_api_versions(A);
        states.disconnected(A, now);
        address
    };
    let both = [address(1), address(2)];
    assert_eq!(attempt(&both), Some(address(1)));
    assert_eq!(attempt(&both), Some(address(2)));
    assert_eq!(attempt(&both), Some(address(1)));
    let one = [address(1)];
    assert_eq!(attempt(&one), Some(address(1)), "there is no other");
}

/// Java: `ClusterConnectionStatesTest.testThrottled`. Scenario: C10.
#[test]
fn a_pause_ends_at_its_time_and_never_earlier() {
    let mut states = states();
    let now = SystemTime.now();
    states.connecting(&node(A), now);
    states.ready(A);
    states.throttle(A, now + ms(100));
    states.throttle(A, now + ms(20));
    assert!(!states.is_ready(A, now + ms(99)));
    assert!(states.is_ready(A, now + ms(100)));
    assert_eq!(states.throttle_delay(A, now + ms(40)), ms(60));
    assert_eq!(states.poll_delay(A, now), ms(100));
    assert_eq!(states.poll_delay(A, now + ms(100)), Duration::MAX);
    assert_eq!(states.throttle_delay(B, now), Duration::ZERO);
}
