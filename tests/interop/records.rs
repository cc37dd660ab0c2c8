//! Records that both sides of a test can make by themselves: each follows from its topic's shape and its number.

/// A record as the application hands it to a producer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TestRecord {
    /// `None`: the producer chooses by the key.
    pub(crate) partition: Option<u32>,
    /// `None`: the producer takes the time of the send.
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

impl TestRecord {
    /// Record `number` for a topic of so many partitions: all mixes of null, empty and filled keys and values, up to
    /// three headers, given and missing timestamps.
    pub(crate) fn number(number: u64, partitions: u32) -> Self {
        let mut random = Xorshift::new(number + 1);
        let key = match random.below(5) {
            0 => None,
            1 => Some(Vec::new()),
            _ => Some(random.bytes(1, 24)),
        };
        let value = match random.below(20) {
            0 => None,
            1 => Some(Vec::new()),
            2 => Some(random.bytes(500, 3000)),
            _ => Some(random.text(10, 90)),
        };
        let chosen_by_key = key.is_some() && random.below(2) == 0;
        let partition = (!chosen_by_key).then(|| random.below(u64::from(partitions)) as u32);
        let timestamp = (random.below(4) != 0)
            .then(|| 1_600_000_000_000 + random.below(100_000_000_000) as i64);
        let mut headers = vec![("n".to_owned(), Some(number.to_string().into_bytes()))];
        for name in &["null", "größe", ""][..random.below(4) as usize] {
            let value = (*name != "null").then(|| random.bytes(0, 12));
            headers.push(((*name).to_owned(), value));
        }
        if random.below(10) == 0 {
            headers.clear();
        }
        Self {
            partition,
            timestamp,
            key,
            value,
            headers,
        }
    }

    /// Where Kafka must store this record.
    pub(crate) fn expected_partition(&self, partitions: u32) -> u32 {
        self.partition.unwrap_or_else(|| {
            let key = self
                .key
                .as_deref()
                .expect("a record without a partition has a key");
            (murmur2(key) & 0x7fff_ffff) % partitions
        })
    }

    /// The line that `Oracle.java send` understands.
    pub(crate) fn line(&self) -> String {
        let or_dash = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
        let headers: String = self
            .headers
            .iter()
            .map(|(name, value)| {
                format!(
                    "{};{},",
                    word(Some(name.as_bytes())),
                    word(value.as_deref())
                )
            })
            .collect();
        format!(
            "{} {} {} {} {headers}\n",
            or_dash(self.partition.map(|partition| partition.to_string())),
            or_dash(self.timestamp.map(|timestamp| timestamp.to_string())),
            word(self.key.as_deref()),
            word(self.value.as_deref()),
        )
    }
}

/// Bytes as the oracle writes them: `null` or `=` and hexadecimal digits.
pub(crate) fn word(bytes: Option<&[u8]>) -> String {
    bytes.map_or("null".to_owned(), |bytes| {
        let mut word = String::with_capacity(1 + 2 * bytes.len());
        word.push('=');
        for byte in bytes {
            for digit in [byte >> 4, byte & 15] {
                word.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
            }
        }
        word
    })
}

/// Java's key hash, written again so that the producer's own is not its own judge.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let mut hash = 0x9747_b28c ^ data.len() as u32;
    let mut chunks = data.chunks_exact(4);
    for chunk in &mut chunks {
        let mut k = u32::from_le_bytes(chunk.try_into().expect("four bytes")).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        for (i, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * i);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// A small generator whose numbers follow from its seed.
#[derive(Debug)]
pub(crate) struct Xorshift(u64);

impl Xorshift {
    pub(crate) fn new(seed: u64) -> Self {
        let mut made = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..4 {
            made.next();
        }
        made
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn bytes(&mut self, least: u64, most: u64) -> Vec<u8> {
        let length = least + self.below(most - least + 1);
        (0..length).map(|_| (self.next() >> 32) as u8).collect()
    }

    /// Letters of a small alphabet, which compress.
    fn text(&mut self, least: u64, most: u64) -> Vec<u8> {
        self.bytes(least, most)
            .into_iter()
            .map(|byte| b"abcdefgh"[usize::from(byte % 8)])
            .collect()
    }
}

#[test]
fn the_key_hash_of_the_tests_equals_javas_golden_answers() {
    let golden = include_str!("../golden/partitions.txt");
    for line in golden.lines().filter(|line| line.starts_with('=')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let key = crate::reader::bytes(columns[0]).expect("a key");
        assert_eq!(
            (murmur2(&key) as i32).to_string(),
            columns[1],
            "key {}",
            columns[0]
        );
    }
}
