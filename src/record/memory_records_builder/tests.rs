//! Tests of building, sealing and reading back batches.

use std::sync::Arc;

use parking_lot::Mutex as Plain;

use super::*;
use crate::record::default_record::Record;
use crate::record::memory_records::{MemoryRecords, RecordBatch};
use crate::testing::golden::hex;

mod golden;
mod properties;
#[cfg(feature = "gzip")]
mod splitting;

const T: i64 = 1_700_000_000_000;
const NO_HEADERS: [(&str, Option<&[u8]>); 0] = [];

fn builder(codec: CompressionType) -> MemoryRecordsBuilder {
    let compression = Compression::of(codec).expect("built");
    MemoryRecordsBuilder::new(Vec::with_capacity(4096), 4096, compression, 1.0)
}

fn sealed(builder: MemoryRecordsBuilder) -> SealedRecords {
    builder.seal(&mut CompressorPool::new(), None)
}

fn bytes(sealed: &SealedRecords) -> Vec<u8> {
    let header = sealed.header(ProducerIdAndEpoch::NONE, None, false);
    [&header[..], sealed.body()].concat()
}

fn only_batch(bytes: Vec<u8>) -> RecordBatch {
    let mut batches = MemoryRecords::new(bytes).batches();
    let batch = batches.next().expect("a batch").expect("readable");
    assert!(batches.next().is_none());
    batch.ensure_valid().expect("valid");
    batch
}

fn records(bytes: Vec<u8>) -> Vec<Record> {
    let records = only_batch(bytes).records().expect("decompresses");
    records.map(|record| record.expect("readable")).collect()
}

fn fields(record: &Record) -> (i64, i64, Option<&[u8]>, Option<&[u8]>) {
    let (key, value) = (record.key.as_deref(), record.value.as_deref());
    (record.offset, record.timestamp, key, value)
}

/// Scenario: RF1.
#[test]
fn one_record_makes_javas_bytes() {
    let mut builder = builder(CompressionType::None);
    builder
        .append(T, Some(b"k"), Some(b"v"), &NO_HEADERS)
        .expect("room");
    let expected = hex(concat!(
        "00000000000000000000003affffffff02e99b8dd80000000000000000018bcfe568000000018bcfe56800",
        "ffffffffffffffffffffffffffff0000000110000000026b027600"
    ));
    let bytes = bytes(&sealed(builder));
    assert_eq!(bytes, expected);
    assert_eq!(
        records(bytes).iter().map(fields).collect::<Vec<_>>(),
        [(0, T, Some(&b"k"[..]), Some(&b"v"[..]))]
    );
}

/// The records of the second vector: a null, an empty and a full key, headers, a timestamp that falls.
fn three_records(codec: CompressionType) -> SealedRecords {
    let mut builder = builder(codec);
    let headers = [("h", Some(&b"x"[..])), ("n", None)];
    for (index, append) in [
        builder.append(T, Some(b"k1"), Some(b"v1"), &NO_HEADERS),
        builder.append(T + 5, None, Some(b"v2"), &headers),
        builder.append(T - 3, Some(b""), None, &NO_HEADERS),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(append.ok(), u32::try_from(index).ok());
    }
    sealed(builder)
}

/// Scenario: RF1, RF4.
#[test]
fn a_transactional_batch_makes_javas_bytes() {
    let producer = ProducerIdAndEpoch {
        producer_id: 4242,
        epoch: 7,
    };
    let sealed = three_records(CompressionType::None);
    let header = sealed.header(producer, Some(Sequence(100)), true);
    let bytes = [&header[..], sealed.body()].concat();
    assert_eq!(
        bytes,
        hex(concat!(
            "000000000000000000000053ffffffff02b0eafb3d0010000000020000018bcfe568000000018bcfe56805",
            "00000000000010920007000000640000000314000000046b31047631001e000a0201047632040268027802",
            "6e010c000504000100"
        ))
    );
    let batch = only_batch(bytes.clone());
    let header = *batch.as_default().expect("format 2").header();
    assert_eq!(header.producer, producer);
    assert_eq!((header.base_sequence, header.count), (100, 3));
    assert_eq!(
        header.attributes,
        Attributes::produced(CompressionType::None, true)
    );
    assert_eq!(batch.max_timestamp(), T + 5);
    let read = records(bytes);
    assert_eq!(
        read.iter().map(fields).collect::<Vec<_>>(),
        [
            (0, T, Some(&b"k1"[..]), Some(&b"v1"[..])),
            (1, T + 5, None, Some(&b"v2"[..])),
            (2, T - 3, Some(&b""[..]), None),
        ]
    );
    let headers: Vec<_> = read[1]
        .headers
        .iter()
        .map(|h| (h.key(), h.value()))
        .collect();
    assert_eq!(headers, [("h", Some(&b"x"[..])), ("n", None)]);
}

/// Java: `DefaultRecordBatchTest.testSetProducerIdAndEpoch...` by way of a new header. Scenario: RF5.
#[test]
fn a_new_identity_changes_header_and_checksum_only() {
    for codec in CompressionType::ALL.into_iter().filter(|c| c.is_built()) {
        let sealed = three_records(codec);
        let first = bytes(&sealed);
        let producer = ProducerIdAndEpoch {
            producer_id: 9,
            epoch: 1,
        };
        let header = sealed.header(producer, Some(Sequence(1 << 31)), false);
        let second = [&header[..], sealed.body()].concat();
        only_batch(second.clone());
        let changed: Vec<usize> = (0..first.len())
            .filter(|i| first[*i] != second[*i])
            .collect();
        assert!(
            changed
                .iter()
                .all(|i| (17..21).contains(i) || (43..57).contains(i))
        );
        assert_eq!(records(second.clone()), records(first));
        let batch = only_batch(second);
        let header = batch.as_default().expect("format 2").header();
        assert_eq!((header.producer, header.base_sequence), (producer, 0));
    }
}

/// Java: `MemoryRecordsBuilderTest.testAppendAtInvalidOffset` (timestamps). Scenario: RF4.
#[test]
fn records_without_a_timestamp_are_taken_and_other_negative_ones_refused() {
    let mut builder = builder(CompressionType::None);
    builder
        .append(-1, None, Some(b"v"), &NO_HEADERS)
        .expect("no timestamp");
    let refused = builder.append(-2, None, Some(b"v"), &NO_HEADERS);
    assert_eq!(
        refused.expect_err("negative").to_string(),
        "IllegalArgument: timestamp -2 is negative"
    );
    builder
        .append(i64::MAX, None, None, &NO_HEADERS)
        .expect("the largest");
    let bytes = bytes(&sealed(builder));
    assert_eq!(only_batch(bytes.clone()).max_timestamp(), i64::MAX);
    let read = records(bytes);
    assert_eq!((read[0].timestamp, read[1].timestamp), (-1, i64::MAX));
}

/// Java: `ProducerBatchTest.testShouldNotAttemptAppendOnceRecordsBuilderIsClosedForAppends`. Scenario: PB5.
#[test]
fn a_closed_batch_takes_no_record_though_it_has_room() {
    let mut builder = builder(CompressionType::None);
    builder
        .append(T, None, Some(b"v"), &NO_HEADERS)
        .expect("room");
    assert!(builder.has_room_for(10) && !builder.is_full());
    builder.close_for_record_appends();
    assert!(!builder.has_room_for(10) && builder.is_full());
    let refused = builder.append(T, None, Some(b"v"), &NO_HEADERS);
    assert_eq!(
        refused.expect_err("closed").to_string(),
        "IllegalState: batch is closed for appends"
    );
    assert_eq!(builder.record_count(), 1);
}

#[test]
fn memory_grows_only_by_what_the_caller_gives() {
    let mut builder =
        MemoryRecordsBuilder::new(Vec::with_capacity(16), 4096, Compression::NONE, 1.0);
    builder
        .append(T, Some(b"k"), Some(b"v"), &NO_HEADERS)
        .expect("room");
    let size = builder.size_of_next(T, Some(b"k"), Some(b"v"), &NO_HEADERS);
    assert_eq!(size, 9);
    assert!(builder.has_room_for(size));
    let refused = builder.append(T, Some(b"k"), Some(b"v"), &NO_HEADERS);
    assert_eq!(
        refused.expect_err("no memory").to_string(),
        "IllegalState: record of 9 bytes does not fit into the 7 bytes left of the batch's memory"
    );
    let old = builder.grow_into(Vec::with_capacity(64));
    assert_eq!((old.capacity(), builder.spare_capacity()), (16, 64 - 9));
    builder
        .append(T, Some(b"k"), Some(b"v"), &NO_HEADERS)
        .expect("room");
    assert_eq!(records(bytes(&sealed(builder))).len(), 2);
}

#[test]
fn a_batch_is_full_when_its_size_reaches_the_limit() {
    let mut builder =
        MemoryRecordsBuilder::new(Vec::with_capacity(512), 61 + 18, Compression::NONE, 1.0);
    assert!(builder.has_room_for(1000), "the first record always fits");
    for full in [false, true] {
        let size = builder.size_of_next(T, Some(b"k"), Some(b"v"), &NO_HEADERS);
        assert!(builder.has_room_for(size));
        builder
            .append(T, Some(b"k"), Some(b"v"), &NO_HEADERS)
            .expect("room");
        assert_eq!(builder.is_full(), full);
    }
    assert!(!builder.has_room_for(1));
    assert_eq!(builder.estimated_size(), sealed(builder).size());
}

#[derive(Default)]
struct Lent(Plain<Vec<usize>>);

impl Lender for Lent {
    fn take_back(&self, memory: Vec<u8>) {
        self.0.lock().push(memory.capacity());
    }
}

#[test]
fn the_memory_goes_back_to_its_lender_when_the_last_write_is_done() {
    let lender = Arc::new(Lent::default());
    for codec in CompressionType::ALL.into_iter().filter(|c| c.is_built()) {
        let mut builder = builder(codec);
        builder
            .append(T, None, Some(&[b'v'; 2000]), &NO_HEADERS)
            .expect("room");
        let sealed = builder.seal(&mut CompressorPool::new(), Some(lender.clone()));
        let pending = sealed.body().clone();
        drop(sealed);
        assert!(lender.0.lock().is_empty());
        drop(pending);
        assert_eq!(std::mem::take(&mut *lender.0.lock()), [4096]);
    }
}

#[cfg(feature = "snappy")]
#[test]
fn a_body_that_compression_makes_larger_than_its_memory_gives_that_back_at_once() {
    let lender = Arc::new(Lent::default());
    let compression = Compression::of(CompressionType::Snappy).expect("built");
    let mut builder = MemoryRecordsBuilder::new(Vec::with_capacity(10), 4096, compression, 1.0);
    builder
        .append(T, Some(b"k"), Some(b"v"), &NO_HEADERS)
        .expect("room");
    let sealed = builder.seal(&mut CompressorPool::new(), Some(lender.clone()));
    assert_eq!(*lender.0.lock(), [10]);
    assert!(sealed.compression_ratio() > 1.0);
    assert_eq!(records(bytes(&sealed)).len(), 1);
}

/// Java: `ProducerBatchTest.testSplitPreservesHeaders`, `testSplitPreservesMagicAndCompressionType`. Scenario: PB3.
#[test]
fn a_batch_built_anew_from_sealed_records_keeps_everything() {
    for codec in CompressionType::ALL.into_iter().filter(|c| c.is_built()) {
        let whole = three_records(codec);
        let mut part = builder(codec);
        for record in whole.records().expect("decompresses") {
            let record = record.expect("readable");
            let (key, value) = (record.key.as_deref(), record.value.as_deref());
            part.append(record.timestamp, key, value, &record.headers)
                .expect("room");
        }
        assert_eq!(bytes(&sealed(part)), bytes(&whole));
    }
}
