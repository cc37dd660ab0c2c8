//! What a warm send costs in memory.

use super::*;

/// Rule 1 of the hot path: byte keys and values, known metadata, no callback.
#[test]
fn a_warm_send_of_bytes_allocates_nothing() {
    let fixture = Fixture::new(&[("batch.size", "1000000"), ("linger.ms", "1000")]);
    fixture.know(1);
    let value = [7_u8; 100];
    let send = || {
        let record = ProducerRecord::new(TOPIC, b"key".as_slice(), value.as_slice());
        fixture.producer.send(record).unwrap()
    };
    // Warm means that the batch's buffer has grown to what it needs.
    for _ in 0..5000 {
        let _sent = send();
    }
    let measured = allocation_counter::measure(|| {
        for _ in 0..100 {
            let _sent = send();
        }
    });
    assert_eq!(measured.count_total, 0);
}
