//! Keeps an idempotent producer supplied with an identity: asks for ids, starts partitions over.
//!
//! Java: `clients/producer/internals/Sender.java` (`runOnce`, `maybeSendAndPollTransactionalRequest`).
//! Differs: never waits for a connection or a back-off, but says when to come again.
//! Threads: the I/O thread. Locks: TransactionManager.

use std::time::{Duration, Instant};

use crate::client::client_request::{Outcome, RequestBuilder, RequestFailure};
use crate::client::kafka_client::KafkaClient;
use crate::common::cluster::ProducerIdAndEpoch;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::producer::internals::sender::{Keep, Sender};
use crate::producer::internals::transaction_manager::{TxnRequest, TxnResponse};
use crate::protocol::errors::Errors;
use crate::protocol::messages::init_producer_id::InitProducerIdRequest;
use crate::protocol::requests::ResponseBody;

impl<C: KafkaClient> Sender<C> {
    /// What an idempotent producer has to do before it looks for batches to send. Returns when to come again, if nothing
    /// happens before.
    pub(super) fn keep_producer_id(&mut self, now: Instant) -> Option<Instant> {
        let manager = self.transaction_manager.as_ref()?;
        let fatal = manager.lock().fatal_error().cloned();
        if let Some(error) = fatal {
            self.abort_all(&error);
            return None;
        }
        self.restart_partitions();
        self.request_producer_id(now)
    }

    /// Takes the numbered batches of partitions that must start over out of their queues: those that may have been
    /// written fail, since a second identity could write them twice; the others get new numbers when they are drained.
    fn restart_partitions(&mut self) {
        let Some(manager) = &self.transaction_manager else {
            return;
        };
        let due = manager.lock().poll_restart();
        if due.is_empty() {
            return;
        }
        manager.lock().restart(&due);
        for tp in &due {
            let mut uncertain = Vec::new();
            let mut unwritten = Vec::new();
            for batch in self.accumulator.take_numbered(tp) {
                match batch.into_unwritten() {
                    Ok(batch) => unwritten.push(batch),
                    Err(batch) => uncertain.push(batch),
                }
            }
            self.accumulator.put_back_unnumbered(unwritten);
            for batch in uncertain {
                let text = format!(
                    "the batch of {} record(s) for {tp} cannot keep its place, since a batch before it failed or its topic was made again, and may have been written before",
                    batch.record_count()
                );
                self.fail_batch(batch, KafkaError::new(ErrorKind::OutOfOrderSequence, text));
            }
        }
    }

    fn request_producer_id(&mut self, now: Instant) -> Option<Instant> {
        let manager = self.transaction_manager.as_ref()?;
        let due = manager.lock().next_timeout(now)?;
        if due > now {
            return Some(due);
        }
        let Some(node) = self.client.least_loaded_node(now).node else {
            // Every node is left alone for now. A connection that is made meanwhile ends the wait.
            let longest = self.config.retry_backoff.backoff(u32::MAX, fastrand::f64());
            return now.checked_add(longest.max(SHORTEST_WAIT_FOR_A_NODE));
        };
        if !self.client.ready(&node, now) {
            return now.checked_add(self.client.poll_delay(&node, now));
        }
        let TxnRequest::InitProducerId = manager.lock().poll_request(now)?;
        let builder = RequestBuilder::of(InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..InitProducerIdRequest::default()
        });
        let id = node.node_id();
        let request = self.client.new_client_request(id, builder, now, true);
        self.producer_id_request = Some(request.correlation_id);
        self.client.send(request, now);
        None
    }

    /// Takes the outcome of the request for a producer id.
    pub(super) fn handle_producer_id(&mut self, outcome: Outcome, now: Instant) {
        self.producer_id_request = None;
        let response = match producer_id(outcome) {
            Ok(identity) => TxnResponse::InitProducerId(identity),
            Err(error) => TxnResponse::Failed(error),
        };
        let Some(manager) = &self.transaction_manager else {
            return;
        };
        let random = fastrand::f64();
        let failure = manager.lock().handle_response(response, now, random);
        if let Some(error) = failure {
            log::warn!("no producer id: {error}");
            // Batches that are out, or were, have an id and may still succeed.
            let waiting = self.accumulator.abort_undrained();
            self.abort(waiting, &error, Keep::Nothing);
        }
    }
}

fn producer_id(outcome: Outcome) -> Result<ProducerIdAndEpoch, KafkaError> {
    let failed = |kind, text: String| {
        let text = format!("the request for a producer id failed: {text}");
        Err(KafkaError::new(kind, text))
    };
    match outcome {
        Outcome::Answered(ResponseBody::InitProducerId(response)) => {
            match Errors::from_code(response.error_code) {
                // A batch with a negative id would be written without any check for duplicates.
                Errors::None if response.producer_id < 0 || response.producer_epoch < 0 => failed(
                    ErrorKind::Disconnect,
                    format!(
                        "the broker gave producer id {} with epoch {}",
                        response.producer_id, response.producer_epoch
                    ),
                ),
                Errors::None => Ok(ProducerIdAndEpoch {
                    producer_id: response.producer_id,
                    epoch: response.producer_epoch,
                }),
                Errors::ClusterAuthorizationFailed => failed(
                    ErrorKind::ClusterAuthorization,
                    "not authorized to do idempotent sends, which need IdempotentWrite on the cluster or Write on a topic"
                        .to_owned(),
                ),
                error => {
                    let kind = error.kind().unwrap_or(ErrorKind::UnknownServer);
                    failed(kind, format!("{}: {}", error.name(), error.text()))
                }
            }
        }
        Outcome::Failed(RequestFailure::VersionMismatch(error)) => {
            failed(ErrorKind::UnsupportedVersion, error.message().to_owned())
        }
        Outcome::Failed(RequestFailure::AuthenticationFailed(error)) => Err(error),
        Outcome::Failed(failure) => failed(ErrorKind::Disconnect, failure.to_string()),
        Outcome::Answered(_) | Outcome::Written => failed(
            ErrorKind::Disconnect,
            "the answer belongs to another request".to_owned(),
        ),
    }
}

/// Even where `retry.backoff.ms` is 0 the thread must not spin until a node comes back.
const SHORTEST_WAIT_FOR_A_NODE: Duration = Duration::from_millis(100);
