//! The hash that places a key: the same key goes to the same partition as with every Java client.
//!
//! Java: `common/utils/Utils.java` (`murmur2`, `toPositive`), `BuiltInPartitioner.partitionForKey`.
//! Differs: nothing; this is a contract between clients.
//! Threads: pure functions. Locks: none.

/// The partition of a key among `partitions`, which counts those without a leader too.
///
/// Java: `BuiltInPartitioner.partitionForKey`.
pub(crate) fn partition_for_key(key: &[u8], partitions: usize) -> i32 {
    let partitions = i32::try_from(partitions).unwrap_or(i32::MAX).max(1);
    to_positive(murmur2(key)) % partitions
}

/// Clears the sign; an absolute value would differ for `i32::MIN`.
pub(crate) fn to_positive(hash: i32) -> i32 {
    hash & i32::MAX
}

/// MurmurHash 2, 32 bits, with Kafka's seed.
pub(crate) fn murmur2(data: &[u8]) -> i32 {
    // Java counts in `int` and so do we: the length wraps, every product wraps.
    let mut h = SEED ^ (data.len() as u32);
    let mut words = data.chunks_exact(4);
    for word in words.by_ref() {
        let k = mix(u32::from_le_bytes([word[0], word[1], word[2], word[3]]));
        h = h.wrapping_mul(M) ^ k;
    }
    let tail = words.remainder();
    if !tail.is_empty() {
        for (n, byte) in tail.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * n);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    (h ^ (h >> 15)) as i32
}

fn mix(word: u32) -> u32 {
    let k = word.wrapping_mul(M);
    (k ^ (k >> 24)).wrapping_mul(M)
}

const SEED: u32 = 0x9747_b28c;
const M: u32 = 0x5bd1_e995;

#[cfg(test)]
mod tests {
    use super::*;

    /// Each line: the input, its hash, and where it lands among 3, 12 and 100 partitions.
    fn vectors() -> Vec<(Vec<u8>, i32, [i32; 3])> {
        let text = |s: &str| s.as_bytes().to_vec();
        vec![
            (vec![], 275_646_681, [0, 9, 81]),
            (text("a"), -1_563_381_124, [1, 4, 24]),
            (text("ab"), 316_155_434, [2, 2, 34]),
            (text("abc"), 479_470_107, [0, 3, 7]),
            (text("abcd"), -1_323_649_548, [2, 8, 0]),
            (text("abcde"), 461_995_741, [1, 1, 41]),
            (text("21"), -973_932_308, [0, 0, 40]),
            (text("foobar"), -790_332_482, [0, 6, 66]),
            (text("key"), -1_079_937_367, [1, 1, 81]),
            (text("key-0"), 29_210_041, [1, 1, 41]),
            (text("hello"), 2_132_663_229, [0, 9, 29]),
            (text("kafka"), -798_503_068, [1, 4, 80]),
            (text("a-little-bit-long-string"), -985_981_536, [2, 8, 12]),
            (
                text("a-little-bit-longer-string"),
                -1_486_304_829,
                [2, 11, 19],
            ),
            (
                text("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"),
                -58_897_971,
                [2, 5, 77],
            ),
            (vec![0], 375_494_588, [2, 8, 88]),
            (vec![0; 4], 850_957_120, [1, 4, 20]),
            (vec![0xff], -311_467_685, [0, 3, 63]),
            (vec![0xff; 4], 644_171_429, [2, 5, 29]),
            (
                vec![0x80, 0xff, 0x7f, 0x01, 0xfe],
                -1_588_761_525,
                [2, 11, 23],
            ),
            (text("é世"), -1_225_033_965, [2, 11, 83]),
            ((0..=255).collect(), -1_948_347_274, [1, 10, 74]),
            (42_i64.to_be_bytes().to_vec(), 506_863_552, [1, 4, 52]),
            (42_i32.to_be_bytes().to_vec(), 1_606_757_304, [0, 0, 4]),
        ]
    }

    /// Java: `UtilsTest.testMurmur2`, `BuiltInPartitionerTest`. Scenario: PT1.
    #[test]
    fn keys_land_where_java_puts_them() {
        for (key, hash, [of_3, of_12, of_100]) in vectors() {
            assert_eq!(murmur2(&key), hash, "{key:?}");
            assert_eq!(partition_for_key(&key, 3), of_3, "{key:?}");
            assert_eq!(partition_for_key(&key, 12), of_12, "{key:?}");
            assert_eq!(partition_for_key(&key, 100), of_100, "{key:?}");
        }
    }

    /// The keys follow from a seed, as `partitions` in `tests/kafka/Oracle.java` describes; the digest is Java's. Scenario: PT1.
    #[test]
    fn a_hundred_thousand_generated_keys_land_where_java_puts_them() {
        let golden = include_str!("../../../tests/golden/partitions.txt");
        let digest = golden.lines().find_map(|line| line.strip_prefix("crc32\t"));
        let mut state = 20_240_229_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u32
        };
        let mut answers = crc32fast::Hasher::new();
        for _ in 0..100_000 {
            let length = (next() & 0x7fff_ffff) % 66;
            let key: Option<Vec<u8>> =
                (length < 65).then(|| (0..length).map(|_| next() as u8).collect());
            let key = key.as_deref();
            answers.update(&key.map_or(0, murmur2).to_be_bytes());
            for partitions in [1, 3, 12, 100] {
                let partition = key.map_or(-1, |key| partition_for_key(key, partitions));
                answers.update(&partition.to_be_bytes());
            }
        }
        assert_eq!(Some(format!("{:08x}", answers.finalize()).as_str()), digest);
    }

    /// Java: `UtilsTest.testToPositive`. Scenario: PT1.
    #[test]
    fn the_sign_is_masked_and_not_negated() {
        assert_eq!(to_positive(i32::MIN), 0);
        assert_eq!(to_positive(-1), i32::MAX);
        assert_eq!(to_positive(7), 7);
    }
}
