//! ListOffsets (2): the offset of a partition's end, beginning, or of a time; only the embedded broker and tests speak it.
//!
//! Java: `common/message/ListOffsetsRequest.json`, `common/message/ListOffsetsResponse.json`.
//! Differs: nothing; timestamps below zero are questions: -1 the end, -2 the beginning, -3 the largest timestamp.
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// The questions, partition by partition.
    struct ListOffsetsRequest versions 1..=11 flexible 6.. {
        replica_id: i32, since(0);
        isolation_level: i8, since(2);
        topics: Vec<ListOffsetsTopic>, since(0);
        timeout_ms: i32, since(10).ignorable();
    }

    /// The questions about one topic.
    struct ListOffsetsTopic {
        name: String, since(0);
        partitions: Vec<ListOffsetsPartition>, since(0);
    }

    /// The question about one partition.
    struct ListOffsetsPartition {
        partition_index: i32, since(0);
        current_leader_epoch: i32 = -1, since(4).ignorable();
        timestamp: i64, since(0);
    }
}

message! {
    /// The answers.
    struct ListOffsetsResponse versions 1..=11 flexible 6.. {
        throttle_time_ms: i32, since(2).ignorable();
        topics: Vec<ListOffsetsTopicResponse>, since(0);
    }

    /// The answers about one topic.
    struct ListOffsetsTopicResponse {
        name: String, since(0);
        partitions: Vec<ListOffsetsPartitionResponse>, since(0);
    }

    /// The answer about one partition; -1 where nothing was found.
    struct ListOffsetsPartitionResponse {
        partition_index: i32, since(0);
        error_code: i16, since(0);
        timestamp: i64 = -1, since(1);
        offset: i64 = -1, since(1);
        leader_epoch: i32 = -1, since(4);
    }
}
