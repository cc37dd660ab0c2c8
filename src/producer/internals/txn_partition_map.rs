//! Every partition that an idempotent producer has written to, with its numbering.
//!
//! Java: `clients/producer/internals/TxnPartitionMap.java`.
//! Differs: knows when a topic was deleted and made again, whose numbering starts over then; an entry that holds another identity than asked for is not returned, so late answers cannot touch it.
//! Threads: plain data. Locks: none; lives inside the `TransactionManager`.

use std::sync::Arc;

use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::common::cluster::{ProducerIdAndEpoch, TopicPartition, Uuid};
use crate::common::fast_hash::FastMap;
use crate::producer::internals::txn_partition_entry::TxnPartitionEntry;

/// Partition to entry.
#[derive(Debug, Default)]
pub(crate) struct TxnPartitionMap {
    entries: FastMap<TopicPartition, TxnPartitionEntry>,
    /// The id that each topic had when it was looked at last; a topic without an id is not here.
    topic_ids: FastMap<Arc<str>, Uuid>,
    /// The version of the snapshot that was looked at last.
    seen: Option<u64>,
}

impl TxnPartitionMap {
    pub(crate) fn get(&self, tp: &TopicPartition) -> Option<&TxnPartitionEntry> {
        self.entries.get(tp)
    }

    /// The entry, as long as it still numbers under this identity (KAFKA-8483: an answer may come after a reset).
    pub(crate) fn get_mut(
        &mut self,
        tp: &TopicPartition,
        identity: ProducerIdAndEpoch,
    ) -> Option<&mut TxnPartitionEntry> {
        self.entries
            .get_mut(tp)
            .filter(|entry| entry.identity() == identity)
    }

    /// The entry that numbers under `identity`. One left from an older identity starts over, which its owner allows
    /// only while nothing of it is outstanding (KAFKA-12152).
    pub(crate) fn current(
        &mut self,
        tp: &TopicPartition,
        identity: ProducerIdAndEpoch,
    ) -> &mut TxnPartitionEntry {
        let entry = self.entries.entry(tp.clone());
        let entry = entry.or_insert_with(|| TxnPartitionEntry::new(identity));
        if entry.identity() != identity {
            debug_assert!(
                !entry.has_in_flight(),
                "{tp} restarts with batches in flight"
            );
            *entry = TxnPartitionEntry::new(identity);
        }
        entry
    }

    /// Forgets the numbering, whatever is outstanding: the next batch starts over.
    pub(crate) fn remove(&mut self, tp: &TopicPartition) {
        self.entries.remove(tp);
    }

    /// Forgets the numbering of every partition, and not which topics there are: those need not be looked at again.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The partitions with numbers whose topic was deleted and made again, as far as this snapshot tells something new.
    pub(crate) fn recreated(&mut self, snapshot: &MetadataSnapshot) -> Vec<TopicPartition> {
        if self.seen.replace(snapshot.version) == Some(snapshot.version) {
            return Vec::new();
        }
        let mut recreated = Vec::new();
        for topic in snapshot.topics().filter(|topic| !topic.id.is_zero()) {
            match self.topic_ids.get_mut(&topic.name) {
                Some(known) if *known != topic.id => {
                    log::info!("topic {} was deleted and made again", topic.name);
                    *known = topic.id;
                    recreated.push(&topic.name);
                }
                Some(_) => {}
                None => {
                    self.topic_ids.insert(Arc::clone(&topic.name), topic.id);
                }
            }
        }
        if recreated.is_empty() {
            return Vec::new();
        }
        let partitions = self.entries.keys();
        partitions
            .filter(|tp| recreated.iter().any(|topic| ***topic == *tp.topic()))
            .cloned()
            .collect()
    }

    #[cfg(test)]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TopicPartition, &TxnPartitionEntry)> {
        self.entries.iter()
    }

    /// The entry, whatever its identity.
    pub(crate) fn find_mut(&mut self, tp: &TopicPartition) -> Option<&mut TxnPartitionEntry> {
        self.entries.get_mut(tp)
    }
}
