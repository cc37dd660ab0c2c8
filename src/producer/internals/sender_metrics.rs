//! What the I/O thread has done so far, in numbers, by the names of Java's metrics.
//!
//! Java: `clients/producer/internals/SenderMetricsRegistry.java`, `Sender.SenderMetrics`.
//! Differs: totals, averages and maxima over the producer's life; rates are for whoever reads the totals twice.
//! Threads: counted on the I/O thread, read on any. Locks: none.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters that only rise. Each stands for itself and guards nothing, hence `Relaxed` throughout.
#[derive(Debug, Default)]
pub(crate) struct SenderMetrics {
    batch_sizes: Values,
    request_latencies_us: Values,
    queue_times_us: Values,
    throttle_times_ms: Values,
    records_sent: AtomicU64,
    records_acknowledged: AtomicU64,
    records_retried: AtomicU64,
    records_failed: AtomicU64,
    batches_split: AtomicU64,
    callbacks_panicked: AtomicU64,
    offsets_regressed: AtomicU64,
}

/// A batch on its way to the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SentBatch {
    pub(crate) bytes: usize,
    pub(crate) records: u32,
    pub(crate) queued: Duration,
}

impl SenderMetrics {
    pub(crate) fn batch_sent(&self, batch: SentBatch) {
        self.batch_sizes
            .add(u64::try_from(batch.bytes).unwrap_or(u64::MAX));
        self.queue_times_us.add(us(batch.queued));
        add(&self.records_sent, batch.records);
    }

    pub(crate) fn records_acknowledged(&self, records: u32) {
        add(&self.records_acknowledged, records);
    }

    pub(crate) fn records_retried(&self, records: u32) {
        add(&self.records_retried, records);
    }

    /// Also for records that failed inside `send`.
    pub(crate) fn records_failed(&self, records: u32) {
        add(&self.records_failed, records);
    }

    pub(crate) fn batch_split(&self) {
        add(&self.batches_split, 1);
    }

    pub(crate) fn callbacks_panicked(&self, callbacks: usize) {
        add(
            &self.callbacks_panicked,
            u32::try_from(callbacks).unwrap_or(u32::MAX),
        );
    }

    /// A partition's offsets went back.
    pub(crate) fn offset_regressed(&self) {
        add(&self.offsets_regressed, 1);
    }

    pub(crate) fn request_answered(&self, latency: Duration, throttle: Duration) {
        self.request_latencies_us.add(us(latency));
        self.throttle_times_ms.add(us(throttle) / 1000);
    }

    /// Records that a broker acknowledged.
    pub(crate) fn acknowledged_total(&self) -> u64 {
        self.records_acknowledged.load(Ordering::Relaxed)
    }

    /// Records that failed for good.
    pub(crate) fn failed_total(&self) -> u64 {
        self.records_failed.load(Ordering::Relaxed)
    }

    /// Every number by Java's name; times in milliseconds. The last three have no counterpart in Java.
    pub(crate) fn snapshot(&self) -> Vec<(&'static str, f64)> {
        let total = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64;
        vec![
            ("batch-size-avg", self.batch_sizes.average()),
            ("batch-size-max", self.batch_sizes.max()),
            ("batch-split-total", total(&self.batches_split)),
            ("record-queue-time-avg", self.queue_times_us.average() / 1e3),
            ("record-queue-time-max", self.queue_times_us.max() / 1e3),
            (
                "request-latency-avg",
                self.request_latencies_us.average() / 1e3,
            ),
            ("request-latency-max", self.request_latencies_us.max() / 1e3),
            (
                "produce-throttle-time-avg",
                self.throttle_times_ms.average(),
            ),
            ("produce-throttle-time-max", self.throttle_times_ms.max()),
            ("record-send-total", total(&self.records_sent)),
            ("record-retry-total", total(&self.records_retried)),
            ("record-error-total", total(&self.records_failed)),
            (
                "record-acknowledged-total",
                total(&self.records_acknowledged),
            ),
            ("callback-panic-total", total(&self.callbacks_panicked)),
            ("offset-regression-total", total(&self.offsets_regressed)),
        ]
    }
}

/// Values of one kind: how many, their sum, the largest.
#[derive(Debug, Default)]
struct Values {
    count: AtomicU64,
    sum: AtomicU64,
    max: AtomicU64,
}

impl Values {
    fn add(&self, value: u64) {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
        self.max.fetch_max(value, Ordering::Relaxed);
    }

    /// 0 where there is no value yet, instead of Java's NaN, which no dashboard likes.
    fn average(&self) -> f64 {
        let count = self.count.load(Ordering::Relaxed).max(1);
        self.sum.load(Ordering::Relaxed) as f64 / count as f64
    }

    fn max(&self) -> f64 {
        self.max.load(Ordering::Relaxed) as f64
    }
}

fn add(counter: &AtomicU64, by: u32) {
    counter.fetch_add(u64::from(by), Ordering::Relaxed);
}

fn us(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_the_names_of_java() {
        let metrics = SenderMetrics::default();
        for (bytes, records) in [(100, 2), (300, 4)] {
            let queued = Duration::from_millis(5);
            metrics.batch_sent(SentBatch {
                bytes,
                records,
                queued,
            });
        }
        let value = |name| {
            let snapshot = metrics.snapshot();
            snapshot.iter().find(|(n, _)| *n == name).map(|(_, v)| *v)
        };
        assert_eq!(value("batch-size-avg"), Some(200.0));
        assert_eq!(value("batch-size-max"), Some(300.0));
        assert_eq!(value("record-send-total"), Some(6.0));
        assert_eq!(value("record-queue-time-max"), Some(5.0));
        assert_eq!(value("request-latency-avg"), Some(0.0));
    }
}
