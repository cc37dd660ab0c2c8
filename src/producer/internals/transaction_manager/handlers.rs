//! What the answers of coordinators lead to: one function per kind of answer.
//!
//! Java: `clients/producer/internals/TransactionManager.java` (`onComplete` and the `handleResponse`s).
//! Differs: errors go through one table; a request that may have reached a broker without an answer makes the next
//! transaction use a new epoch, so that a late copy of it cannot meddle (KAFKA-17754).
//! Threads: the I/O thread. Locks: none.

use std::time::{Duration, Instant};

use crate::common::cluster::{Node, ProducerIdAndEpoch, TopicPartition};
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::common::time::deadline;
use crate::producer::internals::transaction_manager::TransactionManager;
use crate::producer::internals::transaction_manager::requests::{
    CoordinatorKey, GroupOffsets, Kind, Request, TxnResponse,
};
use crate::producer::internals::transaction_manager::state::{
    Membership, State, Step, TransactionVersion,
};
use crate::producer::internals::transaction_manager::treatment::{Treatment, treatment};

/// When it is, and a random number in `0.0..1.0` that spreads the next try.
type Moment = (Instant, f64);

/// What became of each partition of a request.
type Answers = Vec<(TopicPartition, Option<KafkaError>)>;

impl TransactionManager {
    /// Takes the outcome of what `poll_request` gave. `random` in `0.0..1.0` spreads the next try. Returns the error
    /// that the waiting batches must fail with, where waiting on would be useless.
    pub(crate) fn handle_response(
        &mut self,
        response: TxnResponse,
        now: Instant,
        random: f64,
    ) -> Option<KafkaError> {
        let request = self.requests.in_flight.take()?;
        let at = (now, random);
        match response {
            TxnResponse::Failed(error) => return self.handle_refusal(request, error, at),
            TxnResponse::Coordinator(node) => self.handle_coordinator(request, node),
            TxnResponse::InitProducerId(identity) => {
                self.handle_identity(&request, Step::Identify(identity));
            }
            TxnResponse::Prepared { identity, prepared } => {
                let version = self.offered_version();
                let resume = Step::Resume {
                    identity,
                    prepared,
                    version,
                };
                self.handle_identity(&request, resume);
            }
            TxnResponse::Partitions(answers) => match request.kind {
                Kind::TxnOffsetCommit(_) => self.handle_offsets_committed(request, &answers, at),
                _ => self.handle_partitions_added(request, &answers, at),
            },
            TxnResponse::OffsetsAdded => self.handle_offsets_added(request),
            TxnResponse::Ended(next) => self.handle_ended(request, next),
        }
        None
    }

    fn handle_coordinator(&mut self, request: Request, node: Node) {
        let (Kind::FindCoordinator(key), Some(transactional)) =
            (request.kind, &mut self.transactional)
        else {
            return;
        };
        log::debug!("node {} is the coordinator of {key:?}", node.id());
        transactional.set_coordinator(key, node);
    }

    fn handle_identity(&mut self, request: &Request, step: Step) {
        log::debug!("the producer has an identity: {step:?}");
        if let Some(transactional) = &mut self.transactional {
            transactional.version = transactional.offered;
            self.forget_sequences();
        }
        self.advance(step);
        request.complete(Ok(()));
    }

    /// The coordinator takes all of them or none.
    fn handle_partitions_added(&mut self, request: Request, answers: &Answers, at: Moment) {
        let refused: Vec<_> = answers
            .iter()
            .filter_map(|(tp, error)| Some((tp, error.as_ref()?)))
            .collect();
        if refused.is_empty() {
            if let Some(open) = self.state.transaction_mut() {
                open.added(answers.iter().map(|(tp, _)| tp));
            }
            request.complete(Ok(()));
            return;
        }
        let decides = |error: &KafkaError| {
            treatment(&Kind::AddPartitionsToTxn, error.kind()) != Treatment::Abort
        };
        let error = match refused.iter().find(|(_, error)| decides(error)) {
            Some((_, decisive)) => KafkaError::clone(decisive),
            None => not_added(&refused),
        };
        self.handle_refusal(request, error, at);
    }

    fn handle_offsets_added(&mut self, request: Request) {
        let Kind::AddOffsetsToTxn(offsets) = request.kind else {
            return;
        };
        let Some(open) = self.state.transaction_mut() else {
            return;
        };
        open.started = true;
        let commit = Request::new(Kind::TxnOffsetCommit(offsets), request.result);
        match &self.state {
            State::Abortable(_, error) => commit.fail(error),
            _ => self.requests.push(commit),
        }
    }

    fn handle_offsets_committed(&mut self, request: Request, answers: &Answers, at: Moment) {
        let mut request = request;
        let Kind::TxnOffsetCommit(GroupOffsets { offsets, .. }) = &mut request.kind else {
            return;
        };
        for (tp, _) in answers.iter().filter(|(_, error)| error.is_none()) {
            offsets.remove(tp);
        }
        if offsets.is_empty() {
            request.complete(Ok(()));
            return;
        }
        let repeats = |error: &&KafkaError| {
            let treatment = treatment(&request.kind, error.kind());
            matches!(treatment, Treatment::Repeat | Treatment::Relocate)
        };
        let errors = || answers.iter().filter_map(|(_, error)| error.as_ref());
        // What cannot be mended decides; only what is left is asked again.
        let decisive = errors().find(|error| !repeats(error));
        let error = decisive.or_else(|| errors().next()).cloned();
        let error = error.unwrap_or_else(|| {
            let text = "the answer leaves out some of the offsets";
            KafkaError::new(ErrorKind::UnknownServer, text)
        });
        self.handle_refusal(request, error, at);
    }

    /// The transaction is over. Whatever comes of a new epoch, the one who waits for the end is told of the end.
    pub(super) fn handle_ended(&mut self, request: Request, next: Option<ProducerIdAndEpoch>) {
        let Some(open) = self.state.transaction() else {
            return;
        };
        let identity = open.identity;
        if open.needs_new_epoch {
            log::debug!("the next transaction needs a new epoch");
            self.advance(Step::Renew);
            let next = Request::new(Kind::NextEpoch(identity), request.result);
            self.requests.push(next);
            return;
        }
        let next = next.filter(|next| next.is_valid()).unwrap_or(identity);
        let was_v2 = open.version == TransactionVersion::V2;
        match &mut self.transactional {
            Some(transactional) if was_v2 => transactional.version = transactional.offered,
            _ => (),
        }
        if next == identity {
            self.close_gaps();
        } else {
            self.forget_sequences();
        }
        self.advance(Step::End(next));
        request.complete(Ok(()));
    }

    fn handle_refusal(
        &mut self,
        request: Request,
        error: KafkaError,
        at: Moment,
    ) -> Option<KafkaError> {
        let kind = error.kind();
        if kind == ErrorKind::Disconnect
            && request.kind.changes_transaction()
            && !planted!("no-epoch-after-a-lost-answer")
        {
            self.need_new_epoch(false, &error);
        }
        if !self.is_transactional() {
            return self.handle_refused_identity(request, error, at);
        }
        match treatment(&request.kind, kind) {
            Treatment::Repeat => self.repeat(request, &error, at),
            // An abort needs its coordinator, whatever that has against the transaction.
            Treatment::Abort if self.is_aborting_without(&request.kind) => {
                self.repeat(request, &error, at);
            }
            Treatment::Relocate => {
                self.forget_coordinator(&request.kind);
                self.repeat(request, &error, at);
            }
            Treatment::Abort => {
                let error = of_commit(error).abortable();
                request.fail(&error);
                self.set_back(error);
            }
            Treatment::AbortWithNewEpoch => {
                let error = error.abortable();
                request.fail(&error);
                self.need_new_epoch(true, &error);
                self.set_back(error);
            }
            Treatment::GiveUp => {
                self.advance(Step::Forget);
                request.fail(&error);
                self.requests.fail_queued(&error);
            }
            Treatment::Fatal => {
                let error = fenced(error).fatal();
                request.fail(&error);
                self.fail(error);
            }
        }
        None
    }

    /// An idempotent producer goes on asking while there is hope.
    fn handle_refused_identity(
        &mut self,
        request: Request,
        error: KafkaError,
        at: Moment,
    ) -> Option<KafkaError> {
        let denied = error.kind().is_authorization() || error.kind().is_authentication();
        if denied || error.is_retriable() {
            // Java asks again at once while the permission is missing; a refused request waits like any other.
            self.repeat(request, &error, at);
            return denied.then_some(error);
        }
        let error = error.fatal();
        self.fail(error.clone());
        Some(error)
    }

    fn repeat(&mut self, mut request: Request, error: &KafkaError, (now, random): Moment) {
        log::debug!("{:?} is asked again: {error}", request.kind);
        self.back_off(&mut request, now, random);
        // The markers of the last transaction are being written, which takes no long time (KAFKA-5477).
        let is_first = matches!(request.kind, Kind::AddPartitionsToTxn)
            && error.kind() == ErrorKind::ConcurrentTransactions
            && !self.has_added_partitions();
        if is_first && !planted!("first-partition-is-slow") {
            let soon = deadline(now, ADD_PARTITIONS_RETRY_BACKOFF);
            request.not_before = request.not_before.map(|at| at.min(soon));
        }
        self.requests.put_back(request);
    }

    fn is_aborting_without(&self, missing: &Kind) -> bool {
        matches!(self.state, State::Aborting(_))
            && matches!(
                missing,
                Kind::FindCoordinator(CoordinatorKey::Transaction(_))
            )
    }

    fn offered_version(&self) -> TransactionVersion {
        let transactional = self.transactional.as_ref();
        transactional.map_or(TransactionVersion::V1, |known| known.offered)
    }

    fn has_added_partitions(&self) -> bool {
        let open = self.state.transaction();
        open.is_some_and(|open| open.has(Membership::Added))
    }

    /// Every partition starts at 0 under the next identity. Late answers find no entry any more.
    fn forget_sequences(&mut self) {
        self.partitions.clear();
        self.troubled.clear();
    }

    /// What is missing was refused, so the numbers are free to be used again.
    fn close_gaps(&mut self) {
        for tp in std::mem::take(&mut self.troubled) {
            if let Some(entry) = self.partitions.find_mut(&tp) {
                entry.rewind();
            }
        }
    }
}

impl Request {
    /// Tells who waits for it that it failed. A transaction that has ended has ended, whatever comes of the next epoch.
    pub(super) fn fail(&self, error: &KafkaError) {
        self.complete(match self.kind {
            Kind::NextEpoch(_) => Ok(()),
            _ => Err(error.clone()),
        });
    }
}

fn not_added(refused: &[(&TopicPartition, &KafkaError)]) -> KafkaError {
    let denied = |error: &KafkaError| error.kind() == ErrorKind::TopicAuthorization;
    let mut topics: Vec<_> = refused
        .iter()
        .filter(|(_, error)| denied(error))
        .map(|(tp, _)| tp.topic())
        .collect();
    topics.dedup();
    if topics.is_empty() {
        let (tp, first) = refused.first().expect("something was refused");
        let text = format!(
            "{tp} cannot be added to the transaction: {}",
            first.message()
        );
        return KafkaError::new(first.kind(), text);
    }
    let text = format!("not authorized to write to {}", topics.join(", "));
    KafkaError::new(ErrorKind::TopicAuthorization, text)
}

/// However the broker says it, a newer instance has taken over.
fn fenced(error: KafkaError) -> KafkaError {
    match error.kind() {
        ErrorKind::InvalidProducerEpoch | ErrorKind::ProducerFenced => {
            let text = "a newer producer with the same transactional.id has taken over, or the transaction took too long";
            KafkaError::new(ErrorKind::ProducerFenced, text).with_source(error)
        }
        _ => error,
    }
}

/// A consumer that has lost its partitions cannot commit for them.
fn of_commit(error: KafkaError) -> KafkaError {
    match error.kind() {
        ErrorKind::UnknownMemberId
        | ErrorKind::IllegalGeneration
        | ErrorKind::GroupIdNotFound
        | ErrorKind::StaleMemberEpoch => {
            let text = format!(
                "the consumer has lost its place in the group: {}",
                error.message()
            );
            KafkaError::new(ErrorKind::CommitFailed, text).with_source(error)
        }
        _ => error,
    }
}

const ADD_PARTITIONS_RETRY_BACKOFF: Duration = Duration::from_millis(20);
