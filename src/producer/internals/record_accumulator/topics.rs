//! Finds a topic's queues by its name and a partition's queue by its number, without locks and without counting references.
//!
//! Java: the `topicInfoMap` in `clients/producer/internals/RecordAccumulator.java`, its `TopicInfo`.
//! Differs: both tables only grow and never move an entry, so a reader needs no lock and an append borrows what it finds.
//! Threads: any. Locks: `PartitionLoad` (leaf), when the sticky choice changes.

use std::fmt;
use std::sync::Arc;

use crate::client::metadata_snapshot::TopicMetadata;
use crate::common::cluster::TopicPartition;
use crate::common::fast_hash::hash_of;
use crate::common::sync::{
    Mutex, OnceLock, Rank,
    atomic::{AtomicUsize, Ordering},
};
use crate::producer::internals::built_in_partitioner::{BuiltInPartitioner, PartitionLoad};
use crate::producer::internals::record_accumulator::partition_queue::PartitionQueue;
use crate::producer::internals::record_accumulator::ready_list::ReadyList;

/// All topics that were ever sent to.
pub(super) struct Topics {
    buckets: Box<[Link; BUCKETS]>,
    sticky_batch_size: usize,
    ready: Arc<ReadyList>,
    /// Every queue there is, for those who must look at all of them: close and abort.
    queues: Mutex<Vec<Arc<PartitionQueue>>>,
}

type Link = OnceLock<Box<TopicQueues>>;

/// The queues of one topic, and how records without a key are spread over them. Java: `TopicInfo`.
pub(crate) struct TopicQueues {
    name: Arc<str>,
    partitions: Partitions,
    pub(super) partitioner: BuiltInPartitioner,
    pub(super) load: Mutex<LoadTable>,
    /// Another topic in the same bucket.
    next: Link,
}

/// The load that the last choices were made by.
pub(super) struct LoadTable {
    pub(super) load: PartitionLoad,
    /// How many more choices it serves.
    pub(super) choices_left: usize,
}

impl Topics {
    pub(super) fn new(sticky_batch_size: usize, ready: Arc<ReadyList>) -> Self {
        Self {
            buckets: Box::new(std::array::from_fn(|_| Link::new())),
            sticky_batch_size,
            ready,
            queues: Mutex::new(Rank::Leaf, Vec::new()),
        }
    }

    /// The queues of a topic, made with the first call.
    #[inline]
    pub(super) fn topic(&self, metadata: &TopicMetadata) -> &TopicQueues {
        match self.bucket(metadata.name_hash).get() {
            // Most of the time the name is the very one that the topic was made with.
            Some(topic) if Arc::ptr_eq(&topic.name, &metadata.name) => topic,
            _ => self.find_or_make(metadata),
        }
    }

    fn find_or_make(&self, metadata: &TopicMetadata) -> &TopicQueues {
        let name = &metadata.name;
        let mut link = self.bucket(metadata.name_hash);
        loop {
            let topic = link.get_or_init(|| Box::new(self.new_topic(metadata)));
            if topic.name == *name {
                return topic;
            }
            link = &topic.next;
        }
    }

    /// The queues of a topic that was sent to before.
    pub(super) fn find(&self, name: &str) -> Option<&TopicQueues> {
        let mut link = self.bucket(hash_of(name));
        loop {
            let topic = link.get()?;
            if *topic.name == *name {
                return Some(topic);
            }
            link = &topic.next;
        }
    }

    /// The queue of one partition of `topic`, made with the first call. The caller knows that there is such a partition, so
    /// memory grows no further than the topic is wide.
    pub(super) fn queue<'a>(
        &self,
        topic: &'a TopicQueues,
        partition: i32,
    ) -> Option<&'a Arc<PartitionQueue>> {
        let cell = topic.partitions.cell(partition)?;
        Some(cell.get_or_init(|| {
            let tp = TopicPartition::new(Arc::clone(&topic.name), partition);
            let queue = Arc::new(PartitionQueue::new(tp, Arc::clone(&self.ready)));
            self.queues.lock().push(Arc::clone(&queue));
            topic.partitions.count.fetch_add(1, Ordering::Release);
            queue
        }))
    }

    /// Every queue there is.
    pub(super) fn queues(&self) -> Vec<Arc<PartitionQueue>> {
        self.queues.lock().clone()
    }

    #[inline]
    fn bucket(&self, name_hash: u64) -> &Link {
        &self.buckets[name_hash as usize % BUCKETS]
    }

    fn new_topic(&self, metadata: &TopicMetadata) -> TopicQueues {
        let table = LoadTable {
            load: PartitionLoad::Uniform,
            choices_left: 0,
        };
        TopicQueues {
            name: Arc::clone(&metadata.name),
            partitions: Partitions::new(metadata.partitions.len()),
            partitioner: BuiltInPartitioner::new(self.sticky_batch_size),
            load: Mutex::new(Rank::Leaf, table),
            next: Link::new(),
        }
    }
}

impl TopicQueues {
    /// The queue of a partition that was sent to before.
    #[inline]
    pub(super) fn find(&self, partition: i32) -> Option<&Arc<PartitionQueue>> {
        self.partitions.find(partition)?.get()
    }

    /// How many partitions were sent to.
    pub(super) fn used_partitions(&self) -> usize {
        self.partitions.count.load(Ordering::Acquire)
    }
}

impl fmt::Debug for Topics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topics").finish_non_exhaustive()
    }
}

/// Queues by number.
struct Partitions {
    /// Of the partitions that the topic had when it was sent to first.
    first: Box<[QueueCell]>,
    /// Of those that it got later: segments that double in size, each made when one of its numbers is used first.
    added: [OnceLock<Box<[QueueCell]>>; SEGMENTS],
    count: AtomicUsize,
}

type QueueCell = OnceLock<Arc<PartitionQueue>>;

impl Partitions {
    fn new(width: usize) -> Self {
        Self {
            first: empty_cells(width),
            added: std::array::from_fn(|_| OnceLock::new()),
            count: AtomicUsize::new(0),
        }
    }

    /// The cell of a partition, made where it is not there. Nothing for a negative number.
    fn cell(&self, partition: i32) -> Option<&QueueCell> {
        let number = usize::try_from(partition).ok()?;
        self.first.get(number).or_else(|| {
            let (segment, size, at) = place_of(number - self.first.len());
            self.added
                .get(segment)?
                .get_or_init(|| empty_cells(size))
                .get(at)
        })
    }

    #[inline]
    fn find(&self, partition: i32) -> Option<&QueueCell> {
        let number = usize::try_from(partition).ok()?;
        self.first.get(number).or_else(|| self.find_added(number))
    }

    #[cold]
    fn find_added(&self, number: usize) -> Option<&QueueCell> {
        let (segment, _, at) = place_of(number - self.first.len());
        self.added.get(segment)?.get()?.get(at)
    }
}

fn empty_cells(count: usize) -> Box<[QueueCell]> {
    (0..count).map(|_| QueueCell::new()).collect()
}

/// The segment of an added partition, its size, and the place in it.
fn place_of(added: usize) -> (usize, usize, usize) {
    let number = added + FIRST_SEGMENT;
    let segment = (number / FIRST_SEGMENT).ilog2();
    let size = FIRST_SEGMENT << segment;
    (segment as usize, size, number - size)
}

/// A scenario for the model checker has one topic and makes a new table for every schedule.
const BUCKETS: usize = if cfg!(shuttle) { 1 } else { 1024 };
const FIRST_SEGMENT: usize = 16;
/// Enough for every positive `i32`.
const SEGMENTS: usize = 28;
