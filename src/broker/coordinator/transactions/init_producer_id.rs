//! InitProducerId with a transactional id: a new owner, or the old one with its next epoch.
//!
//! Java: `coordinator/transaction/TransactionCoordinator.scala`, `handleInitProducerId`.
//! Differs: nothing.
//! Threads: plain data. Locks: none.

use std::time::{Duration, Instant};

use crate::broker::coordinator::transaction_metadata::{
    LAST_EPOCH_OF_CLIENTS, NO_EPOCH, TransactionMetadata, TransactionState,
};
use crate::broker::coordinator::transactions::TransactionCoordinator;
use crate::common::cluster::ProducerIdAndEpoch;
use crate::protocol::errors::Errors;

/// What a producer asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InitProducerId<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) timeout: Duration,
    /// `transaction.version`
    pub(crate) cluster_version: i16,
    /// Who it believes to be; nothing where it has just started (KIP-360).
    pub(crate) expected: Option<ProducerIdAndEpoch>,
}

impl TransactionCoordinator {
    /// Fences every earlier owner. While a transaction of one is open it is aborted first, and the new one must ask again.
    pub(crate) fn init_producer_id(
        &mut self,
        request: InitProducerId<'_>,
        now: Instant,
    ) -> Result<ProducerIdAndEpoch, Errors> {
        let InitProducerId {
            transactional_id,
            timeout,
            cluster_version,
            expected,
        } = request;
        let spare_id = self.new_producer_id();
        let metadata = self
            .transactions
            .entry(transactional_id.to_owned())
            .or_insert_with(|| TransactionMetadata::new(spare_id, timeout, now));
        if !expected.is_none_or(|expected| may_be(metadata, expected)) {
            return Err(Errors::ProducerFenced);
        }
        match metadata.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => {
                return Err(Errors::ConcurrentTransactions);
            }
            TransactionState::Ongoing => {
                self.fence(transactional_id, cluster_version, now);
                return Err(Errors::ConcurrentTransactions);
            }
            _ => {}
        }
        let current_epoch = metadata.producer.epoch;
        if metadata.is_epoch_exhausted() && expected.is_none_or(|e| e.epoch == current_epoch) {
            metadata.change_id(spare_id, 0);
            metadata.last_epoch = expected.map_or(NO_EPOCH, |_| current_epoch);
        } else {
            bump(metadata, expected)?;
        }
        metadata.timeout = timeout;
        metadata.state = TransactionState::Empty;
        metadata.updated = now;
        Ok(metadata.producer)
    }
}

/// Whether the one who asks can be the owner: an id that fits, or the id before an exhausted one.
fn may_be(metadata: &TransactionMetadata, expected: ProducerIdAndEpoch) -> bool {
    let rotated = expected.producer_id == metadata.previous_producer_id
        && expected.epoch >= LAST_EPOCH_OF_CLIENTS;
    metadata.producer.epoch == NO_EPOCH
        || expected.producer_id == metadata.producer.producer_id
        || rotated
}

/// The next epoch; or the current one, where the owner repeats what was done already.
fn bump(
    metadata: &mut TransactionMetadata,
    expected: Option<ProducerIdAndEpoch>,
) -> Result<(), Errors> {
    let current = metadata.producer.epoch;
    match expected.map(|expected| expected.epoch) {
        None => metadata.last_epoch = NO_EPOCH,
        Some(epoch) if current == NO_EPOCH || epoch == current => metadata.last_epoch = current,
        Some(epoch) if epoch == metadata.last_epoch => return Ok(()),
        Some(_) => return Err(Errors::ProducerFenced),
    }
    metadata.producer.epoch = current.saturating_add(1);
    Ok(())
}
