//! How other threads steer the I/O thread and learn what became of it.
//!
//! Java: `clients/producer/internals/Sender.java` (`initiateClose`, `forceClose`, `isRunning`), `Thread.join`.
//! Differs: waiting for the end has a limit; why the thread died stays known; what a forced close could not send is kept.
//! Threads: any. Locks: `SenderControl` (leaf).

use std::time::Instant;

use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;
use crate::common::sync::{
    Condvar, Mutex, OnceLock, Rank,
    atomic::{AtomicU8, Ordering},
};
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::sender_metrics::SenderMetrics;
use crate::producer::unsent_record::UnsentRecord;

/// Shared by the I/O thread and the producer's handles. Whoever changes the phase wakes the I/O thread afterwards.
#[derive(Debug)]
pub(crate) struct SenderControl {
    /// A [`Phase`], which only rises. Set by the closing thread (Release), read by each pass (Acquire): what was appended
    /// before the close is seen by the last drain.
    phase: AtomicU8,
    end: Mutex<End>,
    ended: Condvar,
    failure: OnceLock<KafkaError>,
    last_error: Mutex<Option<(KafkaError, Instant)>>,
    metrics: SenderMetrics,
}

#[derive(Debug, Default)]
struct End {
    has_ended: bool,
    unsent: Vec<UnsentRecord>,
}

/// What the I/O thread is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    /// Send what was accepted, then end.
    Closing,
    /// Give up what is left, then end.
    Forced,
}

impl SenderControl {
    pub(crate) fn new() -> Self {
        Self {
            phase: AtomicU8::new(RUNNING),
            end: Mutex::new(Rank::Leaf, End::default()),
            ended: Condvar::new(),
            failure: OnceLock::new(),
            last_error: Mutex::new(Rank::Leaf, None),
            metrics: SenderMetrics::default(),
        }
    }

    /// Lets the I/O thread end once everything is sent. The accumulator is closed first: a record that slipped in after
    /// the last pass would never be heard of again.
    pub(crate) fn initiate_close(&self) {
        self.phase.fetch_max(CLOSING, Ordering::AcqRel);
    }

    /// Lets the I/O thread end now.
    pub(crate) fn force_close(&self) {
        self.phase.fetch_max(FORCED, Ordering::AcqRel);
    }

    /// Whether nobody has asked for the end, and nothing has brought it about.
    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        self.phase() == Phase::Running
    }

    /// Why the I/O thread died, if it did.
    #[inline]
    pub(crate) fn failure(&self) -> Option<&KafkaError> {
        self.failure.get()
    }

    /// Something failed, for good or for now.
    pub(crate) fn note_error(&self, error: &KafkaError, now: Instant) {
        let before = self.last_error.lock().replace((error.clone(), now));
        // Freed without the lock.
        drop(before);
    }

    /// What failed last, and when.
    pub(crate) fn last_error(&self) -> Option<(KafkaError, Instant)> {
        self.last_error.lock().clone()
    }

    /// Waits for the end of the I/O thread's work. Returns whether it came in time.
    pub(crate) fn await_termination(&self, deadline: Instant) -> bool {
        let mut end = self.end.lock();
        while !end.has_ended {
            if self.ended.wait_until(&mut end, deadline) {
                return end.has_ended;
            }
        }
        true
    }

    /// The records that a forced close gave up, in the order of each partition.
    pub(crate) fn take_unsent(&self) -> Vec<UnsentRecord> {
        std::mem::take(&mut self.end.lock().unsent)
    }

    pub(crate) fn metrics(&self) -> &SenderMetrics {
        &self.metrics
    }

    #[inline]
    pub(super) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            RUNNING => Phase::Running,
            CLOSING => Phase::Closing,
            _ => Phase::Forced,
        }
    }

    pub(super) fn keep_unsent(&self, batch: &ProducerBatch) {
        let records = batch.unsent_records();
        self.end.lock().unsent.extend(records);
    }

    /// The I/O thread died of this.
    pub(super) fn fail(&self, error: KafkaError) {
        self.force_close();
        // The first failure is the cause of the others.
        let _ = self.failure.set(error);
    }

    pub(super) fn terminated(&self) {
        self.force_close();
        if planted!("end-told-too-early") {
            self.ended.notify_all();
            self.end.lock().has_ended = true;
            return;
        }
        self.end.lock().has_ended = true;
        self.ended.notify_all();
    }
}

const RUNNING: u8 = 0;
const CLOSING: u8 = 1;
const FORCED: u8 = 2;
