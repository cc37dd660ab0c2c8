//! How often batches become larger than they should be, since the size of compressed ones is a guess.

use std::sync::Arc;

use super::*;
use crate::record::compression_ratio_estimator::CompressionRatioEstimator;
use crate::testing::golden::Xorshift;

const BATCH_SIZE: usize = 1024;
const VALUE_SIZE: usize = 128;

/// Fills batches as the accumulator does; the share of those that became too large and would be split.
fn split_share(codec: CompressionType, well_compressible_of_100: usize) -> f64 {
    let estimator = CompressionRatioEstimator::new();
    let topic: Arc<str> = "orders".into();
    let mut pool = CompressorPool::new();
    let mut random = Xorshift(7);
    let (mut batches, mut splits) = (0.0, 0.0);
    let compression = Compression::of(codec).expect("built");
    while batches < 300.0 {
        let ratio = estimator.estimation(&topic, codec);
        let mut builder =
            MemoryRecordsBuilder::new(Vec::with_capacity(1 << 20), BATCH_SIZE, compression, ratio);
        loop {
            let value = if random.below(100) < well_compressible_of_100 {
                vec![b'v'; VALUE_SIZE]
            } else {
                random.bytes(VALUE_SIZE)
            };
            let size = builder.size_of_next(T, None, Some(&value), &NO_HEADERS);
            if !builder.has_room_for(size) || builder.spare_capacity() < size {
                break;
            }
            builder
                .append(T, None, Some(&value), &NO_HEADERS)
                .expect("room");
        }
        let sealed = builder.seal(&mut pool, None);
        batches += 1.0;
        estimator.update(&topic, codec, sealed.compression_ratio());
        if sealed.size() > BATCH_SIZE && sealed.record_count() > 1 {
            splits += 1.0;
            estimator.set_after_split(&topic, codec, sealed.compression_ratio());
        }
    }
    splits / batches
}

/// Java: `RecordAccumulatorTest.testSplitFrequency`. Scenario: AC23.
#[test]
fn fewer_than_a_tenth_of_the_batches_need_a_split() {
    for well_compressible in (0..=100).step_by(10) {
        let share = split_share(CompressionType::Gzip, well_compressible);
        assert!(
            share < 0.1,
            "{share} of the batches at {well_compressible} %"
        );
    }
}
