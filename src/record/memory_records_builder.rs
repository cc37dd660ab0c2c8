//! Builds the body of one batch: records are written plain into memory that the caller provides, and sealed once.
//!
//! Java: `common/record/MemoryRecordsBuilder.java`.
//! Differs: the body is compressed when it is sealed, in one go, so an open batch holds no codec; the header does not belong
//! to the body; memory grows only by what the caller gives; a sealed batch is a type of its own and never reopens.
//! Threads: under the lock of the partition's queue, then the I/O thread. Locks: none of its own.

use std::sync::Arc;

use crate::common::cluster::{ProducerIdAndEpoch, Sequence};
use crate::common::kafka_error::KafkaError;
use crate::common::payload::{Lender, Payload};
use crate::record::checksum::BatchChecksum;
use crate::record::compression::{Compression, CompressorPool};
use crate::record::compression_type::CompressionType;
use crate::record::default_record::{
    PlacedRecord, RecordContext, RecordDeltas, RecordHeader, RecordToAppend,
};
use crate::record::default_record_batch::{BatchHeader, RECORD_BATCH_OVERHEAD, Records};
use crate::record::memory_records::DECOMPRESSION_LIMIT;
use crate::record::record_batch::{
    Attributes, NO_PARTITION_LEADER_EPOCH, NO_SEQUENCE, NO_TIMESTAMP, TimestampType,
};
use crate::record::record_error::RecordError;

/// An open batch.
#[derive(Debug)]
pub(crate) struct MemoryRecordsBuilder {
    /// The records so far. Invariant: `append` never makes it grow beyond its capacity.
    body: Vec<u8>,
    /// How much of them there may be.
    capacity: usize,
    compression: Compression,
    /// Compressed size over plain size, as the estimator guessed when the batch was opened.
    estimated_ratio: f32,
    /// How large the batch should become, header included.
    write_limit: usize,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
    closed: bool,
}

impl MemoryRecordsBuilder {
    /// A batch without records, whose first ones go into `memory`.
    pub(crate) fn new(
        memory: Vec<u8>,
        write_limit: usize,
        compression: Compression,
        estimated_ratio: f32,
    ) -> Self {
        let mut body = memory;
        body.clear();
        Self {
            capacity: body.capacity().min(MAX_BODY_SIZE),
            body,
            compression,
            estimated_ratio,
            write_limit,
            count: 0,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
            closed: false,
        }
    }

    /// The bytes that this record would take as the next one of the batch, exactly and not compressed.
    #[inline]
    pub(crate) fn size_of_next<H: RecordHeader>(
        &self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[H],
    ) -> usize {
        let record = RecordToAppend::new(timestamp, key, value, headers);
        self.place(&record).size()
    }

    /// Whether a record of `size` bytes may still join: the first one always, the others while the estimate allows it.
    #[inline]
    pub(crate) fn has_room_for(&self, size: usize) -> bool {
        !self.closed && (self.count == 0 || self.estimated_size() + size <= self.write_limit)
    }

    /// The bytes that can be written before the memory has to [grow](Self::grow_into).
    #[inline]
    pub(crate) fn spare_capacity(&self) -> usize {
        self.capacity - self.body.len()
    }

    /// Adds a record, and tells which one of the batch it is, from 0. Its memory must have been provided.
    #[inline]
    pub(crate) fn append<H: RecordHeader>(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[H],
    ) -> Result<u32, KafkaError> {
        let record = RecordToAppend::new(timestamp, key, value, headers);
        self.append_placed(&self.place(&record))
    }

    /// A record as the next one, which decides about its size.
    #[inline]
    pub(crate) fn place<'r, H: RecordHeader>(
        &self,
        record: &'r RecordToAppend<'_, H>,
    ) -> PlacedRecord<'r, H> {
        record.at(self.deltas(record.timestamp))
    }

    /// As [`append`](Self::append), for a record that was [placed](Self::place) to see whether it has room.
    pub(crate) fn append_placed<H: RecordHeader>(
        &mut self,
        record: &PlacedRecord<'_, H>,
    ) -> Result<u32, KafkaError> {
        let is_legal = record.timestamp() >= NO_TIMESTAMP;
        if self.closed || !is_legal || record.size() > self.spare_capacity() {
            return Err(self.refusal(record.timestamp(), record.size()));
        }
        Ok(self.write(record))
    }

    /// As [`append`](Self::append), where the record is not the first one and has room in the batch and in the memory as
    /// it is.
    #[inline(always)]
    pub(crate) fn append_where_it_fits<H: RecordHeader>(
        &mut self,
        record: &RecordToAppend<'_, H>,
    ) -> Option<Joined> {
        if self.count == 0 {
            return None;
        }
        debug_assert!(record.timestamp >= NO_TIMESTAMP, "`send` refuses it");
        let record = self.place(record);
        if !self.has_room_for(record.size()) || record.size() > self.spare_capacity() {
            return None;
        }
        Some(Joined {
            index: self.write(&record),
            size: record.size(),
            fills: self.write_limit <= self.estimated_size(),
        })
    }

    #[inline(always)]
    fn write<H: RecordHeader>(&mut self, record: &PlacedRecord<'_, H>) -> u32 {
        record.write(&mut self.body);
        if self.count == 0 {
            self.base_timestamp = record.timestamp();
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp());
        let index = self.count;
        self.count += 1;
        index
    }

    /// Goes on in more memory; hands back the old one.
    pub(crate) fn grow_into(&mut self, bigger: Vec<u8>) -> Vec<u8> {
        let mut memory = bigger;
        memory.clear();
        memory.extend_from_slice(&self.body);
        self.capacity = memory.capacity().min(MAX_BODY_SIZE);
        std::mem::replace(&mut self.body, memory)
    }

    /// How large the whole batch will be: exact without compression, else a guess.
    #[inline]
    pub(crate) fn estimated_size(&self) -> usize {
        let plain = self.body.len();
        if self.compression.codec() == CompressionType::None {
            return RECORD_BATCH_OVERHEAD + plain;
        }
        RECORD_BATCH_OVERHEAD + estimated(plain, self.estimated_ratio)
    }

    /// Whether no further record should join.
    #[inline]
    pub(crate) fn is_full(&self) -> bool {
        self.closed || (self.count > 0 && self.write_limit <= self.estimated_size())
    }

    /// No record joins any more, room or not.
    pub(crate) fn close_for_record_appends(&mut self) {
        self.closed = true;
    }

    pub(crate) fn record_count(&self) -> u32 {
        self.count
    }

    /// The bytes of the records so far, not compressed and without a header.
    pub(crate) fn plain_size(&self) -> usize {
        self.body.len()
    }

    /// The same batch, to be sealed as it stands.
    pub(crate) fn without_compression(self) -> Self {
        Self {
            compression: Compression::NONE,
            ..self
        }
    }

    /// Gives up the batch; hands back its memory.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.body
    }

    /// Compresses the records. `lender` gets the memory back with the last owner of the body.
    ///
    /// A body that a codec cannot take goes out as it is, since every broker reads that too.
    pub(crate) fn seal(
        self,
        compressors: &mut CompressorPool,
        lender: Option<Arc<dyn Lender>>,
    ) -> SealedRecords {
        let plain_size = self.body.len();
        let mut codec = self.compression.codec();
        let mut body = self.body;
        let mut replaced = None;
        if codec != CompressionType::None {
            match compressors.compress(self.compression, &body) {
                Ok(compressed) if compressed.len() <= body.capacity() => {
                    // What is far too large for what is left of the records serves others better.
                    let smaller = lender
                        .as_ref()
                        .filter(|_| compressed.len() <= body.capacity() / 4)
                        .and_then(|lender| lender.try_lend(compressed.len()));
                    if let (Some(smaller), Some(lender)) = (smaller, &lender) {
                        lender.take_back(std::mem::replace(&mut body, smaller));
                    }
                    body.clear();
                    body.extend_from_slice(compressed);
                }
                Ok(compressed) => {
                    replaced = Some(std::mem::replace(&mut body, compressed.to_vec()))
                }
                Err(error) => {
                    log::error!("a batch goes out uncompressed: {error}");
                    codec = CompressionType::None;
                }
            }
        }
        let body = match (lender, replaced) {
            (None, _) => Payload::new(body),
            (Some(lender), None) => Payload::lent(body, lender),
            (Some(lender), Some(memory)) => {
                lender.take_back(memory);
                Payload::new(body)
            }
        };
        SealedRecords {
            body,
            checksum: BatchChecksum::default(),
            codec,
            plain_size,
            count: self.count,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
        }
    }

    #[inline]
    fn deltas(&self, timestamp: i64) -> RecordDeltas {
        RecordDeltas {
            timestamp: if self.count == 0 {
                0
            } else {
                timestamp.wrapping_sub(self.base_timestamp)
            },
            offset: self.count,
        }
    }

    #[cold]
    fn refusal(&self, timestamp: i64, size: usize) -> KafkaError {
        if self.closed {
            return KafkaError::illegal_state("batch is closed for appends");
        }
        if timestamp < NO_TIMESTAMP {
            return KafkaError::illegal_argument(format!("timestamp {timestamp} is negative"));
        }
        KafkaError::illegal_state(format!(
            "record of {size} bytes does not fit into the {} bytes left of the batch's memory",
            self.spare_capacity()
        ))
    }
}

/// A record that has joined a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joined {
    /// Which one of the batch it is, from 0.
    pub(crate) index: u32,
    /// The bytes that it took.
    pub(crate) size: usize,
    /// Whether no further record should join.
    pub(crate) fills: bool,
}

/// The records of a batch that takes no more: immutable, shared with every pending write.
#[derive(Debug, Clone)]
pub(crate) struct SealedRecords {
    body: Payload,
    checksum: BatchChecksum,
    codec: CompressionType,
    plain_size: usize,
    count: u32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl SealedRecords {
    /// The header for one attempt. A large body is not read again.
    pub(crate) fn header(
        &self,
        producer: ProducerIdAndEpoch,
        base_sequence: Option<Sequence>,
        transactional: bool,
    ) -> [u8; RECORD_BATCH_OVERHEAD] {
        let count = i32::try_from(self.count).unwrap_or(i32::MAX);
        let header = BatchHeader {
            base_offset: 0,
            partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
            attributes: Attributes::produced(self.codec, transactional),
            last_offset_delta: count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            producer,
            base_sequence: base_sequence.map_or(NO_SEQUENCE, Sequence::to_wire),
            count,
        };
        header.encode(&self.body, &self.checksum)
    }

    /// The records as they follow the header, compressed or not.
    pub(crate) fn body(&self) -> &Payload {
        &self.body
    }

    pub(crate) fn codec(&self) -> CompressionType {
        self.codec
    }

    pub(crate) fn record_count(&self) -> u32 {
        self.count
    }

    /// The bytes of the whole batch, header included.
    pub(crate) fn size(&self) -> usize {
        RECORD_BATCH_OVERHEAD + self.body.len()
    }

    /// Compressed size over plain size, without the header: what the estimator wants to know.
    pub(crate) fn compression_ratio(&self) -> f32 {
        if self.plain_size == 0 {
            return 1.0;
        }
        self.body.len() as f32 / self.plain_size as f32
    }

    /// The records, read back, with offsets from 0: a batch that is too large is built anew from them.
    pub(crate) fn records(&self) -> Result<Records, RecordError> {
        let context = RecordContext {
            base_offset: 0,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.max_timestamp,
            timestamp_type: TimestampType::CreateTime,
        };
        let limit = DECOMPRESSION_LIMIT.max(self.plain_size);
        Records::read(self.body.clone(), self.codec, self.count, context, limit)
    }
}

/// The most bytes that a batch with this record alone can take, header included and not compressed.
pub(crate) fn estimate_size_upper_bound<H: RecordHeader>(record: &RecordToAppend<'_, H>) -> usize {
    RECORD_BATCH_OVERHEAD + record.size_upper_bound()
}

/// A guess with a margin, as the real ratio moves around the guess.
#[inline(never)]
#[expect(clippy::cast_possible_truncation, reason = "rounds down, as Java does")]
fn estimated(plain: usize, ratio: f32) -> usize {
    (plain as f32 * ratio * ESTIMATION_MARGIN) as usize
}

const ESTIMATION_MARGIN: f32 = 1.05;

/// So much that even what a codec adds to it stays below the largest length that a header can state, and as many records
/// as are counted in an `int` do not fit.
const MAX_BODY_SIZE: usize = 1 << 30;

#[cfg(test)]
mod tests;
