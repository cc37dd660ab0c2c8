//! Records that come when their transaction ends, and transactions that end with nothing left to do.

use std::time::Duration;

use super::transactions::{Txn, V1, V2, is_ok};
use super::*;
use crate::common::error_kind::ErrorKind;
use crate::producer::internals::transaction_manager::TransactionManager;
use crate::protocol::ApiKeys;

/// The coordinator has not heard of it, so nothing comes in that would end the wait.
#[test]
fn a_close_that_ends_an_empty_transaction_waits_for_nothing() {
    for version in [V1, V2] {
        let mut txn = Txn::open(version);
        txn.fixture.control.initiate_close();
        txn.pass();
        assert!(txn.fixture.sender.is_over());
        let waits = txn.fixture.client.poll_timeouts();
        assert_eq!(waits.last(), Some(&Duration::ZERO));
    }
}

/// It must not stand in the way of the next transaction's records, nor be committed with them.
#[test]
fn a_record_that_came_too_late_fails_although_a_transaction_has_begun() {
    for version in [V1, V2] {
        let mut txn = Txn::open(version);
        let abort = txn.abort();
        txn.pass();
        assert!(is_ok(&abort));
        let late = txn.append(0);
        txn.manage(TransactionManager::begin_transaction)
            .expect("begin");
        let next = txn.append(1);
        txn.pass();
        assert_eq!(error(&late).kind(), ErrorKind::IllegalState);
        assert!(error(&next).kind() == ErrorKind::IllegalState && txn.asked().is_none());
        let commit = txn.manage(TransactionManager::begin_commit);
        assert!(commit.expect_err("one is missing").is_abortable());
        let abort = txn.abort();
        txn.pass();
        // With version 1 no coordinator has heard of it, and the next one has an epoch of its own.
        txn.serve(if version == V2 {
            ApiKeys::EndTxn
        } else {
            ApiKeys::InitProducerId
        });
        assert!(is_ok(&abort));
    }
}

#[test]
fn a_late_record_alone_does_no_harm_to_the_next_transaction() {
    let mut txn = Txn::open(V1);
    let abort = txn.abort();
    txn.pass();
    assert!(is_ok(&abort));
    let late = txn.append(0);
    txn.pass();
    assert_eq!(error(&late).kind(), ErrorKind::IllegalState);
    txn.manage(TransactionManager::begin_transaction)
        .expect("begin");
    let next = txn.send(0);
    let commit = txn.commit();
    txn.fixture.answer(0, Errors::None, 0);
    assert!(next.is_done() && txn.ends_with_commit());
    txn.serve(ApiKeys::EndTxn);
    assert!(is_ok(&commit));
}
