//! Fetch (1): reads record batches; only the embedded broker and tests speak it.
//!
//! Java: `common/message/FetchRequest.json`, `common/message/FetchResponse.json`.
//! Differs: nothing; from version 13 on a topic is named by its id alone (KIP-516).
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// Where to read on, partition by partition. Session id 0 and epoch -1 mean no session (KIP-227).
    struct FetchRequest versions 4..=18 flexible 12.. {
        cluster_id: Option<String> = None, since(12).nullable_since(12).tagged(0).ignorable();
        replica_id: i32 = -1, between(0, 14);
        replica_state: ReplicaState, since(15).tagged(1);
        max_wait_ms: i32, since(0);
        min_bytes: i32, since(0);
        max_bytes: i32 = i32::MAX, since(3).ignorable();
        isolation_level: i8, since(4).ignorable();
        session_id: i32, since(7).ignorable();
        session_epoch: i32 = -1, since(7).ignorable();
        topics: Vec<FetchTopic>, since(0);
        forgotten_topics_data: Vec<ForgottenTopic>, since(7);
        rack_id: String, since(11).ignorable();
    }

    /// The replica that reads; -1 for a consumer.
    struct ReplicaState {
        replica_id: i32 = -1, since(15);
        replica_epoch: i64 = -1, since(15);
    }

    /// One topic to read from.
    struct FetchTopic {
        topic: String, between(0, 12).ignorable();
        topic_id: Uuid, since(13).ignorable();
        partitions: Vec<FetchPartition>, since(0);
    }

    /// One partition to read from.
    struct FetchPartition {
        partition: i32, since(0);
        current_leader_epoch: i32 = -1, since(9).ignorable();
        fetch_offset: i64, since(0);
        last_fetched_epoch: i32 = -1, since(12);
        log_start_offset: i64 = -1, since(5).ignorable();
        partition_max_bytes: i32, since(0);
        replica_directory_id: Uuid, since(17).tagged(0).ignorable();
        high_watermark: i64 = i64::MAX, since(18).tagged(1).ignorable();
    }

    /// Partitions that the session should no longer hold.
    struct ForgottenTopic {
        topic: String, between(7, 12).ignorable();
        topic_id: Uuid, since(13).ignorable();
        partitions: Vec<i32>, since(7);
    }
}

message! {
    /// What was read.
    struct FetchResponse versions 4..=18 flexible 12.. {
        throttle_time_ms: i32, since(1).ignorable();
        error_code: i16, since(7).ignorable();
        session_id: i32, since(7);
        responses: Vec<FetchableTopicResponse>, since(0);
        node_endpoints: Vec<NodeEndpoint>, since(16).tagged(0);
    }

    /// What was read from one topic.
    struct FetchableTopicResponse {
        topic: String, between(0, 12).ignorable();
        topic_id: Uuid, since(13).ignorable();
        partitions: Vec<PartitionData>, since(0);
    }

    /// What was read from one partition.
    struct PartitionData {
        partition_index: i32, since(0);
        error_code: i16, since(0);
        high_watermark: i64, since(0);
        last_stable_offset: i64 = -1, since(4).ignorable();
        log_start_offset: i64 = -1, since(5).ignorable();
        diverging_epoch: EpochEndOffset, since(12).tagged(0);
        current_leader: LeaderIdAndEpoch, since(12).tagged(1);
        snapshot_id: SnapshotId, since(12).tagged(2);
        aborted_transactions: Option<Vec<AbortedTransaction>>, since(4).nullable_since(4).ignorable();
        preferred_read_replica: i32 = -1, since(11);
        records: Option<Records> = None, since(0).nullable_since(0);
    }

    /// Where a follower's log parted from the leader's.
    struct EpochEndOffset {
        epoch: i32 = -1, since(12);
        end_offset: i64 = -1, since(12);
    }

    /// The leader to ask instead; -1 where it is not known.
    struct LeaderIdAndEpoch {
        leader_id: i32 = -1, since(12);
        leader_epoch: i32 = -1, since(12);
    }

    /// The snapshot to read instead.
    struct SnapshotId {
        end_offset: i64 = -1, since(0);
        epoch: i32 = -1, since(0);
    }

    /// A transaction whose records a consumer must skip.
    struct AbortedTransaction {
        producer_id: i64, since(4);
        first_offset: i64, since(4);
    }

    /// A broker's address.
    struct NodeEndpoint {
        node_id: i32, since(16);
        host: String, since(16);
        port: i32, since(16);
        rack: Option<String> = None, since(16).nullable_since(16);
    }
}
