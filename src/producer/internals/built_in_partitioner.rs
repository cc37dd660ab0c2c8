//! Chooses a partition for records without a key: one for a while, then another one, by load.
//!
//! Java: `clients/producer/internals/BuiltInPartitioner.java` (KIP-794).
//! Differs: the sticky choice is one atomic word; queue sizes are read when the choice changes, not by the I/O thread on
//! every pass; a slow node's exclusion comes before anything else and covers its empty queues too.
//! Threads: any. Locks: none; `update` is called under the `PartitionQueue` of the chosen partition.

use crate::common::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The sticky choice for one topic.
#[derive(Debug)]
pub(crate) struct BuiltInPartitioner {
    sticky_batch_size: usize,
    /// The current [`Sticky`] as a word. Stored with Release after `produced` was reset, loaded with Acquire.
    current: AtomicU64,
    /// The bytes that went to the current choice. Written only under the queue lock of the chosen partition.
    produced: AtomicUsize,
}

/// One choice. Two choices of the same partition differ: what counts is when the choice was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sticky {
    /// The number of the choice above, the partition below.
    word: u64,
}

impl BuiltInPartitioner {
    /// Stays with a partition for about `sticky_batch_size` bytes, which is `batch.size`.
    pub(crate) fn new(sticky_batch_size: usize) -> Self {
        Self {
            sticky_batch_size: sticky_batch_size.max(1),
            current: AtomicU64::new(NOT_CHOSEN),
            produced: AtomicUsize::new(0),
        }
    }

    /// The current choice, where there is one.
    #[inline]
    pub(crate) fn current(&self) -> Option<Sticky> {
        let word = self.current.load(Ordering::Acquire);
        (word != NOT_CHOSEN).then_some(Sticky { word })
    }

    /// The current choice, made by `choose` where there is none yet. Java: `peekCurrentPartitionInfo`.
    pub(crate) fn peek(&self, choose: impl FnOnce() -> i32) -> Sticky {
        if let Some(current) = self.current() {
            return current;
        }
        let first = Sticky::new(1, choose());
        // Who loses the race adopts the winner's choice.
        let raced = self.current.compare_exchange(
            NOT_CHOSEN,
            first.word,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        raced.map_or_else(|word| Sticky { word }, |_| first)
    }

    /// Whether another choice was made since `sticky` was. Java: `isPartitionChanged`.
    #[inline]
    pub(crate) fn is_changed(&self, sticky: Sticky) -> bool {
        self.current.load(Ordering::Acquire) != sticky.word
    }

    /// Counts `appended` bytes for `sticky`, which must be the current choice, and moves on where it had its share.
    /// Returns whether it moved. Java: `updatePartitionInfo`.
    ///
    /// `enable_switch` says that the queue ends with a full batch: moving on before that leaves fractions of batches
    /// behind (KAFKA-14156), and staying for more than twice the share makes the partitions unequal.
    #[inline(always)]
    pub(crate) fn update(
        &self,
        sticky: Sticky,
        appended: usize,
        enable_switch: bool,
        choose: impl FnOnce() -> i32,
    ) -> bool {
        let produced = self.produced.load(Ordering::Relaxed) + appended;
        let share = self.sticky_batch_size;
        let enough = produced >= share && (enable_switch || produced / 2 >= share);
        if enough {
            self.replace(sticky.next(choose()));
        } else {
            self.produced.store(produced, Ordering::Relaxed);
        }
        enough
    }

    #[cold]
    fn replace(&self, next: Sticky) {
        self.produced.store(0, Ordering::Relaxed);
        self.current.store(next.word, Ordering::Release);
    }
}

impl Sticky {
    fn new(generation: u32, partition: i32) -> Self {
        Self {
            word: u64::from(generation) << 32 | u64::from(partition.unsigned_abs()),
        }
    }

    fn next(self, partition: i32) -> Self {
        let generation = (self.word >> 32) as u32;
        Self::new(generation.wrapping_add(1).max(1), partition)
    }

    #[inline]
    pub(crate) fn partition(self) -> i32 {
        // The lower half came from an i32 that was not negative.
        self.word as i32
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

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: usize = 100;

    fn uniform(random: u32) -> i32 {
        PartitionLoad::Uniform.next_partition(random, &[0, 1, 2], 3)
    }

    /// Java: `BuiltInPartitionerTest.testStickyPartitioning`. Scenario: PT3.
    #[test]
    fn a_choice_lasts_for_its_share_of_bytes() {
        let partitioner = BuiltInPartitioner::new(SHARE);
        let first = partitioner.peek(|| uniform(1));
        assert_eq!(first.partition(), 1);
        assert_eq!(partitioner.peek(|| uniform(2)), first);
        assert!(!partitioner.update(first, 99, true, || uniform(2)));
        assert!(!partitioner.is_changed(first));
        assert!(partitioner.update(first, 1, true, || uniform(2)));
        assert!(partitioner.is_changed(first));
        let second = partitioner.peek(|| uniform(0));
        assert_eq!(second.partition(), 2);
        assert!(
            !partitioner.update(second, 99, true, || uniform(0)),
            "counted from 0"
        );
    }

    /// Java: `BuiltInPartitionerTest.testStickyPartitioning` (KAFKA-14156). Scenario: PT4.
    #[test]
    fn a_switch_waits_for_a_full_batch_but_not_beyond_twice_the_share() {
        let partitioner = BuiltInPartitioner::new(SHARE);
        let sticky = partitioner.peek(|| uniform(0));
        assert!(!partitioner.update(sticky, 150, false, || uniform(1)));
        assert!(!partitioner.update(sticky, 49, false, || uniform(1)));
        assert!(partitioner.update(sticky, 1, false, || uniform(1)));
        let sticky = partitioner.peek(|| uniform(0));
        assert!(!partitioner.update(sticky, 120, false, || uniform(1)));
        assert!(
            partitioner.update(sticky, 0, true, || uniform(1)),
            "made up for"
        );
    }

    /// Scenario: PT7.
    #[test]
    fn choosing_the_same_partition_again_is_a_change() {
        let partitioner = BuiltInPartitioner::new(SHARE);
        let first = partitioner.peek(|| 1);
        assert!(partitioner.update(first, 100, true, || 1));
        let second = partitioner.peek(|| 0);
        assert_eq!(first.partition(), second.partition());
        assert!(partitioner.is_changed(first) && !partitioner.is_changed(second));
    }

    #[test]
    fn threads_that_race_for_the_first_choice_agree() {
        let partitioner = BuiltInPartitioner::new(SHARE);
        let choices: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|n| {
                    let partitioner = &partitioner;
                    scope.spawn(move || partitioner.peek(|| n))
                })
                .collect();
            let join = |thread: std::thread::ScopedJoinHandle<'_, Sticky>| thread.join();
            threads
                .into_iter()
                .map(|t| join(t).expect("no panic"))
                .collect()
        });
        assert!(choices.iter().all(|choice| *choice == choices[0]));
    }

    /// Java: `BuiltInPartitionerTest.adaptivePartitionsTest`. Scenario: PT8.
    #[test]
    fn shorter_queues_are_more_likely() {
        let frequencies = |sizes: &[u32]| {
            let sizes: Vec<_> = (0..).zip(sizes.iter().copied().map(Some)).collect();
            let load = PartitionLoad::from_queue_sizes(&sizes);
            let PartitionLoad::Weighted(weights) = &load else {
                panic!("unequal queues have weights");
            };
            let total = weights.last().map_or(0, |(_, sum)| *sum);
            let mut counts = vec![0; sizes.len()];
            for random in 0..total {
                counts[load.next_partition(random, &[], 0) as usize] += 1;
            }
            counts
        };
        assert_eq!(frequencies(&[1, 7, 2]), [7, 1, 6]);
        assert_eq!(frequencies(&[5, 0, 3, 0, 1]), [1, 6, 3, 6, 5]);
        assert_eq!(frequencies(&[0, 3, 1]), [4, 1, 3]);
    }

    /// Java: `BuiltInPartitionerTest.adaptivePartitionsTest`. Scenario: PT9, PT10.
    #[test]
    fn equal_queues_and_a_single_partition_are_uniform() {
        let load = PartitionLoad::from_queue_sizes;
        assert_eq!(load(&[(0, Some(3)), (1, Some(3))]), PartitionLoad::Uniform);
        assert_eq!(load(&[(0, Some(3))]), PartitionLoad::Uniform);
        assert_eq!(load(&[]), PartitionLoad::Uniform);
        assert_eq!(load(&[(0, None), (1, None)]), PartitionLoad::Uniform);
        // Equal, but one is left out: only the others may be chosen.
        let left_out = load(&[(0, Some(3)), (1, None), (2, Some(3))]);
        assert_eq!(left_out, PartitionLoad::Weighted(vec![(0, 1), (2, 2)]));
    }

    /// Java: `BuiltInPartitionerTest.unavailablePartitionsTest`. Scenario: PT6.
    #[test]
    fn partitions_without_a_leader_are_chosen_only_where_none_has_one() {
        for random in 0..100 {
            let chosen = PartitionLoad::Uniform.next_partition(random, &[0, 2], 3);
            assert_ne!(chosen, 1);
            let any = PartitionLoad::Uniform.next_partition(random, &[], 3);
            assert!((0..3).contains(&any));
        }
    }
}
