//! Produce (0), versions 3 to 13: writes one batch to each partition that the request names.
//!
//! From version 8 a refused batch says which record is to blame, from 10 a broker that does not lead says who does
//! (KIP-951), from 13 topics are named by id. With acks=0 there is no answer: an error closes the connection.
//!
//! Java: `core/server/KafkaApis.scala`, `handleProduceRequest`; `core/server/ReplicaManager.scala`, `appendRecords`.
//! Differs: an answer that waits for followers is worked out at once and corrected if something comes between.
//! Threads: plain function. Locks: none.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::broker::broker_core::{BrokerCore, Now};
use crate::broker::cluster::partition::Partition;
use crate::broker::cluster::replica::Replica;
use crate::broker::cluster::topics::Topics;
use crate::broker::coordinator::coordinators::{Coordinators, Entry, FIRST_PRODUCE_THAT_JOINS};
use crate::broker::coordinator::transaction_metadata::Participant;
use crate::broker::handlers::At;
use crate::broker::kafka_apis::Answer;
use crate::broker::log::producer_state::Verdict;
use crate::broker::log::unified_log::{Appended, IncomingBatch, Refusal};
use crate::common::cluster::{NodeId, ProducerIdAndEpoch};
use crate::common::few::Few;
use crate::protocol::errors::Errors;
use crate::protocol::messages::produce::{
    LeaderIdAndEpoch, NodeEndpoint, PartitionProduceData, PartitionProduceResponse, ProduceRequest,
    ProduceResponse, TopicProduceData, TopicProduceResponse,
};

mod delayed;

pub(crate) use delayed::DelayedProduce;
use delayed::Waiting;

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
        acks: request.acks,
        transactional_id: request.transactional_id.as_deref(),
    };
    if !matches!(request.acks, -1..=1) {
        return Answer::Now(failed(request, Errors::InvalidRequiredAcks).into());
    }
    let mut waiting = Vec::new();
    let mut responses = Few::new();
    for topic in &request.topic_data {
        let by_id = if version >= FIRST_VERSION_WITH_IDS {
            core.topics.name_of(topic.topic_id).map(str::to_owned)
        } else {
            Some(topic.name.to_string())
        };
        let mut partition_responses = Few::new();
        for data in &topic.partition_data {
            let outcome = match &by_id {
                Some(name) => write(core, from, name, data),
                None => Err(refused(data.index, Errors::UnknownTopicId)),
            };
            partition_responses.push(match outcome {
                Ok((response, wait)) => {
                    waiting.push(wait);
                    response
                }
                Err(refused) => refused,
            });
        }
        responses.push(topic_response(topic, partition_responses));
    }
    let response = with_endpoints(&core.topics, broker, version, responses);
    if request.acks != -1 || waiting.is_empty() {
        return answer(request.acks, response);
    }
    let patience = u64::try_from(request.timeout_ms).unwrap_or_default();
    let delayed = DelayedProduce {
        broker,
        version,
        response,
        waiting,
    };
    Answer::WhenReplicated(delayed, Duration::from_millis(patience))
}

fn answer(acks: i16, response: ProduceResponse) -> Answer {
    let mut all = response
        .responses
        .iter()
        .flat_map(|t| &t.partition_responses);
    if acks != 0 {
        Answer::Now(response.into())
    } else if all.all(|p| p.error_code == 0) {
        Answer::Nothing
    } else {
        Answer::Close
    }
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
    acks: i16,
    transactional_id: Option<&'a str>,
}

/// Writes a batch at the leader. The answer holds once the followers that it waits for have the batch too.
fn write(
    core: &mut BrokerCore,
    from: Origin<'_>,
    topic: &str,
    data: &PartitionProduceData,
) -> Result<(PartitionProduceResponse, Waiting), PartitionProduceResponse> {
    let at = from.at;
    let (topics, coordinators) = (&mut core.topics, &mut core.coordinators);
    let topic_id = topics.get(topic).map(|topic| topic.id);
    let (Some(topic_id), Some(partition)) = (topic_id, topics.partition_mut(topic, data.index))
    else {
        return Err(refused(data.index, Errors::UnknownTopicOrPartition));
    };
    let Some(replica) = partition.led_by(at.broker) else {
        return Err(led_elsewhere(partition, at.broker, at.version, data.index));
    };
    if from.acks == -1 && !partition.has_enough_replicas(at.broker) {
        return Err(refused(data.index, Errors::NotEnoughReplicas));
    }
    let batch = replica
        .log
        .validate(data.records.as_ref())
        .map_err(|refusal| blamed(data.index, refusal))?;
    if batch.is_zstd() && at.version < FIRST_VERSION_WITH_ZSTD {
        return Err(refused(data.index, Errors::UnsupportedCompressionType));
    }
    let log_start_offset = replica.log.start_offset();
    let place = (topic, data.index);
    admit(coordinators, replica, &batch, place, from)
        .map_err(|error| refused(data.index, error))?;
    let verdict = batch
        .claim()
        .map_or(Verdict::Append, |claim| replica.judge(claim));
    let epoch = partition.as_seen_by(at.broker).epoch;
    let appended = match verdict {
        Verdict::Refuse(error) => {
            let refused = refused(data.index, error);
            return Err(PartitionProduceResponse {
                log_start_offset,
                ..refused
            });
        }
        Verdict::Duplicate {
            base_offset,
            log_append_time,
        } => Appended {
            base_offset,
            last_offset: base_offset + i64::from(batch.last_offset_delta()),
            log_append_time,
        },
        Verdict::Append => partition
            .append(at.broker, batch, at.now.wall_clock_ms)
            .ok_or_else(|| refused(data.index, Errors::KafkaStorageError))?,
    };
    let waiting = Waiting {
        topic: topic.to_owned(),
        topic_id,
        partition: data.index,
        epoch,
        last_offset: appended.last_offset,
    };
    Ok((written(data.index, appended, log_start_offset), waiting))
}

/// The answer of a broker that does not lead, as far as it knows; from version 10 on it says who does.
fn led_elsewhere(
    partition: &Partition,
    broker: NodeId,
    version: i16,
    index: i32,
) -> PartitionProduceResponse {
    let refused = refused(index, Errors::NotLeaderOrFollower);
    if version < FIRST_VERSION_WITH_LEADERS {
        return refused;
    }
    let seen = partition.as_seen_by(broker);
    PartitionProduceResponse {
        current_leader: LeaderIdAndEpoch {
            leader_id: seen.leader.map_or(-1, |node| node.0),
            leader_epoch: seen.epoch.0,
        },
        ..refused
    }
}

/// A batch of a transaction must be part of it, or become so.
fn admit(
    coordinators: &mut Coordinators,
    replica: &Replica,
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
    if replica.producers.has_open_transaction(producer_id, epoch) {
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
    partition_responses: Few<PartitionProduceResponse>,
) -> TopicProduceResponse {
    TopicProduceResponse {
        name: topic.name.to_string(),
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

/// From version 10 on the answer has the addresses of the leaders that it names.
fn with_endpoints(
    topics: &Topics,
    broker: NodeId,
    version: i16,
    responses: Few<TopicProduceResponse>,
) -> ProduceResponse {
    let mut node_endpoints = Vec::new();
    if version >= FIRST_VERSION_WITH_LEADERS {
        let refused = responses
            .iter()
            .flat_map(|topic| &topic.partition_responses)
            .filter(|p| p.error_code == Errors::NotLeaderOrFollower.code());
        let named: BTreeSet<i32> = refused.map(|p| p.current_leader.leader_id).collect();
        let brokers = topics.brokers().alive_as_seen_by(broker);
        node_endpoints.extend(brokers.filter(|(id, _)| named.contains(&id.0)).map(
            |(id, broker)| NodeEndpoint {
                node_id: id.0,
                host: broker.host.clone(),
                port: i32::from(broker.port),
                ..NodeEndpoint::default()
            },
        ));
    }
    ProduceResponse {
        responses,
        node_endpoints,
        ..ProduceResponse::default()
    }
}

const FIRST_VERSION_WITH_ZSTD: i16 = 7;
const FIRST_VERSION_WITH_LEADERS: i16 = 10;
const FIRST_VERSION_WITH_IDS: i16 = 13;
