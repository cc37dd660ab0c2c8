//! Thousands of small accidents, drawn by seed: what all in sync had is never lost, and in the end all replicas agree.

use std::collections::BTreeMap;

use super::replication::SESSION;
use super::*;
use crate::broker::cluster::brokers::{Life, Timings};
use crate::broker::cluster::replica::Replica;

const SEEDS: u64 = 300;
const STEPS: usize = 250;
const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

/// A cluster, what was written to it, and what it has promised.
struct Walk {
    seed: u64,
    rng: fastrand::Rng,
    fixture: Fixture,
    /// Each write comes from a producer of its own, so that its batch can be told from the others.
    writes: i64,
    /// Offsets that were acknowledged with acks=all, and by whom they were written.
    promised: BTreeMap<i64, i64>,
    /// Machines lose what was not on their disks, and anybody may lead: nothing can be promised.
    reckless: bool,
}

impl Walk {
    fn new(seed: u64, reckless: bool) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut fixture = Fixture::new();
        let mut some = |longest: u64| Duration::from_millis(rng.u64(0..=longest));
        fixture.core.topics.set_timings(Timings {
            replication: some(20),
            replica_lag_max: some(300),
            session_timeout: SESSION + some(200),
            crash_notice: some(100),
            metadata: some(10),
        });
        let count = rng.usize(1..=3);
        fixture.configure(|log| {
            log.min_insync_replicas = count;
            log.unclean_leader_election = reckless;
        });
        Self {
            seed,
            rng,
            fixture,
            writes: 0,
            promised: BTreeMap::new(),
            reckless,
        }
    }

    fn step(&mut self) {
        let now = self.fixture.now.monotonic;
        let node = self.rng.choice(NODES).expect("three");
        let other = self.rng.choice(NODES).expect("three");
        let core = &mut self.fixture.core;
        match self.rng.u32(0..100) {
            0..40 => self.write(node),
            40..70 => self.pass(30),
            70..74 => self.pass(600),
            74..78 => {
                let lost = if self.reckless {
                    self.rng.usize(0..4)
                } else {
                    0
                };
                core.broker_killed(node, lost, now);
            }
            78..79 => core.broker_stopped(node, now),
            79..85 => self.start(node),
            85..88 => core.broker_paused(node, now),
            88..91 => self.resume(node),
            91..93 if node != other => core.topics.cut(&[node], &[other], now),
            93..95 => core.topics.heal(now),
            95..97 => {
                core.topics.hold_back("t", 0, node, now);
            }
            97..98 => {
                core.topics.let_go("t", 0, now);
            }
            _ => {
                core.topics.move_leader("t", 0, node, now);
            }
        }
    }

    /// Writes one record, wherever that is.
    fn write(&mut self, node: NodeId) {
        self.writes += 1;
        let me = ProducerIdAndEpoch {
            producer_id: self.writes,
            epoch: 0,
        };
        let body = ProduceRequest {
            acks: self.rng.choice([-1, 1]).expect("two"),
            timeout_ms: 100,
            ..produce("t", 0, numbered(me, 0, false))
        };
        let header = RequestHeader {
            api: ApiKeys::Produce,
            api_version: 12,
            // By which the answer is told from others.
            correlation_id: i32::try_from(self.writes).expect("few"),
            client_id: Some(format!("acks{}", body.acks).into()),
        };
        let connection = ConnectionId {
            broker: node,
            number: 1,
        };
        let incoming = Incoming {
            connection,
            header,
            body: body.into(),
        };
        let mut replies = Vec::new();
        let now = self.fixture.now;
        self.fixture.core.handle(incoming, now, &mut replies);
        self.note(replies);
    }

    fn pass(&mut self, longest: u64) {
        let time = Duration::from_millis(self.rng.u64(0..=longest));
        let replies = self.fixture.pass(time);
        self.note(replies);
    }

    fn start(&mut self, node: NodeId) {
        let core = &mut self.fixture.core;
        if core.topics.brokers().life(node) == Life::Down {
            let now = self.fixture.now.monotonic;
            core.broker_started(node, "127.0.0.1".to_owned(), 9000, now);
        }
    }

    fn resume(&mut self, node: NodeId) {
        let mut replies = Vec::new();
        let now = self.fixture.now;
        self.fixture.core.broker_resumed(node, now, &mut replies);
        self.note(replies);
    }

    /// Takes down what was promised.
    fn note(&mut self, replies: Vec<Reply>) {
        for reply in replies {
            let waited = reply.header.client_id.as_deref() == Some("acks-1");
            let writer = i64::from(reply.header.correlation_id);
            let ReplyAction::Send(ResponseBody::Produce(response)) = reply.action else {
                continue;
            };
            let answer = &response.responses[0].partition_responses[0];
            if waited && answer.error_code == 0 && !self.reckless {
                let before = self.promised.insert(answer.base_offset, writer);
                assert_eq!(before, None, "seed {}: promised twice", self.seed);
            }
        }
    }

    /// What must hold at every moment.
    fn check(&self) {
        let seed = self.seed;
        let partition = self.fixture.partition();
        let mut leaders = BTreeMap::new();
        for node in NODES {
            let replica = partition.replica(node).expect("a replica");
            let (start, end) = (replica.log.start_offset(), replica.log.end_offset());
            let within = (start..=end).contains(&replica.high_watermark());
            assert!(within, "seed {seed}: the high watermark of {node}");
            if let Some(leading) = replica.leading() {
                let other = leaders.insert(leading.epoch, node);
                assert_eq!(other, None, "seed {seed}: two leaders of one epoch");
            }
        }
        if let Some(leader) = partition.leader_replica() {
            let there = writers(leader);
            for (offset, writer) in &self.promised {
                let found = there.get(offset);
                assert_eq!(found, Some(writer), "seed {seed}: {offset} is lost");
            }
        }
    }

    /// All is well again.
    fn settle(&mut self) {
        let now = self.fixture.now.monotonic;
        for node in NODES {
            self.resume(node);
            self.start(node);
        }
        self.fixture.core.topics.heal(now);
        self.fixture.core.topics.let_go("t", 0, now);
        for _ in 0..100 {
            let replies = self.fixture.pass(Duration::from_millis(100));
            self.note(replies);
        }
        self.check();
        let seed = self.seed;
        assert_eq!(self.fixture.core.next_timeout(), None, "seed {seed}");
        assert_eq!(self.fixture.isr(), [1, 2, 3], "seed {seed}");
        let partition = self.fixture.partition();
        let leader = partition.leader_replica().expect("all brokers run");
        for node in NODES {
            let replica = partition.replica(node).expect("a replica");
            assert_eq!(writers(replica), writers(leader), "seed {seed}: {node}");
            let end = leader.log.end_offset();
            assert_eq!(replica.high_watermark(), end, "seed {seed}: {node}");
        }
    }

    /// What all of it comes to, so that two runs can be compared.
    fn trace(&self) -> (i64, Vec<(i64, i64)>, i32) {
        let promised = self.promised.iter().map(|(o, w)| (*o, *w)).collect();
        let epoch = self.fixture.partition().current().epoch.0;
        (self.writes, promised, epoch)
    }
}

/// Who wrote which offset of a replica.
fn writers(replica: &Replica) -> BTreeMap<i64, i64> {
    let batches = replica.log.batches_from(0);
    batches
        .map(|batch| batch.header())
        .map(|header| (header.base_offset, header.producer.producer_id))
        .collect()
}

fn walk(seed: u64, reckless: bool) -> Walk {
    let mut walk = Walk::new(seed, reckless);
    for _ in 0..STEPS {
        walk.step();
        walk.check();
    }
    walk.settle();
    walk
}

#[test]
fn whatever_befalls_brokers_what_was_acknowledged_by_all_in_sync_stays_and_replicas_agree_in_the_end()
 {
    let mut promised = 0;
    let mut elections = 0;
    for seed in 0..SEEDS {
        let walk = walk(seed, false);
        promised += walk.promised.len();
        elections += walk.fixture.partition().current().epoch.0;
    }
    assert!(promised > 1000, "{promised} promises: too few to say much");
    assert!(
        elections > 1000,
        "{elections} elections: too few to say much"
    );
}

#[test]
fn replicas_agree_in_the_end_also_where_disks_lose_batches_and_anybody_may_lead() {
    for seed in 0..SEEDS {
        walk(seed, true);
    }
}

#[test]
fn the_same_accidents_have_the_same_end() {
    for seed in [1, 2, 3] {
        assert_eq!(walk(seed, false).trace(), walk(seed, false).trace());
    }
}
