//! Keeps what is known about the cluster, and decides when to ask again and for what.
//!
//! Java: `clients/Metadata.java`, `clients/producer/internals/ProducerMetadata.java` (the topics).
//! Differs: a core without lock and clock; errors are part of the snapshot they came with, so nobody takes them away from
//! another waiter; back-off is drawn once per answer instead of at each look.
//! Threads: whoever holds the lock of the `MetadataHandle`. Locks: none of its own.

mod refresh_schedule;
mod response;
mod topics_of_interest;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::metadata::refresh_schedule::RefreshSchedule;
use crate::client::metadata::topics_of_interest::TopicsOfInterest;
use crate::client::metadata_snapshot::{MetadataSnapshot, TopicUsage};
use crate::common::cluster::{LeaderEpoch, Node, NodeId, TopicPartition, Uuid};
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::fast_hash::FastMap;
use crate::common::kafka_error::KafkaError;
use crate::protocol::messages::metadata::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse,
};

/// What `Metadata` needs to know from the configuration.
#[derive(Debug, Clone)]
pub(crate) struct MetadataConfig {
    /// `retry.backoff.ms` and `retry.backoff.max.ms`: between two answers that brought nothing new.
    pub(crate) refresh_backoff: ExponentialBackoff,
    /// `metadata.max.age.ms`: ask again although nobody wants to know.
    pub(crate) max_age: Duration,
    /// `metadata.max.idle.ms`: forget a topic that nobody used for this long.
    pub(crate) max_idle: Duration,
    /// Seeds the jitter.
    pub(crate) random_seed: u64,
}

/// The cluster as far as it is known, and the wish to know more.
#[derive(Debug)]
pub(crate) struct Metadata {
    snapshot: Arc<MetadataSnapshot>,
    topics: TopicsOfInterest,
    /// What was seen last of each topic of interest; outlives the topic's place in the snapshot, so that a broker that is
    /// behind cannot bring an old leader back.
    last_seen: FastMap<Arc<str>, LastSeen>,
    schedule: RefreshSchedule,
    /// Rises with each new topic, so that an answer to an older request does not count as one about that topic.
    request_version: u64,
    bootstrap: Vec<Node>,
    last_connection_error: Option<Arc<str>>,
    is_closed: bool,
}

/// A request for metadata, and what has to be known when its answer comes.
#[derive(Debug)]
pub(crate) struct MetadataRequestAndVersion {
    pub(crate) request: MetadataRequest,
    pub(crate) version: MetadataRequestVersion,
}

/// Which wishes a request for metadata covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MetadataRequestVersion {
    request_version: u64,
    pub(crate) is_partial: bool,
}

/// What a broker said about a partition's leader in passing (KIP-951).
#[derive(Debug, Clone)]
pub(crate) struct LeaderHint {
    pub(crate) topic_partition: TopicPartition,
    pub(crate) leader: Option<NodeId>,
    pub(crate) epoch: Option<LeaderEpoch>,
}

impl Metadata {
    /// Knows nothing but the bootstrap servers, and wants to know all.
    pub(crate) fn new(config: &MetadataConfig, bootstrap: Vec<Node>) -> Self {
        let mut metadata = Self {
            snapshot: Arc::default(),
            topics: TopicsOfInterest::new(config.max_idle),
            last_seen: FastMap::default(),
            schedule: RefreshSchedule::new(config),
            request_version: 0,
            bootstrap,
            last_connection_error: None,
            is_closed: false,
        };
        metadata.rebootstrap();
        metadata
    }

    /// Forgets the brokers and begins again with the bootstrap servers (KIP-899). Topics survive without their leaders, so
    /// that the application can go on filling batches, and so do the epochs seen last.
    pub(crate) fn rebootstrap(&mut self) {
        let next = self.snapshot.rebootstrapped(self.bootstrap.clone());
        self.publish(next);
        self.schedule.request_full_update(false);
    }

    pub(crate) fn snapshot(&self) -> &Arc<MetadataSnapshot> {
        &self.snapshot
    }

    /// The version of the snapshot.
    pub(crate) fn version(&self) -> u64 {
        self.snapshot.version
    }

    /// Notes that the application uses `topic`. A topic that is new is asked for at once, without back-off.
    pub(crate) fn add(&mut self, topic: &str, now: Instant) -> Arc<TopicUsage> {
        let next_request = self.request_version + 1;
        let (usage, is_new) = self.topics.add(topic, next_request, now);
        if is_new {
            self.request_update_for_new_topics();
        }
        usage
    }

    #[cfg(test)]
    pub(crate) fn contains_topic(&self, topic: &str) -> bool {
        self.topics.contains(topic)
    }

    /// Wants to know more about `topic` than the snapshot of the returned version says.
    pub(crate) fn request_update_for_topic(&mut self, topic: &str) -> u64 {
        if self.topics.is_new(topic) {
            self.request_update_for_new_topics()
        } else {
            self.request_update(false)
        }
    }

    /// Wants everything to be asked again. `reset` says that the reason is a new one, so that answers which brought nothing
    /// new for an older reason do not hold it back.
    pub(crate) fn request_update(&mut self, reset: bool) -> u64 {
        self.schedule.request_full_update(reset);
        self.version()
    }

    fn request_update_for_new_topics(&mut self) -> u64 {
        self.schedule.request_partial_update();
        self.request_version += 1;
        self.version()
    }

    /// Whether the next request will be for everything.
    #[cfg(test)]
    pub(crate) fn full_update_requested(&self) -> bool {
        self.schedule.full_update_requested()
    }

    /// How long until it is time to ask; zero where it is time.
    pub(crate) fn time_to_next_update(&self, now: Instant) -> Duration {
        self.schedule.time_to_next_update(now)
    }

    /// The request that is due: about the new topics only where the rest is fresh.
    pub(crate) fn new_metadata_request_and_version(
        &self,
        now: Instant,
    ) -> MetadataRequestAndVersion {
        let is_partial = self.schedule.partial_update_suffices(now);
        let names = self.topics.names(is_partial);
        let topics = names.map(|name| MetadataRequestTopic {
            topic_id: Uuid::ZERO,
            name: Some(name.to_string()),
        });
        MetadataRequestAndVersion {
            request: MetadataRequest {
                topics: Some(topics.collect()),
                allow_auto_topic_creation: true,
                ..MetadataRequest::default()
            },
            version: MetadataRequestVersion {
                request_version: self.request_version,
                is_partial,
            },
        }
    }

    /// Takes in a response of protocol version `api_version` to the request of `version`.
    ///
    /// # Errors
    /// Where nobody is interested any more.
    pub(crate) fn update(
        &mut self,
        version: MetadataRequestVersion,
        response: &MetadataResponse,
        api_version: i16,
        now: Instant,
    ) -> Result<(), KafkaError> {
        if self.is_closed {
            return Err(KafkaError::illegal_state(
                "metadata response after the client was closed",
            ));
        }
        let answers_all = version.request_version >= self.request_version;
        self.schedule.updated(version.is_partial, answers_all, now);
        self.last_connection_error = None;
        let previous = self.snapshot.cluster_id.clone();
        let next = self.handle_metadata_response(version.is_partial, response, api_version, now);
        if next.cluster_id != previous {
            log::info!(
                "cluster id: {}",
                next.cluster_id.as_deref().unwrap_or("none")
            );
        }
        self.topics.answered(version.request_version);
        self.publish(next);
        Ok(())
    }

    /// A request for metadata brought nothing: the next one waits longer.
    pub(crate) fn failed_update(&mut self, now: Instant) {
        self.schedule.failed(now);
    }

    /// Nothing can be learnt about this cluster; every waiter is told.
    pub(crate) fn fatal_error(&mut self, error: KafkaError) {
        let mut next = (*self.snapshot).clone();
        next.fatal_error = Some(error);
        self.publish(next);
    }

    /// A connection could not be made or was lost. Kept for the message of whoever waits for metadata in vain.
    pub(crate) fn connection_failed(&mut self, reason: Arc<str>) {
        self.last_connection_error = Some(reason);
    }

    /// Why the last connection failed, unless metadata came since.
    pub(crate) fn last_connection_error(&self) -> Option<&Arc<str>> {
        self.last_connection_error.as_ref()
    }

    /// Wakes every waiter; no update is taken any more.
    pub(crate) fn close(&mut self) {
        self.is_closed = true;
        let next = (*self.snapshot).clone();
        self.publish(next);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn publish(&mut self, mut next: MetadataSnapshot) {
        next.version = self.snapshot.version + 1;
        self.snapshot = Arc::new(next);
    }
}

/// The last answer about a topic.
#[derive(Debug, Default)]
struct LastSeen {
    /// All zero where the answer had no id.
    topic_id: Uuid,
    /// At the partition's number each; nothing where the broker was too old to say it reliably.
    epochs: Vec<Option<LeaderEpoch>>,
}

impl LastSeen {
    fn epoch(&self, partition: usize) -> Option<LeaderEpoch> {
        self.epochs.get(partition).copied().flatten()
    }

    fn set_epoch(&mut self, partition: usize, epoch: Option<LeaderEpoch>) {
        if partition >= self.epochs.len() {
            self.epochs.resize(partition + 1, None);
        }
        if let Some(slot) = self.epochs.get_mut(partition) {
            *slot = epoch;
        }
    }
}

#[cfg(test)]
mod tests;
