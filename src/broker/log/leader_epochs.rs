//! Which leader epoch wrote which part of a replica's log.
//!
//! Java: `storage/internals/epoch/LeaderEpochFileCache.java`.
//! Differs: in memory; two replicas are compared in one step, where Kafka's follower asks the leader epoch by epoch.
//! Threads: plain data. Locks: none.

use crate::common::cluster::LeaderEpoch;

/// The epochs of a log by rising number, each with the offset of its first record.
///
/// Invariant: epochs and start offsets rise; no start offset lies after the log's end.
#[derive(Debug, Default)]
pub(crate) struct LeaderEpochs {
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    epoch: LeaderEpoch,
    start: i64,
}

impl LeaderEpochs {
    /// From `start` on the log is written under `epoch`.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start: i64) {
        if self.entries.last().is_none_or(|last| last.epoch < epoch) {
            // An epoch in which nothing was written leaves no trace.
            self.entries.retain(|entry| entry.start < start);
            self.entries.push(Entry { epoch, start });
        }
    }

    /// Forgets what lies at or after the log's new end.
    pub(crate) fn truncate_to(&mut self, end: i64) {
        self.entries.retain(|entry| entry.start < end);
    }

    /// Up to which offset two logs are the same: under one epoch there was one leader, so what both have of an epoch
    /// agrees (KIP-101).
    pub(crate) fn common_point(&self, end: i64, other: &Self, other_end: i64) -> i64 {
        let mut upper = end;
        for entry in self.entries.iter().rev() {
            if let Some(theirs) = other.end_of(entry.epoch, other_end) {
                return upper.min(theirs);
            }
            upper = entry.start;
        }
        upper
    }

    /// Where an epoch's part of the log ends.
    fn end_of(&self, epoch: LeaderEpoch, log_end: i64) -> Option<i64> {
        let position = self.entries.iter().position(|entry| entry.epoch == epoch)?;
        let next = self.entries.get(position + 1);
        Some(next.map_or(log_end, |next| next.start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for (epoch, start) in entries {
            epochs.assign(LeaderEpoch(*epoch), *start);
        }
        epochs
    }

    #[test]
    fn a_tail_of_an_epoch_that_the_leader_cut_short_is_not_common() {
        let leader = epochs(&[(0, 0), (2, 10)]);
        assert_eq!(epochs(&[(0, 0)]).common_point(15, &leader, 20), 10);
        assert_eq!(epochs(&[(0, 0), (1, 8)]).common_point(15, &leader, 20), 8);
        assert_eq!(epochs(&[(0, 0), (2, 10)]).common_point(12, &leader, 20), 12);
        assert_eq!(epochs(&[(0, 0), (2, 10)]).common_point(25, &leader, 20), 20);
        assert_eq!(epochs(&[(1, 0)]).common_point(5, &leader, 20), 0);
        assert_eq!(epochs(&[]).common_point(0, &leader, 20), 0);
    }

    #[test]
    fn an_epoch_without_records_leaves_no_trace() {
        let mine = epochs(&[(0, 0), (1, 10), (2, 10)]);
        assert_eq!(mine.end_of(LeaderEpoch(1), 12), None);
        assert_eq!(mine.end_of(LeaderEpoch(0), 12), Some(10));
        assert_eq!(mine.end_of(LeaderEpoch(2), 12), Some(12));
    }
}
