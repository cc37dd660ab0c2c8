//! Gets the I/O thread out of its wait, at the price of one atomic step where it does not wait.
//!
//! Java: `Selector.wakeup` of `java.nio`.
//! Differs: the operating system is asked only when the I/O thread sleeps, and once per sleep: waking a sleeper costs the
//! caller as much as sixty sends.
//! Threads: `wakeup` on any thread, the rest on the I/O thread. Locks: none.

use std::fmt;

use crate::common::planted::planted;
use crate::common::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// Makes a poll return early.
pub(crate) struct SelectorWaker {
    /// One of [`RUNNING`], [`SLEEPING`], [`WOKEN`]. Every change is a read-modify-write with `AcqRel`: the I/O thread that
    /// takes `WOKEN` out sees what the waking thread did before, and a wake that it does not see stays for the next poll.
    state: AtomicU8,
    /// Polls so far: a plain count that the I/O thread raises and anybody may read.
    polls: AtomicU64,
    wake_sleeper: Box<dyn Fn() + Send + Sync>,
}

impl SelectorWaker {
    /// A waker that calls `wake_sleeper` when somebody wakes a thread that sleeps.
    pub(crate) fn new(wake_sleeper: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            state: AtomicU8::new(RUNNING),
            polls: AtomicU64::new(0),
            wake_sleeper: Box::new(wake_sleeper),
        }
    }

    /// Makes the poll under way return, or the next one if none is.
    pub(crate) fn wakeup(&self) {
        if self.state.swap(WOKEN, Ordering::AcqRel) == SLEEPING {
            (self.wake_sleeper)();
        }
    }

    /// To be called right before the wait. Returns false where somebody has called `wakeup` since the last
    /// [`end_sleep`](Self::end_sleep): then the poll must not wait.
    pub(crate) fn begin_sleep(&self) -> bool {
        if planted!("sleeper-forgets-a-wake") {
            self.state.store(SLEEPING, Ordering::Release);
            return true;
        }
        self.state
            .compare_exchange(RUNNING, SLEEPING, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// To be called right after the wait, and by polls that do not wait. Returns whether somebody has called `wakeup`.
    pub(crate) fn end_sleep(&self) -> bool {
        self.polls.fetch_add(1, Ordering::Relaxed);
        self.state.swap(RUNNING, Ordering::AcqRel) == WOKEN
    }

    /// How often the I/O thread has polled: an idle producer does so only when a timer is due.
    pub(crate) fn poll_count(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for SelectorWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectorWaker")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

const RUNNING: u8 = 0;
const SLEEPING: u8 = 1;
const WOKEN: u8 = 2;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;

    fn counting() -> (SelectorWaker, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&calls);
        let waker = SelectorWaker::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        (waker, calls)
    }

    /// Scenario: S17 (without sockets).
    #[test]
    fn a_thread_that_runs_is_not_woken_but_does_not_fall_asleep() {
        let (waker, calls) = counting();
        waker.wakeup();
        waker.wakeup();
        assert!(!waker.begin_sleep());
        assert!(waker.end_sleep());
        assert!(waker.begin_sleep(), "a wake is good for one poll");
        assert_eq!(calls.load(Ordering::Relaxed), 0);
    }

    /// Scenario: S17 (without sockets).
    #[test]
    fn a_sleeper_is_woken_once() {
        let (waker, calls) = counting();
        assert!(waker.begin_sleep());
        for _ in 0..10_000 {
            waker.wakeup();
        }
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert!(waker.end_sleep());
    }
}
