//! CreateTopics (19): makes topics; only the embedded broker and tests speak it.
//!
//! Java: `common/message/CreateTopicsRequest.json`, `common/message/CreateTopicsResponse.json`.
//! Differs: nothing; -1 for partitions or replication means the broker's default (from version 4 on).
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// The topics to make.
    struct CreateTopicsRequest versions 2..=7 flexible 5.. {
        topics: Vec<CreatableTopic>, since(0);
        timeout_ms: i32 = 60000, since(0);
        validate_only: bool, since(1);
    }

    /// One topic to make.
    struct CreatableTopic {
        name: String, since(0);
        num_partitions: i32, since(0);
        replication_factor: i16, since(0);
        assignments: Vec<CreatableReplicaAssignment>, since(0);
        configs: Vec<CreatableTopicConfig>, since(0);
    }

    /// Which brokers keep one partition.
    struct CreatableReplicaAssignment {
        partition_index: i32, since(0);
        broker_ids: Vec<i32>, since(0);
    }

    /// One setting of a topic.
    struct CreatableTopicConfig {
        name: String, since(0);
        value: Option<String>, since(0).nullable_since(0);
    }
}

message! {
    /// What became of each topic.
    struct CreateTopicsResponse versions 2..=7 flexible 5.. {
        throttle_time_ms: i32, since(2).ignorable();
        topics: Vec<CreatableTopicResult>, since(0);
    }

    /// One topic that was made, or why it was not.
    struct CreatableTopicResult {
        name: String, since(0);
        topic_id: Uuid, since(7).ignorable();
        error_code: i16, since(0);
        error_message: Option<String>, since(1).nullable_since(0).ignorable();
        topic_config_error_code: i16, since(5).tagged(0).ignorable();
        num_partitions: i32 = -1, since(5).ignorable();
        replication_factor: i16 = -1, since(5).ignorable();
        configs: Option<Vec<CreatableTopicConfigs>>, since(5).nullable_since(5).ignorable();
    }

    /// One setting of a topic that was made.
    struct CreatableTopicConfigs {
        name: String, since(5);
        value: Option<String>, since(5).nullable_since(5);
        read_only: bool, since(5);
        config_source: i8 = -1, since(5).ignorable();
        is_sensitive: bool, since(5);
    }
}
