//! OffsetFetch (9), versions 1 to 10: where groups have got to.
//!
//! Version 8 asks for several groups at once; from version 10 on topics are named by id. Version 1 has no place for an
//! error of the whole group, so each partition carries it.
//!
//! Java: `core/server/KafkaApis.scala`, `handleOffsetFetchRequest`.
//! Differs: nothing.
//! Threads: plain function. Locks: none.

use std::collections::{BTreeMap, BTreeSet};

use crate::broker::broker_core::BrokerCore;
use crate::broker::coordinator::coordinators::KeyType;
use crate::broker::coordinator::group_offsets::Group;
use crate::broker::handlers::At;
use crate::protocol::errors::Errors;
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};

pub(crate) fn handle(
    core: &BrokerCore,
    at: At,
    request: &OffsetFetchRequest,
) -> OffsetFetchResponse {
    if at.version < FIRST_VERSION_WITH_GROUPS {
        return one_group(core, at, request);
    }
    let groups = request.groups.iter();
    OffsetFetchResponse {
        groups: groups
            .map(|group| group_of_many(core, at, group, request.require_stable))
            .collect(),
        ..OffsetFetchResponse::default()
    }
}

pub(crate) fn failed(
    version: i16,
    request: &OffsetFetchRequest,
    error: Errors,
) -> OffsetFetchResponse {
    let several = version >= FIRST_VERSION_WITH_GROUPS;
    let groups = request.groups.iter().filter(|_| several);
    let groups = groups.map(|group| OffsetFetchResponseGroup {
        group_id: group.group_id.clone(),
        error_code: error.code(),
        ..OffsetFetchResponseGroup::default()
    });
    let without = |index: &i32| OffsetFetchResponsePartition {
        partition_index: *index,
        committed_offset: -1,
        metadata: Some(String::new()),
        error_code: error.code(),
        ..OffsetFetchResponsePartition::default()
    };
    let of_partitions = version < FIRST_VERSION_WITH_GROUP_ERROR;
    let topics = request.topics.iter().flatten().filter(|_| of_partitions);
    OffsetFetchResponse {
        topics: topics
            .map(|topic| OffsetFetchResponseTopic {
                name: topic.name.clone(),
                partitions: topic.partition_indexes.iter().map(without).collect(),
            })
            .collect(),
        error_code: error.code(),
        groups: groups.collect(),
        ..OffsetFetchResponse::default()
    }
}

fn one_group(core: &BrokerCore, at: At, request: &OffsetFetchRequest) -> OffsetFetchResponse {
    if let Err(error) = check(core, at, &request.group_id) {
        return failed(at.version, request, error);
    }
    let wanted = request.topics.as_ref().map(|topics| {
        let topics = topics.iter();
        topics
            .map(|topic| (topic.name.clone(), topic.partition_indexes.clone()))
            .collect()
    });
    let found = look_up(core, &request.group_id, wanted, request.require_stable);
    let topics = found.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter();
        let partitions = partitions.map(|found| OffsetFetchResponsePartition {
            partition_index: found.partition_index,
            committed_offset: found.committed_offset,
            committed_leader_epoch: found.committed_leader_epoch,
            metadata: found.metadata,
            error_code: found.error_code,
        });
        OffsetFetchResponseTopic {
            name,
            partitions: partitions.collect(),
        }
    });
    OffsetFetchResponse {
        topics: topics.collect(),
        ..OffsetFetchResponse::default()
    }
}

fn group_of_many(
    core: &BrokerCore,
    at: At,
    request: &OffsetFetchRequestGroup,
    require_stable: bool,
) -> OffsetFetchResponseGroup {
    let mut response = OffsetFetchResponseGroup {
        group_id: request.group_id.clone(),
        ..OffsetFetchResponseGroup::default()
    };
    if let Err(error) = check(core, at, &request.group_id) {
        response.error_code = error.code();
        return response;
    }
    let by_id = at.version >= FIRST_VERSION_WITH_IDS;
    let mut wanted = request.topics.as_ref().map(|_| Vec::new());
    for topic in request.topics.iter().flatten() {
        let name = if by_id {
            core.topics.name_of(topic.topic_id).map(str::to_owned)
        } else {
            Some(topic.name.clone())
        };
        match name {
            Some(name) => {
                wanted
                    .get_or_insert_default()
                    .push((name, topic.partition_indexes.clone()));
            }
            None => response.topics.push(OffsetFetchResponseTopics {
                topic_id: topic.topic_id,
                partitions: (topic.partition_indexes.iter())
                    .map(|index| without(*index, Errors::UnknownTopicId))
                    .collect(),
                ..OffsetFetchResponseTopics::default()
            }),
        }
    }
    let found = look_up(core, &request.group_id, wanted, require_stable);
    response
        .topics
        .extend(found.into_iter().map(|(name, partitions)| {
            let topic_id = core.topics.get(&name).map(|topic| topic.id);
            OffsetFetchResponseTopics {
                topic_id: topic_id.unwrap_or_default(),
                name,
                partitions,
            }
        }));
    response
}

fn check(core: &BrokerCore, at: At, group: &str) -> Result<(), Errors> {
    let owners = core.coordinators.owners(KeyType::Group);
    owners.check(at.broker, group, at.now.monotonic)
}

/// The offsets of some partitions, or of all that the group has any for.
fn look_up(
    core: &BrokerCore,
    group: &str,
    wanted: Option<Vec<(String, Vec<i32>)>>,
    require_stable: bool,
) -> Vec<(String, Vec<OffsetFetchResponsePartitions>)> {
    let group = core.coordinators.groups.get(group);
    let wanted = wanted.unwrap_or_else(|| group.map_or_else(Vec::new, everything));
    let one = |topic: &str, index: i32| {
        let partition = (topic.to_owned(), index);
        let Some(group) = group else {
            return without(index, Errors::None);
        };
        if require_stable && group.is_unstable(&partition) {
            return without(index, Errors::UnstableOffsetCommit);
        }
        match group.committed().get(&partition) {
            Some(found) => OffsetFetchResponsePartitions {
                partition_index: index,
                committed_offset: found.offset,
                committed_leader_epoch: found.leader_epoch,
                metadata: Some(found.metadata.clone().unwrap_or_default()),
                error_code: 0,
            },
            None => without(index, Errors::None),
        }
    };
    let topics = wanted.into_iter().map(|(topic, indexes)| {
        let found = indexes.iter().map(|index| one(&topic, *index)).collect();
        (topic, found)
    });
    topics.collect()
}

/// The partitions with an offset, committed or pending.
fn everything(group: &Group) -> Vec<(String, Vec<i32>)> {
    let mut topics: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for (topic, partition) in group.committed().keys().chain(group.unstable()) {
        topics.entry(topic.clone()).or_default().insert(*partition);
    }
    let topics = topics.into_iter();
    topics
        .map(|(topic, partitions)| (topic, partitions.into_iter().collect()))
        .collect()
}

fn without(partition_index: i32, error: Errors) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        metadata: Some(String::new()),
        error_code: error.code(),
        ..OffsetFetchResponsePartitions::default()
    }
}

const FIRST_VERSION_WITH_GROUPS: i16 = 8;
const FIRST_VERSION_WITH_IDS: i16 = 10;
const FIRST_VERSION_WITH_GROUP_ERROR: i16 = 2;
