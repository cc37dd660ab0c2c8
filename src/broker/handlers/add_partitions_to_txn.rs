//! AddPartitionsToTxn (24), versions 0 to 5: partitions join a transaction.
//!
//! Up to version 3 a producer asks for one transaction, from 4 on a broker asks for several.
//!
//! Java: `core/server/KafkaApis.scala`, `handleAddPartitionsToTxnRequest`.
//! Differs: nothing.
//! Threads: plain function. Locks: none.

use crate::protocol::errors::Errors;
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult, AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
};

pub(crate) fn failed(
    request: &AddPartitionsToTxnRequest,
    error: Errors,
) -> AddPartitionsToTxnResponse {
    let transactions = request.transactions.iter();
    AddPartitionsToTxnResponse {
        results_by_transaction: transactions
            .map(|transaction| AddPartitionsToTxnResult {
                transactional_id: transaction.transactional_id.clone(),
                topic_results: topic_results(&transaction.topics, |_, _| error),
            })
            .collect(),
        results_by_topic_v3_and_below: topic_results(&request.v3_and_below_topics, |_, _| error),
        ..AddPartitionsToTxnResponse::default()
    }
}

fn topic_results(
    topics: &[AddPartitionsToTxnTopic],
    of: impl Fn(&str, i32) -> Errors,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let result = |topic: &str, partition: i32| AddPartitionsToTxnPartitionResult {
        partition_index: partition,
        partition_error_code: of(topic, partition).code(),
    };
    let topics = topics.iter().map(|topic| AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition: (topic.partitions.iter())
            .map(|partition| result(&topic.name, *partition))
            .collect(),
    });
    topics.collect()
}
