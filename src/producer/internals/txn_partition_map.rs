//! Every partition that an idempotent producer has written to, with its numbering.
//!
//! Java: `clients/producer/internals/TxnPartitionMap.java`.
//! Differs: an entry that holds another identity than asked for is not returned, so late answers cannot touch it.
//! Threads: plain data. Locks: none; lives inside the `TransactionManager`.

use crate::common::cluster::{ProducerIdAndEpoch, TopicPartition};
use crate::common::fast_hash::FastMap;
use crate::producer::internals::txn_partition_entry::TxnPartitionEntry;

/// Partition to entry.
#[derive(Debug, Default)]
pub(crate) struct TxnPartitionMap {
    entries: FastMap<TopicPartition, TxnPartitionEntry>,
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
        if !self.entries.contains_key(tp) {
            self.entries
                .insert(tp.clone(), TxnPartitionEntry::new(identity));
        }
        let entry = self.entries.get_mut(tp).expect("inserted above");
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

    /// The entry, whatever its identity.
    pub(crate) fn find_mut(&mut self, tp: &TopicPartition) -> Option<&mut TxnPartitionEntry> {
        self.entries.get_mut(tp)
    }
}
