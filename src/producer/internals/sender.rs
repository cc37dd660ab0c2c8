//! The I/O thread: takes batches from the accumulator, sends them to their leaders, and completes them.
//!
//! Java: `clients/producer/internals/Sender.java`.
//! Differs: owns the batches in flight; expires before it drains, so that no batch is failed and then sent; waits in one
//! place; a pass that panics fails everything that waits instead of being retried for ever.
//! Threads: the I/O thread; `SenderControl` is for the others. Locks: TransactionManager, for short.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::client_request::ClientResponse;
use crate::client::kafka_client::KafkaClient;
use crate::client::metadata_handle::MetadataHandle;
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::kafka_error::KafkaError;
use crate::common::kafka_thread::panic_text;
use crate::common::planted::planted;
use crate::common::sync::Mutex;
use crate::common::time::{Time, earlier};
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::producer_metadata::ProducerMetadata;
use crate::producer::internals::record_accumulator::RecordDrainer;
use crate::producer::internals::sender::control::Phase;
use crate::producer::internals::sender::held_completions::HeldCompletions;
use crate::producer::internals::sender::in_flight_batches::InFlightBatches;
use crate::producer::internals::sender::leader_moves::LeaderMoves;
use crate::producer::internals::sender::transactional::TxnQuestions;
use crate::producer::internals::sender_metrics::SenderMetrics;
use crate::producer::internals::transaction_manager::TransactionManager;

pub(crate) use self::control::SenderControl;
pub(crate) use self::lending::SharedSender;
pub(crate) use self::transactional::Transactions;

mod brief_spin;
mod control;
mod errors;
mod frozen_coordinators;
mod frozen_leaders;
mod held_completions;
mod in_flight_batches;
#[cfg(test)]
mod invariants;
mod leader_moves;
mod lending;
mod offset_watch;
mod produce;
mod producer_id;
mod recreated_topics;
mod responses;
#[cfg(test)]
mod tests;
mod transactional;
mod txn_requests;

/// What the Sender needs to know from the configuration.
#[derive(Debug, Clone)]
pub(crate) struct SenderConfig {
    /// `acks`: 0, 1, or -1 for all.
    pub(crate) acks: i16,
    /// `retries`
    pub(crate) retries: u32,
    /// `max.request.size`
    pub(crate) max_request_size: usize,
    /// `request.timeout.ms`
    pub(crate) request_timeout: Duration,
    /// `delivery.timeout.ms`
    pub(crate) delivery_timeout: Duration,
    /// `retry.backoff.ms` and `retry.backoff.max.ms`
    pub(crate) retry_backoff: ExponentialBackoff,
    /// Whether a partition's next batch waits for the answer to the one before: `max.in.flight.requests.per.connection`
    /// is 1.
    pub(crate) guarantee_message_order: bool,
    /// The oldest version of Produce that can carry what the compression makes.
    pub(crate) oldest_produce_version: i16,
}

/// The work of the I/O thread, over any client.
pub(crate) struct Sender<C> {
    client: C,
    accumulator: RecordDrainer,
    metadata: Arc<ProducerMetadata>,
    /// Exists where the producer is idempotent.
    transaction_manager: Option<Arc<Mutex<TransactionManager>>>,
    config: SenderConfig,
    time: Arc<dyn Time>,
    control: Arc<SenderControl>,
    in_flight: InFlightBatches,
    held: HeldCompletions,
    leader_moves: LeaderMoves,
    /// Exists where the producer has a `transactional.id`.
    transactions: Option<Transactions>,
    txn_questions: TxnQuestions,
    scratch: Scratch,
}

/// Lists that are empty between passes, kept for their memory.
#[derive(Debug, Default)]
struct Scratch {
    /// What came in.
    responses: Vec<ClientResponse>,
    /// What goes into the next request.
    drained: Vec<ProducerBatch>,
}

/// What the Sender works with, apart from its configuration.
#[derive(Debug)]
pub(crate) struct SenderParts<C> {
    pub(crate) client: C,
    pub(crate) accumulator: RecordDrainer,
    pub(crate) metadata: Arc<ProducerMetadata>,
    /// The one that `accumulator` has, where the producer is idempotent.
    pub(crate) transaction_manager: Option<Arc<Mutex<TransactionManager>>>,
    pub(crate) time: Arc<dyn Time>,
    pub(crate) control: Arc<SenderControl>,
}

impl<C: KafkaClient> Sender<C> {
    pub(crate) fn new(config: SenderConfig, parts: SenderParts<C>) -> Self {
        Self {
            client: parts.client,
            accumulator: parts.accumulator,
            metadata: parts.metadata,
            transaction_manager: parts.transaction_manager,
            config,
            time: parts.time,
            control: parts.control,
            in_flight: InFlightBatches::default(),
            held: HeldCompletions::default(),
            leader_moves: LeaderMoves::default(),
            transactions: None,
            txn_questions: TxnQuestions::default(),
            scratch: Scratch::default(),
        }
    }

    /// The life of the I/O thread, which lends its work to nobody.
    #[cfg(test)]
    pub(crate) fn run(self) {
        SharedSender::new(self, Duration::ZERO).run();
    }

    /// Tells everybody who still waits that there is nothing more to come, and of what the thread died where it did.
    pub(crate) fn end(mut self, died_of: Option<KafkaError>) {
        if let Some(error) = &died_of {
            log::error!("the I/O thread ends: {error}");
            self.control.note_error(error, self.time.now());
            // Later calls must see this before the callers that wait now are told.
            self.control.fail(error.clone());
        }
        let reason = died_of.unwrap_or_else(errors::closed_forcefully);
        // A second panic is caught as well, so that the threads which wait for the end learn of it in any case.
        let cleaned_up = contained(|| {
            self.clean_up(&reason);
            Ok(())
        });
        if let Err(error) = cleaned_up {
            log::error!("while closing: {error}");
            self.metadata.fail(error.clone());
            self.control.fail(error);
        }
        self.control.terminated();
        log::debug!("the I/O thread ends");
    }

    /// Whether no pass is due any more: the end was forced, or it was asked for and all that was accepted is sent.
    pub(crate) fn is_over(&self) -> bool {
        match self.control.phase() {
            Phase::Running => false,
            Phase::Closing => !self.has_work(),
            Phase::Forced => true,
        }
    }

    fn has_work(&self) -> bool {
        let is_open = self.has_ongoing_transaction() && !planted!("close-leaves-a-transaction");
        self.has_batches() || is_open
    }

    fn has_batches(&self) -> bool {
        self.accumulator.accumulator().has_undrained() || self.in_flight.has_waiting()
    }

    /// Fails what is left, for this reason, and gives up all connections.
    fn clean_up(&mut self, reason: &KafkaError) {
        if let (Some(_), Some(mut manager)) = (&self.transactions, self.manager()) {
            manager.fail(reason.clone());
        }
        let now = self.time.now();
        self.abort_in_flight(reason, Keep::ForReport, now);
        // A pass that died may have taken them out of their queues and not sent them.
        let drained = std::mem::take(&mut self.scratch.drained);
        self.abort(drained, reason, Keep::ForReport, now);
        let queued = self.accumulator.abort_incomplete();
        self.abort(queued, reason, Keep::ForReport, now);
        self.tell_all_held();
        self.metadata.close();
        self.client.close();
    }

    /// One pass: what is due is decided and sent, then comes the one wait, then what came in is handled.
    ///
    /// # Errors
    /// Where there is no waiting for the network any more.
    pub(crate) fn run_once(&mut self) -> Result<(), KafkaError> {
        let (timeout, now) = self.begin_pass();
        self.wait(timeout, now)
    }

    /// The pass up to the wait. Returns how long that may take from when.
    fn begin_pass(&mut self) -> (Duration, Instant) {
        let now = self.time.now();
        let snapshot = self.metadata.snapshot();
        self.note_recreated_topics(&snapshot);
        let deadline = earlier(
            self.maybe_send_transactional_request(now),
            self.send_producer_data(&snapshot, now),
        );
        // The clock is read again since callbacks of expired batches may have taken their time.
        let now = self.time.now();
        let timeout = match deadline {
            // What was done just now may have been the last there was to do before the end.
            _ if self.is_over() && !planted!("sleeps-before-the-end") => Duration::ZERO,
            Some(at) => at.saturating_duration_since(now),
            None => Duration::MAX,
        };
        (timeout, now)
    }

    /// What came in, without a wait: for the simulator.
    #[cfg(all(test, feature = "embedded-broker", not(shuttle)))]
    pub(crate) fn poll(&mut self) -> Result<(), KafkaError> {
        self.wait(Duration::ZERO, self.time.now())
    }

    /// The one wait, and what came in.
    fn wait(&mut self, timeout: Duration, now: Instant) -> Result<(), KafkaError> {
        let mut responses = std::mem::take(&mut self.scratch.responses);
        let polled = self.client.poll(timeout, now, &mut responses);
        let now = self.time.now();
        for response in responses.drain(..) {
            self.handle_response(response, now);
        }
        self.scratch.responses = responses;
        self.tell_held();
        polled
    }

    /// Fails every batch there is, those on the wire first since they are older. What comes later is accepted.
    fn abort_all(&mut self, reason: &KafkaError, now: Instant) {
        self.abort_in_flight(reason, Keep::Nothing, now);
        let queued = self.accumulator.take_all();
        self.abort(queued, reason, Keep::Nothing, now);
        self.tell_all_held();
    }

    fn abort_in_flight(&mut self, reason: &KafkaError, keep: Keep, now: Instant) {
        for mut batch in self.in_flight.take_all() {
            self.abandon(&mut batch, now);
            self.keep_unsent(&batch, keep);
            self.finish_failed(batch, reason.clone(), Vec::new(), now);
        }
    }

    fn abort(
        &mut self,
        batches: Vec<ProducerBatch>,
        reason: &KafkaError,
        keep: Keep,
        now: Instant,
    ) {
        for batch in batches {
            self.keep_unsent(&batch, keep);
            self.fail_batch(batch, reason.clone(), now);
        }
    }

    fn keep_unsent(&self, batch: &ProducerBatch, keep: Keep) {
        if keep == Keep::ForReport {
            self.control.keep_unsent(batch);
        }
    }

    fn metrics(&self) -> &SenderMetrics {
        self.control.metrics()
    }
}

/// What work on the I/O thread fails with; a panic is such a failure.
fn contained(work: impl FnOnce() -> Result<(), KafkaError>) -> Result<(), KafkaError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => done.map_err(KafkaError::fatal),
        Err(panic) => Err(errors::panicked(&panic_text(panic.as_ref()))),
    }
}

/// Whether the records of an aborted batch go into the report of `close`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    ForReport,
    Nothing,
}

impl<C> fmt::Debug for Sender<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("control", &self.control)
            .finish_non_exhaustive()
    }
}
