//! The messages of transactions.

use kafka_protocol::messages::{
    add_offsets_to_txn_request as their_add_offsets_request,
    add_offsets_to_txn_response as their_add_offsets,
    add_partitions_to_txn_request as their_add_partitions_request,
    add_partitions_to_txn_response as their_add_partitions,
    end_txn_request as their_end_txn_request, end_txn_response as their_end_txn,
    offset_fetch_request as their_offset_fetch_request,
    offset_fetch_response as their_offset_fetch,
    txn_offset_commit_request as their_offset_commit_request,
    txn_offset_commit_response as their_offset_commit,
};

use super::{agree, same_fields};
use crate::protocol::messages::{
    add_offsets_to_txn, add_partitions_to_txn, end_txn, offset_fetch, txn_offset_commit,
};

same_fields! {
    add_partitions_to_txn::AddPartitionsToTxnRequest => their_add_partitions_request::AddPartitionsToTxnRequest {
        transactions, v3_and_below_transactional_id, v3_and_below_producer_id, v3_and_below_producer_epoch,
        v3_and_below_topics
    }
    add_partitions_to_txn::AddPartitionsToTxnTransaction => their_add_partitions_request::AddPartitionsToTxnTransaction {
        transactional_id, producer_id, producer_epoch, verify_only, topics
    }
    add_partitions_to_txn::AddPartitionsToTxnTopic => their_add_partitions_request::AddPartitionsToTxnTopic {
        name, partitions
    }
    add_partitions_to_txn::AddPartitionsToTxnResponse => their_add_partitions::AddPartitionsToTxnResponse {
        throttle_time_ms, error_code, results_by_transaction, results_by_topic_v3_and_below
    }
    add_partitions_to_txn::AddPartitionsToTxnResult => their_add_partitions::AddPartitionsToTxnResult {
        transactional_id, topic_results
    }
    add_partitions_to_txn::AddPartitionsToTxnTopicResult => their_add_partitions::AddPartitionsToTxnTopicResult {
        name, results_by_partition
    }
    add_partitions_to_txn::AddPartitionsToTxnPartitionResult => their_add_partitions::AddPartitionsToTxnPartitionResult {
        partition_index, partition_error_code
    }
}

#[test]
fn add_partitions_to_txn_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<
        add_partitions_to_txn::AddPartitionsToTxnRequest,
        their_add_partitions_request::AddPartitionsToTxnRequest,
    >();
    agree::<
        add_partitions_to_txn::AddPartitionsToTxnResponse,
        their_add_partitions::AddPartitionsToTxnResponse,
    >();
}

same_fields! {
    add_offsets_to_txn::AddOffsetsToTxnRequest => their_add_offsets_request::AddOffsetsToTxnRequest {
        transactional_id, producer_id, producer_epoch, group_id
    }
    add_offsets_to_txn::AddOffsetsToTxnResponse => their_add_offsets::AddOffsetsToTxnResponse {
        throttle_time_ms, error_code
    }
}

#[test]
fn add_offsets_to_txn_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<
        add_offsets_to_txn::AddOffsetsToTxnRequest,
        their_add_offsets_request::AddOffsetsToTxnRequest,
    >();
    agree::<add_offsets_to_txn::AddOffsetsToTxnResponse, their_add_offsets::AddOffsetsToTxnResponse>(
    );
}

same_fields! {
    end_txn::EndTxnRequest => their_end_txn_request::EndTxnRequest {
        transactional_id, producer_id, producer_epoch, committed
    }
    end_txn::EndTxnResponse => their_end_txn::EndTxnResponse {
        throttle_time_ms, error_code, producer_id, producer_epoch
    }
}

#[test]
fn end_txn_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<end_txn::EndTxnRequest, their_end_txn_request::EndTxnRequest>();
    agree::<end_txn::EndTxnResponse, their_end_txn::EndTxnResponse>();
}

same_fields! {
    txn_offset_commit::TxnOffsetCommitRequest => their_offset_commit_request::TxnOffsetCommitRequest {
        transactional_id, group_id, producer_id, producer_epoch, generation_id, member_id, group_instance_id, topics
    }
    txn_offset_commit::TxnOffsetCommitRequestTopic => their_offset_commit_request::TxnOffsetCommitRequestTopic {
        name, partitions
    }
    txn_offset_commit::TxnOffsetCommitRequestPartition => their_offset_commit_request::TxnOffsetCommitRequestPartition {
        partition_index, committed_offset, committed_leader_epoch, committed_metadata
    }
    txn_offset_commit::TxnOffsetCommitResponse => their_offset_commit::TxnOffsetCommitResponse {
        throttle_time_ms, topics
    }
    txn_offset_commit::TxnOffsetCommitResponseTopic => their_offset_commit::TxnOffsetCommitResponseTopic {
        name, partitions
    }
    txn_offset_commit::TxnOffsetCommitResponsePartition => their_offset_commit::TxnOffsetCommitResponsePartition {
        partition_index, error_code
    }
}

#[test]
fn txn_offset_commit_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<
        txn_offset_commit::TxnOffsetCommitRequest,
        their_offset_commit_request::TxnOffsetCommitRequest,
    >();
    agree::<txn_offset_commit::TxnOffsetCommitResponse, their_offset_commit::TxnOffsetCommitResponse>(
    );
}

same_fields! {
    offset_fetch::OffsetFetchRequest => their_offset_fetch_request::OffsetFetchRequest {
        group_id, topics, groups, require_stable
    }
    offset_fetch::OffsetFetchRequestTopic => their_offset_fetch_request::OffsetFetchRequestTopic {
        name, partition_indexes
    }
    offset_fetch::OffsetFetchRequestGroup => their_offset_fetch_request::OffsetFetchRequestGroup {
        group_id, member_id, member_epoch, topics
    }
    offset_fetch::OffsetFetchRequestTopics => their_offset_fetch_request::OffsetFetchRequestTopics {
        name, topic_id, partition_indexes
    }
    offset_fetch::OffsetFetchResponse => their_offset_fetch::OffsetFetchResponse {
        throttle_time_ms, topics, error_code, groups
    }
    offset_fetch::OffsetFetchResponseTopic => their_offset_fetch::OffsetFetchResponseTopic { name, partitions }
    offset_fetch::OffsetFetchResponsePartition => their_offset_fetch::OffsetFetchResponsePartition {
        partition_index, committed_offset, committed_leader_epoch, metadata, error_code
    }
    offset_fetch::OffsetFetchResponseGroup => their_offset_fetch::OffsetFetchResponseGroup {
        group_id, topics, error_code
    }
    offset_fetch::OffsetFetchResponseTopics => their_offset_fetch::OffsetFetchResponseTopics {
        name, topic_id, partitions
    }
    offset_fetch::OffsetFetchResponsePartitions => their_offset_fetch::OffsetFetchResponsePartitions {
        partition_index, committed_offset, committed_leader_epoch, metadata, error_code
    }
}

#[test]
fn offset_fetch_has_the_same_bytes_as_in_an_independent_codec() {
    agree::<offset_fetch::OffsetFetchRequest, their_offset_fetch_request::OffsetFetchRequest>();
    agree::<offset_fetch::OffsetFetchResponse, their_offset_fetch::OffsetFetchResponse>();
}
