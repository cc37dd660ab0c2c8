//! What a partition remembers of each idempotent producer, so that a repeated batch is written once.
//!
//! Java: `storage/internals/log/ProducerStateManager.java`, `ProducerAppendInfo.java`.
//! Differs: no expiry and no snapshots yet; transactions come with their coordinator.
//! Threads: plain data. Locks: none.

use std::collections::{HashMap, VecDeque};

use crate::protocol::errors::Errors;

/// The identity and position that a batch claims.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) first_sequence: i32,
    pub(crate) last_sequence: i32,
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

/// Remembers the last batches of every producer.
#[derive(Debug, Default)]
pub(crate) struct ProducerStateManager {
    producers: HashMap<i64, Producer>,
}

#[derive(Debug)]
struct Producer {
    epoch: i16,
    /// Oldest first, at most [`BATCHES_KEPT`].
    batches: VecDeque<Written>,
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

    /// Remembers a batch that has been written.
    pub(crate) fn written(&mut self, claim: Claim, base_offset: i64, log_append_time: i64) {
        let fresh = || Producer {
            epoch: claim.epoch,
            batches: VecDeque::new(),
        };
        let producer = self
            .producers
            .entry(claim.producer_id)
            .or_insert_with(fresh);
        if producer.epoch != claim.epoch {
            *producer = fresh();
        }
        if producer.batches.len() == BATCHES_KEPT {
            producer.batches.pop_front();
        }
        producer.batches.push_back(Written {
            first_sequence: claim.first_sequence,
            last_sequence: claim.last_sequence,
            base_offset,
            log_append_time,
        });
    }

    /// Forgets every producer, as a broker does whose state has expired.
    pub(crate) fn forget_all(&mut self) {
        self.producers.clear();
    }
}

impl Producer {
    fn judge_position(&self, claim: Claim) -> Verdict {
        let Some(last) = self.batches.back() else {
            return Verdict::Append;
        };
        if claim.first_sequence == next_sequence(last.last_sequence) {
            return Verdict::Append;
        }
        // Older than what is kept: written once, but nobody knows where.
        let oldest = self
            .batches
            .front()
            .map_or(last.first_sequence, |w| w.first_sequence);
        if claim.last_sequence < oldest {
            return Verdict::Refuse(Errors::DuplicateSequenceNumber);
        }
        Verdict::Refuse(Errors::OutOfOrderSequenceNumber)
    }
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

    fn claim(epoch: i16, first: i32, last: i32) -> Claim {
        Claim {
            producer_id: 9,
            epoch,
            first_sequence: first,
            last_sequence: last,
        }
    }

    #[test]
    fn the_next_sequence_is_written_and_a_repeated_one_is_answered_from_memory() {
        let mut state = ProducerStateManager::default();
        assert_eq!(state.check(claim(0, 0, 4)), Verdict::Append);
        state.written(claim(0, 0, 4), 100, -1);
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
            state.written(claim(0, n, n), i64::from(n), -1);
        }
        assert_eq!(
            state.check(claim(0, 0, 0)),
            Verdict::Refuse(Errors::DuplicateSequenceNumber)
        );
        assert!(matches!(
            state.check(claim(0, 1, 1)),
            Verdict::Duplicate { base_offset: 1, .. }
        ));
    }

    #[test]
    fn an_older_epoch_is_fenced_and_a_newer_one_starts_at_zero() {
        let mut state = ProducerStateManager::default();
        state.written(claim(3, 0, 9), 0, -1);
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
        state.written(claim(0, i32::MAX, i32::MAX), 7, -1);
        assert_eq!(state.check(claim(0, 0, 3)), Verdict::Append);
    }
}
