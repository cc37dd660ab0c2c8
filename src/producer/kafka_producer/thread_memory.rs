//! What a sending thread keeps from one send to the next: the topics it found last, memory for its serializers, and the
//! last timestamp.
//!
//! Java: none; `KafkaProducer.doSend` looks its topic up for every record, and serializers allocate.
//! Differs: a topic that was found is good for as long as the metadata stays the same, which one number tells.
//! Threads: each has its own. Locks: none.

use std::cell::RefCell;
use std::sync::Arc;

use crate::client::metadata_snapshot::TopicMetadata;
use crate::common::sync::thread_local;
use crate::producer::kafka_producer::record_clock::Tick;

/// The memory of one thread, for all producers that it sends with.
#[derive(Debug, Default)]
pub(super) struct ThreadMemory {
    pub(super) topics: FoundTopics,
    pub(super) scratch: Scratch,
}

/// What a send works with.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    /// Where serializers may write to.
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) tick: Option<Tick>,
}

/// Some topics of one snapshot of the metadata.
#[derive(Debug, Default)]
pub(super) struct FoundTopics {
    /// The snapshot's stamp: differs for every snapshot of every producer.
    stamp: u64,
    topics: Vec<Arc<TopicMetadata>>,
}

impl ThreadMemory {
    /// Lends the thread's memory, buffers empty. User code that sends a record itself, inside of a send, finds it lent
    /// and works with none.
    #[inline]
    pub(super) fn with<R>(send: impl FnOnce(&mut Self) -> R) -> R {
        MEMORY.with(|own| match own.try_borrow_mut() {
            Ok(mut memory) => {
                clear(&mut memory.scratch.key);
                clear(&mut memory.scratch.value);
                send(&mut memory)
            }
            Err(_) => send(&mut Self::default()),
        })
    }
}

impl FoundTopics {
    /// The topic, where it was found in the snapshot with this stamp before.
    #[inline]
    pub(super) fn find(&self, stamp: u64, name: &str) -> Option<&TopicMetadata> {
        if self.stamp != stamp {
            return None;
        }
        let found = self.topics.iter().find(|topic| *topic.name == *name);
        found.map(Arc::as_ref)
    }

    /// The topic was found in the snapshot with this stamp, or in a newer one.
    pub(super) fn keep(&mut self, stamp: u64, topic: &Arc<TopicMetadata>) {
        if self.stamp != stamp || self.topics.len() >= MOST_TOPICS {
            self.stamp = stamp;
            self.topics.clear();
        }
        self.topics.push(Arc::clone(topic));
    }
}

#[inline]
fn clear(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > LARGEST_KEPT_BUFFER {
        *buffer = Vec::new();
    }
}

thread_local! {
    static MEMORY: RefCell<ThreadMemory> = RefCell::default();
}

const LARGEST_KEPT_BUFFER: usize = 64 * 1024;

/// A thread that sends to more topics in turn looks them up in the snapshot, which is not that slow.
const MOST_TOPICS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::metadata_snapshot::TopicUsage;
    use crate::common::cluster::Uuid;
    use crate::common::time::Time;
    use crate::testing::mock_time::MockTime;

    fn topic(name: &str) -> Arc<TopicMetadata> {
        let usage = Arc::new(TopicUsage::new(MockTime::shared().now()));
        Arc::new(TopicMetadata::new(
            name.into(),
            Uuid::ZERO,
            Vec::new(),
            usage,
        ))
    }

    #[test]
    fn a_topic_is_found_for_as_long_as_the_metadata_stays_the_same() {
        let mut found = FoundTopics::default();
        assert!(found.find(0, "a").is_none());
        found.keep(7, &topic("a"));
        found.keep(7, &topic("b"));
        assert!(found.find(7, "a").is_some() && found.find(7, "b").is_some());
        assert!(found.find(7, "c").is_none() && found.find(8, "a").is_none());
        found.keep(8, &topic("b"));
        assert!(found.find(8, "a").is_none() && found.find(8, "b").is_some());
    }

    #[test]
    fn no_more_than_a_few_topics_are_kept() {
        let mut found = FoundTopics::default();
        for n in 0..1000 {
            found.keep(1, &topic(&n.to_string()));
            assert!(found.topics.len() <= MOST_TOPICS);
            assert!(found.find(1, &n.to_string()).is_some());
        }
    }

    #[test]
    fn a_send_inside_a_send_has_buffers_of_its_own() {
        ThreadMemory::with(|outer| {
            outer.scratch.key.extend_from_slice(b"outer");
            ThreadMemory::with(|inner| inner.scratch.key.extend_from_slice(b"inner"));
            assert_eq!(outer.scratch.key, b"outer");
        });
        ThreadMemory::with(|next| assert!(next.scratch.key.is_empty()));
    }
}
