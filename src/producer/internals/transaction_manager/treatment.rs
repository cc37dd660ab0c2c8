//! What each error of each request means: one table.
//!
//! Java: `clients/producer/internals/TransactionManager.java` (the `handleResponse` of each request handler).
//! Differs: a table instead of a chain of branches per request; a missing permission and a transaction that must be
//! aborted lead back to the state before `init_transactions` when they meet the request for an identity.
//! Threads: plain data. Locks: none.

use crate::common::error_kind::ErrorKind as E;
use crate::producer::internals::transaction_manager::requests::Kind;

/// What to do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Ask again, after a back-off.
    Repeat,
    /// Ask again, after the coordinator was looked up.
    Relocate,
    /// The transaction must be aborted.
    Abort,
    /// The same, and the next one needs a new epoch: fatal where there is no way to one.
    AbortWithNewEpoch,
    /// The call failed, and may be made again once the cause is gone.
    GiveUp,
    /// The producer must be closed.
    Fatal,
}

/// The treatment of an error in the answer to a request, or of the lack of an answer (`Disconnect`).
pub(super) fn treatment(request: &Kind, error: E) -> Treatment {
    use Treatment as T;
    let coordinator_gone = matches!(
        error,
        E::Disconnect | E::NotCoordinator | E::CoordinatorNotAvailable
    );
    match (request, error) {
        (Kind::FindCoordinator(_), E::GroupAuthorization) => T::Abort,
        (Kind::FindCoordinator(_), _) if error.is_retriable() => T::Repeat,
        // The group's coordinator may have answered late because it is not the coordinator any more.
        (Kind::TxnOffsetCommit(_), E::Timeout) => T::Relocate,
        (_, _) if coordinator_gone => T::Relocate,
        (_, _) if error.is_retriable() => T::Repeat,

        (
            Kind::InitProducerId | Kind::InitKeepingPrepared | Kind::NextEpoch(_),
            E::TransactionAbortable,
        ) => T::GiveUp,
        (
            Kind::InitProducerId | Kind::InitKeepingPrepared | Kind::NextEpoch(_),
            E::TransactionalIdAuthorization | E::ClusterAuthorization,
        ) => T::GiveUp,

        (Kind::AddPartitionsToTxn | Kind::AddOffsetsToTxn(_), E::UnknownProducerId) => {
            T::AbortWithNewEpoch
        }
        (Kind::EndTxn { commit: true }, E::UnknownProducerId) => T::AbortWithNewEpoch,

        // A second abort would meet the same answer for ever (KAFKA-19250). After the first code Java can neither go on
        // aborting nor begin anything.
        (Kind::EndTxn { commit: false }, E::UnknownProducerId | E::TransactionAbortable) => {
            T::Fatal
        }
        (_, E::TransactionAbortable) => T::Abort,

        (
            Kind::AddPartitionsToTxn,
            E::ProducerFenced
            | E::InvalidProducerEpoch
            | E::TransactionalIdAuthorization
            | E::InvalidTxnState
            | E::InvalidPidMapping
            | E::UnsupportedVersion,
        ) => T::Fatal,
        (Kind::AddPartitionsToTxn, _) if error.is_authentication() => T::Fatal,
        (Kind::AddPartitionsToTxn, _) => T::Abort,

        (Kind::AddOffsetsToTxn(_) | Kind::TxnOffsetCommit(_), E::GroupAuthorization) => T::Abort,
        (
            Kind::TxnOffsetCommit(_),
            E::FencedInstanceId
            | E::UnknownMemberId
            | E::IllegalGeneration
            | E::GroupIdNotFound
            | E::StaleMemberEpoch,
        ) => T::Abort,

        _ => T::Fatal,
    }
}
