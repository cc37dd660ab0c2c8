//! The sleep of the I/O thread: work that was announced is seen, however the announcement meets the falling asleep.

use std::sync::Arc;

use shuttle::thread;

use crate::common::sync::model::Deadlines;
use crate::common::sync::{Condvar, Mutex, Rank};
use crate::network::selector_waker::SelectorWaker;
use crate::testing::threads::explore;

/// What the operating system's poller does with a wake-up: remembers it until somebody waits.
#[derive(Debug)]
pub(crate) struct Bell {
    rung: Mutex<bool>,
    condition: Condvar,
}

impl Bell {
    pub(crate) fn new() -> Self {
        Self {
            rung: Mutex::new(Rank::Leaf, false),
            condition: Condvar::new(),
        }
    }

    pub(crate) fn ring(&self) {
        *self.rung.lock() = true;
        self.condition.notify_one();
    }

    /// Waits for the bell, or until the deadline passes where the scenario has it so. Returns whether the bell rang.
    pub(crate) fn wait(&self, deadline: Option<std::time::Instant>) -> bool {
        let mut rung = self.rung.lock();
        while !*rung {
            match deadline {
                None => self.condition.wait(&mut rung),
                Some(deadline) => {
                    if self.condition.wait_until(&mut rung, deadline) {
                        break;
                    }
                }
            }
        }
        std::mem::take(&mut *rung)
    }
}

#[test]
fn a_sleeper_sees_all_work_that_was_announced() {
    explore("sleep", Deadlines::NeverPass, || {
        let bell = Arc::new(Bell::new());
        let rings = Arc::clone(&bell);
        let waker = Arc::new(SelectorWaker::new(move || rings.ring()));
        let work = Arc::new(Mutex::new(Rank::Leaf, 0));
        let announcers: Vec<_> = (0..3)
            .map(|_| {
                let (work, waker) = (Arc::clone(&work), Arc::clone(&waker));
                thread::spawn(move || {
                    *work.lock() += 1;
                    waker.wakeup();
                })
            })
            .collect();
        let mut seen = 0;
        while seen < 3 {
            seen += std::mem::take(&mut *work.lock());
            if waker.begin_sleep() && seen < 3 {
                bell.wait(None);
            }
            waker.end_sleep();
        }
        announcers.into_iter().for_each(|t| t.join().unwrap());
    });
}
