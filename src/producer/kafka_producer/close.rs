//! The end of a producer: deliver, report, and hand back what could not be sent.
//!
//! Java: `clients/producer/KafkaProducer.java` (`close`).
//! Differs: reports what became of the records that were on their way and hands back those that were given up; bounded
//! also where a callback blocks the I/O thread; dropping the last handle closes within `ottla.drop.timeout.ms`.
//! Threads: any. Locks: leaves.

use std::time::Duration;

use crate::client::kafka_client::ClientWaker;
use crate::common::kafka_error::{KafkaError, Persisted};
use crate::common::planted::planted;
use crate::common::sync::{
    Mutex, Rank,
    atomic::{AtomicBool, Ordering},
    thread::JoinHandle,
};
use crate::common::time::deadline;
use crate::producer::kafka_producer::Inner;
use crate::producer::unsent_record::UnsentRecord;

/// What became of the records that were on their way when [`close`](crate::KafkaProducer::close) was called.
#[derive(Debug)]
#[must_use = "the records that were not sent are in here"]
pub struct CloseReport {
    delivered: u64,
    failed: u64,
    unsent: Vec<UnsentRecord>,
    complete: bool,
}

impl CloseReport {
    /// How many records were acknowledged while the producer closed.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// How many records failed for reasons of their own while the producer closed. Those given up for lack of time are
    /// not among them.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// The records that were given up, in the order of each partition. Each says whether a broker may have it.
    pub fn unsent(&self) -> &[UnsentRecord] {
        &self.unsent
    }

    /// As [`unsent`](Self::unsent), to keep.
    pub fn into_unsent(self) -> Vec<UnsentRecord> {
        self.unsent
    }

    /// How many of the records that were given up a broker may have all the same.
    pub fn outcome_unknown(&self) -> usize {
        self.unsent
            .iter()
            .filter(|record| record.persisted == Persisted::Maybe)
            .count()
    }

    /// Whether the background thread has ended. Where a callback keeps it busy it has not, and some records may be missing
    /// from the report; closing again later reports those.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

/// What a producer needs to end its I/O thread.
#[derive(Debug)]
pub(super) struct Closing {
    waker: ClientWaker,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Set by the first who closes the plug-ins; a plain once-only flag.
    plugins_closed: AtomicBool,
}

impl Closing {
    /// Without a thread there is nobody to wait for: tests drive the I/O half themselves.
    pub(super) fn new(waker: ClientWaker, thread: Option<JoinHandle<()>>) -> Self {
        Self {
            waker,
            thread: Mutex::new(Rank::Leaf, thread),
            plugins_closed: AtomicBool::new(false),
        }
    }

    /// The thread that the last close joins.
    pub(super) fn runs_on(&mut self, thread: JoinHandle<()>) {
        self.thread = Mutex::new(Rank::Leaf, Some(thread));
    }

    pub(super) fn wakeup(&self) {
        self.waker.wakeup();
    }

    fn join(&self) {
        let thread = self.thread.lock().take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            log::error!("the I/O thread panicked while it ended");
        }
    }
}

impl<K: ?Sized, V: ?Sized> Inner<K, V> {
    pub(super) fn close(&self, timeout: Duration) -> Result<CloseReport, KafkaError> {
        self.process.check()?;
        let metrics = self.control.metrics();
        let delivered_before = metrics.acknowledged_total();
        let failed_before = metrics.failed_total();
        self.begin_close();
        let complete = if self.accumulator.is_io_thread() {
            log::warn!(
                "close was called on the I/O thread (inside a callback): what is on its way is given up"
            );
            self.force_close();
            false
        } else {
            self.await_end(timeout)
        };
        if complete {
            self.closing.join();
            self.close_plugins();
        }
        if let Some(failure) = self.control.failure() {
            return Err(failure.clone());
        }
        let unsent = self.control.take_unsent();
        let failed = metrics.failed_total().saturating_sub(failed_before);
        let given_up = u64::try_from(unsent.len()).unwrap_or(u64::MAX);
        Ok(CloseReport {
            delivered: metrics
                .acknowledged_total()
                .saturating_sub(delivered_before),
            failed: failed.saturating_sub(given_up),
            unsent,
            complete,
        })
    }

    /// Lets the I/O thread end once everything that was accepted is sent.
    pub(super) fn begin_close(&self) {
        if planted!("close-tells-the-sender-first") {
            self.control.initiate_close();
            self.closing.wakeup();
        }
        // First the accumulator: a record that came in after the last pass would never be heard of again.
        self.accumulator.close();
        self.control.initiate_close();
        self.closing.wakeup();
    }

    /// Waits for the I/O thread's end, by force after `timeout`. A callback that blocks it holds nobody up.
    fn await_end(&self, timeout: Duration) -> bool {
        let until = deadline(self.time.now(), timeout);
        if self.control.await_termination(until) {
            return true;
        }
        if !timeout.is_zero() {
            log::info!(
                "closing: not everything was sent within {} ms, the rest is given up",
                timeout.as_millis()
            );
        }
        self.force_close();
        let ended = self.await_forced_end();
        if !ended {
            log::warn!("the I/O thread is busy with a callback and ends after it");
        }
        ended
    }

    /// There is nothing to wait for but the pass under way. It may have many records to hand back, so it gets more time as
    /// long as it gets on with them.
    fn await_forced_end(&self) -> bool {
        let mut left = self.accumulator.incomplete().len();
        for _ in 0..FORCED_END_ROUNDS {
            if self
                .control
                .await_termination(deadline(self.time.now(), FORCED_END))
            {
                return true;
            }
            let before = std::mem::replace(&mut left, self.accumulator.incomplete().len());
            if left >= before {
                break;
            }
        }
        false
    }

    fn force_close(&self) {
        self.control.force_close();
        self.closing.wakeup();
    }

    pub(super) fn close_plugins(&self) {
        if !self.closing.plugins_closed.swap(true, Ordering::AcqRel) {
            self.plugins.close();
        }
    }

    /// The last handle is gone, and nobody has closed the producer.
    fn close_unasked(&self) {
        let timeout = self.limits.drop_timeout;
        match self.close(timeout) {
            Ok(report) if report.unsent.is_empty() && report.complete => {}
            Ok(report) => log::error!(
                "producer {} was dropped, and {} records could not be delivered within {} ms",
                self.limits.client_id,
                report.unsent.len(),
                timeout.as_millis()
            ),
            Err(error) => log::error!(
                "producer {} was dropped after it had failed: {error}",
                self.limits.client_id
            ),
        }
    }
}

impl<K: ?Sized, V: ?Sized> Drop for Inner<K, V> {
    fn drop(&mut self) {
        if self.process.is_another() {
            return;
        }
        if self.accumulator.is_io_thread() {
            // The last handle was in a callback. The thread goes on until all is delivered, and ends by itself.
            self.begin_close();
            return;
        }
        if !self.accumulator.is_closed() {
            self.close_unasked();
        }
        self.close_plugins();
    }
}

/// How long a forced end may take without any batch coming to its end: longer means that a callback blocks.
const FORCED_END: Duration = Duration::from_millis(200);
/// How often that time is granted.
const FORCED_END_ROUNDS: usize = 25;
