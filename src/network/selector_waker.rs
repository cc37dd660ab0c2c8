//! Gets the I/O thread out of its wait, at the price of one atomic step where it does not wait.
//!
//! Java: `Selector.wakeup` of `java.nio`.
//! Differs: the operating system is asked only when the I/O thread sleeps, and once per sleep: waking a sleeper costs the
//! caller as much as sixty sends. The I/O thread may also rest: then nobody polls until somebody else does, or until it
//! comes back by itself a moment later.
//! Threads: `wakeup` and `nudge` on any thread, the rest on the one that polls. Locks: `SelectorWaker` (leaf), to rest.

use std::fmt;
use std::time::Instant;

use crate::common::planted::planted;
use crate::common::sync::{
    Condvar, Mutex, Rank,
    atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

/// Makes a poll return early.
///
/// ```text
///            begin_sleep                      begin_rest
///  SLEEPING <----------- RUNNING (it polls) -------------> RESTING -- nudge --> NUDGED
///      |  end_sleep -----> ^  ^ <------ begin_turn -------------+------------------+
///      +---- wakeup ---> WOKEN <------- wakeup (also a second nudge) -------------+
/// ```
pub(crate) struct SelectorWaker {
    /// One of the states above. Every change is a read-modify-write with `AcqRel`: the thread that takes `WOKEN` out sees
    /// what the waking thread did before, and a wake that it does not see stays for the next poll.
    state: AtomicU8,
    /// Whether the last poll took a wake out that no look at the work has followed yet. Used by the polling thread only.
    unseen: AtomicBool,
    /// Polls so far: a plain count that the polling thread raises and anybody may read.
    polls: AtomicU64,
    wake_sleeper: Box<dyn Fn() + Send + Sync>,
    /// Whether the rest is over before its time.
    rest_is_over: Mutex<bool>,
    rested: Condvar,
}

impl SelectorWaker {
    /// A waker that calls `wake_sleeper` when somebody wakes a thread that sleeps.
    pub(crate) fn new(wake_sleeper: impl Fn() + Send + Sync + 'static) -> Self {
        Self {
            state: AtomicU8::new(RUNNING),
            unseen: AtomicBool::new(false),
            polls: AtomicU64::new(0),
            wake_sleeper: Box::new(wake_sleeper),
            rest_is_over: Mutex::new(Rank::Leaf, false),
            rested: Condvar::new(),
        }
    }

    /// Makes the poll under way return, or the next one if none is; ends a rest.
    pub(crate) fn wakeup(&self) {
        match self.state.swap(WOKEN, Ordering::AcqRel) {
            SLEEPING => (self.wake_sleeper)(),
            RESTING | NUDGED => self.interrupt_rest(),
            _ => {}
        }
    }

    /// As [`wakeup`](Self::wakeup), but the first nudge leaves a thread that rests to its rest: the caller may be about to
    /// do that thread's work.
    pub(crate) fn nudge(&self) {
        if !self.change(RESTING, NUDGED) {
            self.wakeup();
        }
    }

    /// To be called right before the wait. Returns false where somebody has called `wakeup` since the last
    /// [`end_sleep`](Self::end_sleep): then the poll must not wait.
    pub(crate) fn begin_sleep(&self) -> bool {
        if planted!("sleeper-forgets-a-wake") {
            self.state.store(SLEEPING, Ordering::Release);
            return true;
        }
        self.change(RUNNING, SLEEPING)
    }

    /// To be called right after the wait, and by polls that do not wait. Returns whether somebody has called `wakeup`.
    pub(crate) fn end_sleep(&self) -> bool {
        self.polls.fetch_add(1, Ordering::Relaxed);
        let was_woken = self.state.swap(RUNNING, Ordering::AcqRel) == WOKEN;
        if was_woken && !planted!("rests-on-a-wake") {
            self.unseen.store(true, Ordering::Relaxed);
        }
        was_woken
    }

    /// To be called before a rest. Returns false where somebody has called `wakeup` since the last
    /// [`begin_look`](Self::begin_look): then there is work.
    pub(crate) fn begin_rest(&self) -> bool {
        !self.unseen.load(Ordering::Relaxed) && self.change(RUNNING, RESTING)
    }

    /// Rests until somebody ends it, or until `deadline`. Returns whether somebody did.
    pub(crate) fn rest(&self, deadline: Instant) -> bool {
        let mut is_over = self.rest_is_over.lock();
        if !*is_over {
            // Waking up for no reason does no harm: the thread rests again, or works for nothing.
            self.rested.wait_until(&mut is_over, deadline);
        }
        std::mem::take(&mut *is_over)
    }

    /// Ends the rest of the thread that rests, now or as soon as it begins to.
    pub(crate) fn interrupt_rest(&self) {
        *self.rest_is_over.lock() = true;
        self.rested.notify_one();
    }

    /// Whether nobody polls.
    pub(crate) fn is_resting(&self) -> bool {
        matches!(self.state.load(Ordering::Acquire), RESTING | NUDGED)
    }

    /// To be called by another thread that is going to poll while the I/O thread rests. Returns false where that one is
    /// about to come back.
    pub(crate) fn begin_turn(&self) -> bool {
        self.change(RESTING, RUNNING) || self.change(NUDGED, RUNNING)
    }

    /// To be called by a thread that polls and may rest, before it looks at what there is to do.
    pub(crate) fn begin_look(&self) {
        self.unseen.store(false, Ordering::Relaxed);
    }

    /// To be called by the thread that polls, right before [`begin_look`](Self::begin_look): it sees what was announced up
    /// to now, and the next poll need not return early for that.
    pub(crate) fn forget_wakes(&self) {
        self.state.swap(RUNNING, Ordering::AcqRel);
    }

    /// How often the I/O thread has polled: an idle producer does so only when a timer is due.
    pub(crate) fn poll_count(&self) -> u64 {
        self.polls.load(Ordering::Relaxed)
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
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
const RESTING: u8 = 3;
const NUDGED: u8 = 4;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::common::time::{FOREVER, SystemTime, Time};

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

    #[test]
    fn a_thread_that_rests_is_left_alone_once() {
        let (waker, calls) = counting();
        assert!(waker.begin_rest());
        let (now, never) = (SystemTime.now(), FOREVER);
        waker.nudge();
        assert!(waker.is_resting());
        assert!(!waker.rest(now));
        waker.nudge();
        assert!(!waker.is_resting());
        assert!(waker.rest(now + never), "the second nudge ends the rest");
        assert!(!waker.rest(now), "once");
        assert_eq!(calls.load(Ordering::Relaxed), 0, "it does not sleep");
    }

    #[test]
    fn a_wake_ends_a_rest() {
        let (waker, _) = counting();
        assert!(waker.begin_rest());
        waker.wakeup();
        assert!(waker.rest(SystemTime.now() + FOREVER));
        assert!(!waker.begin_turn(), "the thread that rested comes itself");
    }

    #[test]
    fn another_thread_takes_its_turn_of_one_that_rests() {
        let (waker, calls) = counting();
        assert!(!waker.begin_turn(), "nobody rests");
        assert!(waker.begin_rest());
        waker.nudge();
        assert!(waker.begin_turn());
        assert!(
            waker.begin_sleep(),
            "the nudge was for the one who has the turn"
        );
        waker.nudge();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert!(waker.end_sleep());
    }

    #[test]
    fn nobody_rests_on_a_wake_that_was_not_looked_into() {
        let (waker, _) = counting();
        waker.wakeup();
        assert!(!waker.begin_rest());
        assert!(waker.end_sleep());
        assert!(
            !waker.begin_rest(),
            "a poll took the wake out and nobody has looked"
        );
        waker.begin_look();
        assert!(waker.begin_rest());
    }
}
