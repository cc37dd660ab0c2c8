//! The queue for buffer memory: first come, first served; nobody is forgotten; nothing leaks.

use std::sync::Arc;
use std::time::Duration;

use shuttle::thread;

use crate::common::sync::model::Deadlines;
use crate::common::time::{FOREVER, SystemTime, Time};
use crate::producer::internals::buffer_pool::{BufferPool, Patience, PooledBuffer};
use crate::testing::threads::sleep::Bell;
use crate::testing::threads::{Notes, explore};

const UNIT: usize = 512;

fn allocate(
    pool: &Arc<BufferPool>,
    units: usize,
    on_wait: &dyn Fn(),
) -> Result<PooledBuffer, crate::KafkaError> {
    let patience = Patience {
        now: SystemTime.now(),
        max_block: FOREVER,
        on_wait,
    };
    pool.allocate(units * UNIT, &patience)
}

fn assert_full(pool: &BufferPool) {
    assert_eq!(pool.available(), pool.total());
    assert_eq!(pool.queued(), 0);
}

#[test]
fn a_small_wish_does_not_overtake_a_large_one() {
    explore("pool: order", Deadlines::NeverPass, || {
        let pool = BufferPool::new(2 * UNIT, 2 * UNIT);
        let held = [allocate(&pool, 1, &|| {}), allocate(&pool, 1, &|| {})];
        let order = Arc::new(Notes::new());
        let queued = Arc::new(Bell::new());
        let wishes: Vec<_> = [2, 1, 1]
            .into_iter()
            .map(|units| {
                let (pool, order) = (Arc::clone(&pool), Arc::clone(&order));
                let joined = Arc::clone(&queued);
                let wish = thread::spawn(move || {
                    let buffer = allocate(&pool, units, &|| joined.ring()).unwrap();
                    order.add(units);
                    drop(buffer);
                });
                // The next one comes when this one stands in the queue.
                queued.wait(None);
                wish
            })
            .collect();
        for buffer in held {
            thread::spawn(move || drop(buffer.unwrap()));
        }
        wishes.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(order.take(), [2, 1, 1]);
        assert_full(&pool);
    });
}

#[test]
fn three_threads_share_what_is_enough_for_one() {
    explore("pool: exhaustion", Deadlines::NeverPass, || {
        let pool = BufferPool::new(2 * UNIT, 2 * UNIT);
        let threads: Vec<_> = [1, 2, 2]
            .into_iter()
            .map(|units| {
                let pool = Arc::clone(&pool);
                thread::spawn(move || {
                    for _ in 0..2 {
                        drop(allocate(&pool, units, &|| {}).unwrap());
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_full(&pool);
    });
}

#[test]
fn whoever_gives_up_leaves_nothing_behind() {
    explore("pool: deadlines", Deadlines::MayPass, || {
        let pool = BufferPool::new(2 * UNIT, 2 * UNIT);
        let held = allocate(&pool, 1, &|| {}).unwrap();
        let threads: Vec<_> = [2, 1, 2, 1]
            .into_iter()
            .map(|units| {
                let pool = Arc::clone(&pool);
                thread::spawn(move || allocate(&pool, units, &|| {}).is_ok())
            })
            .collect();
        drop(held);
        for thread in threads {
            let _ = thread.join().unwrap();
        }
        assert_full(&pool);
    });
}

#[test]
fn a_wish_behind_one_that_gives_up_is_served() {
    explore("pool: leaving", Deadlines::NeverPass, || {
        let pool = BufferPool::new(2 * UNIT, 2 * UNIT);
        let held = allocate(&pool, 1, &|| {}).unwrap();
        let queued = Arc::new(Bell::new());
        // Cannot be served while `held` is held, so it gives up.
        let large = {
            let (pool, joined) = (Arc::clone(&pool), Arc::clone(&queued));
            thread::spawn(move || {
                let patience = Patience {
                    now: SystemTime.now() - Duration::from_secs(3600),
                    max_block: Duration::ZERO,
                    on_wait: &|| joined.ring(),
                };
                assert!(pool.allocate(2 * UNIT, &patience).is_err());
            })
        };
        queued.wait(None);
        let small = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || drop(allocate(&pool, 1, &|| {}).unwrap()))
        };
        small.join().unwrap();
        large.join().unwrap();
        drop(held);
        assert_full(&pool);
    });
}

#[test]
fn closing_the_pool_ends_every_wait() {
    explore("pool: close", Deadlines::NeverPass, || {
        let pool = BufferPool::new(UNIT, UNIT);
        let held = allocate(&pool, 1, &|| {}).unwrap();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let pool = Arc::clone(&pool);
                thread::spawn(move || drop(allocate(&pool, 1, &|| {})))
            })
            .collect();
        let closes = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.close())
        };
        let gives_back = thread::spawn(move || drop(held));
        threads.into_iter().for_each(|t| t.join().unwrap());
        closes.join().unwrap();
        gives_back.join().unwrap();
        assert_full(&pool);
    });
}
