//! OffsetFetch (9): where a group has got to.
//!
//! Java: `common/message/OffsetFetchRequest.json`, `common/message/OffsetFetchResponse.json`.
//! Differs: nothing; up to version 7 one group stands by itself, from 8 on groups come in a list, from 10 on topics have ids.
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// Asks the group's coordinator. No topics at all (null) means every one.
    struct OffsetFetchRequest versions 1..=10 flexible 6.. {
        group_id: String, between(0, 7);
        topics: Option<Vec<OffsetFetchRequestTopic>>, between(0, 7).nullable_between(2, 7);
        groups: Vec<OffsetFetchRequestGroup>, since(8);
        /// Offsets of open transactions make the broker refuse an answer instead of giving the older offset (KIP-447).
        require_stable: bool, since(7);
    }

    /// The partitions of one topic.
    struct OffsetFetchRequestTopic {
        name: String, between(0, 7);
        partition_indexes: Vec<i32>, between(0, 7);
    }

    /// What to look up in one group.
    struct OffsetFetchRequestGroup {
        group_id: String, since(8);
        member_id: Option<String> = None, since(9).nullable_since(9).ignorable();
        member_epoch: i32 = -1, since(9).ignorable();
        topics: Option<Vec<OffsetFetchRequestTopics>>, since(8).nullable_since(8);
    }

    /// The partitions of one topic.
    struct OffsetFetchRequestTopics {
        name: String, between(8, 9).ignorable();
        topic_id: Uuid, since(10).ignorable();
        partition_indexes: Vec<i32>, since(8);
    }
}

message! {
    /// The offsets; -1 where there is none.
    struct OffsetFetchResponse versions 1..=10 flexible 6.. {
        throttle_time_ms: i32, since(3).ignorable();
        topics: Vec<OffsetFetchResponseTopic>, between(0, 7);
        error_code: i16, between(2, 7).ignorable();
        groups: Vec<OffsetFetchResponseGroup>, since(8);
    }

    /// The offsets in one topic.
    struct OffsetFetchResponseTopic {
        name: String, between(0, 7);
        partitions: Vec<OffsetFetchResponsePartition>, between(0, 7);
    }

    /// The offset in one partition.
    struct OffsetFetchResponsePartition {
        partition_index: i32, between(0, 7);
        committed_offset: i64, between(0, 7);
        committed_leader_epoch: i32 = -1, between(5, 7).ignorable();
        metadata: Option<String>, between(0, 7).nullable_between(0, 7);
        error_code: i16, between(0, 7);
    }

    /// The offsets of one group.
    struct OffsetFetchResponseGroup {
        group_id: String, since(8);
        topics: Vec<OffsetFetchResponseTopics>, since(8);
        error_code: i16, since(8);
    }

    /// The offsets in one topic.
    struct OffsetFetchResponseTopics {
        name: String, between(8, 9).ignorable();
        topic_id: Uuid, since(10).ignorable();
        partitions: Vec<OffsetFetchResponsePartitions>, since(8);
    }

    /// The offset in one partition.
    struct OffsetFetchResponsePartitions {
        partition_index: i32, since(8);
        committed_offset: i64, since(8);
        committed_leader_epoch: i32 = -1, since(8).ignorable();
        metadata: Option<String>, since(8).nullable_since(8);
        error_code: i16, since(8);
    }
}
