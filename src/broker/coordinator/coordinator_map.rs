//! Which broker coordinates which transactional id or group.
//!
//! Java: `coordinator/transaction/TransactionStateManager.scala` (`partitionFor`), `coordinator/group/GroupCoordinatorService.java`.
//! Differs: the leaders of `__transaction_state` and `__consumer_offsets` without those topics: what they would hold is
//! kept beside, and only its owner changes.
//! Threads: plain data. Locks: none.

use std::time::{Duration, Instant};

use crate::common::cluster::NodeId;
use crate::protocol::errors::Errors;

/// The owners of all keys of one kind.
#[derive(Debug)]
pub(crate) struct CoordinatorMap {
    /// A key belongs to the slot that its hash says, as it would belong to a partition of the internal topic.
    slots: Vec<Slot>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    owner: Option<Owner>,
    /// Rises with each new owner.
    epoch: i32,
}

#[derive(Debug, Clone, Copy)]
struct Owner {
    broker: NodeId,
    /// Until then it reads what the one before it had written.
    ready_from: Instant,
}

impl CoordinatorMap {
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![Slot::default(); SLOTS],
        }
    }

    /// Gives the keys of brokers that are gone to others, which need `load` before they answer.
    pub(crate) fn elect(&mut self, alive: &[NodeId], load: Duration, now: Instant) {
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot
                .owner
                .is_some_and(|owner| alive.contains(&owner.broker))
            {
                continue;
            }
            let next = index.checked_rem(alive.len()).map(|at| alive[at]);
            if next.is_some() || slot.owner.is_some() {
                slot.change_owner(next, load, now);
            }
        }
    }

    /// Makes another broker own a key, and those in the same slot.
    pub(crate) fn move_to(&mut self, key: &str, owner: NodeId, load: Duration, now: Instant) {
        if self.owner(key) != Some(owner) {
            self.slots[slot_of(key)].change_owner(Some(owner), load, now);
        }
    }

    /// The owner of a key, where there is one.
    pub(crate) fn owner(&self, key: &str) -> Option<NodeId> {
        self.slot(key).owner.map(|owner| owner.broker)
    }

    /// Rises each time the key moves.
    pub(crate) fn epoch(&self, key: &str) -> i32 {
        self.slot(key).epoch
    }

    /// Whether this broker may answer for a key now.
    pub(crate) fn check(&self, broker: NodeId, key: &str, now: Instant) -> Result<(), Errors> {
        if self.owner(key) != Some(broker) {
            return Err(Errors::NotCoordinator);
        }
        self.is_ready(key, now)
    }

    /// Whether any broker may answer for a key now.
    pub(crate) fn is_ready(&self, key: &str, now: Instant) -> Result<(), Errors> {
        match self.ready_from(key) {
            None => Err(Errors::CoordinatorNotAvailable),
            Some(from) if now < from => Err(Errors::CoordinatorLoadInProgress),
            Some(_) => Ok(()),
        }
    }

    /// Since when, or from when on, the owner of a key answers; nothing where there is no owner.
    pub(crate) fn ready_from(&self, key: &str) -> Option<Instant> {
        self.slot(key).owner.map(|owner| owner.ready_from)
    }

    fn slot(&self, key: &str) -> &Slot {
        &self.slots[slot_of(key)]
    }
}

impl Slot {
    fn change_owner(&mut self, owner: Option<NodeId>, load: Duration, now: Instant) {
        // The first owner finds nothing to load.
        let was_used = self.owner.is_some() || self.epoch > 0;
        let load = if was_used { load } else { Duration::ZERO };
        self.epoch += i32::from(was_used);
        self.owner = owner.map(|broker| Owner {
            broker,
            ready_from: now + load,
        });
    }
}

/// Java: `Utils.abs(key.hashCode()) % numPartitions`.
fn slot_of(key: &str) -> usize {
    let hash = key.encode_utf16().fold(0_i32, |hash, unit| {
        hash.wrapping_mul(31).wrapping_add(i32::from(unit))
    });
    // Java's absolute value of the smallest number is 0 here.
    let positive = usize::try_from(hash.checked_abs().unwrap_or(0)).unwrap_or_default();
    positive % SLOTS
}

/// As many as the internal topics have partitions by default.
const SLOTS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::time::{SystemTime, Time};

    const LOAD: Duration = Duration::from_millis(100);

    #[test]
    fn a_key_has_one_owner_and_the_next_one_loads_before_it_answers() {
        let now = SystemTime.now();
        let mut map = CoordinatorMap::new();
        assert_eq!(
            map.is_ready("tx", now),
            Err(Errors::CoordinatorNotAvailable)
        );
        let all = [NodeId(1), NodeId(2), NodeId(3)];
        map.elect(&all, LOAD, now);
        let first = map.owner("tx").expect("elected");
        assert_eq!(map.check(first, "tx", now), Ok(()));
        let others: Vec<_> = all.into_iter().filter(|id| *id != first).collect();
        assert_eq!(map.check(others[0], "tx", now), Err(Errors::NotCoordinator));
        map.elect(&others, LOAD, now);
        let second = map.owner("tx").expect("elected");
        assert_ne!(first, second);
        assert_eq!(
            map.check(second, "tx", now),
            Err(Errors::CoordinatorLoadInProgress)
        );
        assert_eq!(map.ready_from("tx"), Some(now + LOAD));
        assert_eq!(map.check(second, "tx", now + LOAD), Ok(()));
        map.elect(&all, LOAD, now + LOAD);
        assert_eq!(map.owner("tx"), Some(second), "a live owner stays");
    }

    #[test]
    fn keys_are_spread_by_the_hash_of_java() {
        // "tx1".hashCode() is 115345, "ü" 252.
        assert_eq!(slot_of("tx1"), 115_345 % SLOTS);
        assert_eq!(slot_of("ü"), 252 % SLOTS);
        // Integer.MIN_VALUE.
        assert_eq!(slot_of("polygenelubricants"), 0);
    }
}
