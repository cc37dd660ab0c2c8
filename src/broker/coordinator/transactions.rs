//! The transaction coordinator: who owns a transactional id, what takes part in its transaction, and how that ends.
//!
//! Java: `coordinator/transaction/TransactionCoordinator.scala`.
//! Differs: one memory for all brokers, of which each may touch only what it coordinates; nothing is written to a log, so
//! every step is done when it is answered, and a new coordinator finds all that the old one knew.
//! Threads: plain data. Locks: none.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::broker::coordinator::transaction_metadata::{Participant, TransactionMetadata};
use crate::common::cluster::ProducerIdAndEpoch;
use crate::protocol::errors::Errors;

mod end_transaction;
mod init_producer_id;

pub(crate) use end_transaction::EndTransaction;
pub(crate) use init_producer_id::InitProducerId;

/// All transactional ids.
#[derive(Debug)]
pub(crate) struct TransactionCoordinator {
    transactions: BTreeMap<String, TransactionMetadata>,
    last_producer_id: i64,
}

impl TransactionCoordinator {
    pub(crate) fn new() -> Self {
        Self {
            transactions: BTreeMap::new(),
            last_producer_id: 1000,
        }
    }

    /// An id that no producer had before.
    pub(crate) fn new_producer_id(&mut self) -> i64 {
        self.last_producer_id += 1;
        self.last_producer_id
    }

    pub(crate) fn get_mut(&mut self, transactional_id: &str) -> Option<&mut TransactionMetadata> {
        self.transactions.get_mut(transactional_id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &TransactionMetadata)> {
        self.transactions.iter()
    }

    /// Adds partitions or a group to the transaction of a producer, which opens it.
    pub(crate) fn add(
        &mut self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        participants: Vec<Participant>,
        now: Instant,
    ) -> Result<(), Errors> {
        let metadata = self.owned_by(transactional_id, producer)?;
        if metadata.is_preparing() {
            return Err(Errors::ConcurrentTransactions);
        }
        metadata.add(participants, now);
        Ok(())
    }

    /// Whether somebody takes part in the transaction of a producer.
    pub(crate) fn verify(
        &mut self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
        participant: &Participant,
    ) -> Result<(), Errors> {
        let metadata = self.owned_by(transactional_id, producer)?;
        if metadata.is_preparing() {
            return Err(Errors::ConcurrentTransactions);
        }
        if metadata.is_open() && metadata.participants.contains_key(participant) {
            return Ok(());
        }
        Err(Errors::TransactionAbortable)
    }

    /// Forgets the ids that have had no transaction for so long.
    pub(crate) fn expire(&mut self, unused_for: Duration, now: Instant) {
        self.transactions.retain(|_, metadata| {
            let in_use = metadata.is_open() || metadata.is_preparing();
            in_use || now.saturating_duration_since(metadata.updated) < unused_for
        });
    }

    fn owned_by(
        &mut self,
        transactional_id: &str,
        producer: ProducerIdAndEpoch,
    ) -> Result<&mut TransactionMetadata, Errors> {
        let metadata = self.transactions.get_mut(transactional_id);
        let metadata = metadata.ok_or(Errors::InvalidProducerIdMapping)?;
        if metadata.producer.producer_id != producer.producer_id {
            return Err(Errors::InvalidProducerIdMapping);
        }
        if metadata.producer.epoch != producer.epoch {
            return Err(Errors::ProducerFenced);
        }
        Ok(metadata)
    }
}
