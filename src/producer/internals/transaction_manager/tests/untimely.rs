//! What comes at a moment when it does not fit: after the end, during it, before there is anything.

use super::transactions::{Core, added, failure, is_ok, offsets, other};
use super::*;
use crate::producer::internals::transactional_request_result::TransactionalRequestResult;

use TransactionVersion::{V1, V2};

/// Offsets that the application has handed over.
fn send_offsets(core: &mut Core) -> Arc<TransactionalRequestResult> {
    core.manager
        .send_offsets_to_transaction(offsets())
        .expect("offsets")
}

fn refused(result: &TransactionalRequestResult) -> KafkaError {
    let outcome = result.collect().expect("done");
    outcome.expect_err("refused")
}

/// How long the next request has to wait.
fn wait(core: &Core) -> Duration {
    core.manager.next_timeout(core.now).expect("a retry") - core.now
}

/// Scenario: ID19.
#[test]
fn after_a_fatal_error_no_batch_is_sent_again_and_no_step_changes_the_error() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    manager.handle_reenqueued(batch(&tp(), 1));
    assert!(manager.can_drain(&tp(), Some(Sequence(1))));
    manager.fail(failure(ErrorKind::ProducerFenced));
    assert!(!manager.can_drain(&tp(), Some(Sequence(1))));
    for step in [Step::Forget, Step::Identify(NEXT_EPOCH), Step::End(ID)] {
        manager.advance(step);
        let kept = manager.fatal_error().expect("fatal");
        assert_eq!(kept.kind(), ErrorKind::ProducerFenced);
    }
    let begun = manager.transition(Step::Begin(V1), Caller::Application);
    let refused = begun.expect_err("the application is told");
    assert_eq!(refused.kind(), ErrorKind::IllegalState);
}

/// A step that is not allowed is a bug of ours, which must not go unnoticed (KAFKA-14831).
#[test]
fn a_wrong_step_of_the_io_thread_is_the_end() {
    let mut core = Core::ready(V1);
    core.manager.advance(Step::Renew);
    let error = core.manager.fatal_error().expect("fatal");
    assert!(error.is_fatal() && error.kind() == ErrorKind::IllegalState);
}

#[test]
fn a_call_that_is_out_of_order_is_told_what_is_wrong_with_it() {
    let text = |outcome: Result<(), KafkaError>| {
        let error = outcome.expect_err("out of order");
        error.message().to_owned()
    };
    let mut core = Core::ready(V1);
    assert_eq!(
        text(core.manager.begin_commit().map(|_| ())),
        "cannot commit while the producer is without an open transaction"
    );
    assert_eq!(
        text(core.manager.begin_abort().map(|_| ())),
        "cannot abort while the producer is without an open transaction"
    );
    assert_eq!(
        text(core.manager.initialize_transactions().map(|_| ())),
        "cannot initialize while the producer is without an open transaction"
    );
    core.manager.begin_transaction().expect("begin");
    assert_eq!(
        text(core.manager.begin_transaction()),
        "cannot begin a transaction while the producer is in a transaction"
    );
}

/// Scenario: TX17.
#[test]
fn a_batch_that_fails_once_the_end_is_announced_changes_nothing() {
    let mut core = Core::with_partition(V1);
    let commit = core.commit();
    assert!(core.poll_end());
    core.batch_fails(ErrorKind::Timeout, true);
    assert_eq!(core.state(), "committing a transaction");
    core.answer(TxnResponse::Ended(None));
    assert!(is_ok(commit.collect()));
    assert!(core.poll_later().is_none(), "nor is there a new epoch");
}

/// Scenario: TX17.
#[test]
fn a_batch_that_fails_before_there_is_an_identity_changes_nothing() {
    let mut core = Core::new();
    let init = core.manager.initialize_transactions().expect("init");
    core.find_coordinator();
    core.poll();
    core.batch_fails(ErrorKind::Timeout, false);
    assert_eq!(core.state(), "being initialized");
    core.answer(TxnResponse::InitProducerId(ID));
    assert!(is_ok(init.collect()));
}

/// KIP-939.
#[test]
fn a_batch_that_fails_leaves_a_prepared_transaction_to_its_coordinator() {
    let mut core = Core::prepared();
    core.batch_fails(ErrorKind::IllegalState, false);
    assert_eq!(core.manager.prepared(), Some(ID));
    let commit = core.commit();
    assert!(core.poll_end());
    core.answer(TxnResponse::Ended(None));
    assert!(is_ok(commit.collect()));
}

/// Java: `TransactionManagerTest.testRetriableErrors..` (KAFKA-19176). Scenario: TX13.
#[test]
fn what_was_retried_in_vain_is_no_retriable_error_any_more() {
    for (kind, told) in [
        (ErrorKind::Timeout, ErrorKind::TransactionAbortable),
        (ErrorKind::InvalidTxnState, ErrorKind::TransactionAbortable),
        (ErrorKind::RecordTooLarge, ErrorKind::RecordTooLarge),
    ] {
        let mut core = Core::with_partition(V2);
        core.has_incomplete = true;
        let commit = core.commit();
        core.batch_fails(kind, false);
        let error = refused(&commit);
        assert_eq!(error.kind(), told, "{error}");
        assert!(error.is_abortable() && !error.is_retriable());
    }
}

/// Java: `TransactionManagerTest.testSendOffsetWithGroupMetadata..`, its errors. Scenario: TX19.
#[test]
fn offsets_of_a_transaction_that_must_be_aborted_go_nowhere() {
    let mut core = Core::open(V1);
    let sent = send_offsets(&mut core);
    assert!(matches!(
        core.poll(),
        Some(TxnRequestBody::AddOffsetsToTxn { .. })
    ));
    core.batch_fails(ErrorKind::RecordTooLarge, false);
    core.answer(TxnResponse::OffsetsAdded);
    assert_eq!(refused(&sent).kind(), ErrorKind::RecordTooLarge);
    assert!(core.poll_later().is_none());
    let _abort = core.abort();
    assert!(!core.poll_end(), "the coordinator knows of the transaction");
}

/// Scenario: TX7, TX19.
#[test]
fn an_abort_drops_the_offsets_that_were_not_sent() {
    for version in [V1, V2] {
        let mut core = Core::open(version);
        let sent = send_offsets(&mut core);
        let abort = core.abort();
        assert_eq!(refused(&sent).kind(), ErrorKind::TransactionAborted);
        assert_eq!(core.poll_later().is_some(), version == V2, "only the end");
        if version == V2 {
            core.answer(TxnResponse::Ended(Some(NEXT_EPOCH)));
        }
        assert!(is_ok(abort.collect()));
    }
}

/// Scenario: TX21.
#[test]
fn whoever_waits_for_offsets_learns_that_the_producer_is_of_no_more_use() {
    for is_asked in [false, true] {
        let mut core = Core::open(V1);
        let sent = send_offsets(&mut core);
        if is_asked {
            assert!(core.poll().is_some());
        }
        core.manager.fail(failure(ErrorKind::ProducerFenced));
        let told = refused(&sent);
        assert!(told.is_fatal() && told.kind() == ErrorKind::ProducerFenced);
    }
}

/// Scenario: TX19.
#[test]
fn one_offset_that_cannot_be_mended_decides_whatever_the_others_met() {
    let loading = || Some(failure(ErrorKind::CoordinatorLoadInProgress));
    let lost = || Some(failure(ErrorKind::IllegalGeneration));
    for (first, second) in [(loading(), lost()), (lost(), loading()), (None, lost())] {
        let mut core = Core::open(V2);
        let sent = send_offsets(&mut core);
        core.find_coordinator();
        core.poll();
        let answers = vec![(tp(), first), (other(), second)];
        core.answer(TxnResponse::Partitions(answers));
        assert_eq!(refused(&sent).kind(), ErrorKind::CommitFailed);
        assert!(core.poll_later().is_none());
    }
}

/// Scenario: TX11.
#[test]
fn an_abort_without_a_coordinator_goes_on_looking_for_one() {
    let mut core = Core::with_partition(V2);
    let abort = core.abort();
    core.poll_end();
    core.manager
        .handle_unsent(Unsent::Unreachable, core.now, 0.5);
    let lookup = core.poll();
    assert!(matches!(lookup, Some(TxnRequestBody::FindCoordinator(_))));
    core.refuse(ErrorKind::TransactionAbortable);
    assert!(core.poll().is_none(), "not before the back-off is over");
    core.now += wait(&core);
    core.find_coordinator();
    assert!(!core.poll_end());
    core.answer(TxnResponse::Ended(Some(NEXT_EPOCH)));
    assert!(is_ok(abort.collect()));
}

/// Scenario: TX11.
#[test]
fn a_lookup_that_cannot_be_sent_forgets_no_other_coordinator() {
    let mut core = Core::open(V2);
    let sent = send_offsets(&mut core);
    let lookup = core.poll();
    assert!(matches!(lookup, Some(TxnRequestBody::FindCoordinator(_))));
    core.manager
        .handle_unsent(Unsent::Unreachable, core.now, 0.5);
    core.now += wait(&core);
    core.find_coordinator();
    core.poll();
    core.answer(added(&[tp(), other()]));
    assert!(is_ok(sent.collect()));
    let _commit = core.commit();
    assert!(core.poll_end(), "that of the transaction is known");
}

/// Only the markers of the last transaction are a matter of milliseconds (KAFKA-5477). Scenario: TX5.
#[test]
fn other_refusals_and_other_requests_wait_the_usual_back_off() {
    let mut core = Core::adding_partition();
    core.refuse(ErrorKind::CoordinatorLoadInProgress);
    assert_eq!(wait(&core), Duration::from_millis(100));

    let mut core = Core::open(V1);
    let _sent = send_offsets(&mut core);
    core.poll();
    core.refuse(ErrorKind::ConcurrentTransactions);
    assert_eq!(wait(&core), Duration::from_millis(100));
}

/// Scenario: TX23.
#[test]
fn a_commit_keeps_what_waits_until_its_end_is_announced() {
    let mut core = Core::with_partition(V1);
    core.has_incomplete = true;
    let _commit = core.commit();
    assert!(core.poll().is_none());
    assert!(core.manager.poll_abort(false).is_none());
    assert!(core.manager.can_drain(&tp(), None), "it may still go");
    core.has_incomplete = false;
    assert!(core.poll_end());
    let too_late = core.manager.poll_abort(false).expect("an error");
    assert_eq!(too_late.kind(), ErrorKind::IllegalState);
}

/// Scenario: ID5.
#[test]
fn a_batch_that_was_sent_again_is_on_the_wire_and_holds_up_the_restart() {
    let mut manager = warm();
    manager.assign_sequence(&tp(), 1);
    manager.assign_sequence(&tp(), 1);
    manager.handle_reenqueued(batch(&tp(), 1));
    manager.handle_resent(batch(&tp(), 1));
    manager.handle_failed(batch(&tp(), 2), false);
    assert!(manager.poll_restart().is_empty(), "the first one is out");
    manager.handle_reenqueued(batch(&tp(), 1));
    assert_eq!(manager.poll_restart(), [tp()]);
}

/// KIP-360: version 3 of InitProducerId is the first that counts up an epoch. Scenario: TX14.
#[test]
fn the_first_coordinators_that_count_up_an_epoch_are_asked_to() {
    for (latest, is_fatal) in [(2, true), (3, false)] {
        let mut core = Core::with_partition(V1);
        core.manager.note_init_producer_id_version(latest);
        core.batch_fails(ErrorKind::Timeout, true);
        assert_eq!(core.manager.fatal_error().is_some(), is_fatal, "{latest}");
    }
}
