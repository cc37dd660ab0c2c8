//! One broker's copy of a partition: its log, what it remembers of producers, and its part in replication.
//!
//! Java: `core/cluster/Replica.java`, `core/server/AbstractFetcherThread.scala`.
//! Differs: a follower takes over all that the leader has in one step, and says how far it got in the same step.
//! Threads: plain data. Locks: none.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::broker::log::leader_epochs::LeaderEpochs;
use crate::broker::log::producer_state::{Claim, ProducerStateManager, Verdict};
use crate::broker::log::unified_log::{Appended, IncomingBatch, LogConfig, UnifiedLog};
use crate::common::cluster::{LeaderEpoch, NodeId};
use crate::protocol::errors::Errors;

/// A copy of a partition.
#[derive(Debug)]
pub(crate) struct Replica {
    pub(crate) log: UnifiedLog,
    pub(crate) producers: ProducerStateManager,
    epochs: LeaderEpochs,
    /// What is below it is in every in-sync replica. Invariant: between the log's start and its end.
    high_watermark: i64,
    pub(crate) role: Role,
    /// Told not to copy, so that it falls behind.
    pub(crate) held_back: bool,
}

/// A replica's part in replication, as its own broker sees it.
#[derive(Debug)]
pub(crate) enum Role {
    /// Its broker is down, or does not know yet.
    Offline,
    Leader(Leading),
    Follower(Following),
}

/// What a leader knows.
#[derive(Debug)]
pub(crate) struct Leading {
    pub(crate) epoch: LeaderEpoch,
    /// Where its reign begins in the log.
    pub(crate) epoch_start: i64,
    pub(crate) followers: BTreeMap<NodeId, Progress>,
}

/// How far a follower is, as its leader knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    pub(crate) end_offset: i64,
    /// Since when it lacks something.
    pub(crate) behind_since: Option<Instant>,
}

/// What a follower knows.
#[derive(Debug)]
pub(crate) struct Following {
    pub(crate) epoch: LeaderEpoch,
    /// Its log has been cut to what it shares with this epoch's leader.
    pub(crate) joined: bool,
    /// Since when it could copy something.
    pub(crate) lacks_since: Option<Instant>,
}

impl Replica {
    pub(crate) fn new(config: LogConfig) -> Self {
        Self {
            log: UnifiedLog::new(config),
            producers: ProducerStateManager::default(),
            epochs: LeaderEpochs::default(),
            high_watermark: 0,
            role: Role::Offline,
            held_back: false,
        }
    }

    pub(crate) fn high_watermark(&self) -> i64 {
        self.high_watermark
    }

    /// Before this offset every transaction is decided, and every in-sync replica has everything.
    pub(crate) fn last_stable_offset(&self) -> i64 {
        let transactions = self.producers.transactions();
        let stable = transactions.last_stable_offset(self.high_watermark);
        stable.max(self.log.start_offset())
    }

    pub(crate) fn leading(&self) -> Option<&Leading> {
        match &self.role {
            Role::Leader(leading) => Some(leading),
            _ => None,
        }
    }

    pub(crate) fn following(&self) -> Option<&Following> {
        match &self.role {
            Role::Follower(following) => Some(following),
            _ => None,
        }
    }

    pub(crate) fn following_mut(&mut self) -> Option<&mut Following> {
        match &mut self.role {
            Role::Follower(following) => Some(following),
            _ => None,
        }
    }

    /// Begins to lead. What followers have is not known before they ask.
    pub(crate) fn lead(&mut self, epoch: LeaderEpoch, followers: impl Iterator<Item = NodeId>) {
        let unknown = Progress {
            end_offset: 0,
            behind_since: None,
        };
        self.role = Role::Leader(Leading {
            epoch,
            epoch_start: self.log.end_offset(),
            followers: followers.map(|node| (node, unknown)).collect(),
        });
        self.epochs.assign(epoch, self.log.end_offset());
    }

    /// Begins to follow.
    pub(crate) fn follow(&mut self, epoch: LeaderEpoch) {
        self.role = Role::Follower(Following {
            epoch,
            joined: false,
            lacks_since: None,
        });
    }

    /// Appends as the leader.
    pub(crate) fn append(
        &mut self,
        batch: IncomingBatch,
        epoch: LeaderEpoch,
        wall_clock_ms: i64,
    ) -> Appended {
        let appended = self.log.append(batch, epoch, wall_clock_ms);
        if let Some(stored) = self.log.last_batch() {
            self.producers.observe_batch(
                stored.header(),
                stored.marker(),
                stored.log_append_time(),
            );
        }
        appended
    }

    /// A follower has asked: it has everything before `end_offset`.
    pub(crate) fn heard_from(&mut self, follower: NodeId, end_offset: i64) {
        if let Role::Leader(leading) = &mut self.role {
            if let Some(progress) = leading.followers.get_mut(&follower) {
                progress.end_offset = end_offset;
            }
        }
    }

    /// Since when a follower lacks something, as its leader noticed; nothing where it lacks nothing.
    pub(crate) fn behind_since(&mut self, follower: NodeId, now: Instant) -> Option<Instant> {
        let end = self.log.end_offset();
        let Role::Leader(leading) = &mut self.role else {
            return None;
        };
        let progress = leading.followers.get_mut(&follower)?;
        progress.behind_since = if progress.end_offset < end {
            progress.behind_since.or(Some(now))
        } else {
            None
        };
        progress.behind_since
    }

    /// Whether copying from `leader` would change anything. Where an earlier leader had deleted records and died before
    /// all knew of it, the follower's log may begin after its new leader's; then it stays so.
    pub(crate) fn lacks_something_of(&self, leader: &Replica) -> bool {
        self.following().is_some_and(|following| !following.joined)
            || self.log.end_offset() < leader.log.end_offset()
            || self.log.start_offset() < leader.log.start_offset()
            || self.high_watermark != self.high_watermark_after(leader)
    }

    /// A follower's own high watermark, once its leader has told where its own is.
    fn high_watermark_after(&self, leader: &Replica) -> i64 {
        let known = leader.high_watermark.min(self.log.end_offset());
        known.max(self.log.start_offset())
    }

    /// Takes over what the leader has: drops what the leader does not share, then copies the rest.
    pub(crate) fn copy_from(&mut self, leader: &Replica) {
        if self.following().is_some_and(|following| !following.joined) {
            let common = self.epochs.common_point(
                self.log.end_offset(),
                &leader.epochs,
                leader.log.end_offset(),
            );
            self.truncate_to(common);
        }
        if let Some(following) = self.following_mut() {
            following.joined = true;
            following.lacks_since = None;
        }
        if self.log.end_offset() < leader.log.start_offset() {
            self.log.restart_at(leader.log.start_offset());
            self.epochs = LeaderEpochs::default();
            self.rebuild_producers();
        }
        self.raise_start_offset(leader.log.start_offset());
        for batch in leader.log.batches_from(self.log.end_offset()) {
            self.epochs.assign(
                LeaderEpoch(batch.header().partition_leader_epoch),
                batch.header().base_offset,
            );
            self.producers
                .observe_batch(batch.header(), batch.marker(), batch.log_append_time());
            self.log.append_copy(batch.clone());
        }
        self.high_watermark = self.high_watermark_after(leader);
    }

    /// Raises the high watermark; it never falls while a replica leads.
    pub(crate) fn raise_high_watermark(&mut self, to: i64) {
        self.high_watermark = self.high_watermark.max(to.min(self.log.end_offset()));
    }

    /// Deletes what lies before an offset, as retention and DeleteRecords do.
    pub(crate) fn raise_start_offset(&mut self, to: i64) {
        if to <= self.log.start_offset() {
            return;
        }
        self.log.raise_start_offset(to);
        self.high_watermark = self.high_watermark.max(self.log.start_offset());
        if self.log.config().forgets_deleted_producers {
            self.rebuild_producers();
        }
    }

    /// Judges what a producer claims of its batch.
    pub(crate) fn judge(&self, claim: Claim) -> Verdict {
        let verdict = self.producers.check(claim);
        let unknown = claim.first_sequence != 0 && !self.producers.knows(claim.producer_id);
        if unknown && self.log.config().forgets_deleted_producers {
            return Verdict::Refuse(Errors::UnknownProducerId);
        }
        verdict
    }

    /// Loses the last batches, as a machine does that goes down before they are on its disk.
    pub(crate) fn lose_batches(&mut self, count: usize) {
        let end = self.log.end_without_last(count);
        if end < self.log.end_offset() {
            self.truncate_to(end);
        }
    }

    fn truncate_to(&mut self, end: i64) {
        if end < self.log.end_offset() {
            self.log.truncate_to(end);
            self.rebuild_producers();
        }
        self.epochs.truncate_to(end);
        self.high_watermark = self.high_watermark.min(end);
    }

    /// Producers are known from what is left in the log.
    fn rebuild_producers(&mut self) {
        self.producers = ProducerStateManager::default();
        for batch in self.log.batches_from(self.log.start_offset()) {
            self.producers
                .observe_batch(batch.header(), batch.marker(), batch.log_append_time());
        }
    }
}
