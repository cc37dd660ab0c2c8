//! Records without a key: the sticky partition and the load that decides about the next one.

use super::*;

/// Java: `RecordAccumulatorTest.testUniformBuiltInPartitioner`. Scenario: PT3.
#[test]
fn records_without_a_key_stay_with_a_partition_for_a_batch() {
    let mut fixture = Fixture::new(&[1, 1, 1], lingering(60_000));
    let counts = switches(&mut fixture, 60);
    // The random number is always 0: the first available partition each time, by a choice of its own.
    assert!(counts.iter().all(|(partition, _)| *partition == 0));
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<usize>(), 60);
}

/// Java: `RecordAccumulatorTest.testUniformBuiltInPartitioner` (where it switches). Scenario: PT3.
#[test]
fn the_next_partition_comes_when_this_one_had_a_batch() {
    let fixture = Fixture::new(&[1, 1, 1], lingering(60_000));
    assert_eq!(fixture.append(None, VALUE).partition(), 0);
    RANDOM.set(1);
    for _ in 1..8 {
        assert_eq!(fixture.append(None, VALUE).partition(), 0, "there is room");
    }
    let mut fixture = Fixture::new(&[1, 1, 1], config());
    RANDOM.set(0);
    assert_eq!(fixture.append(None, b"small").partition(), 0);
    fixture.pass().into_iter().for_each(complete);
    for (partition, next) in [(0, 1), (1, 2), (2, 0)] {
        RANDOM.set(next);
        let large = fixture.append(None, &[b'v'; 1000]);
        assert_eq!(large.partition(), partition, "it had its batch");
    }
}

/// Scenario: PT5.
#[test]
fn a_switch_that_was_put_off_is_made_up_for_once_the_queue_is_empty() {
    let mut fixture = Fixture::new(&[1, 1, 1], config());
    for _ in 0..9 {
        assert_eq!(fixture.append(None, VALUE).partition(), 0);
    }
    RANDOM.set(1);
    assert_eq!(
        fixture.append(None, VALUE).partition(),
        0,
        "its batch is open"
    );
    while let Some(batch) = fixture.pass().pop() {
        complete(batch);
    }
    assert_eq!(fixture.append(None, VALUE).partition(), 1);
}

/// Java: `RecordAccumulatorTest.testBuiltInPartitionerFractionalBatches`. Scenario: PT5.
#[test]
fn lingering_leaves_no_small_fractions_of_batches() {
    let mut fixture = Fixture::new(&[1, 1, 1], lingering(10));
    let value = [b'v'; 220];
    let mut sizes = Vec::new();
    for _ in 0..200 {
        // Three records make two thirds of a batch per linger.
        for _ in 0..3 {
            drop(fixture.append(None, &value));
        }
        fixture.pass_ms(10);
        for batch in fixture.pass() {
            sizes.push(batch.size_in_bytes());
            batch.complete(Some(0), None);
        }
    }
    assert!(sizes.len() >= 200);
    assert!(
        sizes.iter().all(|size| *size > 512 && *size <= 1024),
        "{sizes:?}"
    );
}

/// Scenario: PT6.
#[test]
fn only_partitions_with_a_leader_are_chosen() {
    let mut fixture = Fixture::new(&[1, 1, 1], config());
    fixture.set_leaders(&[None, Some((1, 0)), None]);
    for _ in 0..100 {
        assert_eq!(fixture.append(None, VALUE).partition(), 1);
    }
    let mut nowhere = Fixture::new(&[1, 1, 1], config());
    nowhere.set_leaders(&[None, None, None]);
    assert_eq!(nowhere.append(None, VALUE).partition(), 0, "any will do");
}

/// Java: `RecordAccumulatorTest.testAdaptiveBuiltInPartitioner`. Scenario: PT9.
#[test]
fn the_load_counts_once_every_partition_was_used() {
    let fixture = Fixture::new(&[1, 1, 1], lingering(60_000));
    let topic = fixture.topic();
    // The queue of partition 0 is the longest, so it is the least likely: 1 of 1 + 4 + 3.
    fixture.fill(0);
    fixture.fill(0);
    let load = || {
        let topics = &fixture.accumulator.topics;
        fixture
            .accumulator
            .partition_load(topics.topic(&topic), &topic)
    };
    use crate::producer::internals::built_in_partitioner::PartitionLoad;
    assert_eq!(load(), PartitionLoad::Uniform, "1 and 2 were never used");
    for partition in [1, 2] {
        assert_eq!(load(), PartitionLoad::Uniform, "{partition} was never used");
        let topics = &fixture.accumulator.topics;
        topics.queue(topics.topic(&topic), partition);
    }
    let PartitionLoad::Weighted(weights) = load() else {
        panic!("queues of unequal length have weights");
    };
    assert_eq!(weights.len(), 3);
    assert!(weights[0].1 < weights[1].1 - weights[0].1);
}

/// Scenario: PT9.
#[test]
fn each_choice_is_made_by_the_load_of_its_time_unless_loads_do_not_count() {
    for adaptive_partitioning in [true, false] {
        let mut fixture = Fixture::new(
            &[1, 1],
            AccumulatorConfig {
                adaptive_partitioning,
                ..lingering(60_000)
            },
        );
        let topic = fixture.topic();
        drop(fixture.append(1, VALUE));
        fixture.pass_ms(60_000);
        fixture.pass().into_iter().for_each(complete);
        fixture.fill(0);
        fixture.fill(0);
        // The queues have the weights 1 and 3; where they do not count it is one of two.
        RANDOM.set(2);
        let choose = |fixture: &Fixture| {
            let topics = &fixture.accumulator.topics;
            fixture.accumulator.choose(topics.topic(&topic), &topic)
        };
        let expected = i32::from(adaptive_partitioning);
        assert_eq!(choose(&fixture), expected);
        assert_eq!(choose(&fixture), expected);
        fixture.pass_ms(60_000);
        while let Some(batch) = fixture.pass().pop() {
            complete(batch);
        }
        assert_eq!(choose(&fixture), 0, "both are empty");
    }
}

/// Java: `RecordAccumulatorTest.testAdaptiveBuiltInPartitioner` (availability timeout). Scenario: PT10.
#[test]
fn a_node_that_takes_nothing_for_long_is_left_out_even_with_empty_queues() {
    use crate::producer::internals::built_in_partitioner::PartitionLoad;
    let fixture = Fixture::new(
        &[1, 2],
        AccumulatorConfig {
            availability_timeout: Duration::from_millis(50),
            ..lingering(60_000)
        },
    );
    let topic = fixture.topic();
    let topics = &fixture.accumulator.topics;
    for partition in 0..2 {
        topics.queue(topics.topic(&topic), partition);
    }
    let load = || {
        fixture
            .accumulator
            .partition_load(topics.topic(&topic), &topic)
    };
    let note = |node, can_drain| {
        let now = fixture.now();
        fixture
            .accumulator
            .update_node_latency_stats(NodeId(node), now, can_drain);
    };
    note(1, true);
    note(2, true);
    assert_eq!(load(), PartitionLoad::Uniform);
    fixture.pass_ms(51);
    note(1, true);
    note(2, false);
    assert_eq!(load(), PartitionLoad::Weighted(vec![(0, 1)]));
    assert_eq!(fixture.append(None, VALUE).partition(), 0);
    note(1, false);
    fixture.pass_ms(51);
    note(1, false);
    assert_eq!(
        load(),
        PartitionLoad::Uniform,
        "with all left out any may be chosen"
    );
}

/// Java: `RecordAccumulatorTest` of KAFKA-18010 (queues added while statistics are taken). Scenario: PT11.
#[test]
fn partitions_may_appear_while_the_load_is_taken() {
    let fixture = Fixture::new(&[1; 64], lingering(60_000));
    let topic = fixture.topic();
    std::thread::scope(|scope| {
        let (topics, topic) = (&fixture.accumulator.topics, &topic);
        scope.spawn(move || {
            for number in 0..64 {
                topics.queue(topics.topic(topic), number);
            }
        });
        for _ in 0..1000 {
            let chosen = fixture.accumulator.choose(topics.topic(topic), topic);
            assert!((0..64).contains(&chosen));
        }
    });
}

/// Runs of records on one partition, as (partition, count).
fn switches(fixture: &mut Fixture, records: usize) -> Vec<(i32, usize)> {
    let mut runs: Vec<(i32, usize)> = Vec::new();
    for _ in 0..records {
        let partition = fixture.append(None, VALUE).partition();
        match runs.last_mut() {
            Some((last, count)) if *last == partition => *count += 1,
            _ => runs.push((partition, 1)),
        }
    }
    runs
}
