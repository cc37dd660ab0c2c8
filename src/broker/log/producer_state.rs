//! What a partition remembers of each idempotent producer, so that a repeated batch is written once.
//!
//! Java: `storage/internals/log/ProducerStateManager.java`, `ProducerAppendInfo.java`.
//! Differs: no snapshots; the transactions of the log are kept here too, so that replaying the batches restores everything.
//! Threads: plain data. Locks: none.

use std::collections::{HashMap, VecDeque};

use crate::broker::log::transaction_index::TransactionIndex;
use crate::protocol::errors::Errors;
use crate::record::default_record_batch::BatchHeader;
use crate::record::end_transaction_marker::EndTransactionMarker;

/// The identity and position that a batch claims.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
    pub(crate) transactional: bool,
}

impl Claim {
    /// What an idempotent producer says of a batch.
    pub(crate) fn of(header: &BatchHeader) -> Option<Self> {
        header.producer.is_valid().then(|| Self {
            producer_id: header.producer.producer_id,
            epoch: header.producer.epoch,
            first_sequence: header.base_sequence,
            last_sequence: last_sequence(header.base_sequence, header.last_offset_delta),
            transactional: header.attributes.is_transactional(),
        })
    }
}

/// What to do with a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Write it.
    Append,
    /// It is in the log already, at this offset with this append time.
    Duplicate {
        base_offset: i64,
        log_append_time: i64,
    },
    /// Refuse it.
    Refuse(Errors),
}

/// Remembers the last batches of every producer, and the transactions.
#[derive(Debug, Default)]
pub(crate) struct ProducerStateManager {
    producers: HashMap<i64, Producer>,
    transactions: TransactionIndex,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    /// Oldest first, at most [`BATCHES_KEPT`].
    batches: VecDeque<Written>,
    /// The largest timestamp of its last batch, by which it expires.
    last_timestamp: i64,
}

#[derive(Debug, Clone, Copy)]
struct Written {
    first_sequence: i32,
    last_sequence: i32,
    base_offset: i64,
    log_append_time: i64,
}

impl ProducerStateManager {
    /// Judges a batch before it is written.
    pub(crate) fn check(&self, claim: Claim) -> Verdict {
        let Some(producer) = self.producers.get(&claim.producer_id) else {
            // A broker that has no state for a producer accepts any first sequence: its state may have expired.
            return Verdict::Append;
        };
        if claim.epoch < producer.epoch {
            return Verdict::Refuse(Errors::InvalidProducerEpoch);
        }
        if !claim.transactional && self.transactions.is_open(claim.producer_id) {
            return Verdict::Refuse(Errors::InvalidTxnState);
        }
        if claim.epoch > producer.epoch {
            return if claim.first_sequence == 0 {
                Verdict::Append
            } else {
                Verdict::Refuse(Errors::OutOfOrderSequenceNumber)
            };
        }
        let same = |w: &&Written| {
            w.first_sequence == claim.first_sequence && w.last_sequence == claim.last_sequence
        };
        if let Some(written) = producer.batches.iter().find(same) {
            return Verdict::Duplicate {
                base_offset: written.base_offset,
                log_append_time: written.log_append_time,
            };
        }
        producer.judge_position(claim)
    }

    /// Whether anything is remembered of a producer.
    pub(crate) fn knows(&self, producer_id: i64) -> bool {
        self.producers.contains_key(&producer_id)
    }

    /// Remembers a batch of the log, in the same way at the leader and at those that copy from it.
    pub(crate) fn observe_batch(
        &mut self,
        header: &BatchHeader,
        marker: Option<EndTransactionMarker>,
        log_append_time: i64,
    ) {
        let Some(claim) = Claim::of(header) else {
            return;
        };
        let producer = self.at_epoch(claim.producer_id, claim.epoch);
        producer.last_timestamp = header.max_timestamp;
        match marker {
            Some(marker) => {
                self.transactions
                    .ended(claim.producer_id, header.base_offset, marker.committed);
            }
            None => {
                producer.remember(Written {
                    first_sequence: claim.first_sequence,
                    last_sequence: claim.last_sequence,
                    base_offset: header.base_offset,
                    log_append_time,
                });
                if claim.transactional {
                    self.transactions
                        .began(claim.producer_id, header.base_offset);
                }
            }
        }
    }

    /// The transactions of the log.
    pub(crate) fn transactions(&self) -> &TransactionIndex {
        &self.transactions
    }

    /// Whether a producer has a transaction open here, under this epoch.
    pub(crate) fn has_open_transaction(&self, producer_id: i64, epoch: i16) -> bool {
        let known = self.producers.get(&producer_id);
        known.is_some_and(|producer| producer.epoch == epoch)
            && self.transactions.is_open(producer_id)
    }

    /// Forgets the producers whose last batch is older than this, unless a transaction of theirs is open.
    pub(crate) fn expire(&mut self, before: i64) {
        let transactions = &self.transactions;
        self.producers.retain(|producer_id, producer| {
            producer.last_timestamp > before || transactions.is_open(*producer_id)
        });
    }

    fn at_epoch(&mut self, producer_id: i64, epoch: i16) -> &mut Producer {
        let fresh = || Producer {
            epoch,
            batches: VecDeque::new(),
            last_timestamp: 0,
        };
        let producer = self.producers.entry(producer_id).or_insert_with(fresh);
        if producer.epoch != epoch {
            *producer = fresh();
        }
        producer
    }

    /// Knows no more of each producer than its last batch, as a broker that began with a snapshot of its producers.
    #[cfg(test)]
    pub(crate) fn forget_older_batches(&mut self) {
        for producer in self.producers.values_mut() {
            let older = producer.batches.len().saturating_sub(1);
            producer.batches.drain(..older);
        }
    }

    /// Forgets every producer, as a broker does whose state has expired.
    pub(crate) fn forget_all(&mut self) {
        self.producers.clear();
    }
}

impl Producer {
    fn remember(&mut self, written: Written) {
        if self.batches.len() == BATCHES_KEPT {
            self.batches.pop_front();
        }
        self.batches.push_back(written);
    }

    fn judge_position(&self, claim: Claim) -> Verdict {
        // Where a marker has begun this epoch, its first batch must be the first.
        let last = self.batches.back();
        let next = last.map_or(0, |last| next_sequence(last.last_sequence));
        if claim.first_sequence == next {
            return Verdict::Append;
        }
        // Also for what is older than the batches kept: it is written, but nobody knows where. Kafka before 1.1 said
        // DUPLICATE_SEQUENCE_NUMBER to that.
        Verdict::Refuse(Errors::OutOfOrderSequenceNumber)
    }
}

/// After `i32::MAX` comes 0.
fn last_sequence(first: i32, delta: i32) -> i32 {
    let sum = i64::from(first) + i64::from(delta);
    i32::try_from(sum & 0x7fff_ffff).unwrap_or_default()
}

/// The sequence after `last`: `i32::MAX` is followed by 0.
fn next_sequence(last: i32) -> i32 {
    last.checked_add(1).unwrap_or(0)
}

/// As many as an idempotent producer may have in flight.
const BATCHES_KEPT: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::cluster::ProducerIdAndEpoch;
    use crate::record::record_batch::Attributes;

    fn claim(epoch: i16, first: i32, last: i32) -> Claim {
        Claim {
            producer_id: 9,
            epoch,
            first_sequence: first,
            last_sequence: last,
            transactional: false,
        }
    }

    /// The header of such a batch, as it stands in the log.
    fn header(claim: Claim, base_offset: i64, attributes: i16) -> BatchHeader {
        BatchHeader {
            base_offset,
            partition_leader_epoch: 0,
            attributes: Attributes(attributes),
            last_offset_delta: claim.last_sequence.wrapping_sub(claim.first_sequence),
            base_timestamp: 0,
            max_timestamp: 1000,
            producer: ProducerIdAndEpoch {
                producer_id: claim.producer_id,
                epoch: claim.epoch,
            },
            base_sequence: claim.first_sequence,
            count: 1,
        }
    }

    fn write(state: &mut ProducerStateManager, claim: Claim, base_offset: i64) {
        state.observe_batch(&header(claim, base_offset, 0), None, -1);
    }

    #[test]
    fn the_next_sequence_is_written_and_a_repeated_one_is_answered_from_memory() {
        let mut state = ProducerStateManager::default();
        assert_eq!(state.check(claim(0, 0, 4)), Verdict::Append);
        write(&mut state, claim(0, 0, 4), 100);
        assert_eq!(
            state.check(claim(0, 0, 4)),
            Verdict::Duplicate {
                base_offset: 100,
                log_append_time: -1
            }
        );
        assert_eq!(state.check(claim(0, 5, 5)), Verdict::Append);
        assert_eq!(
            state.check(claim(0, 6, 6)),
            Verdict::Refuse(Errors::OutOfOrderSequenceNumber)
        );
    }

    #[test]
    fn only_five_batches_are_remembered() {
        let mut state = ProducerStateManager::default();
        for n in 0..6 {
            write(&mut state, claim(0, n, n), i64::from(n));
        }
        assert_eq!(
            state.check(claim(0, 0, 0)),
            Verdict::Refuse(Errors::OutOfOrderSequenceNumber)
        );
        assert!(matches!(
            state.check(claim(0, 1, 1)),
            Verdict::Duplicate { base_offset: 1, .. }
        ));
    }

    #[test]
    fn an_older_epoch_is_fenced_and_a_newer_one_starts_at_zero() {
        let mut state = ProducerStateManager::default();
        write(&mut state, claim(3, 0, 9), 0);
        assert_eq!(
            state.check(claim(2, 10, 10)),
            Verdict::Refuse(Errors::InvalidProducerEpoch)
        );
        assert_eq!(
            state.check(claim(4, 10, 10)),
            Verdict::Refuse(Errors::OutOfOrderSequenceNumber)
        );
        assert_eq!(state.check(claim(4, 0, 0)), Verdict::Append);
    }

    #[test]
    fn sequences_wrap_after_the_largest() {
        let mut state = ProducerStateManager::default();
        write(&mut state, claim(0, i32::MAX, i32::MAX), 7);
        assert_eq!(state.check(claim(0, 0, 3)), Verdict::Append);
    }

    const TRANSACTIONAL: i16 = 0x10;

    /// Java: `ProducerStateManagerTest.testSequenceNotValidatedForGroupMetadataTopic` and its neighbours (markers).
    #[test]
    fn a_marker_of_the_next_epoch_fences_and_begins_the_sequences_again() {
        let mut state = ProducerStateManager::default();
        let first = claim(0, 0, 0);
        state.observe_batch(&header(first, 0, TRANSACTIONAL), None, -1);
        assert!(state.has_open_transaction(9, 0));
        let plain = claim(0, 1, 1);
        assert_eq!(
            state.check(plain),
            Verdict::Refuse(Errors::InvalidTxnState),
            "not transactional while a transaction is open"
        );
        let marker = EndTransactionMarker {
            committed: true,
            coordinator_epoch: 0,
        };
        state.observe_batch(&header(claim(1, -1, -1), 1, 0x30), Some(marker), -1);
        assert!(!state.has_open_transaction(9, 1));
        assert_eq!(
            state.check(first),
            Verdict::Refuse(Errors::InvalidProducerEpoch)
        );
        assert_eq!(
            state.check(claim(1, 1, 1)),
            Verdict::Refuse(Errors::OutOfOrderSequenceNumber)
        );
        assert_eq!(state.check(claim(1, 0, 0)), Verdict::Append);
    }

    /// Java: `ProducerStateManagerTest.testProducerStateAfterFencingAbortMarker`, `testRemoveExpiredPidsOnReload`.
    #[test]
    fn a_producer_expires_by_the_time_of_its_last_batch_but_not_within_a_transaction() {
        let mut state = ProducerStateManager::default();
        write(&mut state, claim(0, 0, 0), 0);
        state.expire(999);
        assert_eq!(
            state.check(claim(0, 5, 5)),
            Verdict::Refuse(Errors::OutOfOrderSequenceNumber)
        );
        state.expire(1000);
        assert_eq!(state.check(claim(0, 5, 5)), Verdict::Append);
        state.observe_batch(&header(claim(0, 5, 5), 1, TRANSACTIONAL), None, -1);
        state.expire(1000);
        assert!(state.has_open_transaction(9, 0));
    }
}
