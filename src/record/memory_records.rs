//! A read-only view over the batches of any format that follow each other in memory.
//!
//! Java: `common/record/MemoryRecords.java`, `common/record/ByteBufferLogInputStream.java`.
//! Differs: batches and records are slices that share the memory; a limit on decompressed bytes comes with each reading.
//! Threads: plain data. Locks: none.

use crate::common::payload::Payload;
use crate::protocol::byte_utils;
use crate::record::default_record::Record;
use crate::record::default_record_batch::{self, DefaultRecordBatch, RECORD_BATCH_OVERHEAD};
use crate::record::legacy_record_batch::LegacyRecordBatch;
use crate::record::record_batch::{HEADER_SIZE_UP_TO_MAGIC, LOG_OVERHEAD, TimestampType};
use crate::record::record_error::RecordError;

/// Bytes that hold batches.
#[derive(Debug, Clone, Default)]
pub(crate) struct MemoryRecords {
    bytes: Payload,
}

impl MemoryRecords {
    pub(crate) fn new(bytes: impl Into<Payload>) -> Self {
        Self {
            bytes: bytes.into(),
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes.len()
    }

    /// The batches in their order. A batch that the end of the memory cuts off is left out, as a fetch may end inside one.
    pub(crate) fn batches(&self) -> Batches {
        Batches {
            bytes: self.bytes.clone(),
            position: 0,
        }
    }

    /// All records of all batches, or what is wrong with the first that cannot be read.
    pub(crate) fn records(&self) -> Result<Vec<Record>, RecordError> {
        let mut records = Vec::new();
        for batch in self.batches() {
            for record in batch?.records()? {
                records.push(record?);
            }
        }
        Ok(records)
    }
}

/// The batches of a [`MemoryRecords`]; stops after the first whose size or format cannot be.
#[derive(Debug, Clone)]
pub(crate) struct Batches {
    bytes: Payload,
    position: usize,
}

impl Batches {
    /// How many bytes whole batches took so far: at the end, fewer than all where the last batch is cut off.
    pub(crate) fn position(&self) -> usize {
        self.position
    }

    fn read_next(&mut self) -> Result<Option<RecordBatch>, RecordError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let Some((size, magic)) = size_and_magic(rest)? else {
            return Ok(None);
        };
        let end = self.position.saturating_add(size);
        let Some(bytes) = self.bytes.slice(self.position..end) else {
            return Ok(None);
        };
        let batch = match magic {
            0 | 1 => RecordBatch::Legacy(LegacyRecordBatch::read(bytes)?),
            _ => RecordBatch::Default(DefaultRecordBatch::read(bytes)?),
        };
        self.position = end;
        Ok(Some(batch))
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read_next();
        if next.is_err() {
            self.bytes = Payload::default();
        }
        next.transpose()
    }
}

/// A batch of any format.
#[derive(Debug, Clone)]
pub(crate) enum RecordBatch {
    Default(DefaultRecordBatch),
    Legacy(LegacyRecordBatch),
}

impl RecordBatch {
    pub(crate) fn magic(&self) -> i8 {
        match self {
            Self::Default(_) => default_record_batch::MAGIC,
            Self::Legacy(batch) => batch.magic(),
        }
    }

    /// The batch of format 2, where it is one.
    pub(crate) fn as_default(&self) -> Option<&DefaultRecordBatch> {
        match self {
            Self::Default(batch) => Some(batch),
            Self::Legacy(_) => None,
        }
    }

    /// The bytes of the whole batch.
    pub(crate) fn bytes(&self) -> &Payload {
        match self {
            Self::Default(batch) => batch.bytes(),
            Self::Legacy(batch) => batch.bytes(),
        }
    }

    pub(crate) fn size(&self) -> usize {
        self.bytes().len()
    }

    /// Whose clock the timestamps come from; format 0 has none.
    pub(crate) fn timestamp_type(&self) -> Option<TimestampType> {
        match self {
            Self::Default(batch) => Some(batch.header().attributes.timestamp_type()),
            Self::Legacy(batch) => batch.timestamp_type(),
        }
    }

    pub(crate) fn max_timestamp(&self) -> i64 {
        match self {
            Self::Default(batch) => batch.header().max_timestamp,
            Self::Legacy(batch) => batch.max_timestamp(),
        }
    }

    pub(crate) fn last_offset(&self) -> i64 {
        match self {
            Self::Default(batch) => batch.last_offset(),
            Self::Legacy(batch) => batch.last_offset(),
        }
    }

    /// Refuses a batch whose bytes are not those that were written.
    pub(crate) fn ensure_valid(&self) -> Result<(), RecordError> {
        match self {
            Self::Default(batch) => batch.ensure_valid(),
            Self::Legacy(batch) => batch.ensure_valid(),
        }
    }

    /// The records one by one; decompressed they may take [`DECOMPRESSION_LIMIT`] bytes.
    pub(crate) fn records(
        &self,
    ) -> Result<impl Iterator<Item = Result<Record, RecordError>> + use<>, RecordError> {
        self.records_within(DECOMPRESSION_LIMIT)
    }

    /// The records one by one; decompressed they may take `limit` bytes.
    pub(crate) fn records_within(
        &self,
        limit: usize,
    ) -> Result<impl Iterator<Item = Result<Record, RecordError>> + use<>, RecordError> {
        let (default, legacy) = match self {
            Self::Default(batch) => (Some(batch.records(limit)?), None),
            Self::Legacy(batch) => (None, Some(batch.records(limit)?)),
        };
        let legacy = legacy.into_iter().flatten().map(Ok);
        Ok(default.into_iter().flatten().chain(legacy))
    }
}

/// The size of the batch at the front of `input`, and its format; nothing where not even that is there.
fn size_and_magic(mut input: &[u8]) -> Result<Option<(usize, i8)>, RecordError> {
    if input.len() < HEADER_SIZE_UP_TO_MAGIC {
        return Ok(None);
    }
    byte_utils::take(&mut input, size_of::<i64>())?;
    let length = byte_utils::read_i32(&mut input)?;
    byte_utils::take(&mut input, size_of::<i32>())?;
    let magic = byte_utils::read_i8(&mut input)?;
    let overhead = match magic {
        0 => LEGACY_OVERHEAD_V0,
        1 => LEGACY_OVERHEAD_V1,
        default_record_batch::MAGIC => RECORD_BATCH_OVERHEAD - LOG_OVERHEAD,
        _ => {
            return Err(RecordError::Batch {
                field: "magic",
                value: magic.into(),
            });
        }
    };
    usize::try_from(length)
        .ok()
        .filter(|length| *length >= overhead)
        .map(|length| Some((LOG_OVERHEAD.saturating_add(length), magic)))
        .ok_or(RecordError::Batch {
            field: "length",
            value: length.into(),
        })
}

/// What the records of one batch may take in memory: as much as the largest frame.
pub(crate) const DECOMPRESSION_LIMIT: usize = 100 * 1024 * 1024;

/// Checksum, magic, attributes, two lengths; a timestamp from format 1.
const LEGACY_OVERHEAD_V0: usize = 14;
const LEGACY_OVERHEAD_V1: usize = 22;

#[cfg(test)]
mod tests;
