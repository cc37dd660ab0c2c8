//! The latch of a transactional call: whoever waits hears of the one outcome, however often he asks.

use std::sync::Arc;

use shuttle::thread;

use crate::common::kafka_error::KafkaError;
use crate::common::sync::model::Deadlines;
use crate::common::time::{FOREVER, SystemTime, Time};
use crate::producer::internals::transactional_request_result::{
    Operation, TransactionalRequestResult,
};
use crate::testing::threads::explore;

type Latch = Arc<TransactionalRequestResult>;

fn latch() -> Latch {
    Arc::new(TransactionalRequestResult::new(Operation::Commit))
}

#[test]
fn all_who_wait_for_a_transaction_hear_of_its_one_outcome() {
    explore("transaction latch: wait", Deadlines::NeverPass, || {
        let latch = latch();
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let latch = Arc::clone(&latch);
                let until = SystemTime.now() + FOREVER;
                thread::spawn(move || latch.wait(until).expect("the deadline is far off").is_ok())
            })
            .collect();
        let outcomes = [Ok(()), Err(KafkaError::illegal_state("fenced"))];
        let completing = outcomes.map(|outcome| {
            let latch = Arc::clone(&latch);
            thread::spawn(move || latch.complete(outcome))
        });
        completing.into_iter().for_each(|t| t.join().unwrap());
        let heard: Vec<_> = waiting.into_iter().map(|t| t.join().unwrap()).collect();
        let outcome = latch.collect().expect("complete").is_ok();
        assert!(heard.iter().all(|heard| *heard == outcome), "{heard:?}");
        assert!(latch.is_collected());
    });
}

#[test]
fn a_wait_for_a_transaction_that_ended_early_may_be_repeated() {
    explore("transaction latch: deadline", Deadlines::MayPass, || {
        let latch = latch();
        let waiter = {
            let latch = Arc::clone(&latch);
            thread::spawn(move || {
                let until = SystemTime.now() + FOREVER;
                loop {
                    match latch.wait(until) {
                        Some(outcome) => break outcome.is_ok(),
                        None => assert!(!latch.is_collected(), "nobody knows the outcome"),
                    }
                }
            })
        };
        let completes = {
            let latch = Arc::clone(&latch);
            thread::spawn(move || latch.complete(Ok(())))
        };
        completes.join().unwrap();
        assert!(latch.is_done());
        assert!(waiter.join().unwrap());
        assert!(latch.is_collected());
    });
}
