//! Transactions that meet errors: who is told what, and with which epoch the next one begins.

use super::transactions::{Core, added, failure, is_ok, level, offsets, other};
use super::*;

use TransactionVersion::{V1, V2};

/// The request after the end asks for the next epoch of this identity.
fn poll_next_epoch(core: &mut Core) -> ProducerIdAndEpoch {
    match core.poll_later() {
        Some(TxnRequestBody::InitProducerId(init)) => init.identity,
        other => panic!("no new epoch is asked for: {other:?}"),
    }
}

/// Java: `TransactionManagerTest.testLookupCoordinatorOnDisconnectAfterSend`, `testLookupCoordinatorOnNotCoordinatorError`.
/// Scenario: TX11.
#[test]
fn a_lost_coordinator_is_looked_up_and_asked_again() {
    let kinds = [
        ErrorKind::Disconnect,
        ErrorKind::NotCoordinator,
        ErrorKind::CoordinatorNotAvailable,
    ];
    for kind in kinds {
        let mut core = Core::new();
        let init = core.manager.initialize_transactions().expect("init");
        core.find_coordinator();
        core.poll();
        core.refuse(kind);
        core.find_coordinator();
        assert!(core.poll().is_none(), "not before the back-off is over");
        assert!(matches!(
            core.poll_later(),
            Some(TxnRequestBody::InitProducerId(_))
        ));
        core.answer(TxnResponse::InitProducerId(ID));
        assert!(is_ok(init.collect()));
    }
}

/// Java: `TransactionManagerTest.testUnsuccessfulGroupCoordinatorLookup..`, `testLookupCoordinatorOnDisconnectBeforeSend`.
/// Scenario: TX11.
#[test]
fn a_coordinator_that_cannot_be_reached_is_looked_up_again() {
    let mut core = Core::with_partition(V1);
    let _commit = core.commit();
    core.poll_end();
    core.manager.handle_unsent(Unsent::NotReady, core.now, 0.5);
    assert!(core.poll_end(), "the connection is made by now");
    core.manager
        .handle_unsent(Unsent::Unreachable, core.now, 0.5);
    core.find_coordinator();
    assert!(core.poll_end());
    core.answer(TxnResponse::Ended(None));
    assert_eq!(
        core.state(),
        "without an open transaction",
        "nothing was sent"
    );
}

/// Java: `TransactionManagerTest.testRetryAddPartitionsWhenConcurrentTransactions..` (KAFKA-5477). Scenario: TX5.
#[test]
fn the_first_partitions_wait_20_ms_for_the_last_transaction() {
    let mut core = Core::adding_partition();
    core.refuse(ErrorKind::ConcurrentTransactions);
    let wait = |core: &Core| core.manager.next_timeout(core.now).expect("a retry") - core.now;
    assert_eq!(wait(&core), Duration::from_millis(20));
    core.poll_partitions();
    core.answer(added(&[tp()]));
    core.manager.maybe_add_partition(&other());
    core.poll_partitions();
    core.refuse(ErrorKind::ConcurrentTransactions);
    assert_eq!(wait(&core), Duration::from_millis(100));
}

/// KAFKA-5251: the abort asks for what may have reached the coordinator, and for nothing new.
#[test]
fn an_abort_cancels_partitions_that_no_coordinator_was_told_of() {
    let mut core = Core::adding_partition();
    core.manager.maybe_add_partition(&other());
    core.refuse(ErrorKind::ConcurrentTransactions);
    let abort = core.abort();
    assert_eq!(core.poll_partitions(), [tp()]);
    core.answer(added(&[tp()]));
    assert!(!core.poll_end());
    core.answer(TxnResponse::Ended(None));
    assert!(is_ok(abort.collect()));
}

/// Java: `TransactionManagerTest.testProducerFencedException..`, `testInvalidProducerEpochConvertToProducerFenced..`.
/// Scenario: TX12.
#[test]
fn a_fenced_producer_is_told_so_by_every_call() {
    for kind in [ErrorKind::ProducerFenced, ErrorKind::InvalidProducerEpoch] {
        let mut core = Core::with_partition(V1);
        let commit = core.commit();
        core.poll_end();
        core.refuse(kind);
        let error = commit.collect().expect("done").expect_err("fenced");
        assert!(error.kind() == ErrorKind::ProducerFenced && error.is_fatal());
        for later in [
            core.manager.begin_transaction(),
            core.manager.begin_abort().map(|_| ()),
            core.manager.check_send(),
        ] {
            let later = later.expect_err("fenced");
            assert!(later.kind() == ErrorKind::ProducerFenced && later.is_fatal());
        }
        assert!(!core.manager.can_drain(&tp(), None) && core.poll().is_none());
    }
}

/// Java: `TransactionManagerTest.testTransactionalIdAuthorizationFailureInInitProducerId` (KAFKA-13668). Scenario: TX12.
#[test]
fn a_missing_permission_can_be_mended_before_the_next_init() {
    for kind in [
        ErrorKind::TransactionalIdAuthorization,
        ErrorKind::ClusterAuthorization,
        ErrorKind::TransactionAbortable,
    ] {
        let mut core = Core::new();
        let init = core.manager.initialize_transactions().expect("init");
        core.find_coordinator();
        core.poll();
        core.refuse(kind);
        let error = init.collect().expect("done").expect_err("denied");
        assert!(error.kind() == kind && !error.is_fatal());
        let init = core.manager.initialize_transactions().expect("again");
        core.poll();
        core.answer(TxnResponse::InitProducerId(ID));
        assert!(is_ok(init.collect()));
    }
}

/// Java: `TransactionManagerTest.testTopicAuthorizationFailureInAddPartitions`. Scenario: TX12.
#[test]
fn a_denied_topic_must_be_left_out_by_aborting() {
    let mut core = Core::open(V1);
    core.manager.maybe_add_partition(&tp());
    core.manager.maybe_add_partition(&other());
    core.poll_partitions();
    core.answer(TxnResponse::Partitions(vec![
        (tp(), Some(failure(ErrorKind::TopicAuthorization))),
        (other(), Some(failure(ErrorKind::OperationNotAttempted))),
    ]));
    let refused = core.manager.begin_commit().expect_err("abortable");
    assert!(refused.is_abortable() && !refused.is_fatal());
    let waiting = core
        .manager
        .poll_abort(false)
        .expect("an error for the batches");
    assert_eq!(waiting.kind(), ErrorKind::TopicAuthorization);
    assert!(waiting.message().contains("orders"));
    assert!(!core.manager.can_drain(&other(), None));
    let abort = core.abort();
    assert!(core.poll().is_none(), "nothing was added");
    assert!(is_ok(abort.collect()));
    core.manager.begin_transaction().expect("it can go on");
}

/// Java: `TransactionManagerTest.testBumpEpochAfterTimeoutWithoutPendingInflightRequests` and its likes (KIP-360).
/// Scenario: TX14, TX15.
#[test]
fn after_a_lost_batch_the_next_transaction_has_a_new_epoch() {
    let mut core = Core::with_partition(V1);
    core.manager.assign_sequence(&tp(), 1);
    core.manager.handle_failed(batch(&tp(), 0), true);
    core.batch_fails(ErrorKind::Timeout, true);
    let refused = core.manager.begin_commit().expect_err("abortable");
    assert_eq!(refused.kind(), ErrorKind::TransactionAbortable);
    assert!(refused.is_abortable());
    let abort = core.abort();
    assert!(!core.poll_end());
    core.answer(TxnResponse::Ended(None));
    assert!(!abort.is_done(), "the new epoch belongs to the abort");
    assert_eq!(poll_next_epoch(&mut core), ID);
    core.answer(TxnResponse::InitProducerId(NEXT_EPOCH));
    assert!(is_ok(abort.collect()));
    core.manager.begin_transaction().expect("begin");
    core.manager.maybe_add_partition(&tp());
    core.poll_partitions();
    core.answer(added(&[tp()]));
    let next = core.manager.assign_sequence(&tp(), 1);
    assert_eq!(next, (NEXT_EPOCH, Sequence(0)));
}

/// Batches behind a gap can only be sent under other numbers, which is another transaction.
#[test]
fn missing_numbers_set_the_open_transaction_back() {
    for is_committing in [false, true] {
        let mut core = Core::with_partition(V2);
        core.manager.assign_sequence(&tp(), 1);
        core.manager.handle_completed(batch(&tp(), 0));
        core.manager.assign_sequence(&tp(), 1);
        core.manager.assign_sequence(&tp(), 1);
        core.has_incomplete = true;
        let commit = is_committing.then(|| core.manager.begin_commit().expect("commit"));
        assert!(core.manager.poll_gaps().is_empty());
        core.manager.handle_reenqueued(batch(&tp(), 2));
        core.manager.handle_failed(batch(&tp(), 1), false);
        assert_eq!(core.manager.poll_gaps(), [tp()]);
        core.has_incomplete = false;
        if let Some(commit) = commit {
            let error = commit.collect().expect("done").expect_err("a gap");
            assert!(error.is_abortable(), "{error}");
        } else {
            let error = core.manager.begin_commit().expect_err("a gap");
            assert!(error.is_abortable(), "{error}");
        }
        core.manager.begin_abort().expect("abort");
        assert!(!core.poll_end());
    }
}

/// Java: `TransactionManagerTest.testTransitionToFatalErrorWhenRetriedBatchIsExpired`. Scenario: TX14.
#[test]
fn without_epochs_on_demand_a_lost_batch_is_fatal_and_a_refused_one_is_not() {
    let old = || {
        let mut core = Core::with_partition(V1);
        core.manager.note_init_producer_id_version(1);
        core.manager.assign_sequence(&tp(), 1);
        core.manager.handle_completed(batch(&tp(), 0));
        core.manager.assign_sequence(&tp(), 1);
        core
    };
    let mut core = old();
    core.manager.handle_failed(batch(&tp(), 1), true);
    core.batch_fails(ErrorKind::Timeout, true);
    assert!(core.manager.fatal_error().is_some());

    let mut core = old();
    core.manager.handle_failed(batch(&tp(), 1), false);
    core.batch_fails(ErrorKind::RecordTooLarge, false);
    let abort = core.abort();
    core.poll_end();
    core.answer(TxnResponse::Ended(None));
    assert!(is_ok(abort.collect()));
    core.manager.begin_transaction().expect("begin");
    core.manager.maybe_add_partition(&tp());
    core.poll_partitions();
    core.answer(added(&[tp()]));
    let next = core.manager.assign_sequence(&tp(), 1);
    assert_eq!(next, (ID, Sequence(1)), "the number is free again");
}

/// KAFKA-17754: a late copy of a request must not find the next transaction under the same epoch. Scenario: TX15.
#[test]
fn an_end_without_an_answer_is_followed_by_a_new_epoch_unless_every_end_is() {
    let mut core = Core::with_partition(V1);
    let commit = core.commit();
    core.poll_end();
    core.refuse(ErrorKind::Disconnect);
    core.find_coordinator();
    assert!(core.poll_end());
    core.answer(TxnResponse::Ended(None));
    assert_eq!(poll_next_epoch(&mut core), ID);
    core.refuse(ErrorKind::ProducerFenced);
    assert!(
        is_ok(commit.collect()),
        "it is committed, whatever comes next"
    );
    let error = core.manager.begin_transaction().expect_err("fenced");
    assert!(error.is_fatal());

    let mut core = Core::with_partition(V2);
    let commit = core.commit();
    core.poll_end();
    core.refuse(ErrorKind::Disconnect);
    core.find_coordinator();
    core.poll_end();
    core.answer(TxnResponse::Ended(Some(NEXT_EPOCH)));
    assert!(is_ok(commit.collect()));
}

/// KAFKA-17754, for what comes before the end. Scenario: TX15.
#[test]
fn partitions_and_offsets_without_an_answer_lead_to_a_new_epoch_as_well() {
    let mut core = Core::adding_partition();
    core.refuse(ErrorKind::Disconnect);
    let abort = core.abort();
    core.find_coordinator();
    assert_eq!(core.poll_partitions(), [tp()]);
    core.answer(added(&[tp()]));
    core.poll_end();
    core.answer(TxnResponse::Ended(None));
    assert_eq!(poll_next_epoch(&mut core), ID);
    core.answer(TxnResponse::InitProducerId(NEXT_EPOCH));
    assert!(is_ok(abort.collect()));
}

/// Java: `TransactionManagerTest.testCommitTransactionWithInFlight..`, `SenderTest.testTransactionAbortedExceptionOnAbort..`.
/// Scenario: TX13.
#[test]
fn a_batch_that_fails_during_the_commit_turns_it_into_an_abort() {
    let mut core = Core::with_partition(V1);
    core.has_incomplete = true;
    let commit = core.commit();
    assert!(core.poll().is_none());
    core.batch_fails(ErrorKind::Timeout, false);
    core.has_incomplete = false;
    let error = commit.collect().expect("done").expect_err("not committed");
    assert!(error.is_abortable());
    assert!(
        core.poll().is_none(),
        "nothing is committed behind our back"
    );
    let _abort = core.abort();
    assert!(!core.poll_end());
}

/// Java: `TransactionManagerTest.testAbortableErrorWhileAbortInProgress`. Scenario: TX18.
#[test]
fn an_error_while_aborting_changes_nothing() {
    let mut core = Core::with_partition(V1);
    let abort = core.abort();
    core.batch_fails(ErrorKind::Timeout, false);
    assert_eq!(core.state(), "aborting a transaction");
    assert!(!core.poll_end());
    core.answer(TxnResponse::Ended(None));
    core.poll_later();
    core.answer(TxnResponse::InitProducerId(NEXT_EPOCH));
    assert!(is_ok(abort.collect()));
}

/// Java: `TransactionManagerTest.testFailedInflightBatchAfterEpochBump` and KAFKA-14830. Scenario: TX17.
#[test]
fn the_failure_of_a_batch_outside_of_its_transaction_changes_nothing() {
    let mut core = Core::ready(V1);
    core.batch_fails(ErrorKind::Timeout, true);
    assert_eq!(core.state(), "without an open transaction");
    core.manager.fail(failure(ErrorKind::ProducerFenced));
    core.batch_fails(ErrorKind::Timeout, true);
    let kept = core.manager.fatal_error().expect("fatal");
    assert_eq!(kept.kind(), ErrorKind::ProducerFenced);
}

/// Java: `SenderTest.testTransactionAbortableExceptionIsConvertedToFatal..` (KAFKA-19250). Scenario: TX12.
#[test]
fn an_abort_that_must_be_aborted_is_the_end() {
    let mut core = Core::with_partition(V2);
    let abort = core.abort();
    core.poll_end();
    core.refuse(ErrorKind::TransactionAbortable);
    let error = abort.collect().expect("done").expect_err("fatal");
    assert!(error.is_fatal() && !error.is_abortable());
}

/// Java: `TransactionManagerTest.testTransactionAbortableExceptionInEndTxn`. Scenario: TX12.
#[test]
fn a_commit_that_must_be_aborted_can_be() {
    let mut core = Core::with_partition(V2);
    let commit = core.commit();
    core.poll_end();
    core.refuse(ErrorKind::TransactionAbortable);
    let error = commit.collect().expect("done").expect_err("abortable");
    assert!(error.is_abortable());
    let abort = core.abort();
    assert!(!core.poll_end());
    core.answer(TxnResponse::Ended(Some(NEXT_EPOCH)));
    assert!(is_ok(abort.collect()));
}

/// Java: `TransactionManagerTest.testIllegalGenerationInTxnOffsetCommitByGroupMetadata` and its likes. Scenario: TX19.
#[test]
fn a_consumer_that_lost_its_place_cannot_commit() {
    let mut core = Core::open(V2);
    let sent = core
        .manager
        .send_offsets_to_transaction(offsets())
        .expect("offsets");
    core.find_coordinator();
    core.poll();
    core.answer(TxnResponse::Partitions(vec![
        (tp(), Some(failure(ErrorKind::IllegalGeneration))),
        (other(), Some(failure(ErrorKind::IllegalGeneration))),
    ]));
    let error = sent.collect().expect("done").expect_err("lost");
    assert!(error.kind() == ErrorKind::CommitFailed && error.is_abortable());
    assert!(core.manager.begin_commit().is_err());
}

/// Java: `TransactionManagerTest.testTransactionV2EnabledDuring..` (KAFKA-18019 family). Scenario: TX26.
#[test]
fn the_version_changes_between_transactions_and_up_with_a_new_epoch() {
    let mut core = Core::with_partition(V1);
    core.manager.note_transaction_version(level(V2));
    assert_eq!(
        core.manager.transaction_version(),
        Some(V1),
        "not in the middle"
    );
    let commit = core.commit();
    core.poll_end();
    core.answer(TxnResponse::Ended(None));
    assert_eq!(poll_next_epoch(&mut core), ID);
    core.answer(TxnResponse::InitProducerId(NEXT_EPOCH));
    assert!(is_ok(commit.collect()));
    core.manager.begin_transaction().expect("begin");
    assert_eq!(core.manager.transaction_version(), Some(V2));

    core.manager.maybe_add_partition(&tp());
    core.manager.note_transaction_version(level(V1));
    assert_eq!(core.manager.transaction_version(), Some(V2));
    let commit = core.commit();
    core.poll_end();
    core.answer(TxnResponse::Ended(Some(NEXT_EPOCH)));
    assert!(is_ok(commit.collect()), "and down without one");
    core.manager.begin_transaction().expect("begin");
    assert_eq!(core.manager.transaction_version(), Some(V1));
}

/// Java: `TransactionManagerTest.testAbortTransactionAndReuseSequenceNumberOnError`, `KafkaProducerTest` (send errors).
/// Scenario: SN20.
#[test]
fn a_record_that_was_refused_must_not_be_missing_from_a_commit() {
    let mut core = Core::open(V2);
    core.manager
        .handle_failed_send(&failure(ErrorKind::RecordTooLarge));
    let error = core
        .manager
        .begin_commit()
        .expect_err("a record is missing");
    assert!(error.is_abortable());
    let abort = core.abort();
    assert!(core.poll().is_none());
    assert!(is_ok(abort.collect()));
}

/// Java: `TransactionManagerTest.testForceCloseInFlight..`, `testInitializeTransactionsWhenClosed`. Scenario: TX21.
#[test]
fn whoever_waits_learns_that_the_producer_is_closed() {
    let mut core = Core::new();
    let init = core.manager.initialize_transactions().expect("init");
    core.manager.fail(failure(ErrorKind::Kafka));
    assert!(init.collect().is_some_and(|outcome| outcome.is_err()));
    let mut core = Core::with_partition(V1);
    let commit = core.commit();
    core.poll_end();
    core.manager.fail(failure(ErrorKind::Kafka));
    assert!(commit.collect().is_some_and(|outcome| outcome.is_err()));
    core.answer(TxnResponse::Ended(None));
    assert!(
        core.manager.fatal_error().is_some(),
        "a late answer changes nothing"
    );
}

/// Java: `TransactionManagerTest.testAbortOnShutdown..`, `SenderTest.testIncompleteTransactionAbortOnShutdown`.
/// Scenario: TX21.
#[test]
fn close_aborts_what_is_open_even_after_an_error() {
    let mut core = Core::with_partition(V1);
    core.batch_fails(ErrorKind::Timeout, false);
    core.manager.abort_for_close().expect("abort");
    assert!(core.manager.has_ongoing_transaction() && core.manager.is_completing());
    assert!(!core.poll_end());
}

/// Java: `TransactionManagerTest.testBumpEpochAndCoordinatorDisconnected..`. Scenario: TX16.
#[test]
fn what_the_coordinator_could_do_it_can_do_after_its_connection_was_lost() {
    let mut core = Core::with_partition(V1);
    let commit = core.commit();
    core.poll_end();
    core.manager
        .handle_unsent(Unsent::Unreachable, core.now, 0.5);
    core.batch_fails(ErrorKind::Timeout, true);
    assert!(commit.collect().is_some_and(|outcome| outcome.is_err()));
    assert!(
        core.manager.fatal_error().is_none(),
        "there will be a new epoch"
    );
    let _abort = core.abort();
    core.find_coordinator();
    assert!(!core.poll_end());
    core.answer(TxnResponse::Ended(None));
    assert_eq!(poll_next_epoch(&mut core), ID);
}
