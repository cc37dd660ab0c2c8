//! One step of the transaction in each pass: builds what the manager wants to ask, sends it, and reads the answers.
//!
//! Java: `clients/producer/internals/Sender.java` (`maybeSendAndPollTransactionalRequest`), the request builders of
//! `clients/producer/internals/TransactionManager.java`.
//! Differs: never waits for a connection or a back-off, but says when to come again; batches are sent in the same pass.
//! Threads: the I/O thread. Locks: TransactionManager; ApiVersions.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::api_versions::ApiVersions;
use crate::client::client_request::{Outcome, RequestFailure};
use crate::client::kafka_client::KafkaClient;
use crate::common::cluster::Node;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::common::sync::MutexGuard;
use crate::common::time::earlier;
use crate::producer::internals::sender::Sender;
use crate::producer::internals::sender::control::Phase;
use crate::producer::internals::sender::frozen_coordinators::Whereabouts;
use crate::producer::internals::sender::txn_requests::{builder, read};
use crate::producer::internals::transaction_manager::{
    TransactionManager, TransactionVersion, TxnRequest, TxnRequestBody, TxnResponse, Unsent,
};
use crate::protocol::ApiKeys;

/// What the Sender of a transactional producer has beside its transaction manager.
#[derive(Debug, Clone)]
pub(crate) struct Transactions {
    /// `transactional.id`
    pub(crate) id: Arc<str>,
    /// What brokers take, and which transaction version the cluster runs.
    pub(crate) api_versions: Arc<ApiVersions>,
}

/// What was asked for the sake of the transaction and has no answer yet.
#[derive(Debug, Default)]
pub(super) struct TxnQuestions {
    in_flight: Option<TxnInFlight>,
    pub(super) whereabouts: Whereabouts,
}

/// A request of the manager.
#[derive(Debug)]
struct TxnInFlight {
    correlation_id: i32,
    request: TxnRequest,
}

/// Who has to read an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TxnQuestion {
    OfManager,
    Whereabouts,
}

impl TxnQuestions {
    /// The question with this number, if it is one of these.
    pub(super) fn with(&self, correlation_id: i32) -> Option<TxnQuestion> {
        let of_manager = self.in_flight.as_ref();
        if of_manager.is_some_and(|sent| sent.correlation_id == correlation_id) {
            return Some(TxnQuestion::OfManager);
        }
        let is_whereabouts = self.whereabouts.is_asked_with(correlation_id);
        is_whereabouts.then_some(TxnQuestion::Whereabouts)
    }
}

impl<C: KafkaClient> Sender<C> {
    /// Makes the producer a transactional one. Its manager is one too.
    pub(crate) fn with_transactions(self, transactions: Option<Transactions>) -> Self {
        Self {
            transactions,
            ..self
        }
    }

    /// What has to be done before batches are looked for. Returns when to come again, if nothing happens before.
    pub(super) fn maybe_send_transactional_request(&mut self, now: Instant) -> Option<Instant> {
        let manager = self.manager()?;
        if manager.is_at_rest() {
            return None;
        }
        let fatal = manager.fatal_error().cloned();
        drop(manager);
        if let Some(error) = fatal {
            self.abort_all(&error, now);
            return None;
        }
        if self.transactions.is_some() {
            self.keep_transaction(now);
        } else {
            self.restart_partitions(now);
        }
        let come_again = self.send_next_request(now);
        earlier(come_again, self.look_for_coordinator(now))
    }

    /// Whether `close` has to wait for the end of a transaction.
    pub(super) fn has_ongoing_transaction(&self) -> bool {
        self.transactions.is_some()
            && self
                .manager()
                .is_some_and(|manager| manager.has_ongoing_transaction())
    }

    /// Fails what the transaction does not want any more, and ends it where the producer is being closed.
    fn keep_transaction(&mut self, now: Instant) {
        if self.control.phase() == Phase::Closing && !self.has_batches() {
            self.abort_open_transaction();
        }
        self.note_transaction_version();
        let stuck = self.take_stuck_batches();
        // A late record is in its batch before the manager hears of it.
        let has_late_records = self.manager().is_some_and(|mut m| m.take_late_records());
        // The batches are looked at before the state: between the two a transaction may begin, and its batches must live.
        let has_incomplete = self.has_incomplete();
        let aborted = self.manager().and_then(|manager| {
            let error = manager.poll_abort(has_late_records && has_incomplete)?;
            Some((error, manager.has_ongoing_transaction()))
        });
        let Some((error, is_open)) = aborted else {
            return;
        };
        // Batches that are out, or were, have numbers and come to their end by themselves, unless numbers are missing
        // before theirs.
        for batch in stuck {
            self.fail_batch(batch, error.clone(), now);
        }
        if has_incomplete && !planted!("abort-spares-what-waits") {
            for batch in self.accumulator.abort_undrained() {
                // Should a transaction have begun all the same, it must not commit without this one.
                if !is_open || has_late_records {
                    self.fail_transaction(&error, false);
                }
                self.finish_failed(batch, error.clone(), Vec::new(), now);
            }
        }
    }

    /// Java: the third step of `Sender.run`.
    fn abort_open_transaction(&mut self) {
        let Some(mut manager) = self.manager() else {
            return;
        };
        if !manager.has_ongoing_transaction() || manager.is_completing() {
            return;
        }
        log::info!("closing: the open transaction is aborted");
        if let Err(error) = manager.abort_for_close() {
            log::warn!("closing: the open transaction cannot be aborted: {error}");
            manager.fail(error);
        }
    }

    fn note_transaction_version(&self) {
        if let (Some(transactions), Some(mut manager)) = (&self.transactions, self.manager()) {
            let versions = &transactions.api_versions;
            manager.note_transaction_version(versions.finalized_feature_level(TRANSACTION_VERSION));
        }
    }

    fn send_next_request(&mut self, now: Instant) -> Option<Instant> {
        let mut manager = self.manager()?;
        // Under the lock: a commit that the manager knows of has its batches counted already.
        let has_incomplete = self.has_incomplete();
        let Some(request) = manager.poll_request(now, has_incomplete) else {
            return manager.next_timeout(now).filter(|at| *at > now);
        };
        drop(manager);
        let node = match &request.to {
            Some(node) => node.clone(),
            None => match self.client.least_loaded_node(now).node {
                Some(node) => node,
                None => return self.wait_for_a_node(now),
            },
        };
        if !self.client.ready(&node, now) {
            return self.wait_for(&node, &request, now);
        }
        self.note_coordinator(&node, &request);
        let id = node.node_id();
        let builder = builder(request.body.clone());
        let sent = self.client.new_client_request(id, builder, now, true);
        self.txn_questions.in_flight = Some(TxnInFlight {
            correlation_id: sent.correlation_id,
            request,
        });
        self.client.send(sent, now);
        None
    }

    /// Every node is left alone for now. A connection that is made meanwhile ends the wait.
    fn wait_for_a_node(&self, now: Instant) -> Option<Instant> {
        self.manager()?
            .handle_unsent(Unsent::NotReady, now, fastrand::f64());
        let longest = self.config.retry_backoff.backoff(u32::MAX, fastrand::f64());
        now.checked_add(longest.max(SHORTEST_WAIT_FOR_A_NODE))
    }

    /// The node takes no request now. Where there is no connection to a coordinator, another node may be it by now.
    fn wait_for(&self, node: &Node, request: &TxnRequest, now: Instant) -> Option<Instant> {
        let is_gone = request.to.is_some() && self.client.connection_failed(node);
        let why = if is_gone {
            Unsent::Unreachable
        } else {
            Unsent::NotReady
        };
        let mut manager = self.manager()?;
        manager.handle_unsent(why, now, fastrand::f64());
        let until_ready = now.checked_add(self.client.poll_delay(node, now));
        match why {
            Unsent::NotReady => until_ready,
            Unsent::Unreachable => earlier(manager.next_timeout(now), until_ready),
        }
    }

    /// What the transaction's coordinator can do is known once it is connected.
    fn note_coordinator(&self, node: &Node, request: &TxnRequest) {
        let Some(transactions) = &self.transactions else {
            return;
        };
        if matches!(
            request.body,
            TxnRequestBody::FindCoordinator(_) | TxnRequestBody::TxnOffsetCommit { .. }
        ) {
            return;
        }
        let versions = transactions.api_versions.get(node.node_id());
        let range = versions.and_then(|versions| versions.range(ApiKeys::InitProducerId));
        if let (Some((_, latest)), Some(mut manager)) = (range, self.manager()) {
            manager.note_init_producer_id_version(latest);
        }
    }

    /// A request of the manager has ended.
    pub(super) fn handle_transactional_response(&mut self, outcome: Outcome, now: Instant) {
        let Some(ended) = self.txn_questions.in_flight.take() else {
            return;
        };
        // What the coordinator said about the cluster counts for what comes next.
        self.note_transaction_version();
        let response = match outcome {
            Outcome::Answered(body) => read(&ended.request.body, body),
            Outcome::Written => TxnResponse::Failed(foreign()),
            Outcome::Failed(failure) => {
                TxnResponse::Failed(no_answer(&ended.request.body, &failure))
            }
        };
        if let Some(error) = response.error() {
            self.control.note_error(error, now);
        }
        let Some(mut manager) = self.manager() else {
            return;
        };
        let failure = manager.handle_response(response, now, fastrand::f64());
        drop(manager);
        if let Some(error) = failure {
            log::warn!("no producer id: {error}");
            // Batches that are out, or were, have an id and may still succeed.
            let waiting = self.accumulator.abort_undrained();
            self.abort(waiting, &error, super::Keep::Nothing, now);
        }
    }

    /// The newest version of Produce by which the batches of the open transaction may be sent: from version 12 on they
    /// make their partitions part of it by themselves, which a transaction of version 1 must not do.
    pub(super) fn newest_produce_version(&self) -> i16 {
        let version = self
            .manager()
            .and_then(|manager| manager.transaction_version());
        match version {
            Some(TransactionVersion::V2) => i16::MAX,
            _ => NEWEST_PRODUCE_OF_V1,
        }
    }

    pub(super) fn manager(&self) -> Option<MutexGuard<'_, TransactionManager>> {
        self.transaction_manager.as_ref().map(|m| m.lock())
    }

    fn has_incomplete(&self) -> bool {
        !self.accumulator.accumulator().incomplete().is_empty()
    }
}

fn foreign() -> KafkaError {
    KafkaError::new(
        ErrorKind::Disconnect,
        "the answer belongs to another request",
    )
}

fn no_answer(request: &TxnRequestBody, failure: &RequestFailure) -> KafkaError {
    let asked = request.name();
    match failure {
        RequestFailure::VersionMismatch(error) => {
            let text = format!("{asked} failed: {}", error.message());
            KafkaError::new(ErrorKind::UnsupportedVersion, text)
        }
        RequestFailure::AuthenticationFailed(error) => error.clone(),
        RequestFailure::Disconnected { .. }
        | RequestFailure::NotSent { .. }
        | RequestFailure::TimedOut { .. } => {
            KafkaError::new(ErrorKind::Disconnect, format!("{asked} failed: {failure}"))
        }
    }
}

/// The feature by which a cluster says how its transactions work (KIP-890).
const TRANSACTION_VERSION: &str = "transaction.version";
const NEWEST_PRODUCE_OF_V1: i16 = 11;
/// Even where `retry.backoff.ms` is 0 the thread must not spin until a node comes back.
const SHORTEST_WAIT_FOR_A_NODE: Duration = Duration::from_millis(100);
