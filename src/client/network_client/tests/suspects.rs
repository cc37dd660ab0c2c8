//! Nodes that let others wait: whom the client asks instead, and whom it leaves in peace.

use super::*;
use crate::protocol::messages::find_coordinator::FindCoordinatorRequest;
use crate::protocol::messages::init_producer_id::InitProducerIdResponse;
use crate::testing::mock_selector::ConnectOutcome;

impl Fixture {
    fn suspicious(nodes: i32) -> Self {
        Self::with_config(nodes, suspicious())
    }

    /// Lets time pass until the client has something to do, and lets it do that.
    fn wait(&mut self) -> Vec<ClientResponse> {
        self.poll(ms(60_000))
    }

    fn is_suspect(&self, id: i32) -> bool {
        self.client.is_suspect(NodeId(id))
    }

    /// Who was asked for metadata since the last look.
    fn asked(&self) -> Vec<(NodeId, RequestHeader)> {
        let sent = self.sent().into_iter();
        sent.filter(|(_, header, _)| header.api == ApiKeys::Metadata)
            .map(|(to, header, _)| (to, header))
            .collect()
    }

    fn answer_metadata(&self, to: NodeId, header: &RequestHeader, nodes: i32) {
        self.answer(to.0, header, metadata_response((0..nodes).map(node)));
    }

    /// Passes of ten milliseconds each, in which every question for metadata is answered but those to `frozen`.
    fn run(&mut self, steps: usize, frozen: i32) -> Vec<NodeId> {
        let mut asked = Vec::new();
        for _ in 0..steps {
            self.time.advance(ms(10));
            self.pass();
            for (to, header) in self.asked() {
                if to != NodeId(frozen) {
                    self.answer_metadata(to, &header, 3);
                }
                asked.push(to);
            }
        }
        asked
    }
}

fn suspicious() -> NetworkClientConfig {
    NetworkClientConfig {
        leader_suspect: Some(ms(1000)),
        ..config()
    }
}

#[test]
fn an_overdue_node_makes_the_client_ask_another_once_a_second_and_keeps_its_connection() {
    let mut fixture = Fixture::suspicious(3);
    for id in 0..3 {
        fixture.connect(id);
    }
    fixture.produce(0, -1);
    fixture.sent();
    assert_eq!(fixture.run(99, 0), []);
    assert!(!fixture.client.has_suspects());
    let asked = fixture.run(500, 0);
    assert_eq!(asked.len(), 5, "once a second: {asked:?}");
    assert!(!asked.contains(&NodeId(0)));
    assert!(fixture.is_suspect(0) && !fixture.is_suspect(1));
    assert!(!fixture.client.connection_failed(&node(0)));
    assert_eq!(fixture.client.in_flight_request_count_of(NodeId(0)), 1);
}

#[test]
fn the_poll_ends_when_a_node_becomes_overdue_and_the_user_learns_it_at_once() {
    let mut fixture = Fixture::suspicious(2);
    fixture.connect(0);
    fixture.connect(1);
    fixture.produce(0, -1);
    fixture.sent();
    assert_eq!(fixture.wait().len(), 0);
    assert_eq!(fixture.network.last_timeout(), Some(ms(1000)));
    assert!(!fixture.is_suspect(0), "nobody has looked yet");
    assert_eq!(fixture.wait().len(), 0);
    assert_eq!(fixture.network.last_timeout(), Some(Duration::ZERO));
    assert!(fixture.is_suspect(0));
}

#[test]
fn a_late_answer_ends_the_suspicion() {
    let mut fixture = Fixture::suspicious(2);
    fixture.connect(0);
    fixture.connect(1);
    let id = fixture.produce(0, -1);
    let (header, _) = fixture.only_sent(0, ApiKeys::Produce);
    fixture.run(150, 0);
    assert!(fixture.is_suspect(0));
    fixture.answer(0, &header, produce_response(0));
    assert_eq!(correlation_ids(&fixture.pass()), [id]);
    assert!(!fixture.client.has_suspects());
    assert_eq!(fixture.run(500, 0), [], "nobody is overdue any more");
}

#[test]
fn a_pause_that_the_broker_asked_for_is_no_reason_for_suspicion() {
    let mut fixture = Fixture::suspicious(2);
    fixture.connect(0);
    fixture.connect(1);
    fixture.produce(0, -1);
    let (first, _) = fixture.only_sent(0, ApiKeys::Produce);
    fixture.produce(0, -1);
    fixture.only_sent(0, ApiKeys::Produce);
    fixture.answer(0, &first, produce_response(5000));
    fixture.run(550, 0);
    assert!(!fixture.client.has_suspects());
    fixture.run(60, 0);
    assert!(fixture.is_suspect(0), "the pause is over and a second too");
}

#[test]
fn metadata_that_an_overdue_node_owes_is_asked_of_another_and_its_late_answer_counts_for_nothing() {
    let mut fixture = Fixture::suspicious(1);
    fixture.connect(0);
    fixture.answer_metadata_out_of_band((0..2).map(node));
    fixture.time.advance(ms(200));
    fixture.metadata.with(|m| m.request_update(true));
    fixture.pass();
    let (frozen, question) = fixture.asked().remove(0);
    assert_eq!(frozen, NodeId(0));
    fixture.connect(1);
    fixture.time.advance(ms(1000));
    fixture.pass();
    let (to, header) = fixture.asked().remove(0);
    assert_eq!(to, NodeId(1));
    fixture.answer_metadata(NodeId(0), &question, 1);
    fixture.pass();
    assert_eq!(fixture.metadata.snapshot().nodes().len(), 2, "not heard");
    assert!(!fixture.is_suspect(0), "but it lives");
    fixture.answer_metadata(to, &header, 3);
    fixture.pass();
    assert_eq!(fixture.metadata.snapshot().nodes().len(), 3);
}

#[test]
fn a_frozen_bootstrap_server_costs_a_second() {
    let servers: Vec<_> = (1..=3)
        .map(|n| Node::new(-n, format!("10.0.0.{n}"), 9092))
        .collect();
    for outcome in [ConnectOutcome::Hang, ConnectOutcome::StayInHandshake] {
        let mut fixture = Fixture::bootstrapped(servers.clone(), suspicious());
        for n in 1..=3 {
            fixture.network.on_connect(address(n), outcome.clone());
        }
        fixture.pass();
        let (first, _) = fixture.network.connects()[0];
        for n in (1..=3).filter(|n| NodeId(-n) != first) {
            fixture
                .network
                .on_connect(address(n), ConnectOutcome::Connect);
        }
        fixture.wait();
        fixture.pass();
        assert_eq!(fixture.time.elapsed(), ms(1000));
        fixture.pass();
        let (second, _) = fixture.network.connects()[1];
        assert_ne!(second, first);
        let (header, _) = fixture.only_sent(second.0, ApiKeys::ApiVersions);
        fixture.answer(second.0, &header, everything());
        fixture.pass();
        fixture.pass();
        assert_eq!(fixture.asked()[0].0, second);
    }
}

#[test]
fn a_bootstrap_server_that_accepts_and_never_answers_costs_a_second() {
    let servers = vec![
        Node::new(-1, "10.0.0.1", 9092),
        Node::new(-2, "10.0.0.2", 9092),
    ];
    let mut fixture = Fixture::bootstrapped(servers, suspicious());
    fixture.pass();
    fixture.pass();
    let (silent, header, _) = fixture.sent().remove(0);
    assert_eq!(header.api, ApiKeys::ApiVersions);
    fixture.wait();
    fixture.pass();
    fixture.pass();
    let (other, header, _) = fixture.sent().remove(0);
    assert_ne!(other, silent);
    assert_eq!(header.api, ApiKeys::ApiVersions);
    assert_eq!(fixture.time.elapsed(), ms(1000));
}

#[test]
fn an_id_that_an_overdue_node_owes_is_taken_back_where_another_node_is_there() {
    for others in [0, 1] {
        let mut fixture = Fixture::suspicious(1 + others);
        fixture.connect(0);
        let builder = RequestBuilder::of(InitProducerIdRequest {
            transactional_id: None,
            ..InitProducerIdRequest::default()
        });
        let id = fixture.send_request(0, builder, None);
        let (header, _) = fixture.only_sent(0, ApiKeys::InitProducerId);
        let builder = RequestBuilder::of(FindCoordinatorRequest::default());
        let coordinator = fixture.send_request(0, builder, None);
        let ours = RequestBuilder::of(InitProducerIdRequest {
            transactional_id: Some("mine".to_owned()),
            ..InitProducerIdRequest::default()
        });
        fixture.send_request(0, ours, None);
        fixture.time.advance(ms(1000));
        let mut ended = fixture.pass();
        ended.extend(fixture.pass());
        if others == 0 {
            assert_eq!(ended.len(), 0, "there is nobody else to ask");
            continue;
        }
        assert_eq!(correlation_ids(&ended), [id, coordinator]);
        assert!(ended.iter().all(is_disconnected));
        assert_eq!(fixture.client.in_flight_request_count_of(NodeId(0)), 3);
        fixture.answer(0, &header, InitProducerIdResponse::default());
        assert_eq!(fixture.pass().len(), 0, "told already");
        fixture.network.disconnect(NodeId(0));
        assert_eq!(fixture.pass().len(), 1, "the one of the transactional id");
    }
}

#[test]
fn where_everybody_is_overdue_the_first_that_answers_is_asked() {
    let mut fixture = Fixture::suspicious(2);
    let mut headers = Vec::new();
    for id in 0..2 {
        fixture.connect(id);
        fixture.produce(id, -1);
        headers.push(fixture.only_sent(id, ApiKeys::Produce).0);
    }
    fixture.time.advance(ms(1000));
    fixture.pass();
    let (asked, _) = fixture.asked().remove(0);
    let other = 1 - asked.0;
    fixture.run(200, asked.0);
    fixture.answer(
        other,
        &headers[usize::try_from(other).unwrap()],
        produce_response(0),
    );
    fixture.pass();
    assert_eq!(fixture.run(1, asked.0), [NodeId(other)], "at once");
}

#[test]
fn zero_switches_suspicion_off() {
    let mut fixture = Fixture::new(2);
    fixture.connect(0);
    fixture.connect(1);
    fixture.produce(0, -1);
    fixture.sent();
    assert_eq!(fixture.run(2900, 0), []);
    assert!(!fixture.client.has_suspects());
}
