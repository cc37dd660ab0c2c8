//! Metadata (3), versions 0 to 13: brokers, topics, leaders.
//!
//! No topic list means all topics, an empty one means none (from version 1). From version 10 topics have ids, from 12
//! they may be asked for by id alone.
//!
//! Java: `core/server/KafkaApis.scala`, `handleTopicMetadataRequest`.
//! Differs: a broker that has missed the news answers what it knew; a topic made on demand is complete in the same answer, where Kafka answers LEADER_NOT_AVAILABLE first.
//! Threads: plain function. Locks: none.

use std::collections::BTreeSet;

use crate::broker::broker_core::BrokerCore;
use crate::broker::cluster::partition::Leadership;
use crate::broker::cluster::topics::{Topic, TopicPlan, Topics};
use crate::common::cluster::NodeId;
use crate::protocol::errors::Errors;
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};

pub(crate) fn handle(
    core: &mut BrokerCore,
    broker: NodeId,
    request: &MetadataRequest,
) -> MetadataResponse {
    let topics = match &request.topics {
        None => core
            .topics
            .iter()
            .map(|(name, topic)| describe(&core.topics, broker, name, topic))
            .collect(),
        Some(wanted) => {
            let auto_create =
                request.allow_auto_topic_creation && core.topics.defaults().auto_create;
            wanted
                .iter()
                .map(|topic| describe_wanted(&mut core.topics, broker, topic, auto_create))
                .collect()
        }
    };
    let alive = core.topics.brokers().alive_as_seen_by(broker);
    let brokers: Vec<_> = alive
        .map(|(id, state)| MetadataResponseBroker {
            node_id: id.0,
            host: state.host.clone(),
            port: i32::from(state.port),
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
    broker: NodeId,
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
            Some((name, topic)) => describe(topics, broker, name, topic),
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
        Some(topic) => describe(topics, broker, name, topic),
        None => missing(Errors::UnknownTopicOrPartition, Some(name.clone())),
    }
}

fn describe(topics: &Topics, broker: NodeId, name: &str, topic: &Topic) -> MetadataResponseTopic {
    let alive: BTreeSet<NodeId> = topics
        .brokers()
        .alive_as_seen_by(broker)
        .map(|(id, _)| id)
        .collect();
    let partitions = topic.partitions.iter().zip(0..);
    MetadataResponseTopic {
        name: Some(name.to_owned()),
        topic_id: topic.id,
        partitions: partitions
            .map(|(partition, index)| {
                let seen = partition.as_seen_by(broker);
                describe_partition(&alive, &partition.replicas, seen, index)
            })
            .collect(),
        ..MetadataResponseTopic::default()
    }
}

fn describe_partition(
    alive: &BTreeSet<NodeId>,
    replicas: &[NodeId],
    seen: &Leadership,
    index: i32,
) -> MetadataResponsePartition {
    let numbers = |nodes: &[NodeId]| nodes.iter().map(|node| node.0).collect();
    let leader = seen.leader.filter(|leader| alive.contains(leader));
    let error = match leader {
        Some(_) => Errors::None,
        None => Errors::LeaderNotAvailable,
    };
    let gone = replicas.iter().filter(|node| !alive.contains(node));
    MetadataResponsePartition {
        error_code: error.code(),
        partition_index: index,
        leader_id: leader.map_or(-1, |node| node.0),
        leader_epoch: seen.epoch.0,
        replica_nodes: numbers(replicas),
        isr_nodes: numbers(&seen.isr),
        offline_replicas: gone.map(|node| node.0).collect(),
    }
}
