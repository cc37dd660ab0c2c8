//! What the coordinator knows of one transactional id, and how its epochs move.
//!
//! Java: `coordinator/transaction/TransactionMetadata.scala`, `TransactionState.java`.
//! Differs: a change takes effect at once, because no log has to be written first: there is no pending state.
//! Threads: plain data. Locks: none.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::common::cluster::{LeaderEpoch, ProducerIdAndEpoch};

/// Where a transaction stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionState {
    /// There has been none yet.
    Empty,
    /// Partitions or groups have joined.
    Ongoing,
    /// The decision is made, markers are being written.
    PrepareCommit,
    /// As above.
    PrepareAbort,
    /// Every marker is written.
    CompleteCommit,
    /// As above.
    CompleteAbort,
}

/// Who gets a marker when the transaction ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Participant {
    /// A partition with records.
    Partition(String, i32),
    /// A group with offsets.
    Group(String),
}

/// Where a marker stands until every replica in sync has it. Another leader may not have it, and gets one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrittenMarker {
    pub(crate) leader_epoch: LeaderEpoch,
    pub(crate) offset: i64,
}

/// What is known of one transactional id.
#[derive(Debug)]
pub(crate) struct TransactionMetadata {
    /// Who may write. With transaction version 2 the epoch is bumped as soon as the decision is made.
    pub(crate) producer: ProducerIdAndEpoch,
    /// The id before the last change of ids.
    pub(crate) previous_producer_id: i64,
    /// The id that takes over, at epoch 0, when the markers are written: the epochs of this one are used up.
    pub(crate) next_producer_id: Option<i64>,
    /// The epoch before the last bump that its owner asked for, by which a repeated request is known; or -1.
    pub(crate) last_epoch: i16,
    /// After this long without a decision the coordinator aborts.
    pub(crate) timeout: Duration,
    pub(crate) state: TransactionState,
    /// With the marker of each, once it is written.
    pub(crate) participants: BTreeMap<Participant, Option<WrittenMarker>>,
    /// When the first participant joined.
    pub(crate) started: Option<Instant>,
    /// When the state changed last.
    pub(crate) updated: Instant,
    /// Some markers are not written, or not replicated.
    pub(crate) waits_for_partitions: bool,
}

impl TransactionMetadata {
    /// Nobody has this transactional id yet.
    pub(crate) fn new(producer_id: i64, timeout: Duration, now: Instant) -> Self {
        Self {
            producer: ProducerIdAndEpoch {
                producer_id,
                epoch: NO_EPOCH,
            },
            previous_producer_id: NO_ID,
            next_producer_id: None,
            last_epoch: NO_EPOCH,
            timeout,
            state: TransactionState::Empty,
            participants: BTreeMap::new(),
            started: None,
            updated: now,
            waits_for_partitions: false,
        }
    }

    /// Whether another bump would reach the last epoch, which is kept for fencing.
    pub(crate) fn is_epoch_exhausted(&self) -> bool {
        self.producer.epoch >= LAST_EPOCH_OF_CLIENTS
    }

    pub(crate) fn is_preparing(&self) -> bool {
        matches!(
            self.state,
            TransactionState::PrepareCommit | TransactionState::PrepareAbort
        )
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == TransactionState::Ongoing
    }

    /// Adds those who get a marker.
    pub(crate) fn add(&mut self, participants: Vec<Participant>, now: Instant) {
        if !self.is_open() {
            self.started = Some(now);
        }
        self.state = TransactionState::Ongoing;
        self.participants.extend(
            participants
                .into_iter()
                .map(|participant| (participant, None)),
        );
        self.updated = now;
    }

    /// Decides. With transaction version 2 nobody can write under the old epoch from now on.
    pub(crate) fn prepare(
        &mut self,
        decision: Decision,
        next_producer_id: Option<i64>,
        now: Instant,
    ) {
        if decision.bumps_epoch {
            self.last_epoch = self.producer.epoch;
            self.producer.epoch = self.producer.epoch.saturating_add(1);
        }
        self.next_producer_id = next_producer_id;
        self.state = if decision.commit {
            TransactionState::PrepareCommit
        } else {
            TransactionState::PrepareAbort
        };
        self.updated = now;
    }

    /// Every marker is written.
    pub(crate) fn complete(&mut self, now: Instant) {
        self.state = if self.state == TransactionState::PrepareCommit {
            TransactionState::CompleteCommit
        } else {
            TransactionState::CompleteAbort
        };
        if let Some(next) = self.next_producer_id.take() {
            self.change_id(next, 0);
        }
        self.participants.clear();
        self.started = None;
        self.waits_for_partitions = false;
        self.updated = now;
    }

    /// Who may write once the markers are there.
    pub(crate) fn next_producer(&self) -> ProducerIdAndEpoch {
        match self.next_producer_id {
            Some(producer_id) => ProducerIdAndEpoch {
                producer_id,
                epoch: 0,
            },
            None => self.producer,
        }
    }

    pub(crate) fn change_id(&mut self, producer_id: i64, epoch: i16) {
        self.previous_producer_id = self.producer.producer_id;
        self.producer = ProducerIdAndEpoch { producer_id, epoch };
    }
}

/// How a transaction shall end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision {
    pub(crate) commit: bool,
    /// With the next epoch (transaction version 2).
    pub(crate) bumps_epoch: bool,
}

pub(crate) const NO_ID: i64 = -1;
pub(crate) const NO_EPOCH: i16 = -1;

/// The last epoch that a producer gets.
pub(crate) const LAST_EPOCH_OF_CLIENTS: i16 = i16::MAX - 1;
