//! Waits that take no time: a test says what happens while a thread waits, and when it is then.
//!
//! Java: none.
//! Differs: exists in tests only, and not in the build for the model checker, whose scheduler ends the waits.
//! Threads: any; each has its own. Locks: the one that a wait lets go of is free while the test has its say.

use std::cell::RefCell;
use std::time::Instant;

use super::{MutexGuard, held, thread_local};

/// Told the deadline of a wait; says whether that has passed when the wait is over.
type Wait = Box<dyn FnMut(Instant) -> bool>;

thread_local! {
    static WAIT: RefCell<Option<Wait>> = const { RefCell::new(None) };
}

/// As long as this lives, the thread only pretends to wait.
#[must_use]
#[derive(Debug)]
pub(crate) struct Pretence(());

/// From now on `wait` takes the place of every wait of this thread; one without a limit panics.
pub(crate) fn waits(wait: impl FnMut(Instant) -> bool + 'static) -> Pretence {
    WAIT.with(|current| *current.borrow_mut() = Some(Box::new(wait)));
    Pretence(())
}

impl Drop for Pretence {
    fn drop(&mut self) {
        WAIT.with(|current| current.borrow_mut().take());
    }
}

/// Nothing where the thread is to wait in earnest.
pub(super) fn wait<T>(guard: &mut MutexGuard<'_, T>, deadline: Option<Instant>) -> Option<bool> {
    let mut wait = WAIT.with(|current| current.borrow_mut().take())?;
    let deadline = deadline.expect("a call that a test bounds waits without a limit");
    held::leave(guard.rank);
    let is_late = parking_lot::MutexGuard::unlocked(&mut guard.inner, || wait(deadline));
    held::enter(guard.rank);
    WAIT.with(|current| *current.borrow_mut() = Some(wait));
    Some(is_late)
}
