//! What `send` returns: the promise of one record's metadata.
//!
//! Java: `clients/producer/internals/FutureRecordMetadata.java`.
//! Differs: a clone of the batch's result plus a few numbers, no allocation; follows a split batch into its parts
//! instead of growing a chain; is a `std::future::Future` too; refuses to wait on the I/O thread.
//! Threads: any but the I/O thread may wait. Locks: `ProduceRequestResult` (leaf), while waiting.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::common::cluster::TopicPartition;
use crate::common::kafka_error::{KafkaError, TimeLimit};
use crate::common::planted::planted;
use crate::common::time::{SystemTime, Time, deadline};
use crate::producer::internals::produce_request_result::{Outcome, Part, ProduceRequestResult};
use crate::producer::record_metadata::RecordMetadata;
use crate::record::default_record::RecordToAppend;

/// The promise of one record's metadata.
///
/// A thread that waits ([`get`](Self::get), [`get_timeout`](Self::get_timeout), or by awaiting) makes the record's
/// batch leave at once, whatever `linger.ms` says. Dropping the promise does not cancel the record.
#[must_use = "the record's fate is known only here, unless the send has a callback"]
#[derive(Debug, Clone)]
pub struct FutureRecordMetadata {
    inner: Inner,
}

#[derive(Debug, Clone)]
enum Inner {
    Appended {
        result: Arc<ProduceRequestResult>,
        record: AppendedRecord,
    },
    /// The record was refused before it reached a batch.
    Refused(KafkaError),
}

/// What a record's metadata needs to know besides the batch's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AppendedRecord {
    /// The record's place in its batch, from 0.
    pub(crate) index: u32,
    pub(crate) timestamp: i64,
    /// The serialized sizes; -1 for none.
    pub(crate) key_size: i32,
    pub(crate) value_size: i32,
}

impl AppendedRecord {
    #[inline(always)]
    pub(crate) fn new<H>(index: u32, record: &RecordToAppend<'_, H>) -> Self {
        Self {
            index,
            timestamp: record.timestamp,
            key_size: size_of(record.key),
            value_size: size_of(record.value),
        }
    }

    /// The bytes of key and value.
    pub(crate) fn payload_size(&self) -> usize {
        let sizes = [self.key_size, self.value_size];
        sizes
            .iter()
            .map(|size| usize::try_from(*size).unwrap_or(0))
            .sum()
    }
}

impl FutureRecordMetadata {
    #[inline]
    pub(crate) fn new(result: Arc<ProduceRequestResult>, record: AppendedRecord) -> Self {
        Self {
            inner: Inner::Appended { result, record },
        }
    }

    /// A promise that is already broken.
    pub(crate) fn refused(error: KafkaError) -> Self {
        Self {
            inner: Inner::Refused(error),
        }
    }

    /// Where the record was appended, if it was.
    pub(crate) fn topic_partition(&self) -> Option<&TopicPartition> {
        match &self.inner {
            Inner::Appended { result, .. } => Some(result.topic_partition()),
            Inner::Refused(_) => None,
        }
    }

    /// Waits for the record's outcome, which comes within `delivery.timeout.ms` of the send.
    ///
    /// # Errors
    /// Why the record failed; or [`IllegalState`](crate::ErrorKind::IllegalState) in a callback, which runs on the
    /// thread that would have to bring the outcome.
    pub fn get(&self) -> Result<RecordMetadata, KafkaError> {
        self.wait_until(None)
            .unwrap_or_else(|| unreachable!("a wait without a limit ends with an outcome"))
    }

    /// Waits for the record's outcome, but no longer than `timeout`.
    ///
    /// # Errors
    /// As [`get`](Self::get); or a [`Timeout`](crate::ErrorKind::Timeout) of [`TimeLimit::Call`], after which the record
    /// is still on its way and the call may be repeated.
    pub fn get_timeout(&self, timeout: Duration) -> Result<RecordMetadata, KafkaError> {
        let until = deadline(SystemTime.now(), timeout);
        self.wait_until(Some(until)).unwrap_or_else(|| {
            Err(KafkaError::timeout(
                TimeLimit::Call,
                format!("the record has no outcome after {} ms", timeout.as_millis()),
            ))
        })
    }

    /// The record's outcome where it is known, without waiting.
    pub fn try_get(&self) -> Option<Result<RecordMetadata, KafkaError>> {
        match self.look() {
            Look::Done(outcome) => Some(outcome),
            Look::Open(_) => None,
        }
    }

    /// Whether the record's outcome is known.
    pub fn is_done(&self) -> bool {
        matches!(self.look(), Look::Done(_))
    }

    /// Waits for the outcomes of many records, in their order.
    ///
    /// All their batches leave at once, so this takes about as long as the slowest of them.
    pub fn get_all<'a>(
        futures: impl IntoIterator<Item = &'a FutureRecordMetadata>,
    ) -> Vec<Result<RecordMetadata, KafkaError>> {
        let futures: Vec<_> = futures.into_iter().collect();
        for future in &futures {
            if let Look::Open(result) = future.look() {
                result.want();
            }
        }
        futures.into_iter().map(Self::get).collect()
    }

    /// Nothing means that the deadline passed.
    fn wait_until(&self, deadline: Option<Instant>) -> Option<Result<RecordMetadata, KafkaError>> {
        loop {
            match self.look() {
                Look::Done(outcome) => return Some(outcome),
                Look::Open(result) => {
                    if result.is_io_thread() {
                        return Some(Err(waits_for_itself()));
                    }
                    if let Err(forked) = result.check_process() {
                        return Some(Err(forked));
                    }
                    result.bring(deadline);
                    result.want();
                    result.wait(deadline)?;
                }
            }
        }
    }

    /// Follows the record through splits to the batch that has it now.
    fn look(&self) -> Look<'_> {
        let (mut result, mut record) = match &self.inner {
            Inner::Refused(error) => return Look::Done(Err(error.clone())),
            Inner::Appended { result, record } => (result, *record),
        };
        loop {
            match result.outcome() {
                None => return Look::Open(result),
                Some(Outcome::Split(parts)) => {
                    let part = part_of(parts, record.index);
                    record.index -= part.first;
                    result = &part.result;
                }
                Some(outcome) => return Look::Done(record.metadata(result, outcome)),
            }
        }
    }
}

impl Future for FutureRecordMetadata {
    type Output = Result<RecordMetadata, KafkaError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match self.look() {
                Look::Done(outcome) => return Poll::Ready(outcome),
                Look::Open(result) => {
                    if let Err(forked) = result.check_process() {
                        return Poll::Ready(Err(forked));
                    }
                    result.want();
                    if result.wake_when_open(context.waker()) {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl AppendedRecord {
    /// The record's part of the batch's outcome.
    pub(crate) fn metadata(
        &self,
        result: &ProduceRequestResult,
        outcome: &Outcome,
    ) -> Result<RecordMetadata, KafkaError> {
        match outcome {
            Outcome::Written {
                base_offset,
                log_append_time,
            } => Ok(RecordMetadata::new(
                result.topic_partition().clone(),
                base_offset.map(|base| {
                    if planted!("offset-of-the-batch") {
                        base
                    } else {
                        base + i64::from(self.index)
                    }
                }),
                log_append_time.unwrap_or(self.timestamp),
                u32::try_from(self.key_size).ok(),
                u32::try_from(self.value_size).ok(),
            )),
            Outcome::Failed { error, of_records } => {
                let own = of_records
                    .binary_search_by_key(&self.index, |(index, _)| *index)
                    .ok()
                    .and_then(|at| of_records.get(at));
                Err(own.map_or(error, |(_, own)| own).clone())
            }
            Outcome::Split(_) => {
                unreachable!("a record is followed into its part before it is asked")
            }
        }
    }
}

enum Look<'a> {
    Done(Result<RecordMetadata, KafkaError>),
    Open(&'a Arc<ProduceRequestResult>),
}

#[inline(always)]
fn size_of(bytes: Option<&[u8]>) -> i32 {
    // `max.request.size` is an i32, so the size of a record is one.
    bytes.map_or(-1, |bytes| bytes.len() as i32)
}

/// Parts stand in the order of their records and the first begins at 0, so there is always one.
fn part_of(parts: &[Part], index: u32) -> &Part {
    let after = parts.partition_point(|part| part.first <= index);
    parts
        .get(after.saturating_sub(1))
        .expect("a split batch has parts")
}

fn waits_for_itself() -> KafkaError {
    KafkaError::illegal_state(
        "get was called on the I/O thread (inside a callback), which is the thread that completes records",
    )
}
