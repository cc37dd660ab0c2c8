//! What the metadata promises.

mod leaders;
mod refreshing;
mod topics;

use super::*;
use crate::client::metadata_snapshot::PartitionMetadata;
use crate::common::time::{SystemTime, Time};
use crate::protocol::Errors;
use crate::protocol::messages::metadata::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const MAX_AGE: Duration = ms(300_000);
const MAX_IDLE: Duration = ms(60_000);
const TOPIC: &str = "orders";
/// The newest version of the protocol that the client speaks.
const LATEST: i16 = 13;

/// Metadata and its time.
struct Fixture {
    metadata: Metadata,
    now: Instant,
}

impl Fixture {
    /// Knows one bootstrap server and is interested in `topics`.
    fn new(topics: &[&str]) -> Self {
        let config = MetadataConfig {
            refresh_backoff: ExponentialBackoff::new(ms(100), ms(1000)),
            max_age: MAX_AGE,
            max_idle: MAX_IDLE,
            random_seed: 3,
        };
        let now = SystemTime.now();
        let server = Node::new(-1, "bootstrap.example", 9092);
        let mut metadata = Metadata::new(&config, vec![server]);
        for topic in topics {
            metadata.add(topic, now);
        }
        Self { metadata, now }
    }

    fn time_to_next_update(&self) -> Duration {
        self.metadata.time_to_next_update(self.now)
    }

    fn request(&self) -> MetadataRequestAndVersion {
        self.metadata.new_metadata_request_and_version(self.now)
    }

    /// Answers the request that is due.
    fn answer(&mut self, response: &MetadataResponse) {
        self.answer_at(LATEST, response);
    }

    fn answer_at(&mut self, api_version: i16, response: &MetadataResponse) {
        let request = self.request();
        self.answer_request(request.version, api_version, response);
    }

    fn answer_request(
        &mut self,
        version: MetadataRequestVersion,
        api_version: i16,
        response: &MetadataResponse,
    ) {
        self.metadata
            .update(version, response, api_version, self.now)
            .expect("open");
    }

    fn leader(&self, partition: i32) -> Option<i32> {
        let leader = self.metadata.snapshot().leader_for(TOPIC, partition)?;
        Some(leader.id())
    }

    fn epoch(&self, partition: i32) -> Option<i32> {
        let partition = self.metadata.snapshot().partition(TOPIC, partition)?;
        partition.leader_epoch.map(|epoch| epoch.0)
    }
}

/// The names in a request.
fn names(request: &MetadataRequest) -> Vec<&str> {
    let topics = request.topics.iter().flatten();
    let mut names: Vec<_> = topics.filter_map(|t| t.name.as_deref()).collect();
    names.sort_unstable();
    names
}

/// Brokers 0 to 2 and some topics.
fn response(topics: impl IntoIterator<Item = MetadataResponseTopic>) -> MetadataResponse {
    let broker = |node_id| MetadataResponseBroker {
        node_id,
        host: format!("broker{node_id}.example"),
        port: 9092,
        rack: None,
    };
    MetadataResponse {
        brokers: (0..3).map(broker).collect(),
        cluster_id: Some("kafka-cluster".to_owned()),
        controller_id: 0,
        topics: topics.into_iter().collect(),
        ..MetadataResponse::default()
    }
}

/// A topic whose partitions have the given leaders and epochs.
fn topic(name: &str, partitions: &[(i32, i32)]) -> MetadataResponseTopic {
    let partition = |(index, &(leader_id, leader_epoch))| MetadataResponsePartition {
        partition_index: index,
        leader_id,
        leader_epoch,
        replica_nodes: vec![0, 1, 2],
        isr_nodes: vec![leader_id],
        ..MetadataResponsePartition::default()
    };
    MetadataResponseTopic {
        name: Some(name.to_owned()),
        partitions: (0..).zip(partitions).map(partition).collect(),
        ..MetadataResponseTopic::default()
    }
}

fn with_id(id: u8, topic: MetadataResponseTopic) -> MetadataResponseTopic {
    let topic_id = Uuid([id; 16]);
    MetadataResponseTopic { topic_id, ..topic }
}

fn failed_topic(name: &str, error: Errors) -> MetadataResponseTopic {
    MetadataResponseTopic {
        error_code: error.code(),
        ..topic(name, &[])
    }
}

fn hint(partition: i32, leader: i32, epoch: i32) -> LeaderHint {
    LeaderHint {
        topic_partition: TopicPartition::new(TOPIC, partition),
        leader: (leader >= 0).then_some(NodeId(leader)),
        epoch: LeaderEpoch::from_wire(epoch),
    }
}
