//! A batch of format 2: its header, rebuilt for each attempt, and its body, read back record by record.
//!
//! Java: `common/record/DefaultRecordBatch.java`.
//! Differs: the header is bytes of its own, so producer id, epoch and sequence change without touching the body, and the
//! checksum follows without reading the body again; reading slices the memory and copies only what was compressed.
//! Threads: plain data. Locks: none.

use std::io::{self, Write};

use byteorder::{BigEndian, WriteBytesExt};

use crate::common::cluster::ProducerIdAndEpoch;
use crate::common::payload::Payload;
use crate::protocol::byte_utils;
use crate::record::checksum::{BatchChecksum, crc32c};
use crate::record::compression;
use crate::record::compression_type::CompressionType;
use crate::record::default_record::{self, Record, RecordContext};
use crate::record::record_batch::{Attributes, LOG_OVERHEAD};
use crate::record::record_error::RecordError;

/// The bytes of a batch before its records.
pub(crate) const RECORD_BATCH_OVERHEAD: usize = 61;

/// The only format that we write.
pub(crate) const MAGIC: i8 = 2;

/// The fields of a batch's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchHeader {
    pub(crate) base_offset: i64,
    pub(crate) partition_leader_epoch: i32,
    pub(crate) attributes: Attributes,
    pub(crate) last_offset_delta: i32,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) producer: ProducerIdAndEpoch,
    /// As on the wire: -1 where the batch is not numbered.
    pub(crate) base_sequence: i32,
    pub(crate) count: i32,
}

impl BatchHeader {
    /// The header as it stands before that body.
    pub(crate) fn encode(
        &self,
        body: &[u8],
        checksum: &BatchChecksum,
    ) -> [u8; RECORD_BATCH_OVERHEAD] {
        self.encode_with(body.len(), |checked| checksum.of(checked, body))
    }

    fn encode_with(
        &self,
        body_size: usize,
        checksum: impl FnOnce(&[u8]) -> u32,
    ) -> [u8; RECORD_BATCH_OVERHEAD] {
        let checked = self
            .checked_fields()
            .expect("the checked part of a header has 40 bytes");
        self.all_fields(&checked, body_size, checksum(&checked))
            .expect("a header has 61 bytes")
    }

    /// The part that the checksum covers: what no broker changes.
    fn checked_fields(&self) -> io::Result<[u8; CHECKED_SIZE]> {
        let mut bytes = [0; CHECKED_SIZE];
        let mut output = bytes.as_mut_slice();
        output.write_i16::<BigEndian>(self.attributes.0)?;
        output.write_i32::<BigEndian>(self.last_offset_delta)?;
        output.write_i64::<BigEndian>(self.base_timestamp)?;
        output.write_i64::<BigEndian>(self.max_timestamp)?;
        output.write_i64::<BigEndian>(self.producer.producer_id)?;
        output.write_i16::<BigEndian>(self.producer.epoch)?;
        output.write_i32::<BigEndian>(self.base_sequence)?;
        output.write_i32::<BigEndian>(self.count)?;
        Ok(bytes)
    }

    fn all_fields(
        &self,
        checked: &[u8],
        body_size: usize,
        checksum: u32,
    ) -> io::Result<[u8; RECORD_BATCH_OVERHEAD]> {
        let length = RECORD_BATCH_OVERHEAD - LOG_OVERHEAD + body_size;
        let mut bytes = [0; RECORD_BATCH_OVERHEAD];
        let mut output = bytes.as_mut_slice();
        output.write_i64::<BigEndian>(self.base_offset)?;
        output.write_i32::<BigEndian>(i32::try_from(length).map_err(io::Error::other)?)?;
        output.write_i32::<BigEndian>(self.partition_leader_epoch)?;
        output.write_i8(MAGIC)?;
        output.write_u32::<BigEndian>(checksum)?;
        output.write_all(checked)?;
        Ok(bytes)
    }
}

/// A batch of format 2 in memory.
#[derive(Debug, Clone)]
pub(crate) struct DefaultRecordBatch {
    header: BatchHeader,
    checksum: u32,
    /// The whole batch, header included.
    bytes: Payload,
}

impl DefaultRecordBatch {
    /// The batch that these bytes are, from the first to the last.
    pub(crate) fn read(bytes: Payload) -> Result<Self, RecordError> {
        let mut input: &[u8] = &bytes;
        let base_offset = byte_utils::read_i64(&mut input)?;
        let length = byte_utils::read_i32(&mut input)?;
        if usize::try_from(length).ok() != Some(input.len()) {
            return Err(invalid("length", length));
        }
        let partition_leader_epoch = byte_utils::read_i32(&mut input)?;
        let magic = byte_utils::read_i8(&mut input)?;
        if magic != MAGIC {
            return Err(invalid("magic", magic));
        }
        let checksum = byte_utils::read_u32(&mut input)?;
        let header = BatchHeader {
            base_offset,
            partition_leader_epoch,
            attributes: Attributes(byte_utils::read_i16(&mut input)?),
            last_offset_delta: byte_utils::read_i32(&mut input)?,
            base_timestamp: byte_utils::read_i64(&mut input)?,
            max_timestamp: byte_utils::read_i64(&mut input)?,
            producer: ProducerIdAndEpoch {
                producer_id: byte_utils::read_i64(&mut input)?,
                epoch: byte_utils::read_i16(&mut input)?,
            },
            base_sequence: byte_utils::read_i32(&mut input)?,
            count: byte_utils::read_i32(&mut input)?,
        };
        Ok(Self {
            header,
            checksum,
            bytes,
        })
    }

    pub(crate) fn header(&self) -> &BatchHeader {
        &self.header
    }

    pub(crate) fn bytes(&self) -> &Payload {
        &self.bytes
    }

    /// The records as they stand after the header, compressed or not.
    pub(crate) fn body(&self) -> Payload {
        self.bytes
            .slice(RECORD_BATCH_OVERHEAD..self.bytes.len())
            .unwrap_or_default()
    }

    /// Refuses a batch whose bytes are not those that were written.
    pub(crate) fn ensure_valid(&self) -> Result<(), RecordError> {
        let checked = self.bytes.get(CHECKED_FROM..).unwrap_or_default();
        let computed = crc32c(checked);
        if computed == self.checksum {
            return Ok(());
        }
        Err(RecordError::Checksum {
            stored: self.checksum,
            computed,
        })
    }

    /// The offset of the last record, which stays the same when compaction removes records.
    pub(crate) fn last_offset(&self) -> i64 {
        let delta = i64::from(self.header.last_offset_delta);
        self.header.base_offset.saturating_add(delta)
    }

    /// Reads the records, which may take at most `limit` bytes once they are decompressed.
    pub(crate) fn records(&self, limit: usize) -> Result<Records, RecordError> {
        let header = &self.header;
        let context = RecordContext {
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            max_timestamp: header.max_timestamp,
            timestamp_type: header.attributes.timestamp_type(),
        };
        let count = header.count;
        let count = u32::try_from(count).map_err(|_| invalid("record count", count))?;
        Records::read(
            self.body(),
            header.attributes.codec()?,
            count,
            context,
            limit,
        )
    }

    /// The batch as a broker appends it: at its offset, under its leader's epoch, and with the broker's time where the
    /// topic wants that. A new header, and the body as it was.
    pub(crate) fn appended(
        &self,
        base_offset: i64,
        partition_leader_epoch: i32,
        log_append_time: Option<i64>,
    ) -> [Payload; 2] {
        let mut header = BatchHeader {
            base_offset,
            partition_leader_epoch,
            ..self.header
        };
        if let Some(now) = log_append_time {
            header.attributes = header.attributes.with_log_append_time();
            header.max_timestamp = now;
        }
        let body = self.body();
        let bytes = header.encode_with(body.len(), |checked| match log_append_time {
            Some(_) => BatchChecksum::default().of(checked, &body),
            // Neither offset nor epoch is covered, so that a broker need not read the body.
            None => self.checksum,
        });
        [Payload::new(bytes.to_vec()), body]
    }
}

/// The records of a batch, one after the other; stops after the first that cannot be read.
#[derive(Debug, Clone)]
pub(crate) struct Records {
    body: Payload,
    position: usize,
    left: u32,
    context: RecordContext,
}

impl Records {
    /// Over a body that is decompressed first where it has to be.
    pub(crate) fn read(
        body: Payload,
        codec: CompressionType,
        count: u32,
        context: RecordContext,
        limit: usize,
    ) -> Result<Self, RecordError> {
        let body = match codec {
            CompressionType::None => body,
            codec => Payload::new(compression::decompress(codec, &body, limit)?),
        };
        Ok(Self {
            body,
            position: 0,
            left: count,
            context,
        })
    }

    fn read_next(&mut self) -> Result<Option<Record>, RecordError> {
        let mut input = self.body.get(self.position..).unwrap_or_default();
        if self.left == 0 {
            return match input.len() {
                0 => Ok(None),
                rest => Err(invalid(
                    "rest after its last record",
                    i64::try_from(rest).unwrap_or(i64::MAX),
                )),
            };
        }
        let record = default_record::read(&self.body, &mut input, self.context)?;
        self.position = self.body.len() - input.len();
        self.left -= 1;
        Ok(Some(record))
    }
}

impl Iterator for Records {
    type Item = Result<Record, RecordError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.read_next();
        if next.is_err() {
            self.left = 0;
            self.position = self.body.len();
        }
        next.transpose()
    }
}

fn invalid(field: &'static str, value: impl Into<i64>) -> RecordError {
    RecordError::Batch {
        field,
        value: value.into(),
    }
}

/// Where the part begins that the checksum covers.
const CHECKED_FROM: usize = 21;
const CHECKED_SIZE: usize = RECORD_BATCH_OVERHEAD - CHECKED_FROM;
