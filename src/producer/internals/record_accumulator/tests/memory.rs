//! Buffer memory: small beginnings, growth, and what happens when it runs out.

use super::*;

fn small_pool(batches: usize) -> AccumulatorConfig {
    AccumulatorConfig {
        buffer_memory: batches * 1024,
        ..lingering(60_000)
    }
}

#[test]
fn ten_thousand_open_batches_fit_into_the_default_memory() {
    let fixture = Fixture::new(
        &vec![1; 10_000],
        AccumulatorConfig {
            batch_size: 16_384,
            buffer_memory: 32 * 1024 * 1024,
            ..lingering(60_000)
        },
    );
    for partition in 0..10_000 {
        for _ in 0..3 {
            drop(fixture.append(partition, VALUE));
        }
    }
    assert_eq!(fixture.accumulator.incomplete().len(), 10_000);
}

#[test]
fn a_batch_grows_with_its_records_and_the_next_one_starts_as_large() {
    let mut fixture = Fixture::new(&[1], lingering(60_000));
    let total = fixture.available();
    drop(fixture.append(0, VALUE));
    assert_eq!(total - fixture.available(), 256);
    fixture.fill(0);
    fixture.pass().into_iter().for_each(complete);
    // What is left is the batch that the last record opened, still small.
    fixture.fill(0);
    fixture.pass().into_iter().for_each(complete);
    let before = fixture.available();
    fixture
        .drainer
        .abort_undrained()
        .into_iter()
        .for_each(complete);
    drop(fixture.append(0, VALUE));
    assert_eq!(total - fixture.available(), 896, "as large as those before");
    assert!(before < total);
}

#[test]
fn a_batch_behind_a_full_one_starts_as_large_although_nothing_was_drained() {
    let fixture = Fixture::new(&[1], lingering(60_000));
    let total = fixture.available();
    fixture.fill(0);
    drop(fixture.append(0, VALUE));
    assert_eq!(fixture.accumulator.incomplete().len(), 2);
    assert_eq!(total - fixture.available(), 1024 + 896);
}

/// Java: `RecordAccumulatorTest.testSoonToExpire..` none. Scenario: AC31.
#[test]
fn exhausted_memory_makes_every_partition_sendable() {
    let mut fixture = Fixture::new(&[1, 2], small_pool(3));
    fixture.fill(0);
    drop(fixture.append(1, VALUE));
    fixture.ready();
    let accumulator = Arc::clone(&fixture.accumulator);
    let topic = fixture.topic();
    let now = fixture.now();
    std::thread::scope(|scope| {
        let appender = scope.spawn(move || {
            let to = Destination {
                topic: &topic,
                partition: Some(1),
            };
            let record = RecordToAppend::<ReadHeader>::new(0, None, Some(&[b'v'; 1500]), &[]);
            accumulator.append(to, &record, &mut None, now, Duration::from_secs(3600))
        });
        while fixture.accumulator.pool().queued() == 0 {
            std::thread::yield_now();
        }
        assert_eq!(fixture.ready_nodes(), [1, 2]);
        let mut drained = fixture.drain(1);
        drained.extend(fixture.drain(2));
        // A record that joins while the thread looks wakes nobody, so what wakes here is the wait.
        fixture.accumulator.ready.begin_look();
        drained.into_iter().for_each(complete);
        assert!(appender.join().expect("no panic").is_ok());
    });
    assert!(
        fixture.wakes.load(Ordering::SeqCst) > 0,
        "waiting for memory wakes"
    );
}

/// Java: `RecordAccumulatorTest` and `KafkaProducerTest` of max.block.ms. Scenario: BP4.
#[test]
fn a_record_that_finds_no_memory_fails_and_leaves_nothing_behind() {
    let fixture = Fixture::new(&[1], small_pool(1));
    drop(fixture.append(0, &[b'v'; 900]));
    let error = fixture
        .try_append(0, &[b'v'; 900], Duration::ZERO)
        .expect_err("all of it is in use");
    assert_eq!(error.kind(), crate::ErrorKind::BufferExhausted);
    assert_eq!(fixture.accumulator.incomplete().len(), 1);
    let too_large = fixture.try_append(0, &[b'v'; 2000], Duration::ZERO);
    assert_eq!(
        too_large.expect_err("larger than the pool").kind(),
        crate::ErrorKind::IllegalArgument
    );
}

/// Java: `RecordAccumulatorTest` (close while blocked). Scenario: AC29.
#[test]
fn closing_fails_a_thread_that_waits_for_memory() {
    let fixture = Fixture::new(&[1], small_pool(1));
    drop(fixture.append(0, &[b'v'; 900]));
    std::thread::scope(|scope| {
        let blocked =
            scope.spawn(|| fixture.try_append(0, &[b'v'; 900], Duration::from_secs(3600)));
        while fixture.accumulator.pool().queued() == 0 {
            std::thread::yield_now();
        }
        fixture.accumulator.close();
        assert!(blocked.join().expect("no panic").is_err());
    });
}

#[test]
fn a_batch_that_cannot_grow_is_full_and_the_next_one_waits_for_memory() {
    let mut fixture = Fixture::new(
        &[1],
        AccumulatorConfig {
            buffer_memory: 300,
            ..lingering(60_000)
        },
    );
    let fitted = (0..20)
        .take_while(|_| fixture.try_append(0, VALUE, Duration::ZERO).is_ok())
        .count();
    assert_eq!(fitted, 2, "256 bytes of records");
    assert_eq!(
        fixture.ready_nodes(),
        [1],
        "waiting for more would be in vain"
    );
    fixture.pass().into_iter().for_each(complete);
    assert_eq!(fixture.available(), 300);
    drop(fixture.append(0, VALUE));
}

/// A batch that compressed well gives back what it does not need any more while it is on its way.
#[cfg(feature = "gzip")]
#[test]
fn a_compressed_batch_holds_little_memory_and_never_grows_without_bounds() {
    use crate::record::compression_type::CompressionType;
    let compression = Compression::of(CompressionType::Gzip).expect("the feature is on");
    let mut fixture = Fixture::new(
        &[1],
        AccumulatorConfig {
            compression,
            ..lingering(60_000)
        },
    );
    let total = fixture.available();
    let mut in_flight = Vec::new();
    for _ in 0..20_000 {
        drop(fixture.append(0, VALUE));
        // An open batch, one that is full, and what the others need.
        assert!(total - fixture.available() <= 2 * 16 * 1024 + 512 * in_flight.len());
        in_flight.extend(fixture.pass());
    }
    let last = in_flight.last().expect("there were many");
    let plain = last.record_count() as usize * VALUE.len();
    assert!(
        plain > 8 * 1024 && plain <= 16 * 1024,
        "{plain} plain bytes"
    );
    in_flight.into_iter().for_each(complete);
    fixture
        .drainer
        .abort_undrained()
        .into_iter()
        .for_each(complete);
    assert_eq!(fixture.available(), total);
}
