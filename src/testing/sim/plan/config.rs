//! Configurations: every setting that changes what a producer does, from tiny to huge.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: plain data. Locks: none.

use fastrand::Rng;

use crate::producer::producer_config::ProducerConfig;
use crate::testing::sim::network::{PORT, address_of};
use crate::testing::sim::queue::{Micros, ms};

/// One producer: its settings, and those that the oracle judges by.
#[derive(Debug, Clone)]
pub(in crate::testing::sim) struct ProducerPlan {
    pub(in crate::testing::sim) settings: Vec<(&'static str, String)>,
    pub(in crate::testing::sim) idempotent: bool,
    /// Whether order is promised.
    pub(in crate::testing::sim) ordered: bool,
    pub(in crate::testing::sim) acks: i16,
    pub(in crate::testing::sim) delivery_timeout: Micros,
    pub(in crate::testing::sim) request_timeout: Micros,
    pub(in crate::testing::sim) max_block: Micros,
    pub(in crate::testing::sim) linger: Micros,
    pub(in crate::testing::sim) transactional: Option<Transactional>,
}

/// What a producer of transactions has in addition.
#[derive(Debug, Clone)]
pub(in crate::testing::sim) struct Transactional {
    /// `transactional.id`; instances that share it fence each other.
    pub(in crate::testing::sim) id: String,
    pub(in crate::testing::sim) timeout: Micros,
}

impl ProducerPlan {
    pub(super) fn draw(rng: &mut Rng, number: usize, brokers: i32) -> Self {
        let idempotent = rng.u32(0..10) < 7;
        let acks = if idempotent {
            -1
        } else {
            pick(rng, &[-1, 1, 0])
        };
        let in_flight = pick(rng, &[1, 2, 3, 5, 5, 5]);
        let linger = pick(rng, &[0, 0, 5, 50, 500]);
        let request_timeout = pick(rng, &[10, 50, 300, 1000, 5000, 30_000]);
        let factor = pick(rng, &[1, 2, 5, 20]);
        let delivery_timeout = ((linger + request_timeout) * factor).min(120_000);
        let max_block = pick(rng, &[10, 100, 2000, 5000]);
        let retries = if rng.u32(0..6) == 0 {
            rng.u64(u64::from(idempotent)..4)
        } else {
            2_147_483_647
        };
        let mut settings = vec![
            ("bootstrap.servers", bootstrap(rng, brokers)),
            ("client.id", format!("p{number}")),
            ("enable.idempotence", idempotent.to_string()),
            ("acks", acks.to_string()),
            (
                "max.in.flight.requests.per.connection",
                in_flight.to_string(),
            ),
            ("linger.ms", linger.to_string()),
            ("request.timeout.ms", request_timeout.to_string()),
            ("delivery.timeout.ms", delivery_timeout.to_string()),
            ("max.block.ms", max_block.to_string()),
            ("retries", retries.to_string()),
        ];
        settings.extend(sizes(rng));
        settings.extend(connections(rng));
        settings.extend(placement(rng));
        Self {
            settings,
            idempotent,
            ordered: idempotent || in_flight == 1,
            acks,
            delivery_timeout: ms(delivery_timeout),
            request_timeout: ms(request_timeout),
            max_block: ms(max_block),
            linger: ms(linger),
            transactional: None,
        }
    }

    /// A producer with a `transactional.id` that is patient enough for its calls to end some time.
    pub(super) fn draw_transactional(
        rng: &mut Rng,
        number: usize,
        brokers: i32,
        id: String,
    ) -> Self {
        let timeout = pick(rng, &[1000, 10_000, 60_000]);
        let mut plan = loop {
            let plan = Self::draw(rng, number, brokers);
            let restless = plan.setting(REBOOTSTRAP) == Some("0");
            if plan.idempotent && plan.request_timeout >= ms(1000) && !restless {
                break plan;
            }
        };
        plan.settings.retain(|(key, _)| {
            !key.starts_with("socket.connection.setup") && *key != "buffer.memory"
        });
        plan.settings.push(("transactional.id", id.clone()));
        plan.settings
            .push(("transaction.timeout.ms", timeout.to_string()));
        plan.transactional = Some(Transactional {
            id,
            timeout: ms(timeout),
        });
        plan
    }

    pub(in crate::testing::sim) fn config(&self) -> ProducerConfig {
        let settings = self.settings.iter().map(|(key, value)| (*key, value));
        ProducerConfig::from_properties(settings).expect("a legal configuration")
    }

    /// The value of a setting, where the seed drew one.
    pub(in crate::testing::sim) fn setting(&self, key: &str) -> Option<&str> {
        let found = self.settings.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| value.as_str())
    }
}

const REBOOTSTRAP: &str = "metadata.recovery.rebootstrap.trigger.ms";

fn pick<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    *rng.choice(choices).expect("some")
}

fn bootstrap(rng: &mut Rng, brokers: i32) -> String {
    let first = rng.i32(1..=brokers);
    let server = |id: i32| format!("{}:{PORT}", address_of(id));
    if rng.bool() {
        return server(first);
    }
    let all: Vec<_> = (1..=brokers).map(server).collect();
    all.join(",")
}

fn sizes(rng: &mut Rng) -> Vec<(&'static str, String)> {
    let batch = pick(rng, &[0_u64, 1, 100, 1000, 16_384]);
    let memory = if rng.u32(0..3) == 0 {
        batch.max(1) * rng.u64(1..6) + rng.u64(0..2000)
    } else {
        33_554_432
    };
    let compression = pick(
        rng,
        &["none", "none", "none", "gzip", "snappy", "lz4", "zstd"],
    );
    let compression = if cfg!(feature = "zstd") || compression != "zstd" {
        compression
    } else {
        "none"
    };
    vec![
        ("batch.size", batch.to_string()),
        ("buffer.memory", memory.to_string()),
        ("compression.type", compression.to_owned()),
        (
            "max.request.size",
            pick(rng, &[1_048_576, 1_048_576, 2000]).to_string(),
        ),
    ]
}

fn connections(rng: &mut Rng) -> Vec<(&'static str, String)> {
    let retry = pick(rng, &[5, 20, 100]);
    let reconnect = pick(rng, &[10, 50, 50]);
    let setup = pick(rng, &[100, 500, 10_000]);
    vec![
        ("retry.backoff.ms", retry.to_string()),
        (
            "retry.backoff.max.ms",
            (retry * pick(rng, &[1, 10])).to_string(),
        ),
        ("reconnect.backoff.ms", reconnect.to_string()),
        (
            "reconnect.backoff.max.ms",
            (reconnect * pick(rng, &[1, 20])).to_string(),
        ),
        ("socket.connection.setup.timeout.ms", setup.to_string()),
        (
            "socket.connection.setup.timeout.max.ms",
            (setup * pick(rng, &[1, 3])).to_string(),
        ),
        (
            "connections.max.idle.ms",
            pick(rng, &[-1, 200, 5000, 540_000]).to_string(),
        ),
        (
            "metadata.max.age.ms",
            pick(rng, &[500, 5000, 300_000]).to_string(),
        ),
        (REBOOTSTRAP, pick(rng, &[0, 1000, 300_000]).to_string()),
    ]
}

fn placement(rng: &mut Rng) -> Vec<(&'static str, String)> {
    vec![
        (
            "partitioner.adaptive.partitioning.enable",
            rng.bool().to_string(),
        ),
        (
            "partitioner.availability.timeout.ms",
            pick(rng, &[0, 0, 100]).to_string(),
        ),
        ("partitioner.ignore.keys", (rng.u32(0..4) == 0).to_string()),
    ]
}
