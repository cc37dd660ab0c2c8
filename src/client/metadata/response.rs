//! Makes the next snapshot out of the present one and what a broker said.
//!
//! Java: `clients/Metadata.java` (`handleMetadataResponse`, `updateLatestMetadata`, `updatePartitionLeadership`).
//! Differs: a partition whose number lies outside its topic is ignored; a leader hint whose node is unknown still counts as
//! news of a newer epoch.
//! Threads: part of `Metadata`. Locks: none.

use std::sync::Arc;
use std::time::Instant;

use crate::client::metadata::{LeaderHint, Metadata};
use crate::client::metadata_snapshot::{
    MetadataSnapshot, PartitionMetadata, TopicMetadata, TopicUsage,
};
use crate::common::cluster::{LeaderEpoch, Node, NodeId, TopicPartition};
use crate::common::fast_hash::FastSet;
use crate::protocol::Errors;
use crate::protocol::messages::metadata::{
    MetadataResponse, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};

impl Metadata {
    pub(super) fn handle_metadata_response(
        &mut self,
        is_partial: bool,
        response: &MetadataResponse,
        api_version: i16,
        now: Instant,
    ) -> MetadataSnapshot {
        let mut next = MetadataSnapshot::default();
        if is_partial {
            next = (*self.snapshot).clone();
        }
        next.is_bootstrap = false;
        next.fatal_error = None;
        next.cluster_id = response.cluster_id.as_deref().map(Arc::from);
        next.controller = (response.controller_id >= 0).then_some(NodeId(response.controller_id));
        next.set_nodes(response.brokers.iter().map(node).collect());
        let reliable_epochs = api_version >= FIRST_VERSION_WITH_RELIABLE_EPOCHS;
        for topic in &response.topics {
            let Some(name) = self.name_of(topic) else {
                continue;
            };
            match self.topics.retain_topic(&name, now) {
                Some((name, usage)) => {
                    self.apply_topic(&mut next, topic, name, usage, reliable_epochs);
                }
                None => next.remove_topic(&name),
            }
        }
        next.retain_topics(|name| self.topics.retain_topic(name, now).is_some());
        if is_partial {
            next.drop_leaders_without_node();
        }
        let topics = &self.topics;
        self.last_seen.retain(|name, _| topics.contains(name));
        next
    }

    /// An answer to a question by id may leave the name out.
    fn name_of(&self, topic: &MetadataResponseTopic) -> Option<Arc<str>> {
        match &topic.name {
            Some(name) => Some(Arc::from(name.as_str())),
            None => self.snapshot.topic_name(topic.topic_id).cloned(),
        }
    }

    fn apply_topic(
        &mut self,
        next: &mut MetadataSnapshot,
        topic: &MetadataResponseTopic,
        name: Arc<str>,
        usage: Arc<TopicUsage>,
        reliable_epochs: bool,
    ) {
        let last_seen = self.last_seen.entry(Arc::clone(&name)).or_default();
        // A new id means that the topic was deleted and made again: its epochs begin anew. An id that was not known before
        // counts as new, since it may have been lost in between.
        let is_other_topic = !topic.topic_id.is_zero() && topic.topic_id != last_seen.topic_id;
        last_seen.topic_id = topic.topic_id;
        let error = Errors::from_code(topic.error_code);
        if error != Errors::None {
            self.schedule.ask_again_after(error, &name);
            next.set_topic_error(&name, error);
            return;
        }
        let mut partitions = vec![PartitionMetadata::default(); topic.partitions.len()];
        for answer in &topic.partitions {
            let number = usize::try_from(answer.partition_index).unwrap_or(usize::MAX);
            let Some(place) = partitions.get_mut(number) else {
                log::warn!(
                    "ignoring partition {} of topic {name}",
                    answer.partition_index
                );
                continue;
            };
            self.schedule
                .ask_again_after(Errors::from_code(answer.error_code), &name);
            let epoch = LeaderEpoch::from_wire(answer.leader_epoch).filter(|_| reliable_epochs);
            *place = self.newest(&name, answer, epoch, is_other_topic);
            place.leader = place.leader.filter(|id| next.node(*id).is_some());
        }
        let mut metadata = TopicMetadata::new(name, topic.topic_id, partitions, usage);
        metadata.is_internal = topic.is_internal;
        next.set_topic(metadata);
    }

    /// What is to be believed about a partition: the answer, or what was known before.
    fn newest(
        &mut self,
        topic: &Arc<str>,
        answer: &MetadataResponsePartition,
        epoch: Option<LeaderEpoch>,
        is_other_topic: bool,
    ) -> PartitionMetadata {
        let number = usize::try_from(answer.partition_index).unwrap_or(usize::MAX);
        let last_seen = self.last_seen.entry(Arc::clone(topic)).or_default();
        match judge(last_seen.epoch(number), epoch, is_other_topic) {
            Verdict::Older => {
                let known = self.snapshot.partition(topic, answer.partition_index);
                return known.cloned().unwrap_or_default();
            }
            Verdict::New => self.schedule.made_progress(),
            Verdict::Same => {}
        }
        last_seen.set_epoch(number, epoch);
        partition(answer, epoch)
    }

    /// Takes over leaders that a broker named in passing (KIP-951), where they are news; returns the partitions that have a
    /// new leader. Neither counts as a refresh nor replaces one.
    pub(crate) fn update_partition_leadership(
        &mut self,
        hints: &[LeaderHint],
        leader_nodes: Vec<Node>,
    ) -> Vec<TopicPartition> {
        let mut next = (*self.snapshot).clone();
        let given: FastSet<NodeId> = leader_nodes.iter().map(Node::node_id).collect();
        let known = self.snapshot.nodes().iter();
        let others = known.filter(|node| !given.contains(&node.node_id()));
        next.set_nodes(others.cloned().chain(leader_nodes).collect());
        let mut updated = Vec::new();
        for hint in hints {
            if self.apply_hint(&mut next, hint) {
                updated.push(hint.topic_partition.clone());
            }
        }
        if !updated.is_empty() {
            self.publish(next);
        }
        updated
    }

    fn apply_hint(&mut self, next: &mut MetadataSnapshot, hint: &LeaderHint) -> bool {
        let tp = &hint.topic_partition;
        let (Some(leader), Some(epoch)) = (hint.leader, hint.epoch) else {
            return false;
        };
        let Some(topic) = next.topic(tp.topic()) else {
            return false;
        };
        let known = topic.partition(tp.partition());
        if known.is_none_or(|known| known.leader_epoch >= Some(epoch)) {
            return false;
        }
        if next.node(leader).is_none() {
            self.update_last_seen_epoch_if_newer(tp, epoch);
            return false;
        }
        let mut changed = TopicMetadata::clone(topic);
        let number = usize::try_from(tp.partition()).unwrap_or(usize::MAX);
        if let Some(partition) = changed.partitions.get_mut(number) {
            partition.leader = Some(leader);
            partition.leader_epoch = Some(epoch);
        }
        changed.refresh_available();
        self.remember_epoch(tp, epoch);
        next.set_topic(changed);
        true
    }

    /// Somebody saw `epoch`. Where it is newer than what is known, the metadata is stale: an update is wanted, and answers
    /// that are older are ignored.
    pub(crate) fn update_last_seen_epoch_if_newer(
        &mut self,
        tp: &TopicPartition,
        epoch: LeaderEpoch,
    ) -> bool {
        let number = usize::try_from(tp.partition()).unwrap_or(usize::MAX);
        let last = self.last_seen.get(tp.topic()).and_then(|s| s.epoch(number));
        let is_newer = last.is_some_and(|last| epoch > last);
        if is_newer {
            self.remember_epoch(tp, epoch);
            self.schedule.request_full_update(false);
        }
        is_newer
    }

    fn remember_epoch(&mut self, tp: &TopicPartition, epoch: LeaderEpoch) {
        let last_seen = self.last_seen.entry(Arc::clone(tp.shared_topic()));
        if let Ok(number) = usize::try_from(tp.partition()) {
            last_seen.or_default().set_epoch(number, Some(epoch));
        }
    }
}

/// What an answer about a partition is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    New,
    Same,
    Older,
}

fn judge(
    last_seen: Option<LeaderEpoch>,
    epoch: Option<LeaderEpoch>,
    is_other_topic: bool,
) -> Verdict {
    match (last_seen, epoch) {
        // Without an epoch nothing can be compared, so the answer is believed.
        (_, None) | (None, Some(_)) => Verdict::New,
        (Some(_), Some(_)) if is_other_topic => Verdict::New,
        (Some(last), Some(epoch)) if epoch > last => Verdict::New,
        (Some(last), Some(epoch)) if epoch == last => Verdict::Same,
        _ => Verdict::Older,
    }
}

fn node(broker: &MetadataResponseBroker) -> Node {
    // A port outside the range leads nowhere, which the first connect will tell.
    let port = u16::try_from(broker.port).unwrap_or(0);
    let rack = broker.rack.as_deref().map(Arc::from);
    Node::new(broker.node_id, broker.host.as_str(), port).with_rack(rack)
}

fn partition(answer: &MetadataResponsePartition, epoch: Option<LeaderEpoch>) -> PartitionMetadata {
    let ids = |ids: &[i32]| ids.iter().copied().map(NodeId).collect();
    PartitionMetadata {
        leader: (answer.leader_id >= 0).then_some(NodeId(answer.leader_id)),
        leader_epoch: epoch,
        replicas: ids(&answer.replica_nodes),
        in_sync_replicas: ids(&answer.isr_nodes),
        offline_replicas: ids(&answer.offline_replicas),
    }
}

/// Before it, a broker may name a leader epoch that does not belong to the leader it names (KAFKA-9212).
const FIRST_VERSION_WITH_RELIABLE_EPOCHS: i16 = 9;
