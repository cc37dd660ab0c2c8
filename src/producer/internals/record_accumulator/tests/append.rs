//! Appending: which batch a record gets into, and what its future says.

use super::*;

/// Java: `RecordAccumulatorTest.testFull`. Scenario: AC1.
#[test]
fn a_batch_is_ready_when_it_is_full_and_the_next_record_opens_another() {
    let mut fixture = Fixture::new(&[1], lingering(1000));
    for _ in 0..8 {
        drop(fixture.append(0, VALUE));
        assert!(fixture.ready_nodes().is_empty());
    }
    // The ninth does not fit into 1024 bytes any more, which closes the first batch.
    drop(fixture.append(0, VALUE));
    assert_eq!(fixture.ready_nodes(), [1]);
    let batches = fixture.drain(1);
    assert_eq!(batches.len(), 1);
    assert_eq!(batches[0].record_count(), 8);
    assert!(batches[0].size_in_bytes() <= 1024);
    assert!(fixture.ready_nodes().is_empty(), "the second one lingers");
    assert!(fixture.accumulator.has_undrained());
}

/// Java: `RecordAccumulatorTest.testAppendLarge`. Scenario: AC2.
#[test]
fn a_record_larger_than_a_batch_gets_one_of_its_own() {
    let mut fixture = Fixture::new(&[1], lingering(1000));
    let large = vec![b'x'; 5000];
    drop(fixture.append(0, b"small"));
    drop(fixture.append(0, &large));
    assert_eq!(fixture.ready_nodes(), [1]);
    let first = fixture.drain(1);
    assert_eq!(values(&first[0]), [b"small".to_vec()]);
    assert_eq!(fixture.ready_nodes(), [1], "it is full and goes at once");
    let second = fixture.drain(1);
    assert_eq!(values(&second[0]), [large]);
    drop((first, second));
    assert_eq!(fixture.available(), 1024 * 1024);
}

/// Java: `RecordAccumulatorTest.testAppendLargeCompressed`. Scenario: AC2.
#[cfg(feature = "gzip")]
#[test]
fn a_large_record_that_is_compressed_gets_a_batch_of_its_own() {
    use crate::record::compression_type::CompressionType;
    let compression = Compression::of(CompressionType::Gzip).expect("the feature is on");
    let mut fixture = Fixture::new(
        &[1],
        AccumulatorConfig {
            compression,
            ..lingering(1000)
        },
    );
    let large = vec![b'x'; 5000];
    drop(fixture.append(0, &large));
    assert_eq!(fixture.ready_nodes(), [1]);
    let batches = fixture.drain(1);
    assert_eq!(values(&batches[0]), [large]);
    assert!(batches[0].size_in_bytes() < 1000);
    drop(batches);
    assert_eq!(fixture.available(), 1024 * 1024);
}

/// Java: `ProducerBatchTest.testShouldNotAttemptAppendOnceRecordsBuilderIsClosedForAppends`. Scenario: PB5.
#[test]
fn a_smaller_record_does_not_slip_into_a_batch_that_was_closed() {
    let mut fixture = Fixture::new(&[1], lingering(1000));
    drop(fixture.append(0, &[b'a'; 700]));
    drop(fixture.append(0, &[b'b'; 700]));
    drop(fixture.append(0, b"c"));
    fixture.ready();
    let first = fixture.drain(1);
    assert_eq!(values(&first[0]), [vec![b'a'; 700]]);
    fixture.pass_ms(1000);
    let second = fixture.pass();
    assert_eq!(values(&second[0]), [vec![b'b'; 700], b"c".to_vec()]);
}

/// Scenario: PB10.
#[test]
fn each_record_of_a_batch_has_its_own_offset() {
    let mut fixture = Fixture::new(&[1], config());
    let futures: Vec<_> = (0..3).map(|_| fixture.append(0, VALUE).future).collect();
    assert!(futures.iter().all(|future| !future.is_done()));
    for batch in fixture.pass() {
        batch.complete(Some(100), None);
    }
    for (n, future) in futures.iter().enumerate() {
        let metadata = future.get().expect("it was written");
        assert_eq!(metadata.offset(), 100 + n as i64);
        assert_eq!(metadata.timestamp(), fixture.time.wall_clock_ms());
        assert_eq!(metadata.serialized_value_size(), Some(100));
        assert_eq!(metadata.serialized_key_size(), None);
        assert_eq!(metadata.to_string(), format!("test-0@{}", 100 + n));
    }
}

/// Scenario: AC29.
#[test]
fn a_closed_accumulator_takes_nothing_and_loses_nothing() {
    let mut fixture = Fixture::new(&[1], lingering(1000));
    let before = fixture.append(0, VALUE);
    fixture.accumulator.close();
    let error = fixture
        .try_append(0, VALUE, Duration::ZERO)
        .expect_err("closed");
    assert_eq!(error.kind(), crate::ErrorKind::Kafka);
    assert!(fixture.accumulator.has_undrained());
    let batches = fixture.pass();
    assert_eq!(batches.len(), 1, "nothing lingers any more");
    batches.into_iter().for_each(complete);
    assert!(before.future.is_done());
    assert!(!fixture.accumulator.has_undrained() && !fixture.accumulator.has_incomplete());
}

#[test]
fn a_partition_that_the_topic_does_not_have_is_refused() {
    let fixture = Fixture::new(&[1], config());
    for number in [-1, 1, i32::MAX] {
        let error = fixture
            .try_append(number, VALUE, Duration::ZERO)
            .expect_err("no partition has that number");
        assert_eq!(error.kind(), crate::ErrorKind::IllegalArgument);
    }
}

#[test]
fn queues_of_high_partition_numbers_are_found_again() {
    let fixture = Fixture::new(&[1], config());
    let topics = &fixture.accumulator.topics;
    let topic = topics.topic(&metadata_of("wide", Vec::new()));
    for number in [0, 15, 16, 47, 48, 9_999] {
        let queue = topics.queue(topic, number).expect("a partition number");
        assert_eq!(queue.topic_partition().partition(), number);
        let again = topics.find("wide").and_then(|topic| topic.find(number));
        assert!(again.is_some_and(|again| Arc::ptr_eq(again, queue)));
    }
    assert_eq!(topic.used_partitions(), 6);
    assert!(topic.find(i32::MAX).is_none() && topic.find(-1).is_none());
    assert!(topics.find("unknown").is_none());
}

#[test]
fn many_topics_share_the_buckets() {
    let fixture = Fixture::new(&[1], config());
    let topics = &fixture.accumulator.topics;
    for n in 0..3000 {
        let metadata = metadata_of(&format!("topic-{n}"), Vec::new());
        topics.queue(topics.topic(&metadata), 0);
    }
    for n in 0..3000 {
        let name = format!("topic-{n}");
        let queue = topics.find(&name).and_then(|topic| topic.find(0));
        assert_eq!(
            queue.map(|queue| queue.topic_partition().topic()),
            Some(&*name)
        );
    }
    assert_eq!(topics.queues().len(), 3000);
}
