//! The topics that the application sends to, and how long each is worth asking for.
//!
//! Java: `clients/producer/internals/ProducerMetadata.java` (`topics`, `newTopics`).
//! Differs: the time of the last use is shared with the snapshots, so that a send touches it without the lock.
//! Threads: part of `Metadata`. Locks: none.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::metadata_snapshot::TopicUsage;
use crate::common::fast_hash::FastMap;

/// Topics by name.
#[derive(Debug)]
pub(super) struct TopicsOfInterest {
    max_idle: Duration,
    topics: FastMap<Arc<str>, Interest>,
}

#[derive(Debug)]
struct Interest {
    usage: Arc<TopicUsage>,
    /// No answer was about this topic yet.
    is_new: bool,
}

impl TopicsOfInterest {
    pub(super) fn new(max_idle: Duration) -> Self {
        Self {
            max_idle,
            topics: FastMap::default(),
        }
    }

    /// The topic is used now; also says whether it was not known before.
    pub(super) fn add(&mut self, topic: &str, now: Instant) -> (Arc<TopicUsage>, bool) {
        if let Some(interest) = self.topics.get(topic) {
            interest.usage.touch(now);
            return (Arc::clone(&interest.usage), false);
        }
        let usage = Arc::new(TopicUsage::new(now));
        let interest = Interest {
            usage: Arc::clone(&usage),
            is_new: true,
        };
        self.topics.insert(topic.into(), interest);
        (usage, true)
    }

    pub(super) fn contains(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    pub(super) fn is_new(&self, topic: &str) -> bool {
        self.topics.get(topic).is_some_and(|topic| topic.is_new)
    }

    /// The first answer about a topic came, even if it was an error: a full update will ask again.
    pub(super) fn answered(&mut self, topic: &str) {
        if let Some(interest) = self.topics.get_mut(topic) {
            interest.is_new = false;
        }
    }

    /// The topic's name and usage, unless nobody uses it any more; then it is forgotten. Java: `retainTopic`.
    pub(super) fn retain_topic(
        &mut self,
        topic: &str,
        now: Instant,
    ) -> Option<(Arc<str>, Arc<TopicUsage>)> {
        let (name, interest) = self.topics.get_key_value(topic)?;
        if interest.is_new || interest.usage.idle(now) < self.max_idle {
            return Some((Arc::clone(name), Arc::clone(&interest.usage)));
        }
        let idle = interest.usage.idle(now).as_millis();
        log::debug!("removing topic {topic}, which was not used for {idle} ms");
        self.topics.remove(topic);
        None
    }

    /// All topics, or those that no answer was about yet.
    pub(super) fn names(&self, only_new: bool) -> impl Iterator<Item = &Arc<str>> {
        self.topics
            .iter()
            .filter(move |(_, interest)| interest.is_new || !only_new)
            .map(|(name, _)| name)
    }
}
