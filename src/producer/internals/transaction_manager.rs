//! Gives each batch its producer id, epoch and sequence number, knows which numbers a broker still waits for, and leads
//! transactions from begin to commit or abort.
//!
//! Java: `clients/producer/internals/TransactionManager.java`.
//! Differs: knows batches by partition, first number and count, never touches them, and asks its questions through
//! `poll_request` and `handle_response`; a batch that may have been written never gets a second identity; who commits
//! is told of the commit, whatever comes of the new epoch that is asked for behind it.
//! Threads: a core; drained from under a partition's queue lock, fed by the I/O thread. Locks: none; its owner keeps it
//! in a Mutex of rank `TransactionManager`.

use std::sync::Arc;

use crate::common::cluster::{Node, ProducerIdAndEpoch, Sequence, TopicPartition};
use crate::common::error_kind::ErrorKind;
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::fast_hash::FastSet;
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::producer::internals::transaction_manager::requests::Requests;
use crate::producer::internals::transaction_manager::state::{Caller, State, Step};
use crate::producer::internals::transactional_request_result::TransactionalRequestResult;
use crate::producer::internals::txn_partition_map::TxnPartitionMap;

pub(crate) use self::polling::Unsent;
pub(crate) use self::requests::{
    CoordinatorKey, GroupOffsets, InitProducerId, TransactionId, TxnRequest, TxnRequestBody,
    TxnResponse,
};
pub(crate) use self::sequences::BatchId;
#[cfg(test)]
pub(crate) use self::sequences::OutstandingBatch;
pub(crate) use self::state::TransactionVersion;

mod state;

mod commands;
mod handlers;
mod polling;
mod requests;
mod sequences;
#[cfg(test)]
mod tests;
mod treatment;

/// The numbering of all partitions under one producer id, and the transaction that is open, if any.
#[derive(Debug)]
pub(crate) struct TransactionManager {
    state: State,
    partitions: TxnPartitionMap,
    /// Partitions whose run of numbers is not whole, so that a pass looks at nothing else.
    troubled: FastSet<TopicPartition>,
    retry_backoff: ExponentialBackoff,
    requests: Requests,
    /// A record came in when no transaction took it.
    has_late_records: bool,
    /// Exists where the producer has a `transactional.id`.
    transactional: Option<Transactional>,
}

/// The settings of a transactional producer.
#[derive(Debug, Clone)]
pub(crate) struct TransactionalConfig {
    /// `transactional.id`
    pub(crate) id: Arc<str>,
    /// `transaction.timeout.ms`
    pub(crate) timeout_ms: i32,
    /// `transaction.two.phase.commit.enable`
    pub(crate) two_phase_commit: bool,
}

/// What outlives single transactions.
#[derive(Debug)]
struct Transactional {
    config: TransactionalConfig,
    /// What init, commit or abort came to last, until the application has heard of it.
    pending: Option<Arc<TransactionalRequestResult>>,
    coordinator: Option<Node>,
    /// With the name of the group.
    group_coordinator: Option<(String, Node)>,
    /// The coordinator counts up the epoch on demand (KIP-360); what was seen once stays true without a connection.
    supports_next_epoch: bool,
    /// What the cluster runs as far as is known.
    offered: TransactionVersion,
    /// What the next transaction begins with.
    version: TransactionVersion,
}

/// What to do with a batch that a broker refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Send it again as it is.
    Retry,
    /// Its numbers are lost: queue it for a new identity, which only a batch that is certainly not written may get.
    Renumber,
    /// The error is final.
    Fail,
}

impl TransactionManager {
    /// A manager without an id; the first `poll_request` asks for one.
    pub(crate) fn new(retry_backoff: ExponentialBackoff) -> Self {
        Self {
            state: State::Uninitialized,
            partitions: TxnPartitionMap::default(),
            troubled: FastSet::default(),
            retry_backoff,
            requests: Requests::default(),
            has_late_records: false,
            transactional: None,
        }
    }

    /// A manager for transactions, which asks for nothing before `initialize_transactions`.
    pub(crate) fn transactional(
        config: TransactionalConfig,
        retry_backoff: ExponentialBackoff,
    ) -> Self {
        Self {
            transactional: Some(Transactional {
                config,
                pending: None,
                coordinator: None,
                group_coordinator: None,
                supports_next_epoch: false,
                offered: TransactionVersion::V1,
                version: TransactionVersion::V1,
            }),
            ..Self::new(retry_backoff)
        }
    }

    /// Whether the producer has a `transactional.id`.
    pub(crate) fn is_transactional(&self) -> bool {
        self.transactional.is_some()
    }

    /// The identity that new batches get, once it has come.
    pub(crate) fn producer_id_and_epoch(&self) -> Option<ProducerIdAndEpoch> {
        match &self.state {
            State::Ready(identity) => Some(*identity),
            state => state.transaction().map(|open| open.identity),
        }
    }

    /// What made the manager useless, if it is.
    pub(crate) fn fatal_error(&self) -> Option<&KafkaError> {
        match &self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Whether an idempotent producer has its identity, nothing to ask and no run of numbers to mend: most of the time.
    pub(crate) fn is_at_rest(&self) -> bool {
        let has_identity = matches!(self.state, State::Ready(_)) && !self.is_transactional();
        has_identity && self.troubled.is_empty() && self.requests.is_empty()
    }

    /// Whether the batch at the head of a partition's queue may go to the wire: one with numbers of its own when it is
    /// the oldest outstanding one, a new one when the next numbers are free to give away.
    pub(crate) fn can_drain(&self, tp: &TopicPartition, head_sequence: Option<Sequence>) -> bool {
        let entry = self.partitions.get(tp);
        match head_sequence {
            _ if self.fatal_error().is_some() => false,
            // Its identity stays, whatever happens to the producer's (a retried batch finishes under the old one).
            Some(first) => entry.is_some_and(|e| e.takes_retry(first)),
            None => self.identity_for_new_batch(tp).is_some_and(|identity| {
                entry.is_none_or(|e| {
                    if e.identity() == identity {
                        e.takes_new_batch()
                    } else {
                        e.can_start_over()
                    }
                })
            }),
        }
    }

    /// Nothing where the partition takes no new batches now: in a transaction it has to be part of it, and the end of the
    /// transaction must not be under way.
    fn identity_for_new_batch(&self, tp: &TopicPartition) -> Option<ProducerIdAndEpoch> {
        match &self.state {
            State::Ready(identity) if !self.is_transactional() => Some(*identity),
            State::InTransaction(open) | State::Committing(open)
                if open.is_added(tp) && !self.requests.is_ending() =>
            {
                Some(open.identity)
            }
            _ => None,
        }
    }

    /// Gives a new batch of `count` records its identity and first number and counts it as on the wire. Call it only
    /// where [`can_drain`](Self::can_drain) said yes, under the lock of the partition's queue, so that numbers rise in
    /// the order of the queue.
    pub(crate) fn assign_sequence(
        &mut self,
        tp: &TopicPartition,
        count: u32,
    ) -> (ProducerIdAndEpoch, Sequence) {
        let identity = self
            .producer_id_and_epoch()
            .expect("nothing is drained without a producer id");
        let first = self.partitions.current(tp, identity).assign(count);
        (identity, first)
    }

    /// Makes the manager useless for good, and fails everything that waits for it. The first error stays.
    pub(crate) fn fail(&mut self, error: KafkaError) {
        if self.fatal_error().is_none() {
            self.advance(Step::Fail(error.fatal()));
        }
    }

    /// A step of the I/O thread. One that is not allowed is a bug of ours: going on could number batches twice, so the
    /// manager refuses everything instead (KAFKA-14831: a swallowed bad move lost records).
    fn advance(&mut self, step: Step) {
        if let Err(error) = self.transition(step, Caller::IoThread) {
            log::error!("transaction manager: {error}");
        }
    }

    /// The only way from state to state.
    fn transition(&mut self, step: Step, by: Caller) -> Result<(), KafkaError> {
        let state = std::mem::replace(&mut self.state, State::Uninitialized);
        let (next, refused) = match state.after(step) {
            Ok(next) => (next, None),
            Err((state @ State::Failed(_), _)) if by == Caller::IoThread => (state, None),
            Err((state, step)) => {
                let text = format!(
                    "cannot {} while the producer is {}",
                    step.name(),
                    state.name()
                );
                let error = KafkaError::illegal_state(text);
                match by {
                    Caller::Application => (state, Some(error)),
                    Caller::IoThread => (State::Failed(error.clone().fatal()), Some(error)),
                }
            }
        };
        self.state = next;
        if let State::Failed(error) = &self.state {
            if !planted!("fenced-in-silence") {
                self.requests.fail_all(error);
            }
            let pending = self.transactional.as_ref().and_then(|t| t.pending.as_ref());
            if let Some(pending) = pending.filter(|_| !planted!("fenced-in-silence")) {
                pending.complete(Err(error.clone()));
            }
        }
        refused.map_or(Ok(()), Err)
    }
}

/// Whether a final failure of a batch leaves the producer without the right to go on.
pub(crate) fn is_fatal(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ClusterAuthorization
            | ErrorKind::TransactionalIdAuthorization
            | ErrorKind::ProducerFenced
            | ErrorKind::UnsupportedVersion
            | ErrorKind::InvalidPidMapping
    )
}
