//! What the applications do.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: plain data. Locks: none.

use fastrand::Rng;

use crate::testing::sim::plan::{ProducerPlan, TopicPlan};
use crate::testing::sim::queue::{Micros, ms, secs};

/// One application thread: a producer that it shares with others, and what it does one after the other.
#[derive(Debug, Clone)]
pub(in crate::testing::sim) struct AppPlan {
    pub(in crate::testing::sim) producer: usize,
    pub(in crate::testing::sim) ops: Vec<Op>,
}

impl AppPlan {
    /// How long all pauses take together.
    pub(in crate::testing::sim) fn longest_pauses(&self) -> Micros {
        let pauses = self.ops.iter().map(|op| match op {
            Op::Pause(time) => *time,
            _ => 0,
        });
        pauses.sum()
    }
}

/// One step of an application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::testing::sim) enum Op {
    /// Sends a record; the id is the same however much of the work is left out.
    Send(RecordPlan),
    /// Waits for the outcome of the record sent last.
    Get,
    /// Waits for the outcomes of all records.
    Flush,
    /// As `Flush`, with a limit.
    FlushTimeout(Micros),
    /// Does something else.
    Pause(Micros),
    /// Closes the producer, with a limit.
    Close(Micros),
    /// Gets ready for transactions.
    Init,
    /// Begins a transaction.
    Begin,
    /// Makes an offset of a consumer part of the transaction.
    SendOffsets,
    /// Commits the transaction.
    Commit,
    /// Aborts the transaction.
    Abort,
}

/// A record to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::testing::sim) struct RecordPlan {
    pub(in crate::testing::sim) id: u64,
    pub(in crate::testing::sim) topic: usize,
    pub(in crate::testing::sim) partition: Option<i32>,
    pub(in crate::testing::sim) key: Option<u8>,
    pub(in crate::testing::sim) size: usize,
    pub(in crate::testing::sim) headers: u8,
    pub(in crate::testing::sim) timestamp: Option<i64>,
}

/// How one seed's applications behave.
pub(super) struct Style {
    partitioned: bool,
    keyed: bool,
    sizes: [usize; 3],
    pub(super) longest_pause: Micros,
    gets: u32,
    flushes: u32,
}

impl Style {
    pub(super) fn draw(rng: &mut Rng, lasts: Micros) -> Self {
        Self {
            partitioned: rng.bool(),
            keyed: rng.bool(),
            sizes: [rng.usize(8..40), rng.usize(8..300), rng.usize(8..1200)],
            longest_pause: *rng
                .choice(&[0, 0, ms(1), lasts / 50, lasts / 10])
                .expect("some"),
            gets: *rng.choice(&[0, 2, 20, 100]).expect("some"),
            flushes: *rng.choice(&[0, 0, 3]).expect("some"),
        }
    }
}

pub(super) fn draw(
    rng: &mut Rng,
    producers: &[ProducerPlan],
    topics: &[TopicPlan],
    lasts: Micros,
) -> Vec<AppPlan> {
    let per_producer = rng.usize(1..=3);
    let total = *rng.choice(&[20, 100, 300]).expect("some");
    let threads = per_producer * producers.len();
    let mut apps = Vec::new();
    for producer in 0..producers.len() {
        for _ in 0..per_producer {
            let style = Style::draw(rng, lasts);
            let first = (apps.len() as u64 + 1) << 32;
            let sends = total / threads + 1;
            let mut ops = ops(rng, &style, topics, (first, sends));
            if rng.u32(0..10) == 0 {
                let limit = *rng.choice(&[0, ms(20), secs(30)]).expect("some");
                ops.push(Op::Close(limit));
            }
            apps.push(AppPlan { producer, ops });
        }
    }
    apps
}

fn ops(
    rng: &mut Rng,
    style: &Style,
    topics: &[TopicPlan],
    (first, sends): (u64, usize),
) -> Vec<Op> {
    let mut ops = Vec::new();
    for number in 0..sends as u64 {
        ops.push(Op::Send(record(rng, style, topics, first + number)));
        if style.longest_pause > 0 && rng.u32(0..3) == 0 {
            ops.push(Op::Pause(rng.u64(0..style.longest_pause)));
        }
        if rng.u32(0..100) < style.gets {
            ops.push(Op::Get);
        }
        if rng.u32(0..100) < style.flushes {
            ops.push(if rng.bool() {
                Op::Flush
            } else {
                Op::FlushTimeout(rng.u64(0..ms(500)))
            });
        }
    }
    ops
}

pub(super) fn record(rng: &mut Rng, style: &Style, topics: &[TopicPlan], id: u64) -> RecordPlan {
    let topic = rng.usize(0..topics.len());
    let partition =
        (style.partitioned && rng.u32(0..4) != 0).then(|| rng.i32(0..topics[topic].partitions));
    RecordPlan {
        id,
        topic,
        partition,
        key: (style.keyed && rng.bool()).then(|| rng.u8(..)),
        size: *rng.choice(&style.sizes).expect("some"),
        headers: if rng.u32(0..8) == 0 { rng.u8(1..4) } else { 0 },
        timestamp: (rng.u32(0..10) == 0).then(|| rng.i64(1..2_000_000_000_000)),
    }
}
