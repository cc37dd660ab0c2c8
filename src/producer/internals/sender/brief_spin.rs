//! Whether a thread that waits for an answer looks for it a little while before it sleeps.
//!
//! Java: none.
//! Differs: an answer within tens of microseconds comes sooner than a thread that sleeps would be woken for it. Where
//! answers take longer, which is usual on a network, looking would be a waste, so it stops, but for a try now and then.
//! Threads: plain data. Locks: none.

use std::time::{Duration, Instant};

/// Remembers whether looking paid.
#[derive(Debug)]
pub(super) struct BriefSpin {
    /// Zero for never.
    longest: Duration,
    /// How many waits in a row looked in vain.
    in_vain: u32,
    /// How many waits in a row did not look.
    passed_over: u32,
}

impl BriefSpin {
    /// Looks for as long at most, in each wait.
    pub(super) fn new(longest: Duration) -> Self {
        Self {
            longest,
            in_vain: 0,
            passed_over: 0,
        }
    }

    /// Until when the wait that begins is spent looking.
    pub(super) fn begin(&mut self, now: Instant) -> Instant {
        if self.in_vain < ENOUGH || self.passed_over == NOW_AND_THEN {
            self.passed_over = 0;
            now + self.longest
        } else {
            self.passed_over += 1;
            now
        }
    }

    /// How the wait went that began so: whether the thread slept in the end. One that did not look at all tells nothing.
    pub(super) fn end(&mut self, slept: bool) {
        if self.passed_over > 0 {
            return;
        }
        self.in_vain = if slept { self.in_vain + 1 } else { 0 };
    }
}

/// After so many waits that looked in vain, they stop to.
const ENOUGH: u32 = 4;
/// So many waits pass without, then one tries again.
const NOW_AND_THEN: u32 = 63;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::time::{SystemTime, Time};

    const LONGEST: Duration = Duration::from_micros(50);

    /// How many of so many waits looked.
    fn looking(spin: &mut BriefSpin, waits: u32, slept: bool) -> u32 {
        let now = SystemTime.now();
        let mut looked = 0;
        for _ in 0..waits {
            let until = spin.begin(now);
            assert!(until == now || until == now + LONGEST);
            looked += u32::from(until > now);
            spin.end(slept);
        }
        looked
    }

    #[test]
    fn who_finds_what_it_looks_for_goes_on_looking() {
        let mut spin = BriefSpin::new(LONGEST);
        assert_eq!(looking(&mut spin, 1000, false), 1000);
    }

    #[test]
    fn who_looks_in_vain_soon_tries_only_now_and_then() {
        let mut spin = BriefSpin::new(LONGEST);
        assert_eq!(looking(&mut spin, 4, true), 4);
        assert_eq!(looking(&mut spin, 63, true), 0);
        assert_eq!(looking(&mut spin, 64, true), 1);
        assert_eq!(looking(&mut spin, 6400, true), 100);
    }

    #[test]
    fn one_find_is_enough_to_begin_again() {
        let mut spin = BriefSpin::new(LONGEST);
        assert_eq!(looking(&mut spin, 4 + 63, true), 4);
        assert_eq!(looking(&mut spin, 1, false), 1);
        assert_eq!(looking(&mut spin, 4, true), 4);
    }

    #[test]
    fn who_has_no_time_for_it_never_looks() {
        let now = SystemTime.now();
        assert_eq!(BriefSpin::new(Duration::ZERO).begin(now), now);
    }
}
