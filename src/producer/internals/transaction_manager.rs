//! Gives each batch its producer id, epoch and sequence number, and knows which numbers a broker still waits for.
//!
//! Java: `clients/producer/internals/TransactionManager.java`.
//! Differs: knows batches by partition, first number and count, never touches them, and asks for producer ids through
//! `poll_request` and `handle_response`; a batch that may have been written never gets a second identity. Transactions
//! join with their own files; without them this is the idempotent half.
//! Threads: a core; drained from under a partition's queue lock, fed by the I/O thread. Locks: none; its owner keeps it
//! in a Mutex of rank `TransactionManager`.

use std::time::Instant;

use crate::common::cluster::{ProducerIdAndEpoch, Sequence, TopicPartition};
use crate::common::error_kind::ErrorKind;
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::fast_hash::FastSet;
use crate::common::kafka_error::KafkaError;
use crate::producer::internals::transaction_manager::state::State;
use crate::producer::internals::txn_partition_map::TxnPartitionMap;

pub(crate) use self::sequences::BatchId;
#[cfg(test)]
pub(crate) use self::sequences::OutstandingBatch;

mod sequences;
mod state;
#[cfg(test)]
mod tests;

/// The numbering of all partitions under one producer id.
#[derive(Debug)]
pub(crate) struct TransactionManager {
    state: State,
    partitions: TxnPartitionMap,
    /// Partitions whose run of numbers is not whole, so that a pass looks at nothing else.
    troubled: FastSet<TopicPartition>,
    retry_backoff: ExponentialBackoff,
}

/// What the manager wants to ask a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TxnRequest {
    /// A producer id with epoch 0, from any broker.
    InitProducerId,
}

/// How a request of the manager ended.
#[derive(Debug, Clone)]
pub(crate) enum TxnResponse {
    /// A new identity.
    InitProducerId(ProducerIdAndEpoch),
    /// No answer, or one that says no.
    Failed(KafkaError),
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
            state: State::Uninitialized {
                failures: 0,
                not_before: None,
            },
            partitions: TxnPartitionMap::default(),
            troubled: FastSet::default(),
            retry_backoff,
        }
    }

    /// The identity that new batches get, once it has come.
    pub(crate) fn producer_id_and_epoch(&self) -> Option<ProducerIdAndEpoch> {
        match self.state {
            State::Ready(identity) => Some(identity),
            _ => None,
        }
    }

    /// What made the manager useless, if it is.
    pub(crate) fn fatal_error(&self) -> Option<&KafkaError> {
        match &self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Whether the batch at the head of a partition's queue may go to the wire: one with numbers of its own when it is
    /// the oldest outstanding one, a new one when the next numbers are free to give away.
    pub(crate) fn can_drain(&self, tp: &TopicPartition, head_sequence: Option<Sequence>) -> bool {
        let entry = self.partitions.get(tp);
        match (&self.state, head_sequence) {
            (State::Failed(_), _) => false,
            // Its identity stays, whatever happens to the producer's (a retried batch finishes under the old one).
            (_, Some(first)) => entry.is_some_and(|e| e.takes_retry(first)),
            (State::Ready(identity), None) => entry.is_none_or(|e| {
                if e.identity() == *identity {
                    e.takes_new_batch()
                } else {
                    e.can_start_over()
                }
            }),
            (State::Uninitialized { .. } | State::Initializing { .. }, None) => false,
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

    /// The next question for a broker, if there is one and its time has come.
    pub(crate) fn poll_request(&mut self, now: Instant) -> Option<TxnRequest> {
        let State::Uninitialized {
            failures,
            not_before,
        } = self.state
        else {
            return None;
        };
        if not_before.is_some_and(|at| now < at) {
            return None;
        }
        self.transition(State::Initializing { failures });
        Some(TxnRequest::InitProducerId)
    }

    /// When `poll_request` has something next: now, later, or not before something else happens.
    pub(crate) fn next_timeout(&self, now: Instant) -> Option<Instant> {
        match self.state {
            State::Uninitialized { not_before, .. } => Some(not_before.unwrap_or(now)),
            _ => None,
        }
    }

    /// Takes the outcome of what `poll_request` gave. `random` in `0.0..1.0` spreads the next try. Returns the error
    /// that the waiting batches must fail with, where waiting on would be useless.
    pub(crate) fn handle_response(
        &mut self,
        response: TxnResponse,
        now: Instant,
        random: f64,
    ) -> Option<KafkaError> {
        let State::Initializing { failures } = self.state else {
            return None;
        };
        match response {
            TxnResponse::InitProducerId(identity) => {
                log::debug!(
                    "producer id {} with epoch {}",
                    identity.producer_id,
                    identity.epoch
                );
                self.transition(State::Ready(identity));
                None
            }
            TxnResponse::Failed(error) => {
                let denied = error.kind().is_authorization() || error.kind().is_authentication();
                if denied || error.is_retriable() {
                    log::debug!("no producer id yet: {error}");
                    // Java asks again at once while the permission is missing; a refused request waits like any other.
                    let wait = self.retry_backoff.backoff(failures, random);
                    self.transition(State::Uninitialized {
                        failures: failures.saturating_add(1),
                        not_before: Some(crate::common::time::deadline(now, wait)),
                    });
                    return denied.then_some(error);
                }
                let error = error.fatal();
                self.transition(State::Failed(error.clone()));
                Some(error)
            }
        }
    }

    /// Makes the manager useless for good. The first error stays.
    pub(crate) fn fail(&mut self, error: KafkaError) {
        if self.fatal_error().is_none() {
            self.transition(State::Failed(error.fatal()));
        }
    }

    fn transition(&mut self, to: State) {
        if self.state.can_become(&to) {
            self.state = to;
        } else {
            // A bad move is a bug of ours. Going on could number batches twice, so the manager refuses everything
            // instead (KAFKA-14831: a swallowed bad move lost records).
            let text = format!("invalid move from {:?} to {to:?}", self.state);
            log::error!("transaction manager: {text}");
            self.state = State::Failed(KafkaError::illegal_state(text).fatal());
        }
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
