//! Seeded stories: a producer commits and aborts while brokers die and come back. Whatever happens, a reader of committed
//! data finds every committed record once and in order, no other, and is held up by nothing in the end.

use std::collections::BTreeMap;

use fastrand::Rng;

use super::*;

/// A producer that gives up a transaction after any doubt, and a model of what must be readable.
struct Story {
    fixture: Fixture,
    random: Rng,
    producer: Producer,
    /// Next sequence by partition.
    sequences: BTreeMap<i32, i32>,
    /// Written in the open transaction.
    pending: Vec<(i32, u32)>,
    committed: BTreeMap<i32, Vec<u32>>,
    values: u32,
    down: Option<NodeId>,
}

impl Story {
    fn new(seed: u64, speaks: Speaks) -> Self {
        let mut random = Rng::with_seed(seed);
        let mut fixture = Fixture::new();
        let settings = &mut fixture.core.coordinators.settings;
        settings.transaction_version = if speaks == Speaks::Version1 { 1 } else { 2 };
        settings.marker_delay = Duration::from_millis(random.u64(..20));
        settings.load_delay = Duration::from_millis(random.u64(..50));
        let delay = Duration::from_millis(random.u64(..10));
        fixture.core.topics.set_replication_delay(None, delay);
        let producer = fixture.producer(speaks);
        Self {
            fixture,
            random,
            producer,
            sequences: BTreeMap::new(),
            pending: Vec::new(),
            committed: BTreeMap::new(),
            values: 0,
            down: None,
        }
    }

    fn step(&mut self) {
        match self.random.u8(..10) {
            0..=4 => self.write(),
            5 | 6 => {
                let commit = self.random.u8(..3) > 0;
                self.end(commit);
            }
            7 => self.break_or_mend(),
            _ => {
                let time = Duration::from_millis(self.random.u64(..300));
                self.fixture.pass(time);
            }
        }
    }

    /// One record to one partition; a write without a good answer costs the transaction.
    fn write(&mut self) {
        let partition = self.random.i32(0..3);
        if self.producer.speaks == Speaks::Version1 {
            let producer = self.producer;
            if !self.persist(|fixture| fixture.add_partition(producer, partition)) {
                return self.start_over();
            }
        }
        self.values += 1;
        let value = self.values;
        let sequence = *self.sequences.entry(partition).or_default();
        let producer = self.producer;
        let written = self.persist(|fixture| {
            let batch = numbered_value(producer.me, sequence, true, value.to_string().as_bytes());
            fixture.write_and_wait(producer, partition, batch)
        });
        if !written {
            return self.start_over();
        }
        self.sequences.insert(partition, sequence + 1);
        self.pending.push((partition, value));
    }

    fn end(&mut self, commit: bool) {
        if self.pending.is_empty() {
            return;
        }
        let producer = self.producer;
        let mut next = producer.me;
        let ended = self.persist(|fixture| {
            let response = fixture.end(producer, commit);
            if producer.speaks == Speaks::Version2 && response.error_code == NONE {
                next = ProducerIdAndEpoch {
                    producer_id: response.producer_id,
                    epoch: response.producer_epoch,
                };
            }
            response.error_code
        });
        assert!(ended, "{producer:?}");
        if producer.speaks == Speaks::Version2 {
            self.producer.me = next;
            self.sequences.clear();
        }
        for (partition, value) in self.pending.drain(..) {
            if commit {
                self.committed.entry(partition).or_default().push(value);
            }
        }
    }

    /// A new epoch; what was open is aborted.
    fn start_over(&mut self) {
        let mut given = None;
        let done = self.persist(|fixture| {
            let response = fixture.init(None);
            given = Some(response.clone());
            response.error_code
        });
        assert!(done, "{given:?}");
        let given = given.expect("answered");
        self.producer.me = ProducerIdAndEpoch {
            producer_id: given.producer_id,
            epoch: given.producer_epoch,
        };
        self.sequences.clear();
        self.pending.clear();
    }

    fn break_or_mend(&mut self) {
        let now = self.fixture.now.monotonic;
        match self.down.take() {
            Some(broker) => {
                let core = &mut self.fixture.core;
                core.broker_started(broker, "127.0.0.1".to_owned(), 9000, now);
            }
            None => {
                let broker = NodeId(self.random.i32(1..=3));
                if self.random.bool() {
                    self.fixture.core.broker_killed(broker, 0, now);
                } else {
                    self.fixture.core.broker_stopped(broker, now);
                }
                self.down = Some(broker);
            }
        }
    }

    /// Asks until the answer is good, or one that time does not mend.
    fn persist(&mut self, mut ask: impl FnMut(&mut Fixture) -> i16) -> bool {
        for _ in 0..2000 {
            let error = Errors::from_code(ask(&mut self.fixture));
            match error {
                Errors::None => return true,
                error if error.is_retriable() => {
                    self.fixture.pass(Duration::from_millis(20));
                }
                _ => return false,
            }
        }
        false
    }

    fn check(&mut self) {
        if self.down.is_some() {
            self.break_or_mend();
        }
        self.end(true);
        self.fixture.pass(Duration::from_secs(120));
        self.fixture.pass(Duration::from_secs(1));
        for partition in 0..3 {
            let found = self.fixture.core.topics.partition("t", partition);
            let leader = found.and_then(|found| found.leader_replica()).expect("led");
            let end = leader.log.end_offset();
            assert_eq!(leader.last_stable_offset(), end, "nothing is open");
            let transactions = leader.producers.transactions();
            let records = leader.log.records_where(end, |header| {
                !transactions.is_aborted(header.producer.producer_id, header.base_offset)
            });
            let values: Vec<u32> = records
                .map(|record| {
                    let value = record.value.expect("a value").to_vec();
                    String::from_utf8(value)
                        .expect("digits")
                        .parse()
                        .expect("a number")
                })
                .collect();
            let expected = self.committed.get(&partition).cloned();
            assert_eq!(
                values,
                expected.unwrap_or_default(),
                "partition {partition}"
            );
        }
    }
}

impl Fixture {
    /// The error of a batch that is sent to whoever leads, once every replica has it.
    fn write_and_wait(&mut self, producer: Producer, partition: i32, batch: Vec<u8>) -> i16 {
        let found = self.core.topics.partition("t", partition).expect("made");
        let Some(leader) = found.current().leader else {
            return Errors::LeaderNotAvailable.code();
        };
        let request = ProduceRequest {
            transactional_id: Some(ID.to_owned()),
            ..produce("t", partition, batch)
        };
        let version = match producer.speaks {
            Speaks::Version1 => 11,
            Speaks::Version2 => 12,
        };
        let mut replies = self.ask_at(leader.0, version, request);
        for _ in 0..200 {
            if !replies.is_empty() {
                break;
            }
            replies = self.pass(Duration::from_millis(10));
        }
        match super::body(replies) {
            Some(ResponseBody::Produce(mut response)) => {
                let mut partitions = response.responses.remove(0).partition_responses;
                partitions.remove(0).error_code
            }
            // The broker went down with it.
            _ => Errors::RequestTimedOut.code(),
        }
    }
}

#[test]
fn whatever_happens_to_brokers_readers_find_what_was_committed_and_nothing_else() {
    let mut committed = 0;
    for seed in 0..100 {
        for speaks in BOTH {
            let outcome = std::panic::catch_unwind(|| {
                let mut story = Story::new(seed, speaks);
                for _ in 0..60 {
                    story.step();
                }
                story.check();
                story.committed.values().map(Vec::len).sum::<usize>()
            });
            committed += outcome.unwrap_or_else(|_| panic!("seed {seed}, {speaks:?}"));
        }
    }
    assert!(
        committed > 2000,
        "{committed} records in committed transactions"
    );
}
