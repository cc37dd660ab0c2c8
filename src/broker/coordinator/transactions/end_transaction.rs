//! EndTxn, and the aborts that the coordinator decides itself.
//!
//! With transaction version 1 a request is known by state and epoch alone, so that a late one ends the next transaction.
//! With version 2 each transaction has an epoch of its own, and a request of the epoch before is a repetition (KIP-890).
//!
//! Java: `coordinator/transaction/TransactionCoordinator.scala`, `endTransaction`, `abortTimedOutTransactions`.
//! Differs: nothing.
//! Threads: plain data. Locks: none.

use std::time::Instant;

use crate::broker::coordinator::transaction_metadata::{
    Decision, LAST_EPOCH_OF_CLIENTS, NO_EPOCH, TransactionMetadata, TransactionState,
};
use crate::broker::coordinator::transactions::TransactionCoordinator;
use crate::common::cluster::ProducerIdAndEpoch;
use crate::protocol::errors::Errors;

/// What a producer asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndTransaction<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer: ProducerIdAndEpoch,
    pub(crate) decision: Decision,
}

/// What a request comes to, given the state.
enum Outcome {
    /// The transaction ends now.
    Prepare,
    /// It ended so before.
    Repeated,
    Refuse(Errors),
}

impl TransactionCoordinator {
    /// Decides, and says who may write next.
    pub(crate) fn end_transaction(
        &mut self,
        request: EndTransaction<'_>,
        now: Instant,
    ) -> Result<ProducerIdAndEpoch, Errors> {
        let EndTransaction {
            transactional_id,
            producer,
            decision,
        } = request;
        let spare_id = self.new_producer_id();
        let metadata = self.transactions.get_mut(transactional_id);
        let metadata = metadata.ok_or(Errors::InvalidProducerIdMapping)?;
        let outcome = if decision.bumps_epoch {
            with_version_2(metadata, producer, decision.commit)
        } else {
            with_version_1(metadata, producer, decision.commit)
        };
        match outcome {
            Outcome::Refuse(error) => Err(error),
            Outcome::Repeated => Ok(metadata.producer),
            Outcome::Prepare => {
                // Version 2 may abort a transaction in which nobody took part: its epoch ends all the same.
                let exhausted = decision.bumps_epoch && metadata.is_epoch_exhausted();
                metadata.prepare(decision, exhausted.then_some(spare_id), now);
                Ok(metadata.next_producer())
            }
        }
    }

    /// Aborts an open transaction under an epoch that nobody has. In a cluster of version 2 its owner may come back with the
    /// epoch that it knows.
    pub(crate) fn fence(&mut self, transactional_id: &str, cluster_version: i16, now: Instant) {
        let Some(metadata) = self.transactions.get_mut(transactional_id) else {
            return;
        };
        let decision = Decision {
            commit: false,
            bumps_epoch: cluster_version >= FIRST_WITH_AN_EPOCH_EACH,
        };
        if !decision.bumps_epoch {
            metadata.producer.epoch = metadata.producer.epoch.saturating_add(1);
            metadata.last_epoch = NO_EPOCH;
        }
        metadata.prepare(decision, None, now);
    }
}

/// The level of `transaction.version` at which each transaction has an epoch of its own.
const FIRST_WITH_AN_EPOCH_EACH: i16 = 2;

fn with_version_1(
    metadata: &TransactionMetadata,
    producer: ProducerIdAndEpoch,
    commit: bool,
) -> Outcome {
    if metadata.producer.producer_id != producer.producer_id {
        return Outcome::Refuse(Errors::InvalidProducerIdMapping);
    }
    if metadata.producer.epoch != producer.epoch {
        return Outcome::Refuse(Errors::ProducerFenced);
    }
    match (metadata.state, commit) {
        (TransactionState::Ongoing, _) => Outcome::Prepare,
        (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false) => {
            Outcome::Repeated
        }
        (TransactionState::PrepareCommit, true) | (TransactionState::PrepareAbort, false) => {
            Outcome::Refuse(Errors::ConcurrentTransactions)
        }
        _ => Outcome::Refuse(Errors::InvalidTxnState),
    }
}

fn with_version_2(
    metadata: &TransactionMetadata,
    producer: ProducerIdAndEpoch,
    commit: bool,
) -> Outcome {
    let current = metadata.producer;
    let over_the_last_epoch = metadata.previous_producer_id == producer.producer_id
        && producer.epoch == LAST_EPOCH_OF_CLIENTS
        && current.epoch == 0;
    let after_a_bump = current.epoch == producer.epoch.saturating_add(1);
    if current.producer_id != producer.producer_id && !over_the_last_epoch {
        return Outcome::Refuse(Errors::InvalidProducerIdMapping);
    }
    let repeated = after_a_bump || over_the_last_epoch;
    let same = current.epoch == producer.epoch;
    let is_valid = match metadata.state {
        TransactionState::Ongoing | TransactionState::Empty => same,
        TransactionState::PrepareCommit | TransactionState::PrepareAbort => after_a_bump,
        TransactionState::CompleteCommit | TransactionState::CompleteAbort => repeated || same,
    };
    if !is_valid {
        return Outcome::Refuse(Errors::ProducerFenced);
    }
    match (metadata.state, commit) {
        (TransactionState::Ongoing, _) | (TransactionState::Empty, false) => Outcome::Prepare,
        (TransactionState::PrepareCommit, true) | (TransactionState::PrepareAbort, false) => {
            Outcome::Refuse(Errors::ConcurrentTransactions)
        }
        (TransactionState::CompleteCommit, true) | (TransactionState::CompleteAbort, false)
            if repeated =>
        {
            Outcome::Repeated
        }
        (TransactionState::CompleteCommit | TransactionState::CompleteAbort, false)
            if !repeated =>
        {
            Outcome::Prepare
        }
        _ => Outcome::Refuse(Errors::InvalidTxnState),
    }
}
