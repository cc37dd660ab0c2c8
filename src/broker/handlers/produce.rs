//! Produce (0), versions 3 to 13: writes one batch to each partition that the request names.
//!
//! From version 8 a refused batch says which record is to blame, from 10 a broker that does not lead says who does
//! (KIP-951), from 13 topics are named by id. With acks=0 there is no answer: an error closes the connection.
//!
//! Java: `core/server/KafkaApis.scala`, `handleProduceRequest`; `core/server/ReplicaManager.scala`, `appendRecords`.
//! Differs: every live replica has the batch at once, so acks=all and acks=1 answer alike.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::{BrokerCore, Now};
use crate::broker::cluster::partition::Partition;
use crate::broker::cluster::topics::Topics;
use crate::broker::coordinator::coordinators::{Coordinators, Entry, FIRST_PRODUCE_THAT_JOINS};
use crate::broker::coordinator::transaction_metadata::Participant;
use crate::broker::handlers::At;
use crate::broker::kafka_apis::Answer;
use crate::broker::log::producer_state::Verdict;
use crate::broker::log::unified_log::{Appended, IncomingBatch, Refusal};
use crate::common::cluster::{NodeId, ProducerIdAndEpoch};
use crate::protocol::errors::Errors;
use crate::protocol::messages::produce::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceData, TopicProduceResponse,
};

pub(crate) fn handle(
    core: &mut BrokerCore,
    broker: NodeId,
    version: i16,
    request: &ProduceRequest,
    now: Now,
) -> Answer {
    let from = Origin {
        at: At {
            broker,
            version,
            now,
        },
        transactional_id: request.transactional_id.as_deref(),
    };
    if !matches!(request.acks, -1..=1) {
        return Answer::Now(failed(request, Errors::InvalidRequiredAcks).into());
    }
    let responses: Vec<_> = request
        .topic_data
        .iter()
        .map(|topic| {
            let by_id = if version >= FIRST_VERSION_WITH_IDS {
                core.topics.name_of(topic.topic_id).map(str::to_owned)
            } else {
                Some(topic.name.clone())
            };
            let one = |data: &PartitionProduceData, core: &mut BrokerCore| match &by_id {
                Some(name) => write(core, from, name, data),
                None => refused(data.index, Errors::UnknownTopicId),
            };
            let partition_responses = topic
                .partition_data
                .iter()
                .map(|data| one(data, core))
                .collect();
            topic_response(topic, partition_responses)
        })
        .collect();
    if request.acks == 0 {
        let all_well = responses
            .iter()
            .flat_map(|t| &t.partition_responses)
            .all(|p| p.error_code == 0);
        return if all_well {
            Answer::Nothing
        } else {
            Answer::Close
        };
    }
    let leaders_said = version >= FIRST_VERSION_WITH_LEADERS;
    let node_endpoints = if leaders_said {
        endpoints(&core.topics, &responses)
    } else {
        Vec::new()
    };
    Answer::Now(
        ProduceResponse {
            responses,
            node_endpoints,
            ..ProduceResponse::default()
        }
        .into(),
    )
}

pub(crate) fn failed(request: &ProduceRequest, error: Errors) -> ProduceResponse {
    let responses = request.topic_data.iter().map(|topic| {
        let partitions = topic.partition_data.iter();
        topic_response(
            topic,
            partitions.map(|data| refused(data.index, error)).collect(),
        )
    });
    ProduceResponse {
        responses: responses.collect(),
        ..ProduceResponse::default()
    }
}

/// Who wants to write, and where and when the request came.
#[derive(Clone, Copy)]
struct Origin<'a> {
    at: At,
    transactional_id: Option<&'a str>,
}

fn write(
    core: &mut BrokerCore,
    from: Origin<'_>,
    topic: &str,
    data: &PartitionProduceData,
) -> PartitionProduceResponse {
    let BrokerCore {
        topics,
        coordinators,
        ..
    } = core;
    let Some(partition) = topics.partition_mut(topic, data.index) else {
        return refused(data.index, Errors::UnknownTopicOrPartition);
    };
    if partition.leader != Some(from.at.broker) {
        let refused = refused(data.index, Errors::NotLeaderOrFollower);
        if from.at.version < FIRST_VERSION_WITH_LEADERS {
            return refused;
        }
        let current_leader = LeaderIdAndEpoch {
            leader_id: partition.leader.map_or(-1, |node| node.0),
            leader_epoch: partition.leader_epoch.0,
        };
        return PartitionProduceResponse {
            current_leader,
            ..refused
        };
    }
    let batch = match partition.log.validate(data.records.as_ref()) {
        Ok(batch) => batch,
        Err(refusal) => return blamed(data.index, refusal),
    };
    if batch.is_zstd() && from.at.version < FIRST_VERSION_WITH_ZSTD {
        return refused(data.index, Errors::UnsupportedCompressionType);
    }
    let log_start_offset = partition.log.start_offset();
    if let Err(error) = admit(coordinators, partition, &batch, (topic, data.index), from) {
        return refused(data.index, error);
    }
    match batch
        .claim()
        .map_or(Verdict::Append, |claim| partition.producers.check(claim))
    {
        Verdict::Refuse(error) => PartitionProduceResponse {
            log_start_offset,
            ..refused(data.index, error)
        },
        Verdict::Duplicate {
            base_offset,
            log_append_time,
        } => written(
            data.index,
            Appended {
                base_offset,
                last_offset: base_offset + i64::from(batch.last_offset_delta()),
                log_append_time,
            },
            log_start_offset,
        ),
        Verdict::Append => written(
            data.index,
            partition.append(batch, from.at.now.wall_clock_ms),
            log_start_offset,
        ),
    }
}

/// A batch of a transaction must be part of it, or become so.
fn admit(
    coordinators: &mut Coordinators,
    partition: &Partition,
    batch: &IncomingBatch,
    (topic, index): (&str, i32),
    from: Origin<'_>,
) -> Result<(), Errors> {
    let Some(claim) = batch.claim().filter(|claim| claim.transactional) else {
        return Ok(());
    };
    let transactional_id = from
        .transactional_id
        .ok_or(Errors::TransactionalIdAuthorizationFailed)?;
    let (producer_id, epoch) = (claim.producer_id, claim.epoch);
    if partition.producers.has_open_transaction(producer_id, epoch) {
        return Ok(());
    }
    let entry = Entry {
        transactional_id,
        producer: ProducerIdAndEpoch { producer_id, epoch },
        participant: Participant::Partition(topic.to_owned(), index),
        joins: from.at.version >= FIRST_PRODUCE_THAT_JOINS,
    };
    coordinators.admit_batch(from.at.version, entry, from.at.now.monotonic)
}

fn topic_response(
    topic: &TopicProduceData,
    partition_responses: Vec<PartitionProduceResponse>,
) -> TopicProduceResponse {
    TopicProduceResponse {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partition_responses,
    }
}

fn written(index: i32, appended: Appended, log_start_offset: i64) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        base_offset: appended.base_offset,
        log_append_time_ms: appended.log_append_time,
        log_start_offset,
        ..PartitionProduceResponse::default()
    }
}

fn blamed(index: i32, refusal: Refusal) -> PartitionProduceResponse {
    PartitionProduceResponse {
        error_message: Some(refusal.message),
        ..refused(index, refusal.error)
    }
}

fn refused(index: i32, error: Errors) -> PartitionProduceResponse {
    PartitionProduceResponse {
        index,
        error_code: error.code(),
        base_offset: -1,
        log_append_time_ms: -1,
        log_start_offset: -1,
        ..PartitionProduceResponse::default()
    }
}

/// The addresses of the leaders that the answer names.
fn endpoints(topics: &Topics, responses: &[TopicProduceResponse]) -> Vec<NodeEndpoint> {
    let named = |id: i32| {
        let mut partitions = responses
            .iter()
            .flat_map(|topic| &topic.partition_responses);
        partitions.any(|p| {
            p.error_code == Errors::NotLeaderOrFollower.code() && p.current_leader.leader_id == id
        })
    };
    let brokers = topics
        .brokers()
        .iter()
        .filter(|(id, broker)| broker.alive && named(id.0));
    brokers
        .map(|(id, broker)| NodeEndpoint {
            node_id: id.0,
            host: broker.host.clone(),
            port: i32::from(broker.port),
            ..NodeEndpoint::default()
        })
        .collect()
}

const FIRST_VERSION_WITH_ZSTD: i16 = 7;
const FIRST_VERSION_WITH_LEADERS: i16 = 10;
const FIRST_VERSION_WITH_IDS: i16 = 13;
