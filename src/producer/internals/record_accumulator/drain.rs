//! Takes the batches that go into one request.
//!
//! Java: `clients/producer/internals/RecordAccumulator.java` (`drainBatchesForOneNode`, `shouldStopDrainBatchesForPartition`).
//! Differs: a partition that is held back does not hide those behind it; a pass takes every ready partition of the node
//! once; batches are sealed without a lock.
//! Threads: the I/O thread. Locks: `PartitionQueue`, `TransactionManager` inside it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::common::cluster::NodeId;
use crate::common::planted::planted;
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::record_accumulator::partition_queue::{
    LockedQueue, PartitionQueue, Place,
};
use crate::producer::internals::record_accumulator::record_drainer::RecordDrainer;
use crate::producer::internals::transaction_manager::BatchId;
use crate::record::compression_type::CompressionType;

impl RecordDrainer {
    /// Whether the node has partitions that the last look found sendable.
    pub(crate) fn may_drain(&self, node: NodeId) -> bool {
        self.sendable
            .get(&node)
            .is_some_and(|list| !list.is_empty())
    }

    /// Adds to `batches`, which is empty, those for one request to `node`: at most one per partition, together at most
    /// `max_request_size` bytes unless the first one alone is larger. What does not fit comes first next time.
    pub(crate) fn drain(
        &mut self,
        node: NodeId,
        max_request_size: usize,
        now: Instant,
        batches: &mut Vec<ProducerBatch>,
    ) {
        let Some(mut list) = self.sendable.get_mut(&node).map(std::mem::take) else {
            return;
        };
        let mut size = 0;
        for _ in 0..list.len() {
            let Some(partition) = list.pop_front() else {
                break;
            };
            let room = (!batches.is_empty()).then(|| max_request_size.saturating_sub(size));
            match self.take_head(node, &partition, room, now) {
                Ok(mut batch) => {
                    self.seal(&mut batch);
                    size += batch.size_in_bytes();
                    batches.push(batch);
                }
                Err(NotTaken::HasNone) => {}
                Err(NotTaken::IsTooLarge) => {
                    list.push_front(partition);
                    break;
                }
            }
        }
        self.keep(node, list);
        if !batches.is_empty() {
            self.last_drain = Some(now);
        }
    }

    fn seal(&mut self, batch: &mut ProducerBatch) {
        let topic = Arc::clone(batch.topic_partition().shared_topic());
        let fresh = batch.sealed().is_none();
        let sealed = batch.seal(&mut self.compressors);
        if let Some(sealed) = sealed.filter(|s| fresh && s.codec() != CompressionType::None) {
            let ratio = sealed.compression_ratio();
            self.accumulator
                .ratios
                .update(&topic, sealed.codec(), ratio);
        }
    }

    /// Takes the first batch of a partition where it may go and fits into `room` (nothing: any size fits).
    fn take_head(
        &mut self,
        node: NodeId,
        partition: &Arc<PartitionQueue>,
        room: Option<usize>,
        now: Instant,
    ) -> Result<ProducerBatch, NotTaken> {
        let mut queue = partition.lock();
        let is_here = queue.place == Place::Sendable(node);
        let size = queue.head().map_or(0, ProducerBatch::size_in_bytes);
        if is_here && room.is_some_and(|room| size > room) {
            return Err(NotTaken::IsTooLarge);
        }
        queue.leave_list_of(node);
        if !is_here {
            return Err(NotTaken::HasNone);
        }
        let batch = self.take_numbered_head(partition, &mut queue);
        if let Some(batch) = &batch {
            queue.learn_size(batch.natural_size(), self.accumulator.is_pressed());
            queue.muted = self.accumulator.config.guarantee_message_order
                && !planted!("several-in-flight-in-spite-of-order");
        }
        self.examine(partition, &mut queue, now, now);
        batch.ok_or(NotTaken::HasNone)
    }

    /// Numbers follow the order of the queue because they are given under its lock.
    fn take_numbered_head(
        &mut self,
        partition: &PartitionQueue,
        queue: &mut LockedQueue<'_>,
    ) -> Option<ProducerBatch> {
        let Some(manager) = &self.transaction_manager else {
            return queue.pop_front();
        };
        let tp = partition.topic_partition();
        let identity = queue.head()?.identity();
        let mut manager = manager.lock();
        if !manager.can_drain(tp, identity.map(|(_, first)| first)) {
            return None;
        }
        let mut batch = queue.pop_front()?;
        match identity.filter(|_| !planted!("new-numbers-for-each-attempt")) {
            Some((identity, first)) => manager.handle_resent(BatchId {
                tp,
                identity,
                first,
            }),
            None => {
                let (identity, first) = manager.assign_sequence(tp, batch.record_count());
                batch.set_identity(identity, first);
            }
        }
        Some(batch)
    }

    /// Puts back what is left of a node's list, before what was added meanwhile.
    fn keep(&mut self, node: NodeId, mut left: VecDeque<Arc<PartitionQueue>>) {
        let list = self.sendable.entry(node).or_default();
        left.append(list);
        *list = left;
    }
}

/// Why a partition gave no batch.
enum NotTaken {
    HasNone,
    IsTooLarge,
}
