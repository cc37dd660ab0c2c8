//! The outcome of one transactional call, for the thread that waits for it.
//!
//! Java: `clients/producer/internals/TransactionalRequestResult.java`.
//! Differs: every wait has an end; the operation is a type, so that two calls can be compared.
//! Threads: set once on the I/O thread, awaited on any. Locks: `TransactionalRequestResult` (leaf).

use std::fmt;
use std::time::Instant;

use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::common::sync::{
    Condvar, Mutex, OnceLock, Rank,
    atomic::{AtomicBool, Ordering},
};

/// The latch of one call: opened once, with what became of the call.
#[derive(Debug)]
pub(crate) struct TransactionalRequestResult {
    operation: Operation,
    outcome: OnceLock<Result<(), KafkaError>>,
    /// Set when the application has been told the outcome: only then may it call something else.
    collected: AtomicBool,
    waiting: Mutex<()>,
    opened: Condvar,
}

/// The calls that wait for a broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    Init,
    SendOffsets,
    Commit,
    Abort,
}

impl TransactionalRequestResult {
    pub(crate) fn new(operation: Operation) -> Self {
        Self {
            operation,
            outcome: OnceLock::new(),
            collected: AtomicBool::new(false),
            waiting: Mutex::new(Rank::Leaf, ()),
            opened: Condvar::new(),
        }
    }

    pub(crate) fn operation(&self) -> Operation {
        self.operation
    }

    /// Opens the latch. Only the first call counts.
    pub(crate) fn complete(&self, outcome: Result<(), KafkaError>) {
        if self.outcome.set(outcome).is_ok() {
            // A waiter looks at the outcome once more under this lock before it sleeps, so none is missed.
            let _waiting = self.waiting.lock();
            if planted!("outcome-told-to-one") {
                return self.opened.notify_one();
            }
            self.opened.notify_all();
        }
    }

    /// Whether the outcome is there.
    pub(crate) fn is_done(&self) -> bool {
        self.outcome.get().is_some()
    }

    /// Whether the application knows the outcome. Java: `isAcked`.
    pub(crate) fn is_collected(&self) -> bool {
        self.collected.load(Ordering::Acquire)
    }

    /// The outcome, where it is there; the application knows it then.
    pub(crate) fn collect(&self) -> Option<Result<(), KafkaError>> {
        let outcome = self.outcome.get()?.clone();
        self.collected.store(true, Ordering::Release);
        Some(outcome)
    }

    /// Waits for the outcome until `deadline`, and collects it.
    pub(crate) fn wait(&self, deadline: Instant) -> Option<Result<(), KafkaError>> {
        let mut waiting = self.waiting.lock();
        while !self.is_done() {
            if self.opened.wait_until(&mut waiting, deadline) {
                break;
            }
        }
        drop(waiting);
        if planted!("timeout-collects-the-outcome") {
            self.collected.store(true, Ordering::Release);
        }
        self.collect()
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Init => "init_transactions",
            Operation::SendOffsets => "send_offsets_to_transaction",
            Operation::Commit => "commit_transaction",
            Operation::Abort => "abort_transaction",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::common::time::{SystemTime, Time};

    #[test]
    fn the_first_outcome_counts_and_is_collected_by_who_sees_it() {
        let result = TransactionalRequestResult::new(Operation::Commit);
        assert!(result.collect().is_none() && !result.is_collected());
        result.complete(Ok(()));
        result.complete(Err(KafkaError::illegal_state("too late")));
        assert!(result.is_done() && !result.is_collected());
        assert!(result.wait(SystemTime.now()).is_some_and(|r| r.is_ok()));
        assert!(result.is_collected());
    }

    #[test]
    fn a_wait_that_ends_without_an_outcome_collects_nothing() {
        let result = TransactionalRequestResult::new(Operation::Init);
        assert!(
            result
                .wait(SystemTime.now() + Duration::from_millis(1))
                .is_none()
        );
        assert!(!result.is_collected());
    }
}
