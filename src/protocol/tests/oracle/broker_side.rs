//! The messages that only the embedded broker and tests speak.

use kafka_protocol::messages::{
    create_topics_request as their_create_topics_request,
    create_topics_response as their_create_topics, fetch_request as their_fetch_request,
    fetch_response as their_fetch, list_offsets_request as their_list_offsets_request,
    list_offsets_response as their_list_offsets,
};

use super::{agree, same_fields};
use crate::protocol::messages::{create_topics, fetch, list_offsets};

same_fields! {
    fetch::FetchRequest => their_fetch_request::FetchRequest {
        cluster_id, replica_id, replica_state, max_wait_ms, min_bytes, max_bytes, isolation_level, session_id,
        session_epoch, topics, forgotten_topics_data, rack_id
    }
    fetch::ReplicaState => their_fetch_request::ReplicaState { replica_id, replica_epoch }
    fetch::FetchTopic => their_fetch_request::FetchTopic { topic, topic_id, partitions }
    fetch::FetchPartition => their_fetch_request::FetchPartition {
        partition, current_leader_epoch, fetch_offset, last_fetched_epoch, log_start_offset, partition_max_bytes,
        replica_directory_id, high_watermark
    }
    fetch::ForgottenTopic => their_fetch_request::ForgottenTopic { topic, topic_id, partitions }
    fetch::FetchResponse => their_fetch::FetchResponse {
        throttle_time_ms, error_code, session_id, responses, node_endpoints
    }
    fetch::FetchableTopicResponse => their_fetch::FetchableTopicResponse { topic, topic_id, partitions }
    fetch::PartitionData => their_fetch::PartitionData {
        partition_index, error_code, high_watermark, last_stable_offset, log_start_offset, diverging_epoch,
        current_leader, snapshot_id, aborted_transactions, preferred_read_replica, records
    }
    fetch::EpochEndOffset => their_fetch::EpochEndOffset { epoch, end_offset }
    fetch::LeaderIdAndEpoch => their_fetch::LeaderIdAndEpoch { leader_id, leader_epoch }
    fetch::SnapshotId => their_fetch::SnapshotId { end_offset, epoch }
    fetch::AbortedTransaction => their_fetch::AbortedTransaction { producer_id, first_offset }
    fetch::NodeEndpoint => their_fetch::NodeEndpoint { node_id, host, port, rack }
}

#[test]
fn fetch_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<fetch::FetchRequest, their_fetch_request::FetchRequest>();
    agree::<fetch::FetchResponse, their_fetch::FetchResponse>();
}

same_fields! {
    list_offsets::ListOffsetsRequest => their_list_offsets_request::ListOffsetsRequest {
        replica_id, isolation_level, topics, timeout_ms
    }
    list_offsets::ListOffsetsTopic => their_list_offsets_request::ListOffsetsTopic { name, partitions }
    list_offsets::ListOffsetsPartition => their_list_offsets_request::ListOffsetsPartition {
        partition_index, current_leader_epoch, timestamp
    }
    list_offsets::ListOffsetsResponse => their_list_offsets::ListOffsetsResponse { throttle_time_ms, topics }
    list_offsets::ListOffsetsTopicResponse => their_list_offsets::ListOffsetsTopicResponse { name, partitions }
    list_offsets::ListOffsetsPartitionResponse => their_list_offsets::ListOffsetsPartitionResponse {
        partition_index, error_code, timestamp, offset, leader_epoch
    }
}

#[test]
fn list_offsets_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<list_offsets::ListOffsetsRequest, their_list_offsets_request::ListOffsetsRequest>();
    agree::<list_offsets::ListOffsetsResponse, their_list_offsets::ListOffsetsResponse>();
}

same_fields! {
    create_topics::CreateTopicsRequest => their_create_topics_request::CreateTopicsRequest {
        topics, timeout_ms, validate_only
    }
    create_topics::CreatableTopic => their_create_topics_request::CreatableTopic {
        name, num_partitions, replication_factor, assignments, configs
    }
    create_topics::CreatableReplicaAssignment => their_create_topics_request::CreatableReplicaAssignment {
        partition_index, broker_ids
    }
    create_topics::CreatableTopicConfig => their_create_topics_request::CreatableTopicConfig { name, value }
    create_topics::CreateTopicsResponse => their_create_topics::CreateTopicsResponse { throttle_time_ms, topics }
    create_topics::CreatableTopicResult => their_create_topics::CreatableTopicResult {
        name, topic_id, error_code, error_message, topic_config_error_code, num_partitions, replication_factor, configs
    }
    create_topics::CreatableTopicConfigs => their_create_topics::CreatableTopicConfigs {
        name, value, read_only, config_source, is_sensitive
    }
}

#[test]
fn create_topics_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<create_topics::CreateTopicsRequest, their_create_topics_request::CreateTopicsRequest>();
    agree::<create_topics::CreateTopicsResponse, their_create_topics::CreateTopicsResponse>();
}
