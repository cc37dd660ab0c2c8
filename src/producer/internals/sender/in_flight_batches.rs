//! The batches that brokers have and have not answered, by request.
//!
//! Java: `clients/producer/internals/Sender.java` (`inFlightBatches`, and the map inside each produce callback).
//! Differs: owns the batches; a batch that is given up leaves a mark behind, so that its late answer still tells what
//! became of its sequence numbers.
//! Threads: the I/O thread. Locks: none.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::cluster::{
    LeaderEpoch, NodeId, ProducerIdAndEpoch, Sequence, TopicPartition, Uuid,
};
use crate::common::few::Few;
use crate::common::planted::planted;
use crate::common::time::{deadline, earlier};
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::sender::offset_watch::OffsetWatch;

/// Requests without a response.
#[derive(Debug, Default)]
pub(super) struct InFlightBatches {
    /// With their correlation ids, in the order of the sends. Few: the first one is the next to be answered by its node.
    requests: VecDeque<(i32, InFlightRequest)>,
    /// What the answers of those that ended said.
    pub(super) offsets: OffsetWatch,
}

/// One Produce request on its way.
#[derive(Debug)]
pub(super) struct InFlightRequest {
    pub(super) node: NodeId,
    /// Sorted by partition, and one of each at most: the protocol allows no more.
    batches: Few<InFlightBatch>,
    /// From protocol version 13 on, answers name topics by id alone. Sorted by id.
    topic_names: Few<(Uuid, Arc<str>)>,
    /// When the oldest batch that still waits was created; nothing where none waits.
    oldest: Option<Instant>,
    /// Where the answers have been in step with the batches so far, the place of the next one.
    next_answer: usize,
}

#[derive(Debug)]
pub(super) struct InFlightBatch {
    pub(super) tp: TopicPartition,
    /// The epoch in which the node was the leader, as far as was known at the send.
    leader_epoch: Option<LeaderEpoch>,
    pub(super) place: Place,
}

/// What is left of a batch in the request that it was sent with.
#[derive(Debug)]
pub(super) enum Place {
    /// It waits for its answer.
    Waiting(ProducerBatch),
    /// It was failed to its owner, because its time was up; the answer matters to its numbers only.
    Abandoned(Option<(ProducerIdAndEpoch, Sequence)>),
    /// It had its answer.
    Answered,
}

impl InFlightRequest {
    /// A request with these batches, sorted by partition, whose topics have these ids.
    pub(super) fn new(
        node: NodeId,
        batches: impl Iterator<Item = ProducerBatch>,
        mut topic_names: Few<(Uuid, Arc<str>)>,
    ) -> Self {
        let mut oldest = None;
        let batches: Few<_> = batches
            .inspect(|batch| oldest = earlier(oldest, Some(batch.created())))
            .map(|batch| InFlightBatch {
                tp: batch.topic_partition().clone(),
                leader_epoch: batch.leader_epoch(),
                place: Place::Waiting(batch),
            })
            .collect();
        debug_assert!(batches.is_sorted_by_key(|batch| &batch.tp));
        topic_names.sort_by_key(|(id, _)| *id);
        Self {
            node,
            batches,
            topic_names,
            oldest,
            next_answer: 0,
        }
    }

    pub(super) fn partitions(&self) -> impl Iterator<Item = &TopicPartition> {
        self.batches.iter().map(|batch| &batch.tp)
    }

    /// The name of the topic with this id, where the request had that topic.
    pub(super) fn topic_name(&self, id: Uuid) -> Option<Arc<str>> {
        let at = self.topic_names.binary_search_by_key(&id, |(id, _)| *id);
        at.ok()
            .and_then(|at| self.topic_names.get(at))
            .map(|(_, name)| Arc::clone(name))
    }

    /// Takes what waits for the answer of this partition; nothing where the request had no such partition, or where it
    /// has been answered already.
    pub(super) fn take(&mut self, topic: &str, partition: i32) -> Option<InFlightBatch> {
        let here = |batch: &InFlightBatch| {
            let of_topic = batch.tp.topic().cmp(topic);
            of_topic.then_with(|| batch.tp.partition().cmp(&partition))
        };
        // Most brokers answer in the order of the question.
        let in_step = self.batches.get(self.next_answer);
        let at = if in_step.is_some_and(|batch| here(batch).is_eq()) {
            self.next_answer
        } else {
            self.batches.binary_search_by(here).ok()?
        };
        self.next_answer = at + 1;
        let batch = self.batches.get_mut(at)?;
        batch.take()
    }

    /// Takes everything that has had no answer yet, in the order of the partitions.
    pub(super) fn take_rest(&mut self) -> Vec<InFlightBatch> {
        self.batches
            .iter_mut()
            .filter_map(InFlightBatch::take)
            .collect()
    }

    /// Whether any batch has had no answer yet, whoever still waits for it.
    pub(super) fn has_unanswered(&self) -> bool {
        let mut places = self.batches.iter().map(|batch| &batch.place);
        places.any(|place| !matches!(place, Place::Answered))
    }

    fn has_waiting(&self) -> bool {
        self.oldest.is_some()
    }

    fn has(&self, tp: &TopicPartition) -> bool {
        self.batches.binary_search_by(|b| b.tp.cmp(tp)).is_ok()
    }

    /// Takes the batches that were created at `limit` or before.
    fn take_expired(&mut self, limit: impl Fn(Instant) -> bool, taken: &mut Vec<ProducerBatch>) {
        if !self.oldest.is_some_and(&limit) {
            return;
        }
        for batch in &mut self.batches {
            let expired = matches!(&batch.place, Place::Waiting(b) if limit(b.created()));
            if expired && !planted!("batches-on-the-wire-never-expire") {
                taken.extend(batch.abandon());
            }
        }
        self.oldest = self
            .batches
            .iter()
            .filter_map(|batch| match &batch.place {
                Place::Waiting(batch) => Some(batch.created()),
                _ => None,
            })
            .min();
    }
}

impl InFlightBatch {
    fn take(&mut self) -> Option<InFlightBatch> {
        match std::mem::replace(&mut self.place, Place::Answered) {
            Place::Answered => None,
            place => Some(InFlightBatch {
                tp: self.tp.clone(),
                leader_epoch: self.leader_epoch,
                place,
            }),
        }
    }

    fn abandon(&mut self) -> Option<ProducerBatch> {
        match std::mem::replace(&mut self.place, Place::Answered) {
            Place::Waiting(batch) => {
                self.place = Place::Abandoned(batch.identity());
                Some(batch)
            }
            other => {
                self.place = other;
                None
            }
        }
    }
}

impl InFlightBatches {
    pub(super) fn add(&mut self, correlation_id: i32, request: InFlightRequest) {
        self.requests.push_back((correlation_id, request));
    }

    pub(super) fn remove(&mut self, correlation_id: i32) -> Option<InFlightRequest> {
        let mut ids = self.requests.iter().map(|(id, _)| *id);
        let at = ids.position(|id| id == correlation_id)?;
        self.requests.remove(at).map(|(_, request)| request)
    }

    /// The nodes that batches wait for.
    pub(super) fn leaders(&self) -> impl Iterator<Item = NodeId> {
        let requests = self.each();
        requests.filter(|r| r.has_waiting()).map(|r| r.node)
    }

    /// Whether any batch waits for an answer.
    pub(super) fn has_waiting(&self) -> bool {
        self.each().any(InFlightRequest::has_waiting)
    }

    /// When the first of the waiting batches will have been around for `timeout`.
    pub(super) fn next_expiry(&self, timeout: Duration) -> Option<Instant> {
        let oldest = self.each().filter_map(|r| r.oldest).min();
        oldest.map(|created| deadline(created, timeout))
    }

    /// Takes the batches whose time is up, oldest request first. Their requests go on.
    pub(super) fn take_expired(&mut self, timeout: Duration, now: Instant) -> Vec<ProducerBatch> {
        let mut expired = Vec::new();
        let limit = |created: Instant| now.saturating_duration_since(created) >= timeout;
        for request in self.each_mut() {
            request.take_expired(limit, &mut expired);
        }
        // Batches of one partition may sit in several requests; the order of creation is the order of the records.
        expired.sort_by_key(ProducerBatch::created);
        expired
    }

    /// Takes every batch that waits. Their requests go on.
    pub(super) fn take_all(&mut self) -> Vec<ProducerBatch> {
        let mut all = Vec::new();
        for request in self.each_mut() {
            request.take_expired(|_| true, &mut all);
        }
        all.sort_by_key(ProducerBatch::created);
        all
    }

    /// The partitions that have a request pending at a node that `is_elsewhere` says is not the one to send to.
    pub(super) fn pending_elsewhere(
        &self,
        is_elsewhere: impl Fn(&TopicPartition, NodeId) -> bool,
    ) -> Vec<TopicPartition> {
        let requests = self.each();
        let elsewhere = requests.flat_map(|request| {
            let of_request = request.partitions();
            of_request.filter(|tp| is_elsewhere(tp, request.node))
        });
        elsewhere.cloned().collect()
    }

    /// Every batch that has had no answer, with the numbers of those that were given up.
    #[cfg(test)]
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (&TopicPartition, &Place)> {
        let batches = self.each().flat_map(|request| &request.batches);
        batches.map(|batch| (&batch.tp, &batch.place))
    }

    /// The nodes that `is_overdue` names and that wait with a partition which has a newer leader elsewhere: with that
    /// partition and that leader.
    pub(super) fn superseded(
        &self,
        is_overdue: impl Fn(NodeId) -> bool,
        leader: impl Fn(&TopicPartition) -> Option<(NodeId, LeaderEpoch)>,
    ) -> Vec<(NodeId, TopicPartition, NodeId)> {
        let mut found: Vec<(NodeId, TopicPartition, NodeId)> = Vec::new();
        for request in self.each() {
            let node = request.node;
            if !is_overdue(node) || found.iter().any(|(known, ..)| *known == node) {
                continue;
            }
            let mut moved = request.batches.iter().filter_map(|batch| {
                let (leader, epoch) = leader(&batch.tp)?;
                let is_newer = batch.leader_epoch.is_some_and(|sent| epoch > sent)
                    || planted!("given-up-for-an-old-epoch");
                let is_elsewhere = leader != node || planted!("given-up-for-being-slow");
                (is_newer && is_elsewhere).then(|| (node, batch.tp.clone(), leader))
            });
            found.extend(moved.next());
        }
        found
    }

    /// Whether a request with this partition is pending at any node but `node`.
    pub(super) fn is_pending_elsewhere(&self, tp: &TopicPartition, node: Option<NodeId>) -> bool {
        let mut requests = self.each();
        requests.any(|request| Some(request.node) != node && request.has(tp))
    }

    fn each(&self) -> impl Iterator<Item = &InFlightRequest> {
        self.requests.iter().map(|(_, request)| request)
    }

    fn each_mut(&mut self) -> impl Iterator<Item = &mut InFlightRequest> {
        self.requests.iter_mut().map(|(_, request)| request)
    }
}
