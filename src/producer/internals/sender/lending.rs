//! Lends the I/O thread's work to a thread that waits for its record: it need not switch to another thread and back.
//!
//! Java: none; there every `get` waits for the thread of the Sender.
//! Differs: where one thread sends and waits, again and again, the I/O thread rests, and that thread does the passes of
//! its wait itself. The I/O thread comes back when something is left to do that nobody waits for, when anybody calls it,
//! and by itself when nobody has worked for [`PATIENCE`]; so whatever goes wrong here can only be late by as much. Who
//! waits so looks for the answer a moment before it sleeps, where that pays ([`BriefSpin`]).
//! Threads: `run` on the I/O thread, `bring` and `nudge` on any. Locks: IoWork, held by the thread that works.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::client::kafka_client::{ClientWaker, KafkaClient};
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::common::sync::{
    Mutex, MutexGuard, Rank,
    atomic::{AtomicBool, AtomicU64, Ordering},
};
use crate::common::time::Time;
use crate::producer::internals::produce_request_result::{Lender, ProduceRequestResult};
use crate::producer::internals::record_accumulator::RecordAccumulator;
use crate::producer::internals::sender::brief_spin::BriefSpin;
use crate::producer::internals::sender::{Sender, contained};

/// The Sender, and who works with it now.
pub(crate) struct SharedSender<C> {
    work: Mutex<Work<C>>,
    waker: ClientWaker,
    accumulator: Arc<RecordAccumulator>,
    time: Arc<dyn Time>,
    /// Whether a thread began to wait for a record while the I/O thread did not rest. A hint, hence `Relaxed`.
    asked: AtomicBool,
    /// How often a waiter's turn has begun or ended.
    turns: AtomicU64,
}

#[derive(Debug)]
struct Work<C> {
    /// Nothing once the I/O thread has ended.
    sender: Option<Sender<C>>,
    /// What went wrong in a waiter's turn: the I/O thread dies of it.
    failed: Option<KafkaError>,
    /// How often in a row a waiter was the only one with something on the way.
    lone_waits: u32,
    spin: BriefSpin,
}

impl<C: KafkaClient> SharedSender<C> {
    /// Waiters look for their answer for as long as `spin` before they sleep.
    pub(super) fn new(sender: Sender<C>, spin: Duration) -> Self {
        Self {
            waker: sender.client.waker(),
            accumulator: Arc::clone(sender.accumulator.accumulator()),
            time: Arc::clone(&sender.time),
            work: Mutex::new(
                Rank::IoWork,
                Work {
                    sender: Some(sender),
                    failed: None,
                    lone_waits: 0,
                    spin: BriefSpin::new(spin),
                },
            ),
            asked: AtomicBool::new(false),
            turns: AtomicU64::new(0),
        }
    }

    /// The life of the I/O thread: passes until the producer is closed and nothing is left to send, or until it is forced.
    pub(crate) fn run(&self) {
        log::debug!("the I/O thread starts");
        self.accumulator.enter_io_thread();
        let died_of = self.work_until_closed();
        let sender = self.work.lock().sender.take();
        if let Some(sender) = sender {
            sender.end(died_of);
        }
    }

    /// Returns what the I/O thread dies of, if it does.
    fn work_until_closed(&self) -> Option<KafkaError> {
        let mut work = self.work.lock();
        loop {
            if work.failed.is_some() {
                return work.failed.take();
            }
            // Before the first thing that is looked at: whether the end was announced.
            self.waker.begin_look();
            let sender = work.sender.as_mut()?;
            if sender.is_over() {
                return None;
            }
            if let Err(error) = contained(|| sender.run_once()) {
                return Some(error);
            }
            if self.may_rest(&mut work) {
                work = self.rest(work);
            }
        }
    }

    /// Whether everything is done and the last who waited was alone, as so often before.
    fn may_rest(&self, work: &mut Work<C>) -> bool {
        if !self.asked.load(Ordering::Relaxed) || self.accumulator.has_incomplete() {
            return false;
        }
        self.asked.store(false, Ordering::Relaxed);
        work.lone_waits += 1;
        work.lone_waits >= LONE_WAITS && self.is_quiet(work) && !self.accumulator.has_callbacks()
    }

    /// Leaves the work to others until it is called, or until nobody has worked for a while.
    fn rest<'a>(&'a self, mut work: MutexGuard<'a, Work<C>>) -> MutexGuard<'a, Work<C>> {
        work.lone_waits = 0;
        if !self.waker.begin_rest() {
            return work;
        }
        drop(work);
        loop {
            let before = self.turns.load(Ordering::Acquire);
            let is_called = self.waker.rest(self.time.now() + PATIENCE);
            let turns = self.turns.load(Ordering::Acquire);
            // A turn that takes longer is not worth a thread that wakes up only to see that it goes on.
            if is_called || turns == before {
                break;
            }
        }
        let work = self.work.lock();
        self.waker.forget_wakes();
        work
    }

    /// Passes on behalf of a waiter.
    fn work_for(
        &self,
        result: &ProduceRequestResult,
        deadline: Option<Instant>,
        sender: &mut Sender<C>,
        spin: &mut BriefSpin,
    ) -> Result<(), KafkaError> {
        result.want();
        self.waker.forget_wakes();
        let mut looks_until = None;
        let mut slept = false;
        while result.outcome().is_none() && !sender.is_over() {
            self.waker.begin_look();
            let (timeout, now) = sender.begin_pass();
            let left = deadline.map_or(Duration::MAX, |at| at.saturating_duration_since(now));
            // The application's code runs on the I/O thread only. A batch with a callback that this pass took out can have
            // no answer before the next wait.
            if left.is_zero() || self.accumulator.has_callbacks() {
                break;
            }
            slept = now >= *looks_until.get_or_insert_with(|| spin.begin(now));
            let timeout = if slept {
                timeout.min(left)
            } else {
                Duration::ZERO
            };
            sender.wait(timeout, now)?;
        }
        if looks_until.is_some() {
            spin.end(slept);
        }
        Ok(())
    }

    /// How many turns waiters have had.
    #[cfg(test)]
    pub(crate) fn turns(&self) -> u64 {
        self.turns.load(Ordering::Acquire) / 2
    }

    /// As the I/O thread does it, for a test without one. Returns whether it rests.
    #[cfg(test)]
    pub(super) fn begin_rest(&self) -> bool {
        self.waker.begin_rest()
    }

    /// Whether nobody does the work, and nobody has called the I/O thread.
    #[cfg(test)]
    pub(super) fn is_resting(&self) -> bool {
        self.waker.is_resting() && !self.waker.rest(self.time.now())
    }

    /// Whether nothing is left to do that the I/O thread would have to come for.
    fn is_quiet(&self, work: &Work<C>) -> bool {
        let is_running = |sender: &Sender<C>| sender.control.is_running();
        work.failed.is_none()
            && work.sender.as_ref().is_some_and(is_running)
            && !self.accumulator.has_incomplete()
    }
}

impl<C: KafkaClient + Send + 'static> SharedSender<C> {
    /// The Sender for the I/O thread to run, and for waiters to borrow, who look for their answer for as long as `spin`
    /// before they sleep.
    pub(crate) fn lend(sender: Sender<C>, spin: Duration) -> Arc<Self> {
        let shared = Arc::new(Self::new(sender, spin));
        let lender: Weak<dyn Lender> = Arc::downgrade(&shared) as Weak<dyn Lender>;
        shared.accumulator.lend_by(lender);
        shared
    }
}

impl<C: KafkaClient + Send> Lender for SharedSender<C> {
    fn bring(&self, result: &ProduceRequestResult, deadline: Option<Instant>) {
        if !self.waker.is_resting() {
            self.asked.store(true, Ordering::Relaxed);
            return;
        }
        let Some(mut work) = self.work.try_lock() else {
            // Who has it brings this record too, or calls the I/O thread for it; unless it is about to let go of it.
            if self.waker.is_resting() {
                self.waker.interrupt_rest();
            }
            return;
        };
        if self.accumulator.has_callbacks() || !self.waker.begin_turn() {
            drop(work);
            self.waker.interrupt_rest();
            return;
        }
        self.turns.fetch_add(1, Ordering::AcqRel);
        let Work { sender, spin, .. } = &mut *work;
        if let Some(sender) = sender {
            let worked = contained(|| self.work_for(result, deadline, sender, spin));
            work.failed = worked.err();
        }
        self.turns.fetch_add(1, Ordering::AcqRel);
        let is_quiet = self.is_quiet(&work) || planted!("turn-leaves-records");
        let rests_on = is_quiet && self.waker.begin_rest();
        drop(work);
        if !rests_on {
            self.waker.interrupt_rest();
        }
    }

    fn nudge(&self) {
        self.waker.nudge();
    }
}

impl<C> fmt::Debug for SharedSender<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSender")
            .field("turns", &self.turns)
            .finish_non_exhaustive()
    }
}

/// How long the I/O thread rests while nobody works: what is sent and not waited for may be late by as much, once.
const PATIENCE: Duration = Duration::from_millis(1);
/// After how many lone waits in a row the I/O thread rests.
const LONE_WAITS: u32 = if cfg!(shuttle) { 1 } else { 8 };
