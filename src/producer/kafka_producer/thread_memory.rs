//! What a sending thread keeps from one send to the next: the topics it found last, memory for its serializers, and the
//! last timestamp.
//!
//! Java: none; `KafkaProducer.doSend` looks its topic up for every record, and serializers allocate.
//! Differs: a topic that was found is good for as long as the metadata stays the same, which one number tells.
//! Threads: each has its own. Locks: none.

use std::cell::Cell;
use std::sync::Arc;

use crate::client::metadata_snapshot::TopicMetadata;
use crate::common::sync::thread_local;
use crate::producer::kafka_producer::metadata_wait::Wanted;
use crate::producer::kafka_producer::record_clock::Tick;

/// The memory of one thread, for all producers that it sends with.
#[derive(Debug, Default)]
pub(super) struct ThreadMemory {
    pub(super) found: Found,
    /// Where serializers may write to.
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// What holds for one snapshot of one producer's metadata.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The snapshot's stamp: differs for every snapshot of every producer.
    stamp: u64,
    topics: Vec<Arc<TopicMetadata>>,
    /// Where in `topics` that of the record before is.
    latest: usize,
    /// The last timestamp.
    tick: Option<Tick>,
}

impl ThreadMemory {
    /// Lends the thread's memory. User code that sends a record itself, inside of a send, finds it lent and works with a
    /// new one.
    #[inline]
    pub(super) fn with<R>(send: impl FnOnce(&mut Self) -> R) -> R {
        let mut memory = MEMORY.with(Cell::take).unwrap_or_default();
        let sent = send(&mut memory);
        if let Some(of_user_code) = MEMORY.with(|own| own.replace(Some(memory))) {
            drop(of_user_code);
        }
        sent
    }
}

impl Found {
    /// Whether the topic was found in the snapshot with this stamp before and has the partition that is wanted; it is the
    /// latest one then.
    #[inline]
    pub(super) fn find(&mut self, stamp: u64, wanted: Wanted<'_>) -> bool {
        let is_it = |topic: &Arc<TopicMetadata>| *topic.name == *wanted.topic;
        if self.stamp != stamp {
            return false;
        }
        if !self.topics.get(self.latest).is_some_and(is_it) {
            let Some(at) = self.topics.iter().position(is_it) else {
                return false;
            };
            self.latest = at;
        }
        wanted.is_in(&self.topics[self.latest])
    }

    /// Keeps a topic that was found in the snapshot with this stamp, or in a newer one, as the latest one.
    pub(super) fn keep(&mut self, stamp: u64, topic: Arc<TopicMetadata>) {
        if self.stamp != stamp || self.topics.len() >= MOST_TOPICS {
            self.stamp = stamp;
            self.topics.clear();
            self.tick = None;
        }
        self.latest = self.topics.len();
        self.topics.push(topic);
    }

    #[inline]
    pub(super) fn topic_and_tick(&mut self) -> (&TopicMetadata, &mut Option<Tick>) {
        (&self.topics[self.latest], &mut self.tick)
    }
}

/// Empties a serializer's buffer, and does not keep one that a single large record has needed.
#[inline]
pub(super) fn clear(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > LARGEST_KEPT_BUFFER {
        *buffer = Vec::new();
    }
}

thread_local! {
    static MEMORY: Cell<Option<Box<ThreadMemory>>> = const { Cell::new(None) };
}

const LARGEST_KEPT_BUFFER: usize = 64 * 1024;

/// A thread that sends to more topics in turn looks them up in the snapshot, which is not that slow.
const MOST_TOPICS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::metadata_snapshot::{PartitionMetadata, TopicUsage};
    use crate::common::cluster::Uuid;
    use crate::common::time::Time;
    use crate::testing::mock_time::MockTime;

    fn topic(name: &str) -> Arc<TopicMetadata> {
        let usage = Arc::new(TopicUsage::new(MockTime::shared().now()));
        Arc::new(TopicMetadata::new(
            name.into(),
            Uuid::ZERO,
            vec![PartitionMetadata::default()],
            usage,
        ))
    }

    fn find(found: &mut Found, stamp: u64, topic: &str) -> bool {
        let partition = None;
        let is_found = found.find(stamp, Wanted { topic, partition });
        assert!(!is_found || *found.topic_and_tick().0.name == *topic);
        is_found
    }

    #[test]
    fn a_topic_is_found_for_as_long_as_the_metadata_stays_the_same() {
        let mut found = Found::default();
        assert!(!find(&mut found, 0, "a"));
        found.keep(7, topic("a"));
        found.keep(7, topic("b"));
        assert!(find(&mut found, 7, "a") && find(&mut found, 7, "b"));
        assert!(!find(&mut found, 7, "c") && !find(&mut found, 8, "a"));
        found.keep(8, topic("b"));
        assert!(!find(&mut found, 8, "a") && find(&mut found, 8, "b"));
    }

    #[test]
    fn a_partition_that_the_topic_does_not_have_is_not_found() {
        let mut found = Found::default();
        found.keep(7, topic("a"));
        let mut find = |partition| {
            let topic = "a";
            found.find(7, Wanted { topic, partition })
        };
        assert!(find(Some(0)) && !find(Some(1)) && !find(Some(-1)));
    }

    #[test]
    fn no_more_than_a_few_topics_are_kept() {
        let mut found = Found::default();
        for n in 0..1000 {
            found.keep(1, topic(&n.to_string()));
            assert!(found.topics.len() <= MOST_TOPICS);
            assert!(find(&mut found, 1, &n.to_string()));
        }
    }

    #[test]
    fn a_send_inside_a_send_has_buffers_of_its_own() {
        ThreadMemory::with(|outer| {
            outer.key.extend_from_slice(b"outer");
            ThreadMemory::with(|inner| inner.key.extend_from_slice(b"inner"));
            assert_eq!(outer.key, b"outer");
        });
    }

    #[test]
    fn a_large_buffer_is_not_kept() {
        let mut buffer = vec![0; LARGEST_KEPT_BUFFER + 1];
        clear(&mut buffer);
        assert_eq!(buffer.capacity(), 0);
    }
}
