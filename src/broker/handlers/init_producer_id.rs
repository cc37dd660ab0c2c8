//! InitProducerId (22), versions 0 to 5: gives an idempotent producer its id.
//!
//! Java: `coordinator/transaction/ProducerIdManager.scala`.
//! Differs: ids count up in memory; transactional ids are refused until their coordinator exists.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::protocol::errors::Errors;
use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

pub(crate) fn handle(
    core: &mut BrokerCore,
    request: &InitProducerIdRequest,
) -> InitProducerIdResponse {
    if request.transactional_id.is_some() {
        return failed(Errors::CoordinatorNotAvailable);
    }
    InitProducerIdResponse {
        producer_id: core.new_producer_id(),
        producer_epoch: 0,
        ..InitProducerIdResponse::default()
    }
}

pub(crate) fn failed(error: Errors) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.code(),
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    }
}
