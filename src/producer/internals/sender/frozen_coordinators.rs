//! Turns to the next coordinator while the one that a transaction waits for does not answer.
//!
//! Java: none; there `commit_transaction` and the like wait for `request.timeout.ms`.
//! Differs: does not exist in Java. Being late is no reason by itself, since a broker may be slow; another node that is
//! named as the coordinator is. What follows is what follows a lost connection, so that the rules for requests which may
//! still arrive are the same.
//! Threads: the I/O thread. Locks: TransactionManager.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::client::client_request::Outcome;
use crate::client::kafka_client::{KafkaClient, QUESTION_INTERVAL};
use crate::common::cluster::NodeId;
use crate::producer::internals::sender::Sender;
use crate::producer::internals::sender::txn_requests::{builder, read};
use crate::producer::internals::transaction_manager::{
    CoordinatorKey, TxnRequestBody, TxnResponse,
};

/// The question where a coordinator is that does not answer. It is asked beside the request that waits there.
#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    asked: Option<Question>,
    last_asked: Option<Instant>,
}

#[derive(Debug)]
struct Question {
    correlation_id: i32,
    key: CoordinatorKey,
    /// Who was it when the question was asked.
    coordinator: NodeId,
}

impl Whereabouts {
    pub(super) fn is_asked_with(&self, correlation_id: i32) -> bool {
        let asked = self.asked.as_ref();
        asked.is_some_and(|question| question.correlation_id == correlation_id)
    }

    /// When to ask, if not now.
    fn next_question(&self, now: Instant) -> Option<Instant> {
        let next = self.last_asked.map(|at| at + QUESTION_INTERVAL);
        next.filter(|at| now < *at)
    }
}

impl<C: KafkaClient> Sender<C> {
    /// Asks another node who the coordinator is, where that may be what is waited for in vain. Returns when to come again,
    /// if nothing happens before.
    pub(super) fn look_for_coordinator(&mut self, now: Instant) -> Option<Instant> {
        if !self.client.has_suspects() || self.txn_questions.whereabouts.asked.is_some() {
            return None;
        }
        let (key, coordinator) = self.doubtful_coordinator()?;
        let later = self.txn_questions.whereabouts.next_question(now);
        if later.is_some() {
            return later;
        }
        let node = self.client.least_loaded_node(now).node?;
        if self.client.is_suspect(node.node_id()) {
            return now.checked_add(QUESTION_INTERVAL);
        }
        if !self.client.ready(&node, now) {
            return now.checked_add(self.client.poll_delay(&node, now));
        }
        let builder = builder(TxnRequestBody::FindCoordinator(key.clone()));
        let request = (self.client).new_client_request(node.node_id(), builder, now, true);
        self.txn_questions.whereabouts = Whereabouts {
            asked: Some(Question {
                correlation_id: request.correlation_id,
                key,
                coordinator,
            }),
            last_asked: Some(now),
        };
        self.client.send(request, now);
        None
    }

    /// A coordinator that is overdue itself, or the one that an overdue leader may be waiting for.
    fn doubtful_coordinator(&self) -> Option<(CoordinatorKey, NodeId)> {
        let manager = self.manager()?;
        let awaited = manager.awaited_coordinator();
        let overdue = awaited.filter(|(_, coordinator)| self.client.is_suspect(*coordinator));
        overdue.or_else(|| {
            let mut leaders = self.in_flight.leaders();
            let asked_about = manager.coordinator_of_open()?;
            let is_awaited = leaders.any(|leader| self.client.is_suspect(leader));
            is_awaited.then_some(asked_about)
        })
    }

    /// Where another node has taken the place of the coordinator, gives up the connections to it and to the leaders that
    /// are overdue as well. Their requests end as those of a lost connection do.
    pub(super) fn handle_whereabouts(&mut self, outcome: Outcome, now: Instant) {
        let (Some(question), Outcome::Answered(body)) =
            (self.txn_questions.whereabouts.asked.take(), outcome)
        else {
            return;
        };
        let Question {
            key, coordinator, ..
        } = question;
        let asked = TxnRequestBody::FindCoordinator(key.clone());
        let TxnResponse::Coordinator(node) = read(&asked, body) else {
            return;
        };
        let overdue = self.overdue_because_of(&key, coordinator);
        if node.node_id() == coordinator || overdue.is_empty() {
            return;
        }
        for suspect in overdue {
            let reason = format!(
                "node {suspect} is overdue, and node {node} has become the coordinator of {key:?} in place of node {coordinator}"
            );
            log::warn!("giving up a connection: {reason}");
            self.client.disconnect(suspect, &reason, now);
        }
        if let Some(mut manager) = self.manager() {
            manager.replace_coordinator(key, coordinator, node);
        }
    }

    /// A leader that asks a frozen coordinator waits for it until its own request times out; asked again, it asks the new
    /// one.
    fn overdue_because_of(&self, key: &CoordinatorKey, coordinator: NodeId) -> BTreeSet<NodeId> {
        let leaders = match key {
            CoordinatorKey::Transaction(_) => Some(self.in_flight.leaders()),
            CoordinatorKey::Group(_) => None,
        };
        let nodes = leaders.into_iter().flatten().chain([coordinator]);
        nodes.filter(|node| self.client.is_suspect(*node)).collect()
    }
}
