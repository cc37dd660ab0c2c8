//! The coordinators of the cluster together: who may answer for whom, and what they do in the course of time.
//!
//! Java: `coordinator/transaction/TransactionMarkerChannelManager.scala`, `core/server/AddPartitionsToTxnManager.java`.
//! Differs: brokers share the memory, so a marker is written, and a partition verified, without a request.
//! Threads: plain data. Locks: none.

use std::time::{Duration, Instant};

use crate::broker::broker_core::Now;
use crate::broker::cluster::brokers::Brokers;
use crate::broker::cluster::partition::Partition;
use crate::broker::cluster::topics::Topics;
use crate::broker::coordinator::coordinator_map::CoordinatorMap;
use crate::broker::coordinator::group_offsets::GroupOffsets;
use crate::broker::coordinator::transaction_metadata::{
    Participant, TransactionMetadata, TransactionState, WrittenMarker,
};
use crate::broker::coordinator::transactions::TransactionCoordinator;
use crate::broker::log::unified_log::IncomingBatch;
use crate::common::cluster::{NodeId, ProducerIdAndEpoch};
use crate::protocol::errors::Errors;
use crate::record::end_transaction_marker::EndTransactionMarker;

/// Both kinds of coordinators.
#[derive(Debug)]
pub(crate) struct Coordinators {
    pub(crate) settings: CoordinatorSettings,
    pub(crate) transactions: TransactionCoordinator,
    pub(crate) groups: GroupOffsets,
    transaction_owners: CoordinatorMap,
    group_owners: CoordinatorMap,
    /// The brokers among which the owners were found.
    alive: Vec<NodeId>,
    next_expiry: Option<Instant>,
}

/// What the cluster's configuration says of transactions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CoordinatorSettings {
    /// The finalized feature `transaction.version`: 0, 1 or 2 (KIP-890).
    pub(crate) transaction_version: i16,
    /// `transaction.two.phase.commit.enable`, together with the unstable version 6 of InitProducerId (KIP-939).
    pub(crate) two_phase_commit: bool,
    /// Rises with each change of a feature.
    pub(crate) features_epoch: i64,
    /// How long after a decision the markers are written.
    pub(crate) marker_delay: Duration,
    /// How long a new coordinator reads before it answers.
    pub(crate) load_delay: Duration,
    /// `transaction.max.timeout.ms`
    pub(crate) max_timeout: Duration,
    /// `transactional.id.expiration.ms`
    pub(crate) transactional_id_expiration: Duration,
    /// `producer.id.expiration.ms`
    pub(crate) producer_id_expiration: Duration,
}

impl CoordinatorSettings {
    /// The newest version of InitProducerId that the cluster offers.
    pub(crate) fn last_init_producer_id(&self) -> i16 {
        if self.two_phase_commit { 6 } else { 5 }
    }
}

impl Default for CoordinatorSettings {
    fn default() -> Self {
        Self {
            transaction_version: NEWEST_TRANSACTION_VERSION,
            two_phase_commit: false,
            features_epoch: 1,
            marker_delay: Duration::ZERO,
            load_delay: Duration::ZERO,
            max_timeout: Duration::from_secs(15 * 60),
            transactional_id_expiration: 7 * DAY,
            producer_id_expiration: DAY,
        }
    }
}

/// A kind of key that FindCoordinator asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyType {
    Group,
    Transaction,
}

impl Coordinators {
    pub(crate) fn new(settings: CoordinatorSettings) -> Self {
        Self {
            settings,
            transactions: TransactionCoordinator::new(),
            groups: GroupOffsets::default(),
            transaction_owners: CoordinatorMap::new(),
            group_owners: CoordinatorMap::new(),
            alive: Vec::new(),
            next_expiry: None,
        }
    }

    /// The owners of one kind of keys.
    pub(crate) fn owners(&self, kind: KeyType) -> &CoordinatorMap {
        match kind {
            KeyType::Group => &self.group_owners,
            KeyType::Transaction => &self.transaction_owners,
        }
    }

    /// Whether a broker may answer for a transactional id now.
    pub(crate) fn check_transactional(
        &self,
        broker: NodeId,
        transactional_id: &str,
        now: Instant,
    ) -> Result<(), Errors> {
        if transactional_id.is_empty() {
            return Err(Errors::InvalidRequest);
        }
        self.transaction_owners.check(broker, transactional_id, now)
    }

    /// Makes another broker own a key.
    pub(crate) fn move_to(&mut self, kind: KeyType, key: &str, broker: NodeId, now: Instant) {
        let load = self.settings.load_delay;
        let owners = match kind {
            KeyType::Group => &mut self.group_owners,
            KeyType::Transaction => &mut self.transaction_owners,
        };
        owners.move_to(key, broker, load, now);
    }

    /// Finds owners for what nobody owns.
    pub(crate) fn elect(&mut self, alive: &[NodeId], now: Instant) {
        if self.alive == alive {
            return;
        }
        let load = self.settings.load_delay;
        self.transaction_owners.elect(alive, load, now);
        self.group_owners.elect(alive, load, now);
        self.alive = alive.to_vec();
    }

    /// A partition or group is about to be written to in a transaction. With version 2 this is how it joins; before, it must
    /// have joined, which protects from a late batch that no marker would ever follow.
    pub(crate) fn admit(&mut self, entry: Entry<'_>, now: Instant) -> Result<(), Errors> {
        let Entry {
            transactional_id,
            producer,
            participant,
            joins,
        } = entry;
        self.transaction_owners.is_ready(transactional_id, now)?;
        if !joins {
            return self
                .transactions
                .verify(transactional_id, producer, &participant);
        }
        self.transactions
            .add(transactional_id, producer, vec![participant], now)
    }

    /// Admits a batch, and puts a refusal into words that a producer of that version of Produce knows.
    pub(crate) fn admit_batch(
        &mut self,
        version: i16,
        entry: Entry<'_>,
        now: Instant,
    ) -> Result<(), Errors> {
        let refused = |error| match error {
            Errors::ProducerFenced => Errors::InvalidProducerEpoch,
            Errors::TransactionAbortable if version < FIRST_PRODUCE_WITH_ABORTABLE => {
                Errors::InvalidTxnState
            }
            Errors::ConcurrentTransactions if version >= FIRST_PRODUCE_THAT_JOINS => error,
            // Older clients would not retry these.
            Errors::ConcurrentTransactions
            | Errors::CoordinatorNotAvailable
            | Errors::CoordinatorLoadInProgress => Errors::NotEnoughReplicas,
            error => error,
        };
        self.admit(entry, now).map_err(refused)
    }

    /// What is due: transactions out of time, markers, ids that nobody uses.
    pub(crate) fn poll(&mut self, topics: &mut Topics, now: Now) {
        for id in self.due(Due::Abort, topics.brokers(), now.monotonic) {
            let version = self.settings.transaction_version;
            self.transactions.fence(&id, version, now.monotonic);
        }
        for id in self.due(Due::Markers, topics.brokers(), now.monotonic) {
            self.write_markers(&id, topics, now);
        }
        let unused_for = self.settings.transactional_id_expiration;
        self.transactions.expire(unused_for, now.monotonic);
        if self.next_expiry.is_none_or(|next| next <= now.monotonic) {
            self.next_expiry = Some(now.monotonic + EXPIRY_INTERVAL);
            let kept = i64::try_from(self.settings.producer_id_expiration.as_millis());
            let before = now.wall_clock_ms.saturating_sub(kept.unwrap_or(i64::MAX));
            topics
                .partitions_mut()
                .flat_map(Partition::copies_mut)
                .for_each(|replica| replica.producers.expire(before));
        }
    }

    /// When `poll` has something to do.
    pub(crate) fn next_timeout(&self, brokers: &Brokers) -> Option<Instant> {
        let next = self.transactions.iter();
        next.filter_map(|(id, metadata)| self.next_step(id, metadata, brokers))
            .map(|(at, _)| at)
            .min()
    }

    fn due(&self, wanted: Due, brokers: &Brokers, now: Instant) -> Vec<String> {
        let transactions = self.transactions.iter();
        let due = transactions.filter(|(id, metadata)| {
            if metadata.is_preparing() && metadata.waits_for_partitions {
                // They may have a leader, or the marker in every replica, by now.
                return wanted == Due::Markers && self.is_at_work(id, brokers);
            }
            let next = self.next_step(id, metadata, brokers);
            next.is_some_and(|(at, what)| at <= now && what == wanted)
        });
        due.map(|(id, _)| id.clone()).collect()
    }

    /// What happens next to a transaction by itself, as soon as its coordinator is there.
    fn next_step(
        &self,
        id: &str,
        metadata: &TransactionMetadata,
        brokers: &Brokers,
    ) -> Option<(Instant, Due)> {
        if !self.is_at_work(id, brokers) {
            return None;
        }
        let ready_from = self.transaction_owners.ready_from(id)?;
        let (at, what) = if metadata.is_preparing() && !metadata.waits_for_partitions {
            (metadata.updated + self.settings.marker_delay, Due::Markers)
        } else if metadata.is_open() {
            (metadata.started? + metadata.timeout, Due::Abort)
        } else {
            return None;
        };
        Some((at.max(ready_from), what))
    }

    /// A coordinator that stands still does nothing.
    fn is_at_work(&self, id: &str, brokers: &Brokers) -> bool {
        let owner = self.transaction_owners.owner(id);
        owner.is_some_and(|owner| brokers.is_running(owner))
    }

    /// Writes the markers that can be written; the transaction is complete when none is left.
    fn write_markers(&mut self, id: &str, topics: &mut Topics, now: Now) {
        let coordinator_epoch = self.transaction_owners.epoch(id);
        let Some(metadata) = self.transactions.get_mut(id) else {
            return;
        };
        let marker = EndTransactionMarker {
            committed: metadata.state == TransactionState::PrepareCommit,
            coordinator_epoch,
        };
        let producer = metadata.producer;
        let groups = &mut self.groups;
        metadata
            .participants
            .retain(|participant, written| match participant {
                Participant::Partition(topic, partition) => {
                    let batch = IncomingBatch::marker(marker, producer, now.wall_clock_ms);
                    !write_marker(topics, (topic, *partition), batch, written)
                }
                Participant::Group(group) => {
                    groups.transaction_ended(group, producer, marker.committed);
                    false
                }
            });
        metadata.waits_for_partitions = !metadata.participants.is_empty();
        if metadata.participants.is_empty() {
            metadata.complete(now.monotonic);
        }
    }
}

/// Who wants to write for which transaction.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) transactional_id: &'a str,
    pub(crate) producer: ProducerIdAndEpoch,
    pub(crate) participant: Participant,
    /// The request comes from a producer of transaction version 2.
    pub(crate) joins: bool,
}

/// What a transaction is due for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    /// It has run out of time.
    Abort,
    /// It is decided.
    Markers,
}

/// Writes a marker unless the partition's leader has it. Returns whether nothing is left to do: all in sync have it, or
/// there is no such partition. A leader that has not heard of its election is asked again when it has.
fn write_marker(
    topics: &mut Topics,
    (topic, index): (&str, i32),
    batch: IncomingBatch,
    written: &mut Option<WrittenMarker>,
) -> bool {
    let Some(found) = topics.partition(topic, index) else {
        return true;
    };
    let leader = found.current().leader;
    let Some(leader) = leader.filter(|id| topics.brokers().is_running(*id)) else {
        return false;
    };
    let Some(replica) = found.led_by(leader) else {
        return false;
    };
    let leader_epoch = found.as_seen_by(leader).epoch;
    if let Some(marker) = written.filter(|marker| marker.leader_epoch == leader_epoch) {
        return replica.high_watermark() > marker.offset;
    }
    let wall_clock_ms = batch.max_timestamp();
    let partition = topics.partition_mut(topic, index);
    let appended = partition.and_then(|found| found.append(leader, batch, wall_clock_ms));
    *written = appended.map(|appended| WrittenMarker {
        leader_epoch,
        offset: appended.base_offset,
    });
    // A partition with one replica has it at once.
    let replica = topics
        .partition(topic, index)
        .and_then(|found| found.led_by(leader));
    appended
        .zip(replica)
        .is_some_and(|(appended, replica)| replica.high_watermark() > appended.base_offset)
}

/// The highest level of the feature `transaction.version`.
pub(crate) const NEWEST_TRANSACTION_VERSION: i16 = 2;

pub(crate) const FIRST_PRODUCE_THAT_JOINS: i16 = 12;
const FIRST_PRODUCE_WITH_ABORTABLE: i16 = 11;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// `producer.id.expiration.check.interval.ms`
const EXPIRY_INTERVAL: Duration = Duration::from_secs(600);
