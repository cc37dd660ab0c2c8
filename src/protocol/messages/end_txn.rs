//! EndTxn (26): commits or aborts a transaction.
//!
//! Java: `common/message/EndTxnRequest.json`, `common/message/EndTxnResponse.json`.
//! Differs: nothing; from version 5 on each transaction ends with a new epoch, which the answer brings (KIP-890).
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// Asks the transaction's coordinator.
    struct EndTxnRequest versions 0..=5 flexible 3.. {
        transactional_id: String, since(0);
        producer_id: i64, since(0);
        producer_epoch: i16, since(0);
        committed: bool, since(0);
    }
}

message! {
    /// Whether the decision is written, and the identity for the next transaction.
    struct EndTxnResponse versions 0..=5 flexible 3.. {
        throttle_time_ms: i32, since(0);
        error_code: i16, since(0);
        producer_id: i64 = -1, since(5).ignorable();
        producer_epoch: i16 = -1, since(5).ignorable();
    }
}
