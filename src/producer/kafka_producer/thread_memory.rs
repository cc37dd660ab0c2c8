//! What a sending thread keeps from one send to the next: the topics it found last, memory for its serializers, and the
//! last timestamp.
//!
//! Java: none; `KafkaProducer.doSend` looks its topic up for every record, and serializers allocate.
//! Differs: a topic that was found is good for as long as the metadata stays the same, which one number tells.
//! Threads: each has its own. Locks: none.

use std::cell::Cell;
use std::sync::Arc;

use crate::client::metadata_snapshot::TopicMetadata;
use crate::common::short_names::is_same_name;
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
    /// The topic of the record before.
    latest: Option<Arc<TopicMetadata>>,
    others: Vec<Arc<TopicMetadata>>,
    /// The last timestamp.
    tick: Option<Tick>,
}

/// What is known to a thread that sends to a topic again.
pub(super) struct Known<'a> {
    pub(super) topic: &'a TopicMetadata,
    pub(super) tick: &'a mut Option<Tick>,
}

/// A thread's memory until it is dropped, and goes back.
pub(super) struct Lent(Option<Box<ThreadMemory>>);

impl ThreadMemory {
    /// Lends the thread's memory. User code that sends a record itself, inside of a send, finds it lent and works with a
    /// new one.
    #[inline]
    pub(super) fn lend() -> Lent {
        Lent(MEMORY.with(Cell::take))
    }
}

impl Lent {
    #[inline]
    pub(super) fn memory(&mut self) -> &mut ThreadMemory {
        self.0.get_or_insert_default()
    }
}

impl Drop for Lent {
    #[inline]
    fn drop(&mut self) {
        let back = self.0.take();
        if let Some(of_user_code) = MEMORY.with(|own| own.replace(back)) {
            drop(of_user_code);
        }
    }
}

impl Found {
    /// The topic, where it was found in the snapshot with this stamp before and has the partition that is wanted.
    #[inline]
    pub(super) fn find(&mut self, stamp: u64, wanted: Wanted<'_>) -> Option<Known<'_>> {
        if self.stamp != stamp {
            return None;
        }
        match &self.latest {
            Some(latest) if is_same_name(&latest.name, wanted.topic) => {}
            _ => self.make_latest(wanted.topic)?,
        }
        let topic = self.latest.as_deref().filter(|topic| wanted.is_in(topic))?;
        let tick = &mut self.tick;
        Some(Known { topic, tick })
    }

    fn make_latest(&mut self, topic: &str) -> Option<()> {
        let known = self.others.iter_mut().find(|known| *known.name == *topic)?;
        self.latest = self
            .latest
            .take()
            .map(|latest| std::mem::replace(known, latest));
        Some(())
    }

    /// Keeps a topic that was found in the snapshot with this stamp, or in a newer one, as the latest one.
    pub(super) fn keep(&mut self, stamp: u64, topic: Arc<TopicMetadata>) -> Known<'_> {
        if self.stamp != stamp || self.others.len() >= MOST_OTHERS {
            *self = Self {
                stamp,
                ..Self::default()
            };
        }
        self.others.extend(self.latest.take());
        Known {
            topic: self.latest.insert(topic),
            tick: &mut self.tick,
        }
    }
}

/// Empties a serializer's buffer, and does not keep one that a single large record has needed.
#[inline]
pub(super) fn clear(buffer: &mut Vec<u8>) {
    if buffer.is_empty() {
        return;
    }
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
const MOST_OTHERS: usize = 7;

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
        let known = found.find(stamp, Wanted { topic, partition });
        known.is_some_and(|known| {
            assert_eq!(*known.topic.name, *topic);
            true
        })
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
            found.find(7, Wanted { topic, partition }).is_some()
        };
        assert!(find(Some(0)) && !find(Some(1)) && !find(Some(-1)));
    }

    #[test]
    fn no_more_than_a_few_topics_are_kept() {
        let mut found = Found::default();
        for n in 0..1000 {
            found.keep(1, topic(&n.to_string()));
            assert!(found.others.len() <= MOST_OTHERS);
            assert!(find(&mut found, 1, &n.to_string()));
        }
    }

    #[test]
    fn a_send_inside_a_send_has_buffers_of_its_own() {
        let mut outer = ThreadMemory::lend();
        outer.memory().key.extend_from_slice(b"outer");
        let mut inner = ThreadMemory::lend();
        inner.memory().key.extend_from_slice(b"inner");
        drop(inner);
        assert_eq!(outer.memory().key, b"outer");
    }

    #[test]
    fn a_large_buffer_is_not_kept() {
        let mut buffer = vec![0; LARGEST_KEPT_BUFFER + 1];
        clear(&mut buffer);
        assert_eq!(buffer.capacity(), 0);
    }
}
