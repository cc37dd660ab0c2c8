//! What a seed draws before it runs: the cluster, the network, the configurations, the work, and what goes wrong when.
//!
//! Java: none.
//! Differs: drawn as a whole first, so that a failing seed can be made smaller and still be the same seed.
//! Threads: plain data. Locks: none.

use std::time::Duration;

use fastrand::Rng;

use crate::broker::cluster::brokers::Timings;
use crate::testing::sim::network::Profile;
use crate::testing::sim::queue::{Micros, ms, secs};

mod config;
mod faults;
mod transactions;
mod work;

pub(super) use self::config::ProducerPlan;
pub(super) use self::faults::{Fault, FaultPlan};
pub(super) use self::transactions::Coordination;
pub(super) use self::work::{AppPlan, Op, RecordPlan};

/// Everything that is decided beforehand.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) brokers: i32,
    pub(super) broker_slowness: Micros,
    pub(super) storage: Storage,
    pub(super) timings: Timings,
    pub(super) coordination: Coordination,
    pub(super) topics: Vec<TopicPlan>,
    pub(super) network: Profile,
    pub(super) producers: Vec<ProducerPlan>,
    pub(super) apps: Vec<AppPlan>,
    pub(super) faults: Vec<FaultPlan>,
    /// When all faults end.
    pub(super) heal_at: Micros,
}

/// What brokers take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storage {
    pub(super) max_message_bytes: usize,
    pub(super) min_insync_replicas: usize,
}

#[derive(Debug, Clone)]
pub(super) struct TopicPlan {
    pub(super) name: String,
    pub(super) partitions: i32,
    pub(super) made_on_demand: bool,
}

impl Plan {
    pub(super) fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed ^ 0x5117);
        let rng = &mut rng;
        let brokers = *rng.choice(&[1, 1, 2, 3, 3, 3, 4, 5]).expect("some");
        let count = rng.usize(1..=3);
        let topics = (0..count).map(|n| TopicPlan {
            name: format!("topic{n}"),
            partitions: rng.i32(1..=4),
            made_on_demand: rng.u32(0..8) == 0,
        });
        let topics: Vec<_> = topics.collect();
        let heal_at = *rng.choice(&[secs(2), secs(20), secs(60)]).expect("some");
        let producers = *rng.choice(&[1, 1, 1, 2, 3]).expect("some");
        let producers: Vec<_> = (0..producers)
            .map(|number| ProducerPlan::draw(rng, number, brokers))
            .collect();
        let apps = work::draw(rng, &producers, &topics, heal_at);
        let mut plan = Self {
            seed,
            brokers,
            broker_slowness: *rng.choice(&[0, 200, ms(5)]).expect("some"),
            storage: Storage {
                max_message_bytes: *rng.choice(&[1_048_588, 1_048_588, 700]).expect("some"),
                min_insync_replicas: rng.usize(1..=2),
            },
            timings: timings(rng),
            coordination: Coordination::default(),
            topics,
            network: profile(rng),
            producers,
            apps,
            faults: Vec::new(),
            heal_at,
        };
        plan.faults = faults::draw(rng, &plan);
        if seed % TRANSACTIONAL_EVERY == 1 {
            transactions::draw(rng, &mut plan);
        }
        plan.faults.extend(faults::draw_rare(&plan));
        if seed % HOPELESS_EVERY != 0 {
            plan.leave_hope();
        }
        plan
    }

    /// Lets connections come about and answers come in time as long as nothing goes wrong: a producer that does nothing but
    /// connect is seen often enough.
    fn leave_hope(&mut self) {
        let limit = |producer: &ProducerPlan, key| {
            let text = producer.setting(key);
            text.and_then(|text| text.parse().ok()).map(ms)
        };
        let producers = self.producers.iter();
        let limits = producers.flat_map(|p| {
            let setup = limit(p, "socket.connection.setup.timeout.ms");
            // Also a connection whose answer is still to come counts as idle.
            let idle = limit(p, "connections.max.idle.ms");
            [Some(p.request_timeout), setup, idle]
        });
        let shortest = limits.flatten().min().unwrap_or(Micros::MAX);
        let (least, most) = self.network.delay;
        let most = most.min(shortest / 6);
        self.network.delay = (least.min(most), most);
    }

    pub(super) fn has_transactions(&self) -> bool {
        self.producers.iter().any(|p| p.transactional.is_some())
    }

    /// Whether brokers may handle a request after those of later connections.
    pub(super) fn handles_late(&self) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|planned| matches!(planned.fault, Fault::Late { .. }))
    }

    /// Whether what only a leader has may be lost.
    pub(super) fn leaders_change(&self) -> bool {
        self.faults.iter().any(|planned| {
            matches!(
                planned.fault,
                Fault::Kill { .. }
                    | Fault::Freeze { .. }
                    | Fault::MoveLeader { .. }
                    | Fault::Isolate { .. }
            )
        })
    }
}

/// One seed of so many may have a network that is slower than its producers are patient.
const HOPELESS_EVERY: u64 = 25;
/// One seed of so many has producers with transactions.
const TRANSACTIONAL_EVERY: u64 = 5;

fn timings(rng: &mut Rng) -> Timings {
    let up_to = |rng: &mut Rng, most: u64| Duration::from_micros(rng.u64(0..=most));
    let replication = *rng.choice(&[0, ms(2), ms(50)]).expect("some");
    let metadata = *rng.choice(&[0, ms(5), ms(300)]).expect("some");
    Timings {
        replication: up_to(rng, replication),
        replica_lag_max: Duration::from_millis(500),
        session_timeout: up_to(rng, secs(9)),
        crash_notice: up_to(rng, secs(2)),
        metadata: up_to(rng, metadata),
    }
}

fn profile(rng: &mut Rng) -> Profile {
    let often = |rng: &mut Rng, most: u32| if rng.bool() { 0 } else { rng.u32(0..most) };
    let shortest = *rng.choice(&[20, 100, ms(1), ms(20)]).expect("some");
    Profile {
        delay: (shortest, shortest * rng.u64(1..5)),
        spikes: (often(rng, 50), ms(rng.u64(1..800))),
        partial_writes: often(rng, 300),
        pieces: often(rng, 200),
        window: *rng.choice(&[400, 4000, 65_536, 1 << 20]).expect("some"),
        duplicate_attempts: often(rng, 100),
    }
}
