//! What an idempotent producer knows about one partition: the identity in use, the next number, what is outstanding.
//!
//! Java: `clients/producer/internals/TxnPartitionEntry.java`.
//! Differs: knows batches by first number and count only; says with one enum whether the run of numbers is whole; a
//! batch given up while its request is pending stays known until the request has ended.
//! Threads: plain data. Locks: none; lives inside the `TransactionManager`.

use std::collections::VecDeque;

use crate::common::cluster::{ProducerIdAndEpoch, Sequence};
use crate::common::planted::planted;

/// One partition's numbering under one identity.
#[derive(Debug)]
pub(crate) struct TxnPartitionEntry {
    identity: ProducerIdAndEpoch,
    next_sequence: Sequence,
    /// The highest number a broker acknowledged under this identity.
    last_acked: Option<Sequence>,
    /// Invariant: ascending by first number, no overlaps; all belong to `identity`.
    in_flight: VecDeque<InFlightBatch>,
    continuity: Continuity,
}

/// Whether a broker can still accept the next number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Continuity {
    /// Each number below the next one is acknowledged or outstanding.
    Whole,
    /// A batch that may have been written was given up; the fate of later ones will tell whether it is in the log.
    Unresolved,
    /// Numbers are missing in the log for certain: only a new identity can go on.
    Broken,
}

/// Where an outstanding batch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a request that a broker has not answered yet.
    Wire,
    /// Back in the partition's queue, to be sent again.
    Queued,
    /// Failed to its owner, but its request has not ended.
    Abandoned,
}

#[derive(Debug, Clone, Copy)]
struct InFlightBatch {
    first: Sequence,
    count: u32,
    place: Place,
    /// How often a broker found it out of order although it was the next one, and it was sent again all the same.
    asked_again: u8,
}

impl InFlightBatch {
    fn last(self) -> Sequence {
        Sequence(self.first.incremented(self.count).0.saturating_sub(1))
    }
}

impl TxnPartitionEntry {
    pub(crate) fn new(identity: ProducerIdAndEpoch) -> Self {
        Self {
            identity,
            next_sequence: Sequence::FIRST,
            last_acked: None,
            in_flight: VecDeque::new(),
            continuity: Continuity::Whole,
        }
    }

    pub(crate) fn identity(&self) -> ProducerIdAndEpoch {
        self.identity
    }

    pub(crate) fn continuity(&self) -> Continuity {
        self.continuity
    }

    pub(crate) fn has_in_flight(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// Whether a request with a batch of this partition waits for its answer.
    pub(crate) fn is_on_wire(&self) -> bool {
        self.in_flight.iter().any(|b| b.place != Place::Queued)
    }

    /// The first number of the oldest outstanding batch.
    pub(crate) fn first_in_flight(&self) -> Option<Sequence> {
        self.in_flight.front().map(|batch| batch.first)
    }

    /// Whether an earlier batch is open, and not given up to its owner.
    pub(crate) fn has_earlier(&self, first: Sequence) -> bool {
        let mut earlier = self.in_flight.iter().take_while(|b| b.first < first);
        earlier.any(|b| b.place != Place::Abandoned)
    }

    /// Whether one more batch may get a number now.
    pub(crate) fn takes_new_batch(&self) -> bool {
        // A broker that does not know us yet takes any first number, so a later batch must not overtake the first one
        // (KAFKA-15591). And it remembers five batches only, so a sixth could hide a duplicate.
        let limit = if self.last_acked.is_some() || planted!("first-batch-race") {
            MAX_IN_FLIGHT
        } else {
            1
        };
        self.continuity == Continuity::Whole && self.in_flight.len() < limit
    }

    /// Whether the batch with these numbers may be sent again: one at a time, the oldest first.
    pub(crate) fn takes_retry(&self, first: Sequence) -> bool {
        let is_next = self.first_in_flight() == Some(first) || planted!("retries-in-any-order");
        self.continuity != Continuity::Broken && is_next
    }

    /// Whether nothing of this identity is left to finish.
    pub(crate) fn can_start_over(&self) -> bool {
        self.continuity == Continuity::Whole && self.in_flight.is_empty()
    }

    /// Gives the next numbers to a batch that goes to the wire.
    pub(crate) fn assign(&mut self, count: u32) -> Sequence {
        let first = self.next_sequence;
        self.next_sequence = first.incremented(count);
        self.in_flight.push_back(InFlightBatch {
            first,
            count,
            place: Place::Wire,
            asked_again: 0,
        });
        first
    }

    /// Notes where an outstanding batch is now. Returns whether the batch is known.
    pub(crate) fn moved(&mut self, first: Sequence, place: Place) -> bool {
        let batch = self.in_flight.iter_mut().find(|b| b.first == first);
        let known = batch.is_some();
        if let Some(batch) = batch {
            batch.place = place;
        }
        known
    }

    /// A batch ended with an acknowledgement. Returns whether it was known.
    pub(crate) fn acknowledged(&mut self, first: Sequence) -> bool {
        let Some(batch) = self.remove(first) else {
            return false;
        };
        // Answers of two connections may overtake each other, so the mark only moves up.
        self.last_acked = match planted!("mark-moves-down") {
            true => Some(batch.last()),
            false => self.last_acked.max(Some(batch.last())),
        };
        true
    }

    /// A batch ended without an acknowledgement. Returns whether it was known.
    pub(crate) fn lost(&mut self, first: Sequence, may_be_written: bool) -> bool {
        let known = self.remove(first).is_some();
        if known {
            self.worsen(if may_be_written {
                Continuity::Unresolved
            } else {
                Continuity::Broken
            });
        }
        known
    }

    /// Replaces a batch by parts that share its numbers and wait in the queue. Returns whether the batch was known.
    pub(crate) fn split(&mut self, first: Sequence, parts: &[u32]) -> bool {
        let Some(at) = self.position(first) else {
            return false;
        };
        self.in_flight.remove(at);
        let mut next = first;
        for (n, &count) in parts.iter().enumerate() {
            let part = InFlightBatch {
                first: next,
                count,
                place: Place::Queued,
                asked_again: 0,
            };
            self.in_flight.insert(at + n, part);
            next = next.incremented(count);
        }
        true
    }

    /// Whether the oldest outstanding batch, which was refused as out of order, is worth another try.
    pub(crate) fn asks_again(&mut self, first: Sequence) -> bool {
        // Behind a batch that was given up, a gap is to be expected.
        let is_whole = self.continuity == Continuity::Whole;
        match self.in_flight.front_mut() {
            Some(oldest)
                if oldest.first == first
                    && (oldest.asked_again < MOST_ASKED_AGAIN || planted!("gap-for-ever")) =>
            {
                oldest.asked_again += 1;
                is_whole
            }
            _ => false,
        }
    }

    pub(crate) fn worsen(&mut self, to: Continuity) {
        self.continuity = self.continuity.max(to);
    }

    /// With nothing outstanding, the highest acknowledged number tells whether what was given up is in the log: a broker
    /// accepts no number behind a gap. Returns the verdict.
    pub(crate) fn resolve(&mut self) -> Continuity {
        if self.continuity == Continuity::Unresolved && self.in_flight.is_empty() {
            let expected = self
                .last_acked
                .map_or(Sequence::FIRST, |s| s.incremented(1));
            self.continuity =
                if expected == self.next_sequence || planted!("unresolved-counts-as-written") {
                    Continuity::Whole
                } else {
                    Continuity::Broken
                };
        }
        self.continuity
    }

    /// Panics where the numbering contradicts itself.
    #[cfg(test)]
    pub(crate) fn check_invariants(&self) {
        let mut end = Sequence::FIRST;
        for batch in &self.in_flight {
            assert!(batch.first >= end, "overlap or disorder: {self:?}");
            assert!(batch.count > 0, "nothing takes no number: {self:?}");
            end = batch.first.incremented(batch.count);
        }
        let acked = self
            .last_acked
            .map_or(Sequence::FIRST, |last| last.incremented(1));
        let known = end.max(acked);
        assert!(
            known <= self.next_sequence,
            "numbers out of nowhere: {self:?}"
        );
        if self.continuity == Continuity::Whole {
            assert_eq!(known, self.next_sequence, "a gap nobody knows of: {self:?}");
        }
        let on_wire = self.in_flight.iter().filter(|b| b.place == Place::Wire);
        let limit = if self.last_acked.is_some() {
            MAX_IN_FLIGHT
        } else {
            1
        };
        assert!(on_wire.count() <= limit, "too many on the wire: {self:?}");
    }

    /// Every outstanding batch: first number, count and place.
    #[cfg(test)]
    pub(crate) fn outstanding(&self) -> impl Iterator<Item = (Sequence, u32, Place)> {
        self.in_flight.iter().map(|b| (b.first, b.count, b.place))
    }

    /// Gives the numbers behind the last acknowledged one away again: a broker refused what had them, and took nothing.
    pub(crate) fn rewind(&mut self) {
        if self.in_flight.is_empty() {
            self.next_sequence = self
                .last_acked
                .map_or(Sequence::FIRST, |s| s.incremented(1));
            self.continuity = Continuity::Whole;
        }
    }

    fn position(&self, first: Sequence) -> Option<usize> {
        self.in_flight.iter().position(|b| b.first == first)
    }

    fn remove(&mut self, first: Sequence) -> Option<InFlightBatch> {
        let at = self.position(first)?;
        self.in_flight.remove(at)
    }
}

/// A real gap stays, and who waits for a batch behind it must learn so soon.
const MOST_ASKED_AGAIN: u8 = 2;
/// How many batches of a producer a broker remembers per partition.
const MAX_IN_FLIGHT: usize = 5;
