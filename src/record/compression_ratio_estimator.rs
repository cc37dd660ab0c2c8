//! A guess per topic and codec of how small a batch will become, so that a batch may hold more than its size plain.
//!
//! Java: `common/record/CompressionRatioEstimator.java`.
//! Differs: one per producer, where Java has one per process and one producer's data spoils another's guess.
//! Threads: any. Locks: Leaf.

use std::collections::HashMap;
use std::sync::Arc;

use crate::common::sync::{Mutex, Rank};
use crate::record::compression_type::CompressionType;

/// The guesses of one producer.
#[derive(Debug)]
pub(crate) struct CompressionRatioEstimator {
    ratios: Mutex<HashMap<Arc<str>, Ratios>>,
}

impl CompressionRatioEstimator {
    pub(crate) fn new() -> Self {
        Self {
            ratios: Mutex::new(Rank::Leaf, HashMap::new()),
        }
    }

    /// Compressed size over plain size; 1 while nothing is known.
    pub(crate) fn estimation(&self, topic: &str, codec: CompressionType) -> f32 {
        self.ratios
            .lock()
            .get(topic)
            .map_or(INITIAL, |ratios| ratios.of(codec))
    }

    /// Moves the guess towards what a sealed batch showed: up at once, because a guess that is too low makes batches too
    /// large, and down slowly.
    pub(crate) fn update(&self, topic: &Arc<str>, codec: CompressionType, observed: f32) -> f32 {
        self.change(topic, codec, |current| {
            if observed > current {
                (current + DETERIORATING_STEP).max(observed)
            } else if observed < current {
                (current - IMPROVING_STEP).max(observed)
            } else {
                current
            }
        })
    }

    /// Sets the guess after a batch had to be split: never below 1 until better batches are seen.
    pub(crate) fn set_after_split(&self, topic: &Arc<str>, codec: CompressionType, observed: f32) {
        self.change(topic, codec, |_| observed.max(INITIAL));
    }

    fn change(
        &self,
        topic: &Arc<str>,
        codec: CompressionType,
        change: impl FnOnce(f32) -> f32,
    ) -> f32 {
        let mut ratios = self.ratios.lock();
        let ratio = match ratios.get_mut(&**topic) {
            Some(known) => known.of_mut(codec),
            None => ratios.entry(Arc::clone(topic)).or_default().of_mut(codec),
        };
        *ratio = change(*ratio);
        *ratio
    }
}

impl Default for CompressionRatioEstimator {
    fn default() -> Self {
        Self::new()
    }
}

/// The guesses for one topic.
#[derive(Debug, Clone, Copy)]
struct Ratios {
    none: f32,
    gzip: f32,
    snappy: f32,
    lz4: f32,
    zstd: f32,
}

impl Default for Ratios {
    fn default() -> Self {
        Self {
            none: INITIAL,
            gzip: INITIAL,
            snappy: INITIAL,
            lz4: INITIAL,
            zstd: INITIAL,
        }
    }
}

impl Ratios {
    fn of(mut self, codec: CompressionType) -> f32 {
        *self.of_mut(codec)
    }

    fn of_mut(&mut self, codec: CompressionType) -> &mut f32 {
        match codec {
            CompressionType::None => &mut self.none,
            CompressionType::Gzip => &mut self.gzip,
            CompressionType::Snappy => &mut self.snappy,
            CompressionType::Lz4 => &mut self.lz4,
            CompressionType::Zstd => &mut self.zstd,
        }
    }
}

const INITIAL: f32 = 1.0;
const DETERIORATING_STEP: f32 = 0.05;
const IMPROVING_STEP: f32 = 0.005;

#[cfg(test)]
mod tests {
    use super::*;

    /// Java: `CompressionRatioEstimatorTest.testUpdateEstimation`. Scenario: RF8.
    #[test]
    fn a_guess_rises_at_once_and_falls_slowly() {
        let estimator = CompressionRatioEstimator::new();
        let topic: Arc<str> = "orders".into();
        let codec = CompressionType::Gzip;
        assert_eq!(estimator.estimation(&topic, codec), 1.0);
        for (set, observed, expected) in [
            (0.8, 0.84, 0.85), // up by a step
            (0.6, 0.7, 0.7),   // up by more
            (0.6, 0.4, 0.595), // down by a step
            (0.004, 0.001, 0.001),
            (0.5, 0.5, 0.5),
        ] {
            estimator.change(&topic, codec, |_| set);
            let updated = estimator.update(&topic, codec, observed);
            assert!(
                (updated - expected).abs() < 1e-6,
                "{updated} is not {expected}"
            );
            assert_eq!(estimator.estimation(&topic, codec), updated);
        }
    }

    /// Scenario: RF8.
    #[test]
    fn a_split_sets_the_guess_to_what_was_seen_but_not_below_one() {
        let estimator = CompressionRatioEstimator::new();
        let topic: Arc<str> = "orders".into();
        estimator.set_after_split(&topic, CompressionType::Lz4, 1.3);
        assert_eq!(estimator.estimation(&topic, CompressionType::Lz4), 1.3);
        estimator.set_after_split(&topic, CompressionType::Lz4, 0.3);
        assert_eq!(estimator.estimation(&topic, CompressionType::Lz4), 1.0);
    }

    /// Scenario: RF8.
    #[test]
    fn topics_codecs_and_producers_do_not_disturb_each_other() {
        let (one, other) = (
            CompressionRatioEstimator::new(),
            CompressionRatioEstimator::new(),
        );
        let topic: Arc<str> = "orders".into();
        one.update(&topic, CompressionType::Gzip, 0.1);
        assert_eq!(one.estimation(&topic, CompressionType::Gzip), 0.995);
        assert_eq!(one.estimation(&topic, CompressionType::Zstd), 1.0);
        assert_eq!(one.estimation("payments", CompressionType::Gzip), 1.0);
        assert_eq!(other.estimation(&topic, CompressionType::Gzip), 1.0);
    }
}
