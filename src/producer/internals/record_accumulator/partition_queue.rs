//! The batches that wait for one partition, and what the I/O thread knows about them.
//!
//! Java: the `Deque<ProducerBatch>` in `clients/producer/internals/RecordAccumulator.java`.
//! Differs: the queue knows where the I/O thread has it (lingering, sendable, ..), so an append knows for itself whether
//! it is news; its length can be read without the lock.
//! Threads: any. Locks: `PartitionQueue`, and `ReadyList` inside it.

use std::collections::VecDeque;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use crate::common::cluster::{NodeId, TopicPartition};
use crate::common::planted::planted;
use crate::common::process::Process;
use crate::common::sync::{
    Mutex, MutexGuard, Rank,
    atomic::{AtomicU32, Ordering},
};
use crate::producer::internals::produce_request_result::{
    BatchOwner, Lender, ProduceRequestResult,
};
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::record_accumulator::ready_list::ReadyList;

/// One partition's queue.
pub(crate) struct PartitionQueue {
    topic_partition: TopicPartition,
    /// The number of batches in the queue: written under the lock, read without it where an old number does no harm.
    len: AtomicU32,
    queue: Mutex<Queue>,
    ready: Arc<ReadyList>,
}

/// Invariant: batches with a number stand first, in the order of their numbers; only the last batch may be open.
pub(super) struct Queue {
    batches: Batches,
    pub(super) place: Place,
    /// The node in whose list of sendable partitions the I/O thread has this one.
    pub(super) in_list_of: Option<NodeId>,
    /// The earliest entries for this partition among the I/O thread's timers.
    pub(super) timer: Option<Instant>,
    pub(super) expiry_timer: Option<Instant>,
    /// A request is on its way and the order must be kept: nothing may follow it.
    pub(super) muted: bool,
    /// How large the batches of this partition become, as far as is known: where the next one starts.
    pub(super) usual_size: usize,
}

/// Batches in their order. Most partitions have one or none, so the first one is no list's: who has the queue has it.
#[derive(Default)]
struct Batches {
    first: Option<ProducerBatch>,
    /// Empty where there is no first one.
    behind: VecDeque<ProducerBatch>,
}

/// Where the I/O thread has a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Nowhere: there is nothing to send.
    Idle,
    /// In the ready list, to be looked at: at once, or when its linger ends.
    Listed { at_once: bool },
    /// Waits for more records until this time.
    Lingering(Instant),
    /// Waits after a failure until this time.
    BackingOff(Instant),
    /// Has something for this node.
    Sendable(NodeId),
    /// Has something, but nobody leads the partition.
    Leaderless,
    /// Has something that the transaction manager holds back.
    Blocked,
    /// Waits for the answer to a request, because the order must be kept.
    Muted,
}

impl PartitionQueue {
    pub(super) fn new(topic_partition: TopicPartition, ready: Arc<ReadyList>) -> Self {
        let queue = Queue {
            batches: Batches::default(),
            place: Place::Idle,
            in_list_of: None,
            timer: None,
            expiry_timer: None,
            muted: false,
            usual_size: 0,
        };
        Self {
            topic_partition,
            len: AtomicU32::new(0),
            queue: Mutex::new(Rank::PartitionQueue, queue),
            ready,
        }
    }

    pub(crate) fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    #[inline]
    pub(super) fn lock(&self) -> LockedQueue<'_> {
        LockedQueue {
            queue: self.queue.lock(),
            len: &self.len,
        }
    }

    /// The number of batches, read without the lock.
    pub(super) fn len(&self) -> u32 {
        self.len.load(Ordering::Relaxed)
    }

    /// Tells the I/O thread to look by `due` (nothing: at once), where that is news to it. Returns whether it must be
    /// woken. Runs under the lock, so that what is told is true.
    pub(super) fn tell(self: &Arc<Self>, queue: &mut Queue, due: Option<Instant>) -> bool {
        let at_once = due.is_none();
        match queue.place {
            Place::Idle | Place::Lingering(_) => {
                queue.place = Place::Listed { at_once };
                self.ready.list(Arc::clone(self), due)
            }
            Place::Listed { at_once: false } if at_once && !planted!("haste-comes-too-late") => {
                queue.place = Place::Listed { at_once };
                self.ready.comes_too_late(None)
            }
            _ => false,
        }
    }
}

impl BatchOwner for PartitionQueue {
    fn somebody_waits(self: Arc<Self>, result: &ProduceRequestResult) {
        let wake = {
            let mut queue = self.lock();
            // Behind the first batch nothing lingers: two batches are enough to make the first one sendable.
            let is_first = queue.head().is_some_and(|batch| batch.belongs_to(result));
            is_first && self.tell(&mut queue, None)
        };
        if wake {
            self.ready.wakeup();
        }
    }

    fn lender(&self) -> Option<Arc<dyn Lender>> {
        self.ready.lender()
    }

    fn is_io_thread(&self) -> bool {
        self.ready.is_io_thread()
    }

    fn process(&self) -> Process {
        self.ready.process()
    }
}

impl fmt::Debug for PartitionQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartitionQueue")
            .field("topic_partition", &self.topic_partition)
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// A queue under its lock; changes to the number of batches go through here.
pub(super) struct LockedQueue<'a> {
    queue: MutexGuard<'a, Queue>,
    len: &'a AtomicU32,
}

impl LockedQueue<'_> {
    pub(super) fn push_back(&mut self, batch: ProducerBatch) {
        self.queue.batches.push_back(batch);
        self.note_len();
    }

    pub(super) fn pop_front(&mut self) -> Option<ProducerBatch> {
        let batch = self.queue.batches.pop_front();
        self.note_len();
        batch
    }

    /// Puts a batch that was out already where its number belongs, and before all that have none.
    ///
    /// Java: `insertInSequenceOrder`; without numbers the batch goes before those that were made later.
    pub(super) fn insert_in_sequence_order(&mut self, batch: ProducerBatch) {
        let first = batch.identity().map(|(_, first)| first);
        let batches = self.queue.batches.iter();
        let before = batches.take_while(|queued| match (queued.identity(), first) {
            (Some((_, queued)), Some(first)) => queued < first,
            // Several may come back in any order; the oldest expires first, and only the head is watched.
            (None, None) => queued.created() < batch.created(),
            _ => false,
        });
        let at = before.count();
        self.queue.batches.insert(at, batch);
        self.note_len();
    }

    /// Takes the batches that `wanted` accepts out of the queue, in their order.
    pub(super) fn take_where(
        &mut self,
        wanted: impl Fn(&ProducerBatch) -> bool,
    ) -> Vec<ProducerBatch> {
        let all = std::mem::take(&mut self.queue.batches);
        let mut taken = Vec::new();
        for batch in all.into_iter() {
            if wanted(&batch) {
                taken.push(batch);
            } else {
                self.queue.batches.push_back(batch);
            }
        }
        self.note_len();
        taken
    }

    fn note_len(&self) {
        let len = u32::try_from(self.queue.batches.len()).unwrap_or(u32::MAX);
        self.len.store(len, Ordering::Relaxed);
    }
}

impl Deref for LockedQueue<'_> {
    type Target = Queue;
    fn deref(&self) -> &Queue {
        &self.queue
    }
}

impl DerefMut for LockedQueue<'_> {
    fn deref_mut(&mut self) -> &mut Queue {
        &mut self.queue
    }
}

impl Batches {
    fn push_back(&mut self, batch: ProducerBatch) {
        if self.first.is_none() {
            self.first = Some(batch);
        } else {
            self.behind.push_back(batch);
        }
    }

    fn pop_front(&mut self) -> Option<ProducerBatch> {
        std::mem::replace(&mut self.first, self.behind.pop_front())
    }

    /// Inserts a batch behind so many others.
    fn insert(&mut self, at: usize, batch: ProducerBatch) {
        match at.checked_sub(1) {
            Some(at) => self.behind.insert(at, batch),
            None => {
                let second = self.first.replace(batch);
                second
                    .into_iter()
                    .for_each(|second| self.behind.push_front(second));
            }
        }
    }

    fn last(&self) -> Option<&ProducerBatch> {
        self.behind.back().or(self.first.as_ref())
    }

    #[inline]
    fn last_mut(&mut self) -> Option<&mut ProducerBatch> {
        if self.behind.is_empty() {
            return self.first.as_mut();
        }
        self.behind.back_mut()
    }

    fn iter(&self) -> impl Iterator<Item = &ProducerBatch> {
        self.first.iter().chain(&self.behind)
    }

    fn into_iter(self) -> impl Iterator<Item = ProducerBatch> {
        self.first.into_iter().chain(self.behind)
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.behind.len()
    }
}

impl Queue {
    pub(super) fn head(&self) -> Option<&ProducerBatch> {
        self.batches.first.as_ref()
    }

    pub(super) fn head_mut(&mut self) -> Option<&mut ProducerBatch> {
        self.batches.first.as_mut()
    }

    #[inline]
    pub(super) fn last_mut(&mut self) -> Option<&mut ProducerBatch> {
        self.batches.last_mut()
    }

    #[cfg(test)]
    pub(super) fn batches(&self) -> impl Iterator<Item = &ProducerBatch> {
        self.batches.iter()
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.batches.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batches.first.is_none()
    }

    /// Remembers how large a batch became, so that the next one need not grow; not when something cut it short.
    pub(super) fn learn_size(&mut self, natural: Option<usize>, pressed: bool) {
        if let Some(size) = natural.filter(|_| !pressed) {
            self.usual_size = size;
        }
    }

    /// The I/O thread has taken the partition out of this node's list.
    pub(super) fn leave_list_of(&mut self, node: NodeId) {
        if self.in_list_of == Some(node) {
            self.in_list_of = None;
        }
        // With nothing left to send; otherwise the caller looks again.
        if self.place == Place::Sendable(node) {
            self.place = Place::Idle;
        }
    }

    /// Whether the next record opens a new batch.
    #[inline]
    pub(super) fn ends_full(&self) -> bool {
        self.batches.last().is_none_or(ProducerBatch::is_full)
    }

    /// Whether the first batch gets no more records; one that has another behind it gets none.
    pub(super) fn starts_full(&self) -> bool {
        self.head().is_some_and(ProducerBatch::is_full)
    }
}
