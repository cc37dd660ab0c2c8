//! What outcomes of batches mean for the numbering: retries, gaps, restarts under a new epoch.
//!
//! Java: `clients/producer/internals/TransactionManager.java` (sequence numbers, unresolved sequences, epoch bump).
//! Differs: the epoch is bumped only after every request of the partition has ended, and batches that may have been
//! written keep their identity or fail (Java renumbers them and can thereby write them twice).
//! Threads: the I/O thread. Locks: none.

use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::common::cluster::{ProducerIdAndEpoch, Sequence, TopicPartition};
use crate::common::error_kind::ErrorKind;
use crate::common::planted::planted;
use crate::producer::internals::transaction_manager::state::Step;
use crate::producer::internals::transaction_manager::{TransactionManager, Verdict};
use crate::producer::internals::txn_partition_entry::{Continuity, Place, TxnPartitionEntry};

/// A batch as the manager knows it: where it belongs and which numbers it has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchId<'a> {
    pub(crate) tp: &'a TopicPartition,
    pub(crate) identity: ProducerIdAndEpoch,
    pub(crate) first: Sequence,
}

/// A batch that has a number and no final outcome.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutstandingBatch {
    pub(crate) tp: TopicPartition,
    pub(crate) identity: ProducerIdAndEpoch,
    pub(crate) first: Sequence,
    pub(crate) count: u32,
    pub(crate) place: Place,
}

impl TransactionManager {
    /// A batch is in the log. Late and foreign answers change nothing. Returns whether no earlier batch is open.
    pub(crate) fn handle_completed(&mut self, batch: BatchId<'_>) -> bool {
        let Some(entry) = self.partitions.get_mut(batch.tp, batch.identity) else {
            return true;
        };
        entry.acknowledged(batch.first);
        !entry.has_earlier(batch.first)
    }

    /// Whether a batch is open that came before this one and was numbered under the same identity.
    pub(crate) fn has_earlier(&self, batch: BatchId<'_>) -> bool {
        let entry = self.partitions.get(batch.tp);
        entry.is_some_and(|entry| {
            entry.identity() == batch.identity && entry.has_earlier(batch.first)
        })
    }

    /// A batch failed for good and its request, if it had one, has ended. Where it may have been written, later batches
    /// will tell; else its numbers are missing in the log, and the partition needs a new identity.
    pub(crate) fn handle_failed(&mut self, batch: BatchId<'_>, may_be_written: bool) {
        self.note(batch, |entry| entry.lost(batch.first, may_be_written));
    }

    /// A batch failed for good while its request is pending; `handle_failed` or `handle_completed` follows when the
    /// request ends. New batches wait until it is clear whether this one was written.
    pub(crate) fn handle_abandoned(&mut self, batch: BatchId<'_>) {
        self.note(batch, |entry| {
            if !planted!("given-up-batch-is-resolved") {
                entry.worsen(Continuity::Unresolved);
            }
            entry.moved(batch.first, Place::Abandoned)
        });
    }

    /// What to do with a batch that was refused with an error of this kind, all limits aside. `log_start_offset` is
    /// the broker's, -1 where it did not say.
    pub(crate) fn can_retry(
        &mut self,
        batch: BatchId<'_>,
        kind: ErrorKind,
        log_start_offset: i64,
    ) -> Verdict {
        if self.fatal_error().is_some() {
            return Verdict::Fail;
        }
        let Some(entry) = self.partitions.get_mut(batch.tp, batch.identity) else {
            return Verdict::Fail;
        };
        let gap = match kind {
            // An earlier batch is outstanding: of course this one is out of order, and it waits for its turn.
            ErrorKind::OutOfOrderSequence => entry.first_in_flight() == Some(batch.first),
            // Without an offset the broker may just have been too new a leader to know us.
            ErrorKind::UnknownProducerId => log_start_offset >= 0,
            _ if kind.is_retriable() => false,
            _ => return Verdict::Fail,
        };
        if gap {
            log::debug!("{}: {} at the expected number", batch.tp, kind.name());
            self.note(batch, |entry| {
                entry.worsen(Continuity::Broken);
                true
            });
        }
        let broken = self
            .partitions
            .get(batch.tp)
            .is_some_and(|e| e.continuity() == Continuity::Broken);
        if broken && self.is_transactional() {
            // The transaction is aborted, and the next one has an epoch of its own.
            Verdict::Fail
        } else if broken {
            Verdict::Renumber
        } else {
            Verdict::Retry
        }
    }

    /// A batch went back to its queue with its numbers.
    pub(crate) fn handle_reenqueued(&mut self, batch: BatchId<'_>) {
        self.note(batch, |entry| entry.moved(batch.first, Place::Queued));
    }

    /// A batch with numbers left its queue again.
    pub(crate) fn handle_resent(&mut self, batch: BatchId<'_>) {
        self.note(batch, |entry| entry.moved(batch.first, Place::Wire));
    }

    /// A batch was cut into parts that wait in its queue. The parts take over its numbers: the result has the first
    /// number of each.
    pub(crate) fn handle_split(&mut self, batch: BatchId<'_>, counts: &[u32]) -> Vec<Sequence> {
        self.note(batch, |entry| entry.split(batch.first, counts));
        let mut next = batch.first;
        let firsts = counts.iter().map(|&count| {
            let first = next;
            next = next.incremented(count);
            first
        });
        firsts.collect()
    }

    /// A new view of the cluster: a topic that was made again has nothing of what its predecessor had, so the numbering of
    /// its partitions starts over, and what may be in the old one does not go to the new one. Returns whether there is any.
    pub(crate) fn handle_topics(&mut self, snapshot: &MetadataSnapshot) -> bool {
        let recreated = self.partitions.recreated(snapshot);
        let any = !recreated.is_empty();
        for tp in recreated {
            if planted!("recreated-topic-unnoticed") {
                return false;
            }
            if let Some(entry) = self.partitions.find_mut(&tp) {
                entry.worsen(Continuity::Broken);
            }
            self.troubled.insert(tp);
        }
        any
    }

    /// Whether a batch that may be written, and that a broker found out of order although it is the next one, is sent once
    /// more as it is: the broker may have been mistaken, and no other answer can tell what became of the batch.
    pub(crate) fn asks_again(&mut self, batch: BatchId<'_>) -> bool {
        let entry = self.partitions.get_mut(batch.tp, batch.identity);
        entry.is_some_and(|entry| entry.asks_again(batch.first))
    }

    /// The partitions that must start over and have no request pending. Their numbered batches are then taken out of
    /// the queues: those that may have been written fail, the others lose their numbers; [`restart`](Self::restart)
    /// follows.
    pub(crate) fn poll_restart(&mut self) -> Vec<TopicPartition> {
        if self.troubled.is_empty() || self.fatal_error().is_some() {
            return Vec::new();
        }
        let mut troubled = std::mem::take(&mut self.troubled);
        let mut due = Vec::new();
        troubled.retain(|tp| {
            let Some(entry) = self.partitions.find_mut(tp) else {
                return false;
            };
            match entry.resolve() {
                Continuity::Whole => false,
                Continuity::Unresolved => true,
                Continuity::Broken => {
                    if !entry.is_on_wire() || planted!("restart-with-a-request-pending") {
                        due.push(tp.clone());
                    }
                    true
                }
            }
        });
        self.troubled = troubled;
        due
    }

    /// Forgets the numbering of these partitions and takes an identity that none of them has used.
    pub(crate) fn restart(&mut self, partitions: &[TopicPartition]) {
        let current = self.producer_id_and_epoch();
        let mut used = false;
        for tp in partitions {
            used |= !planted!("restart-keeps-the-epoch")
                && self.partitions.get(tp).map(TxnPartitionEntry::identity) == current;
            self.partitions.remove(tp);
            self.troubled.remove(tp);
        }
        match current {
            Some(identity) if used && !planted!("no-epoch-bump-after-a-gap") => {
                self.bump_epoch(identity);
            }
            _ => (),
        }
    }

    /// Panics where the numbering of a partition contradicts itself. Returns every outstanding batch: partition, identity,
    /// first number, count and place.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) -> Vec<OutstandingBatch> {
        let mut outstanding = Vec::new();
        for (tp, entry) in self.partitions.iter() {
            entry.check_invariants();
            let is_whole = entry.continuity() == Continuity::Whole;
            assert!(
                is_whole || self.troubled.contains(tp),
                "{tp} waits for nothing"
            );
            let identity = entry.identity();
            if let Some(current) = self.producer_id_and_epoch() {
                let is_same = identity.producer_id == current.producer_id;
                assert!(!is_same || identity.epoch <= current.epoch, "{tp} is ahead");
            }
            let batches = entry.outstanding();
            outstanding.extend(batches.map(|(first, count, place)| OutstandingBatch {
                tp: tp.clone(),
                identity,
                first,
                count,
                place,
            }));
        }
        outstanding
    }

    fn bump_epoch(&mut self, from: ProducerIdAndEpoch) {
        match from.epoch.checked_add(1) {
            Some(epoch) => {
                log::info!(
                    "producer id {}: epoch {epoch} follows a gap",
                    from.producer_id
                );
                self.advance(Step::Identify(ProducerIdAndEpoch { epoch, ..from }));
            }
            None => {
                log::info!("producer id {}: epochs used up", from.producer_id);
                self.advance(Step::Forget);
            }
        }
    }

    /// Applies a change to the batch's entry and remembers the partition if its numbering is not whole any more.
    fn note(&mut self, batch: BatchId<'_>, change: impl FnOnce(&mut TxnPartitionEntry) -> bool) {
        let Some(entry) = self.partitions.get_mut(batch.tp, batch.identity) else {
            return;
        };
        change(entry);
        if entry.continuity() != Continuity::Whole {
            self.troubled.insert(batch.tp.clone());
        }
    }
}
