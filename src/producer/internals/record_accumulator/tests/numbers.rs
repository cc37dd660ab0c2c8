//! Numbered batches: who gets which number, and what happens to numbers that are lost.

use super::*;
use crate::common::cluster::Sequence;

/// Java: `SenderTest.testIdempotenceWithMultipleInflights` (the numbers).
#[test]
fn numbers_follow_the_order_of_the_queue() {
    let manager = manager();
    let mut fixture = Fixture::with_manager(&[1], config(), Some(manager));
    let first = {
        drop(fixture.append(0, VALUE));
        fixture.pass().remove(0)
    };
    super::drain::acknowledge(&mut fixture, first);
    for _ in 0..3 {
        drop(fixture.append(0, &[b'v'; 900]));
    }
    fixture.ready();
    let numbers: Vec<_> = (0..3)
        .map(|_| {
            fixture
                .drain(1)
                .remove(0)
                .identity()
                .map(|(_, first)| first)
        })
        .collect();
    assert_eq!(numbers, [1, 2, 3].map(|n| Some(Sequence(n))));
}

#[test]
fn batches_that_start_over_lose_their_numbers_and_keep_their_order() {
    let mut fixture = Fixture::new(&[1], config());
    let identity = ProducerIdAndEpoch {
        producer_id: 7,
        epoch: 0,
    };
    for name in ["0", "1"] {
        drop(fixture.append(0, &[name.as_bytes(), &[b' '; 900]].concat()));
    }
    fixture.ready();
    let drained = [fixture.drain(1), fixture.drain(1)];
    for (n, mut batch) in (0..).zip(drained.into_iter().flatten()) {
        batch.set_identity(identity, Sequence(n));
        fixture.reenqueue(batch);
    }
    drop(fixture.append(0, b"new"));
    let tp = TopicPartition::new(TOPIC, 0);
    let numbered = fixture.drainer.take_numbered(&tp);
    assert_eq!(numbered.len(), 2);
    let unwritten = numbered.into_iter().map(ProducerBatch::into_unwritten);
    let unwritten = unwritten.collect::<Result<_, _>>().expect("none was sent");
    fixture.drainer.put_back_unnumbered(unwritten);
    fixture.pass_ms(100);
    for name in ["0", "1", "new"] {
        let batch = fixture.pass().remove(0);
        assert_eq!(batch.identity(), None);
        assert!(values(&batch)[0].starts_with(name.as_bytes()), "{name}");
    }
}
