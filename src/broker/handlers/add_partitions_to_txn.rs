//! AddPartitionsToTxn (24), versions 0 to 5: partitions join a transaction.
//!
//! Up to version 3 a producer asks for one transaction, from 4 on a broker asks for several, or only whether they are part
//! of it. Before version 2 a fenced producer is told INVALID_PRODUCER_EPOCH.
//!
//! Java: `core/server/KafkaApis.scala`, `handleAddPartitionsToTxnRequest`.
//! Differs: nothing.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::broker::coordinator::transaction_metadata::Participant;
use crate::broker::handlers::{self, At};
use crate::common::cluster::ProducerIdAndEpoch;
use crate::protocol::errors::Errors;
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnResult, AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
    AddPartitionsToTxnTransaction,
};

pub(crate) fn handle(
    core: &mut BrokerCore,
    at: At,
    request: &AddPartitionsToTxnRequest,
) -> AddPartitionsToTxnResponse {
    if at.version < FIRST_VERSION_OF_BROKERS {
        let only = AddPartitionsToTxnTransaction {
            transactional_id: request.v3_and_below_transactional_id.clone(),
            producer_id: request.v3_and_below_producer_id,
            producer_epoch: request.v3_and_below_producer_epoch,
            verify_only: false,
            topics: request.v3_and_below_topics.clone(),
        };
        return AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: one(core, at, &only),
            ..AddPartitionsToTxnResponse::default()
        };
    }
    let mut results = Vec::new();
    for transaction in &request.transactions {
        results.push(AddPartitionsToTxnResult {
            transactional_id: transaction.transactional_id.clone(),
            topic_results: one(core, at, transaction),
        });
    }
    AddPartitionsToTxnResponse {
        results_by_transaction: results,
        ..AddPartitionsToTxnResponse::default()
    }
}

/// All partitions of one transaction join, or none.
fn one(
    core: &mut BrokerCore,
    at: At,
    transaction: &AddPartitionsToTxnTransaction,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let topics = &transaction.topics;
    let exists = |topic: &str, partition| core.topics.partition(topic, partition).is_some();
    let unknown = |topic: &AddPartitionsToTxnTopic| {
        let mut partitions = topic.partitions.iter();
        partitions.any(|partition| !exists(&topic.name, *partition))
    };
    if topics.iter().any(unknown) {
        return topic_results(topics, |topic, partition| {
            if exists(topic, partition) {
                Errors::OperationNotAttempted
            } else {
                Errors::UnknownTopicOrPartition
            }
        });
    }
    let producer = ProducerIdAndEpoch {
        producer_id: transaction.producer_id,
        epoch: transaction.producer_epoch,
    };
    let id = &transaction.transactional_id;
    let coordinators = &mut core.coordinators;
    let now = at.now.monotonic;
    if let Err(error) = coordinators.check_transactional(at.broker, id, now) {
        return topic_results(topics, |_, _| error);
    }
    if transaction.verify_only {
        let mut results = Vec::new();
        for topic in topics {
            let mut verify = |partition: i32| {
                let participant = Participant::Partition(topic.name.clone(), partition);
                let verified = coordinators.transactions.verify(id, producer, &participant);
                verified.err().unwrap_or(Errors::None)
            };
            let partitions: Vec<_> = (topic.partitions.iter())
                .map(|partition| partition_result(*partition, verify(*partition)))
                .collect();
            results.push(topic_result(topic, partitions));
        }
        return results;
    }
    let participants = topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter();
        partitions.map(|partition| Participant::Partition(topic.name.clone(), *partition))
    });
    let joining = participants.collect();
    let added = coordinators.transactions.add(id, producer, joining, now);
    let error = added.err().unwrap_or(Errors::None);
    let error = handlers::said_to_version(error, at.version);
    topic_results(topics, |_, _| error)
}

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
    let one = |topic: &AddPartitionsToTxnTopic| {
        let partitions = topic.partitions.iter();
        let results =
            partitions.map(|partition| partition_result(*partition, of(&topic.name, *partition)));
        topic_result(topic, results.collect())
    };
    topics.iter().map(one).collect()
}

fn topic_result(
    topic: &AddPartitionsToTxnTopic,
    results_by_partition: Vec<AddPartitionsToTxnPartitionResult>,
) -> AddPartitionsToTxnTopicResult {
    AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition,
    }
}

fn partition_result(partition_index: i32, error: Errors) -> AddPartitionsToTxnPartitionResult {
    AddPartitionsToTxnPartitionResult {
        partition_index,
        partition_error_code: error.code(),
    }
}

const FIRST_VERSION_OF_BROKERS: i16 = 4;
