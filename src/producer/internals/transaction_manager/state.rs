//! The states of the transaction manager and the moves between them.
//!
//! Java: `clients/producer/internals/TransactionManager.java` (its `State`).
//! Differs: each state carries what is valid in it only, so no field can be read in the wrong one.
//! Threads: plain data. Locks: none.

use std::time::Instant;

use crate::common::cluster::ProducerIdAndEpoch;
use crate::common::kafka_error::KafkaError;

/// Where the manager is in its life.
#[derive(Debug)]
pub(super) enum State {
    /// No producer id. A question may go out at `not_before`, or at once.
    Uninitialized {
        failures: u32,
        not_before: Option<Instant>,
    },
    /// A broker was asked for an id, after so many failures.
    Initializing { failures: u32 },
    /// New batches get this identity.
    Ready(ProducerIdAndEpoch),
    /// The producer must be closed.
    Failed(KafkaError),
}

impl State {
    /// The one table of moves.
    pub(super) fn can_become(&self, to: &State) -> bool {
        match (self, to) {
            (State::Failed(_), _) => false,
            (_, State::Failed(_)) => true,
            (State::Uninitialized { .. }, State::Initializing { .. }) => true,
            (State::Initializing { .. }, State::Ready(_) | State::Uninitialized { .. }) => true,
            // A bump counts the epoch up; where the epoch is used up, a new id is asked for.
            (State::Ready(from), State::Ready(to)) => {
                from.producer_id == to.producer_id && from.epoch < to.epoch
            }
            (State::Ready(_), State::Uninitialized { .. }) => true,
            _ => false,
        }
    }
}
