//! The wire form of what the transaction manager asks, and of what it is answered.
//!
//! Java: the builders and `handleResponse`s in `clients/producer/internals/TransactionManager.java`, the request classes
//! in `common/requests` (`AddPartitionsToTxnRequest`, `TxnOffsetCommitRequest`, `EndTxnRequest` ..).
//! Differs: plain functions from one form to the other.
//! Threads: plain functions. Locks: none.

use crate::client::client_request::RequestBuilder;
use crate::common::cluster::{Node, ProducerIdAndEpoch, TopicPartition};
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::producer::internals::transaction_manager::{
    CoordinatorKey, GroupOffsets, InitProducerId, TransactionId, TransactionVersion,
    TxnRequestBody, TxnResponse,
};
use crate::protocol::ApiKeys;
use crate::protocol::errors::Errors;
use crate::protocol::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use crate::protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::protocol::messages::find_coordinator::{
    FindCoordinatorRequest, FindCoordinatorResponse,
};
use crate::protocol::messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use crate::protocol::requests::{RequestBody, ResponseBody};

impl TxnRequestBody {
    /// For errors and logs.
    pub(super) fn name(&self) -> ApiKeys {
        match self {
            TxnRequestBody::FindCoordinator(_) => ApiKeys::FindCoordinator,
            TxnRequestBody::InitProducerId(_) => ApiKeys::InitProducerId,
            TxnRequestBody::AddPartitionsToTxn { .. } => ApiKeys::AddPartitionsToTxn,
            TxnRequestBody::AddOffsetsToTxn { .. } => ApiKeys::AddOffsetsToTxn,
            TxnRequestBody::TxnOffsetCommit { .. } => ApiKeys::TxnOffsetCommit,
            TxnRequestBody::EndTxn { .. } => ApiKeys::EndTxn,
        }
    }
}

/// The request, whatever version it will have.
pub(super) fn builder(body: TxnRequestBody) -> RequestBuilder {
    match body {
        TxnRequestBody::FindCoordinator(key) => {
            RequestBuilder::new(ApiKeys::FindCoordinator, move |version| {
                Ok(find_coordinator(&key, version))
            })
        }
        TxnRequestBody::InitProducerId(init) => init_producer_id(init),
        TxnRequestBody::AddPartitionsToTxn {
            transaction,
            partitions,
        } => RequestBuilder::of(add_partitions(&transaction, &partitions)),
        TxnRequestBody::AddOffsetsToTxn {
            transaction,
            group_id,
        } => RequestBuilder::of(AddOffsetsToTxnRequest {
            transactional_id: transaction.transactional_id.to_string(),
            producer_id: transaction.identity.producer_id,
            producer_epoch: transaction.identity.epoch,
            group_id,
        }),
        TxnRequestBody::TxnOffsetCommit {
            transaction,
            offsets,
        } => {
            let newest = newest(&transaction, TXN_OFFSET_COMMIT_OF_V1);
            RequestBuilder::new(ApiKeys::TxnOffsetCommit, move |version| {
                txn_offset_commit(&transaction, &offsets, version)
            })
            .at_most(newest)
        }
        TxnRequestBody::EndTxn {
            transaction,
            commit,
        } => {
            let newest = newest(&transaction, END_TXN_OF_V1);
            RequestBuilder::of(EndTxnRequest {
                transactional_id: transaction.transactional_id.to_string(),
                producer_id: transaction.identity.producer_id,
                producer_epoch: transaction.identity.epoch,
                committed: commit,
            })
            .at_most(newest)
        }
    }
}

/// What the answer means. Whatever is odd about it is no success.
pub(super) fn read(request: &TxnRequestBody, body: ResponseBody) -> TxnResponse {
    let response = match (request, body) {
        (TxnRequestBody::FindCoordinator(key), ResponseBody::FindCoordinator(body)) => {
            coordinator(key, body)
        }
        (TxnRequestBody::InitProducerId(init), ResponseBody::InitProducerId(body)) => {
            identity(init, &body)
        }
        (
            TxnRequestBody::AddPartitionsToTxn { partitions, .. },
            ResponseBody::AddPartitionsToTxn(body),
        ) => {
            let topics = body.results_by_topic_v3_and_below.iter();
            let answers = topics.flat_map(|topic| {
                let results = topic.results_by_partition.iter();
                results.map(|p| (&*topic.name, p.partition_index, p.partition_error_code))
            });
            Ok(TxnResponse::Partitions(answers_for(
                partitions.iter(),
                &answers.collect::<Vec<_>>(),
            )))
        }
        (TxnRequestBody::AddOffsetsToTxn { .. }, ResponseBody::AddOffsetsToTxn(body)) => {
            check(ApiKeys::AddOffsetsToTxn, body.error_code).map(|()| TxnResponse::OffsetsAdded)
        }
        (TxnRequestBody::TxnOffsetCommit { offsets, .. }, ResponseBody::TxnOffsetCommit(body)) => {
            let topics = body.topics.iter();
            let answers = topics.flat_map(|topic| {
                let partitions = topic.partitions.iter();
                partitions.map(|p| (&*topic.name, p.partition_index, p.error_code))
            });
            Ok(TxnResponse::Partitions(answers_for(
                offsets.offsets.keys(),
                &answers.collect::<Vec<_>>(),
            )))
        }
        (TxnRequestBody::EndTxn { .. }, ResponseBody::EndTxn(body)) => ended(&body),
        _ => Err(KafkaError::new(
            ErrorKind::UnknownServer,
            format!(
                "the answer to {} belongs to another request",
                request.name()
            ),
        )),
    };
    response.unwrap_or_else(TxnResponse::Failed)
}

fn find_coordinator(key: &CoordinatorKey, version: i16) -> RequestBody {
    let (name, key_type) = match key {
        CoordinatorKey::Group(group) => (group.clone(), KEY_OF_GROUP),
        CoordinatorKey::Transaction(id) => (id.to_string(), KEY_OF_TRANSACTION),
    };
    let mut request = FindCoordinatorRequest {
        key_type,
        ..FindCoordinatorRequest::default()
    };
    if version >= FIND_COORDINATORS {
        request.coordinator_keys = vec![name];
    } else {
        request.key = name;
    }
    request.into()
}

fn init_producer_id(init: InitProducerId) -> RequestBuilder {
    let oldest = if init.two_phase_commit {
        INIT_WITH_TWO_PHASE_COMMIT
    } else {
        0
    };
    RequestBuilder::new(ApiKeys::InitProducerId, move |version| {
        // Older brokers count up the epoch without being told which one is meant.
        let identity = if version >= INIT_WITH_EPOCH {
            init.identity
        } else {
            ProducerIdAndEpoch::NONE
        };
        let request = InitProducerIdRequest {
            transactional_id: init.transactional_id.map(|id| id.to_string()),
            transaction_timeout_ms: init.transaction_timeout_ms,
            producer_id: identity.producer_id,
            producer_epoch: identity.epoch,
            enable_2_pc: init.two_phase_commit,
            keep_prepared_txn: init.keep_prepared,
        };
        Ok(request.into())
    })
    .at_least(oldest)
}

fn add_partitions(
    transaction: &TransactionId,
    partitions: &[TopicPartition],
) -> AddPartitionsToTxnRequest {
    let topics = by_topic(partitions.iter().map(|tp| (tp, tp.partition())));
    let topic = |(name, partitions)| AddPartitionsToTxnTopic { name, partitions };
    AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: transaction.transactional_id.to_string(),
        v3_and_below_producer_id: transaction.identity.producer_id,
        v3_and_below_producer_epoch: transaction.identity.epoch,
        v3_and_below_topics: topics.into_iter().map(topic).collect(),
        ..AddPartitionsToTxnRequest::default()
    }
}

fn txn_offset_commit(
    transaction: &TransactionId,
    GroupOffsets { group, offsets }: &GroupOffsets,
    version: i16,
) -> Result<RequestBody, KafkaError> {
    if version < COMMIT_WITH_MEMBER && group.names_a_member() {
        let text = format!(
            "the broker cannot check the member of group {} (TxnOffsetCommit {version}, it takes {COMMIT_WITH_MEMBER})",
            group.group_id()
        );
        return Err(KafkaError::new(ErrorKind::UnsupportedVersion, text));
    }
    let topics = by_topic(offsets.iter().map(|(tp, offset)| {
        let partition = TxnOffsetCommitRequestPartition {
            partition_index: tp.partition(),
            committed_offset: offset.offset(),
            committed_leader_epoch: offset.leader_epoch().unwrap_or(-1),
            committed_metadata: Some(offset.metadata().to_owned()),
        };
        (tp, partition)
    }));
    let topic = |(name, partitions)| TxnOffsetCommitRequestTopic { name, partitions };
    let request = TxnOffsetCommitRequest {
        transactional_id: transaction.transactional_id.to_string(),
        group_id: group.group_id().to_owned(),
        producer_id: transaction.identity.producer_id,
        producer_epoch: transaction.identity.epoch,
        generation_id: group.generation_id(),
        member_id: group.member_id().to_owned(),
        group_instance_id: group.group_instance_id().map(str::to_owned),
        topics: topics.into_iter().map(topic).collect(),
    };
    Ok(request.into())
}

/// What is said of partitions, topic by topic; those of one topic stand together already.
fn by_topic<'a, T>(
    partitions: impl Iterator<Item = (&'a TopicPartition, T)>,
) -> Vec<(String, Vec<T>)> {
    let mut topics: Vec<(String, Vec<T>)> = Vec::new();
    for (tp, partition) in partitions {
        match topics.last_mut() {
            Some((topic, said)) if topic == tp.topic() => said.push(partition),
            _ => topics.push((tp.topic().to_owned(), vec![partition])),
        }
    }
    topics
}

/// The highest version that a transaction of its version may be spoken of with.
fn newest(transaction: &TransactionId, of_v1: i16) -> i16 {
    match transaction.version {
        TransactionVersion::V1 => of_v1,
        TransactionVersion::V2 => i16::MAX,
    }
}

fn coordinator(
    key: &CoordinatorKey,
    body: FindCoordinatorResponse,
) -> Result<TxnResponse, KafkaError> {
    let name = match key {
        CoordinatorKey::Group(group) => group.as_str(),
        CoordinatorKey::Transaction(id) => id,
    };
    let (error, id, host, port) = if body.coordinators.is_empty() {
        (body.error_code, body.node_id, body.host, body.port)
    } else {
        let mut answers = body.coordinators.into_iter();
        let Some(found) = answers.find(|answer| answer.key == name) else {
            return Err(odd(
                ApiKeys::FindCoordinator,
                "it names no coordinator for the key",
            ));
        };
        (found.error_code, found.node_id, found.host, found.port)
    };
    check(ApiKeys::FindCoordinator, error)?;
    let port =
        u16::try_from(port).map_err(|_| odd(ApiKeys::FindCoordinator, "the port is not one"))?;
    if id < 0 || host.is_empty() {
        return Err(odd(ApiKeys::FindCoordinator, "it names no node"));
    }
    Ok(TxnResponse::Coordinator(Node::new(id, host, port)))
}

fn identity(
    init: &InitProducerId,
    body: &InitProducerIdResponse,
) -> Result<TxnResponse, KafkaError> {
    match Errors::from_code(body.error_code) {
        Errors::ClusterAuthorizationFailed if init.transactional_id.is_none() => {
            return Err(KafkaError::new(
                ErrorKind::ClusterAuthorization,
                "the request for a producer id failed: not authorized to do idempotent sends, which need IdempotentWrite \
                 on the cluster or Write on a topic",
            ));
        }
        _ => check(ApiKeys::InitProducerId, body.error_code)?,
    }
    let identity = ProducerIdAndEpoch {
        producer_id: body.producer_id,
        epoch: body.producer_epoch,
    };
    let is_odd = body.producer_id < 0 || body.producer_epoch < 0;
    if is_odd && !planted!("negative-id-is-used") {
        // A batch with a negative id would be written without any check for duplicates.
        let text = format!(
            "the request for a producer id failed: the broker gave producer id {} with epoch {}",
            body.producer_id, body.producer_epoch
        );
        return Err(KafkaError::new(ErrorKind::Disconnect, text));
    }
    let prepared = ProducerIdAndEpoch {
        producer_id: body.ongoing_txn_producer_id,
        epoch: body.ongoing_txn_producer_epoch,
    };
    Ok(if init.keep_prepared && body.ongoing_txn_producer_id >= 0 {
        TxnResponse::Prepared { identity, prepared }
    } else {
        TxnResponse::InitProducerId(identity)
    })
}

fn ended(body: &EndTxnResponse) -> Result<TxnResponse, KafkaError> {
    if !planted!("odd-end-is-a-commit") {
        check(ApiKeys::EndTxn, body.error_code)?;
    }
    let next = ProducerIdAndEpoch {
        producer_id: body.producer_id,
        epoch: body.producer_epoch,
    };
    Ok(TxnResponse::Ended(next.is_valid().then_some(next)))
}

/// The answer for each partition that was asked for. One that is left out is asked for again.
fn answers_for<'a>(
    asked: impl Iterator<Item = &'a TopicPartition>,
    answers: &[(&str, i32, i16)],
) -> Vec<(TopicPartition, Option<KafkaError>)> {
    asked
        .map(|tp| {
            let mut found = answers.iter();
            let found =
                found.find(|(topic, index, _)| *topic == tp.topic() && *index == tp.partition());
            let error = match found {
                Some((_, _, code)) => refusal(*code, &tp.to_string()),
                None if planted!("left-out-is-added") => None,
                None => Some(KafkaError::new(
                    ErrorKind::Disconnect,
                    format!("the answer leaves out {tp}"),
                )),
            };
            (tp.clone(), error)
        })
        .collect()
}

fn check(api: ApiKeys, code: i16) -> Result<(), KafkaError> {
    refusal(code, api.name()).map_or(Ok(()), Err)
}

fn refusal(code: i16, what: &str) -> Option<KafkaError> {
    let error = Errors::from_code(code);
    let kind = error.kind()?;
    let text = format!("{what} failed: {}: {}", error.name(), error.text());
    Some(KafkaError::new(kind, text))
}

fn odd(api: ApiKeys, why: &str) -> KafkaError {
    let text = format!("the answer to {api} makes no sense: {why}");
    KafkaError::new(ErrorKind::UnknownServer, text)
}

const KEY_OF_GROUP: i8 = 0;
const KEY_OF_TRANSACTION: i8 = 1;
/// From here on FindCoordinator asks for several at once.
const FIND_COORDINATORS: i16 = 4;
/// The first version of InitProducerId that says whose epoch is to be counted up (KIP-360).
const INIT_WITH_EPOCH: i16 = 3;
/// The first version of InitProducerId with an outside coordinator (KIP-939).
const INIT_WITH_TWO_PHASE_COMMIT: i16 = 6;
/// The first version of TxnOffsetCommit that names the consumer (KIP-447).
const COMMIT_WITH_MEMBER: i16 = 3;
/// The last versions before transaction version 2 (KIP-890).
const TXN_OFFSET_COMMIT_OF_V1: i16 = 4;
const END_TXN_OF_V1: i16 = 4;

#[cfg(test)]
mod tests;
