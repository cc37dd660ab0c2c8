//! Metadata (3): which brokers there are, and who leads each partition of the topics asked for.
//!
//! Java: `common/message/MetadataRequest.json`, `common/message/MetadataResponse.json`.
//! Differs: nothing; leader epochs are reliable from version 9 on, lookup by topic id from 12 on.
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// Asks about topics: all of them where the list is null, none where it is empty.
    struct MetadataRequest versions 0..=13 flexible 9.. {
        topics: Option<Vec<MetadataRequestTopic>>, since(0).nullable_since(1);
        allow_auto_topic_creation: bool = true, since(4);
        include_cluster_authorized_operations: bool, between(8, 10);
        include_topic_authorized_operations: bool, since(8);
    }

    /// A topic by its name, or by its id and no name.
    struct MetadataRequestTopic {
        topic_id: Uuid, since(10).ignorable();
        name: Option<String>, since(0).nullable_since(10);
    }
}

message! {
    /// The brokers and the topics.
    struct MetadataResponse versions 0..=13 flexible 9.. {
        throttle_time_ms: i32, since(3).ignorable();
        brokers: Vec<MetadataResponseBroker>, since(0);
        cluster_id: Option<String> = None, since(2).nullable_since(2).ignorable();
        controller_id: i32 = -1, since(1).ignorable();
        topics: Vec<MetadataResponseTopic>, since(0);
        cluster_authorized_operations: i32 = i32::MIN, between(8, 10);
        /// REBOOTSTRAP_REQUIRED, or none (KIP-1102).
        error_code: i16, since(13).ignorable();
    }

    /// One broker and where it listens.
    struct MetadataResponseBroker {
        node_id: i32, since(0);
        host: String, since(0);
        port: i32, since(0);
        rack: Option<String> = None, since(1).nullable_since(1).ignorable();
    }

    /// One topic, or why there is nothing to say about it.
    struct MetadataResponseTopic {
        error_code: i16, since(0);
        name: Option<String>, since(0).nullable_since(12);
        topic_id: Uuid, since(10).ignorable();
        is_internal: bool, since(1).ignorable();
        partitions: Vec<MetadataResponsePartition>, since(0);
        topic_authorized_operations: i32 = i32::MIN, since(8);
    }

    /// One partition and who keeps it; the partitions of a topic come in any order.
    struct MetadataResponsePartition {
        error_code: i16, since(0);
        partition_index: i32, since(0);
        leader_id: i32, since(0);
        leader_epoch: i32 = -1, since(7).ignorable();
        replica_nodes: Vec<i32>, since(0);
        isr_nodes: Vec<i32>, since(0);
        offline_replicas: Vec<i32>, since(5).ignorable();
    }
}
