//! Random records: what goes in comes out, sizes are what they say, and broken bytes are errors.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::testing::golden::Xorshift;

type Header = (String, Option<Vec<u8>>);
type Input = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<Header>);

fn input() -> impl Strategy<Value = Input> {
    let timestamp = prop_oneof![Just(-1), 0..=i64::MAX, T - 1000..T + 1000];
    let bytes = || option::of(vec(any::<u8>(), 0..300));
    let headers = vec((".{0,12}", option::of(vec(any::<u8>(), 0..20))), 0..4);
    (timestamp, bytes(), bytes(), headers)
}

fn build(codec: CompressionType, inputs: &[Input]) -> SealedRecords {
    let compression = Compression::of(codec).expect("built");
    let mut builder = MemoryRecordsBuilder::new(Vec::new(), 1 << 20, compression, 1.0);
    for (timestamp, key, value, headers) in inputs {
        let (key, value) = (key.as_deref(), value.as_deref());
        let size = builder.size_of_next(*timestamp, key, value, headers);
        assert!(
            RECORD_BATCH_OVERHEAD + size
                <= estimate_size_upper_bound(&RecordToAppend::new(0, key, value, headers))
        );
        let before = builder.plain_size();
        let old = builder.grow_into(Vec::with_capacity(before + size));
        assert_eq!(old.len(), before);
        builder
            .append(*timestamp, key, value, headers)
            .expect("room");
        assert_eq!(builder.plain_size() - before, size);
    }
    sealed(builder)
}

fn assert_reads_back(read: &[Record], inputs: &[Input]) {
    assert_eq!(read.len(), inputs.len());
    for ((record, offset), (timestamp, key, value, headers)) in read.iter().zip(0..).zip(inputs) {
        let expected = (offset, *timestamp, key.as_deref(), value.as_deref());
        assert_eq!(fields(record), expected);
        let read = record.headers.iter().map(|h| (h.key(), h.value()));
        assert!(read.eq(headers.iter().map(|h| (h.key(), h.value()))));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Java: `DefaultRecordTest.testBasicSerde`. Scenario: RF3, RF6.
    #[test]
    fn random_records_come_back_in_every_codec(inputs in vec(input(), 1..20)) {
        for codec in CompressionType::ALL.into_iter().filter(|codec| codec.is_built()) {
            let sealed = build(codec, &inputs);
            assert_reads_back(&records(bytes(&sealed)), &inputs);
            let again: Result<Vec<Record>, _> = sealed.records().expect("decompresses").collect();
            assert_reads_back(&again.expect("readable"), &inputs);
        }
    }
}

/// Scenario: RF3.
#[test]
fn the_upper_bound_of_javas_example_is_javas() {
    assert_eq!(
        estimate_size_upper_bound(&RecordToAppend::new(0, Some(b"k"), Some(b"v"), &NO_HEADERS)),
        87
    );
}

fn read_all(bytes: Vec<u8>) {
    for batch in MemoryRecords::new(bytes).batches() {
        let Ok(batch) = batch else { return };
        let _ = batch.ensure_valid();
        if let Ok(records) = batch.records_within(1 << 20) {
            records.for_each(drop);
        }
    }
}

/// Scenario: RF2.
#[test]
fn broken_batches_are_errors_and_never_panics() {
    let mut random = Xorshift(20_240_229);
    for codec in CompressionType::ALL
        .into_iter()
        .filter(|codec| codec.is_built())
    {
        let whole = bytes(&three_records(codec));
        for length in 0..whole.len() {
            assert!(
                MemoryRecords::new(whole[..length].to_vec())
                    .batches()
                    .next()
                    .is_none()
            );
        }
        for _ in 0..3000 {
            let mut broken = whole.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(broken.len());
                broken[at] = random.byte();
            }
            read_all(broken);
        }
    }
}

/// Scenario: RF2.
#[test]
fn a_flipped_bit_behind_the_leader_epoch_is_noticed() {
    let whole = bytes(&three_records(CompressionType::None));
    for at in 17..whole.len() {
        let mut broken = whole.clone();
        broken[at] ^= 1;
        let batch = MemoryRecords::new(broken).batches().next();
        let batch = batch.expect("a batch").expect("its size is right");
        assert!(batch.ensure_valid().is_err(), "{at}");
    }
}
