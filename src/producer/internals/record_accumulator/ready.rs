//! Sorts the partitions that have news by what they wait for, and says which nodes have something to get.
//!
//! Java: `clients/producer/internals/RecordAccumulator.java` (`ready`, `partitionReady`, `batchReady`).
//! Differs: looks at partitions that are listed or due, not at all of them; asks the transaction manager too, so that a
//! node which is ready has a batch that can be drained.
//! Threads: the I/O thread. Locks: `PartitionQueue`, `TransactionManager` inside it.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::common::cluster::NodeId;
use crate::common::few::Few;
use crate::common::time::{deadline, earlier};
use crate::producer::internals::record_accumulator::partition_queue::{
    LockedQueue, PartitionQueue, Place, Queue,
};
use crate::producer::internals::record_accumulator::record_drainer::{RecordDrainer, Timer};

/// What a pass can do. Java: `ReadyCheckResult`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ReadyCheckResult {
    /// The nodes for which there is at least one batch that may go now.
    pub(crate) ready_nodes: Few<NodeId>,
    /// When to look again if nothing happens before.
    pub(crate) next_check: Option<Instant>,
    /// Topics that have records for a partition without a leader.
    pub(crate) topics_without_leader: Vec<Arc<str>>,
}

impl RecordDrainer {
    /// Sorts what is new and says which nodes are ready.
    pub(crate) fn ready(
        &mut self,
        snapshot: &Arc<MetadataSnapshot>,
        now: Instant,
    ) -> ReadyCheckResult {
        self.accept_snapshot(snapshot);
        move_once(&mut self.blocked, &mut self.pending);
        loop {
            self.accumulator.ready.begin_look();
            self.accumulator.ready.take(&mut self.pending);
            let horizon = self.take_due(now);
            // The list keeps its memory: a pass allocates nothing for looking.
            let mut pending = std::mem::take(&mut self.pending);
            for partition in pending.drain(..) {
                let mut queue = partition.lock();
                self.examine(&partition, &mut queue, now, horizon);
            }
            self.pending = pending;
            let next_check = self.next_check(now);
            if !self.accumulator.ready.end_look(next_check) {
                return ReadyCheckResult {
                    ready_nodes: self.ready_nodes(),
                    next_check,
                    topics_without_leader: self.topics_without_leader(),
                };
            }
        }
    }

    /// A new view of the cluster: leaders may have moved, and a newer epoch ends a back-off.
    fn accept_snapshot(&mut self, snapshot: &Arc<MetadataSnapshot>) {
        if Arc::ptr_eq(&self.snapshot, snapshot) {
            return;
        }
        self.snapshot = Arc::clone(snapshot);
        move_once(&mut self.leaderless, &mut self.pending);
        for (_, list) in self.sendable.drain() {
            for partition in list {
                partition.lock().in_list_of = None;
                self.pending.push(partition);
            }
        }
        let timers = self.timers.iter().map(|Reverse(timer)| &timer.partition);
        let backing_off =
            timers.filter(|partition| matches!(partition.lock().place, Place::BackingOff(_)));
        self.pending.extend(backing_off.cloned());
    }

    /// Moves the partitions whose time has come to `pending`. Returns up to when a linger counts as over: when the I/O
    /// thread is up for one it takes those that follow closely, which saves requests.
    fn take_due(&mut self, now: Instant) -> Instant {
        let pressed = self.accumulator.is_pressed();
        let linger = self.accumulator.config.linger;
        let any_due = self
            .timers
            .peek()
            .is_some_and(|Reverse(timer)| timer.at <= now);
        let horizon = if any_due { now + linger / 8 } else { now };
        while let Some(Reverse(timer)) = self.timers.peek() {
            if timer.at > horizon && !pressed {
                break;
            }
            let Some(Reverse(timer)) = self.timers.pop() else {
                break;
            };
            let mut queue = timer.partition.lock();
            if queue.timer == Some(timer.at) {
                queue.timer = None;
            }
            if matches!(queue.place, Place::Lingering(_) | Place::BackingOff(_)) {
                drop(queue);
                self.pending.push(timer.partition);
            }
        }
        horizon
    }

    /// Finds out what a partition waits for and puts it there.
    pub(super) fn examine(
        &mut self,
        partition: &Arc<PartitionQueue>,
        queue: &mut LockedQueue<'_>,
        now: Instant,
        horizon: Instant,
    ) {
        self.watch_expiry(partition, queue);
        queue.place = self.place_of(partition, queue, now, horizon);
        match queue.place {
            Place::Sendable(node) if queue.in_list_of != Some(node) => {
                queue.in_list_of = Some(node);
                self.sendable
                    .entry(node)
                    .or_default()
                    .push_back(Arc::clone(partition));
            }
            Place::Lingering(until) | Place::BackingOff(until)
                if queue.timer.is_none_or(|at| at > until) =>
            {
                queue.timer = Some(until);
                self.timers.push(Reverse(Timer {
                    at: until,
                    partition: Arc::clone(partition),
                }));
            }
            Place::Leaderless => self.leaderless.push(Arc::clone(partition)),
            Place::Blocked => self.blocked.push(Arc::clone(partition)),
            _ => {}
        }
    }

    /// The one rule that says whether a batch may go, for `ready` and `drain` alike.
    fn place_of(
        &self,
        partition: &PartitionQueue,
        queue: &mut Queue,
        now: Instant,
        horizon: Instant,
    ) -> Place {
        let tp = partition.topic_partition();
        let full = queue.starts_full();
        let muted = queue.muted;
        let Some(head) = queue.head_mut() else {
            return Place::Idle;
        };
        if muted {
            return Place::Muted;
        }
        let known = self.snapshot.partition(tp.topic(), tp.partition());
        let Some(leader) = known.and_then(|known| known.leader) else {
            return Place::Leaderless;
        };
        head.update_leader_epoch(known.and_then(|known| known.leader_epoch));
        if let Some(until) = head.backing_off_until(now) {
            return Place::BackingOff(until);
        }
        let lingers_until = deadline(head.created(), self.accumulator.config.linger);
        let sendable =
            full || lingers_until <= horizon || head.is_wanted() || self.accumulator.is_pressed();
        if !sendable {
            return Place::Lingering(lingers_until);
        }
        let first = head.identity().map(|(_, first)| first);
        match &self.transaction_manager {
            Some(manager) if !manager.lock().can_drain(tp, first) => Place::Blocked,
            _ => Place::Sendable(leader),
        }
    }

    /// When the next timer is due that means something.
    fn next_check(&mut self, now: Instant) -> Option<Instant> {
        while let Some(Reverse(timer)) = self.timers.peek() {
            let mut queue = timer.partition.lock();
            let until = match queue.place {
                Place::Lingering(until) | Place::BackingOff(until) => Some(until),
                _ => None,
            };
            if until == Some(timer.at) {
                break;
            }
            if queue.timer == Some(timer.at) {
                queue.timer = until;
            }
            drop(queue);
            let Some(Reverse(timer)) = self.timers.pop() else {
                break;
            };
            if let Some(at) = until {
                self.timers.push(Reverse(Timer { at, ..timer }));
            }
        }
        let timer = self.timers.peek().map(|Reverse(timer)| timer.at);
        earlier(timer, self.next_grace(now))
    }

    /// After a drain the thread looks once more when a linger has passed, so that a thread which sends and waits in turn
    /// wakes it once per record, when it waits, and not also when it opens the batch.
    fn next_grace(&mut self, now: Instant) -> Option<Instant> {
        let linger: Duration = self.accumulator.config.linger;
        let grace = deadline(self.last_drain?, linger.min(LONGEST_GRACE));
        if grace <= now {
            self.last_drain = None;
            return None;
        }
        Some(grace)
    }

    fn ready_nodes(&mut self) -> Few<NodeId> {
        let mut ready = Few::new();
        for (node, list) in &mut self.sendable {
            if has_something(*node, list) {
                ready.push(*node);
            }
        }
        ready
    }

    fn topics_without_leader(&self) -> Vec<Arc<str>> {
        let topics = self.leaderless.iter();
        let mut topics: Vec<_> = topics
            .map(|partition| Arc::clone(partition.topic_partition().shared_topic()))
            .collect();
        topics.sort_unstable();
        topics.dedup();
        topics
    }
}

/// Drops from the front what has gone elsewhere meanwhile.
fn has_something(node: NodeId, list: &mut VecDeque<Arc<PartitionQueue>>) -> bool {
    while let Some(partition) = list.front() {
        let mut queue = partition.lock();
        if queue.place == Place::Sendable(node) && !queue.is_empty() {
            return true;
        }
        queue.leave_list_of(node);
        drop(queue);
        list.pop_front();
    }
    false
}

/// Moves what is in one list to another, in an order that is the same in every run; a partition that is there twice goes
/// once.
fn move_once(from: &mut Vec<Arc<PartitionQueue>>, to: &mut Vec<Arc<PartitionQueue>>) {
    from.sort_unstable_by(|a, b| a.topic_partition().cmp(b.topic_partition()));
    from.dedup_by(|a, b| Arc::ptr_eq(a, b));
    to.append(from);
}

/// A long linger must not keep an idle thread on the alert.
const LONGEST_GRACE: Duration = Duration::from_millis(50);
