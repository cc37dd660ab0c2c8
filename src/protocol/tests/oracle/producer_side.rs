//! The messages that a producer speaks.

use kafka_protocol::messages::{
    api_versions_request as their_api_versions_request,
    api_versions_response as their_api_versions,
    find_coordinator_request as their_find_coordinator_request,
    find_coordinator_response as their_find_coordinator,
    init_producer_id_request as their_init_producer_id_request,
    init_producer_id_response as their_init_producer_id,
    metadata_request as their_metadata_request, metadata_response as their_metadata,
    produce_request as their_produce_request, produce_response as their_produce,
};

use super::{agree, same_fields};
use crate::protocol::messages::{
    api_versions, find_coordinator, init_producer_id, metadata, produce,
};

same_fields! {
    produce::ProduceRequest => their_produce_request::ProduceRequest { transactional_id, acks, timeout_ms, topic_data }
    produce::TopicProduceData => their_produce_request::TopicProduceData { name, topic_id, partition_data }
    produce::PartitionProduceData => their_produce_request::PartitionProduceData { index, records }
    produce::ProduceResponse => their_produce::ProduceResponse { responses, throttle_time_ms, node_endpoints }
    produce::TopicProduceResponse => their_produce::TopicProduceResponse { name, topic_id, partition_responses }
    produce::PartitionProduceResponse => their_produce::PartitionProduceResponse {
        index, error_code, base_offset, log_append_time_ms, log_start_offset, record_errors, error_message, current_leader
    }
    produce::BatchIndexAndErrorMessage => their_produce::BatchIndexAndErrorMessage { batch_index, batch_index_error_message }
    produce::LeaderIdAndEpoch => their_produce::LeaderIdAndEpoch { leader_id, leader_epoch }
    produce::NodeEndpoint => their_produce::NodeEndpoint { node_id, host, port, rack }
}

/// Java: `ProduceRequestTest`, `ProduceResponseTest` (the forms on the wire).
#[test]
fn produce_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<produce::ProduceRequest, their_produce_request::ProduceRequest>();
    agree::<produce::ProduceResponse, their_produce::ProduceResponse>();
}

same_fields! {
    metadata::MetadataRequest => their_metadata_request::MetadataRequest {
        topics, allow_auto_topic_creation, include_cluster_authorized_operations, include_topic_authorized_operations
    }
    metadata::MetadataRequestTopic => their_metadata_request::MetadataRequestTopic { topic_id, name }
    metadata::MetadataResponse => their_metadata::MetadataResponse {
        throttle_time_ms, brokers, cluster_id, controller_id, topics, cluster_authorized_operations, error_code
    }
    metadata::MetadataResponseBroker => their_metadata::MetadataResponseBroker { node_id, host, port, rack }
    metadata::MetadataResponseTopic => their_metadata::MetadataResponseTopic {
        error_code, name, topic_id, is_internal, partitions, topic_authorized_operations
    }
    metadata::MetadataResponsePartition => their_metadata::MetadataResponsePartition {
        error_code, partition_index, leader_id, leader_epoch, replica_nodes, isr_nodes, offline_replicas
    }
}

#[test]
fn metadata_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<metadata::MetadataRequest, their_metadata_request::MetadataRequest>();
    agree::<metadata::MetadataResponse, their_metadata::MetadataResponse>();
}

same_fields! {
    api_versions::ApiVersionsRequest => their_api_versions_request::ApiVersionsRequest {
        client_software_name, client_software_version
    }
    api_versions::ApiVersionsResponse => their_api_versions::ApiVersionsResponse {
        error_code, api_keys, throttle_time_ms, supported_features, finalized_features_epoch, finalized_features,
        zk_migration_ready
    }
    api_versions::ApiVersion => their_api_versions::ApiVersion { api_key, min_version, max_version }
    api_versions::SupportedFeatureKey => their_api_versions::SupportedFeatureKey { name, min_version, max_version }
    api_versions::FinalizedFeatureKey => their_api_versions::FinalizedFeatureKey {
        name, max_version_level, min_version_level
    }
}

#[test]
fn api_versions_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<api_versions::ApiVersionsRequest, their_api_versions_request::ApiVersionsRequest>();
    agree::<api_versions::ApiVersionsResponse, their_api_versions::ApiVersionsResponse>();
}

same_fields! {
    init_producer_id::InitProducerIdRequest => their_init_producer_id_request::InitProducerIdRequest {
        transactional_id, transaction_timeout_ms, producer_id, producer_epoch, enable_2_pc, keep_prepared_txn
    }
    init_producer_id::InitProducerIdResponse => their_init_producer_id::InitProducerIdResponse {
        throttle_time_ms, error_code, producer_id, producer_epoch, ongoing_txn_producer_id, ongoing_txn_producer_epoch
    }
}

#[test]
fn init_producer_id_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<
        init_producer_id::InitProducerIdRequest,
        their_init_producer_id_request::InitProducerIdRequest,
    >();
    agree::<init_producer_id::InitProducerIdResponse, their_init_producer_id::InitProducerIdResponse>(
    );
}

same_fields! {
    find_coordinator::FindCoordinatorRequest => their_find_coordinator_request::FindCoordinatorRequest {
        key, key_type, coordinator_keys
    }
    find_coordinator::FindCoordinatorResponse => their_find_coordinator::FindCoordinatorResponse {
        throttle_time_ms, error_code, error_message, node_id, host, port, coordinators
    }
    find_coordinator::Coordinator => their_find_coordinator::Coordinator {
        key, node_id, host, port, error_code, error_message
    }
}

#[test]
fn find_coordinator_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<
        find_coordinator::FindCoordinatorRequest,
        their_find_coordinator_request::FindCoordinatorRequest,
    >();
    agree::<
        find_coordinator::FindCoordinatorResponse,
        their_find_coordinator::FindCoordinatorResponse,
    >();
}
