//! TxnOffsetCommit (28): offsets that a group gets if the transaction commits.
//!
//! Java: `common/message/TxnOffsetCommitRequest.json`, `common/message/TxnOffsetCommitResponse.json`.
//! Differs: nothing; from version 5 on the group joins the transaction by this very request (KIP-890).
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// Asks the group's coordinator. From version 3 on it also says which consumer stands behind it (KIP-447).
    struct TxnOffsetCommitRequest versions 0..=5 flexible 3.. {
        transactional_id: String, since(0);
        group_id: String, since(0);
        producer_id: i64, since(0);
        producer_epoch: i16, since(0);
        generation_id: i32 = -1, since(3);
        member_id: String, since(3);
        group_instance_id: Option<String> = None, since(3).nullable_since(3);
        topics: Vec<TxnOffsetCommitRequestTopic>, since(0);
    }

    /// The offsets in one topic.
    struct TxnOffsetCommitRequestTopic {
        name: String, since(0);
        partitions: Vec<TxnOffsetCommitRequestPartition>, since(0);
    }

    /// The offset in one partition.
    struct TxnOffsetCommitRequestPartition {
        partition_index: i32, since(0);
        committed_offset: i64, since(0);
        committed_leader_epoch: i32 = -1, since(2).ignorable();
        committed_metadata: Option<String>, since(0).nullable_since(0);
    }
}

message! {
    /// What became of each offset.
    struct TxnOffsetCommitResponse versions 0..=5 flexible 3.. {
        throttle_time_ms: i32, since(0);
        topics: Vec<TxnOffsetCommitResponseTopic>, since(0);
    }

    /// The answers for one topic.
    struct TxnOffsetCommitResponseTopic {
        name: String, since(0);
        partitions: Vec<TxnOffsetCommitResponsePartition>, since(0);
    }

    /// The answer for one partition.
    struct TxnOffsetCommitResponsePartition {
        partition_index: i32, since(0);
        error_code: i16, since(0);
    }
}
