//! InitProducerId (22): a producer asks for the identity under which it numbers its batches.
//!
//! Java: `common/message/InitProducerIdRequest.json`, `common/message/InitProducerIdResponse.json`.
//! Differs: nothing; version 6 (two-phase commit, KIP-939) is unstable in Kafka 4.3, so few brokers offer it.
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// Asks for a new id, or for the next epoch of the id that is given (KIP-360).
    struct InitProducerIdRequest versions 0..=6 flexible 2.. {
        transactional_id: Option<String>, since(0).nullable_since(0);
        transaction_timeout_ms: i32, since(0);
        producer_id: i64 = -1, since(3);
        producer_epoch: i16 = -1, since(3);
        enable_2_pc: bool, since(6);
        /// Leaves the transaction of the previous instance open instead of aborting it.
        keep_prepared_txn: bool, since(6);
    }
}

message! {
    /// The identity, or why there is none.
    struct InitProducerIdResponse versions 0..=6 flexible 2.. {
        throttle_time_ms: i32, since(0).ignorable();
        error_code: i16, since(0);
        producer_id: i64 = -1, since(0);
        producer_epoch: i16, since(0);
        /// Who wrote the transaction that was kept; -1 where there is none.
        ongoing_txn_producer_id: i64 = -1, since(6);
        ongoing_txn_producer_epoch: i16 = -1, since(6);
    }
}
