//! TxnOffsetCommit (28), versions 0 to 5: offsets that a group gets when the transaction commits.
//!
//! From version 5 on the group joins the transaction by this request (KIP-890); before, it must have joined.
//!
//! Java: `core/server/KafkaApis.scala`, `handleTxnOffsetCommitRequest`.
//! Differs: no group has members.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::broker::coordinator::coordinators::{Entry, KeyType};
use crate::broker::coordinator::group_offsets::{CommittedOffset, Member};
use crate::broker::coordinator::transaction_metadata::Participant;
use crate::broker::handlers::At;
use crate::common::cluster::ProducerIdAndEpoch;
use crate::protocol::errors::Errors;
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};

pub(crate) fn handle(
    core: &mut BrokerCore,
    at: At,
    request: &TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let error = commit(core, at, request).err().unwrap_or(Errors::None);
    let topics = &core.topics;
    answer(request, |topic, partition| {
        if topics.partition(topic, partition).is_none() {
            Errors::UnknownTopicOrPartition
        } else {
            error
        }
    })
}

fn commit(core: &mut BrokerCore, at: At, request: &TxnOffsetCommitRequest) -> Result<(), Errors> {
    let group = &request.group_id;
    if group.is_empty() {
        return Err(Errors::InvalidGroupId);
    }
    let topics = &core.topics;
    let coordinators = &mut core.coordinators;
    let now = at.now.monotonic;
    let owners = coordinators.owners(KeyType::Group);
    owners.check(at.broker, group, now)?;
    let member = Member {
        generation: request.generation_id,
        id: &request.member_id,
        instance_id: request.group_instance_id.as_deref(),
    };
    let producer = ProducerIdAndEpoch {
        producer_id: request.producer_id,
        epoch: request.producer_epoch,
    };
    if !coordinators.groups.has_open_transaction(group, producer) {
        let entry = Entry {
            transactional_id: &request.transactional_id,
            producer,
            participant: Participant::Group(group.clone()),
            joins: at.version >= FIRST_VERSION_THAT_JOINS,
        };
        coordinators
            .admit(entry, now)
            .map_err(|error| said(error, at.version))?;
    }
    coordinators.groups.check_member(group, member)?;
    let offsets = request.topics.iter().flat_map(|topic| {
        let partitions = topic.partitions.iter();
        let known = partitions.filter(|wanted| {
            topics
                .partition(&topic.name, wanted.partition_index)
                .is_some()
        });
        known.map(|wanted| {
            let offset = CommittedOffset {
                offset: wanted.committed_offset,
                leader_epoch: wanted.committed_leader_epoch,
                metadata: wanted.committed_metadata.clone(),
            };
            ((topic.name.clone(), wanted.partition_index), offset)
        })
    });
    coordinators.groups.add_pending(group, producer, offsets)
}

/// What the transaction's coordinator says, in words that a client of the group's coordinator knows.
fn said(error: Errors, version: i16) -> Errors {
    match error {
        Errors::ProducerFenced => Errors::InvalidProducerEpoch,
        Errors::TransactionAbortable if version < FIRST_VERSION_WITH_ABORTABLE => {
            Errors::InvalidTxnState
        }
        Errors::ConcurrentTransactions if version < FIRST_VERSION_THAT_JOINS => {
            Errors::CoordinatorLoadInProgress
        }
        Errors::CoordinatorNotAvailable => Errors::CoordinatorLoadInProgress,
        error => error,
    }
}

pub(crate) fn failed(request: &TxnOffsetCommitRequest, error: Errors) -> TxnOffsetCommitResponse {
    answer(request, |_, _| error)
}

fn answer(
    request: &TxnOffsetCommitRequest,
    of: impl Fn(&str, i32) -> Errors,
) -> TxnOffsetCommitResponse {
    let partition = |topic: &str, index: i32| TxnOffsetCommitResponsePartition {
        partition_index: index,
        error_code: of(topic, index).code(),
    };
    let topics = request
        .topics
        .iter()
        .map(|topic| TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            partitions: (topic.partitions.iter())
                .map(|wanted| partition(&topic.name, wanted.partition_index))
                .collect(),
        });
    TxnOffsetCommitResponse {
        topics: topics.collect(),
        ..TxnOffsetCommitResponse::default()
    }
}

const FIRST_VERSION_WITH_ABORTABLE: i16 = 4;
const FIRST_VERSION_THAT_JOINS: i16 = 5;
