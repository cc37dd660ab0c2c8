//! The transactions in one log: which are open, which were aborted, and up to where nothing is undecided.
//!
//! Java: `storage/internals/log/TransactionIndex.java`, `ProducerStateManager.java` (ongoing and unreplicated ones).
//! Differs: one list in memory instead of a file for each segment; committed transactions stay in it too.
//! Threads: plain data. Locks: none.

use std::collections::BTreeMap;

/// What a log knows of its transactions.
#[derive(Debug, Clone, Default)]
pub(crate) struct TransactionIndex {
    /// By producer id, the offset of the first record of its open transaction.
    ongoing: BTreeMap<i64, i64>,
    /// By rising last offset.
    ended: Vec<EndedTransaction>,
}

/// A transaction that has its marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EndedTransaction {
    pub(crate) producer_id: i64,
    pub(crate) first_offset: i64,
    /// Where the marker stands.
    pub(crate) last_offset: i64,
    pub(crate) committed: bool,
}

impl TransactionIndex {
    /// A transactional batch was appended.
    pub(crate) fn began(&mut self, producer_id: i64, base_offset: i64) {
        self.ongoing.entry(producer_id).or_insert(base_offset);
    }

    /// A marker was appended. It may stand for a transaction that wrote nothing here.
    pub(crate) fn ended(&mut self, producer_id: i64, marker_offset: i64, committed: bool) {
        if let Some(first_offset) = self.ongoing.remove(&producer_id) {
            self.ended.push(EndedTransaction {
                producer_id,
                first_offset,
                last_offset: marker_offset,
                committed,
            });
        }
    }

    pub(crate) fn is_open(&self, producer_id: i64) -> bool {
        self.ongoing.contains_key(&producer_id)
    }

    /// Before this offset every transaction is decided, and its marker is below the high watermark.
    pub(crate) fn last_stable_offset(&self, high_watermark: i64) -> i64 {
        let undecided = self.ongoing.values().copied();
        let not_replicated = self
            .ended_since(high_watermark)
            .map(|transaction| transaction.first_offset);
        undecided
            .chain(not_replicated)
            .fold(high_watermark, i64::min)
    }

    /// The aborted transactions with records from `from` on and before `up_to`.
    pub(crate) fn aborted(&self, from: i64, up_to: i64) -> impl Iterator<Item = &EndedTransaction> {
        self.ended_since(from)
            .filter(move |transaction| !transaction.committed && transaction.first_offset < up_to)
    }

    /// Whether a batch of a producer belongs to an aborted transaction.
    pub(crate) fn is_aborted(&self, producer_id: i64, base_offset: i64) -> bool {
        let mut since = self.ended_since(base_offset);
        let its = since.find(|transaction| transaction.producer_id == producer_id);
        its.is_some_and(|its| !its.committed && its.first_offset <= base_offset)
    }

    fn ended_since(&self, offset: i64) -> impl Iterator<Item = &EndedTransaction> {
        let first = self
            .ended
            .partition_point(|transaction| transaction.last_offset < offset);
        self.ended.iter().skip(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_transaction_and_a_marker_not_yet_replicated_hold_the_last_stable_offset() {
        let mut index = TransactionIndex::default();
        assert_eq!(index.last_stable_offset(10), 10);
        index.began(1, 4);
        index.began(2, 7);
        index.began(1, 8);
        assert_eq!(index.last_stable_offset(10), 4);
        index.ended(1, 10, true);
        assert_eq!(index.last_stable_offset(10), 4, "the marker is at 10");
        assert_eq!(index.last_stable_offset(11), 7);
        index.ended(2, 11, false);
        assert_eq!(index.last_stable_offset(12), 12);
    }

    #[test]
    fn only_aborted_transactions_that_touch_the_range_are_listed() {
        let mut index = TransactionIndex::default();
        for (producer_id, first, committed) in [(1, 0, false), (2, 2, true), (3, 4, false)] {
            index.began(producer_id, first);
            index.ended(producer_id, first + 1, committed);
        }
        let ids = |from, up_to| -> Vec<i64> {
            index
                .aborted(from, up_to)
                .map(|transaction| transaction.producer_id)
                .collect()
        };
        assert_eq!(ids(0, 6), [1, 3]);
        assert_eq!(ids(2, 6), [3]);
        assert_eq!(ids(0, 4), [1]);
    }

    #[test]
    fn a_marker_for_a_transaction_without_records_leaves_no_trace() {
        let mut index = TransactionIndex::default();
        index.ended(1, 0, false);
        assert_eq!(index.aborted(0, 9).count(), 0);
        assert_eq!(index.last_stable_offset(1), 1);
    }
}
