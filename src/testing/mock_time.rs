//! A clock that stands still until a test moves it.
//!
//! Java: `common/utils/MockTime.java`.
//! Differs: never ticks by itself.
//! Threads: any. Locks: none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::common::time::{SystemTime, Time};

/// Time that passes only when a test says so.
#[derive(Debug)]
pub(crate) struct MockTime {
    start: Instant,
    wall_clock_start_ms: i64,
    /// Passed since `start`. A plain count with no partner: `SeqCst` so that no test has to think about it.
    passed_nanos: AtomicU64,
}

impl MockTime {
    /// A clock to be shared between a test and what it tests.
    pub(crate) fn shared() -> Arc<Self> {
        Arc::new(Self {
            start: SystemTime.now(),
            wall_clock_start_ms: 1_700_000_000_000,
            passed_nanos: AtomicU64::new(0),
        })
    }

    /// As [`shared`](Self::shared), but so long ago that every deadline of a test has passed by the real clock: a call that
    /// would wait for one returns at once.
    pub(crate) fn long_ago() -> Arc<Self> {
        let start = SystemTime.now().checked_sub(LONG_AGO);
        Arc::new(Self {
            start: start.expect("the clock can tell times before the machine was started"),
            wall_clock_start_ms: 1_700_000_000_000,
            passed_nanos: AtomicU64::new(0),
        })
    }

    /// Moves both clocks forward. Java: `MockTime.sleep`.
    pub(crate) fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).expect("tests last less than 500 years");
        self.passed_nanos.fetch_add(nanos, Ordering::SeqCst);
    }

    /// Moves both clocks forward until it is this time, unless it is later already.
    #[cfg(not(shuttle))]
    pub(crate) fn advance_to(&self, time: Instant) {
        self.advance(time.saturating_duration_since(self.now()));
    }

    /// What has passed since the test began.
    pub(crate) fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.passed_nanos.load(Ordering::SeqCst))
    }
}

impl Time for MockTime {
    fn now(&self) -> Instant {
        self.start + self.elapsed()
    }

    fn wall_clock_ms(&self) -> i64 {
        let passed = i64::try_from(self.elapsed().as_millis()).expect("fits");
        self.wall_clock_start_ms + passed
    }
}

/// No test's virtual time lasts longer.
const LONG_AGO: Duration = Duration::from_secs(400 * 24 * 3600);
