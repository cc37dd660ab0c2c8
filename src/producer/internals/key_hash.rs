//! Which partition a key belongs to, as Java or as another client would say.
//!
//! Java: `clients/producer/internals/BuiltInPartitioner.java` (`partitionForKey`).
//! Differs: the hashes of librdkafka and Sarama can be chosen, so that a change of client keeps keys where they are.
//! Threads: any. Locks: none.

use crate::producer::internals::murmur2;

/// How a key's bytes become a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyHash {
    /// Java's.
    Murmur2,
    /// librdkafka's `consistent_random`: CRC-32 (IEEE); an empty key counts as none.
    Crc32,
    /// Sarama's, and librdkafka's `fnv1a_random`: FNV-1a of 32 bits, as a signed number without its sign.
    Fnv1a,
}

impl KeyHash {
    /// The hash that `ottla.partitioner.hash` names; unknown names are refused before they come here.
    pub(crate) fn from_name(name: &str) -> Self {
        match name {
            "crc32" => KeyHash::Crc32,
            "fnv1a" => KeyHash::Fnv1a,
            _ => KeyHash::Murmur2,
        }
    }

    /// The partition of a key among all `partitions` of the topic, with and without a leader. Nothing where the key
    /// does not decide.
    pub(crate) fn partition_for_key(self, key: &[u8], partitions: usize) -> Option<i32> {
        let count = u32::try_from(partitions).ok().filter(|n| *n > 0)?;
        let hash = match self {
            KeyHash::Murmur2 => return Some(murmur2::partition_for_key(key, partitions)),
            KeyHash::Crc32 if key.is_empty() => return None,
            KeyHash::Crc32 => crc32fast::hash(key),
            KeyHash::Fnv1a => (fnv1a(key) as i32).unsigned_abs(),
        };
        i32::try_from(hash % count).ok()
    }
}

fn fnv1a(key: &[u8]) -> u32 {
    key.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hashes_agree_with_their_published_check_values() {
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        assert_eq!(fnv1a(b""), 0x811c_9dc5);
        assert_eq!(fnv1a(b"a"), 0xe40c_292c);
        assert_eq!(fnv1a(b"foobar"), 0xbf9c_f968);
    }

    #[test]
    fn an_empty_key_is_a_key_for_java_and_none_for_librdkafka() {
        assert!(KeyHash::Murmur2.partition_for_key(b"", 7).is_some());
        assert_eq!(KeyHash::Crc32.partition_for_key(b"", 7), None);
        assert_eq!(KeyHash::Murmur2.partition_for_key(b"k", 0), None);
    }

    #[test]
    fn a_negative_hash_loses_its_sign_as_in_sarama() {
        // 0xe40c292c is -468 965 076 as a signed number.
        assert_eq!(KeyHash::Fnv1a.partition_for_key(b"a", 1000), Some(76));
    }
}
