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
    /// The first request that asks for this topic, until it is answered.
    asked_by: Option<u64>,
}

impl TopicsOfInterest {
    pub(super) fn new(max_idle: Duration) -> Self {
        Self {
            max_idle,
            topics: FastMap::default(),
        }
    }

    /// The topic is used now. One that was not known before is asked for by the request `next_request`; also says whether
    /// that is so.
    pub(super) fn add(
        &mut self,
        topic: &str,
        next_request: u64,
        now: Instant,
    ) -> (Arc<TopicUsage>, bool) {
        if let Some(interest) = self.topics.get(topic) {
            interest.usage.touch(now);
            return (Arc::clone(&interest.usage), false);
        }
        let usage = Arc::new(TopicUsage::new(now));
        let interest = Interest {
            usage: Arc::clone(&usage),
            asked_by: can_be_asked_for(topic).then_some(next_request),
        };
        let is_new = interest.asked_by.is_some();
        self.topics.insert(topic.into(), interest);
        (usage, is_new)
    }

    pub(super) fn contains(&self, topic: &str) -> bool {
        self.topics.contains_key(topic)
    }

    pub(super) fn is_new(&self, topic: &str) -> bool {
        let topic = self.topics.get(topic);
        topic.is_some_and(|topic| topic.asked_by.is_some())
    }

    /// A request was answered, whatever the answer says about its topics, and even if it says nothing: a full update will
    /// ask again.
    pub(super) fn answered(&mut self, request: u64) {
        for interest in self.topics.values_mut() {
            interest.asked_by = interest.asked_by.filter(|asked_by| *asked_by > request);
        }
    }

    /// The topic's name and usage, unless nobody uses it any more; then it is forgotten. Java: `retainTopic`.
    pub(super) fn retain_topic(
        &mut self,
        topic: &str,
        now: Instant,
    ) -> Option<(Arc<str>, Arc<TopicUsage>)> {
        let (name, interest) = self.topics.get_key_value(topic)?;
        if interest.asked_by.is_some() || interest.usage.idle(now) < self.max_idle {
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
            .filter(move |(_, interest)| interest.asked_by.is_some() || !only_new)
            .map(|(name, _)| name)
            .filter(|name| can_be_asked_for(name))
    }
}

/// A name that no request can carry must not keep the requests from being sent; its waiters wait in vain.
fn can_be_asked_for(topic: &str) -> bool {
    i16::try_from(topic.len()).is_ok()
}
