//! The table of errors, request by request.

use super::*;
use crate::producer::consumer_group_metadata::ConsumerGroupMetadata;
use crate::producer::internals::transaction_manager::requests::Kind;
use crate::producer::internals::transaction_manager::treatment::Treatment::{
    self, Abort, AbortWithNewEpoch, Fatal, GiveUp, Relocate, Repeat,
};
use crate::producer::internals::transaction_manager::treatment::treatment;

use ErrorKind as E;

/// The requests in the order of the columns.
fn kinds() -> [Kind; 7] {
    let offsets = || GroupOffsets {
        group: ConsumerGroupMetadata::new("group"),
        offsets: Default::default(),
    };
    [
        Kind::InitProducerId,
        Kind::AddPartitionsToTxn,
        Kind::AddOffsetsToTxn(offsets()),
        Kind::EndTxn { commit: true },
        Kind::EndTxn { commit: false },
        Kind::TxnOffsetCommit(offsets()),
        Kind::FindCoordinator(CoordinatorKey::Transaction("txn".into())),
    ]
}

#[rustfmt::skip]
const TABLE: [(E, [Treatment; 7]); 24] = [
    // Error                         Init      AddPartitions      AddOffsets         commit             abort              OffsetCommit Find
    (E::NotCoordinator,             [Relocate, Relocate,          Relocate,          Relocate,          Relocate,          Relocate,    Repeat]),
    (E::CoordinatorNotAvailable,    [Relocate, Relocate,          Relocate,          Relocate,          Relocate,          Relocate,    Repeat]),
    (E::Disconnect,                 [Relocate, Relocate,          Relocate,          Relocate,          Relocate,          Relocate,    Repeat]),
    (E::Timeout,                    [Repeat,   Repeat,            Repeat,            Repeat,            Repeat,            Relocate,    Repeat]),
    (E::CoordinatorLoadInProgress,  [Repeat,   Repeat,            Repeat,            Repeat,            Repeat,            Repeat,      Repeat]),
    (E::ConcurrentTransactions,     [Repeat,   Repeat,            Repeat,            Repeat,            Repeat,            Repeat,      Repeat]),
    (E::UnknownTopicOrPartition,    [Repeat,   Repeat,            Repeat,            Repeat,            Repeat,            Repeat,      Repeat]),
    (E::ProducerFenced,             [Fatal,    Fatal,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
    (E::InvalidProducerEpoch,       [Fatal,    Fatal,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
    (E::TransactionalIdAuthorization,[GiveUp,  Fatal,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
    (E::ClusterAuthorization,       [GiveUp,   Abort,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
    (E::TopicAuthorization,         [Fatal,    Abort,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
    (E::GroupAuthorization,         [Fatal,    Abort,             Abort,             Fatal,             Fatal,             Abort,       Abort]),
    (E::InvalidTxnState,            [Fatal,    Fatal,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
    (E::UnknownProducerId,          [Fatal,    AbortWithNewEpoch, AbortWithNewEpoch, AbortWithNewEpoch, Fatal,             Fatal,       Fatal]),
    (E::InvalidPidMapping,          [Fatal,    Fatal,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
    (E::TransactionAbortable,       [GiveUp,   Abort,             Abort,             Abort,             Fatal,             Abort,       Abort]),
    (E::OperationNotAttempted,      [Fatal,    Abort,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
    (E::FencedInstanceId,           [Fatal,    Abort,             Fatal,             Fatal,             Fatal,             Abort,       Fatal]),
    (E::UnknownMemberId,            [Fatal,    Abort,             Fatal,             Fatal,             Fatal,             Abort,       Fatal]),
    (E::IllegalGeneration,          [Fatal,    Abort,             Fatal,             Fatal,             Fatal,             Abort,       Fatal]),
    (E::UnsupportedForMessageFormat,[Fatal,    Abort,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
    (E::UnsupportedVersion,         [Fatal,    Fatal,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
    (E::UnknownServer,              [Fatal,    Abort,             Fatal,             Fatal,             Fatal,             Fatal,       Fatal]),
];

/// Java: the `TransactionManagerTest`s named after an error (`testProducerFencedInInitProducerId`,
/// `testTransactionalIdAuthorizationFailureInAddOffsetsToTxn` ..). Scenario: TX12.
#[test]
fn each_error_of_each_request_is_treated_as_in_java() {
    for (error, row) in TABLE {
        for (kind, expected) in kinds().iter().zip(row) {
            assert_eq!(treatment(kind, error), expected, "{kind:?}: {error:?}");
        }
    }
}

/// No unknown error of an end is taken for success. Scenario: TX12.
#[test]
fn no_error_is_forgotten() {
    for error in E::ALL {
        for kind in kinds() {
            let found = treatment(&kind, *error);
            let asks_again = matches!(found, Repeat | Relocate);
            assert_eq!(asks_again, error.is_retriable(), "{kind:?}: {error:?}");
        }
    }
}
