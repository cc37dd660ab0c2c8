//! What goes wrong, and when.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: plain data. Locks: none.

use fastrand::Rng;

use crate::broker::faults::Api;
use crate::common::cluster::NodeId;
use crate::common::error_kind::ErrorKind;
use crate::testing::sim::network::Direction;
use crate::testing::sim::plan::Plan;
use crate::testing::sim::queue::{Micros, ms, secs};

/// Something that goes wrong for a while.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::testing::sim) struct FaultPlan {
    pub(in crate::testing::sim) at: Micros,
    pub(in crate::testing::sim) lasts: Micros,
    pub(in crate::testing::sim) fault: Fault,
}

/// The kinds of things that go wrong.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::testing::sim) enum Fault {
    /// Bytes of one direction do not arrive; later they may.
    BlackHole {
        producer: usize,
        broker: NodeId,
        direction: Direction,
    },
    /// Bytes dribble.
    Drip {
        producer: usize,
        broker: NodeId,
        direction: Direction,
    },
    /// All takes longer.
    Slow {
        producer: usize,
        broker: NodeId,
        by: Micros,
    },
    /// Connections break at a byte, with this chance in a thousand for each packet.
    Cuts {
        producer: usize,
        broker: NodeId,
        in_a_thousand: u32,
    },
    /// Every connection of a producer with a broker breaks now.
    Reset { producer: usize, broker: NodeId },
    /// Attempts to connect are refused.
    Refuse { producer: usize, broker: NodeId },
    /// Attempts to connect are never answered.
    Swallow { producer: usize, broker: NodeId },
    /// A broker dies and comes back.
    Kill { broker: NodeId, in_silence: bool },
    /// A broker stands still and goes on; the others notice after their session timeout.
    Freeze { broker: NodeId },
    /// A broker and the others do not reach one another; clients reach them all.
    Isolate { broker: NodeId },
    /// A follower copies nothing.
    HoldBack { topic: usize, partition: i32 },
    /// A partition gets another leader.
    MoveLeader { topic: usize, partition: i32 },
    /// A broker answers with an error.
    Error {
        api: Api,
        kind: ErrorKind,
        times: u32,
    },
    /// A broker does what is asked, and the answer is lost: the connection closes, or nothing comes.
    LoseAnswer {
        api: Api,
        times: u32,
        in_silence: bool,
    },
    /// A broker closes the connection instead of handling the request.
    Drop { api: Api, times: u32 },
    /// A broker answers late.
    Delay { api: Api, by: Micros, times: u32 },
    /// A broker does what is asked later, whatever has become of the connection.
    Late { api: Api, by: Micros, times: u32 },
    /// Another broker coordinates a transactional id.
    MoveCoordinator { id: String, broker: NodeId },
    /// A producer's I/O thread does not run.
    Stall { producer: usize },
    /// A partition is added to a topic.
    Grow { topic: usize },
    /// Brokers remember a producer's last batch only.
    Forget,
}

/// How often each kind of fault is drawn in this seed; most seeds know a few kinds only.
pub(super) fn draw(rng: &mut Rng, plan: &Plan) -> Vec<FaultPlan> {
    if rng.u32(0..12) == 0 {
        return Vec::new();
    }
    let kinds: Vec<u32> = (0..KINDS).filter(|_| rng.u32(0..3) == 0).collect();
    if kinds.is_empty() {
        return Vec::new();
    }
    let count = *rng.choice(&[1, 5, 20, 40]).expect("some");
    let longest = *rng
        .choice(&[ms(50), ms(500), secs(8), plan.heal_at])
        .expect("some");
    (0..count)
        .map(|_| FaultPlan {
            at: rng.u64(0..plan.heal_at),
            lasts: rng.u64(1..=longest),
            fault: {
                let kind = *rng.choice(&kinds).expect("some");
                fault(rng, plan, kind)
            },
        })
        .collect()
}

/// What must meet for something to happen that is rare otherwise. Drawn apart, so that all else in the seed stays as it is.
pub(super) fn draw_rare(plan: &Plan) -> Vec<FaultPlan> {
    let rng = &mut Rng::with_seed(plan.seed ^ 0x7a3e);
    match rng.u32(0..RARE_EVERY) {
        0 => forgetful(rng, plan),
        1 => odd_answers(rng, plan),
        _ => Vec::new(),
    }
}

/// Brokers forget where they put a batch, and answers are lost.
fn forgetful(rng: &mut Rng, plan: &Plan) -> Vec<FaultPlan> {
    let mut faults = vec![FaultPlan {
        at: 0,
        lasts: plan.heal_at,
        fault: Fault::Forget,
    }];
    faults.extend((0..rng.usize(1..=8)).map(|_| FaultPlan {
        at: rng.u64(0..plan.heal_at),
        lasts: 1,
        fault: Fault::LoseAnswer {
            api: Api::Produce,
            times: rng.u32(1..=6),
            in_silence: rng.bool(),
        },
    }));
    faults
}

/// Errors that brokers hardly ever have a reason for.
fn odd_answers(rng: &mut Rng, plan: &Plan) -> Vec<FaultPlan> {
    let odd = |rng: &mut Rng| FaultPlan {
        at: rng.u64(0..plan.heal_at),
        lasts: 1,
        fault: Fault::Error {
            api: Api::Produce,
            kind: *rng.choice(&ODD).expect("some"),
            times: rng.u32(1..=3),
        },
    };
    (0..rng.usize(1..=8)).map(|_| odd(rng)).collect()
}

fn fault(rng: &mut Rng, plan: &Plan, kind: u32) -> Fault {
    let producer = rng.usize(0..plan.producers.len());
    let broker = NodeId(rng.i32(1..=plan.brokers));
    let direction = if rng.bool() {
        Direction::ToBroker
    } else {
        Direction::ToClient
    };
    match kind {
        0 => Fault::BlackHole {
            producer,
            broker,
            direction,
        },
        1 => Fault::Drip {
            producer,
            broker,
            direction,
        },
        2 => Fault::Slow {
            producer,
            broker,
            by: rng.u64(0..secs(2)),
        },
        3 => Fault::Cuts {
            producer,
            broker,
            in_a_thousand: rng.u32(1..300),
        },
        4 => Fault::Reset { producer, broker },
        5 => Fault::Refuse { producer, broker },
        6 => Fault::Swallow { producer, broker },
        7 => Fault::Kill {
            broker,
            in_silence: rng.bool(),
        },
        8 => Fault::Freeze { broker },
        9 => {
            let topic = rng.usize(0..plan.topics.len());
            let partition = rng.i32(0..plan.topics[topic].partitions);
            Fault::MoveLeader { topic, partition }
        }
        10 => Fault::Stall { producer },
        11 => Fault::Grow {
            topic: rng.usize(0..plan.topics.len()),
        },
        12 => Fault::Isolate { broker },
        13 => {
            let topic = rng.usize(0..plan.topics.len());
            let partition = rng.i32(0..plan.topics[topic].partitions);
            Fault::HoldBack { topic, partition }
        }
        _ => broker_fault(rng, kind - BROKER_FAULTS),
    }
}

fn broker_fault(rng: &mut Rng, kind: u32) -> Fault {
    let api = *rng
        .choice(&[
            Api::Produce,
            Api::Produce,
            Api::Produce,
            Api::Metadata,
            Api::ApiVersions,
            Api::InitProducerId,
        ])
        .expect("some");
    let times = rng.u32(1..4);
    match kind {
        0 => Fault::Error {
            api,
            kind: *rng.choice(errors_of(api)).expect("some"),
            times,
        },
        1 => Fault::LoseAnswer {
            api,
            times,
            in_silence: rng.bool(),
        },
        2 => Fault::Drop { api, times },
        _ => Fault::Delay {
            api,
            by: rng.u64(0..secs(3)),
            times,
        },
    }
}

/// The errors that a broker may answer a request with, without having done anything.
pub(super) fn errors_of(api: Api) -> &'static [ErrorKind] {
    match api {
        Api::Produce => &[
            ErrorKind::NotLeaderOrFollower,
            ErrorKind::LeaderNotAvailable,
            ErrorKind::UnknownTopicOrPartition,
            ErrorKind::NotEnoughReplicas,
            ErrorKind::Timeout,
            ErrorKind::KafkaStorage,
            ErrorKind::CorruptRecord,
            ErrorKind::InvalidRecord,
            ErrorKind::TopicAuthorization,
            ErrorKind::ClusterAuthorization,
            ErrorKind::RecordTooLarge,
            ErrorKind::InvalidTimestamp,
            ErrorKind::UnknownServer,
            ErrorKind::PolicyViolation,
        ],
        Api::InitProducerId => &[
            ErrorKind::CoordinatorLoadInProgress,
            ErrorKind::CoordinatorNotAvailable,
            ErrorKind::ConcurrentTransactions,
            ErrorKind::UnknownServer,
            ErrorKind::ClusterAuthorization,
        ],
        Api::FindCoordinator => &[ErrorKind::CoordinatorNotAvailable],
        Api::AddPartitionsToTxn | Api::AddOffsetsToTxn | Api::EndTxn => &[
            ErrorKind::CoordinatorLoadInProgress,
            ErrorKind::CoordinatorNotAvailable,
            ErrorKind::NotCoordinator,
            ErrorKind::ConcurrentTransactions,
        ],
        Api::TxnOffsetCommit => &[
            ErrorKind::CoordinatorLoadInProgress,
            ErrorKind::NotCoordinator,
            ErrorKind::UnknownTopicOrPartition,
            ErrorKind::GroupAuthorization,
        ],
        _ => &[
            ErrorKind::LeaderNotAvailable,
            ErrorKind::UnknownTopicOrPartition,
            ErrorKind::TopicAuthorization,
            ErrorKind::UnknownServer,
            ErrorKind::UnsupportedVersion,
        ],
    }
}

/// One seed of so many, more or less, has each of the rare faults.
const RARE_EVERY: u32 = 40;
const ODD: [ErrorKind; 3] = [
    ErrorKind::UnknownTopicId,
    ErrorKind::UnknownProducerId,
    ErrorKind::NotEnoughReplicasAfterAppend,
];
const BROKER_FAULTS: u32 = 14;
const KINDS: u32 = BROKER_FAULTS + 4;
