//! Batches that the broker finds too large.

use super::*;
use crate::producer::internals::record_accumulator::tests::drain::acknowledge;

/// Java: `RecordAccumulatorTest.testSplitAndReenqueue`. Scenario: AC21, AC22.
#[test]
fn the_parts_of_a_batch_are_drained_in_order_and_answer_the_old_futures() {
    let mut fixture = Fixture::new(&[1], config());
    let futures: Vec<_> = (0..6_u8)
        .map(|n| fixture.append(0, &[n; 100]).future)
        .collect();
    let big = fixture.pass().remove(0);
    let total = fixture.accumulator.pool().total();
    fixture
        .drainer
        .split_and_reenqueue(big)
        .expect("six records");
    assert_eq!(
        fixture.available(),
        total,
        "parts are not charged to the pool"
    );
    assert!(futures.iter().all(|future| !future.is_done()));
    let mut expected = 0_u8;
    let mut base = 1000;
    let mut parts = 0;
    loop {
        let Some(part) = fixture.pass().pop() else {
            break;
        };
        parts += 1;
        for value in values(&part) {
            assert_eq!(value, [expected; 100]);
            expected += 1;
        }
        let count = i64::from(part.record_count());
        part.complete(Some(base), None);
        base += count;
    }
    assert!(
        parts >= 2 && expected == 6,
        "{parts} parts, {expected} records"
    );
    for (n, future) in (0..).zip(&futures) {
        assert_eq!(future.get().expect("written").offset(), 1000 + n);
    }
    assert!(!fixture.accumulator.has_incomplete());
    assert_eq!(fixture.available(), total);
}

/// Java: `RecordAccumulatorTest.testSplitBatchOffAccumulator`, KAFKA-8350, KAFKA-8202. Scenario: AC25.
#[test]
fn a_limit_below_every_batch_ends_with_single_records_that_fail() {
    let mut fixture = Fixture::new(&[1], config());
    let futures: Vec<_> = (0..8_u8)
        .map(|n| fixture.append(0, &[n; 100]).future)
        .collect();
    let mut rounds = 0;
    let mut failed = 0;
    loop {
        let Some(batch) = fixture.pass().pop() else {
            break;
        };
        rounds += 1;
        assert!(rounds < 100, "splitting must end");
        if let Err(single) = fixture.drainer.split_and_reenqueue(batch) {
            assert_eq!(single.record_count(), 1);
            single.fail(KafkaError::new(
                crate::ErrorKind::RecordTooLarge,
                "too large",
            ));
            failed += 1;
        }
    }
    assert_eq!(failed, 8);
    for future in futures {
        let error = future.get().expect_err("no broker takes it");
        assert_eq!(error.kind(), crate::ErrorKind::RecordTooLarge);
    }
    assert!(!fixture.accumulator.has_incomplete() && !fixture.accumulator.has_undrained());
}

/// Java: `SenderTest.testIdempotentSplitBatchAndSend` (the numbers). Scenario: AC21.
#[test]
fn the_parts_of_a_numbered_batch_share_its_numbers() {
    let mut fixture = Fixture::with_manager(&[1], config(), Some(manager()));
    for n in 0..6_u8 {
        drop(fixture.append(0, &[n; 100]));
    }
    let big = fixture.pass().remove(0);
    let (identity, first) = big.identity().expect("it was drained");
    fixture
        .drainer
        .split_and_reenqueue(big)
        .expect("six records");
    let mut next = first;
    while let Some(part) = fixture.pass().pop() {
        assert_eq!(part.identity(), Some((identity, next)));
        next = next.incremented(part.record_count());
        acknowledge(&mut fixture, part);
    }
    assert_eq!(next, first.incremented(6));
    drop(fixture.append(0, VALUE));
    let after = fixture.pass().remove(0);
    assert_eq!(after.identity(), Some((identity, next)));
}

/// Java: KAFKA-19479. Scenario: AC24.
#[test]
fn a_flush_waits_for_the_parts() {
    let mut fixture = Fixture::new(&[1], config());
    for _ in 0..6 {
        drop(fixture.append(0, VALUE));
    }
    let big = fixture.pass().remove(0);
    let accumulator = Arc::clone(&fixture.accumulator);
    let parts_done = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let flush = scope.spawn(|| {
            assert!(accumulator.await_flush_completion(None));
            parts_done.load(Ordering::SeqCst)
        });
        while !big.is_wanted() {
            std::thread::yield_now();
        }
        fixture
            .drainer
            .split_and_reenqueue(big)
            .expect("six records");
        let mut parts = 0;
        while let Some(part) = fixture.pass().pop() {
            parts += 1;
            parts_done.store(parts, Ordering::SeqCst);
            part.complete(Some(0), None);
        }
        assert_eq!(flush.join().expect("no panic"), parts);
    });
}

/// Java: `ProducerBatchTest.testSplitPreservesHeaders`, `testSplitPreservesMagicAndCompressionType`. Scenario: PB3.
#[test]
fn parts_keep_headers_timestamps_and_codec() {
    use crate::record::compression_type::CompressionType;
    for codec in CompressionType::ALL {
        let Ok(compression) = Compression::of(codec) else {
            continue;
        };
        let mut fixture = Fixture::new(
            &[1],
            AccumulatorConfig {
                compression,
                ..config()
            },
        );
        let topic = fixture.topic();
        for n in 0..6_u8 {
            let headers = [ReadHeader {
                key: format!("h{n}"),
                value: Some(vec![n].into()),
            }];
            let (key, value) = ([n], [n; 100]);
            let record = RecordToAppend::new(i64::from(n), Some(&key), Some(&value), &headers);
            let to = Destination {
                topic: &topic,
                partition: Some(0),
            };
            let now = fixture.now();
            let appended = fixture
                .accumulator
                .append(to, &record, &mut None, now, Duration::ZERO);
            drop(appended.expect("there is memory"));
        }
        let big = fixture.pass().remove(0);
        fixture
            .drainer
            .split_and_reenqueue(big)
            .expect("six records");
        let mut n = 0;
        while let Some(part) = fixture.pass().pop() {
            assert_eq!(part.sealed().expect("drained").codec(), codec);
            for record in part.unsent_records() {
                assert_eq!(record.timestamp, i64::from(n));
                assert_eq!(record.key, Some(vec![n]));
                assert_eq!(record.headers, [(format!("h{n}"), Some(vec![n]))]);
                n += 1;
            }
            part.complete(Some(0), None);
        }
        assert_eq!(n, 6, "{codec:?}");
    }
}

/// Java: `ProducerBatchTest` (callbacks of split batches).
#[test]
fn callbacks_follow_their_records_into_the_parts() {
    let mut fixture = Fixture::new(&[1], config());
    let offsets = Arc::new(Mutex::new(Rank::Leaf, Vec::new()));
    for n in 0..6_u8 {
        let offsets = Arc::clone(&offsets);
        let mut callback: Option<Callback> = Some(Box::new(move |result| {
            offsets.lock().push(result.expect("written").offset());
        }));
        let appended = fixture.append_with(Some(0), &[n; 100], &mut callback, Duration::ZERO);
        drop(appended.expect("there is memory"));
    }
    let big = fixture.pass().remove(0);
    fixture
        .drainer
        .split_and_reenqueue(big)
        .expect("six records");
    let mut base = 0;
    while let Some(part) = fixture.pass().pop() {
        let count = i64::from(part.record_count());
        part.complete(Some(base), None);
        base += count;
    }
    assert_eq!(*offsets.lock(), [0, 1, 2, 3, 4, 5]);
}

/// Java: `RecordAccumulatorTest.testSplitFrequency`. Scenario: AC23.
#[cfg(feature = "gzip")]
#[test]
fn few_batches_are_too_large_whatever_mix_of_values_comes() {
    use crate::record::compression_type::CompressionType;
    let compression = Compression::of(CompressionType::Gzip).expect("the feature is on");
    let mut random = fastrand::Rng::with_seed(11);
    for good_percent in (0..=100).step_by(20) {
        let mut fixture = Fixture::new(
            &[1],
            AccumulatorConfig {
                compression,
                ..lingering(60_000)
            },
        );
        let (mut batches, mut too_large) = (0, 0);
        for _ in 0..2000 {
            let good = random.u8(..100) < good_percent;
            let value: Vec<u8> = (0..100)
                .map(|_| if good { b'a' } else { random.u8(..) })
                .collect();
            drop(fixture.append(0, &value));
            for batch in fixture.pass() {
                batches += 1;
                too_large += usize::from(batch.size_in_bytes() > 1024);
                if batch.size_in_bytes() > 1024 {
                    fixture
                        .drainer
                        .split_and_reenqueue(batch)
                        .expect("many records");
                } else {
                    batch.complete(Some(0), None);
                }
            }
        }
        assert!(
            too_large * 10 < batches,
            "{good_percent} %: {too_large} of {batches}"
        );
    }
}

/// Java: `RecordAccumulatorTest.testSplitBatchOffAccumulator` (the ratio), `testSplitAwareAppend`. Scenario: AC23.
#[cfg(feature = "gzip")]
#[test]
fn a_batch_teaches_its_compression_once_and_a_split_forgets_it() {
    use crate::record::compression_type::CompressionType;
    let compression = Compression::of(CompressionType::Gzip).expect("the feature is on");
    let mut fixture = Fixture::new(
        &[1],
        AccumulatorConfig {
            compression,
            ..config()
        },
    );
    let tp = TopicPartition::new(TOPIC, 0);
    for _ in 0..4 {
        drop(fixture.append(0, VALUE));
    }
    let batch = fixture.pass().remove(0);
    let learnt = fixture.accumulator.ratio_of(&tp);
    assert!(learnt < 1.0, "{learnt}");
    fixture.reenqueue(batch);
    fixture.pass_ms(100);
    let again = fixture.pass().remove(0);
    assert_eq!(fixture.accumulator.ratio_of(&tp), learnt, "nothing new");
    fixture
        .drainer
        .split_and_reenqueue(again)
        .expect("four records");
    assert_eq!(fixture.accumulator.ratio_of(&tp), 1.0, "it was no good");
}
