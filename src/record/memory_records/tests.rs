//! Tests of reading batches of all formats.

use super::*;
use crate::testing::golden::hex;

const T: i64 = 1_700_000_000_000;

fn only_record(text: &str) -> (RecordBatch, Record) {
    let batch = MemoryRecords::new(hex(text)).batches().next();
    let batch = batch.expect("a batch").expect("readable");
    batch.ensure_valid().expect("valid");
    let record = batch.records().expect("readable").next();
    (batch.clone(), record.expect("a record").expect("readable"))
}

/// Scenario: RF1.
#[test]
fn messages_of_format_0_are_read() {
    let text = "0000000000000000000000101fecd70a0000000000016b0000000176";
    let (batch, record) = only_record(text);
    assert_eq!((batch.magic(), batch.size()), (0, 28));
    assert_eq!(batch.timestamp_type(), None);
    assert_eq!((record.offset, record.timestamp), (0, -1));
    assert_eq!(record.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(record.value.as_deref(), Some(&b"v"[..]));
}

/// Scenario: RF1.
#[test]
fn messages_of_format_1_are_read() {
    let (batch, record) =
        only_record("00000000000000000000001839268c3301000000018bcfe56800000000016b0000000176");
    assert_eq!((batch.magic(), batch.size()), (1, 36));
    assert_eq!((record.offset, record.timestamp), (0, T));
    let (batch, record) =
        only_record("000000000000000300000017c1672ac501000000018bcfe56800ffffffff0000000176");
    assert_eq!(batch.size(), 35);
    assert_eq!((record.offset, record.timestamp), (3, T));
    assert_eq!(record.key, None);
}

#[test]
fn batches_of_several_formats_may_follow_each_other() {
    let formats = [
        "0000000000000000000000101fecd70a0000000000016b0000000176",
        "00000000000000000000001839268c3301000000018bcfe56800000000016b0000000176",
        concat!(
            "00000000000000000000003affffffff02e99b8dd80000000000000000018bcfe568000000018bcfe56800",
            "ffffffffffffffffffffffffffff0000000110000000026b027600"
        ),
    ];
    let records = MemoryRecords::new(hex(&formats.concat()));
    let magics: Vec<i8> = records
        .batches()
        .map(|batch| batch.expect("readable").magic())
        .collect();
    assert_eq!(magics, [0, 1, 2]);
    assert_eq!(records.records().expect("readable").len(), 3);
}

#[test]
fn a_batch_that_is_cut_off_is_left_out() {
    let first = "0000000000000000000000101fecd70a0000000000016b0000000176";
    let records = MemoryRecords::new(hex(&format!("{first}{}", &first[..40])));
    let mut batches = records.batches();
    assert_eq!(batches.by_ref().count(), 1);
    assert_eq!((batches.position(), records.size()), (28, 48));
}

/// Java: `ByteBufferLogInputStreamTest.iteratorRaisesOnTooSmallRecords`, `iteratorRaisesOnInvalidMagic`.
#[test]
fn sizes_and_formats_that_cannot_be_are_errors() {
    for (length, magic, message) in [
        ("00000005", "02", "batch with a length of 5"),
        ("80000000", "02", "batch with a length of -2147483648"),
        ("00000030", "02", "batch with a length of 48"),
        ("0000000d", "00", "batch with a length of 13"),
        ("00000040", "03", "batch with a magic of 3"),
        ("00000040", "ff", "batch with a magic of -1"),
    ] {
        let bytes = hex(&format!("0000000000000000{length}ffffffff{magic}"));
        let mut batches = MemoryRecords::new(bytes).batches();
        let error = batches.next().expect("an error").expect_err("cannot be");
        assert_eq!(error.to_string(), message);
        assert!(batches.next().is_none());
    }
}
