//! How partitions tell the I/O thread that there is something to look at.
//!
//! Java: none; `RecordAccumulator.ready` looks at every partition on every pass.
//! Differs: a partition lists itself, so 10,000 idle partitions cost nothing; whoever lists one learns whether the I/O
//! thread would come too late by itself and must be woken.
//! Threads: any thread lists, the I/O thread takes. Locks: `ReadyList` (leaf).

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::common::planted::planted;
use crate::common::process::Process;
use crate::common::sync::{
    Mutex, OnceLock, Rank,
    atomic::{AtomicU64, Ordering},
    thread::{self, ThreadId},
};
use crate::producer::internals::produce_request_result::Lender;
use crate::producer::internals::record_accumulator::partition_queue::PartitionQueue;

/// The partitions that the I/O thread should look at, and when it will look.
pub(crate) struct ReadyList {
    listed: Mutex<Vec<Arc<PartitionQueue>>>,
    origin: Instant,
    /// When the I/O thread looks at the list next, in nanoseconds since `origin`; 0 while it looks. The I/O thread stores
    /// it and then looks at the list once more; everybody else lists and then loads it. `SeqCst`, so that one of the two
    /// sees the other.
    next_look: AtomicU64,
    /// Ends the I/O thread's sleep; cheap where it does not sleep.
    wakeup: Box<dyn Fn() + Send + Sync>,
    io_thread: OnceLock<ThreadId>,
    /// Who lets waiters do the I/O thread's work, where somebody does.
    lender: OnceLock<Weak<dyn Lender>>,
    process: Process,
    /// Whether a test plays the child of a fork.
    #[cfg(test)]
    pub(super) forked: crate::common::sync::atomic::AtomicBool,
}

impl ReadyList {
    pub(super) fn new(now: Instant, wakeup: Box<dyn Fn() + Send + Sync>) -> Self {
        Self {
            listed: Mutex::new(Rank::Leaf, Vec::new()),
            origin: now,
            next_look: AtomicU64::new(u64::MAX),
            wakeup,
            io_thread: OnceLock::new(),
            lender: OnceLock::new(),
            process: Process::current(),
            #[cfg(test)]
            forked: Default::default(),
        }
    }

    /// Lists a partition that wants to be looked at by `due`; returns whether the I/O thread must be woken for that.
    pub(super) fn list(&self, partition: Arc<PartitionQueue>, due: Option<Instant>) -> bool {
        self.listed.lock().push(partition);
        self.comes_too_late(due)
    }

    /// Whether the I/O thread looks later than `due` (nothing: now).
    pub(super) fn comes_too_late(&self, due: Option<Instant>) -> bool {
        match self.next_look.load(Ordering::SeqCst) {
            LOOKING => false,
            next_look => due.is_none_or(|due| self.nanos(due) < next_look),
        }
    }

    pub(super) fn wakeup(&self) {
        (self.wakeup)();
    }

    /// Wakes the I/O thread for a record whose sender may be about to wait for it.
    pub(super) fn nudge(&self) {
        match self.lender() {
            Some(lender) => lender.nudge(),
            None => self.wakeup(),
        }
    }

    /// Who lends the I/O thread's work. Only the first one counts.
    pub(super) fn lend_by(&self, lender: Weak<dyn Lender>) {
        let _ = self.lender.set(lender);
    }

    pub(super) fn lender(&self) -> Option<Arc<dyn Lender>> {
        self.lender.get()?.upgrade()
    }

    /// The calling thread looks now: nobody needs to wake it.
    pub(super) fn begin_look(&self) {
        self.next_look.store(LOOKING, Ordering::SeqCst);
    }

    /// The calling thread is done looking and does so again by `next`. Returns whether something was listed meanwhile.
    pub(super) fn end_look(&self, next: Option<Instant>) -> bool {
        let next = next.map_or(u64::MAX, |next| self.nanos(next));
        self.next_look.store(next, Ordering::SeqCst);
        !self.listed.lock().is_empty() && !planted!("no-second-look-at-the-list")
    }

    /// Moves what is listed to the end of `to`.
    pub(super) fn take(&self, to: &mut Vec<Arc<PartitionQueue>>) {
        to.append(&mut self.listed.lock());
    }

    /// The calling thread is the I/O thread from now on.
    pub(super) fn enter_io_thread(&self) {
        // A second call can only come from the same thread.
        let _ = self.io_thread.set(thread::current().id());
    }

    pub(super) fn is_io_thread(&self) -> bool {
        self.io_thread.get() == Some(&thread::current().id())
    }

    /// The process that has the I/O thread.
    pub(super) fn process(&self) -> Process {
        #[cfg(test)]
        if self.forked.load(Ordering::SeqCst) {
            return Process::parent_of_this();
        }
        self.process
    }

    fn nanos(&self, at: Instant) -> u64 {
        let since: Duration = at.saturating_duration_since(self.origin);
        u64::try_from(since.as_nanos()).map_or(u64::MAX, |nanos| nanos.max(1))
    }
}

impl fmt::Debug for ReadyList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyList").finish_non_exhaustive()
    }
}

const LOOKING: u64 = 0;
