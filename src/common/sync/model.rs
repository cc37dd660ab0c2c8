//! Locks, conditions and cells that a model checker schedules: what `sync` is made of in a build with `--cfg shuttle`.
//!
//! Java: none.
//! Differs: a wait with a deadline may end at any point of the schedule, or never end by itself, as the scenario says.
//! Threads: shuttle's, which are all run by one thread of the system. Locks: shuttle's.

use std::cell::Cell;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex as Plain;
use shuttle::sync::atomic::{AtomicU8, Ordering};
use shuttle::thread::{self, Thread};

use crate::common::time::{SystemTime, Time};

/// What happens to waits that have a deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deadlines {
    /// They are so far off that none passes: who is not woken waits for ever, which shuttle reports as a deadlock. Those
    /// that are past by half an hour may pass all the same.
    NeverPass,
    /// Each may pass at any point, and passes at last. After [`HASTY`] of them all others go first, or a schedule that
    /// favours threads whose time is always up would let nothing else happen, for ever.
    MayPass,
}

/// How many deadlines of a schedule may pass while other threads have something to do that they are kept from.
const HASTY: u32 = 30;

std::thread_local! {
    // Of the system's thread, which runs all the threads of one scenario.
    static DEADLINES: Cell<Deadlines> = const { Cell::new(Deadlines::NeverPass) };
    static PASSED: Cell<u32> = const { Cell::new(0) };
}

fn is_long_past(deadline: Instant) -> bool {
    SystemTime.now().saturating_duration_since(deadline) > Duration::from_secs(1800)
}

/// Says what happens to waits with a deadline from now on: a schedule begins.
pub(crate) fn set_deadlines(deadlines: Deadlines) {
    DEADLINES.set(deadlines);
    PASSED.set(0);
}

/// A mutex without poisoning.
pub(super) struct Mutex<T> {
    inner: shuttle::sync::Mutex<T>,
}

impl<T> Mutex<T> {
    pub(super) const fn new(value: T) -> Self {
        Self {
            inner: shuttle::sync::Mutex::new(value),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard {
            mutex: self,
            inner: Some(self.take()),
        }
    }

    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let taken = self.inner.try_lock().ok()?;
        Some(MutexGuard {
            mutex: self,
            inner: Some(taken),
        })
    }

    fn take(&self) -> shuttle::sync::MutexGuard<'_, T> {
        let taken = self.inner.lock();
        taken.unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl<T> std::fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // To look inside would be a step of the schedule.
        f.write_str("Mutex")
    }
}

/// Holds a [`Mutex`], except while its thread waits for a [`Condvar`].
pub(super) struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    inner: Option<shuttle::sync::MutexGuard<'a, T>>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.inner.as_ref().expect("held by whoever can look")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_mut().expect("held by whoever can look")
    }
}

/// A condition whose waiters stand in a line.
#[derive(Debug, Default)]
pub(super) struct Condvar {
    // Never held across a step of the schedule, so nobody waits for it.
    line: Plain<VecDeque<Arc<Waiter>>>,
}

#[derive(Debug)]
struct Waiter {
    thread: Thread,
    /// How the wait ended; plain memory and no step of the schedule.
    ended: Plain<Option<WaitTimeoutResult>>,
}

/// Whether a wait ended because of its deadline.
#[derive(Debug, Clone, Copy)]
pub(super) struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    pub(super) fn timed_out(self) -> bool {
        self.0
    }
}

impl Condvar {
    pub(super) const fn new() -> Self {
        Self {
            line: Plain::new(VecDeque::new()),
        }
    }

    pub(super) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        self.wait_as(&self.join_line(), guard);
    }

    pub(super) fn wait_until<T>(
        &self,
        guard: &mut MutexGuard<'_, T>,
        deadline: Instant,
    ) -> WaitTimeoutResult {
        let waiter = self.join_line();
        if DEADLINES.get() == Deadlines::MayPass || is_long_past(deadline) {
            let passed = PASSED.get();
            PASSED.set(passed + 1);
            if passed < HASTY {
                let late = Arc::clone(&waiter);
                // When the scheduler runs this thread, the deadline has passed.
                thread::spawn(move || late.end(WaitTimeoutResult(true)));
            } else {
                guard.inner = None;
                thread::yield_now();
                let _ = waiter.end(WaitTimeoutResult(true));
            }
        }
        self.wait_as(&waiter, guard)
    }

    pub(super) fn notify_one(&self) {
        loop {
            let first = self.line.lock().pop_front();
            if first.is_none_or(|first| first.end(WaitTimeoutResult(false))) {
                return;
            }
        }
    }

    pub(super) fn notify_all(&self) {
        let all = std::mem::take(&mut *self.line.lock());
        for waiter in all {
            let _ = waiter.end(WaitTimeoutResult(false));
        }
    }

    fn join_line(&self) -> Arc<Waiter> {
        let waiter = Arc::new(Waiter {
            thread: thread::current(),
            ended: Plain::new(None),
        });
        self.line.lock().push_back(Arc::clone(&waiter));
        waiter
    }

    /// In line before the lock is given up, so a notification by whoever gets the lock is not lost.
    fn wait_as<T>(&self, waiter: &Arc<Waiter>, guard: &mut MutexGuard<'_, T>) -> WaitTimeoutResult {
        guard.inner = None;
        let end = loop {
            let ended = *waiter.ended.lock();
            match ended {
                Some(end) => break end,
                None => thread::park(),
            }
        };
        self.line.lock().retain(|w| !Arc::ptr_eq(w, waiter));
        guard.inner = Some(guard.mutex.take());
        end
    }
}

impl Waiter {
    /// Returns false where the wait has ended already.
    fn end(&self, how: WaitTimeoutResult) -> bool {
        if self.ended.lock().is_some() {
            return false;
        }
        *self.ended.lock() = Some(how);
        self.thread.unpark();
        true
    }
}

/// A cell that is written once.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    /// One of [`EMPTY`], [`CLAIMED`], [`FULL`].
    state: AtomicU8,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self {
            state: AtomicU8::new(EMPTY),
            value: std::sync::OnceLock::new(),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if self.state.load(Ordering::Acquire) == FULL {
            return self.value.get();
        }
        None
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| value.take().expect("asked for once"));
        match value {
            None => Ok(()),
            Some(value) => Err(value),
        }
    }

    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let mut init = Some(init);
        loop {
            match self.claim() {
                FULL => return self.value.get().expect("full"),
                EMPTY => {
                    let init = init.take().expect("claimed once");
                    let value = self.value.get_or_init(init);
                    self.state.store(FULL, Ordering::Release);
                    return value;
                }
                _ => thread::yield_now(),
            }
        }
    }

    /// What the cell was before it was claimed.
    fn claim(&self) -> u8 {
        let claimed =
            self.state
                .compare_exchange(EMPTY, CLAIMED, Ordering::AcqRel, Ordering::Acquire);
        claimed.unwrap_or_else(|found| found)
    }
}

const EMPTY: u8 = 0;
const CLAIMED: u8 = 1;
const FULL: u8 = 2;
