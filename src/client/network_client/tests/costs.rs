//! What a poll costs when there is little to do.

use super::*;

/// Java: none.
#[test]
fn a_poll_that_brings_nothing_allocates_nothing() {
    let mut fixture = Fixture::new(3);
    for id in 0..3 {
        fixture.connect(id);
    }
    for id in 0..3 {
        fixture.send(id);
    }
    fixture.sent();
    fixture.poll(ms(1));
    let broker = node(0);
    let mut responses = Vec::new();
    let allocations = allocation_counter::measure(|| {
        for _ in 0..100 {
            let now = fixture.now();
            let polled = fixture.client.poll(ms(1), now, &mut responses);
            polled.expect("open");
            assert!(fixture.client.is_ready(&broker, now));
        }
    });
    assert_eq!(responses.len(), 0);
    assert_eq!(allocations.count_total, 0);
}
