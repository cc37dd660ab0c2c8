//! Whatever happens, every request ends exactly once.

use std::collections::{BTreeSet, VecDeque};

use super::*;
use crate::protocol::messages::init_producer_id::InitProducerIdResponse;
use crate::testing::mock_selector::ConnectOutcome;

const NODES: i32 = 3;

/// A run of random events, and what it has to account for.
struct Run {
    fixture: Fixture,
    random: fastrand::Rng,
    /// Requests that have not ended.
    pending: BTreeSet<i32>,
    ended: usize,
    /// Requests that the brokers have not answered, and the connection they came on.
    unanswered: VecDeque<(i32, usize, RequestHeader)>,
    /// From now on the brokers behave.
    is_healed: bool,
}

impl Run {
    fn new(seed: u64) -> Self {
        let random_seed = seed;
        Self {
            fixture: Fixture::with_config(
                NODES,
                NetworkClientConfig {
                    random_seed,
                    ..config()
                },
            ),
            random: fastrand::Rng::with_seed(seed),
            pending: BTreeSet::new(),
            ended: 0,
            unanswered: VecDeque::new(),
            is_healed: false,
        }
    }

    fn step(&mut self) {
        let id = self.random.i32(0..NODES);
        match self.random.u8(0..20) {
            0..=6 => self.maybe_send(id),
            7..=10 => self.answer_oldest(),
            11 => self.misbehave(id),
            12 => self.fixture.network.disconnect(NodeId(id)),
            13 => self.on_connect(id),
            14 => {
                let now = self.fixture.now();
                let client = &mut self.fixture.client;
                client.disconnect(NodeId(id), "closed by the test", now);
            }
            15 => {
                let slow = self.random.bool();
                self.fixture.network.slow_sends(slow);
            }
            16 => {
                let by = ms(self.random.u64(0..15_000));
                self.fixture.time.advance(by);
            }
            17 => {
                self.fixture.metadata.with(|m| m.request_update(true));
            }
            _ => {}
        }
        let timeout = ms(self.random.u64(0..100));
        self.poll(timeout);
    }

    fn maybe_send(&mut self, id: i32) {
        if self.fixture.ready(id) {
            let acks = i16::from(self.random.bool());
            let correlation_id = self.fixture.produce(id, acks);
            assert!(self.pending.insert(correlation_id));
        }
    }

    fn poll(&mut self, timeout: Duration) {
        for response in self.fixture.poll(timeout) {
            let id = response.correlation_id;
            assert!(self.pending.remove(&id), "request {id} ends a second time");
            self.ended += 1;
        }
        for (to, header, body) in self.fixture.sent() {
            let is_answered = !matches!(&body, RequestBody::Produce(p) if p.acks == 0);
            if is_answered {
                let connection = self.connection(to.0);
                self.unanswered.push_back((to.0, connection, header));
            }
        }
        assert!(self.fixture.client.in_flight_request_count() <= 5 * 4);
    }

    /// Which connection to a node this is.
    fn connection(&self, id: i32) -> usize {
        let connects = self.fixture.network.connects();
        connects.iter().filter(|c| c.0 == NodeId(id)).count()
    }

    fn is_open(&self, id: i32, connection: usize) -> bool {
        self.fixture.network.address_of(NodeId(id)).is_some() && self.connection(id) == connection
    }

    fn answer_oldest(&mut self) {
        let Some((id, connection, header)) = self.unanswered.pop_front() else {
            return;
        };
        if !self.is_open(id, connection) {
            return;
        }
        match header.api {
            ApiKeys::ApiVersions => self.fixture.answer(id, &header, everything()),
            ApiKeys::Metadata => {
                let known = if self.is_healed {
                    NODES
                } else {
                    self.random.i32(0..=NODES)
                };
                let answer = metadata_response((0..known).map(node));
                self.fixture.answer(id, &header, answer);
            }
            ApiKeys::Produce => {
                let throttle = self.random.i32(-10..50);
                self.fixture.answer(id, &header, produce_response(throttle));
            }
            _ => {
                let answer = InitProducerIdResponse::default();
                self.fixture.answer(id, &header, answer);
            }
        }
    }

    /// Random bytes, or an answer that is not the next one.
    fn misbehave(&mut self, id: i32) {
        if self.fixture.network.address_of(NodeId(id)).is_none() {
            return;
        }
        let length = self.random.usize(0..40);
        let bytes: Vec<u8> = (0..length).map(|_| self.random.u8(..)).collect();
        self.fixture.network.receive(NodeId(id), bytes);
    }

    fn on_connect(&mut self, id: i32) {
        let outcome = match self.random.u8(0..5) {
            0 => ConnectOutcome::refused(address(id)),
            1 => ConnectOutcome::Hang,
            2 => ConnectOutcome::StayInHandshake,
            _ => ConnectOutcome::Connect,
        };
        self.fixture.network.on_connect(address(id), outcome);
    }
}

impl Run {
    /// Brokers that behave are used again, all of them.
    fn heal(&mut self) {
        self.is_healed = true;
        self.fixture.network.slow_sends(false);
        for id in 0..NODES {
            let outcome = ConnectOutcome::Connect;
            self.fixture.network.on_connect(address(id), outcome);
        }
        for _ in 0..1_000 {
            let ready = (0..NODES).filter(|id| self.fixture.ready(*id)).count();
            if ready == 3 {
                return;
            }
            while !self.unanswered.is_empty() {
                self.answer_oldest();
            }
            self.poll(ms(100));
        }
        panic!("not all nodes are ready again");
    }
}

#[test]
fn every_request_ends_exactly_once_and_every_broker_is_used_again() {
    let mut ended = 0;
    for seed in 0..100 {
        let mut run = Run::new(seed);
        for _ in 0..300 {
            run.step();
        }
        run.heal();
        // Nobody answers any more, so that all that is left runs out of time.
        for _ in 0..100 {
            run.poll(ms(1_000));
        }
        let pending = &run.pending;
        assert!(pending.is_empty(), "seed {seed}: {pending:?} never end");
        ended += run.ended;
    }
    assert!(
        ended > 1_000,
        "{ended} requests are too few to tell anything"
    );
}
