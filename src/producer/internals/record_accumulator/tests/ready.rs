//! Which nodes are ready, and when to look again.

use super::*;

/// Java: `RecordAccumulatorTest.testLinger`. Scenario: AC3.
#[test]
fn a_partial_batch_is_ready_when_it_has_lingered() {
    let mut fixture = Fixture::new(&[1], lingering(10));
    drop(fixture.append(0, b"value"));
    assert!(fixture.ready_nodes().is_empty());
    fixture.pass_ms(9);
    assert!(fixture.ready_nodes().is_empty());
    fixture.pass_ms(1);
    assert_eq!(fixture.ready_nodes(), [1]);
    let batches = fixture.drain(1);
    assert_eq!(values(&batches[0]), [b"value".to_vec()]);
    assert!(fixture.ready_nodes().is_empty());
}

/// Java: `RecordAccumulatorTest.testNextReadyCheckDelay`. Scenario: AC7.
#[test]
fn the_next_check_is_when_the_first_linger_ends() {
    let mut fixture = Fixture::new(&[1, 1, 2], lingering(10));
    assert_eq!(fixture.next_check_ms(), None);
    drop(fixture.append(0, b"value"));
    assert_eq!(fixture.next_check_ms(), Some(10));
    fixture.pass_ms(5);
    drop(fixture.append(2, b"value"));
    assert_eq!(fixture.next_check_ms(), Some(5));
    // A full batch makes the node ready; the lingering ones still tell when to look.
    fixture.fill(1);
    let result = fixture.ready();
    assert_eq!(result.ready_nodes.as_slice(), [NodeId(1)]);
    assert_eq!(fixture.next_check_ms(), Some(5));
}

/// Scenario: AC7.
#[test]
fn batches_whose_linger_ends_closely_together_go_together() {
    let mut fixture = Fixture::new(&[1, 1, 1], lingering(80));
    drop(fixture.append(0, b"value"));
    fixture.ready();
    fixture.pass_ms(10);
    drop(fixture.append(1, b"value"));
    fixture.pass_ms(10);
    drop(fixture.append(2, b"value"));
    fixture.ready();
    fixture.pass_ms(59);
    assert!(fixture.ready_nodes().is_empty(), "not before one is due");
    fixture.pass_ms(1);
    assert_eq!(partitions(&fixture.pass()), [0, 1]);
    fixture.pass_ms(20);
    assert_eq!(partitions(&fixture.pass()), [2]);
}

/// Scenario: AC17 (leader), AC30.
#[test]
fn a_partition_without_a_leader_waits_for_one() {
    let mut fixture = Fixture::new(&[1, 1], config());
    fixture.set_leaders(&[None, Some((1, 0))]);
    drop(fixture.append(0, VALUE));
    let result = fixture.ready();
    assert!(result.ready_nodes.is_empty());
    assert_eq!(result.topics_without_leader, [Arc::from(TOPIC)]);
    assert_eq!(fixture.ready().topics_without_leader, [Arc::from(TOPIC)]);
    fixture.set_leaders(&[Some((2, 1)), Some((1, 0))]);
    let result = fixture.ready();
    assert_eq!(result.ready_nodes.as_slice(), [NodeId(2)]);
    assert!(result.topics_without_leader.is_empty());
}

/// Java: `RecordAccumulatorTest.testDrainOnANodeWhenItCeasesToBeALeader`. Scenario: AC30.
#[test]
fn a_node_that_leads_nothing_any_more_gets_nothing() {
    let mut fixture = Fixture::new(&[1], config());
    drop(fixture.append(0, VALUE));
    assert_eq!(fixture.ready_nodes(), [1]);
    fixture.set_leaders(&[Some((2, 1))]);
    assert_eq!(fixture.ready_nodes(), [2]);
    assert!(fixture.drain(1).is_empty());
    fixture.set_leaders(&[Some((1, 2))]);
    assert_eq!(fixture.ready_nodes(), [1]);
    fixture.set_leaders(&[Some((2, 3))]);
    assert_eq!(fixture.ready_nodes(), [2]);
    assert_eq!(
        fixture.drain(2).len(),
        1,
        "once, wherever it went meanwhile"
    );
    assert!(fixture.drain(1).is_empty());
}

/// Java: `RecordAccumulatorTest.testMutedPartitions`. Scenario: AC17 (mute).
#[test]
fn a_muted_partition_is_neither_ready_nor_drained() {
    let mut fixture = Fixture::new(
        &[1],
        AccumulatorConfig {
            guarantee_message_order: true,
            ..config()
        },
    );
    drop(fixture.append(0, VALUE));
    let first = fixture.pass();
    assert_eq!(first.len(), 1);
    drop(fixture.append(0, VALUE));
    assert!(fixture.pass().is_empty(), "a request is on its way");
    let tp = first[0].topic_partition().clone();
    fixture.drainer.unmute(&tp);
    assert_eq!(fixture.pass().len(), 1);
}

/// Scenario: AC27.
#[test]
fn a_node_is_not_ready_for_a_partition_that_is_held_back() {
    let manager = unready_manager();
    let mut fixture = Fixture::with_manager(&[1, 1], config(), Some(Arc::clone(&manager)));
    drop(fixture.append(0, VALUE));
    assert!(
        fixture.ready_nodes().is_empty(),
        "there is no producer id yet"
    );
    give_identity(&manager);
    assert_eq!(fixture.ready_nodes(), [1]);
    assert_eq!(fixture.drain(1).len(), 1);
}

/// Scenario: AC27.
#[test]
fn every_ready_node_has_something_to_drain() {
    let mut random = fastrand::Rng::with_seed(7);
    let memory = 16 * 1024 * 1024;
    let mut fixture = Fixture::new(
        &[1, 1, 2, 2, 3, 3],
        AccumulatorConfig {
            buffer_memory: memory,
            ..lingering(20)
        },
    );
    let mut in_flight = Vec::new();
    for _ in 0..2000 {
        match random.u8(..6) {
            0..3 => drop(fixture.append(random.i32(0..6), &vec![b'v'; random.usize(..400)])),
            3 => fixture.pass_ms(random.u64(..30)),
            4 if !in_flight.is_empty() => {
                let batch: ProducerBatch = in_flight.swap_remove(random.usize(..in_flight.len()));
                if random.bool() {
                    fixture.reenqueue(batch);
                } else {
                    batch.complete(Some(0), None);
                }
            }
            _ => {
                let leaders: Vec<_> = (0..6)
                    .map(|_| random.bool().then(|| (random.i32(1..=3), 0)))
                    .collect();
                if random.u8(..8) == 0 {
                    fixture.set_leaders(&leaders);
                }
                for node in fixture.ready_nodes() {
                    let batches = fixture.drain(node);
                    assert!(!batches.is_empty(), "node {node} was ready");
                    let mut seen = partitions(&batches);
                    seen.sort_unstable();
                    seen.dedup();
                    assert_eq!(seen.len(), batches.len(), "one batch per partition");
                    in_flight.extend(batches);
                }
            }
        }
    }
    fixture.set_leaders(&[Some((1, 9)); 6]);
    fixture.pass_ms(5000);
    loop {
        let batches = fixture.pass();
        if batches.is_empty() {
            break;
        }
        in_flight.extend(batches);
    }
    in_flight.into_iter().for_each(complete);
    assert!(!fixture.accumulator.has_undrained() && !fixture.accumulator.has_incomplete());
    assert_eq!(fixture.available(), memory);
}
