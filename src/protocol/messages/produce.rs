//! Produce (0): a producer asks a leader to append record batches.
//!
//! Java: `common/message/ProduceRequest.json`, `common/message/ProduceResponse.json`.
//! Differs: nothing; from version 13 on a topic is named by its id alone (KIP-516).
//! Threads: plain data. Locks: none.

use std::sync::Arc;

use crate::common::few::Few;
use crate::protocol::message::prelude::*;

message! {
    /// Batches for the partitions that one broker leads. With `acks` 0 there is no answer.
    struct ProduceRequest versions 3..=13 flexible 9.. {
        transactional_id: Option<String> = None, since(3).nullable_since(3);
        acks: i16, since(0);
        timeout_ms: i32, since(0);
        topic_data: Few<TopicProduceData>, since(0);
    }

    /// The batches for one topic.
    struct TopicProduceData {
        name: Arc<str>, between(0, 12).ignorable();
        topic_id: Uuid, since(13).ignorable();
        partition_data: Few<PartitionProduceData>, since(0);
    }

    /// The batch for one partition.
    struct PartitionProduceData {
        index: i32, since(0);
        records: Option<Records> = None, since(0).nullable_since(0);
    }
}

message! {
    /// What became of each batch.
    struct ProduceResponse versions 3..=13 flexible 9.. {
        responses: Few<TopicProduceResponse>, since(0);
        throttle_time_ms: i32, since(1).ignorable();
        /// Where the new leaders of `current_leader` listen (KIP-951).
        node_endpoints: Vec<NodeEndpoint>, since(10).tagged(0);
    }

    /// The answers for one topic.
    struct TopicProduceResponse {
        name: String, between(0, 12).ignorable();
        topic_id: Uuid, since(13).ignorable();
        partition_responses: Few<PartitionProduceResponse>, since(0);
    }

    /// The answer for one partition.
    struct PartitionProduceResponse {
        index: i32, since(0);
        error_code: i16, since(0);
        base_offset: i64, since(0);
        log_append_time_ms: i64 = -1, since(2).ignorable();
        log_start_offset: i64 = -1, since(5).ignorable();
        /// The records that made the broker refuse the batch (KIP-467).
        record_errors: Vec<BatchIndexAndErrorMessage>, since(8).ignorable();
        error_message: Option<String> = None, since(8).nullable_since(8).ignorable();
        current_leader: LeaderIdAndEpoch, since(10).tagged(0);
    }

    /// One record that was refused.
    struct BatchIndexAndErrorMessage {
        batch_index: i32, since(8);
        batch_index_error_message: Option<String> = None, since(8).nullable_since(8);
    }

    /// The leader to ask instead; -1 where it is not known.
    struct LeaderIdAndEpoch {
        leader_id: i32 = -1, since(10);
        leader_epoch: i32 = -1, since(10);
    }

    /// A broker's address.
    struct NodeEndpoint {
        node_id: i32, since(10);
        host: String, since(10);
        port: i32, since(10);
        rack: Option<String> = None, since(10).nullable_since(10);
    }
}
