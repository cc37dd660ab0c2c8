//! When to ask for metadata: by age, on request, and never in a storm.
//!
//! Java: `clients/Metadata.java` (`timeToNextUpdate`, `timeToAllowUpdate`).
//! Differs: "never" is no time at all instead of time zero; the jitter of a wait is drawn when the wait begins.
//! Threads: part of `Metadata`. Locks: none.

use std::time::{Duration, Instant};

use crate::client::metadata::MetadataConfig;
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::time::deadline;
use crate::protocol::Errors;

/// Wishes, the time of the last answers, and the waits that follow from them.
#[derive(Debug)]
pub(super) struct RefreshSchedule {
    backoff: ExponentialBackoff,
    max_age: Duration,
    random: fastrand::Rng,
    needs_full_update: bool,
    needs_partial_update: bool,
    /// The last answer or failure; nothing where the next request need not wait.
    last_refresh: Option<Instant>,
    /// The last full answer.
    last_successful_refresh: Option<Instant>,
    attempts: u32,
    /// Answers in a row that brought nothing new (KIP-580).
    equivalent_responses: u32,
    wait_for_attempts: Duration,
    wait_for_equivalent_responses: Duration,
}

impl RefreshSchedule {
    pub(super) fn new(config: &MetadataConfig) -> Self {
        Self {
            backoff: config.refresh_backoff,
            max_age: config.max_age,
            random: fastrand::Rng::with_seed(config.random_seed),
            needs_full_update: true,
            needs_partial_update: false,
            last_refresh: None,
            last_successful_refresh: None,
            attempts: 0,
            equivalent_responses: 0,
            wait_for_attempts: Duration::ZERO,
            wait_for_equivalent_responses: Duration::ZERO,
        }
    }

    pub(super) fn request_full_update(&mut self, reset: bool) {
        self.needs_full_update = true;
        if reset {
            self.made_progress();
        }
    }

    /// An answer about `topic` had this error: where it means that the broker itself knows no better yet, asks again.
    pub(super) fn ask_again_after(&mut self, error: Errors, topic: &str) {
        if error.is_invalid_metadata() {
            log::debug!(
                "asking for metadata again: topic {topic} has {}",
                error.name()
            );
            self.request_full_update(false);
        }
    }

    /// New topics do not wait for anything.
    pub(super) fn request_partial_update(&mut self) {
        self.needs_partial_update = true;
        self.last_refresh = None;
        self.made_progress();
    }

    #[cfg(test)]
    pub(super) fn full_update_requested(&self) -> bool {
        self.needs_full_update
    }

    /// Whether it is enough to ask about new topics.
    pub(super) fn partial_update_suffices(&self, now: Instant) -> bool {
        !self.needs_full_update && is_fresh(self.ages(), now)
    }

    /// An answer came. `answers_all` says whether the request knew every wish there is now.
    pub(super) fn updated(&mut self, is_partial: bool, answers_all: bool, now: Instant) {
        if !is_fresh(self.ages(), now) {
            self.made_progress();
        }
        self.needs_partial_update = !answers_all;
        if !is_partial {
            self.needs_full_update = false;
            self.last_successful_refresh = Some(now);
        }
        // A topic that became known during the request must not wait.
        self.last_refresh = answers_all.then_some(now);
        self.attempts = 0;
        self.wait_for_attempts = self.draw(0);
        self.wait_for_equivalent_responses = self.draw(self.equivalent_responses);
        self.equivalent_responses += 1;
    }

    /// The request failed, or there was nobody to send it to.
    pub(super) fn failed(&mut self, now: Instant) {
        self.last_refresh = Some(now);
        self.wait_for_attempts = self.draw(self.attempts);
        self.attempts += 1;
        self.made_progress();
    }

    /// Something new was learnt or wished for: answers are no longer alike.
    pub(super) fn made_progress(&mut self) {
        self.equivalent_responses = 0;
        self.wait_for_equivalent_responses = Duration::ZERO;
    }

    pub(super) fn time_to_next_update(&self, now: Instant) -> Duration {
        let ages = self.ages();
        let wanted = self.needs_full_update || self.needs_partial_update;
        let expires = ages.filter(|_| !wanted);
        let next = expires.max(self.allows_update(ages, now));
        next.map_or(Duration::ZERO, |at| at.saturating_duration_since(now))
    }

    /// Until when nobody may be asked; nothing where there is no such time.
    fn allows_update(&self, ages: Option<Instant>, now: Instant) -> Option<Instant> {
        let mut wait = self.wait_for_attempts;
        if is_fresh(ages, now) {
            wait = wait.max(self.wait_for_equivalent_responses);
        }
        self.last_refresh.map(|since| deadline(since, wait))
    }

    /// When what is known becomes too old; nothing where nothing is known.
    fn ages(&self) -> Option<Instant> {
        let since = self.last_successful_refresh;
        since.map(|since| deadline(since, self.max_age))
    }

    fn draw(&mut self, failures: u32) -> Duration {
        self.backoff.backoff(failures, self.random.f64())
    }
}

fn is_fresh(ages: Option<Instant>, now: Instant) -> bool {
    ages.is_some_and(|ages| ages > now)
}
