//! OffsetFetch (9), versions 1 to 10: where groups have got to.
//!
//! Version 8 asks for several groups at once; from version 10 on topics are named by id. Version 1 has no place for an
//! error of the whole group, so each partition carries it.
//!
//! Java: `core/server/KafkaApis.scala`, `handleOffsetFetchRequest`.
//! Differs: nothing.
//! Threads: plain function. Locks: none.

use crate::protocol::errors::Errors;
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchResponse, OffsetFetchResponseGroup,
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};

pub(crate) fn failed(
    version: i16,
    request: &OffsetFetchRequest,
    error: Errors,
) -> OffsetFetchResponse {
    let groups = request.groups.iter().map(|group| OffsetFetchResponseGroup {
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

const FIRST_VERSION_WITH_GROUP_ERROR: i16 = 2;
