//! What the transaction coordinator refuses, repeats and does by itself.

use super::*;

/// Java: `TransactionCoordinatorTest.testRetryInitProducerIdAfterProducerIdRotation` and its neighbours.
#[test]
fn a_new_instance_fences_the_one_before_it() {
    for speaks in BOTH {
        let mut fixture = Fixture::new();
        let first = fixture.producer(speaks);
        let second = fixture.producer(speaks);
        assert_eq!(first.me.producer_id, second.me.producer_id);
        assert!(first.me.epoch < second.me.epoch);
        let fenced = Errors::ProducerFenced.code();
        assert_eq!(fixture.add_partition(first, 0), fenced);
        assert_eq!(fixture.end(first, true).error_code, fenced);
        fixture.join_and_write(second, 0, 0);
        let refused = fixture.write(first, 0, 0);
        assert_eq!(refused.error_code, Errors::InvalidProducerEpoch.code());
    }
}

#[test]
fn a_new_instance_aborts_what_the_one_before_it_left_open() {
    for speaks in BOTH {
        let mut fixture = Fixture::new();
        let first = fixture.producer(speaks);
        fixture.join_and_write(first, 0, 0);
        let answer = fixture.init(None);
        assert_eq!(answer.error_code, Errors::ConcurrentTransactions.code());
        let second = fixture.producer(speaks);
        assert!(second.me.epoch > first.me.epoch + 1, "{second:?}");
        let read = fixture.fetch_committed(0);
        assert_eq!(read.last_stable_offset, 2);
        assert_eq!(fixture.committed(0), 0);
    }
}
