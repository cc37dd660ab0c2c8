//! EndTxn (26), versions 0 to 5: commits or aborts a transaction.
//!
//! Java: `core/server/KafkaApis.scala`, `handleEndTxnRequest`.
//! Differs: nothing.
//! Threads: plain function. Locks: none.

use crate::protocol::errors::Errors;
use crate::protocol::messages::end_txn::EndTxnResponse;

pub(crate) fn failed(error: Errors) -> EndTxnResponse {
    EndTxnResponse {
        error_code: error.code(),
        ..EndTxnResponse::default()
    }
}
