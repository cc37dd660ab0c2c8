//! Notices when a partition's offsets go back: then the log has lost records that were acknowledged.
//!
//! Java: none; `TransactionManager` keeps the last acknowledged offset for another purpose.
//! Differs: does not exist in Java.
//! Threads: the I/O thread. Locks: none.

use crate::common::cluster::TopicPartition;
use crate::common::fast_hash::FastMap;
use crate::common::planted::planted;

/// The highest base offset that was acknowledged, by partition.
#[derive(Debug, Default)]
pub(super) struct OffsetWatch {
    highest: FastMap<TopicPartition, i64>,
}

impl OffsetWatch {
    /// Takes the offset of a batch that was sent once. Returns the higher one of a batch before it, if there was one: an
    /// election of a leader that was behind, or a topic made anew.
    pub(super) fn note(&mut self, tp: &TopicPartition, base_offset: i64) -> Option<i64> {
        let Some(highest) = self.highest.get_mut(tp) else {
            self.highest.insert(tp.clone(), base_offset);
            return None;
        };
        // What comes after a fall is measured against the new beginning, so that one loss is one report.
        let before = std::mem::replace(highest, base_offset);
        (before > base_offset && !planted!("fall-is-silent")).then_some(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fall_is_told_once_and_only_of_its_partition() {
        let mut watch = OffsetWatch::default();
        let (first, second) = (TopicPartition::new("t", 0), TopicPartition::new("t", 1));
        for offset in [5, 6, 9] {
            assert_eq!(watch.note(&first, offset), None);
        }
        assert_eq!(watch.note(&second, 0), None);
        assert_eq!(watch.note(&first, 7), Some(9));
        assert_eq!(watch.note(&first, 8), None);
    }
}
