//! Random faults between the Sender and a model of Kafka's log: nothing lost, nothing twice, nothing out of order.
//!
//! The model checks sequences as brokers before 4.5 do (a producer it does not know may begin anywhere), and it may handle
//! a request long after its connection broke, as a broker does that was frozen.

use std::collections::{HashMap, HashSet, VecDeque};

use fastrand::Rng;

use super::*;
use crate::protocol::messages::produce::PartitionProduceData;
use crate::record::memory_records::MemoryRecords;
use crate::testing::mock_client::SentRequest;

/// Scenario: ID20, ID21, SE22.
#[test]
fn an_idempotent_producer_keeps_its_promise_whatever_happens() {
    for seed in 0..SEEDS {
        let world = World::after_a_bad_time(seed, 0);
        world.check_outcomes();
        let failed_too = |_: usize| true;
        world.check_order(failed_too);
    }
}

/// A new producer id does not fence what a frozen broker still has of the old one, so a record that was reported as "maybe
/// written" can appear late. What was acknowledged stays in order all the same. Scenario: ID11.
#[test]
fn used_up_epochs_change_nothing_for_what_was_acknowledged() {
    for seed in 0..SEEDS {
        let mut world = World::after_a_bad_time(seed, i16::MAX - 2);
        world.check_outcomes();
        let journal = std::mem::take(&mut world.journal);
        let acknowledged = |n: usize| {
            journal[n]
                .1
                .try_get()
                .is_some_and(|outcome| outcome.is_ok())
        };
        world.check_order(acknowledged);
    }
}

/// A Sender, a cluster, and a journal of what was sent.
struct World {
    seed: u64,
    random: Rng,
    fixture: Fixture,
    cluster: Cluster,
    journal: Vec<(i32, FutureRecordMetadata)>,
    ledger: Ledger,
}

/// What the brokers have; leaders share one log for each partition, so nothing is lost when one moves.
#[derive(Default)]
pub(super) struct Cluster {
    leaders: Vec<i32>,
    epoch: i32,
    logs: Vec<Vec<usize>>,
    producers: HashMap<(i32, i64), ProducerState>,
    next_producer_id: i64,
    first_epoch: i16,
    /// Requests whose connection broke before they were handled.
    frozen: VecDeque<SentRequest>,
}

#[derive(Default)]
struct ProducerState {
    epoch: i16,
    /// First and last sequence and offset of the last five batches.
    batches: VecDeque<(i32, i32, i64)>,
}

impl Cluster {
    /// Four partitions that two brokers lead.
    pub(super) fn new(first_epoch: i16) -> Self {
        Self {
            leaders: vec![0, 0, 1, 1],
            epoch: 1,
            logs: vec![Vec::new(); 4],
            first_epoch,
            ..Self::default()
        }
    }

    /// Another broker leads the partition from now on.
    pub(super) fn elect(&mut self, partition: usize, leader: i32) {
        self.leaders[partition] = leader;
        self.epoch += 1;
    }

    pub(super) fn leaders_and_epoch(&self) -> (&[i32], i32) {
        (&self.leaders, self.epoch)
    }

    pub(super) fn log(&self, partition: usize) -> &[usize] {
        &self.logs[partition]
    }

    pub(super) fn handle(&mut self, request: &SentRequest) -> ProduceResponse {
        let RequestBody::Produce(body) = &request.body else {
            panic!("only Produce is frozen: {request:?}");
        };
        let topics = body.topic_data.iter();
        let data = topics.flat_map(|topic| &topic.partition_data);
        let partitions = data.zip(batches(body)).map(|(data, batch)| {
            let numbers = numbers(data);
            let (error, offset) = self.append(request.destination, &batch, &numbers);
            partition_answer(batch.partition, error, offset)
        });
        answers(partitions.collect())
    }

    fn append(&mut self, node: NodeId, batch: &SentRecords, numbers: &[usize]) -> (Errors, i64) {
        let partition = batch.partition as usize;
        if self.leaders[partition] != node.0 {
            return (Errors::NotLeaderOrFollower, -1);
        }
        let log = &mut self.logs[partition];
        let last = batch.sequence + batch.count - 1;
        let known = self.producers.entry((batch.partition, batch.producer_id));
        let state = known.or_insert_with(|| ProducerState {
            epoch: batch.epoch,
            ..ProducerState::default()
        });
        if batch.epoch < state.epoch {
            return (Errors::InvalidProducerEpoch, -1);
        }
        if batch.epoch > state.epoch {
            if batch.sequence != 0 {
                return (Errors::OutOfOrderSequenceNumber, -1);
            }
            *state = ProducerState {
                epoch: batch.epoch,
                ..ProducerState::default()
            };
        }
        let same = |(first, end, _): &&(i32, i32, i64)| (*first, *end) == (batch.sequence, last);
        if let Some((_, _, offset)) = state.batches.iter().find(same) {
            return (Errors::None, *offset);
        }
        if let Some((_, end, _)) = state.batches.back() {
            if batch.sequence != end + 1 {
                return (Errors::OutOfOrderSequenceNumber, -1);
            }
        }
        let offset = log.len() as i64;
        log.extend_from_slice(numbers);
        state.batches.push_back((batch.sequence, last, offset));
        if state.batches.len() > 5 {
            state.batches.pop_front();
        }
        (Errors::None, offset)
    }
}

/// The values of a batch, which are numbers.
fn numbers(data: &PartitionProduceData) -> Vec<usize> {
    let bytes = data.records.as_ref().expect("records").contiguous();
    let records = MemoryRecords::new(bytes).records().expect("intact");
    let numbers = records.iter().map(|record| {
        let value = record.value.as_ref().expect("a value");
        String::from_utf8_lossy(value).parse().expect("a number")
    });
    numbers.collect()
}

/// What has been on the wire: under which identity each record went, and which of them some broker may have.
#[derive(Default)]
struct Ledger {
    last_seen: i32,
    identities: HashMap<usize, (i64, i16, i32)>,
    batches: HashMap<(i32, i64, i16, i32), Vec<usize>>,
    uncertain: HashSet<usize>,
}

impl Ledger {
    /// Looks at the requests that were not there before.
    fn note(&mut self, requests: &[SentRequest], seed: u64) {
        let last = self.last_seen;
        for request in requests.iter().filter(|r| r.correlation_id > last) {
            self.last_seen = self.last_seen.max(request.correlation_id);
            for (batch, numbers) in contents(request) {
                let base = (
                    batch.partition,
                    batch.producer_id,
                    batch.epoch,
                    batch.sequence,
                );
                let bound = self.batches.entry(base).or_insert_with(|| numbers.clone());
                // A batch that was too large goes on in parts, the first of which begins as the whole did.
                let is_same = bound.starts_with(&numbers);
                assert!(
                    is_same,
                    "seed {seed}: {base:?} is bound to {bound:?}, not {numbers:?}"
                );
                for (number, sequence) in numbers.into_iter().zip(batch.sequence..) {
                    let identity = (batch.producer_id, batch.epoch, sequence);
                    let known = self.identities.insert(number, identity).unwrap_or(identity);
                    assert!(
                        known == identity || !self.uncertain.contains(&number),
                        "seed {seed}: {number} may be written as {known:?} and goes as {identity:?}"
                    );
                }
            }
        }
    }

    fn uncertain(&mut self, request: &SentRequest) {
        for (_, numbers) in contents(request) {
            self.uncertain.extend(numbers);
        }
    }
}

fn contents(request: &SentRequest) -> Vec<(SentRecords, Vec<usize>)> {
    let RequestBody::Produce(body) = &request.body else {
        return Vec::new();
    };
    let data = body
        .topic_data
        .iter()
        .flat_map(|topic| &topic.partition_data);
    batches(body).into_iter().zip(data.map(numbers)).collect()
}

impl World {
    /// A world in which much went wrong, and everything has come to an end. Producer ids begin with this epoch.
    fn after_a_bad_time(seed: u64, first_epoch: i16) -> Self {
        let mut world = Self::new(seed, first_epoch);
        for _ in 0..STEPS {
            world.step();
        }
        world.heal();
        world
    }

    fn new(seed: u64, first_epoch: i16) -> Self {
        let mut random = Rng::with_seed(seed);
        let fixture = Fixture::new(Setup {
            idempotent: true,
            delivery_timeout: ms(random.u64(500..5000)),
            retries: *random.choice(&[2, u32::MAX]).expect("two"),
            ..Setup::default()
        });
        Self {
            seed,
            random,
            fixture,
            cluster: Cluster::new(first_epoch),
            journal: Vec::new(),
            ledger: Ledger::default(),
        }
    }

    fn step(&mut self) {
        match self.random.u32(0..100) {
            0..35 => self.send(),
            35..60 => self.answer(),
            60..65 => self.freeze(),
            65..72 => self.answer_with_error(),
            72..80 => self.break_connection(),
            80..85 => self.move_leader(),
            85..90 => self.thaw(),
            _ => self.fixture.advance(ms(self.random.u64(1..200))),
        }
        self.pass();
    }

    fn pass(&mut self) {
        self.fixture.pass();
        self.ledger.note(&self.fixture.client.requests(), self.seed);
    }

    fn send(&mut self) {
        for _ in 0..self.random.u32(1..4) {
            let partition = self.random.i32(0..4);
            let value = self.journal.len().to_string();
            let future = self.fixture.append_with(partition, value.as_bytes(), None);
            self.journal.push((partition, future));
        }
    }

    /// The oldest request of some node; brokers answer each connection in its order.
    fn oldest(&mut self) -> Option<SentRequest> {
        let requests = self.fixture.client.requests();
        let node = self.random.choice(&requests)?.destination;
        requests.into_iter().find(|r| r.destination == node)
    }

    fn answer(&mut self) {
        let Some(request) = self.oldest() else { return };
        let client = &self.fixture.client;
        if matches!(request.body, RequestBody::InitProducerId(_)) {
            self.cluster.next_producer_id += 1;
            let answer = producer_id(self.cluster.next_producer_id, self.cluster.first_epoch);
            client.respond_to_request(request.correlation_id, answer);
        } else {
            let answer = self.cluster.handle(&request);
            client.respond_to_request(request.correlation_id, answer);
        }
    }

    /// An error for every batch of a request; some say that the broker wrote it.
    fn answer_with_error(&mut self) {
        let Some(request) = self.oldest() else { return };
        let RequestBody::Produce(body) = &request.body else {
            return;
        };
        let (error, handled) = *self.random.choice(ERRORS).expect("some");
        if handled {
            self.ledger.uncertain(&request);
            self.cluster.handle(&request);
        }
        let partitions = batches(body)
            .iter()
            .map(|batch| partition_answer(batch.partition, error, -1))
            .collect();
        let client = &self.fixture.client;
        client.respond_to_request(request.correlation_id, answers(partitions));
    }

    /// A connection breaks. The broker handled some of its requests, will handle some later, and never sees the others.
    fn break_connection(&mut self) {
        let Some(oldest) = self.oldest() else { return };
        let requests = self.fixture.client.requests().into_iter();
        let lost = requests
            .filter(|r| r.destination == oldest.destination)
            .filter(|r| matches!(r.body, RequestBody::Produce(_)));
        let lost: Vec<_> = lost.collect();
        let handled = self.random.usize(0..=lost.len());
        let frozen = self.random.usize(handled..=lost.len());
        for request in &lost {
            self.ledger.uncertain(request);
        }
        for request in &lost[..handled] {
            self.cluster.handle(request);
        }
        self.cluster
            .frozen
            .extend(lost[handled..frozen].iter().cloned());
        self.fixture.client.server_disconnect(oldest.destination);
    }

    /// A broker freezes with everything that it was sent, and others become the leaders of its partitions.
    fn freeze(&mut self) {
        let Some(oldest) = self.oldest() else { return };
        let node = oldest.destination;
        let requests = self.fixture.client.requests().into_iter();
        let frozen =
            requests.filter(|r| r.destination == node && matches!(r.body, RequestBody::Produce(_)));
        for request in frozen {
            self.ledger.uncertain(&request);
            self.cluster.frozen.push_back(request);
        }
        for leader in &mut self.cluster.leaders {
            if *leader == node.0 {
                *leader = (node.0 + self.random.i32(1..3)) % 3;
            }
        }
        self.cluster.epoch += 1;
        self.fixture.client.suspect(node);
        self.refresh();
    }

    fn thaw(&mut self) {
        if let Some(request) = self.cluster.frozen.pop_front() {
            self.cluster.handle(&request);
        }
    }

    fn move_leader(&mut self) {
        let partition = self.random.usize(0..4);
        self.cluster.elect(partition, self.random.i32(0..3));
        self.refresh();
    }

    fn refresh(&self) {
        let cluster = &self.cluster;
        self.fixture.set_leaders(&cluster.leaders, cluster.epoch);
    }

    /// Nothing goes wrong any more; everything must end.
    fn heal(&mut self) {
        self.refresh();
        for _ in 0..MOST_STEPS_TO_HEAL {
            self.thaw();
            self.answer();
            self.pass();
            self.fixture.advance(ms(10));
            if !self.fixture.sender.has_work() {
                return;
            }
        }
        panic!("seed {}: does not come to an end", self.seed);
    }

    /// No record is in its log twice, and those that count stand in the order in which they were sent.
    fn check_order(&self, counts: impl Fn(usize) -> bool) {
        let seed = self.seed;
        for log in &self.cluster.logs {
            let mut once = log.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), log.len(), "seed {seed}: twice: {log:?}");
            let counting: Vec<_> = log.iter().filter(|n| counts(**n)).collect();
            assert!(counting.is_sorted(), "seed {seed}: out of order: {log:?}");
        }
    }

    /// What was acknowledged is where it was said to be, and what was said not to be written is not there.
    fn check_outcomes(&self) {
        let seed = self.seed;
        for (number, (partition, future)) in self.journal.iter().enumerate() {
            let log = &self.cluster.logs[*partition as usize];
            let at = log.iter().position(|n| *n == number).map(|at| at as i64);
            match future.try_get().expect("done") {
                Ok(metadata) => assert_eq!(at, Some(metadata.offset()), "seed {seed}: {number}"),
                Err(error) if error.persisted() == Persisted::No => {
                    assert_eq!(at, None, "seed {seed}: {number} is there, but: {error}");
                }
                Err(_) => {}
            }
        }
    }
}

const SEEDS: u64 = 20;
const STEPS: usize = 300;
const MOST_STEPS_TO_HEAL: usize = 2000;
/// Errors, and whether the broker writes the batch before it answers so.
const ERRORS: &[(Errors, bool)] = &[
    (Errors::NotEnoughReplicas, false),
    (Errors::LeaderNotAvailable, false),
    (Errors::NotLeaderOrFollower, false),
    (Errors::InvalidRecord, false),
    (Errors::TopicAuthorizationFailed, false),
    (Errors::MessageTooLarge, false),
    (Errors::RequestTimedOut, true),
    (Errors::NotEnoughReplicasAfterAppend, true),
    (Errors::NotLeaderOrFollower, true),
    (Errors::UnknownServerError, true),
];
