//! Records of one partition that travel together: open for more, then sealed, then done.
//!
//! Java: `clients/producer/internals/ProducerBatch.java`.
//! Differs: owned by value and in exactly one place, so it is done once because completing consumes it; keeps the
//! attempts made and whether a broker may have it; the time of the next attempt is worked out once.
//! Threads: whoever owns it; in a queue, under that queue's lock. Locks: none of its own.

use std::fmt;
use std::mem;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::cluster::{
    LeaderEpoch, NodeId, ProducerIdAndEpoch, Sequence, TopicPartition, Uuid,
};
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::{Attempt, KafkaError, Persisted};
use crate::common::kafka_thread::panic_text;
use crate::common::time::deadline;
use crate::producer::internals::future_record_metadata::{AppendedRecord, FutureRecordMetadata};
use crate::producer::internals::incomplete_batches::IncompleteEntry;
use crate::producer::internals::produce_request_result::{Outcome, ProduceRequestResult};
use crate::producer::record_metadata::RecordMetadata;
use crate::record::compression::CompressorPool;
use crate::record::default_record::RecordHeader;
pub(crate) use crate::record::default_record::RecordToAppend;
use crate::record::memory_records_builder::{Joined, SealedRecords};

mod delivery;
mod open_records;
mod split;
mod unsent;
mod unwritten;

use self::delivery::Delivery;
pub(crate) use self::open_records::OpenRecords;
pub(crate) use self::split::Splitter;
pub(crate) use self::unwritten::UnwrittenBatch;

/// What runs when a record is done: on the I/O thread, before the record's future is done.
pub(crate) type Callback = Box<dyn FnOnce(Result<RecordMetadata, KafkaError>) + Send>;

/// A batch of records for one partition.
pub(crate) struct ProducerBatch {
    /// On the heap: a batch changes hands many times on its way, and then only a pointer moves.
    contents: Box<Contents>,
}

/// What a batch consists of.
pub(crate) struct Contents {
    result: Arc<ProduceRequestResult>,
    created: Instant,
    records: Records,
    /// Those records that have a callback, in the order of the records.
    callbacks: Vec<(AppendedRecord, Callback)>,
    /// The number of its first record, once it has one; a batch that may be written keeps it to the end.
    identity: Option<(ProducerIdAndEpoch, Sequence)>,
    delivery: Delivery,
    /// Takes the batch off the list of incomplete ones when it is dropped.
    _incomplete: IncompleteEntry,
}

enum Records {
    Open(OpenRecords),
    Sealed(SealedRecords),
    /// Done: the memory went back.
    Gone,
}

impl ProducerBatch {
    pub(crate) fn new(
        result: Arc<ProduceRequestResult>,
        created: Instant,
        records: OpenRecords,
        incomplete: IncompleteEntry,
    ) -> Self {
        Self::from(Contents {
            result,
            created,
            records: Records::Open(records),
            callbacks: Vec::new(),
            identity: None,
            delivery: Delivery::default(),
            _incomplete: incomplete,
        })
    }

    /// Appends a record where that takes nothing but writing it: the batch is open and has room, and so has its buffer.
    #[inline(never)]
    pub(crate) fn append_where_it_fits<H: RecordHeader>(
        &mut self,
        record: &RecordToAppend<'_, H>,
        callback: &mut Option<Callback>,
    ) -> Option<Joined> {
        let Records::Open(open) = &mut self.records else {
            return None;
        };
        let joined = open.builder_mut().append_where_it_fits(record)?;
        if callback.is_some() {
            self.keep(AppendedRecord::new(joined.index, record), callback.take());
        }
        Some(joined)
    }

    /// Appends a record where the batch is open and has room; closes it where it has none, so that a smaller record
    /// cannot overtake this one. Returns the bytes that the record took.
    ///
    /// # Errors
    /// Where the record cannot be in any batch.
    pub(crate) fn try_append<H: RecordHeader>(
        &mut self,
        record: &RecordToAppend<'_, H>,
        callback: &mut Option<Callback>,
    ) -> Result<Option<(FutureRecordMetadata, usize)>, KafkaError> {
        let Records::Open(open) = &mut self.records else {
            return Ok(None);
        };
        let Some((index, size)) = open.append(record)? else {
            return Ok(None);
        };
        let appended = AppendedRecord::new(index, record);
        if callback.is_some() {
            self.keep(appended, callback.take());
        }
        let future = FutureRecordMetadata::new(Arc::clone(&self.result), appended);
        Ok(Some((future, size)))
    }

    fn keep(&mut self, record: AppendedRecord, callback: Option<Callback>) {
        if self.callbacks.is_empty() {
            // Where one record has a callback, so have those that follow.
            let many = self.room_for_more(&record).min(CALLBACKS_AT_FIRST);
            self.callbacks.reserve_exact(1 + many);
        }
        let callback = callback.map(|callback| (record, callback));
        self.callbacks.extend(callback);
    }

    /// About how many records like this one its buffer has room for, but fewer small ones, whose callbacks would take more
    /// memory than they do.
    fn room_for_more(&self, record: &AppendedRecord) -> usize {
        let size = record
            .payload_size()
            .max(mem::size_of::<(AppendedRecord, Callback)>());
        match &self.records {
            Records::Open(open) => open.builder().spare_capacity() / size,
            Records::Sealed(_) | Records::Gone => 0,
        }
    }

    pub(crate) fn topic_partition(&self) -> &TopicPartition {
        self.result.topic_partition()
    }

    #[inline]
    pub(crate) fn result(&self) -> &Arc<ProduceRequestResult> {
        &self.result
    }

    /// Whether this is the batch that `result` belongs to.
    pub(crate) fn belongs_to(&self, result: &ProduceRequestResult) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.result), result)
    }

    pub(crate) fn created(&self) -> Instant {
        self.created
    }

    pub(crate) fn record_count(&self) -> u32 {
        match &self.records {
            Records::Open(open) => open.builder().record_count(),
            Records::Sealed(sealed) => sealed.record_count(),
            Records::Gone => 0,
        }
    }

    /// The bytes of the whole batch with its header: an estimate until it is sealed.
    pub(crate) fn size_in_bytes(&self) -> usize {
        match &self.records {
            Records::Open(open) => open.builder().estimated_size(),
            Records::Sealed(sealed) => sealed.size(),
            Records::Gone => 0,
        }
    }

    /// Whether the batch takes no more records.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        match &self.records {
            Records::Open(open) => open.builder().is_full(),
            Records::Sealed(_) | Records::Gone => true,
        }
    }

    /// Whether anything runs when it is done.
    pub(crate) fn has_callbacks(&self) -> bool {
        !self.contents.callbacks.is_empty()
    }

    /// Whether somebody waits for it.
    pub(crate) fn is_wanted(&self) -> bool {
        self.result.is_wanted()
    }

    /// The finished records, once the batch was drained.
    pub(crate) fn sealed(&self) -> Option<&SealedRecords> {
        match &self.records {
            Records::Sealed(sealed) => Some(sealed),
            Records::Open(_) | Records::Gone => None,
        }
    }

    /// Finishes the records: from now on their bytes do not change. Says what was found out about them.
    pub(crate) fn seal(&mut self, compressors: &mut CompressorPool) -> Option<&SealedRecords> {
        self.records = match mem::replace(&mut self.records, Records::Gone) {
            Records::Open(open) => Records::Sealed(open.seal(compressors)),
            other => other,
        };
        self.sealed()
    }

    /// How much plain memory its records fill, where that tells how much the next batch will.
    pub(crate) fn natural_size(&self) -> Option<usize> {
        match &self.records {
            Records::Open(open) if !open.is_starved() => Some(open.builder().plain_size()),
            _ => None,
        }
    }

    /// Its number: under which identity, and which number its first record has.
    pub(crate) fn identity(&self) -> Option<(ProducerIdAndEpoch, Sequence)> {
        self.identity
    }

    /// Gives a number to a batch that has none; only an [`UnwrittenBatch`] ever loses one.
    pub(crate) fn set_identity(&mut self, identity: ProducerIdAndEpoch, first: Sequence) {
        debug_assert_eq!(self.identity, None, "numbered twice: {self:?}");
        self.identity = Some((identity, first));
    }

    /// When it fails if it is not done.
    pub(crate) fn expires_at(&self, delivery_timeout: Duration) -> Instant {
        deadline(self.created, delivery_timeout)
    }

    /// Java: `hasReachedDeliveryTimeout`.
    pub(crate) fn is_expired(&self, delivery_timeout: Duration, now: Instant) -> bool {
        self.expires_at(delivery_timeout) <= now
    }

    /// A request with this batch was given to the network.
    pub(crate) fn handed_to(&mut self, node: NodeId) {
        self.delivery.handed_to(node);
    }

    /// The next request writes it to the topic with this id; zero where the brokers know no ids.
    pub(crate) fn goes_to_topic(&mut self, id: Uuid) {
        debug_assert!(
            self.identity.is_none()
                || self.persisted() == Persisted::No
                || !self.is_of_other_topic(id),
            "written twice, to two topics of one name: {self:?}"
        );
        self.delivery.goes_to_topic(id);
    }

    /// Whether it was sent to a topic that had another id.
    pub(crate) fn is_of_other_topic(&self, id: Uuid) -> bool {
        self.delivery.is_of_other_topic(id)
    }

    /// The broker said no, and meant it: this attempt wrote nothing.
    pub(crate) fn attempt_refused(&mut self, now: Instant, outcome: impl Into<String>) {
        let after = now.saturating_duration_since(self.created);
        self.delivery.attempt_ended(after, outcome.into(), true);
    }

    /// The attempt ended without an answer, or with one that leaves open whether the batch was written.
    pub(crate) fn attempt_lost(&mut self, now: Instant, outcome: impl Into<String>) {
        let after = now.saturating_duration_since(self.created);
        self.delivery.attempt_ended(after, outcome.into(), false);
    }

    pub(crate) fn attempts(&self) -> &[Attempt] {
        self.delivery.attempts()
    }

    /// How often it went back to its queue. Java: `attempts`.
    pub(crate) fn failures(&self) -> u32 {
        self.delivery.failures()
    }

    /// Whether a broker may have it.
    pub(crate) fn persisted(&self) -> Persisted {
        self.delivery.persisted()
    }

    /// The next attempt waits for `backoff` of the number of failures so far.
    pub(crate) fn retry_after(&mut self, now: Instant, backoff: impl FnOnce(u32) -> Duration) {
        self.delivery.retry_after(now, backoff);
    }

    /// Java: `maybeUpdateLeaderEpoch`.
    pub(crate) fn update_leader_epoch(&mut self, latest: Option<LeaderEpoch>) {
        self.delivery.update_leader_epoch(latest);
    }

    /// The newest leader epoch that it was looked at with.
    pub(crate) fn leader_epoch(&self) -> Option<LeaderEpoch> {
        self.delivery.leader_epoch()
    }

    /// When the next attempt may be made, where that is later than `now`.
    pub(crate) fn backing_off_until(&self, now: Instant) -> Option<Instant> {
        self.delivery.backing_off_until(now)
    }

    /// The batch is in the log: runs the callbacks, then lets go of everybody who waits. Returns how many callbacks
    /// panicked.
    pub(crate) fn complete(
        mut self,
        base_offset: Option<i64>,
        log_append_time: Option<i64>,
    ) -> usize {
        self.finish(Outcome::Written {
            base_offset,
            log_append_time,
        })
    }

    /// The batch failed, with all its records alike. Java: `completeExceptionally`, `abort`.
    #[cfg(test)]
    pub(crate) fn fail(self, error: KafkaError) -> usize {
        self.fail_records(error, Vec::new())
    }

    /// The batch failed, and some of its records have a reason of their own; those stand in the order of their index.
    pub(crate) fn fail_records(
        mut self,
        error: KafkaError,
        of_records: Vec<(u32, KafkaError)>,
    ) -> usize {
        let error = self.with_story(error);
        let of_records = of_records
            .into_iter()
            .map(|(index, error)| (index, self.with_story(error)))
            .collect();
        self.finish(Outcome::Failed { error, of_records })
    }

    fn with_story(&self, error: KafkaError) -> KafkaError {
        error
            .with_attempts(self.attempts().to_vec())
            .with_persisted(self.persisted())
    }

    fn finish(&mut self, outcome: Outcome) -> usize {
        self.release();
        let mut panicked = 0;
        for (record, callback) in mem::take(&mut self.callbacks) {
            let metadata = record.metadata(&self.result, &outcome);
            let ended_well = run(self.result.topic_partition(), callback, metadata);
            panicked += usize::from(!ended_well);
        }
        self.result.open(outcome);
        panicked
    }

    fn release(&mut self) {
        if let Records::Open(open) = mem::replace(&mut self.records, Records::Gone) {
            open.release();
        }
    }
}

impl From<Contents> for ProducerBatch {
    fn from(contents: Contents) -> Self {
        Self {
            contents: Box::new(contents),
        }
    }
}

impl Deref for ProducerBatch {
    type Target = Contents;
    #[inline]
    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl DerefMut for ProducerBatch {
    #[inline]
    fn deref_mut(&mut self) -> &mut Contents {
        &mut self.contents
    }
}

impl Drop for ProducerBatch {
    // Whatever goes wrong, nobody waits forever for a batch that does not exist any more.
    fn drop(&mut self) {
        if self.result.outcome().is_none() {
            let error =
                KafkaError::new(ErrorKind::Kafka, "the batch was dropped before it was done");
            let error = self.with_story(error);
            self.finish(Outcome::Failed {
                error,
                of_records: Vec::new(),
            });
        }
    }
}

impl fmt::Debug for ProducerBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProducerBatch")
            .field("topic_partition", self.topic_partition())
            .field("record_count", &self.record_count())
            .field("identity", &self.identity)
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

/// Runs a callback; one that panics harms neither the others nor the thread. Returns whether it ended well.
fn run(
    tp: &TopicPartition,
    callback: Callback,
    metadata: Result<RecordMetadata, KafkaError>,
) -> bool {
    let called = catch_unwind(AssertUnwindSafe(|| callback(metadata)));
    if let Err(panic) = &called {
        let text = panic_text(panic.as_ref());
        log::error!("the callback of a record for {tp} panicked: {text}");
    }
    called.is_ok()
}

/// For so many callbacks of further records there is room from the first one on, at most.
const CALLBACKS_AT_FIRST: usize = 1023;

#[cfg(test)]
mod tests;
