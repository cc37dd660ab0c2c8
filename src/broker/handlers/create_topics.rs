//! CreateTopics (19), versions 2 to 7: makes topics.
//!
//! From version 4, -1 partitions and -1 replicas mean the broker's defaults. From 5 the answer tells what was made,
//! from 7 with the topic's id.
//!
//! Java: `controller/ReplicationControlManager.java`.
//! Differs: any broker answers; of the topic configurations only those that change what the log does are known.
//! Threads: plain function. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::broker::cluster::topics::TopicPlan;
use crate::broker::log::unified_log::LogConfig;
use crate::common::cluster::NodeId;
use crate::protocol::errors::Errors;
use crate::protocol::messages::create_topics::{
    CreatableTopic, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse,
};

pub(crate) fn handle(core: &mut BrokerCore, request: &CreateTopicsRequest) -> CreateTopicsResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| create(core, topic, request.validate_only))
        .collect();
    CreateTopicsResponse {
        topics,
        ..CreateTopicsResponse::default()
    }
}

pub(crate) fn failed(request: &CreateTopicsRequest, error: Errors) -> CreateTopicsResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| refused(topic, error, error.name().to_owned()))
        .collect();
    CreateTopicsResponse {
        topics,
        ..CreateTopicsResponse::default()
    }
}

fn create(
    core: &mut BrokerCore,
    topic: &CreatableTopic,
    validate_only: bool,
) -> CreatableTopicResult {
    let plan = match plan(core, topic) {
        Ok(plan) => plan,
        Err(text) => return refused(topic, Errors::InvalidConfig, text),
    };
    let outcome = if validate_only {
        core.topics
            .check_plan(&topic.name, &plan)
            .map(|(partitions, replicas)| (None, partitions, replicas))
    } else {
        core.topics.create(&topic.name, &plan).map(|made| {
            let replicas = made
                .partitions
                .first()
                .map_or(0, |partition| partition.replicas.len());
            (Some(made.id), made.partitions.len(), replicas)
        })
    };
    match outcome {
        Ok((id, partitions, replicas)) => CreatableTopicResult {
            name: topic.name.clone(),
            topic_id: id.unwrap_or_default(),
            num_partitions: i32::try_from(partitions).unwrap_or(i32::MAX),
            replication_factor: i16::try_from(replicas).unwrap_or(i16::MAX),
            configs: Some(Vec::new()),
            ..CreatableTopicResult::default()
        },
        Err((error, text)) => refused(topic, error, text),
    }
}

fn plan(core: &BrokerCore, topic: &CreatableTopic) -> Result<TopicPlan, String> {
    let mut log = core.topics.defaults().log;
    for config in &topic.configs {
        log = apply(
            log,
            &config.name,
            config.value.as_deref().unwrap_or_default(),
        )?;
    }
    let mut assigned: Vec<_> = topic.assignments.iter().collect();
    assigned.sort_by_key(|partition| partition.partition_index);
    let nodes = |ids: &Vec<i32>| ids.iter().copied().map(NodeId).collect();
    Ok(TopicPlan {
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        log: Some(log),
        assignments: assigned.iter().map(|p| nodes(&p.broker_ids)).collect(),
    })
}

fn apply(log: LogConfig, name: &str, value: &str) -> Result<LogConfig, String> {
    let wrong = || format!("{value:?} is not a value of the topic configuration {name}");
    match name {
        "max.message.bytes" => Ok(LogConfig {
            max_message_bytes: value.parse().map_err(|_| wrong())?,
            ..log
        }),
        "message.timestamp.type" => match value {
            "CreateTime" => Ok(LogConfig {
                log_append_time: false,
                ..log
            }),
            "LogAppendTime" => Ok(LogConfig {
                log_append_time: true,
                ..log
            }),
            _ => Err(wrong()),
        },
        "min.insync.replicas" => match value.parse() {
            Ok(count) if count > 0 => Ok(LogConfig {
                min_insync_replicas: count,
                ..log
            }),
            _ => Err(wrong()),
        },
        "unclean.leader.election.enable" => Ok(LogConfig {
            unclean_leader_election: value.parse().map_err(|_| wrong())?,
            ..log
        }),
        // Retention and segments have no meaning in memory: taken and ignored, as a test would want it.
        _ => Ok(log),
    }
}

fn refused(topic: &CreatableTopic, error: Errors, text: String) -> CreatableTopicResult {
    CreatableTopicResult {
        name: topic.name.clone(),
        error_code: error.code(),
        error_message: Some(text),
        num_partitions: -1,
        replication_factor: -1,
        ..CreatableTopicResult::default()
    }
}
