//! The timestamps of records, from the one clock read that a send makes anyway.
//!
//! Java: `Time.milliseconds`, which is the only clock of `KafkaProducer.doSend`.
//! Differs: the wall clock is read once a second, and in between the monotonic clock tells how far it has moved.
//! Threads: any. Locks: none.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

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

    /// The wall clock at `now`, which is about the present. `last` is what the thread remembers from the record before.
    #[inline]
    pub(super) fn epoch_ms(&self, now: Instant, last: &mut Option<Tick>) -> i64 {
        match last {
            Some(tick) if now < tick.until => tick.epoch_ms,
            _ => last.insert(self.tick(now)).epoch_ms,
        }
    }

    fn tick(&self, now: Instant) -> Tick {
        let since = now.saturating_duration_since(self.origin);
        let ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let signed_ms = i64::try_from(ms).unwrap_or(i64::MAX);
        let read_at = self.read_at.load(Ordering::Relaxed);
        if ms >= read_at.saturating_add(READ_EVERY_MS) {
            self.read_at.store(ms, Ordering::Relaxed);
            let at_origin = self.time.wall_clock_ms().saturating_sub(signed_ms);
            self.epoch_ms_at_origin.store(at_origin, Ordering::Relaxed);
        }
        let at_origin = self.epoch_ms_at_origin.load(Ordering::Relaxed);
        let into_ms = Duration::from_nanos(u64::from(since.subsec_nanos() % NANOS_PER_MS));
        Tick {
            until: now + (ONE_MS - into_ms),
            epoch_ms: at_origin.saturating_add(signed_ms).max(0),
        }
    }
}

/// What is left of one millisecond of one clock: the sums are done once in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tick {
    until: Instant,
    epoch_ms: i64,
}

const ONE_MS: Duration = Duration::from_millis(1);
const NANOS_PER_MS: u32 = 1_000_000;
const READ_EVERY_MS: u64 = 1000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::mock_time::MockTime;

    #[test]
    fn timestamps_follow_the_wall_clock() {
        let time = MockTime::shared();
        let clock = RecordClock::new(Arc::clone(&time) as Arc<dyn Time>);
        let start = time.wall_clock_ms();
        let mut last = None;
        let mut epoch_ms = || clock.epoch_ms(time.now(), &mut last);
        assert_eq!(epoch_ms(), start);
        time.advance(Duration::from_micros(999));
        assert_eq!(epoch_ms(), start);
        time.advance(Duration::from_micros(1));
        assert_eq!(epoch_ms(), start + 1);
        time.advance(Duration::from_millis(998));
        assert_eq!(epoch_ms(), start + 999);
        time.advance(Duration::from_secs(7200));
        assert_eq!(epoch_ms(), time.wall_clock_ms());
    }
}
