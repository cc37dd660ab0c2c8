//! What a warm send costs in memory.

use super::*;

/// Rule 1 of the hot path: byte keys and values, known metadata, no callback.
#[test]
fn a_warm_send_of_bytes_allocates_nothing() {
    let fixture = Fixture::new(&[("batch.size", "2000000"), ("linger.ms", "1000")]);
    fixture.know(1);
    let value = [7_u8; 100];
    let send = || {
        let record = ProducerRecord::new(TOPIC, b"key".as_slice(), value.as_slice());
        fixture.producer.send(record).unwrap()
    };
    // Warm means that the batch's buffer has grown to what it needs: it doubles, and 11,000 of these records are more than half of it.
    for _ in 0..11_000 {
        let _sent = send();
    }
    let measured = allocation_counter::measure(|| {
        for _ in 0..5000 {
            let _sent = send();
        }
    });
    assert_eq!(measured.count_total, 0);
}

/// The other half of the rule: opening a batch allocates, for its buffer, its result and its place in a few lists; filling
/// it does not, so that many records in a batch cost what few do.
#[test]
fn allocations_grow_with_the_batches_and_not_with_their_records() {
    let batches_of = |value: &[u8]| {
        let fixture = Fixture::new(&[("batch.size", "16384"), ("linger.ms", "1000")]);
        fixture.know(1);
        let open = || fixture.producer.inner.accumulator.incomplete().len();
        let mut records = 0_u32;
        let measured = allocation_counter::measure(|| {
            while open() < 64 {
                let record = ProducerRecord::new(TOPIC, b"key".as_slice(), value);
                let _sent = fixture.producer.send(record).unwrap();
                records += 1;
            }
        });
        (records, measured.count_total)
    };
    let (few, for_few) = batches_of(&[7; 1000]);
    let (many, for_many) = batches_of(&[7; 10]);
    assert!(few * 10 < many, "{few} and {many} records in 64 batches");
    assert!(
        for_many <= for_few + 64,
        "{for_few} and {for_many} allocations"
    );
}
