//! The latch of a batch: whoever waits, by whatever means, hears of the outcome, once.

use std::future::Future;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use shuttle::future::block_on;
use shuttle::thread;

use crate::common::cluster::TopicPartition;
use crate::common::kafka_error::TimeLimit;
use crate::common::process::Process;
use crate::common::sync::model::Deadlines;
use crate::common::time::{FOREVER, SystemTime, Time};
use crate::producer::internals::future_record_metadata::{AppendedRecord, FutureRecordMetadata};
use crate::producer::internals::produce_request_result::{
    BatchOwner, Outcome, Part, ProduceRequestResult,
};
use crate::testing::threads::{Notes, explore};

/// Notes how often it is told that somebody waits.
struct Owner(Notes<()>);

impl BatchOwner for Owner {
    fn somebody_waits(self: Arc<Self>, _: &ProduceRequestResult) {
        self.0.add(());
    }

    fn is_io_thread(&self) -> bool {
        false
    }

    fn process(&self) -> Process {
        Process::current()
    }
}

fn latch(owner: Weak<dyn BatchOwner>) -> Arc<ProduceRequestResult> {
    let partition = TopicPartition::new("orders", 0);
    Arc::new(ProduceRequestResult::new(partition, owner))
}

fn future(result: &Arc<ProduceRequestResult>, index: u32) -> FutureRecordMetadata {
    let record = AppendedRecord {
        index,
        timestamp: 0,
        key_size: -1,
        value_size: 1,
    };
    FutureRecordMetadata::new(Arc::clone(result), record)
}

fn written(base_offset: i64) -> Outcome {
    Outcome::Written {
        base_offset: Some(base_offset),
        log_append_time: None,
    }
}

#[test]
fn threads_and_tasks_that_wait_are_all_told() {
    explore("latch: wait", Deadlines::NeverPass, || {
        let owner = Arc::new(Owner(Notes::new()));
        let as_owner: Arc<dyn BatchOwner> = Arc::clone(&owner) as _;
        let result = latch(Arc::downgrade(&as_owner));
        let waiting: Vec<_> = (0..3)
            .map(|index| {
                let future = future(&result, index);
                thread::spawn(move || {
                    let metadata = if index == 2 {
                        block_on(future)
                    } else {
                        future.get()
                    };
                    assert_eq!(metadata.unwrap().offset(), 10 + i64::from(index));
                })
            })
            .collect();
        let opened = [&result, &result].map(|result| {
            let result = Arc::clone(result);
            thread::spawn(move || result.open(written(10)))
        });
        let opened = opened.map(|thread| thread.join().unwrap());
        assert!(opened[0] != opened[1], "opened once");
        waiting.into_iter().for_each(|t| t.join().unwrap());
        assert!(owner.0.len() <= 1, "the owner is told once");
    });
}

#[test]
fn a_record_is_followed_into_its_part() {
    explore("latch: split", Deadlines::NeverPass, || {
        let nobody = || -> Weak<dyn BatchOwner> { Weak::<Owner>::new() };
        let (whole, first, second) = (latch(nobody()), latch(nobody()), latch(nobody()));
        let parts = [(0, &first), (2, &second)].map(|(first, result)| Part {
            first,
            result: Arc::clone(result),
        });
        let record = future(&whole, 3);
        let waiter = thread::spawn(move || record.get().unwrap().offset());
        let flushed = [&whole, &first, &second].map(Arc::clone);
        let flush = thread::spawn(move || {
            assert!(flushed[0].await_all_dependents(None));
            assert!(flushed.iter().all(|result| result.outcome().is_some()));
        });
        let split = thread::spawn(move || whole.open(Outcome::Split(parts.into())));
        let opened = thread::spawn(move || {
            second.open(written(70));
            first.open(written(50));
        });
        assert_eq!(waiter.join().unwrap(), 71);
        flush.join().unwrap();
        split.join().unwrap();
        opened.join().unwrap();
    });
}

#[test]
fn a_wait_that_ends_early_may_be_repeated() {
    explore("latch: deadline", Deadlines::MayPass, || {
        let result = latch(Weak::<Owner>::new());
        let record = future(&result, 0);
        let waiter = thread::spawn(move || {
            loop {
                match record.get_timeout(FOREVER) {
                    Ok(metadata) => return metadata.offset(),
                    Err(error) => assert_eq!(error.time_limit(), Some(TimeLimit::Call)),
                }
            }
        });
        let watcher = Arc::clone(&result);
        let watcher = thread::spawn(move || watcher.wait(Some(SystemTime.now())).is_some());
        result.open(written(7));
        assert_eq!(waiter.join().unwrap(), 7);
        let _ = watcher.join().unwrap();
        let mut again = Box::pin(future(&result, 1));
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert!(matches!(
            again.as_mut().poll(&mut context),
            Poll::Ready(Ok(_))
        ));
    });
}
