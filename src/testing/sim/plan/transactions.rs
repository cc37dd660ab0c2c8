//! Producers with transactions: who shares a `transactional.id`, what they do, and what goes wrong for them.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: plain data. Locks: none.

use fastrand::Rng;

use crate::broker::faults::Api;
use crate::common::cluster::NodeId;
use crate::testing::sim::plan::work::{AppPlan, Op, Style, record};
use crate::testing::sim::plan::{Fault, FaultPlan, Plan, ProducerPlan, TopicPlan, faults};
use crate::testing::sim::queue::{Micros, ms, secs};

/// How the cluster coordinates transactions.
#[derive(Debug, Clone, Copy)]
pub(in crate::testing::sim) struct Coordination {
    pub(in crate::testing::sim) transaction_version: i16,
    pub(in crate::testing::sim) marker_delay: Micros,
    pub(in crate::testing::sim) load_delay: Micros,
}

impl Default for Coordination {
    fn default() -> Self {
        Self {
            transaction_version: 2,
            marker_delay: 0,
            load_delay: 0,
        }
    }
}

/// Adds producers with transactions to a plan, beside those without or in their place, and draws what goes wrong anew.
pub(super) fn draw(rng: &mut Rng, plan: &mut Plan) {
    plan.coordination = Coordination {
        transaction_version: rng.i16(1..=2),
        marker_delay: *rng.choice(&[0, 0, ms(20), ms(500)]).expect("some"),
        load_delay: *rng.choice(&[0, ms(10), ms(800)]).expect("some"),
    };
    if rng.bool() {
        plan.producers.clear();
        plan.apps.clear();
    }
    let ids = rng.usize(1..=2);
    for id in 0..ids {
        let instances = *rng.choice(&[1, 1, 2, 3]).expect("some");
        for instance in 0..instances {
            let number = plan.producers.len();
            let id = format!("tx{id}");
            let producer = ProducerPlan::draw_transactional(rng, number, plan.brokers, id);
            plan.producers.push(producer);
            let begins = if instance == 0 {
                0
            } else {
                rng.u64(0..plan.heal_at)
            };
            let first = (plan.apps.len() as u64 + 1) << 32;
            let ops = ops(rng, &plan.topics, (first, begins), plan.heal_at);
            plan.apps.push(AppPlan {
                producer: number,
                ops,
            });
        }
    }
    plan.faults = faults::draw(rng, plan);
    plan.faults.extend(coordination_faults(rng, plan, ids));
}

fn ops(
    rng: &mut Rng,
    topics: &[TopicPlan],
    (first, begins): (u64, Micros),
    lasts: Micros,
) -> Vec<Op> {
    let style = Style::draw(rng, lasts);
    let transactions = rng.usize(1..=15);
    let offsets = rng.u32(0..3);
    let mut next = first;
    let mut ops = vec![Op::Pause(begins), Op::Init];
    for _ in 0..transactions {
        ops.push(Op::Begin);
        for _ in 0..rng.u32(0..8) {
            ops.push(Op::Send(record(rng, &style, topics, next)));
            next += 1;
            if style.longest_pause > 0 && rng.u32(0..3) == 0 {
                ops.push(Op::Pause(rng.u64(0..style.longest_pause)));
            }
        }
        if rng.u32(0..4) < offsets {
            ops.push(Op::SendOffsets);
        }
        if rng.u32(0..6) == 0 {
            ops.push(Op::Flush);
        }
        ops.push(if rng.u32(0..4) == 0 {
            Op::Abort
        } else {
            Op::Commit
        });
    }
    if rng.u32(0..6) == 0 {
        ops.push(Op::Begin);
        ops.push(Op::Send(record(rng, &style, topics, next)));
        ops.push(Op::Close(secs(30)));
    }
    ops
}

fn coordination_faults(rng: &mut Rng, plan: &Plan, ids: usize) -> Vec<FaultPlan> {
    let count = *rng.choice(&[0, 3, 10, 30]).expect("some");
    (0..count)
        .map(|_| FaultPlan {
            at: rng.u64(0..plan.heal_at),
            lasts: 1,
            fault: coordination_fault(rng, plan, ids),
        })
        .collect()
}

fn coordination_fault(rng: &mut Rng, plan: &Plan, ids: usize) -> Fault {
    let api = *rng
        .choice(&[
            Api::EndTxn,
            Api::EndTxn,
            Api::EndTxn,
            Api::AddPartitionsToTxn,
            Api::AddOffsetsToTxn,
            Api::TxnOffsetCommit,
            Api::FindCoordinator,
            Api::InitProducerId,
            Api::Produce,
        ])
        .expect("some");
    let times = rng.u32(1..4);
    match rng.u32(0..6) {
        0 => Fault::MoveCoordinator {
            id: format!("tx{}", rng.usize(0..ids)),
            broker: NodeId(rng.i32(1..=plan.brokers)),
        },
        1 => Fault::Error {
            api,
            kind: *rng.choice(faults::errors_of(api)).expect("some"),
            times,
        },
        2 => Fault::LoseAnswer {
            api,
            times,
            in_silence: rng.bool(),
        },
        3 => Fault::Drop { api, times },
        4 => Fault::Delay {
            api,
            by: rng.u64(0..secs(3)),
            times,
        },
        _ => Fault::Late {
            api,
            by: rng.u64(0..secs(40)),
            times,
        },
    }
}
