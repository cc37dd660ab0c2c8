//! What the application says, and what happens to its batches: begin, send, commit, abort.
//!
//! Java: `clients/producer/internals/TransactionManager.java` (`initializeTransactions`, `beginTransaction`,
//! `beginCommit`, `beginAbort`, `sendOffsetsToTransaction`, `maybeAddPartition`, `maybeTransitionToErrorState`).
//! Differs: whether a record may be sent is checked before it is appended; an error says by its predicates whether to
//! abort or to close; a new epoch is decided on when the transaction has ended, not when its end begins.
//! Threads: any, under the manager's lock. Locks: none.

use std::fmt::Display;
use std::sync::Arc;

use crate::common::cluster::{ProducerIdAndEpoch, TopicPartition};
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::producer::internals::transaction_manager::requests::{GroupOffsets, Kind, Request};
use crate::producer::internals::transaction_manager::state::{
    Caller, State, Step, TransactionVersion,
};
use crate::producer::internals::transaction_manager::{
    TransactionManager, Transactional, is_fatal,
};
use crate::producer::internals::transactional_request_result::{
    Operation, TransactionalRequestResult,
};

/// What the application waits for.
type Pending = Arc<TransactionalRequestResult>;

impl TransactionManager {
    /// Asks for an identity, which takes over from every earlier instance with the same `transactional.id`.
    pub(crate) fn initialize_transactions(&mut self) -> Result<Pending, KafkaError> {
        if let Some(same) = self.uncollected(Operation::Init)? {
            return Ok(same);
        }
        self.check_usable(Operation::Init)?;
        self.transition(Step::Initialize, Caller::Application)?;
        self.enqueue_pending(Kind::InitProducerId, Operation::Init)
    }

    /// As [`initialize_transactions`](Self::initialize_transactions), but leaves alone what an earlier instance has
    /// prepared (KIP-939): [`prepared`](Self::prepared) tells of it afterwards.
    pub(crate) fn initialize_keeping_prepared(&mut self) -> Result<Pending, KafkaError> {
        if let Some(same) = self.uncollected(Operation::Init)? {
            return Ok(same);
        }
        if !self.transactional_mut()?.config.two_phase_commit {
            let text =
                "prepared transactions are kept with transaction.two.phase.commit.enable=true only";
            return Err(KafkaError::new(ErrorKind::InvalidTxnState, text));
        }
        self.check_usable(Operation::Init)?;
        self.transition(Step::Initialize, Caller::Application)?;
        self.enqueue_pending(Kind::InitKeepingPrepared, Operation::Init)
    }

    /// The identity that a transaction was prepared with which waits to be committed or aborted.
    pub(crate) fn prepared(&self) -> Option<ProducerIdAndEpoch> {
        match &self.state {
            State::Prepared(_, prepared) => Some(*prepared),
            _ => None,
        }
    }

    /// Opens a transaction; no broker hears of it yet.
    pub(crate) fn begin_transaction(&mut self) -> Result<(), KafkaError> {
        self.check_nothing_uncollected(BEGIN)?;
        self.check_usable(BEGIN)?;
        let version = self.transactional_mut()?.version;
        self.transition(Step::Begin(version), Caller::Application)
    }

    /// Commits once every batch of the transaction is written.
    pub(crate) fn begin_commit(&mut self) -> Result<Pending, KafkaError> {
        if let Some(same) = self.uncollected(Operation::Commit)? {
            return Ok(same);
        }
        self.check_usable(Operation::Commit)?;
        self.transition(Step::Commit, Caller::Application)?;
        self.begin_completing(Operation::Commit)
    }

    /// Aborts once every batch that is on its way has come to an end.
    pub(crate) fn begin_abort(&mut self) -> Result<Pending, KafkaError> {
        if let Some(same) = self.uncollected(Operation::Abort)? {
            return Ok(same);
        }
        if !matches!(self.state, State::Abortable(..)) {
            self.check_usable(Operation::Abort)?;
        }
        self.start_abort()
    }

    /// Aborts although somebody else may wait for an earlier call: the producer is being closed.
    pub(crate) fn abort_for_close(&mut self) -> Result<(), KafkaError> {
        self.start_abort().map(|_| ())
    }

    /// Makes the positions of a consumer part of the transaction.
    pub(crate) fn send_offsets_to_transaction(
        &mut self,
        offsets: GroupOffsets,
    ) -> Result<Pending, KafkaError> {
        self.check_in_transaction(Operation::SendOffsets)?;
        let result = Arc::new(TransactionalRequestResult::new(Operation::SendOffsets));
        if let Some(open) = self.state.transaction_mut() {
            let kind = match open.version {
                TransactionVersion::V1 => Kind::AddOffsetsToTxn(offsets),
                TransactionVersion::V2 => {
                    open.started = true;
                    Kind::TxnOffsetCommit(offsets)
                }
            };
            let request = Request::new(kind, Some(Arc::clone(&result)));
            self.requests.push(request);
        }
        Ok(result)
    }

    /// Refuses a record that no transaction wants. Java does this after the record is appended.
    pub(crate) fn check_send(&self) -> Result<(), KafkaError> {
        self.check_in_transaction("send")
    }

    /// A record was appended to this partition. Returns whether the I/O thread has something new to do for it.
    pub(crate) fn maybe_add_partition(&mut self, tp: &TopicPartition) -> bool {
        match &mut self.state {
            State::InTransaction(open) => open.add(tp),
            // The commit began while the record was being appended: it still belongs to the transaction.
            State::Committing(open) if !self.requests.is_ending() => open.add(tp),
            _ => {
                self.has_late_records = !planted!("late-record-stays");
                true
            }
        }
    }

    /// Whether a record was appended, since the last call, that no transaction takes. Its batch must fail before the next
    /// transaction has batches, or it would stand among them, and hold up the end.
    pub(crate) fn take_late_records(&mut self) -> bool {
        std::mem::take(&mut self.has_late_records)
    }

    /// A batch failed for good, or a record that was to be in one. Where numbers of the batch may be missing in the log,
    /// or may yet turn up there, the next transaction needs a new epoch.
    pub(crate) fn maybe_transition_to_error_state(
        &mut self,
        error: &KafkaError,
        may_be_written: bool,
    ) {
        if is_fatal(error.kind()) {
            self.fail(error.clone());
            return;
        }
        // Once the end is announced every batch of the transaction is done: this one belongs to no transaction.
        let is_over = self.state.transaction().is_none() || self.requests.is_ending();
        if is_over || planted!("commit-without-a-failed-batch") {
            return;
        }
        self.need_new_epoch(may_be_written, error);
        self.set_back(abortable(error));
    }

    /// The partitions with numbered batches that no broker can accept any more, because numbers before theirs are missing
    /// or their topic was made again. Where they are part of the open transaction, that must be aborted.
    pub(crate) fn poll_gaps(&mut self) -> Vec<TopicPartition> {
        let due = self.poll_restart();
        match (&self.state, due.first()) {
            (State::InTransaction(_) | State::Committing(_), Some(tp)) => {
                let text = format!("numbers are missing in {tp}, or its topic was made again");
                let error = KafkaError::new(ErrorKind::OutOfOrderSequence, text);
                self.maybe_transition_to_error_state(&error, false);
            }
            (State::Ready(_), Some(_)) => {
                for tp in &due {
                    self.partitions.remove(tp);
                    self.troubled.remove(tp);
                }
            }
            _ => (),
        }
        due
    }

    /// A record never reached a batch. Java: the `ApiException` branch of `doSend`.
    pub(crate) fn handle_failed_send(&mut self, error: &KafkaError) {
        if planted!("failed-send-is-ignored") {
            return;
        }
        if let State::InTransaction(_) = self.state {
            self.set_back(abortable(error));
        }
    }

    /// Whether there is a transaction that `close` must end first.
    pub(crate) fn has_ongoing_transaction(&self) -> bool {
        // What is prepared is for its outside coordinator to decide.
        self.state.transaction().is_some() && self.prepared().is_none()
    }

    /// Whether the application has said commit or abort.
    pub(crate) fn is_completing(&self) -> bool {
        matches!(self.state, State::Committing(_) | State::Aborting(_))
    }

    /// The transaction cannot be committed any more, and nothing of it is asked for any more.
    pub(super) fn set_back(&mut self, error: KafkaError) {
        match &self.state {
            State::Initializing => {
                self.advance(Step::Forget);
                self.requests.fail_queued(&error);
            }
            State::Prepared(..) => (),
            state if state.transaction().is_some() => {
                self.advance(Step::SetBack(error.clone()));
                if let State::Abortable(..) = self.state {
                    self.requests.fail_queued(&error);
                }
            }
            _ => (),
        }
    }

    /// With transaction version 2 every transaction has an epoch of its own anyway.
    pub(super) fn need_new_epoch(&mut self, is_certain: bool, why: &KafkaError) {
        let supported = self.supports_next_epoch();
        let Some(open) = self.state.transaction_mut() else {
            return;
        };
        if open.version == TransactionVersion::V2 {
            return;
        }
        if supported {
            open.needs_new_epoch = true;
        } else if is_certain {
            let text = "the producer needs a new epoch, which the brokers cannot give (they are older than 2.5)";
            let error = KafkaError::new(why.kind(), text).with_source(why.clone());
            self.fail(error);
        }
    }

    pub(super) fn supports_next_epoch(&self) -> bool {
        let transactional = self.transactional.as_ref();
        transactional.is_some_and(|transactional| transactional.supports_next_epoch)
    }

    /// What no coordinator was told of does not matter any more.
    fn start_abort(&mut self) -> Result<Pending, KafkaError> {
        self.transition(Step::Abort, Caller::Application)?;
        if let Some(open) = self.state.transaction_mut() {
            if !planted!("abort-keeps-new-partitions") {
                open.drop_new();
            }
        }
        self.requests.fail_offsets(&KafkaError::new(
            ErrorKind::TransactionAborted,
            "the transaction was aborted before the offsets were sent",
        ));
        self.begin_completing(Operation::Abort)
    }

    fn begin_completing(&mut self, operation: Operation) -> Result<Pending, KafkaError> {
        let offered = self.transactional_mut()?.offered;
        let supported = self.supports_next_epoch();
        if let Some(open) = self.state.transaction_mut() {
            // The first epoch of transaction version 2 must be one that version 1 has not used.
            open.needs_new_epoch |= supported && open.version < offered;
        }
        let commit = operation == Operation::Commit;
        self.enqueue_pending(Kind::EndTxn { commit }, operation)
    }

    fn enqueue_pending(&mut self, kind: Kind, operation: Operation) -> Result<Pending, KafkaError> {
        let result = Arc::new(TransactionalRequestResult::new(operation));
        self.transactional_mut()?.pending = Some(Arc::clone(&result));
        self.requests
            .push(Request::new(kind, Some(Arc::clone(&result))));
        Ok(result)
    }

    fn transactional_mut(&mut self) -> Result<&mut Transactional, KafkaError> {
        self.transactional.as_mut().ok_or_else(not_transactional)
    }

    /// The same call, made before and not heard of yet: its outcome is this call's outcome too (KIP-588).
    fn uncollected(&mut self, operation: Operation) -> Result<Option<Pending>, KafkaError> {
        let transactional = self.transactional_mut()?;
        match &transactional.pending {
            Some(pending) if pending.is_collected() => {
                transactional.pending = None;
                Ok(None)
            }
            Some(pending) if pending.operation() == operation && !planted!("call-again-is-new") => {
                Ok(Some(Arc::clone(pending)))
            }
            Some(_) if planted!("abort-overtakes-a-commit") => Ok(None),
            Some(pending) => Err(must_repeat(pending, operation)),
            None => Ok(None),
        }
    }

    fn check_nothing_uncollected(&self, call: impl Display) -> Result<(), KafkaError> {
        let transactional = self.transactional.as_ref().ok_or_else(not_transactional)?;
        match &transactional.pending {
            Some(pending) if !pending.is_collected() => Err(must_repeat(pending, call)),
            _ => Ok(()),
        }
    }

    fn check_in_transaction(&self, call: impl Display + Copy) -> Result<(), KafkaError> {
        self.check_nothing_uncollected(call)?;
        self.check_usable(call)?;
        match &self.state {
            State::InTransaction(_) => Ok(()),
            state => Err(KafkaError::illegal_state(format!(
                "{call} needs an open transaction, and the producer is {}",
                state.name()
            ))),
        }
    }

    /// Refuses a call in an error state. Java: `maybeFailWithError`.
    fn check_usable(&self, call: impl Display) -> Result<(), KafkaError> {
        match &self.state {
            State::Abortable(_, error) => Err(in_error_state(&call, error).abortable()),
            State::Failed(error) => Err(in_error_state(&call, error).fatal()),
            _ => Ok(()),
        }
    }
}

/// Java wraps what is retriable: retrying was what the producer did until it gave up (KAFKA-19176).
fn abortable(error: &KafkaError) -> KafkaError {
    if error.is_retriable() || error.kind() == ErrorKind::InvalidTxnState {
        let text = format!(
            "the transaction must be aborted, after all retries: {}",
            error.message()
        );
        return KafkaError::new(ErrorKind::TransactionAbortable, text).with_source(error.clone());
    }
    error.clone().abortable()
}

fn in_error_state(call: &dyn Display, error: &KafkaError) -> KafkaError {
    let kind = match error.kind() {
        kind @ (ErrorKind::ProducerFenced
        | ErrorKind::InvalidProducerEpoch
        | ErrorKind::IllegalState
        | ErrorKind::TransactionAbortable) => kind,
        _ => ErrorKind::Kafka,
    };
    let text = format!("{call} is refused because of an earlier error: {error}");
    KafkaError::new(kind, text).with_source(error.clone())
}

fn must_repeat(pending: &Pending, call: impl Display) -> KafkaError {
    let before = pending.operation();
    KafkaError::illegal_state(format!(
        "{call} is refused because an earlier {before} has not ended: only that can be repeated"
    ))
}

fn not_transactional() -> KafkaError {
    KafkaError::illegal_state("transactions need a transactional.id")
}

const BEGIN: &str = "begin_transaction";
