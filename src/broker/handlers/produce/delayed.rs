//! A write with acks=all that waits until the high watermark has passed it.
//!
//! Java: `core/server/DelayedProduce.scala`.
//! Differs: asked again after every step of the cluster instead of being registered with each partition.
//! Threads: plain data. Locks: none.

use crate::broker::cluster::topics::Topics;
use crate::broker::handlers::produce::{led_elsewhere, with_endpoints};
use crate::common::cluster::{LeaderEpoch, NodeId, Uuid};
use crate::protocol::errors::Errors;
use crate::protocol::messages::produce::{PartitionProduceResponse, ProduceResponse};

/// An answer in the form that it has when all goes well, and what it waits for.
#[derive(Debug)]
pub(crate) struct DelayedProduce {
    pub(super) broker: NodeId,
    pub(super) version: i16,
    pub(super) response: ProduceResponse,
    pub(super) waiting: Vec<Waiting>,
}

/// A batch that followers still lack.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) topic: String,
    pub(super) topic_id: Uuid,
    pub(super) partition: i32,
    /// Under which it was written: where another reign has begun, nobody knows what became of it.
    pub(super) epoch: LeaderEpoch,
    pub(super) last_offset: i64,
}

impl DelayedProduce {
    /// The answer, where there is nothing left to wait for; out of time, in any case.
    pub(crate) fn try_complete(
        &mut self,
        topics: &Topics,
        in_time: bool,
    ) -> Option<ProduceResponse> {
        for waiting in std::mem::take(&mut self.waiting) {
            let settled = self.settle(&waiting, topics);
            match settled.or((!in_time).then_some(Errors::RequestTimedOut)) {
                None => self.waiting.push(waiting),
                Some(Errors::None) => {}
                Some(error) => self.correct(&waiting, error, topics),
            }
        }
        if !self.waiting.is_empty() {
            return None;
        }
        let responses = std::mem::take(&mut self.response.responses);
        Some(with_endpoints(topics, self.broker, self.version, responses))
    }

    /// What became of a batch; nothing while that is open.
    fn settle(&self, waiting: &Waiting, topics: &Topics) -> Option<Errors> {
        let same = topics
            .get(&waiting.topic)
            .is_some_and(|topic| topic.id == waiting.topic_id);
        let partition = topics.partition(&waiting.topic, waiting.partition);
        let Some(partition) = partition.filter(|_| same) else {
            return Some(Errors::UnknownTopicOrPartition);
        };
        let Some(replica) = partition
            .led_by(self.broker)
            .filter(|_| partition.as_seen_by(self.broker).epoch == waiting.epoch)
        else {
            return Some(Errors::NotLeaderOrFollower);
        };
        if replica.high_watermark() <= waiting.last_offset {
            return None;
        }
        Some(if partition.has_enough_replicas(self.broker) {
            Errors::None
        } else {
            Errors::NotEnoughReplicasAfterAppend
        })
    }

    /// Puts an error into the answer. The offset stays in it, as in Kafka.
    fn correct(&mut self, waiting: &Waiting, error: Errors, topics: &Topics) {
        let partition = topics.partition(&waiting.topic, waiting.partition);
        let leader = match (error, partition) {
            (Errors::NotLeaderOrFollower, Some(partition)) => {
                let index = waiting.partition;
                led_elsewhere(partition, self.broker, self.version, index).current_leader
            }
            _ => PartitionProduceResponse::default().current_leader,
        };
        let of_topic = self
            .response
            .responses
            .iter_mut()
            .filter(|topic| topic.topic_id == waiting.topic_id || topic.name == waiting.topic);
        let mut answers = of_topic.flat_map(|topic| &mut topic.partition_responses);
        if let Some(answer) = answers.find(|answer| answer.index == waiting.partition) {
            answer.error_code = error.code();
            answer.current_leader = leader;
        }
    }
}
