//! Which node is asked when any will do.

use super::*;
use crate::client::kafka_client::LeastLoadedNode;
use crate::testing::mock_selector::ConnectOutcome;

impl Fixture {
    fn least_loaded(&mut self) -> LeastLoadedNode {
        let now = self.now();
        self.client.least_loaded_node(now)
    }

    fn least_loaded_id(&mut self) -> Option<i32> {
        self.least_loaded().node.map(|node| node.id())
    }
}

/// Java: `NetworkClientTest.testLeastLoadedNode`. Scenario: N16.
#[test]
fn an_idle_node_is_better_than_a_busy_one_and_that_better_than_a_new_one() {
    let mut fixture = Fixture::new(3);
    fixture.connect(0);
    fixture.connect(1);
    fixture.send(0);
    assert_eq!(fixture.least_loaded_id(), Some(1), "idle");
    fixture.send(1);
    fixture.send(1);
    assert_eq!(fixture.least_loaded_id(), Some(0), "fewest in flight");
    fixture.send(0);
    fixture.send(0);
    assert_eq!(fixture.least_loaded_id(), Some(1));
}

/// Java: `NetworkClientTest.testLeastLoadedNodeConsidersThrottledConnections` (idea). Scenario: N16 (connecting).
#[test]
fn a_connection_on_its_way_is_better_than_one_more() {
    let mut fixture = Fixture::new(3);
    fixture.network.on_connect(address(1), ConnectOutcome::Hang);
    fixture.ready(1);
    for _ in 0..20 {
        assert_eq!(fixture.least_loaded_id(), Some(1));
    }
}

/// Java: `NetworkClientTest.testHasNodeAvailableOrConnectionReady*`. Scenario: N16 (none), N17.
#[test]
fn nodes_to_be_left_alone_are_nobodys_choice() {
    let mut fixture = Fixture::new(2);
    for id in 0..2 {
        let refused = ConnectOutcome::refused(address(id));
        fixture.network.on_connect(address(id), refused);
        fixture.ready(id);
    }
    fixture.pass();
    let none = fixture.least_loaded();
    assert_eq!(none.node, None);
    assert!(!none.has_node_available_or_connection_ready());
}

/// Java: `NetworkClientTest.testLeastLoadedNodeConsidersThrottledConnections`. Scenario: N17.
#[test]
fn a_throttled_node_is_passed_over() {
    let mut fixture = Fixture::new(2);
    fixture.connect(0);
    fixture.connect(1);
    fixture.produce(0, 1);
    let (header, _) = fixture.only_sent(0, ApiKeys::Produce);
    fixture.answer(0, &header, produce_response(1000));
    fixture.pass();
    for _ in 0..20 {
        assert_eq!(fixture.least_loaded_id(), Some(1));
    }
    for _ in 0..5 {
        fixture.send(1);
    }
    let busy = fixture.least_loaded();
    assert_eq!(busy.node, None);
    assert!(busy.at_least_one_connection_ready, "node 1 is, though busy");
    assert!(busy.has_node_available_or_connection_ready());
}

/// Java: `NetworkClientTest.testLeastLoadedNodeProvideDisconnectedNodesPrioritizedByLastConnectionTimestamp`.
/// Scenario: N18.
#[test]
fn nodes_without_a_connection_are_tried_in_turn() {
    let mut fixture = Fixture::with_config(
        3,
        NetworkClientConfig {
            reconnect_backoff: ExponentialBackoff::new(ms(1), ms(1)),
            ..config()
        },
    );
    let mut tried = Vec::new();
    for round in 0..9 {
        let id = fixture.least_loaded_id().expect("all may be tried");
        let refused = ConnectOutcome::refused(address(id));
        fixture.network.on_connect(address(id), refused);
        fixture.ready(id);
        fixture.pass();
        fixture.time.advance(ms(10));
        fixture.answer_metadata_out_of_band((0..3).map(node));
        if round < 3 {
            assert!(!tried.contains(&id), "each once before one twice");
        } else {
            assert_eq!(id, tried[round - 3], "then in the same order");
        }
        tried.push(id);
    }
}

#[test]
fn no_nodes_means_no_choice() {
    let mut fixture = Fixture::bootstrapped(Vec::new(), config());
    assert_eq!(fixture.least_loaded_id(), None);
}
