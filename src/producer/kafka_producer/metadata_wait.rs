//! The bounded wait for a topic's metadata.
//!
//! Java: `clients/producer/KafkaProducer.java` (`waitOnMetadata`, `partitionsFor`).
//! Differs: a known topic takes no lock; an error is judged from the snapshot that came with it, so that several waiters
//! for several bad topics all fail at once.
//! Threads: any but the I/O thread, which never waits here. Locks: `ProducerMetadata`, for short and in its wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::Guard;

use crate::client::metadata_handle::MetadataHandle;
use crate::client::metadata_snapshot::{MetadataSnapshot, TopicMetadata};
use crate::common::cluster::PartitionInfo;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::{KafkaError, TimeLimit};
use crate::common::time::deadline;
use crate::producer::internals::producer_metadata::fatal_topic_error;
use crate::producer::kafka_producer::Inner;

/// A view of the cluster in which the topic is known, and the time when that was so.
pub(super) type Seen = (Guard<Arc<MetadataSnapshot>>, Instant);

/// What is waited for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: Option<i32>,
}

impl<K: ?Sized, V: ?Sized> Inner<K, V> {
    /// Waits until the topic is known, with at least as many partitions as are wanted.
    pub(super) fn wait_on_metadata(
        &self,
        wanted: Wanted<'_>,
        now: Instant,
        max_block: Duration,
    ) -> Result<Seen, KafkaError> {
        if let Some(seen) = self.look(wanted, now) {
            return Ok(seen);
        }
        if let Some(error) = fatal_topic_error(&self.metadata.current(), wanted.topic) {
            if error.kind() == ErrorKind::InvalidTopic {
                return Err(error);
            }
        }
        self.process.check()?;
        self.wait_for_topic(wanted, now, self.patience(max_block))
    }

    pub(super) fn partitions_for(&self, topic: &str) -> Result<Vec<PartitionInfo>, KafkaError> {
        if topic.is_empty() {
            return Err(KafkaError::illegal_argument("the topic has no name"));
        }
        self.check_open()?;
        let wanted = Wanted {
            topic,
            partition: None,
        };
        let (snapshot, _) =
            self.wait_on_metadata(wanted, self.time.now(), self.limits.max_block)?;
        Ok(snapshot.partition_infos(topic))
    }

    /// The I/O thread must not wait for what it has to bring itself.
    fn patience(&self, max_block: Duration) -> Duration {
        if self.accumulator.is_io_thread() {
            Duration::ZERO
        } else {
            max_block
        }
    }

    /// The view of this moment, where it has what is wanted.
    fn look(&self, wanted: Wanted<'_>, now: Instant) -> Option<Seen> {
        let snapshot = self.metadata.current();
        wanted.find_in(&snapshot)?.usage.touch(now);
        Some((snapshot, now))
    }

    fn wait_for_topic(
        &self,
        wanted: Wanted<'_>,
        start: Instant,
        max_block: Duration,
    ) -> Result<Seen, KafkaError> {
        let until = deadline(start, max_block);
        let mut now = start;
        loop {
            let Some(version) = self.request_update(wanted, now) else {
                if let Some(seen) = self.look(wanted, now) {
                    return Ok(seen);
                }
                continue;
            };
            self.closing.wakeup();
            let updated = match self.metadata.await_update(version, until) {
                Ok(updated) => updated,
                Err(error) if error.kind() == ErrorKind::Timeout => {
                    return Err(self.late(wanted, max_block));
                }
                Err(error) => return Err(error),
            };
            now = self.time.now();
            if now >= until {
                return Err(self.late(wanted, max_block));
            }
            if let Some(error) = fatal_topic_error(&updated, wanted.topic) {
                return Err(error);
            }
        }
    }

    /// Asks for news of the topic, and says newer than what they must be; nothing where the news is there already, since
    /// another thread may have asked for it.
    fn request_update(&self, wanted: Wanted<'_>, now: Instant) -> Option<u64> {
        self.metadata.with(|core| {
            // Again in each round: the topic may have expired in the meantime.
            core.add(wanted.topic, now);
            let is_known = wanted.find_in(core.snapshot()).is_some();
            (!is_known).then(|| core.request_update_for_topic(wanted.topic))
        })
    }

    fn late(&self, wanted: Wanted<'_>, max_block: Duration) -> KafkaError {
        let snapshot = self.metadata.current();
        let topic = wanted.topic;
        let ms = max_block.as_millis();
        let mut message = match (wanted.partition, snapshot.partition_count(topic)) {
            (Some(partition), Some(count)) => format!(
                "partition {partition} of topic {topic} with {count} partitions is not present in the metadata after {ms} ms"
            ),
            _ => format!("topic {topic} is not present in the metadata after {ms} ms"),
        };
        let topic_error = snapshot
            .topic_error(topic)
            .map(|error| error.exception(None));
        match (&topic_error, self.metadata.last_connection_error()) {
            (Some(error), _) => {
                message.push_str("; the cluster said: ");
                message.push_str(error.message());
            }
            (None, Some(reason)) if snapshot.is_bootstrap => {
                message.push_str("; last connection: ");
                message.push_str(&reason);
            }
            _ => {}
        }
        let error = KafkaError::timeout(TimeLimit::MaxBlock, message);
        match topic_error.filter(KafkaError::is_retriable) {
            Some(cause) => error.with_source(cause),
            None => error,
        }
    }
}

impl Wanted<'_> {
    /// Whether the topic is known with at least as many partitions as are wanted.
    #[inline]
    pub(super) fn is_in(&self, topic: &TopicMetadata) -> bool {
        match self.partition {
            Some(partition) => topic.partition(partition).is_some(),
            None => !topic.partitions.is_empty(),
        }
    }

    fn find_in<'s>(&self, snapshot: &'s MetadataSnapshot) -> Option<&'s TopicMetadata> {
        let topic = snapshot.topic(self.topic)?;
        self.is_in(topic).then_some(&**topic)
    }
}
