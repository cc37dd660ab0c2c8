//! A message of format 0 or 1, which is a batch of one record, or of many where its value is a compressed set of them.
//!
//! Java: `common/record/AbstractLegacyRecordBatch.java`, `common/record/LegacyRecord.java`.
//! Differs: read only, as brokers of Kafka 4 no longer take these formats; a compressed set is read whole at once.
//! Threads: plain data. Locks: none.

use crate::common::payload::Payload;
use crate::protocol::byte_utils;
use crate::record::compression;
use crate::record::compression_type::CompressionType;
use crate::record::default_record::Record;
use crate::record::record_batch::{Attributes, LOG_OVERHEAD, NO_TIMESTAMP, TimestampType};
use crate::record::record_error::RecordError;

/// A message with its offset.
#[derive(Debug, Clone)]
pub(crate) struct LegacyRecordBatch {
    offset: i64,
    checksum: u32,
    magic: i8,
    attributes: Attributes,
    timestamp: i64,
    key: Option<Payload>,
    value: Option<Payload>,
    /// The whole entry of the log, offset and size included.
    bytes: Payload,
}

impl LegacyRecordBatch {
    /// The message that these bytes are, from the first to the last.
    pub(crate) fn read(bytes: Payload) -> Result<Self, RecordError> {
        let mut input: &[u8] = &bytes;
        let offset = byte_utils::read_i64(&mut input)?;
        let size = byte_utils::read_i32(&mut input)?;
        if usize::try_from(size).ok() != Some(input.len()) {
            return Err(invalid("message size", size));
        }
        let checksum = byte_utils::read_u32(&mut input)?;
        let magic = byte_utils::read_i8(&mut input)?;
        let attributes = Attributes(i16::from(byte_utils::read_i8(&mut input)?));
        let timestamp = match magic {
            0 => NO_TIMESTAMP,
            1 => byte_utils::read_i64(&mut input)?,
            _ => return Err(invalid("magic", magic)),
        };
        let key = read_nullable(&bytes, &mut input)?;
        let value = read_nullable(&bytes, &mut input)?;
        if !input.is_empty() {
            return Err(RecordError::Batch {
                field: "rest after its value",
                value: i64::try_from(input.len()).unwrap_or(i64::MAX),
            });
        }
        Ok(Self {
            offset,
            checksum,
            magic,
            attributes,
            timestamp,
            key,
            value,
            bytes,
        })
    }

    pub(crate) fn bytes(&self) -> &Payload {
        &self.bytes
    }

    pub(crate) fn magic(&self) -> i8 {
        self.magic
    }

    /// The offset of the record, of the last one where there are many.
    pub(crate) fn last_offset(&self) -> i64 {
        self.offset
    }

    /// The timestamp of the record, the highest where there are many; -1 in format 0.
    pub(crate) fn max_timestamp(&self) -> i64 {
        self.timestamp
    }

    /// Refuses a message whose bytes are not those that were written.
    pub(crate) fn ensure_valid(&self) -> Result<(), RecordError> {
        let computed = crc32fast::hash(self.bytes.get(CHECKED_FROM..).unwrap_or_default());
        if computed == self.checksum {
            return Ok(());
        }
        Err(RecordError::Checksum {
            stored: self.checksum,
            computed,
        })
    }

    /// The records, which may take at most `limit` bytes once they are decompressed.
    pub(crate) fn records(&self, limit: usize) -> Result<Vec<Record>, RecordError> {
        match self.attributes.codec()? {
            CompressionType::None => Ok(vec![self.record(self.offset)]),
            // zstd came after these formats (KIP-110).
            CompressionType::Zstd => Err(invalid("codec", self.attributes.0)),
            codec => self.inner_records(codec, limit),
        }
    }

    fn inner_records(
        &self,
        codec: CompressionType,
        limit: usize,
    ) -> Result<Vec<Record>, RecordError> {
        let compressed = self.value.as_deref().unwrap_or_default();
        let plain = Payload::new(match self.magic {
            0 => compression::decompress_magic_0(codec, compressed, limit)?,
            _ => compression::decompress(codec, compressed, limit)?,
        });
        let mut inner = Vec::new();
        let mut position = 0;
        while position < plain.len() {
            let size = entry_size(plain.get(position..).unwrap_or_default())?;
            let bytes = plain.slice(position..position + size).unwrap_or_default();
            let message = Self::read(bytes)?;
            if message.magic != self.magic {
                return Err(invalid("magic inside", message.magic));
            }
            if message.attributes.codec()? != CompressionType::None {
                return Err(invalid("codec inside", message.attributes.0));
            }
            inner.push(message);
            position += size;
        }
        let Some(last) = inner.last() else {
            return Err(invalid("record count", 0));
        };
        // Format 1 counts inside from 0, and the wrapper has the offset of the last (KIP-31).
        let base = if self.magic == 0 {
            0
        } else {
            self.offset
                .checked_sub(last.offset)
                .ok_or(RecordError::Batch {
                    field: "offset inside",
                    value: last.offset,
                })?
        };
        inner
            .iter()
            .map(|message| self.inner_record(message, base))
            .collect()
    }

    fn inner_record(&self, message: &Self, base: i64) -> Result<Record, RecordError> {
        let offset = base.checked_add(message.offset);
        let record = message.record(offset.ok_or(RecordError::Batch {
            field: "offset inside",
            value: message.offset,
        })?);
        Ok(match self.timestamp_type() {
            Some(TimestampType::LogAppendTime) => Record {
                timestamp: self.timestamp,
                ..record
            },
            _ => record,
        })
    }

    /// Whose clock the timestamps come from; format 0 has none.
    pub(crate) fn timestamp_type(&self) -> Option<TimestampType> {
        (self.magic > 0).then(|| self.attributes.timestamp_type())
    }

    fn record(&self, offset: i64) -> Record {
        Record {
            offset,
            timestamp: self.timestamp,
            key: self.key.clone(),
            value: self.value.clone(),
            headers: Vec::new(),
        }
    }
}

/// The bytes of the log entry that starts here, all of which are there.
fn entry_size(mut input: &[u8]) -> Result<usize, RecordError> {
    let left = input.len();
    byte_utils::read_i64(&mut input)?;
    let size = byte_utils::read_i32(&mut input)?;
    usize::try_from(size)
        .ok()
        .and_then(|size| size.checked_add(LOG_OVERHEAD))
        .filter(|size| *size <= left)
        .ok_or_else(|| invalid("message size", size))
}

fn read_nullable(bytes: &Payload, input: &mut &[u8]) -> Result<Option<Payload>, RecordError> {
    let size = byte_utils::read_i32(input)?;
    if size == -1 {
        return Ok(None);
    }
    let size = usize::try_from(size).map_err(|_| invalid("length", size))?;
    let start = bytes.len() - input.len();
    byte_utils::take(input, size)?;
    Ok(bytes.slice(start..start + size))
}

fn invalid(field: &'static str, value: impl Into<i64>) -> RecordError {
    RecordError::Batch {
        field,
        value: value.into(),
    }
}

/// Where the part begins that the checksum covers.
const CHECKED_FROM: usize = LOG_OVERHEAD + size_of::<u32>();
