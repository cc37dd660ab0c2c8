//! AddOffsetsToTxn (25), versions 0 to 4: a group's offsets join a transaction.
//!
//! Java: `core/server/KafkaApis.scala`, `handleAddOffsetsToTxnRequest`.
//! Differs: the group itself joins, where Kafka adds its partition of `__consumer_offsets`.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::broker::coordinator::transaction_metadata::Participant;
use crate::broker::handlers::{self, At};
use crate::common::cluster::ProducerIdAndEpoch;
use crate::protocol::errors::Errors;
use crate::protocol::messages::add_offsets_to_txn::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse,
};

pub(crate) fn handle(
    core: &mut BrokerCore,
    at: At,
    request: &AddOffsetsToTxnRequest,
) -> AddOffsetsToTxnResponse {
    let error = match add(core, at, request) {
        Ok(()) => Errors::None,
        Err(error) => handlers::said_to_version(error, at.version),
    };
    failed(error)
}

fn add(core: &mut BrokerCore, at: At, request: &AddOffsetsToTxnRequest) -> Result<(), Errors> {
    let id = &request.transactional_id;
    let coordinators = &mut core.coordinators;
    let now = at.now.monotonic;
    coordinators.check_transactional(at.broker, id, now)?;
    let producer = ProducerIdAndEpoch {
        producer_id: request.producer_id,
        epoch: request.producer_epoch,
    };
    let joining = vec![Participant::Group(request.group_id.clone())];
    coordinators.transactions.add(id, producer, joining, now)
}

/// An answer with an error, or with none.
pub(crate) fn failed(error: Errors) -> AddOffsetsToTxnResponse {
    AddOffsetsToTxnResponse {
        error_code: error.code(),
        ..AddOffsetsToTxnResponse::default()
    }
}
