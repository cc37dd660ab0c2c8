//! Chooses a partition for records without a key: one for a while, then another one, by load.
//!
//! Java: `clients/producer/internals/BuiltInPartitioner.java` (KIP-794).
//! Differs: the sticky choice is one atomic word; queue sizes are read when the choice changes, not by the I/O thread on
//! every pass; a slow node's exclusion comes before anything else and covers its empty queues too.
//! Threads: any. Locks: none; `update` is called under the `PartitionQueue` of the chosen partition.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The sticky choice for one topic.
#[derive(Debug)]
pub(crate) struct BuiltInPartitioner {
    sticky_batch_size: u32,
    /// The current [`Sticky`] as a word. Stored with Release after `produced` was reset, loaded with Acquire.
    current: AtomicU64,
    /// The bytes that went to the current choice. Written only under the queue lock of the chosen partition.
    produced: AtomicU32,
}

/// One choice. Two choices of the same partition differ: what counts is when the choice was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sticky {
    generation: u32,
    partition: u32,
}

impl BuiltInPartitioner {
    /// Stays with a partition for about `sticky_batch_size` bytes, which is `batch.size`.
    pub(crate) fn new(sticky_batch_size: usize) -> Self {
        Self {
            sticky_batch_size: u32::try_from(sticky_batch_size.max(1)).unwrap_or(u32::MAX / 2),
            current: AtomicU64::new(NOT_CHOSEN),
            produced: AtomicU32::new(0),
        }
    }

    /// The current choice, made by `choose` where there is none yet. Java: `peekCurrentPartitionInfo`.
    pub(crate) fn peek(&self, choose: impl FnOnce() -> i32) -> Sticky {
        let word = self.current.load(Ordering::Acquire);
        if word != NOT_CHOSEN {
            return Sticky::from_word(word);
        }
        let first = Sticky {
            generation: 1,
            partition: choose().unsigned_abs(),
        };
        // Who loses the race adopts the winner's choice.
        let raced = self.current.compare_exchange(
            NOT_CHOSEN,
            first.to_word(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        Sticky::from_word(raced.map_or_else(|winner| winner, |_| first.to_word()))
    }

    /// Whether another choice was made since `sticky` was. Java: `isPartitionChanged`.
    pub(crate) fn is_changed(&self, sticky: Sticky) -> bool {
        self.current.load(Ordering::Acquire) != sticky.to_word()
    }

    /// Counts `appended` bytes for `sticky`, which must be the current choice, and moves on where it had its share.
    /// Returns whether it moved. Java: `updatePartitionInfo`.
    ///
    /// `enable_switch` says that the queue ends with a full batch: moving on before that leaves fractions of batches
    /// behind (KAFKA-14156), and staying for more than twice the share makes the partitions unequal.
    pub(crate) fn update(
        &self,
        sticky: Sticky,
        appended: u32,
        enable_switch: bool,
        choose: impl FnOnce() -> i32,
    ) -> bool {
        let produced = self
            .produced
            .load(Ordering::Relaxed)
            .saturating_add(appended);
        let share = self.sticky_batch_size;
        let enough = produced >= share && enable_switch || produced >= share.saturating_mul(2);
        if !enough {
            self.produced.store(produced, Ordering::Relaxed);
            return false;
        }
        let next = Sticky {
            generation: sticky.generation.wrapping_add(1).max(1),
            partition: choose().unsigned_abs(),
        };
        self.produced.store(0, Ordering::Relaxed);
        self.current.store(next.to_word(), Ordering::Release);
        true
    }
}

impl Sticky {
    pub(crate) fn partition(self) -> i32 {
        // It came from an i32 that was not negative.
        i32::try_from(self.partition).unwrap_or_default()
    }

    fn to_word(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.partition)
    }

    fn from_word(word: u64) -> Self {
        Self {
            generation: (word >> 32) as u32,
            partition: word as u32,
        }
    }
}

/// How likely each partition of a topic is to be the next choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PartitionLoad {
    /// All are equal.
    Uniform,
    /// The partitions that may be chosen, each with the running sum of the frequencies up to it.
    Weighted(Vec<(i32, u32)>),
}

impl PartitionLoad {
    /// Weighs partitions by what waits for them; `sizes` has what is in question: the partitions with a leader, each
    /// with the length of its queue, or nothing where its node is too slow to be chosen.
    ///
    /// Java: `updatePartitionLoadStats`.
    pub(crate) fn from_queue_sizes(sizes: &[(i32, Option<u32>)]) -> Self {
        let kept = || {
            sizes
                .iter()
                .filter_map(|(p, size)| size.map(|size| (*p, size)))
        };
        let Some(max) = kept().map(|(_, size)| size).max() else {
            return Self::Uniform;
        };
        let nothing_left_out = kept().count() == sizes.len();
        if sizes.len() < 2 || nothing_left_out && kept().all(|(_, size)| size == max) {
            return Self::Uniform;
        }
        let mut sum = 0_u32;
        let weighted = kept().map(|(partition, size)| {
            sum = sum.saturating_add(max - size + 1);
            (partition, sum)
        });
        Self::Weighted(weighted.collect())
    }

    /// The next partition. `available` are those with a leader, `count` is the number of all. Java: `nextPartition`.
    pub(crate) fn next_partition(&self, random: u32, available: &[i32], count: usize) -> i32 {
        match self {
            Self::Weighted(weights) => {
                let total = weights.last().map_or(1, |(_, sum)| *sum).max(1);
                let drawn = random % total;
                let at = weights.partition_point(|(_, sum)| *sum <= drawn);
                weights.get(at).map_or(0, |(partition, _)| *partition)
            }
            Self::Uniform if available.is_empty() => below(random, count),
            Self::Uniform => {
                let at = below(random, available.len());
                let at = usize::try_from(at).unwrap_or_default();
                available.get(at).copied().unwrap_or_default()
            }
        }
    }
}

fn below(random: u32, count: usize) -> i32 {
    let count = u32::try_from(count).unwrap_or(u32::MAX).max(1);
    i32::try_from(random % count).unwrap_or_default()
}

/// A generation of 0 is never made.
const NOT_CHOSEN: u64 = 0;
