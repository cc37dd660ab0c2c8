//! What happens to leaders and to the ISR when brokers come, go, freeze, or are cut off.
//!
//! Java: `controller/ReplicationControlManager.java`, `controller/PartitionChangeBuilder.java`.
//! Differs: the controller never fails; a broker that was fenced is taken in again as soon as it has heard the news.
//! Threads: plain data. Locks: none.

use std::time::Instant;

use crate::broker::cluster::brokers::{Brokers, Life};
use crate::broker::cluster::partition::Partition;
use crate::broker::cluster::topics::Topics;
use crate::common::cluster::NodeId;

impl Topics {
    /// A broker's process has started, with the logs that it had before.
    pub(crate) fn broker_started(&mut self, id: NodeId, host: String, port: u16, now: Instant) {
        // One that comes back before it was missed is a new process all the same.
        self.fence(id, now);
        self.brokers.started(id, host, port, now);
        self.poll(now);
    }

    /// A broker stops in order: followers have all that it had, and others lead, before it ends.
    pub(crate) fn broker_stopped(&mut self, id: NodeId, now: Instant) {
        self.for_each_partition(|partition, brokers| {
            if partition.led_by(id).is_some() {
                partition.copy_now(brokers);
            }
        });
        self.fence(id, now);
        self.broker_killed(id, 0, now);
    }

    /// A broker's process dies where it stands. Its logs stay, except for the last batches of each where so many had not
    /// been written to disk.
    pub(crate) fn broker_killed(&mut self, id: NodeId, lost_batches: usize, now: Instant) {
        if self.brokers.set_life(id, Life::Down, now) {
            self.for_each_partition(|partition, _| partition.went_down(id, lost_batches));
        }
        self.poll(now);
    }

    /// A broker stands still, with its connections open.
    pub(crate) fn broker_paused(&mut self, id: NodeId, now: Instant) {
        if self.brokers.is_running(id) {
            self.brokers.set_life(id, Life::Frozen, now);
        }
        self.poll(now);
    }

    /// A broker goes on. It hears what it has missed with the next `poll`, so that what came meanwhile is handled in
    /// the old faith.
    pub(crate) fn broker_resumed(&mut self, id: NodeId, now: Instant) {
        if self.brokers.life(id) == Life::Frozen {
            self.brokers.set_life(id, Life::Running, now);
            self.unsettle_all();
        }
    }

    /// From now on nothing passes between two sets of brokers.
    pub(crate) fn cut(&mut self, left: &[NodeId], right: &[NodeId], now: Instant) {
        self.brokers.cut(left, right, now);
        self.unsettle_all();
        self.poll(now);
    }

    /// Everything passes again.
    pub(crate) fn heal(&mut self, now: Instant) {
        self.brokers.heal(now);
        self.unsettle_all();
        self.poll(now);
    }

    /// Does what is due: gives up on brokers that are missed too long, lets brokers hear the news, then replicates.
    pub(crate) fn poll(&mut self, now: Instant) {
        loop {
            if let Some(id) = self.brokers.next_to_fence(now) {
                self.fence(id, now);
            } else if let Some(id) = self.brokers.next_to_hear(now) {
                self.for_each_partition(|partition, _| partition.hear(id));
                self.take_in(id, now);
            } else {
                break;
            }
        }
        self.replicate(now);
    }

    /// Lets the preferred replica of a partition lead, if it is alive and in sync. Returns whether it leads now.
    pub(crate) fn elect_preferred(&mut self, topic: &str, partition: i32, now: Instant) -> bool {
        let preferred = self
            .partition(topic, partition)
            .and_then(|partition| partition.replicas.first().copied());
        preferred.is_some_and(|leader| self.move_leader(topic, partition, leader, now))
    }

    /// Lets a replica lead, if it is alive and in sync. Returns whether it leads now.
    pub(crate) fn move_leader(
        &mut self,
        topic: &str,
        partition: i32,
        leader: NodeId,
        now: Instant,
    ) -> bool {
        let eligible = self.brokers.is_alive(leader)
            && self
                .partition(topic, partition)
                .is_some_and(|partition| partition.current().isr.contains(&leader));
        if eligible {
            self.change(topic, partition, now, |partition, brokers| {
                partition.lead(Some(leader), brokers);
                Some(())
            });
        }
        eligible
    }

    /// Holds a follower back: it copies nothing and leaves the ISR. Returns whether it is one.
    pub(crate) fn hold_back(
        &mut self,
        topic: &str,
        partition: i32,
        follower: NodeId,
        now: Instant,
    ) -> bool {
        let held = self.change(topic, partition, now, |partition, brokers| {
            let leads = partition.current().leader == Some(follower);
            let replica = partition.replica_mut(follower).filter(|_| !leads)?;
            replica.held_back = true;
            partition.leave_isr(follower, brokers);
            Some(())
        });
        held.is_some()
    }

    /// Lets every follower copy again. Returns whether there is such a partition.
    pub(crate) fn let_go(&mut self, topic: &str, partition: i32, now: Instant) -> bool {
        let found = self.change(topic, partition, now, |partition, _| {
            for replica in partition.copies_mut() {
                replica.held_back = false;
            }
            Some(())
        });
        found.is_some()
    }

    /// Deletes what lies before an offset, as retention and DeleteRecords do. Returns where the log begins now.
    pub(crate) fn delete_records(
        &mut self,
        topic: &str,
        partition: i32,
        before: i64,
        now: Instant,
    ) -> Option<i64> {
        self.change(topic, partition, now, |partition, _| {
            partition.delete_records(before)
        })
    }

    /// Changes a partition, and does what follows from it.
    fn change<T>(
        &mut self,
        topic: &str,
        partition: i32,
        now: Instant,
        act: impl FnOnce(&mut Partition, &Brokers) -> Option<T>,
    ) -> Option<T> {
        let number = usize::try_from(partition).ok()?;
        let found = self.topics.get_mut(topic)?.partitions.get_mut(number)?;
        let outcome = act(found, &self.brokers);
        self.unsettled.insert((topic.to_owned(), number), None);
        self.brokers.spread_word(now);
        self.poll(now);
        outcome
    }

    /// Gives up on a broker.
    fn fence(&mut self, id: NodeId, now: Instant) {
        if !self.brokers.is_alive(id) {
            return;
        }
        self.brokers.set_fenced(id, true);
        self.for_each_partition(|partition, brokers| partition.fence(id, brokers));
        self.brokers.spread_word(now);
    }

    /// Counts on a broker again; it leads where nobody else can.
    fn take_in(&mut self, id: NodeId, now: Instant) {
        if self.brokers.is_alive(id) {
            return;
        }
        self.brokers.set_fenced(id, false);
        self.for_each_partition(|partition, brokers| partition.elect(brokers));
        self.brokers.spread_word(now);
    }

    fn for_each_partition(&mut self, mut act: impl FnMut(&mut Partition, &Brokers)) {
        let topics = self.topics.values_mut();
        for partition in topics.flat_map(|topic| &mut topic.partitions) {
            act(partition, &self.brokers);
        }
        self.unsettle_all();
    }
}
