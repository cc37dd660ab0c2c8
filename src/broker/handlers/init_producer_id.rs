//! InitProducerId (22), versions 0 to 6: gives a producer its id and epoch.
//!
//! Without a transactional id any broker answers; with one, its coordinator does. From version 3 on a producer may say
//! who it is, to get the next epoch (KIP-360); before version 4 a fenced one is told INVALID_PRODUCER_EPOCH.
//!
//! Version 6 (KIP-939) exists where the cluster is told so; keeping a prepared transaction is not possible yet, as in 4.3.
//!
//! Java: `core/server/KafkaApis.scala`, `handleInitProducerIdRequest`; `coordinator/transaction/ProducerIdManager.scala`.
//! Differs: ids count up in memory.
//! Threads: plain function. Locks: none.

use std::time::Duration;

use crate::broker::broker_core::BrokerCore;
use crate::broker::coordinator::transactions::InitProducerId;
use crate::broker::handlers::At;
use crate::common::cluster::ProducerIdAndEpoch;
use crate::protocol::errors::Errors;
use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

pub(crate) fn handle(
    core: &mut BrokerCore,
    at: At,
    request: &InitProducerIdRequest,
) -> InitProducerIdResponse {
    let given = match &request.transactional_id {
        None => Ok(ProducerIdAndEpoch {
            producer_id: core.coordinators.transactions.new_producer_id(),
            epoch: 0,
        }),
        Some(id) => for_transactions(core, at, id, request),
    };
    match given {
        Ok(producer) => InitProducerIdResponse {
            producer_id: producer.producer_id,
            producer_epoch: producer.epoch,
            ..InitProducerIdResponse::default()
        },
        Err(Errors::ProducerFenced) if at.version < FIRST_VERSION_WITH_FENCED => {
            failed(Errors::InvalidProducerEpoch)
        }
        Err(error) => failed(error),
    }
}

fn for_transactions(
    core: &mut BrokerCore,
    at: At,
    id: &str,
    request: &InitProducerIdRequest,
) -> Result<ProducerIdAndEpoch, Errors> {
    let expected = ProducerIdAndEpoch {
        producer_id: request.producer_id,
        epoch: request.producer_epoch,
    };
    if id.is_empty() || (expected.producer_id < 0) != (expected.epoch < 0) {
        return Err(Errors::InvalidRequest);
    }
    if request.keep_prepared_txn {
        return Err(Errors::UnsupportedVersion);
    }
    let coordinators = &mut core.coordinators;
    let wanted = u64::try_from(request.transaction_timeout_ms).unwrap_or_default();
    let mut timeout = Duration::from_millis(wanted);
    if request.enable_2_pc {
        timeout = NEVER;
    } else if timeout.is_zero() || timeout > coordinators.settings.max_timeout {
        return Err(Errors::InvalidTransactionTimeout);
    }
    let now = at.now.monotonic;
    coordinators.check_transactional(at.broker, id, now)?;
    let request = InitProducerId {
        transactional_id: id,
        timeout,
        cluster_version: coordinators.settings.transaction_version,
        expected: expected.is_valid().then_some(expected),
    };
    coordinators.transactions.init_producer_id(request, now)
}

pub(crate) fn failed(error: Errors) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.code(),
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    }
}

/// A prepared transaction waits for whoever decides. Java: `Integer.MAX_VALUE` milliseconds.
const NEVER: Duration = Duration::from_millis(i32::MAX as u64);
const FIRST_VERSION_WITH_FENCED: i16 = 4;
