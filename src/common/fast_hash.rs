//! Hash maps for small keys that no attacker chooses: node ids, topic names, topic ids.
//!
//! Java: `String.hashCode`, which is kept inside each string.
//! Differs: eight bytes at a time, multiply and rotate; the standard hasher costs several times as much per topic name.
//! Threads: plain data. Locks: none.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// A map for keys from the application's own configuration and from the cluster's metadata.
pub(crate) type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<FastHasher>>;

/// A set of such keys.
pub(crate) type FastSet<K> = HashSet<K, BuildHasherDefault<FastHasher>>;

/// The hash of a name, for tables that keep it.
pub(crate) fn hash_of(name: &str) -> u64 {
    let mut hasher = FastHasher::default();
    hasher.write(name.as_bytes());
    hasher.finish()
}

/// Multiply-and-rotate over words of eight bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FastHasher(u64);

impl FastHasher {
    #[inline]
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(MULTIPLIER);
    }
}

impl Hasher for FastHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.add(u64::from_le_bytes(
                word.try_into().expect("chunks of eight"),
            ));
        }
        let rest = words.remainder();
        if !rest.is_empty() {
            self.add(
                rest.iter()
                    .fold(0, |word, byte| word << 8 | u64::from(*byte)),
            );
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.add(u64::from(value));
    }

    fn write_i32(&mut self, value: i32) {
        self.add(u64::from(value as u32));
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    // The map takes its bucket from the low bits, which a multiplication mixes least: fold, multiply, fold again.
    #[inline]
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(MULTIPLIER);
        mixed ^ (mixed >> 32)
    }
}

/// 2^64 divided by the golden ratio, made odd: neighbouring keys end far apart.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn similar_names_spread_over_the_buckets() {
        let hash = BuildHasherDefault::<FastHasher>::default();
        let buckets: FastSet<u64> = (0..1024)
            .map(|n| hash.hash_one(format!("topic-{n}")) % 1024)
            .collect();
        assert!(
            buckets.len() > 500,
            "{} of 1024 buckets used",
            buckets.len()
        );
        let tags: FastSet<u64> = (0..1024)
            .map(|n| hash.hash_one(format!("topic-{n}")) >> 57)
            .collect();
        assert!(tags.len() > 100, "{} of 128 tags used", tags.len());
    }

    #[test]
    fn a_map_finds_what_was_put_in() {
        let mut map = FastMap::default();
        for n in -5..1000 {
            map.insert(n, n * 2);
        }
        assert!((-5..1000).all(|n| map.get(&n) == Some(&(n * 2))));
        assert_eq!(map.get(&1000), None);
    }
}
