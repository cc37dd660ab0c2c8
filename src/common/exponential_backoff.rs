//! Waits that grow with each failure, up to a limit, with jitter.
//!
//! Java: `common/utils/ExponentialBackoff.java`.
//! Differs: the random number is an argument, so that a core stays deterministic.
//! Threads: plain data. Locks: none.

use std::time::Duration;

/// How long to wait after the n-th failure: `initial`, doubled each time, never above `max`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExponentialBackoff {
    initial: Duration,
    max: Duration,
}

impl ExponentialBackoff {
    /// An `initial` at or above `max` means `max` each time, without jitter, as in Java.
    pub(crate) fn new(initial: Duration, max: Duration) -> Self {
        Self { initial, max }
    }

    /// The wait after `failures` earlier failures (0 for the first). `random` lies in `0.0..1.0`.
    pub(crate) fn backoff(&self, failures: u32, random: f64) -> Duration {
        if self.initial >= self.max {
            return self.max;
        }
        let doublings = i32::try_from(failures.min(MAX_DOUBLINGS)).unwrap_or_default();
        let term = (self.initial.as_secs_f64() * 2f64.powi(doublings)).min(self.max.as_secs_f64());
        let factor = 1.0 - JITTER + 2.0 * JITTER * random;
        Duration::from_secs_f64(term * factor).min(self.max)
    }
}

const JITTER: f64 = 0.2;
/// 2^62 times a millisecond is already longer than any limit.
const MAX_DOUBLINGS: u32 = 62;

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Java: `ExponentialBackoffTest.testExponentialBackoff`. Scenario: AC9, C03.
    #[test]
    fn waits_double_within_their_jitter_and_stop_at_the_limit() {
        let backoff = ExponentialBackoff::new(ms(100), ms(1000));
        for failures in 0..100 {
            let base = (100f64 * 2f64.powi(failures)).min(1000.0);
            for random in [0.0, 0.5, 0.999] {
                let wait = backoff.backoff(failures as u32, random).as_secs_f64() * 1000.0;
                assert!(wait >= base * 0.8 - 0.001 && wait <= (base * 1.2).min(1000.0) + 0.001);
            }
        }
    }

    /// Scenario: C05.
    #[test]
    fn an_initial_wait_at_the_limit_is_constant_and_zero_stays_zero() {
        assert_eq!(
            ExponentialBackoff::new(ms(50), ms(50)).backoff(7, 0.9),
            ms(50)
        );
        assert_eq!(
            ExponentialBackoff::new(ms(0), ms(50)).backoff(7, 0.9),
            ms(0)
        );
    }
}
