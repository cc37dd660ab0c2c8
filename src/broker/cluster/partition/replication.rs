//! How followers copy, fall out of the ISR and come back.
//!
//! Java: `core/server/ReplicaFetcherThread.scala`, `core/cluster/Partition.scala`, `maybeExpandIsr`, `maybeShrinkIsr`.
//! Differs: a follower copies when it lacks something, at a due time, instead of asking all the time.
//! Threads: plain data. Locks: none.

use std::time::Instant;

use crate::broker::cluster::brokers::Brokers;
use crate::broker::cluster::partition::Partition;
use crate::common::cluster::NodeId;
use crate::common::time::earlier;

impl Partition {
    /// Does all that is due: copies, and changes of the ISR. Returns when there is more to do.
    pub(crate) fn replicate(&mut self, brokers: &Brokers, now: Instant) -> Option<Instant> {
        if let Some(leader) = self.current.leader {
            self.maybe_raise_high_watermark(leader);
        }
        for _ in 0..MOST_ROUNDS {
            let mut next = None;
            let mut copied = false;
            for follower in self.replicas.clone() {
                match self.next_copy(follower, brokers, now) {
                    Some(due) if due <= now => {
                        self.copy(follower, brokers);
                        copied = true;
                    }
                    due => next = earlier(next, due),
                }
            }
            if !copied {
                return earlier(next, self.shrink_isr(brokers, now));
            }
        }
        unreachable!(
            "the followers among {:?} copy and copy, and still lack something",
            self.replicas
        );
    }

    /// Followers in sync copy what they still lack, as during a controlled shutdown of their leader.
    pub(crate) fn copy_now(&mut self, brokers: &Brokers) {
        for follower in self.current.isr.clone() {
            if self.leader_within_reach(follower, brokers).is_some() {
                self.copy(follower, brokers);
            }
        }
    }

    /// When a follower copies next; nothing where it lacks nothing, or cannot.
    fn next_copy(&mut self, follower: NodeId, brokers: &Brokers, now: Instant) -> Option<Instant> {
        let wanted = self
            .leader_within_reach(follower, brokers)
            .filter(|leader| self.has_news(follower, *leader, brokers));
        let following = self.replica_mut(follower)?.following_mut()?;
        if wanted.is_none() {
            following.lacks_since = None;
            return None;
        }
        let since = *following.lacks_since.get_or_insert(now);
        Some(since + brokers.replication(follower))
    }

    /// The leader from which a follower can copy: both know of the same epoch, and bytes pass between them.
    fn leader_within_reach(&self, follower: NodeId, brokers: &Brokers) -> Option<NodeId> {
        let replica = self.replica(follower).filter(|r| !r.held_back)?;
        let following = replica.following()?;
        let leader = self.as_seen_by(follower).leader?;
        let leading = self.replica(leader)?.leading()?;
        let agree = leading.epoch == following.epoch;
        (agree && brokers.are_linked(leader, follower)).then_some(leader)
    }

    fn has_news(&self, follower: NodeId, leader: NodeId, brokers: &Brokers) -> bool {
        let (Some(mine), Some(theirs)) = (self.replica(follower), self.replica(leader)) else {
            return false;
        };
        mine.lacks_something_of(theirs) || self.may_join_isr(follower, leader, brokers)
    }

    fn copy(&mut self, follower: NodeId, brokers: &Brokers) {
        let Some(leader) = self.leader_within_reach(follower, brokers) else {
            return;
        };
        let Some(mut copy) = self.copies.remove(&follower) else {
            return;
        };
        if let Some(source) = self.copies.get_mut(&leader) {
            copy.copy_from(source);
            source.heard_from(follower, copy.log.end_offset());
        }
        self.copies.insert(follower, copy);
        if self.may_join_isr(follower, leader, brokers) {
            self.current.isr.push(follower);
        }
        self.maybe_raise_high_watermark(leader);
    }

    /// Whether a follower has all that readers can see, and the controller can be asked to count it in.
    fn may_join_isr(&self, follower: NodeId, leader: NodeId, brokers: &Brokers) -> bool {
        let Some(source) = self.replica(leader) else {
            return false;
        };
        let Some(leading) = source.leading() else {
            return false;
        };
        let reached = leading.followers.get(&follower).map_or(0, |p| p.end_offset);
        self.may_change_isr(leader, brokers)
            && !self.current.isr.contains(&follower)
            && brokers.is_alive(follower)
            && reached >= source.high_watermark().max(leading.epoch_start)
    }

    /// A leader that the controller does not hear, or that another has replaced, cannot change the ISR.
    fn may_change_isr(&self, leader: NodeId, brokers: &Brokers) -> bool {
        self.current.leader == Some(leader)
            && brokers.is_current(leader)
            && !self.outdated.contains_key(&leader)
    }

    /// Followers that have lacked something for too long leave; returns when the next one would.
    fn shrink_isr(&mut self, brokers: &Brokers, now: Instant) -> Option<Instant> {
        let leader = self.current.leader?;
        if !self.may_change_isr(leader, brokers) {
            return None;
        }
        let patience = brokers.timings.replica_lag_max;
        let replica = self.copies.get_mut(&leader)?;
        let mut next = None;
        let before = self.current.isr.len();
        self.current.isr.retain(|follower| {
            let leaves = replica
                .behind_since(*follower, now)
                .map(|since| since + patience);
            let stays = leaves.is_none_or(|due| due > now);
            if stays {
                next = earlier(next, leaves);
            }
            stays
        });
        if self.current.isr.len() < before {
            self.maybe_raise_high_watermark(leader);
        }
        next
    }
}

/// Records, then the high watermark that rose with them, from one follower to the next: far fewer are needed.
const MOST_ROUNDS: usize = 1000;
