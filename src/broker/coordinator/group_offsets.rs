//! Where groups have got to: offsets that are committed, and those that wait for the end of a transaction.
//!
//! Java: `coordinator/group/OffsetMetadataManager.java`.
//! Differs: groups without members only, as an admin client or a consumer with assigned partitions uses them.
//! Threads: plain data. Locks: none.

use std::collections::BTreeMap;

use crate::common::cluster::ProducerIdAndEpoch;
use crate::protocol::errors::Errors;

/// A topic's name and a partition.
pub(crate) type TopicAndPartition = (String, i32);

/// The offsets of all groups.
#[derive(Debug, Default)]
pub(crate) struct GroupOffsets {
    groups: BTreeMap<String, Group>,
}

/// The offsets of one group.
#[derive(Debug, Default)]
pub(crate) struct Group {
    committed: BTreeMap<TopicAndPartition, CommittedOffset>,
    /// By producer id.
    pending: BTreeMap<i64, Pending>,
    /// The newest epoch seen of each producer, as the log of the group would know it.
    epochs: BTreeMap<i64, i16>,
}

#[derive(Debug, Default)]
struct Pending {
    epoch: i16,
    offsets: BTreeMap<TopicAndPartition, CommittedOffset>,
}

/// How far a group is in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommittedOffset {
    pub(crate) offset: i64,
    pub(crate) leader_epoch: i32,
    pub(crate) metadata: Option<String>,
}

/// Which consumer stands behind a commit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    pub(crate) generation: i32,
    pub(crate) id: &'a str,
    pub(crate) instance_id: Option<&'a str>,
}

impl GroupOffsets {
    pub(crate) fn get(&self, group: &str) -> Option<&Group> {
        self.groups.get(group)
    }

    /// Refuses a commit in the name of a member, since no group has any.
    pub(crate) fn check_member(&self, group: &str, member: Member<'_>) -> Result<(), Errors> {
        if member.generation < 0 && member.id.is_empty() && member.instance_id.is_none() {
            return Ok(());
        }
        if !self.groups.contains_key(group) {
            // An unknown group is made on the spot, unless a generation claims that it was there before.
            return if member.generation < 0 {
                Ok(())
            } else {
                Err(Errors::IllegalGeneration)
            };
        }
        if member.generation < 0 {
            return Ok(());
        }
        Err(Errors::UnknownMemberId)
    }

    /// Whether a producer's transaction has offsets for the group already, under this epoch.
    pub(crate) fn has_open_transaction(&self, group: &str, producer: ProducerIdAndEpoch) -> bool {
        let pending = self
            .groups
            .get(group)
            .and_then(|group| group.pending.get(&producer.producer_id));
        pending.is_some_and(|pending| pending.epoch == producer.epoch)
    }

    /// Keeps offsets until the transaction ends.
    pub(crate) fn add_pending(
        &mut self,
        group: &str,
        producer: ProducerIdAndEpoch,
        offsets: impl Iterator<Item = (TopicAndPartition, CommittedOffset)>,
    ) -> Result<(), Errors> {
        let group = self.groups.entry(group.to_owned()).or_default();
        let newest = group.epochs.entry(producer.producer_id).or_default();
        if producer.epoch < *newest {
            return Err(Errors::InvalidProducerEpoch);
        }
        *newest = producer.epoch;
        let pending = group.pending.entry(producer.producer_id).or_default();
        pending.epoch = producer.epoch;
        pending.offsets.extend(offsets);
        Ok(())
    }

    /// The transaction has ended: its offsets hold, or never were.
    pub(crate) fn transaction_ended(
        &mut self,
        group: &str,
        producer: ProducerIdAndEpoch,
        committed: bool,
    ) {
        let Some(group) = self.groups.get_mut(group) else {
            return;
        };
        let newest = group.epochs.entry(producer.producer_id).or_default();
        *newest = producer.epoch.max(*newest);
        let pending = group.pending.remove(&producer.producer_id);
        if let Some(pending) = pending.filter(|_| committed) {
            group.committed.extend(pending.offsets);
        }
    }

    /// Forgets the offsets in a topic that is gone.
    pub(crate) fn topic_deleted(&mut self, topic: &str) {
        for group in self.groups.values_mut() {
            group.committed.retain(|(name, _), _| name != topic);
        }
    }
}

impl Group {
    /// Every committed offset.
    pub(crate) fn committed(&self) -> &BTreeMap<TopicAndPartition, CommittedOffset> {
        &self.committed
    }

    /// Whether an open transaction may change the offset.
    pub(crate) fn is_unstable(&self, partition: &TopicAndPartition) -> bool {
        let mut pending = self.pending.values();
        pending.any(|pending| pending.offsets.contains_key(partition))
    }

    /// Whether an open transaction may change any offset.
    pub(crate) fn unstable(&self) -> impl Iterator<Item = &TopicAndPartition> {
        self.pending
            .values()
            .flat_map(|pending| pending.offsets.keys())
    }
}
