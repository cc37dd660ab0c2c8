//! Looks at a topic's queues when its next sticky partition is chosen.
//!
//! Java: `clients/producer/internals/RecordAccumulator.java` (the queue sizes in `partitionReady`).
//! Differs: looks when a choice is made, not on every pass of the I/O thread.
//! Threads: any. Locks: `PartitionLoad` (leaf).

use crate::client::metadata_snapshot::TopicMetadata;
use crate::producer::internals::built_in_partitioner::PartitionLoad;
use crate::producer::internals::record_accumulator::RecordAccumulator;
use crate::producer::internals::record_accumulator::topics::TopicQueues;

impl RecordAccumulator {
    /// The next sticky partition of a topic.
    pub(super) fn choose(&self, topic: &TopicQueues, metadata: &TopicMetadata) -> i32 {
        let random = (self.random)();
        let partitions = metadata.partitions.len();
        let mut table = topic.load.lock();
        if table.choices_left == 0 {
            // Looking at the nodes takes another leaf lock.
            drop(table);
            let load = self.partition_load(topic, metadata);
            table = topic.load.lock();
            table.load = load;
            // Each choice stands for a batch; so a batch pays for at most this many looks.
            table.choices_left = 1 + partitions / LOOKS_PER_CHOICE;
        }
        table.choices_left = table.choices_left.saturating_sub(1);
        let load = &table.load;
        load.next_partition(random, &metadata.available, partitions)
    }

    pub(super) fn partition_load(
        &self,
        topic: &TopicQueues,
        metadata: &TopicMetadata,
    ) -> PartitionLoad {
        let all_used = topic.used_partitions() >= metadata.partitions.len();
        if !self.config.adaptive_partitioning || !all_used {
            return PartitionLoad::Uniform;
        }
        let sizes: Vec<_> = (0..)
            .zip(&metadata.partitions)
            .filter_map(|(number, partition)| {
                let leader = partition.leader?;
                let queue = topic.find(number)?;
                let size = (!self.latencies.is_slow(leader)).then(|| queue.len());
                Some((number, size))
            })
            .collect();
        PartitionLoad::from_queue_sizes(&sizes)
    }
}

const LOOKS_PER_CHOICE: usize = 64;
