//! Every batch that the real Java client made: ours equal it, and we read it.

use std::collections::HashMap;

use super::*;
use crate::record::record_batch::TimestampType;
use crate::testing::golden::{Xorshift, lines, word};

/// One line of `tests/golden/batches.txt`.
struct Case {
    name: String,
    settings: HashMap<String, String>,
    records: Vec<Input>,
    expected: String,
}

struct Input {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

impl RecordHeader for (String, Option<Vec<u8>>) {
    fn key(&self) -> &str {
        &self.0
    }

    fn value(&self) -> Option<&[u8]> {
        self.1.as_deref()
    }
}

impl Case {
    fn all() -> Vec<Self> {
        lines("batches.txt").into_iter().map(Self::new).collect()
    }

    fn new(line: Vec<String>) -> Self {
        let [name, settings, records, expected] = <[String; 4]>::try_from(line).expect("4 columns");
        let settings = settings
            .split_whitespace()
            .map(|pair| pair.split_once('=').expect("key=value"))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Self {
            name,
            settings,
            records: records.split(' ').flat_map(group).collect(),
            expected,
        }
    }

    fn setting<T: std::str::FromStr>(&self, name: &str, default: T) -> T {
        self.settings.get(name).map_or(default, |value| {
            value.parse().unwrap_or_else(|_| panic!("{name}={value}"))
        })
    }

    fn magic(&self) -> i8 {
        self.setting("magic", 2)
    }

    fn codec(&self) -> CompressionType {
        CompressionType::for_name(&self.setting("codec", "none".to_owned())).expect("a codec")
    }

    fn is_control(&self) -> bool {
        self.settings.contains_key("control")
    }

    /// Our batch from the same records and settings.
    fn build(&self, compressors: &mut CompressorPool) -> Vec<u8> {
        let mut builder = MemoryRecordsBuilder::new(
            Vec::with_capacity(2 << 20),
            1 << 20,
            self.compression(),
            1.0,
        );
        for record in &self.records {
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            let size = builder.size_of_next(record.timestamp, key, value, &record.headers);
            let before = builder.plain_size();
            builder
                .append(record.timestamp, key, value, &record.headers)
                .expect("room");
            assert_eq!(builder.plain_size() - before, size, "{}", self.name);
        }
        let sealed = builder.seal(compressors, None);
        let producer = ProducerIdAndEpoch {
            producer_id: self.setting("pid", -1),
            epoch: self.setting("epoch", -1),
        };
        let sequence = self.setting("seq", -1_i64);
        let sequence = u64::try_from(sequence).ok().map(Sequence);
        let header = sealed.header(producer, sequence, self.setting("txn", false));
        let produced = only_batch([&header[..], sealed.body()].concat());
        let append_time = self
            .settings
            .get("append")
            .map(|_| self.setting("append", 0));
        let appended = produced.as_default().expect("format 2").appended(
            self.setting("base", 0),
            self.setting("leader", -1),
            append_time,
        );
        appended.map(|part| part.to_vec()).concat()
    }

    fn compression(&self) -> Compression {
        let compression = match self.settings.get("level") {
            None => Compression::of(self.codec()),
            Some(_) => Compression::with_level(self.codec(), self.setting("level", 0)),
        };
        compression.expect("built")
    }

    /// What reading Java's bytes must yield.
    fn assert_read(&self, bytes: Vec<u8>) {
        let memory = MemoryRecords::new(bytes);
        let append_time = self
            .settings
            .get("append")
            .map(|_| self.setting("append", 0));
        for batch in memory.batches() {
            let batch = batch.expect("readable");
            batch.ensure_valid().expect("valid");
            assert_eq!(batch.magic(), self.magic(), "{}", self.name);
            let by_broker = batch.timestamp_type() == Some(TimestampType::LogAppendTime);
            assert_eq!(by_broker, append_time.is_some(), "{}", self.name);
        }
        let records = memory.records().expect("readable");
        assert_eq!(records.len(), self.records.len(), "{}", self.name);
        for ((record, input), offset) in records
            .iter()
            .zip(&self.records)
            .zip(self.setting("base", 0_i64)..)
        {
            let timestamp = if self.magic() == 0 {
                -1
            } else {
                append_time.unwrap_or(input.timestamp)
            };
            let expected = (
                offset,
                timestamp,
                input.key.as_deref(),
                input.value.as_deref(),
            );
            assert_eq!(fields(record), expected, "{}", self.name);
            let headers: Vec<_> = record
                .headers
                .iter()
                .map(|h| (h.key(), h.value()))
                .collect();
            let expected: Vec<_> = input.headers.iter().map(|h| (h.key(), h.value())).collect();
            assert_eq!(headers, expected, "{}", self.name);
        }
    }
}

/// `COUNT*TIMESTAMP+STEP|KEY|VALUE|HEADERS`.
fn group(text: &str) -> Vec<Input> {
    let columns: Vec<&str> = text.split('|').collect();
    let (count, times) = columns[0].split_once('*').expect("COUNT*");
    let (timestamp, step) = times.split_once('+').expect("TIMESTAMP+STEP");
    let (timestamp, step): (i64, i64) = (number(timestamp), number(step));
    (0..number(count))
        .map(|index| Input {
            timestamp: timestamp + index * step,
            key: word(columns[1]),
            value: word(columns[2]),
            headers: headers(columns[3]),
        })
        .collect()
}

fn headers(text: &str) -> Vec<(String, Option<Vec<u8>>)> {
    text.split(',')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once(';').expect("NAME;VALUE");
            let key = String::from_utf8(word(key).expect("a name")).expect("UTF-8");
            (key, word(value))
        })
        .collect()
}

fn number(text: &str) -> i64 {
    text.parse().expect("a number")
}

/// As the golden file gives it: a digest where it is long.
fn bytes_or_digest(bytes: &[u8]) -> String {
    if bytes.len() > 9000 {
        return format!("crc32:{}:{:08x}", bytes.len(), crc32fast::hash(bytes));
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A batch with its body decompressed, and without what depends on the compressor: length, checksum.
fn plain(bytes: Vec<u8>) -> (BatchHeader, Vec<u8>) {
    let batch = only_batch(bytes);
    let batch = batch.as_default().expect("format 2");
    let codec = batch.header().attributes.codec().expect("known");
    let body = crate::record::compression::decompress(codec, &batch.body(), DECOMPRESSION_LIMIT);
    (*batch.header(), body.expect("decompresses"))
}

/// Scenario: RF1, RF4.
#[test]
fn uncompressed_batches_equal_javas_byte_for_byte() {
    let mut pool = CompressorPool::new();
    let mut compared = 0;
    for case in Case::all() {
        if case.magic() == 2 && case.codec() == CompressionType::None && !case.is_control() {
            assert_eq!(
                bytes_or_digest(&case.build(&mut pool)),
                case.expected,
                "{}",
                case.name
            );
            compared += 1;
        }
    }
    assert!(compared >= 40, "{compared} cases");
}

/// Scenario: RF6.
#[test]
fn compressed_batches_equal_javas_after_decompression() {
    let mut pool = CompressorPool::new();
    let mut compared = 0;
    for case in Case::all() {
        let codec = case.codec();
        if case.magic() == 2 && codec != CompressionType::None && codec.is_built() {
            assert_eq!(
                plain(case.build(&mut pool)),
                plain(hex(&case.expected)),
                "{}",
                case.name
            );
            compared += 1;
        }
    }
    assert!(
        compared >= 12 || !cfg!(feature = "gzip"),
        "{compared} cases"
    );
}

/// Scenario: RF1, RF7.
#[test]
fn batches_of_java_are_read_in_every_format_and_codec() {
    for case in Case::all() {
        if case.codec().is_built() && !case.is_control() && !case.expected.starts_with("crc32:") {
            case.assert_read(hex(&case.expected));
        }
    }
}

#[test]
fn control_batches_of_java_are_told_apart() {
    let controls: Vec<Case> = Case::all().into_iter().filter(Case::is_control).collect();
    assert_eq!(controls.len(), 2);
    for case in controls {
        let batch = only_batch(hex(&case.expected));
        let header = *batch.as_default().expect("format 2").header();
        assert!(header.attributes.is_control());
        assert_eq!(header.base_offset, 9);
        assert_eq!(header.partition_leader_epoch, 4);
        assert_eq!(batch.last_offset(), 9);
    }
}

/// Scenario: RF2.
#[test]
fn broken_batches_of_java_are_errors_and_never_panics() {
    let mut random = Xorshift(17);
    for case in Case::all() {
        if case.expected.starts_with("crc32:") {
            continue;
        }
        let whole = hex(&case.expected);
        for _ in 0..100 {
            let mut broken = whole.clone();
            broken[random.below(whole.len().min(200))] = random.byte();
            let _ = MemoryRecords::new(broken).records();
        }
    }
}
