//! The only clock reads of the crate.
//!
//! Java: `common/utils/Time.java`, `common/utils/SystemTime.java`.
//! Differs: two clocks with two types, so that a record's timestamp can never be compared with a deadline.
//! Threads: any. Locks: none.

use std::fmt;
use std::time::{Duration, Instant, SystemTime as WallClock, UNIX_EPOCH};

/// Where a shell gets the time from; cores are told the time as an argument.
pub(crate) trait Time: Send + Sync + fmt::Debug {
    /// Monotonic time: deadlines, back-off, linger.
    fn now(&self) -> Instant;

    /// Milliseconds since the epoch: record timestamps and nothing else.
    fn wall_clock_ms(&self) -> i64;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SystemTime;

impl Time for SystemTime {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    fn now(&self) -> Instant {
        Instant::now()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    fn wall_clock_ms(&self) -> i64 {
        // A clock before 1970 is a broken clock; 0 is a legal timestamp, a panic is not.
        let since_epoch = WallClock::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }
}

/// `now + wait`, or "never" (about thirty years on) where the sum does not fit.
pub(crate) fn deadline(now: Instant, wait: Duration) -> Instant {
    now.checked_add(wait).unwrap_or_else(|| now + FOREVER)
}

/// The earlier of two times, where nothing stands for never.
pub(crate) fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Long enough that nobody waits it out, short enough that adding it to an `Instant` always fits.
pub(crate) const FOREVER: Duration = Duration::from_secs(30 * 365 * 24 * 3600);
