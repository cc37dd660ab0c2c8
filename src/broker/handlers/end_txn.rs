//! EndTxn (26), versions 0 to 5: commits or aborts a transaction.
//!
//! Version 5 is that of transaction version 2: the answer brings the id and epoch for the next transaction (KIP-890).
//! Before version 2 a fenced producer is told INVALID_PRODUCER_EPOCH.
//!
//! Java: `core/server/KafkaApis.scala`, `handleEndTxnRequest`.
//! Differs: nothing.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::broker::coordinator::transaction_metadata::Decision;
use crate::broker::coordinator::transactions::EndTransaction;
use crate::broker::handlers::{self, At};
use crate::common::cluster::ProducerIdAndEpoch;
use crate::protocol::errors::Errors;
use crate::protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};

pub(crate) fn handle(core: &mut BrokerCore, at: At, request: &EndTxnRequest) -> EndTxnResponse {
    match end(core, at, request) {
        Ok(next) if at.version >= FIRST_VERSION_WITH_EPOCH => EndTxnResponse {
            producer_id: next.producer_id,
            producer_epoch: next.epoch,
            ..EndTxnResponse::default()
        },
        Ok(_) => EndTxnResponse::default(),
        Err(error) => failed(handlers::said_to_version(error, at.version)),
    }
}

fn end(
    core: &mut BrokerCore,
    at: At,
    request: &EndTxnRequest,
) -> Result<ProducerIdAndEpoch, Errors> {
    let id = &request.transactional_id;
    let coordinators = &mut core.coordinators;
    let now = at.now.monotonic;
    coordinators.check_transactional(at.broker, id, now)?;
    let request = EndTransaction {
        transactional_id: id,
        producer: ProducerIdAndEpoch {
            producer_id: request.producer_id,
            epoch: request.producer_epoch,
        },
        decision: Decision {
            commit: request.committed,
            bumps_epoch: at.version >= FIRST_VERSION_WITH_EPOCH,
        },
    };
    coordinators.transactions.end_transaction(request, now)
}

pub(crate) fn failed(error: Errors) -> EndTxnResponse {
    EndTxnResponse {
        error_code: error.code(),
        ..EndTxnResponse::default()
    }
}

const FIRST_VERSION_WITH_EPOCH: i16 = 5;
