//! The outcome of one batch, shared by everybody who waits for one of its records.
//!
//! Java: `clients/producer/internals/ProduceRequestResult.java`.
//! Differs: a batch that was split says which parts go on, so futures need no chains; a waiter tells the batch's
//! owner that somebody waits, which ends the linger; each waiter is woken by itself.
//! Threads: set once on the I/O thread, read and awaited on any. Locks: `ProduceRequestResult` (leaf).

use std::fmt;
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Instant;

use smallvec::SmallVec;

use crate::common::cluster::TopicPartition;
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::common::process::Process;
use crate::common::sync::{
    Condvar, Mutex, OnceLock, Rank,
    atomic::{AtomicBool, Ordering},
};

/// The latch of one batch: opened once, with what became of the batch.
pub(crate) struct ProduceRequestResult {
    topic_partition: TopicPartition,
    outcome: OnceLock<Outcome>,
    /// Set by the first waiter (Release) before it tells the owner, read by the owner (Acquire).
    wanted: AtomicBool,
    owner: Weak<dyn BatchOwner>,
    waiting: Mutex<Waiting>,
}

/// What became of a batch.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    /// The broker took it. `base_offset` is missing where nobody said (`acks=0`).
    Written {
        base_offset: Option<i64>,
        log_append_time: Option<i64>,
    },
    /// It failed: every record with `error`, save those which have one of their own (in the order of their index).
    Failed {
        error: KafkaError,
        of_records: Vec<(u32, KafkaError)>,
    },
    /// It was too large and goes on in parts, in the order of their records.
    Split(Vec<Part>),
}

/// Some of the records of a batch that was split.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// The index that the part's first record had in the batch.
    pub(crate) first: u32,
    pub(crate) result: Arc<ProduceRequestResult>,
}

/// Who has the batch that a result belongs to.
pub(crate) trait BatchOwner: Send + Sync {
    /// Somebody waits for this result: there is no point in lingering.
    fn somebody_waits(self: Arc<Self>, result: &ProduceRequestResult);

    /// Who lets a waiter do the work that opens the latches, where somebody does.
    fn lender(&self) -> Option<Arc<dyn Lender>> {
        None
    }

    /// Whether the calling thread is the one that opens the latches, which must therefore never wait for one.
    fn is_io_thread(&self) -> bool;

    /// The process in which that thread runs: in one that was forked off, nobody opens any latch.
    fn process(&self) -> Process;
}

/// Who lends the I/O thread's work to threads that would otherwise wait for it.
pub(crate) trait Lender: Send + Sync {
    /// Works on the calling thread until the result is there, or until `deadline`, where the I/O thread rests; returns at
    /// once where it does its work itself.
    fn bring(&self, result: &ProduceRequestResult, deadline: Option<Instant>);

    /// Wakes the I/O thread for a record whose sender may be about to wait for it.
    fn nudge(&self);
}

#[derive(Default)]
struct Waiting {
    /// One for each thread: of those who share one, each is woken by the one before, since all want the lock.
    threads: SmallVec<[Arc<Condvar>; 2]>,
    tasks: Vec<Waker>,
}

impl ProduceRequestResult {
    pub(crate) fn new(topic_partition: TopicPartition, owner: Weak<dyn BatchOwner>) -> Self {
        Self {
            topic_partition,
            outcome: OnceLock::new(),
            wanted: AtomicBool::new(false),
            owner,
            waiting: Mutex::new(Rank::Leaf, Waiting::default()),
        }
    }

    pub(crate) fn topic_partition(&self) -> &TopicPartition {
        &self.topic_partition
    }

    pub(crate) fn owner(&self) -> &Weak<dyn BatchOwner> {
        &self.owner
    }

    /// What became of the batch, or nothing while that is open.
    pub(crate) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    /// Opens the latch. Only the first call counts; returns whether this was it.
    pub(crate) fn open(&self, outcome: Outcome) -> bool {
        if self.outcome.set(outcome).is_err() {
            return false;
        }
        // A waiter looks at the outcome once more under this lock before it sleeps, so none is missed.
        let waiting = std::mem::take(&mut *self.waiting.lock());
        if !planted!("latch-opened-in-silence") {
            waiting
                .threads
                .iter()
                .for_each(|opened| opened.notify_one());
        }
        waiting.tasks.into_iter().for_each(Waker::wake);
        true
    }

    /// Whether somebody waits or waited.
    pub(crate) fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    /// Lets the batch go at once: somebody waits for it.
    pub(crate) fn want(&self) {
        if planted!("waiter-lingers") {
            return;
        }
        if self.outcome.get().is_none() && !self.wanted.swap(true, Ordering::AcqRel) {
            if let Some(owner) = self.owner.upgrade() {
                owner.somebody_waits(self);
            }
        }
    }

    /// Does the I/O thread's work until the outcome is there, or until `deadline`, where that thread lends it.
    pub(crate) fn bring(&self, deadline: Option<Instant>) {
        if let Some(lender) = self.owner.upgrade().and_then(|owner| owner.lender()) {
            lender.bring(self, deadline);
        }
    }

    /// Whether the calling thread is the one that opens this latch.
    pub(crate) fn is_io_thread(&self) -> bool {
        self.owner
            .upgrade()
            .is_some_and(|owner| owner.is_io_thread())
    }

    /// Refuses to wait in a process that was forked off.
    pub(crate) fn check_process(&self) -> Result<(), KafkaError> {
        match self.owner.upgrade() {
            Some(owner) => owner.process().check(),
            None => Ok(()),
        }
    }

    /// Waits for the outcome, or until `deadline`. Does not end the linger: see [`want`](Self::want).
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> Option<&Outcome> {
        if let Some(outcome) = self.outcome.get() {
            return Some(outcome);
        }
        let opened = Arc::new(Condvar::new());
        let mut waiting = self.waiting.lock();
        if self.outcome.get().is_none() {
            waiting.threads.push(Arc::clone(&opened));
        }
        while self.outcome.get().is_none() {
            match deadline {
                None => opened.wait(&mut waiting),
                Some(deadline) => {
                    if opened.wait_until(&mut waiting, deadline) {
                        waiting.threads.retain(|other| !Arc::ptr_eq(other, &opened));
                        break;
                    }
                }
            }
        }
        self.outcome.get()
    }

    /// Wakes `waker` with the outcome; returns false, and keeps nothing, where the outcome is there already.
    pub(crate) fn wake_when_open(&self, waker: &Waker) -> bool {
        let mut waiting = self.waiting.lock();
        if self.outcome.get().is_some() && !planted!("task-takes-no-second-look") {
            return false;
        }
        if !waiting.tasks.iter().any(|known| known.will_wake(waker)) {
            waiting.tasks.push(waker.clone());
        }
        true
    }

    /// Waits for the batch and, where it is split, for all of its parts. Returns whether all are done in time.
    ///
    /// Java: `awaitAllDependents` (KAFKA-9312, KAFKA-19479: `flush` must not return before the parts are done).
    pub(crate) fn await_all_dependents(&self, deadline: Option<Instant>) -> bool {
        match self.wait(deadline) {
            None => false,
            Some(Outcome::Split(parts)) if !planted!("flush-forgets-parts") => parts
                .iter()
                .all(|part| part.result.await_all_dependents(deadline)),
            Some(_) => true,
        }
    }
}

impl fmt::Debug for ProduceRequestResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProduceRequestResult")
            .field("topic_partition", &self.topic_partition)
            .field("outcome", &self.outcome.get())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::time::{SystemTime, Time};

    struct NoOwner;

    impl BatchOwner for NoOwner {
        fn somebody_waits(self: Arc<Self>, _: &ProduceRequestResult) {}

        fn is_io_thread(&self) -> bool {
            false
        }

        fn process(&self) -> Process {
            Process::current()
        }
    }

    #[test]
    fn a_thread_whose_time_is_up_is_forgotten() {
        let partition = TopicPartition::new("orders", 0);
        let result = ProduceRequestResult::new(partition, Weak::<NoOwner>::new());
        for _ in 0..3 {
            assert!(result.wait(Some(SystemTime.now())).is_none());
        }
        assert!(result.waiting.lock().threads.is_empty());
    }
}
