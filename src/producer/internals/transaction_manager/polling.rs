//! What to ask next, and whom.
//!
//! Java: `clients/producer/internals/TransactionManager.java` (`nextRequest`, `lookupCoordinator`), and the part of
//! `clients/producer/internals/Sender.java` that chooses the node.
//! Differs: a request that cannot be sent yet comes back by `handle_unsent`; nothing waits.
//! Threads: the I/O thread. Locks: none.

use std::time::Instant;

use crate::common::cluster::{Node, NodeId, ProducerIdAndEpoch};
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::common::time::deadline;
use crate::producer::internals::transaction_manager::requests::{
    CoordinatorKey, InitProducerId, Kind, Request, TransactionId, TxnRequest, TxnRequestBody,
};
use crate::producer::internals::transaction_manager::state::{
    Membership, State, Step, Transaction, TransactionVersion,
};
use crate::producer::internals::transaction_manager::{TransactionManager, Transactional};

/// Why a request that was polled did not go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsent {
    /// A connection is on its way, or the node asked for a pause.
    NotReady,
    /// There is no connection to be had: the coordinator may be elsewhere by now.
    Unreachable,
}

impl TransactionManager {
    /// The next question for a broker, if there is one and its time has come. It counts as sent until
    /// [`handle_response`](Self::handle_response) or [`handle_unsent`](Self::handle_unsent) ends it; there is never more
    /// than one. `has_incomplete` says whether any batch is not done yet: the transaction's end waits for those.
    pub(crate) fn poll_request(
        &mut self,
        now: Instant,
        has_incomplete: bool,
    ) -> Option<TxnRequest> {
        if self.requests.in_flight.is_some() || self.fatal_error().is_some() {
            return None;
        }
        self.ask_for_identity();
        self.enroll_new_partitions();
        loop {
            let head = self.requests.head()?;
            if matches!(head.kind, Kind::EndTxn { .. }) {
                if has_incomplete && !planted!("end-before-the-last-record") {
                    return None;
                }
                if !self.state.transaction().is_some_and(|open| open.started) {
                    // No coordinator has heard of it.
                    let request = self.requests.pop()?;
                    self.handle_ended(request, None);
                    continue;
                }
            }
            let to = match self.place_of(&head.kind) {
                Place::AnyNode => None,
                Place::At(node) => Some(node),
                Place::Unknown(key) => {
                    let lookup = Request::new(Kind::FindCoordinator(key), None);
                    self.requests.push(lookup);
                    continue;
                }
            };
            if head.not_before.is_some_and(|at| now < at) {
                return None;
            }
            let request = self.requests.pop()?;
            let Some(body) = self.body(&request.kind) else {
                // What it was for is over.
                request.complete(Ok(()));
                continue;
            };
            self.requests.in_flight = Some(request);
            return Some(TxnRequest { to, body });
        }
    }

    /// When `poll_request` has something next: now, later, or not before something else happens.
    pub(crate) fn next_timeout(&self, now: Instant) -> Option<Instant> {
        if self.requests.in_flight.is_some() || self.fatal_error().is_some() {
            return None;
        }
        if matches!(self.state, State::Uninitialized) && !self.is_transactional() {
            return Some(now);
        }
        let head = self.requests.head()?;
        Some(head.not_before.unwrap_or(now))
    }

    /// What was polled could not be sent.
    pub(crate) fn handle_unsent(&mut self, why: Unsent, now: Instant, random: f64) {
        let Some(mut request) = self.requests.in_flight.take() else {
            return;
        };
        if why == Unsent::Unreachable {
            self.forget_coordinator(&request.kind);
            self.back_off(&mut request, now, random);
        }
        self.requests.put_back(request);
    }

    /// The error that batches which were never sent must fail with: a transaction that is to be aborted does not want
    /// them, and where none is open they came too late for the last one.
    /// `has_late_records` says that there are such, whatever has begun since.
    pub(crate) fn poll_abort(&self, has_late_records: bool) -> Option<KafkaError> {
        self.transactional.as_ref()?;
        let too_late = || {
            let text = "the record was sent while its transaction ended";
            Some(KafkaError::illegal_state(text))
        };
        match &self.state {
            State::Abortable(_, error) => Some(error.clone()),
            State::Aborting(_) => Some(KafkaError::new(
                ErrorKind::TransactionAborted,
                "the transaction was aborted before the record was sent",
            )),
            State::Committing(_) if self.requests.is_ending() => too_late(),
            State::Uninitialized | State::Initializing | State::Ready(_) | State::Prepared(..) => {
                too_late()
            }
            State::InTransaction(_) | State::Committing(_) if has_late_records => too_late(),
            State::InTransaction(_) | State::Committing(_) | State::Failed(_) => None,
        }
    }

    /// An idempotent producer has to have an identity.
    fn ask_for_identity(&mut self) {
        if matches!(self.state, State::Uninitialized) && !self.is_transactional() {
            self.advance(Step::Initialize);
            self.requests.push(Request::new(Kind::InitProducerId, None));
        }
    }

    /// The coordinator must hear of new partitions before anything goes there, and before the end.
    fn enroll_new_partitions(&mut self) {
        let (State::InTransaction(open) | State::Committing(open)) = &self.state else {
            return;
        };
        if open.has(Membership::New) && !self.requests.queues_add_partitions() {
            let add = Request::new(Kind::AddPartitionsToTxn, None);
            self.requests.push(add);
        }
    }

    fn place_of(&self, kind: &Kind) -> Place {
        match self.coordinator_of(kind) {
            None => Place::AnyNode,
            Some((_, Some(node))) => Place::At(node.clone()),
            Some((key, None)) => Place::Unknown(key),
        }
    }

    /// Whose coordinator has to take the request, and which node that is; nothing where any node will do.
    fn coordinator_of(&self, kind: &Kind) -> Option<(CoordinatorKey, Option<&Node>)> {
        let transactional = self.transactional.as_ref()?;
        let key = match kind {
            Kind::FindCoordinator(_) => return None,
            Kind::TxnOffsetCommit(offsets) => {
                CoordinatorKey::Group(offsets.group.group_id().to_owned())
            }
            _ => transactional.key(),
        };
        let known = transactional.known_coordinator(&key);
        Some((key, known))
    }

    /// The coordinator that is being asked, or is to be asked next.
    pub(crate) fn awaited_coordinator(&self) -> Option<(CoordinatorKey, NodeId)> {
        let in_flight = self.requests.in_flight.as_ref();
        let awaited = in_flight.or_else(|| self.requests.head())?;
        let (key, node) = self.coordinator_of(&awaited.kind)?;
        Some((key, node?.node_id()))
    }

    /// The coordinator of the open transaction, which leaders ask about it before they write (KIP-890).
    pub(crate) fn coordinator_of_open(&self) -> Option<(CoordinatorKey, NodeId)> {
        self.state.transaction()?;
        let transactional = self.transactional.as_ref()?;
        let coordinator = transactional.coordinator.as_ref()?;
        Some((transactional.key(), coordinator.node_id()))
    }

    /// Somebody else has taken the place of a coordinator that does not answer: what was not sent there yet goes to the
    /// new one.
    pub(crate) fn replace_coordinator(&mut self, key: CoordinatorKey, from: NodeId, to: Node) {
        let Some(transactional) = &mut self.transactional else {
            return;
        };
        let known = transactional.known_coordinator(&key);
        if known.is_some_and(|known| known.node_id() == from) {
            transactional.set_coordinator(key, to);
        }
    }

    /// What the request says; nothing where its transaction is over.
    fn body(&mut self, kind: &Kind) -> Option<TxnRequestBody> {
        let open = self.state.transaction_mut();
        let transactional = self.transactional.as_ref();
        let transaction = |open: &Transaction| {
            Some(TransactionId {
                transactional_id: transactional?.config.id.clone(),
                identity: open.identity,
                version: open.version,
            })
        };
        Some(match kind {
            Kind::FindCoordinator(key) => TxnRequestBody::FindCoordinator(key.clone()),
            Kind::InitProducerId => {
                init_producer_id(transactional, ProducerIdAndEpoch::NONE, false)
            }
            Kind::InitKeepingPrepared => {
                init_producer_id(transactional, ProducerIdAndEpoch::NONE, true)
            }
            Kind::NextEpoch(identity) => init_producer_id(transactional, *identity, false),
            Kind::AddPartitionsToTxn => {
                let open = open?;
                let partitions = open.take_unknown();
                if partitions.is_empty() {
                    return None;
                }
                TxnRequestBody::AddPartitionsToTxn {
                    transaction: transaction(open)?,
                    partitions,
                }
            }
            Kind::AddOffsetsToTxn(offsets) => TxnRequestBody::AddOffsetsToTxn {
                transaction: transaction(open?)?,
                group_id: offsets.group.group_id().to_owned(),
            },
            Kind::TxnOffsetCommit(offsets) => TxnRequestBody::TxnOffsetCommit {
                transaction: transaction(open?)?,
                offsets: offsets.clone(),
            },
            Kind::EndTxn { commit } => TxnRequestBody::EndTxn {
                transaction: transaction(open?)?,
                commit: *commit,
            },
        })
    }

    pub(super) fn forget_coordinator(&mut self, of: &Kind) {
        let Some(transactional) = &mut self.transactional else {
            return;
        };
        match of {
            Kind::FindCoordinator(_) => (),
            Kind::TxnOffsetCommit(_) => transactional.group_coordinator = None,
            _ => transactional.coordinator = None,
        }
    }

    pub(super) fn back_off(&self, request: &mut Request, now: Instant, random: f64) {
        let wait = self.retry_backoff.backoff(request.failures, random);
        request.failures = request.failures.saturating_add(1);
        request.not_before = Some(deadline(now, wait));
    }

    /// What the cluster says about itself: the level of the feature `transaction.version`. The open transaction goes on
    /// as it began.
    pub(crate) fn note_transaction_version(&mut self, level: i16) {
        if let Some(transactional) = &mut self.transactional {
            transactional.offered = if level >= FIRST_LEVEL_OF_V2 {
                TransactionVersion::V2
            } else {
                TransactionVersion::V1
            };
        }
    }

    /// The coordinator is connected, and takes this version of InitProducerId at most.
    pub(crate) fn note_init_producer_id_version(&mut self, latest: i16) {
        if let Some(transactional) = &mut self.transactional {
            transactional.supports_next_epoch = latest >= INIT_PRODUCER_ID_WITH_EPOCH;
        }
    }

    /// By which rules batches of the open transaction are sent.
    pub(crate) fn transaction_version(&self) -> Option<TransactionVersion> {
        self.state.transaction().map(|open| open.version)
    }
}

/// Where a request goes.
enum Place {
    AnyNode,
    At(Node),
    Unknown(CoordinatorKey),
}

impl Transactional {
    pub(super) fn key(&self) -> CoordinatorKey {
        CoordinatorKey::Transaction(self.config.id.clone())
    }

    fn known_coordinator(&self, key: &CoordinatorKey) -> Option<&Node> {
        match key {
            CoordinatorKey::Transaction(_) => self.coordinator.as_ref(),
            CoordinatorKey::Group(group) => {
                let (of, node) = self.group_coordinator.as_ref()?;
                (of == group).then_some(node)
            }
        }
    }

    pub(super) fn set_coordinator(&mut self, key: CoordinatorKey, node: Node) {
        match key {
            CoordinatorKey::Transaction(_) => self.coordinator = Some(node),
            CoordinatorKey::Group(group) => self.group_coordinator = Some((group, node)),
        }
    }
}

fn init_producer_id(
    transactional: Option<&Transactional>,
    identity: ProducerIdAndEpoch,
    keep_prepared: bool,
) -> TxnRequestBody {
    let config = transactional.map(|transactional| &transactional.config);
    TxnRequestBody::InitProducerId(InitProducerId {
        transactional_id: config.map(|config| config.id.clone()),
        transaction_timeout_ms: config.map_or(i32::MAX, |config| config.timeout_ms),
        identity,
        two_phase_commit: config.is_some_and(|config| config.two_phase_commit),
        keep_prepared,
    })
}

/// The level of `transaction.version` from which on partitions are added by what is written to them.
const FIRST_LEVEL_OF_V2: i16 = 2;
/// The first version of InitProducerId that counts an epoch up (KIP-360).
const INIT_PRODUCER_ID_WITH_EPOCH: i16 = 3;
