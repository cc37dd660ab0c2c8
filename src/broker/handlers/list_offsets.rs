//! ListOffsets (2), versions 1 to 11: the first and the next offset of a partition, and the offset at a time.
//!
//! Timestamp -1 means the next offset, -2 the first, -3 (from version 7) that of the largest timestamp, -4 (from 8) the
//! first local one; -5 (from 9) the last tiered one and -6 (from 11) the first not yet uploaded one do not exist here.
//!
//! Java: `core/server/KafkaApis.scala`, `handleListOffsetRequest`.
//! Differs: nothing is tiered.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::common::cluster::NodeId;
use crate::protocol::errors::Errors;
use crate::protocol::messages::list_offsets::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse,
};

pub(crate) fn handle(
    core: &BrokerCore,
    broker: NodeId,
    version: i16,
    request: &ListOffsetsRequest,
) -> ListOffsetsResponse {
    answer(request, |topic, partition| {
        let read_committed = request.isolation_level == READ_COMMITTED;
        let mut found = look_up(core, broker, topic, partition, read_committed);
        if version < FIRST_VERSION_WITH_EPOCHS {
            found.leader_epoch = -1;
        }
        let unknown_yet = found.error_code == Errors::OffsetNotAvailable.code();
        if unknown_yet && version < FIRST_VERSION_WITH_OFFSET_NOT_AVAILABLE {
            found.error_code = Errors::LeaderNotAvailable.code();
        }
        found
    })
}

pub(crate) fn failed(request: &ListOffsetsRequest, error: Errors) -> ListOffsetsResponse {
    answer(request, |_, partition| refused(partition, error))
}

fn answer(
    request: &ListOffsetsRequest,
    one: impl Fn(&str, &ListOffsetsPartition) -> ListOffsetsPartitionResponse,
) -> ListOffsetsResponse {
    let topics = request.topics.iter().map(|topic| ListOffsetsTopicResponse {
        name: topic.name.clone(),
        partitions: topic
            .partitions
            .iter()
            .map(|partition| one(&topic.name, partition))
            .collect(),
    });
    ListOffsetsResponse {
        topics: topics.collect(),
        ..ListOffsetsResponse::default()
    }
}

fn look_up(
    core: &BrokerCore,
    broker: NodeId,
    topic: &str,
    wanted: &ListOffsetsPartition,
    read_committed: bool,
) -> ListOffsetsPartitionResponse {
    let Some(partition) = core.topics.partition(topic, wanted.partition_index) else {
        return refused(wanted, Errors::UnknownTopicOrPartition);
    };
    let Some(replica) = partition.led_by(broker) else {
        return refused(wanted, Errors::NotLeaderOrFollower);
    };
    if let Some(error) = partition.check_epoch(broker, wanted.current_leader_epoch) {
        return refused(wanted, error);
    }
    let begun = replica.leading().map_or(0, |leading| leading.epoch_start);
    if wanted.timestamp == LATEST && replica.high_watermark() < begun {
        // A new leader does not know yet how far its predecessor let readers see (KIP-207).
        return refused(wanted, Errors::OffsetNotAvailable);
    }
    let log = &replica.log;
    let up_to = if read_committed {
        replica.last_stable_offset()
    } else {
        replica.high_watermark()
    };
    let (offset, timestamp) = match wanted.timestamp {
        LATEST => (up_to, -1),
        EARLIEST | EARLIEST_LOCAL => (log.start_offset(), -1),
        MAX_TIMESTAMP => log.largest_timestamp(up_to).unwrap_or((-1, -1)),
        time if time >= 0 => log.first_offset_at(time, up_to).unwrap_or((-1, -1)),
        _ => (-1, -1),
    };
    ListOffsetsPartitionResponse {
        partition_index: wanted.partition_index,
        error_code: Errors::None.code(),
        timestamp,
        offset,
        leader_epoch: if offset < 0 {
            -1
        } else {
            partition.as_seen_by(broker).epoch.0
        },
    }
}

fn refused(wanted: &ListOffsetsPartition, error: Errors) -> ListOffsetsPartitionResponse {
    ListOffsetsPartitionResponse {
        partition_index: wanted.partition_index,
        error_code: error.code(),
        timestamp: -1,
        offset: -1,
        leader_epoch: -1,
    }
}

/// Nothing that a transaction can take back; the other isolation level is 0.
const READ_COMMITTED: i8 = 1;
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const FIRST_VERSION_WITH_EPOCHS: i16 = 4;
const FIRST_VERSION_WITH_OFFSET_NOT_AVAILABLE: i16 = 5;
