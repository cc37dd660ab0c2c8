//! What the manager still has to ask, in the order in which it asks.
//!
//! Java: `clients/producer/internals/TransactionManager.java` (`pendingRequests`, `nextRequest`, its request handlers).
//! Differs: first come, first served among requests of one priority, where Java's heap does not say; a request that waits
//! for its back-off waits here, not on the I/O thread.
//! Threads: plain data. Locks: none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use crate::common::cluster::{Node, ProducerIdAndEpoch, TopicPartition};
use crate::common::kafka_error::KafkaError;
use crate::producer::consumer_group_metadata::ConsumerGroupMetadata;
use crate::producer::internals::transaction_manager::state::TransactionVersion;
use crate::producer::internals::transactional_request_result::TransactionalRequestResult;
use crate::producer::offset_and_metadata::OffsetAndMetadata;

/// A request for the Sender to build, send and answer with a [`TxnResponse`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TxnRequest {
    /// The coordinator; nothing where any node will do.
    pub(crate) to: Option<Node>,
    pub(crate) body: TxnRequestBody,
}

/// What is asked, without a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TxnRequestBody {
    FindCoordinator(CoordinatorKey),
    InitProducerId(InitProducerId),
    AddPartitionsToTxn {
        transaction: TransactionId,
        partitions: Vec<TopicPartition>,
    },
    AddOffsetsToTxn {
        transaction: TransactionId,
        group_id: String,
    },
    TxnOffsetCommit {
        transaction: TransactionId,
        offsets: GroupOffsets,
    },
    EndTxn {
        transaction: TransactionId,
        commit: bool,
    },
}

/// How a request of the manager ended.
#[derive(Debug, Clone)]
pub(crate) enum TxnResponse {
    Coordinator(Node),
    /// A new identity.
    InitProducerId(ProducerIdAndEpoch),
    /// A new identity, and the one that a transaction was prepared with which is still open.
    Prepared {
        identity: ProducerIdAndEpoch,
        prepared: ProducerIdAndEpoch,
    },
    /// What became of each partition of AddPartitionsToTxn or TxnOffsetCommit; an error says why not.
    Partitions(Vec<(TopicPartition, Option<KafkaError>)>),
    /// AddOffsetsToTxn went well.
    OffsetsAdded,
    /// The transaction has ended; brokers of transaction version 2 name the identity for the next one.
    Ended(Option<ProducerIdAndEpoch>),
    /// No answer ([`Disconnect`](crate::common::error_kind::ErrorKind::Disconnect)), or one that says no.
    Failed(KafkaError),
}

impl TxnResponse {
    /// What went wrong, where anything did; of several partitions, with one of them.
    pub(crate) fn error(&self) -> Option<&KafkaError> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Partitions(answers) => answers.iter().find_map(|(_, error)| error.as_ref()),
            _ => None,
        }
    }
}

/// Whose coordinator is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CoordinatorKey {
    Transaction(Arc<str>),
    Group(String),
}

/// What InitProducerId says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InitProducerId {
    pub(crate) transactional_id: Option<Arc<str>>,
    pub(crate) transaction_timeout_ms: i32,
    /// The identity whose next epoch is wanted (KIP-360); [`ProducerIdAndEpoch::NONE`] takes over from whoever has it.
    pub(crate) identity: ProducerIdAndEpoch,
    /// An outside coordinator decides about prepared transactions (KIP-939).
    pub(crate) two_phase_commit: bool,
    /// Leaves the transaction of an earlier instance open.
    pub(crate) keep_prepared: bool,
}

/// Which transaction, and by which rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TransactionId {
    pub(crate) transactional_id: Arc<str>,
    pub(crate) identity: ProducerIdAndEpoch,
    pub(crate) version: TransactionVersion,
}

/// Offsets on their way into a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GroupOffsets {
    pub(crate) group: ConsumerGroupMetadata,
    pub(crate) offsets: BTreeMap<TopicPartition, OffsetAndMetadata>,
}

/// What waits to be asked, and what is being asked: one thing at a time.
#[derive(Debug, Default)]
pub(super) struct Requests {
    queue: Vec<Request>,
    pub(super) in_flight: Option<Request>,
}

/// One thing to ask, until it is settled.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) kind: Kind,
    /// Who waits for it.
    pub(super) result: Option<Arc<TransactionalRequestResult>>,
    pub(super) failures: u32,
    pub(super) not_before: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum Kind {
    FindCoordinator(CoordinatorKey),
    /// The first identity, or another one in place of it.
    InitProducerId,
    /// The same, without an end to what an earlier instance has prepared.
    InitKeepingPrepared,
    /// The next epoch after a transaction that has ended, whatever comes of this.
    NextEpoch(ProducerIdAndEpoch),
    /// All partitions that the coordinator does not know yet.
    AddPartitionsToTxn,
    AddOffsetsToTxn(GroupOffsets),
    TxnOffsetCommit(GroupOffsets),
    EndTxn {
        commit: bool,
    },
}

impl Request {
    pub(super) fn new(kind: Kind, result: Option<Arc<TransactionalRequestResult>>) -> Self {
        Self {
            kind,
            result,
            failures: 0,
            not_before: None,
        }
    }

    pub(super) fn complete(&self, outcome: Result<(), KafkaError>) {
        if let Some(result) = &self.result {
            result.complete(outcome);
        }
    }
}

impl Kind {
    /// Small numbers first. Java: `TxnRequestHandler.Priority`.
    fn priority(&self) -> u8 {
        match self {
            Kind::FindCoordinator(_) => 0,
            Kind::InitProducerId | Kind::InitKeepingPrepared => 1,
            Kind::AddPartitionsToTxn | Kind::AddOffsetsToTxn(_) | Kind::TxnOffsetCommit(_) => 2,
            Kind::EndTxn { .. } => 3,
            Kind::NextEpoch(_) => 4,
        }
    }

    /// Whether a late copy of it could meddle with a later transaction that has the same epoch.
    pub(super) fn changes_transaction(&self) -> bool {
        self.priority() == 2 || matches!(self, Kind::EndTxn { .. })
    }
}

impl Requests {
    pub(super) fn push(&mut self, request: Request) {
        self.queue.push(request);
    }

    /// Whether there is nothing to ask, and nothing is being asked.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.in_flight.is_none()
    }

    /// The request whose turn it is, whether its time has come or not.
    pub(super) fn head(&self) -> Option<&Request> {
        self.queue.iter().min_by_key(|r| r.kind.priority())
    }

    pub(super) fn pop(&mut self) -> Option<Request> {
        let (at, _) = self
            .queue
            .iter()
            .enumerate()
            .min_by_key(|(_, request)| request.kind.priority())?;
        Some(self.queue.remove(at))
    }

    /// Puts the request that was not sent, or must be sent again, back before its equals.
    pub(super) fn put_back(&mut self, request: Request) {
        self.queue.insert(0, request);
    }

    pub(super) fn queues_add_partitions(&self) -> bool {
        let mut queue = self.queue.iter();
        queue.any(|request| matches!(request.kind, Kind::AddPartitionsToTxn))
    }

    /// Whether the end of the transaction has been announced.
    pub(super) fn is_ending(&self) -> bool {
        let in_flight = self.in_flight.as_ref();
        in_flight.is_some_and(|request| matches!(request.kind, Kind::EndTxn { .. }))
    }

    /// Fails what waits, save for coordinators to be found: who aborts needs them.
    pub(super) fn fail_queued(&mut self, error: &KafkaError) {
        self.queue.retain(|request| {
            let stays = matches!(request.kind, Kind::FindCoordinator(_));
            if !stays {
                request.fail(error);
            }
            stays
        });
    }

    /// Fails the offsets that wait.
    pub(super) fn fail_offsets(&mut self, error: &KafkaError) {
        self.queue.retain(|request| {
            let goes = matches!(
                request.kind,
                Kind::AddOffsetsToTxn(_) | Kind::TxnOffsetCommit(_)
            );
            if goes {
                request.fail(error);
            }
            !goes
        });
    }

    /// Fails everything.
    pub(super) fn fail_all(&mut self, error: &KafkaError) {
        for request in self.queue.drain(..).chain(self.in_flight.take()) {
            request.fail(error);
        }
    }
}
