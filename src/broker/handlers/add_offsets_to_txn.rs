//! AddOffsetsToTxn (25), versions 0 to 4: a group's offsets join a transaction.
//!
//! Java: `core/server/KafkaApis.scala`, `handleAddOffsetsToTxnRequest`.
//! Differs: the group itself joins, where Kafka adds its partition of `__consumer_offsets`.
//! Threads: plain function. Locks: none.

use crate::protocol::errors::Errors;
use crate::protocol::messages::add_offsets_to_txn::AddOffsetsToTxnResponse;

pub(crate) fn failed(error: Errors) -> AddOffsetsToTxnResponse {
    AddOffsetsToTxnResponse {
        error_code: error.code(),
        ..AddOffsetsToTxnResponse::default()
    }
}
