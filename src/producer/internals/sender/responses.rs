//! From answers to completed, repeated, split and failed batches.
//!
//! Java: `clients/producer/internals/Sender.java` (`handleProduceResponse`, `completeBatch`, `failBatch`, `canRetry`).
//! Differs: each answer says whether the batch may have been written; batches that a response leaves out are repeated
//! instead of forgotten; a hint at a new leader is used at once.
//! Threads: the I/O thread. Locks: TransactionManager.

use std::time::{Duration, Instant};

use crate::client::client_request::{ClientResponse, Outcome, RequestFailure};
use crate::client::kafka_client::KafkaClient;
use crate::client::metadata::LeaderHint;
use crate::client::metadata_handle::MetadataHandle;
use crate::common::cluster::{LeaderEpoch, Node, NodeId, TopicPartition};
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::{KafkaError, Persisted, TimeLimit};
use crate::common::planted::planted;
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::sender::held_completions::Acknowledged;
use crate::producer::internals::sender::in_flight_batches::{
    InFlightBatch, InFlightRequest, Place,
};
use crate::producer::internals::sender::transactional::TxnQuestion;
use crate::producer::internals::sender::{Sender, errors};
use crate::producer::internals::transaction_manager::{
    BatchId, TransactionManager, Verdict, is_fatal,
};
use crate::protocol::errors::Errors;
use crate::protocol::messages::produce::{NodeEndpoint, PartitionProduceResponse, ProduceResponse};
use crate::protocol::requests::ResponseBody;

/// What a broker, or the lack of one, says about one batch.
#[derive(Debug)]
enum Answer {
    Written {
        base_offset: Option<i64>,
        log_append_time: Option<i64>,
    },
    Refused(Refusal),
}

#[derive(Debug)]
struct Refusal {
    error: Errors,
    /// The error of the batch if this is the end of it.
    exception: KafkaError,
    /// The error again, for the story of the batch.
    outcome: String,
    /// Whether the broker may have written the batch all the same.
    may_be_written: bool,
    response: Option<PartitionProduceResponse>,
}

impl<C: KafkaClient> Sender<C> {
    /// One request has ended.
    pub(super) fn handle_response(&mut self, response: ClientResponse, now: Instant) {
        match self.txn_questions.with(response.correlation_id) {
            Some(TxnQuestion::OfManager) => {
                return self.handle_transactional_response(response.outcome, now);
            }
            Some(TxnQuestion::Whereabouts) => {
                return self.handle_whereabouts(response.outcome, now);
            }
            None => {}
        }
        let Some(mut request) = self.in_flight.remove(response.correlation_id) else {
            log::warn!(
                "node {}: a response to request {}, which was not sent from here",
                response.destination,
                response.correlation_id
            );
            return;
        };
        match response.outcome {
            Outcome::Answered(ResponseBody::Produce(body)) => {
                let throttle = u64::try_from(body.throttle_time_ms).unwrap_or_default();
                self.metrics()
                    .request_answered(response.latency, Duration::from_millis(throttle));
                self.handle_produce_response(&mut request, body, now);
            }
            Outcome::Answered(_) => {
                let failure = disconnected("the response belongs to another kind of request");
                self.handle_failure(&mut request, &failure, now);
            }
            Outcome::Written => self.handle_written(&mut request, now),
            Outcome::Failed(failure) => self.handle_failure(&mut request, &failure, now),
        }
        self.end_request(&request);
    }

    /// Lets the partitions of a request go on, whatever came of it.
    fn end_request(&mut self, request: &InFlightRequest) {
        if self.config.guarantee_message_order {
            if planted!("mute-for-ever") {
                return;
            }
            for tp in request.partitions() {
                self.accumulator.unmute(tp);
            }
            return;
        }
        if !self.leader_moves.holds_any() {
            return;
        }
        let snapshot = self.metadata.current();
        let released = self
            .leader_moves
            .released(request, &snapshot, &self.in_flight);
        for tp in released {
            self.accumulator.unmute(&tp);
        }
    }

    fn handle_produce_response(
        &mut self,
        request: &mut InFlightRequest,
        body: ProduceResponse,
        now: Instant,
    ) {
        self.apply_leader_hints(request, &body);
        let mut odd = 0;
        for topic in body.responses {
            let known = request.topic_name(topic.topic_id);
            let name = match topic.name.as_str() {
                "" => known.as_deref(),
                name => Some(name),
            };
            for partition in topic.partition_responses {
                let asked = name.and_then(|name| request.take(name, partition.index));
                let Some(batch) = asked else {
                    odd += 1;
                    continue;
                };
                let answer = self.judge(&batch.tp, partition);
                self.complete_batch(batch, answer, now);
            }
        }
        if odd > 0 {
            log::warn!(
                "node {}: {odd} answer(s) for partitions that were not asked, or were answered before",
                request.node
            );
        }
        if planted!("left-out-is-forgotten") {
            return;
        }
        if request.has_unanswered() {
            let left_out = disconnected("the response left this partition out");
            self.fail_attempts(request, &left_out, now);
        }
    }

    /// With `acks=0`: the bytes are out, and that is all that will ever be known.
    fn handle_written(&mut self, request: &mut InFlightRequest, now: Instant) {
        for batch in request.take_rest() {
            let answer = Answer::Written {
                base_offset: None,
                log_append_time: None,
            };
            self.complete_batch(batch, answer, now);
        }
    }

    fn handle_failure(
        &mut self,
        request: &mut InFlightRequest,
        failure: &RequestFailure,
        now: Instant,
    ) {
        log::debug!("node {}: a produce request failed: {failure}", request.node);
        self.fail_attempts(request, failure, now);
    }

    fn fail_attempts(
        &mut self,
        request: &mut InFlightRequest,
        failure: &RequestFailure,
        now: Instant,
    ) {
        for batch in request.take_rest() {
            let refusal = no_answer(failure);
            self.complete_batch(batch, Answer::Refused(refusal), now);
        }
    }

    /// What one partition's answer means.
    fn judge(&self, tp: &TopicPartition, response: PartitionProduceResponse) -> Answer {
        let error = Errors::from_code(response.error_code);
        let written = |offset: i64| Answer::Written {
            base_offset: (offset >= 0).then_some(offset),
            log_append_time: Some(response.log_append_time_ms).filter(|time| *time >= 0),
        };
        match error {
            Errors::None => written(response.base_offset),
            // The broker has the batch from an earlier attempt and has forgotten where it put it.
            Errors::DuplicateSequenceNumber if !planted!("duplicate-is-an-error") => written(-1),
            _ => {
                let said = response.error_message.as_deref();
                let outcome = match said {
                    Some(said) if !said.is_empty() => format!("{error}: {said}"),
                    _ => error.to_string(),
                };
                Answer::Refused(Refusal {
                    error,
                    exception: errors::refused(tp, error, said),
                    outcome,
                    may_be_written: leaves_open(error, self.config.acks)
                        && !planted!("unknown-code-is-certain"),
                    response: Some(response),
                })
            }
        }
    }

    /// Java: `completeBatch`.
    fn complete_batch(&mut self, in_flight: InFlightBatch, answer: Answer, now: Instant) {
        let batch = match in_flight.place {
            Place::Waiting(batch) => batch,
            Place::Abandoned(numbers) => {
                if let Some((identity, first)) = numbers {
                    let id = BatchId {
                        tp: &in_flight.tp,
                        identity,
                        first,
                    };
                    self.handle_late_answer(id, &answer);
                }
                return;
            }
            Place::Answered => return,
        };
        match answer {
            Answer::Written {
                base_offset,
                log_append_time,
            } => {
                let mut is_next = true;
                self.with_manager(&batch, |manager, id| is_next = manager.handle_completed(id));
                self.watch_offset(&batch, base_offset);
                self.metrics().records_acknowledged(batch.record_count());
                let acknowledged = Acknowledged {
                    batch,
                    base_offset,
                    log_append_time,
                };
                self.tell_in_order(acknowledged, is_next);
            }
            Answer::Refused(refusal) => self.handle_refusal(batch, refusal, now),
        }
    }

    /// Says so where the log has become shorter than what was acknowledged before. An answer to a repeated batch may tell
    /// where the first attempt was written, which is long ago.
    fn watch_offset(&mut self, batch: &ProducerBatch, base_offset: Option<i64>) {
        let Some(offset) = base_offset.filter(|_| batch.failures() == 0) else {
            return;
        };
        let tp = batch.topic_partition();
        if let Some(before) = self.in_flight.offsets.note(tp, offset) {
            self.metrics().offset_regressed();
            log::warn!(
                "{tp}: offset {offset} was acknowledged after offset {before}: the log has lost records, or the topic was made anew"
            );
        }
    }

    /// The batch was failed to its owner before this answer came; only its numbers are of interest.
    fn handle_late_answer(&self, id: BatchId<'_>, answer: &Answer) {
        let Some(manager) = &self.transaction_manager else {
            return;
        };
        match answer {
            Answer::Written { .. } => {
                manager.lock().handle_completed(id);
            }
            // An earlier attempt may have been written in any case, so nothing is certain.
            Answer::Refused(_) => manager.lock().handle_failed(id, true),
        }
    }

    fn handle_refusal(&mut self, mut batch: ProducerBatch, refusal: Refusal, now: Instant) {
        let error = refusal.error;
        self.control.note_error(&refusal.exception, now);
        if error.is_invalid_metadata() && !planted!("stale-leader-is-not-looked-up") {
            log::debug!("{}: {error}, asking for metadata", batch.topic_partition());
            self.metadata.request_update();
        }
        if refusal.may_be_written {
            batch.attempt_lost(now, refusal.outcome.as_str());
        } else {
            batch.attempt_refused(now, refusal.outcome.as_str());
        }
        let is_expired = batch.is_expired(self.config.delivery_timeout, now)
            && !planted!("retry-after-the-deadline");
        if error == Errors::MessageTooLarge && batch.record_count() > 1 && !is_expired {
            self.split(batch, &refusal, now);
        } else if !is_expired && self.can_retry(&batch, &refusal) {
            self.reenqueue(batch, error, now);
        } else {
            self.fail_refused(batch, &refusal, now);
        }
    }

    /// Java: `canRetry`.
    fn can_retry(&self, batch: &ProducerBatch, refusal: &Refusal) -> bool {
        if batch.failures() >= self.config.retries {
            return false;
        }
        let kind = refusal.exception.kind();
        let (Some(manager), Some(id)) = (&self.transaction_manager, batch_id(batch)) else {
            return refusal.error.is_retriable();
        };
        let log_start = refusal.response.as_ref().map_or(-1, |r| r.log_start_offset);
        let mut manager = manager.lock();
        let is_gap = matches!(
            kind,
            ErrorKind::OutOfOrderSequence | ErrorKind::UnknownProducerId
        );
        if is_gap && batch.persisted() == Persisted::Maybe && manager.asks_again(id) {
            return true;
        }
        match manager.can_retry(id, kind, log_start) {
            Verdict::Retry => true,
            // It waits for a new identity, which a batch that may have been written must not get.
            Verdict::Renumber => {
                batch.persisted() == Persisted::No || planted!("renumber-what-may-be-written")
            }
            Verdict::Fail => false,
        }
    }

    fn reenqueue(&mut self, batch: ProducerBatch, error: Errors, now: Instant) {
        log::debug!(
            "{}: retrying {} record(s) after {error}, {} of {} retries used",
            batch.topic_partition(),
            batch.record_count(),
            batch.failures(),
            self.config.retries
        );
        self.metrics().records_retried(batch.record_count());
        self.with_manager(&batch, |manager, id| manager.handle_reenqueued(id));
        match error {
            // The markers of the last transaction are being written, which takes no long time (KAFKA-18654).
            Errors::ConcurrentTransactions => {
                self.accumulator
                    .reenqueue_within(CONCURRENT_TRANSACTIONS_BACKOFF, batch, now);
            }
            _ => self.accumulator.reenqueue(batch, now),
        }
    }

    /// The batch goes on in parts, at once and without using up a retry.
    fn split(&mut self, batch: ProducerBatch, refusal: &Refusal, now: Instant) {
        log::debug!(
            "{}: a batch of {} record(s) and {} bytes is too large for the broker, splitting it",
            batch.topic_partition(),
            batch.record_count(),
            batch.size_in_bytes()
        );
        match self.accumulator.split_and_reenqueue(batch) {
            Ok(()) => self.metrics().batch_split(),
            Err(whole) => self.fail_refused(whole, refusal, now),
        }
    }

    fn fail_refused(&mut self, batch: ProducerBatch, refusal: &Refusal, now: Instant) {
        let response = refusal.response.as_ref();
        let named = response.map_or(&[][..], |r| &r.record_errors);
        let said = response.and_then(|r| r.error_message.as_deref());
        let exception = self.note_failed(&batch, refusal.exception.clone());
        let (error, of_records) = errors::of_records(&exception, named, said);
        self.finish_failed(batch, error, of_records, now);
    }

    /// Fails a batch that is in no request.
    pub(super) fn fail_batch(&mut self, batch: ProducerBatch, error: KafkaError, now: Instant) {
        let error = self.note_failed(&batch, error);
        self.finish_failed(batch, error, Vec::new(), now);
    }

    /// Tells the transaction manager of a batch that is about to fail; does nothing to the batch. Returns the error as its
    /// owners must see it: fatal where it is the end of the producer.
    fn note_failed(&self, batch: &ProducerBatch, error: KafkaError) -> KafkaError {
        let may_be_written = batch.persisted() == Persisted::Maybe;
        let is_the_end = is_fatal(error.kind()) && batch_id(batch).is_some();
        let error = if is_the_end { error.fatal() } else { error };
        self.with_manager(batch, |manager, id| {
            manager.handle_failed(id, may_be_written);
            if is_the_end {
                manager.fail(error.clone());
            }
        });
        self.fail_transaction(&error, may_be_written);
        error
    }

    /// A transaction that a batch is missing from cannot be committed.
    pub(super) fn fail_transaction(&self, error: &KafkaError, may_be_written: bool) {
        if self.transactions.is_none() {
            return;
        }
        if let Some(mut manager) = self.manager() {
            manager.maybe_transition_to_error_state(error, may_be_written);
        }
    }

    /// Gives up on a batch whose request goes on.
    pub(super) fn abandon(&self, batch: &mut ProducerBatch, now: Instant) {
        if planted!("expired-on-the-wire-means-not-written") {
            batch.attempt_refused(now, "no answer so far");
        }
        batch.attempt_lost(now, "no answer so far");
        self.with_manager(batch, |manager, id| manager.handle_abandoned(id));
    }

    /// The end of a batch: its owners learn why, callbacks first.
    pub(super) fn finish_failed(
        &mut self,
        batch: ProducerBatch,
        error: KafkaError,
        of_records: Vec<(u32, KafkaError)>,
        now: Instant,
    ) {
        log::debug!("{}: {error}", batch.topic_partition());
        self.control.note_error(&error, now);
        self.metrics().records_failed(batch.record_count());
        let panicked = batch.fail_records(error, of_records);
        self.metrics().callbacks_panicked(panicked);
    }

    fn with_manager(
        &self,
        batch: &ProducerBatch,
        action: impl FnOnce(&mut TransactionManager, BatchId<'_>),
    ) {
        if let (Some(manager), Some(id)) = (&self.transaction_manager, batch_id(batch)) {
            action(&mut manager.lock(), id);
        }
    }

    /// Takes over the leaders that a refusal names (KIP-951), before the batches are repeated.
    fn apply_leader_hints(&self, request: &InFlightRequest, body: &ProduceResponse) {
        let mut hints = Vec::new();
        for topic in &body.responses {
            let refused = topic.partition_responses.iter().filter(|partition| {
                matches!(
                    Errors::from_code(partition.error_code),
                    Errors::NotLeaderOrFollower | Errors::FencedLeaderEpoch
                ) && partition.current_leader.leader_id >= 0
                    && partition.current_leader.leader_epoch >= 0
            });
            for partition in refused {
                let name = match topic.name.as_str() {
                    "" => request.topic_name(topic.topic_id),
                    name => Some(name.into()),
                };
                let leader = &partition.current_leader;
                hints.extend(name.map(|name| LeaderHint {
                    topic_partition: TopicPartition::new(name, partition.index),
                    leader: Some(NodeId(leader.leader_id)),
                    epoch: LeaderEpoch::from_wire(leader.leader_epoch),
                }));
            }
        }
        if !hints.is_empty() {
            let nodes = body.node_endpoints.iter().filter_map(node).collect();
            self.metadata
                .with(|core| core.update_partition_leadership(&hints, nodes));
        }
    }
}

/// A batch as the transaction manager knows it; nothing where it has no number.
pub(super) fn batch_id(batch: &ProducerBatch) -> Option<BatchId<'_>> {
    let (identity, first) = batch.identity()?;
    Some(BatchId {
        tp: batch.topic_partition(),
        identity,
        first,
    })
}

/// Whether a broker that answers with this error may have the batch. Brokers check most things before they write; but
/// with `acks=all` an answer also tells how the wait for the replicas ended.
fn leaves_open(error: Errors, acks: i16) -> bool {
    match error {
        Errors::RequestTimedOut
        | Errors::NotEnoughReplicasAfterAppend
        | Errors::NetworkException
        | Errors::KafkaStorageError
        | Errors::UnknownServerError
        | Errors::Unlisted(_) => true,
        Errors::NotLeaderOrFollower | Errors::UnknownTopicOrPartition => acks == ACKS_ALL,
        _ => false,
    }
}

fn no_answer(failure: &RequestFailure) -> Refusal {
    let (error, kind) = match failure {
        RequestFailure::TimedOut { .. } => (Errors::RequestTimedOut, ErrorKind::Timeout),
        RequestFailure::VersionMismatch(_) => {
            (Errors::UnsupportedVersion, ErrorKind::UnsupportedVersion)
        }
        RequestFailure::Disconnected { .. }
        | RequestFailure::NotSent { .. }
        | RequestFailure::AuthenticationFailed(_) => (Errors::NetworkException, ErrorKind::Network),
    };
    let text = format!("no answer to the produce request: {failure}");
    let exception = match failure {
        RequestFailure::VersionMismatch(error) => error.clone(),
        RequestFailure::TimedOut { .. } => KafkaError::timeout(TimeLimit::RequestTimeout, text),
        _ => KafkaError::new(kind, text),
    };
    Refusal {
        error,
        exception,
        outcome: failure.to_string(),
        may_be_written: !was_not_sent(failure) && !planted!("no-answer-means-not-written"),
        response: None,
    }
}

/// Whether nothing of the request can have come to the broker.
fn was_not_sent(failure: &RequestFailure) -> bool {
    matches!(
        failure,
        RequestFailure::VersionMismatch(_) | RequestFailure::NotSent { .. }
    )
}

fn disconnected(reason: &str) -> RequestFailure {
    RequestFailure::Disconnected {
        reason: reason.into(),
    }
}

fn node(endpoint: &NodeEndpoint) -> Option<Node> {
    let port = u16::try_from(endpoint.port).ok()?;
    let node = Node::new(endpoint.node_id, endpoint.host.as_str(), port);
    Some(node.with_rack(endpoint.rack.as_deref().map(Into::into)))
}

const CONCURRENT_TRANSACTIONS_BACKOFF: Duration = Duration::from_millis(20);
const ACKS_ALL: i16 = -1;
