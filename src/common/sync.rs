//! Every lock of the crate, with the rank that says what may be taken inside it.
//!
//! Java: `synchronized` blocks and `ReentrantLock`s, whose order is a matter of comments.
//! Differs: the lock table of the design as code; a debug build panics on the wrong order. Everything by which threads
//! meet is had from here, so that a build with `--cfg shuttle` runs the crate under a scheduler that tries the orders.
//! Threads: any. Locks: this is where they are made.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::time::Instant;

#[cfg(not(shuttle))]
use parking_lot as base;

#[cfg(shuttle)]
use self::model as base;

#[cfg(shuttle)]
pub(crate) mod model;

#[cfg(all(test, not(shuttle)))]
pub(crate) mod pretend;

#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::{OnceLock, atomic},
    thread, thread_local,
};

#[cfg(shuttle)]
pub(crate) use self::model::OnceLock;
#[cfg(shuttle)]
pub(crate) use shuttle::{sync::atomic, thread, thread_local};

/// What a lock guards decides when it may be taken: only inside locks of a lower rank.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// The I/O thread's work, held by whoever does it; only tried for by others.
    IoWork = 0,
    /// One partition's queue of batches; never two at once.
    PartitionQueue = 1,
    /// The transaction core; may be taken inside a partition's queue.
    TransactionManager = 2,
    /// Takes nothing inside.
    Leaf = 3,
}

/// A mutex without poisoning that knows its rank.
pub(crate) struct Mutex<T> {
    rank: Rank,
    inner: base::Mutex<T>,
}

impl<T> Mutex<T> {
    pub(crate) const fn new(rank: Rank, value: T) -> Self {
        Self {
            rank,
            inner: base::Mutex::new(value),
        }
    }

    /// The lock where it is free.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let inner = self.inner.try_lock()?;
        held::enter(self.rank);
        Some(MutexGuard {
            rank: self.rank,
            inner,
        })
    }

    /// Waits for the lock. A debug build panics where the thread already holds one of the same or a higher rank.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        held::enter(self.rank);
        MutexGuard {
            rank: self.rank,
            inner: self.inner.lock(),
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// Holds a [`Mutex`] until it is dropped.
pub(crate) struct MutexGuard<'a, T> {
    rank: Rank,
    inner: base::MutexGuard<'a, T>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        held::leave(self.rank);
    }
}

/// Waits for a change of what a [`Mutex`] guards.
#[derive(Debug, Default)]
pub(crate) struct Condvar {
    inner: base::Condvar,
}

impl Condvar {
    pub(crate) const fn new() -> Self {
        Self {
            inner: base::Condvar::new(),
        }
    }

    /// Waits until notified; may also wake for no reason.
    pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        #[cfg(all(test, not(shuttle)))]
        if pretend::wait(guard, None).is_some() {
            return;
        }
        self.inner.wait(&mut guard.inner);
    }

    /// Waits until notified or until `deadline`; returns whether the deadline passed.
    pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, deadline: Instant) -> bool {
        #[cfg(all(test, not(shuttle)))]
        if let Some(is_late) = pretend::wait(guard, Some(deadline)) {
            return is_late;
        }
        self.inner
            .wait_until(&mut guard.inner, deadline)
            .timed_out()
    }

    pub(crate) fn notify_one(&self) {
        self.inner.notify_one();
    }

    pub(crate) fn notify_all(&self) {
        self.inner.notify_all();
    }
}

#[cfg(debug_assertions)]
mod held {
    use std::cell::Cell;

    use super::Rank;

    super::thread_local! {
        /// A bit for each rank that the thread holds: no rank is ever held twice.
        static HELD: Cell<u8> = const { Cell::new(0) };
    }

    pub(super) fn enter(rank: Rank) {
        HELD.with(|held| {
            let before = held.get();
            assert!(
                before < bit(rank),
                "lock order: {rank:?} taken while holding {:?}",
                named(before)
            );
            held.set(before | bit(rank));
        });
    }

    pub(super) fn leave(rank: Rank) {
        HELD.with(|held| held.set(held.get() & !bit(rank)));
    }

    const fn bit(rank: Rank) -> u8 {
        1 << rank as u8
    }

    fn named(held: u8) -> Vec<Rank> {
        let all = [
            Rank::IoWork,
            Rank::PartitionQueue,
            Rank::TransactionManager,
            Rank::Leaf,
        ];
        all.into_iter().filter(|r| held & bit(*r) != 0).collect()
    }
}

#[cfg(not(debug_assertions))]
mod held {
    pub(super) fn enter(_: super::Rank) {}
    pub(super) fn leave(_: super::Rank) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locks_nest_in_the_order_of_their_ranks() {
        let queue = Mutex::new(Rank::PartitionQueue, 1);
        let leaf = Mutex::new(Rank::Leaf, 2);
        let outer = queue.lock();
        assert_eq!(*outer + *leaf.lock(), 3);
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "lock order")]
    fn a_debug_build_panics_on_the_wrong_order() {
        let queue = Mutex::new(Rank::PartitionQueue, ());
        let leaf = Mutex::new(Rank::Leaf, ());
        let _outer = leaf.lock();
        let _inner = queue.lock();
    }
}
