//! The timestamps of records, from the one clock read that a send makes anyway.
//!
//! Java: `Time.milliseconds`, which is the only clock of `KafkaProducer.doSend`.
//! Differs: the wall clock is read once a second, and in between the monotonic clock tells how far it has moved.
//! Threads: any. Locks: none.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use crate::common::time::Time;

/// Milliseconds since the epoch for instants.
#[derive(Debug)]
pub(super) struct RecordClock {
    time: Arc<dyn Time>,
    origin: Instant,
    /// What to add to the milliseconds since `origin`. With `read_at` it guards nothing: threads that race read the same
    /// clock twice, hence `Relaxed`.
    epoch_ms_at_origin: AtomicI64,
    /// When the wall clock was read last, in milliseconds since `origin`.
    read_at: AtomicU64,
}

impl RecordClock {
    pub(super) fn new(time: Arc<dyn Time>) -> Self {
        let origin = time.now();
        let epoch_ms_at_origin = AtomicI64::new(time.wall_clock_ms());
        Self {
            time,
            origin,
            epoch_ms_at_origin,
            read_at: AtomicU64::new(0),
        }
    }

    /// The wall clock at `now`, which is about the present.
    #[inline]
    pub(super) fn epoch_ms(&self, now: Instant) -> i64 {
        let since = now.saturating_duration_since(self.origin);
        // As `as_millis` in fewer steps; it fits for half a billion years.
        let since = since.as_secs() * 1000 + u64::from(since.subsec_millis());
        let since_signed = i64::try_from(since).unwrap_or(i64::MAX);
        if since
            >= self
                .read_at
                .load(Ordering::Relaxed)
                .saturating_add(READ_EVERY_MS)
        {
            self.read_at.store(since, Ordering::Relaxed);
            let at_origin = self.time.wall_clock_ms().saturating_sub(since_signed);
            self.epoch_ms_at_origin.store(at_origin, Ordering::Relaxed);
        }
        self.epoch_ms_at_origin
            .load(Ordering::Relaxed)
            .saturating_add(since_signed)
            .max(0)
    }
}

const READ_EVERY_MS: u64 = 1000;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::mock_time::MockTime;

    #[test]
    fn timestamps_follow_the_wall_clock() {
        let time = MockTime::shared();
        let clock = RecordClock::new(Arc::clone(&time) as Arc<dyn Time>);
        let start = time.wall_clock_ms();
        assert_eq!(clock.epoch_ms(time.now()), start);
        time.advance(Duration::from_millis(999));
        assert_eq!(clock.epoch_ms(time.now()), start + 999);
        time.advance(Duration::from_secs(7200));
        assert_eq!(clock.epoch_ms(time.now()), time.wall_clock_ms());
    }
}
