//! The buffer pool: reuse, balance, order among waiters, deadlines, closing.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::common::kafka_error::TimeLimit;
use crate::common::payload::Payload;
use crate::common::time::{SystemTime, Time};

const KIB: usize = 1024;

/// Calls `on_wait` when it has to wait, for as long as it takes.
fn patient(on_wait: &dyn Fn()) -> Patience<'_> {
    Patience {
        now: SystemTime.now(),
        max_block: Duration::from_secs(3600),
        on_wait,
    }
}

fn impatient() -> Patience<'static> {
    Patience {
        now: SystemTime.now(),
        max_block: Duration::ZERO,
        on_wait: &|| {},
    }
}

fn waiter() -> Arc<Condvar> {
    Arc::new(Condvar::new())
}

/// Java: `BufferPoolTest.testSimple`. Scenario: BP1.
#[test]
fn a_buffer_of_a_class_is_used_again_and_the_balance_is_exact() {
    let pool = BufferPool::new(64 * KIB, KIB);
    let buffer = pool.allocate(KIB, &impatient()).expect("there is room");
    assert_eq!((buffer.capacity(), pool.available()), (KIB, 63 * KIB));
    let address = buffer.memory.as_ptr();
    drop(buffer);
    assert_eq!(pool.available(), 64 * KIB);
    let again = pool.try_allocate(KIB - 100).expect("there is room");
    assert_eq!((again.capacity(), again.memory.as_ptr()), (KIB, address));
    let large = pool.try_allocate(2 * KIB + 1).expect("there is room");
    assert_eq!(large.capacity(), 2 * KIB + 1);
    assert_eq!(pool.available(), 64 * KIB - KIB - (2 * KIB + 1));
    drop((again, large));
    assert_eq!(pool.available(), 64 * KIB);
}

/// Scenario: BP1.
#[test]
fn buffers_kept_for_reuse_make_way_for_other_sizes() {
    let mut core = Core::new(4 * KIB, KIB);
    for _ in 0..4 {
        assert!(core.take(KIB).expect("there is room").is_none());
    }
    assert!(core.take(512).is_none());
    for _ in 0..4 {
        core.give_back(KIB, Some(Vec::with_capacity(KIB)));
    }
    assert!(core.take(4 * KIB).expect("all of it is free").is_none());
    core.give_back(4 * KIB, None);
    assert!(
        core.take(KIB).expect("there is room").is_none(),
        "none is left to reuse"
    );
}

/// Java: `BufferPoolTest.testCantAllocateMoreMemoryThanWeHave`. Scenario: BP2.
#[test]
fn a_buffer_larger_than_the_pool_is_refused_at_once() {
    let pool = BufferPool::new(KIB, 512);
    let error = pool.allocate(KIB + 1, &impatient()).expect_err("too large");
    assert_eq!(error.kind(), ErrorKind::IllegalArgument);
    assert_eq!(
        error.message(),
        "a buffer of 1025 bytes is larger than buffer.memory 1024"
    );
    assert!(pool.try_allocate(KIB + 1).is_none());
    drop(pool.allocate(KIB, &impatient()).expect("all of it"));
}

/// Java: `BufferPoolTest.testDelayedAllocation`. Scenario: BP3.
#[test]
fn waiters_are_served_in_the_order_they_came() {
    let mut core = Core::new(2 * KIB, KIB);
    core.take(2 * KIB).expect("all of it");
    let first = core.join_queue(KIB, waiter());
    let second = core.join_queue(512, waiter());
    core.give_back(512, None);
    core.serve_waiters();
    assert!(core.collect(first).is_none(), "half is there");
    assert!(
        core.collect(second).is_none(),
        "it would fit, but it is not its turn"
    );
    core.give_back(512, None);
    core.serve_waiters();
    assert!(core.collect(first).is_some());
    core.give_back(KIB, None);
    core.serve_waiters();
    assert!(core.collect(second).is_some());
    assert_eq!((core.queued(), core.available()), (0, 512));
}

/// Scenario: BP9.
#[test]
fn newcomers_do_not_overtake_who_waits_for_much() {
    let mut core = Core::new(4 * KIB, KIB);
    core.take(4 * KIB).expect("all of it");
    let large = core.join_queue(3 * KIB, waiter());
    for _ in 0..6 {
        core.give_back(512, None);
        core.serve_waiters();
        assert!(core.take(512).is_none(), "a newcomer queues behind");
    }
    assert!(core.collect(large).is_some());
}

/// Scenario: BP3.
#[test]
fn who_waited_gets_a_used_buffer_of_the_right_size_or_none() {
    let mut core = Core::new(2 * KIB, KIB);
    core.take(2 * KIB).expect("all of it");
    let waiting = core.join_queue(KIB, waiter());
    core.give_back(KIB, Some(Vec::with_capacity(KIB)));
    core.serve_waiters();
    let whole = core.collect(waiting).expect("served");
    assert_eq!(whole.map(|memory| memory.capacity()), Some(KIB));
    let waiting = core.join_queue(KIB, waiter());
    for _ in 0..2 {
        core.give_back(512, Some(Vec::with_capacity(512)));
        core.serve_waiters();
    }
    let pieces = core.collect(waiting).expect("served");
    assert_eq!(pieces, None, "two halves are no buffer");
    assert_eq!(core.available(), 0);
}

/// Java: `BufferPoolTest.testBlockTimeout`. Scenario: BP4.
#[test]
fn a_deadline_returns_what_was_put_aside() {
    let pool = BufferPool::new(KIB, 512);
    let half = pool.allocate(512, &impatient()).expect("there is room");
    let error = pool.allocate(KIB, &impatient()).expect_err("half is gone");
    assert_eq!(error.kind(), ErrorKind::BufferExhausted);
    assert_eq!(error.time_limit(), Some(TimeLimit::MaxBlock));
    assert!(error.is_retriable());
    assert_eq!((pool.queued(), pool.available()), (0, 512));
    drop(half);
    assert_eq!(pool.available(), KIB);
}

/// Java: `BufferPoolTest.testCleanupMemoryAvailabilityWaiterOnBlockTimeout`. Scenario: BP4, BP5.
#[test]
fn what_a_waiter_gives_up_goes_to_the_next_one() {
    let mut core = Core::new(2 * KIB, KIB);
    core.take(2 * KIB).expect("all of it");
    let large = core.join_queue(2 * KIB, waiter());
    let small = core.join_queue(KIB, waiter());
    core.give_back(KIB, None);
    core.serve_waiters();
    assert!(
        core.collect(small).is_none(),
        "it was put aside for the large one"
    );
    core.leave_queue(large);
    assert!(core.collect(small).is_some());
    core.give_back(KIB, None);
    assert_eq!(core.available(), KIB);
}

/// Scenario: BP4.
#[test]
fn memory_that_comes_at_the_last_moment_counts() {
    let pool = BufferPool::new(KIB, KIB);
    let all = std::cell::Cell::new(Some(pool.try_allocate(KIB).expect("all of it")));
    // Freed between joining the queue and the look at a deadline that has passed already.
    let patience = Patience {
        now: SystemTime.now(),
        max_block: Duration::ZERO,
        on_wait: &|| drop(all.take()),
    };
    assert!(pool.allocate(KIB, &patience).is_ok());
    assert_eq!(pool.available(), KIB);
}

/// Java: `BufferPoolTest.outOfMemoryOnAllocation`. Scenario: BP5.
#[test]
fn memory_that_the_system_does_not_give_is_not_charged() {
    let pool = BufferPool::new(usize::MAX, KIB);
    let error = pool
        .allocate(1 << 60, &impatient())
        .expect_err("no machine has it");
    assert_eq!(error.kind(), ErrorKind::BufferExhausted);
    assert_eq!(pool.available(), usize::MAX);
}

/// Java: `BufferPoolTest.testBufferPoolOverflow` (pools beyond 2 GiB). Scenario: BP6.
#[test]
fn a_pool_beyond_two_gibibytes_counts_right() {
    let total = 10 * KIB * KIB * KIB;
    let mut core = Core::new(total, 16 * KIB);
    core.take(3 * KIB * KIB * KIB).expect("there is room");
    core.take(4 * KIB * KIB * KIB).expect("there is room");
    assert_eq!(core.available(), 3 * KIB * KIB * KIB);
    assert!(core.take(3 * KIB * KIB * KIB + 1).is_none());
}

/// Java: `BufferPoolTest.testCloseAllocations`, `testCloseNotifyWaiters`. Scenario: BP7.
#[test]
fn closing_fails_those_who_wait_and_takes_memory_back() {
    let pool = BufferPool::new(KIB, KIB);
    let all = pool.try_allocate(KIB).expect("all of it");
    let error = pool
        .allocate(512, &patient(&|| pool.close()))
        .expect_err("closed while it waited");
    assert!(error.message().contains("closed"), "{error}");
    assert!(pool.allocate(1, &impatient()).is_err());
    assert!(pool.try_allocate(1).is_none());
    drop(all);
    assert_eq!((pool.available(), pool.queued()), (KIB, 0));
}

/// Scenario: BP7.
#[test]
fn closing_takes_back_what_was_granted_but_not_collected() {
    let mut core = Core::new(KIB, KIB);
    core.take(KIB).expect("all of it");
    let waiting = core.join_queue(KIB, waiter());
    core.give_back(KIB, Some(Vec::with_capacity(KIB)));
    core.serve_waiters();
    core.close();
    core.leave_queue(waiting);
    assert_eq!(core.available(), KIB);
}

/// Scenario: BP3.
#[test]
fn a_thread_that_waits_is_counted_and_served() {
    let pool = BufferPool::new(KIB, KIB);
    let mut all = pool.try_allocate(KIB);
    let waits = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let on_wait = || waits.store(true, Ordering::SeqCst);
        let waiting = scope.spawn({
            let pool = &pool;
            move || {
                let patience = patient(&on_wait);
                pool.allocate(KIB, &patience)
                    .map(|buffer| buffer.capacity())
            }
        });
        while pool.queued() == 0 {
            std::thread::yield_now();
        }
        all.take();
        assert_eq!(waiting.join().expect("no panic").expect("served"), KIB);
    });
    assert!(waits.load(Ordering::SeqCst));
    assert_eq!((pool.queued(), pool.available()), (0, KIB));
}

/// Scenario: BP10.
#[test]
fn the_last_owner_of_a_sealed_body_credits_the_pool() {
    let pool = BufferPool::new(KIB, KIB);
    let mut memory = pool.try_allocate(KIB).expect("all of it").into_memory();
    memory.extend_from_slice(b"a body");
    let body = Payload::lent(memory, pool.clone());
    let pending_write = body.clone();
    drop(body);
    assert_eq!(pool.available(), 0, "the write may still read it");
    drop(pending_write);
    assert_eq!(pool.available(), KIB);
}

/// Java: `BufferPoolTest.testStressfulSituation`. Scenario: BP8.
#[test]
fn many_threads_never_hold_more_than_there_is() {
    let pool = BufferPool::new(8 * KIB, KIB);
    std::thread::scope(|scope| {
        for seed in 0..8_u64 {
            let pool = &pool;
            scope.spawn(move || {
                let mut random = fastrand::Rng::with_seed(seed);
                for _ in 0..2000 {
                    let size = random.usize(1..2 * KIB);
                    let buffer = pool.allocate(size, &patient(&|| {})).expect("served");
                    assert!(buffer.capacity() >= size);
                    assert!(pool.available() <= 8 * KIB);
                }
            });
        }
    });
    assert_eq!((pool.available(), pool.queued()), (8 * KIB, 0));
}

#[test]
fn a_buffer_at_hand_serves_for_a_little_less() {
    let mut core = Core::new(16 * KIB, 16 * KIB);
    let lent = core.class_size(2400);
    assert_eq!(lent, 2560);
    assert!(core.take(lent).is_some());
    core.give_back(lent, Some(Vec::with_capacity(lent)));
    assert_eq!(core.class_size(2100), 2560, "there is one");
    assert_eq!(core.class_size(2000), 2048, "too much would lie idle");
    assert!(core.take(2560).expect("free").is_some());
    assert_eq!(core.class_size(2100), 2304, "there is none any more");
}

#[test]
fn few_outgrown_buffers_are_kept() {
    let mut core = Core::new(1024 * KIB, 16 * KIB);
    for _ in 0..200 {
        assert!(core.take(KIB).is_some());
    }
    for _ in 0..200 {
        core.outgrown(KIB, Vec::with_capacity(KIB));
    }
    assert_eq!(core.available(), 1024 * KIB);
    let again = (0..200).filter(|_| core.take(KIB).expect("free").is_some());
    assert_eq!(again.count(), 64);
}
