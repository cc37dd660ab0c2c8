//! Metadata (3), versions 0 to 13: brokers, topics, leaders.
//!
//! No topic list means all topics, an empty one means none (from version 1). From version 10 topics have ids, from 12
//! they may be asked for by id alone.
//!
//! Java: `core/server/KafkaApis.scala`, `handleTopicMetadataRequest`.
//! Differs: a topic made on demand is complete in the same answer, where Kafka answers LEADER_NOT_AVAILABLE first.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::broker::cluster::partition::Partition;
use crate::broker::cluster::topics::{Topic, TopicPlan, Topics};
use crate::common::cluster::{NodeId, Uuid};
use crate::protocol::errors::Errors;
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};

pub(crate) fn handle(core: &mut BrokerCore, request: &MetadataRequest) -> MetadataResponse {
    let topics = match &request.topics {
        None => core
            .topics
            .iter()
            .map(|(name, topic)| describe(&core.topics, name, topic))
            .collect(),
        Some(wanted) => {
            let auto_create =
                request.allow_auto_topic_creation && core.topics.defaults().auto_create;
            wanted
                .iter()
                .map(|topic| describe_wanted(&mut core.topics, topic, auto_create))
                .collect()
        }
    };
    let alive = core
        .topics
        .brokers()
        .iter()
        .filter(|(_, broker)| broker.alive);
    let brokers: Vec<_> = alive
        .map(|(id, broker)| MetadataResponseBroker {
            node_id: id.0,
            host: broker.host.clone(),
            port: i32::from(broker.port),
            rack: None,
        })
        .collect();
    MetadataResponse {
        controller_id: brokers.first().map_or(-1, |broker| broker.node_id),
        brokers,
        cluster_id: Some(core.cluster_id.clone()),
        topics,
        ..MetadataResponse::default()
    }
}

/// An answer that knows no brokers and in which every topic has failed.
pub(crate) fn failed(request: &MetadataRequest, error: Errors) -> MetadataResponse {
    let topic = |wanted: &MetadataRequestTopic| MetadataResponseTopic {
        error_code: error.code(),
        name: wanted.name.clone(),
        topic_id: wanted.topic_id,
        ..MetadataResponseTopic::default()
    };
    MetadataResponse {
        error_code: error.code(),
        topics: request.topics.iter().flatten().map(topic).collect(),
        ..MetadataResponse::default()
    }
}

fn describe_wanted(
    topics: &mut Topics,
    wanted: &MetadataRequestTopic,
    auto_create: bool,
) -> MetadataResponseTopic {
    let missing = |error: Errors, name: Option<String>| MetadataResponseTopic {
        error_code: error.code(),
        name,
        topic_id: wanted.topic_id,
        ..MetadataResponseTopic::default()
    };
    let Some(name) = &wanted.name else {
        return match topics
            .name_of(wanted.topic_id)
            .and_then(|name| Some((name, topics.get(name)?)))
        {
            Some((name, topic)) => describe(topics, name, topic),
            None => missing(Errors::UnknownTopicId, None),
        };
    };
    if topics.get(name).is_none() {
        if !auto_create {
            let illegal = topics
                .check_plan(name, &TopicPlan::DEFAULT)
                .is_err_and(|(e, _)| e == Errors::InvalidTopicException);
            let error = if illegal {
                Errors::InvalidTopicException
            } else {
                Errors::UnknownTopicOrPartition
            };
            return missing(error, Some(name.clone()));
        }
        if let Err((error, _)) = topics.create(name, &TopicPlan::DEFAULT) {
            return missing(error, Some(name.clone()));
        }
    }
    match topics.get(name) {
        Some(topic) => describe(topics, name, topic),
        None => missing(Errors::UnknownTopicOrPartition, Some(name.clone())),
    }
}

fn describe(topics: &Topics, name: &str, topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.partitions.iter().zip(0..);
    MetadataResponseTopic {
        name: Some(name.to_owned()),
        topic_id: if topic.id.is_zero() {
            Uuid::ZERO
        } else {
            topic.id
        },
        partitions: partitions
            .map(|(partition, index)| describe_partition(topics, partition, index))
            .collect(),
        ..MetadataResponseTopic::default()
    }
}

fn describe_partition(
    topics: &Topics,
    partition: &Partition,
    index: i32,
) -> MetadataResponsePartition {
    let ids = |keep: &dyn Fn(NodeId) -> bool| -> Vec<i32> {
        partition
            .replicas
            .iter()
            .filter(|node| keep(**node))
            .map(|node| node.0)
            .collect()
    };
    let error = if partition.leader.is_some() {
        Errors::None
    } else {
        Errors::LeaderNotAvailable
    };
    MetadataResponsePartition {
        error_code: error.code(),
        partition_index: index,
        leader_id: partition.leader.map_or(-1, |node| node.0),
        leader_epoch: partition.leader_epoch.0,
        replica_nodes: ids(&|_| true),
        isr_nodes: ids(&|node| topics.is_alive(node)),
        offline_replicas: ids(&|node| !topics.is_alive(node)),
    }
}
