//! What holds between any two passes of the Sender, as a check for tests and for the simulator.
//!
//! Java: none; there each of these is a sentence, at best.
//! Differs: does not exist in Java.
//! Threads: the one that makes the passes. Locks: `PartitionQueue`, `TransactionManager`, one after another.

use crate::common::cluster::{ProducerIdAndEpoch, Sequence, TopicPartition};
use crate::common::kafka_error::Persisted;
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::sender::Sender;
use crate::producer::internals::sender::in_flight_batches::Place;
use crate::producer::internals::sender::responses::batch_id;
use crate::producer::internals::transaction_manager::{OutstandingBatch, TransactionManager};
use crate::producer::internals::txn_partition_entry::Place as EntryPlace;

impl<C> Sender<C> {
    /// Panics where the parts contradict each other: each numbered batch is in one place, and the transaction manager knows
    /// it there; queues are in the order of their numbers; nothing that may be written is without its number.
    pub(crate) fn check_invariants(&self) {
        let mut found = self.check_queues();
        self.check_held();
        let Some(manager) = &self.transaction_manager else {
            return;
        };
        let (mut known, is_over) = {
            let manager = manager.lock();
            (manager.check_invariants(), manager.fatal_error().is_some())
        };
        for (tp, place) in self.in_flight.unanswered() {
            found.extend(match place {
                Place::Waiting(batch) => outstanding(batch, EntryPlace::Wire),
                Place::Abandoned(Some((identity, first))) => {
                    let abandoned = (*identity, *first);
                    let count = count_of(&known, tp, abandoned);
                    count.map(|count| of(tp, abandoned, count, EntryPlace::Abandoned))
                }
                Place::Abandoned(None) | Place::Answered => None,
            });
        }
        // After the end nobody keeps the books any more.
        if !is_over {
            self.check_held_completions(&manager.lock());
            sort(&mut known);
            sort(&mut found);
            assert_eq!(
                known, found,
                "known to the manager, found in queues and requests"
            );
        }
    }

    fn check_queues(&self) -> Vec<OutstandingBatch> {
        let is_idempotent = self.transaction_manager.is_some();
        let mut numbered = Vec::new();
        self.accumulator.for_each_queue(|tp, batches| {
            let numbers: Vec<_> = batches.iter().map(|batch| batch.identity()).collect();
            let with = numbers.iter().take_while(|number| number.is_some()).count();
            assert!(
                numbers.iter().skip(with).all(Option::is_none),
                "{tp}: a batch without a number stands before one that has one: {numbers:?}"
            );
            let firsts = numbers.iter().flatten().map(|(_, first)| *first);
            assert!(firsts.is_sorted(), "{tp}: out of order: {numbers:?}");
            for batch in batches {
                assert!(
                    !is_idempotent
                        || batch.persisted() == Persisted::No
                        || batch.identity().is_some(),
                    "it may be written, and nobody knows under which number: {batch:?}"
                );
                numbered.extend(outstanding(batch, EntryPlace::Queued));
            }
        });
        numbered
    }

    /// What is acknowledged and not told waits for something that is open.
    fn check_held_completions(&self, manager: &TransactionManager) {
        for batch in self.held.batches() {
            assert!(
                batch_id(batch).is_some_and(|id| manager.has_earlier(id)),
                "it is acknowledged and waits for nothing: {batch:?}"
            );
        }
    }

    fn check_held(&self) {
        for tp in self.leader_moves.held() {
            assert!(
                self.in_flight.is_pending_elsewhere(tp, None),
                "{tp} is held back, and no request of it is pending"
            );
        }
    }
}

fn outstanding(batch: &ProducerBatch, place: EntryPlace) -> Option<OutstandingBatch> {
    let numbers = batch.identity()?;
    Some(of(
        batch.topic_partition(),
        numbers,
        batch.record_count(),
        place,
    ))
}

fn of(
    tp: &TopicPartition,
    (identity, first): (ProducerIdAndEpoch, Sequence),
    count: u32,
    place: EntryPlace,
) -> OutstandingBatch {
    OutstandingBatch {
        tp: tp.clone(),
        identity,
        first,
        count,
        place,
    }
}

/// A batch that was given up has left its count with the manager only.
fn count_of(
    known: &[OutstandingBatch],
    tp: &TopicPartition,
    (identity, first): (ProducerIdAndEpoch, Sequence),
) -> Option<u32> {
    let mut known = known.iter();
    let batch = known.find(|b| b.tp == *tp && b.identity == identity && b.first == first)?;
    Some(batch.count)
}

fn sort(batches: &mut [OutstandingBatch]) {
    batches.sort_by(|a, b| (&a.tp, a.first).cmp(&(&b.tp, b.first)));
}
