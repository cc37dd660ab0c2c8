//! Metadata of the topics that the application sends to, shared with the threads that wait for it.
//!
//! Java: `clients/producer/internals/ProducerMetadata.java`.
//! Differs: reading never waits for a writer; errors are judged from the snapshot a waiter was woken for, so no waiter
//! takes an error away from another one; a topic's idle time is kept without a lock.
//! Threads: any; the I/O thread updates. Locks: `ProducerMetadata` (leaf).

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};

use crate::client::metadata::Metadata;
use crate::client::metadata_handle::MetadataHandle;
use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::{KafkaError, TimeLimit};
use crate::common::planted::planted;
use crate::common::sync::atomic::{AtomicU64, Ordering};
use crate::common::sync::{Condvar, Mutex, Rank};
use crate::protocol::errors::Errors;

#[cfg(test)]
mod tests;

/// The newest snapshot for readers, the core behind a lock, and a condition for those who wait for news.
pub(crate) struct ProducerMetadata {
    /// What `core` published last.
    snapshot: ArcSwap<MetadataSnapshot>,
    /// Differs for every snapshot of every producer in this process. Stored (Release) after the snapshot and loaded
    /// (Acquire) before it, so that whoever sees a stamp sees that snapshot or a newer one.
    stamp: AtomicU64,
    core: Mutex<Metadata>,
    published: Condvar,
}

impl ProducerMetadata {
    pub(crate) fn new(core: Metadata) -> Self {
        Self {
            snapshot: ArcSwap::new(Arc::clone(core.snapshot())),
            stamp: AtomicU64::new(next_stamp()),
            core: Mutex::new(Rank::Leaf, core),
            published: Condvar::new(),
        }
    }

    /// The snapshot of this moment, for a short look without a reference count.
    #[inline]
    pub(crate) fn current(&self) -> Guard<Arc<MetadataSnapshot>> {
        self.snapshot.load()
    }

    /// Changes whenever the snapshot does: what was found in a snapshot holds while the stamp stays the same.
    #[inline]
    pub(crate) fn stamp(&self) -> u64 {
        self.stamp.load(Ordering::Acquire)
    }

    /// Notes that the application uses `topic`. One that is new is asked for by the next pass of the I/O thread; for a
    /// known one this is a look at the clock's last value and nothing more.
    pub(crate) fn add(&self, topic: &str, now: Instant) {
        if let Some(known) = self.current().topic(topic) {
            known.usage.touch(now);
            return;
        }
        self.with(|core| core.add(topic, now));
    }

    /// Wants news of everything; the version to give to [`await_update`](Self::await_update).
    pub(crate) fn request_update(&self) -> u64 {
        self.with(|core| core.request_update(false))
    }

    /// Waits for a snapshot newer than `last_version`.
    ///
    /// # Errors
    /// Where the deadline passes, where nothing can be learnt about the cluster (each waiter is told), or where the
    /// producer is closed.
    pub(crate) fn await_update(
        &self,
        last_version: u64,
        deadline: Instant,
    ) -> Result<Arc<MetadataSnapshot>, KafkaError> {
        let mut core = self.core.lock();
        loop {
            let snapshot = Arc::clone(core.snapshot());
            if core.is_closed() {
                return Err(snapshot.fatal_error.clone().unwrap_or_else(closed));
            }
            // An error that is older than the question may have passed: the answer to the question will tell.
            let is_old_error = planted!("old-error-answers") && snapshot.fatal_error.is_some();
            if snapshot.version > last_version || is_old_error {
                return match &snapshot.fatal_error {
                    Some(error) => Err(error.clone()),
                    None => Ok(snapshot),
                };
            }
            if self.published.wait_until(&mut core, deadline) {
                return Err(no_news(&core));
            }
        }
    }

    /// Why the last connection failed, where no metadata came since: what a caller who waited in vain wants to know.
    pub(crate) fn last_connection_error(&self) -> Option<Arc<str>> {
        self.core.lock().last_connection_error().cloned()
    }

    /// Wakes every waiter; those who come later are refused.
    pub(crate) fn close(&self) {
        self.with(Metadata::close);
    }

    /// As [`close`](Self::close), where something broke: waiters are told what.
    pub(crate) fn fail(&self, error: KafkaError) {
        self.with(|core| {
            core.fatal_error(error);
            core.close();
        });
    }
}

impl MetadataHandle for ProducerMetadata {
    fn snapshot(&self) -> Arc<MetadataSnapshot> {
        self.snapshot.load_full()
    }

    fn with<R>(&self, action: impl FnOnce(&mut Metadata) -> R) -> R {
        let mut core = self.core.lock();
        let result = action(&mut core);
        // Published under the lock, so that an older snapshot cannot overtake a newer one.
        if !Arc::ptr_eq(core.snapshot(), &self.snapshot.load()) {
            self.snapshot.store(Arc::clone(core.snapshot()));
            self.stamp.store(next_stamp(), Ordering::Release);
            if !planted!("metadata-published-in-silence") {
                self.published.notify_all();
            }
        }
        result
    }
}

impl MetadataHandle for Arc<ProducerMetadata> {
    fn snapshot(&self) -> Arc<MetadataSnapshot> {
        (**self).snapshot()
    }

    fn with<R>(&self, action: impl FnOnce(&mut Metadata) -> R) -> R {
        (**self).with(action)
    }
}

impl fmt::Debug for ProducerMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerMetadata")
            .field("version", &self.current().version)
            .finish_non_exhaustive()
    }
}

fn next_stamp() -> u64 {
    // Only the number matters, which no other thread gets: hence `Relaxed`. 0 is nobody's.
    static LAST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// The error for which there is no point in waiting on: the topic's name is not legal, or this user may not know of it.
/// Other errors may pass: a cluster that is starting up cannot make a topic yet, for one.
pub(crate) fn fatal_topic_error(snapshot: &MetadataSnapshot, topic: &str) -> Option<KafkaError> {
    match snapshot.topic_error(topic)? {
        Errors::InvalidTopicException => Some(KafkaError::new(
            ErrorKind::InvalidTopic,
            format!("the cluster does not accept {topic:?} as the name of a topic"),
        )),
        Errors::TopicAuthorizationFailed => Some(KafkaError::new(
            ErrorKind::TopicAuthorization,
            format!("not authorized to access topic {topic}"),
        )),
        error if planted!("topic-error-is-final") => Some(error.exception(None)),
        _ => None,
    }
}

fn closed() -> KafkaError {
    KafkaError::new(
        ErrorKind::Kafka,
        "the producer was closed while metadata was awaited",
    )
}

fn no_news(core: &Metadata) -> KafkaError {
    let mut text = "no metadata came within the time limit".to_owned();
    if let Some(reason) = core.last_connection_error() {
        text.push_str("; last connection: ");
        text.push_str(reason);
    }
    KafkaError::timeout(TimeLimit::MaxBlock, text)
}
