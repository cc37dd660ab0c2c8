//! Fetch (1), versions 4 to 18: reads batches from an offset on.
//!
//! Sessions (from version 7) are not offered: session id 0 in every answer tells the client to ask in full each time.
//! With isolation level 1 nothing after the last stable offset is read, and aborted transactions are listed. From version
//! 13 topics are named by id.
//!
//! Java: `core/server/KafkaApis.scala`, `handleFetchRequest`; `core/server/DelayedFetch.scala`.
//! Differs: a fetch that finds too little is asked again after every request, which a small cluster can afford.
//! Threads: plain function. Locks: none.

use std::time::Duration;

use crate::broker::broker_core::BrokerCore;
use crate::broker::kafka_apis::Answer;
use crate::broker::log::transaction_index::TransactionIndex;
use crate::common::cluster::NodeId;
use crate::protocol::Records;
use crate::protocol::errors::Errors;
use crate::protocol::messages::fetch::{
    AbortedTransaction, FetchPartition, FetchRequest, FetchResponse, FetchTopic,
    FetchableTopicResponse, PartitionData,
};

pub(crate) fn handle(
    core: &BrokerCore,
    broker: NodeId,
    version: i16,
    request: &FetchRequest,
) -> Answer {
    match again(core, broker, version, request, true) {
        Some(response) => Answer::Now(response.into()),
        None => Answer::WhenData(Duration::from_millis(
            u64::try_from(request.max_wait_ms).unwrap_or_default(),
        )),
    }
}

/// The answer, where there is enough to answer with; out of time, whatever there is.
pub(crate) fn again(
    core: &BrokerCore,
    broker: NodeId,
    version: i16,
    request: &FetchRequest,
    in_time: bool,
) -> Option<FetchResponse> {
    let read_committed = request.isolation_level == READ_COMMITTED;
    let mut budget = usize::try_from(request.max_bytes).unwrap_or_default();
    let mut found = 0;
    let mut any_error = false;
    let mut responses = Vec::new();
    for topic in &request.topics {
        let name = if version >= FIRST_VERSION_WITH_IDS {
            core.topics.name_of(topic.topic_id)
        } else {
            Some(topic.topic.as_str())
        };
        let mut partitions = Vec::new();
        for wanted in &topic.partitions {
            let data = match name {
                Some(name) => {
                    let how = Reading {
                        budget,
                        first: found == 0,
                        read_committed,
                    };
                    read(core, broker, name, wanted, how)
                }
                None => refused(wanted, Errors::UnknownTopicId),
            };
            let size = data.records.as_ref().map_or(0, Records::size);
            found += size;
            budget = budget.saturating_sub(size);
            any_error |= data.error_code != 0;
            partitions.push(data);
        }
        responses.push(topic_response(topic, partitions));
    }
    let enough = found >= usize::try_from(request.min_bytes).unwrap_or_default();
    if in_time && !enough && !any_error && request.max_wait_ms > 0 {
        return None;
    }
    Some(FetchResponse {
        responses,
        ..FetchResponse::default()
    })
}

pub(crate) fn failed(request: &FetchRequest, error: Errors) -> FetchResponse {
    let responses = request.topics.iter().map(|topic| {
        topic_response(
            topic,
            topic
                .partitions
                .iter()
                .map(|wanted| refused(wanted, error))
                .collect(),
        )
    });
    FetchResponse {
        responses: responses.collect(),
        ..FetchResponse::default()
    }
}

/// How much to read, and what.
#[derive(Debug, Clone, Copy)]
struct Reading {
    budget: usize,
    /// Nothing was found for this answer yet.
    first: bool,
    read_committed: bool,
}

fn read(
    core: &BrokerCore,
    broker: NodeId,
    topic: &str,
    wanted: &FetchPartition,
    how: Reading,
) -> PartitionData {
    let Some(partition) = core.topics.partition(topic, wanted.partition) else {
        return refused(wanted, Errors::UnknownTopicOrPartition);
    };
    let Some(replica) = partition.led_by(broker) else {
        return refused(wanted, Errors::NotLeaderOrFollower);
    };
    if let Some(error) = partition.check_epoch(broker, wanted.current_leader_epoch) {
        return refused(wanted, error);
    }
    let log = &replica.log;
    let high_watermark = replica.high_watermark();
    let from = wanted.fetch_offset;
    if !(log.start_offset()..=log.end_offset()).contains(&from) {
        return refused(wanted, Errors::OffsetOutOfRange);
    }
    let last_stable_offset = replica.last_stable_offset();
    let up_to = if how.read_committed {
        last_stable_offset
    } else {
        high_watermark
    };
    let limit = usize::try_from(wanted.partition_max_bytes)
        .unwrap_or_default()
        .min(how.budget);
    // The first batch of an answer always fits, so that a large one can be read at all.
    let records = log.read(from, up_to, limit, how.first);
    let aborted_transactions = how
        .read_committed
        .then(|| aborted(replica.producers.transactions(), from, up_to));
    PartitionData {
        partition_index: wanted.partition,
        high_watermark,
        last_stable_offset,
        log_start_offset: log.start_offset(),
        aborted_transactions,
        records: Some(records),
        ..PartitionData::default()
    }
}

/// The transactions whose records a reader of committed data must skip.
fn aborted(transactions: &TransactionIndex, from: i64, up_to: i64) -> Vec<AbortedTransaction> {
    let aborted = transactions.aborted(from, up_to);
    aborted
        .map(|transaction| AbortedTransaction {
            producer_id: transaction.producer_id,
            first_offset: transaction.first_offset,
        })
        .collect()
}

fn topic_response(topic: &FetchTopic, partitions: Vec<PartitionData>) -> FetchableTopicResponse {
    FetchableTopicResponse {
        topic: topic.topic.clone(),
        topic_id: topic.topic_id,
        partitions,
    }
}

fn refused(wanted: &FetchPartition, error: Errors) -> PartitionData {
    PartitionData {
        partition_index: wanted.partition,
        error_code: error.code(),
        high_watermark: -1,
        last_stable_offset: -1,
        log_start_offset: -1,
        records: Some(Records::default()),
        ..PartitionData::default()
    }
}

/// Only what no transaction can take back; the other isolation level, 0, reads everything.
const READ_COMMITTED: i8 = 1;
const FIRST_VERSION_WITH_IDS: i16 = 13;
