//! AddOffsetsToTxn (25): a transaction is going to commit offsets of a group.
//!
//! Java: `common/message/AddOffsetsToTxnRequest.json`, `common/message/AddOffsetsToTxnResponse.json`.
//! Differs: nothing.
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// Asks the transaction's coordinator; the offsets go to the group's coordinator afterwards.
    struct AddOffsetsToTxnRequest versions 0..=4 flexible 3.. {
        transactional_id: String, since(0);
        producer_id: i64, since(0);
        producer_epoch: i16, since(0);
        group_id: String, since(0);
    }
}

message! {
    /// Whether the group is part of the transaction now.
    struct AddOffsetsToTxnResponse versions 0..=4 flexible 3.. {
        throttle_time_ms: i32, since(0);
        error_code: i16, since(0);
    }
}
