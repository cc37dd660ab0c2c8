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

/// How a thread waits.
enum Manner {
    InEarnest,
    Pretended(Wait),
    /// The test has its say. What it calls waits for nothing: nobody could say what happens meanwhile.
    NotAtAll,
}

thread_local! {
    static MANNER: RefCell<Manner> = const { RefCell::new(Manner::InEarnest) };
}

/// As long as this lives, the thread only pretends to wait.
#[must_use]
#[derive(Debug)]
pub(crate) struct Pretence(());

/// From now on `wait` takes the place of every wait of this thread; one without a limit panics.
pub(crate) fn waits(wait: impl FnMut(Instant) -> bool + 'static) -> Pretence {
    MANNER.replace(Manner::Pretended(Box::new(wait)));
    Pretence(())
}

impl Drop for Pretence {
    fn drop(&mut self) {
        MANNER.replace(Manner::InEarnest);
    }
}

/// Nothing where the thread is to wait in earnest.
pub(super) fn wait<T>(guard: &mut MutexGuard<'_, T>, deadline: Option<Instant>) -> Option<bool> {
    let mut wait = match MANNER.replace(Manner::NotAtAll) {
        Manner::Pretended(wait) => wait,
        Manner::NotAtAll => return Some(true),
        Manner::InEarnest => {
            MANNER.replace(Manner::InEarnest);
            return None;
        }
    };
    let deadline = deadline.expect("a call that a test bounds waits without a limit");
    held::leave(guard.rank);
    let is_late = parking_lot::MutexGuard::unlocked(&mut guard.inner, || wait(deadline));
    held::enter(guard.rank);
    MANNER.replace(Manner::Pretended(wait));
    Some(is_late)
}
