//! One record of format 2: its size, how it is written, how it is read.
//!
//! Java: `common/record/DefaultRecord.java`, `common/header/Header.java`.
//! Differs: what is read are slices of the batch's memory, not copies; sizes are exact before anything is written.
//! Threads: pure functions over plain data. Locks: none.

use crate::common::payload::Payload;
use crate::protocol::ProtocolError;
use crate::protocol::byte_utils;
use crate::record::record_batch::TimestampType;
use crate::record::record_error::RecordError;

/// A header of a record, as the writer needs to see it.
pub(crate) trait RecordHeader {
    fn key(&self) -> &str;
    fn value(&self) -> Option<&[u8]>;
}

impl RecordHeader for (&str, Option<&[u8]>) {
    fn key(&self) -> &str {
        self.0
    }

    fn value(&self) -> Option<&[u8]> {
        self.1
    }
}

/// A serialized record: the parts that its writer chooses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordToAppend<'a, H> {
    pub(crate) timestamp: i64,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: &'a [H],
    /// The bytes of key, value and headers with their lengths, which are the same wherever the record stands.
    content_size: usize,
}

/// Where a record stands in its batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordDeltas {
    pub(crate) timestamp: i64,
    pub(crate) offset: u32,
}

impl<'a, H: RecordHeader> RecordToAppend<'a, H> {
    #[inline(always)]
    pub(crate) fn new(
        timestamp: i64,
        key: Option<&'a [u8]>,
        value: Option<&'a [u8]>,
        headers: &'a [H],
    ) -> Self {
        let size_of_headers = match headers {
            [] => SIZE_OF_NO_HEADERS,
            headers => size_of_headers(headers),
        };
        Self {
            timestamp,
            key,
            value,
            headers,
            content_size: size_of_nullable(key) + size_of_nullable(value) + size_of_headers,
        }
    }

    /// The most bytes that the record can take, wherever it stands in a batch.
    #[inline]
    pub(crate) fn size_upper_bound(&self) -> usize {
        MAX_RECORD_OVERHEAD + self.content_size
    }

    /// What the record is at this place of a batch.
    #[inline(always)]
    pub(crate) fn at(&self, deltas: RecordDeltas) -> PlacedRecord<'_, H> {
        let timestamp_delta = zigzag(deltas.timestamp);
        let offset_delta = zigzag_length(u64::from(deltas.offset));
        let size_of_deltas = size_of_group(timestamp_delta) + size_of_group(offset_delta);
        PlacedRecord {
            record: self,
            timestamp_delta,
            offset_delta,
            body_size: SIZE_OF_ATTRIBUTES + size_of_deltas + self.content_size,
        }
    }
}

/// A record at its place in a batch, which decides about its size.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlacedRecord<'a, H> {
    record: &'a RecordToAppend<'a, H>,
    /// Both in zigzag.
    timestamp_delta: u64,
    offset_delta: u64,
    /// The bytes behind the length that the record begins with.
    body_size: usize,
}

impl<H: RecordHeader> PlacedRecord<'_, H> {
    #[inline]
    pub(crate) fn timestamp(&self) -> i64 {
        self.record.timestamp
    }

    /// The bytes of the whole record.
    #[inline]
    pub(crate) fn size(&self) -> usize {
        size_of_length(self.body_size) + self.body_size
    }

    /// Appends the record to memory that has room for it.
    #[inline(always)]
    pub(crate) fn write(&self, output: &mut Vec<u8>) {
        let record = self.record;
        let mut short = ShortBytes::default();
        short.put_length(self.body_size, output);
        // No bit of the attributes is in use.
        short.skip(SIZE_OF_ATTRIBUTES);
        short.put_group(self.timestamp_delta, output);
        short.put_group(self.offset_delta, output);
        short.flush(output);
        short.put_nullable_length(record.key, output);
        if let Some(key) = record.key {
            short.flush(output);
            output.extend_from_slice(key);
        }
        short.put_nullable_length(record.value, output);
        short.flush(output);
        if let Some(value) = record.value {
            output.extend_from_slice(value);
        }
        if record.headers.is_empty() {
            output.push(NO_HEADERS);
        } else {
            write_headers(record.headers, output);
        }
    }
}

fn size_of_headers<H: RecordHeader>(headers: &[H]) -> usize {
    let size = |header: &H| {
        size_of_nullable(Some(header.key().as_bytes())) + size_of_nullable(header.value())
    };
    size_of_length(headers.len()) + headers.iter().map(size).sum::<usize>()
}

fn write_headers<H: RecordHeader>(headers: &[H], output: &mut Vec<u8>) {
    let mut short = ShortBytes::default();
    short.put_length(headers.len(), output);
    for header in headers {
        short.put_length(header.key().len(), output);
        short.flush(output);
        output.extend_from_slice(header.key().as_bytes());
        short.put_nullable_length(header.value(), output);
        short.flush(output);
        output.extend_from_slice(header.value().unwrap_or_default());
    }
}

/// A record that was read: slices of the batch's memory, which lives as long as any of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) key: Option<Payload>,
    pub(crate) value: Option<Payload>,
    pub(crate) headers: Vec<ReadHeader>,
}

/// A header that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadHeader {
    pub(crate) key: String,
    pub(crate) value: Option<Payload>,
}

impl RecordHeader for ReadHeader {
    fn key(&self) -> &str {
        &self.key
    }

    fn value(&self) -> Option<&[u8]> {
        self.value.as_deref()
    }
}

/// What a batch's header says about each of its records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RecordContext {
    pub(crate) base_offset: i64,
    pub(crate) base_timestamp: i64,
    pub(crate) max_timestamp: i64,
    pub(crate) timestamp_type: TimestampType,
}

/// Reads the record at the front of `input`, which is the end of `body`, and moves `input` behind it.
pub(crate) fn read(
    body: &Payload,
    input: &mut &[u8],
    context: RecordContext,
) -> Result<Record, RecordError> {
    let size = byte_utils::read_varint(input)?;
    let size = length(size, "size")?;
    let after = input.len().checked_sub(size);
    let after = after.ok_or(RecordError::Malformed(ProtocolError::Truncated {
        wanted: size,
        left: input.len(),
    }))?;
    // Everything below reads inside the record only, so that it cannot reach into the next one.
    let start = body.len() - input.len();
    let record = body.slice(start..start + size).unwrap_or_default();
    let mut fields: &[u8] = &record;
    byte_utils::read_i8(&mut fields)?;
    let timestamp_delta = byte_utils::read_varlong(&mut fields)?;
    let offset_delta = i64::from(byte_utils::read_varint(&mut fields)?);
    let read = Record {
        offset: context
            .base_offset
            .checked_add(offset_delta)
            .ok_or(RecordError::Record {
                field: "offset delta",
                value: offset_delta,
            })?,
        timestamp: match context.timestamp_type {
            TimestampType::LogAppendTime => context.max_timestamp,
            // Wraps as in Java: the distance between two valid timestamps may be one too large for the type.
            TimestampType::CreateTime => context.base_timestamp.wrapping_add(timestamp_delta),
        },
        key: read_nullable(&record, &mut fields)?,
        value: read_nullable(&record, &mut fields)?,
        headers: read_headers(&record, &mut fields)?,
    };
    if !fields.is_empty() {
        return Err(RecordError::Record {
            field: "rest after its last field",
            value: as_i64(fields.len()),
        });
    }
    byte_utils::take(input, input.len() - after)?;
    Ok(read)
}

fn read_headers(record: &Payload, fields: &mut &[u8]) -> Result<Vec<ReadHeader>, RecordError> {
    let count = length(byte_utils::read_varint(fields)?, "header count")?;
    if count > fields.len() / MIN_HEADER_SIZE {
        return Err(RecordError::Record {
            field: "header count",
            value: as_i64(count),
        });
    }
    let mut headers = Vec::new();
    for _ in 0..count {
        let size = length(byte_utils::read_varint(fields)?, "header key length")?;
        let key = std::str::from_utf8(byte_utils::take(fields, size)?)
            .map_err(|_| RecordError::Malformed(ProtocolError::InvalidUtf8))?
            .to_owned();
        let value = read_nullable(record, fields)?;
        headers.push(ReadHeader { key, value });
    }
    Ok(headers)
}

fn read_nullable(record: &Payload, fields: &mut &[u8]) -> Result<Option<Payload>, RecordError> {
    let size = byte_utils::read_varint(fields)?;
    if size == -1 {
        return Ok(None);
    }
    let size = length(size, "length")?;
    let start = record.len() - fields.len();
    byte_utils::take(fields, size)?;
    Ok(record.slice(start..start + size))
}

fn length(value: i32, field: &'static str) -> Result<usize, RecordError> {
    usize::try_from(value).map_err(|_| RecordError::Record {
        field,
        value: i64::from(value),
    })
}

fn as_i64(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// A few bytes that are put together in a register and copied at once, which beats appending one by one: a processor waits
/// where it reads back at once what was just written in smaller pieces. Whoever puts bytes flushes them before there are more
/// than eight.
#[derive(Debug, Default)]
struct ShortBytes {
    /// From the lowest byte on.
    bytes: u64,
    len: usize,
}

impl ShortBytes {
    #[inline(always)]
    fn put(&mut self, bytes: u64, len: usize) {
        debug_assert!(self.len + len <= SHORT_SIZE, "flushed too late");
        self.bytes |= bytes << (8 * self.len);
        self.len += len;
    }

    /// Leaves bytes zero.
    #[inline]
    fn skip(&mut self, count: usize) {
        self.len += count;
    }

    /// As [`byte_utils::write_groups`]. A long one goes to `output` at once, behind the bytes so far.
    #[inline(always)]
    fn put_group(&mut self, value: u64, output: &mut Vec<u8>) {
        match value {
            0..=0x7f => self.put(value, 1),
            0x80..=0x3fff => self.put((value & 0x7f) | 0x80 | ((value >> 7) << 8), 2),
            _ => {
                self.flush(output);
                write_long_group(value, output);
            }
        }
    }

    #[inline(always)]
    fn put_length(&mut self, length: usize, output: &mut Vec<u8>) {
        self.put_group(zigzag_length(length as u64), output);
    }

    #[inline(always)]
    fn put_nullable_length(&mut self, bytes: Option<&[u8]>, output: &mut Vec<u8>) {
        match bytes {
            Some(bytes) => self.put_length(bytes.len(), output),
            None => self.put(NULL, 1),
        }
    }

    /// Moves the bytes behind those in `output`.
    #[inline(always)]
    fn flush(&mut self, output: &mut Vec<u8>) {
        let bytes = self.bytes.to_le_bytes();
        if output.capacity() - output.len() >= SHORT_SIZE {
            // Copying a size known at compile time takes one instruction; what is too much is cut off again.
            let end = output.len() + self.len;
            output.extend_from_slice(&bytes);
            output.truncate(end);
        } else {
            output.extend_from_slice(bytes.get(..self.len).unwrap_or_default());
        }
        *self = Self::default();
    }
}

/// Apart, and no method, so that short ones stay in registers.
#[cold]
fn write_long_group(value: u64, output: &mut Vec<u8>) {
    byte_utils::write_groups(value, output);
}

#[inline]
fn size_of_nullable(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| size_of_length(bytes.len()) + bytes.len())
}

#[inline]
fn size_of_length(length: usize) -> usize {
    size_of_group(zigzag_length(length as u64))
}

/// The bytes of [`ShortBytes::put_group`]: a seventh of the bits, rounded up, without a division.
#[inline]
fn size_of_group(value: u64) -> usize {
    let bits = u64::BITS - (value | 1).leading_zeros();
    (bits as usize * 9 + 64) / 64
}

/// [`zigzag`] of a number that is not negative.
#[inline]
fn zigzag_length(value: u64) -> u64 {
    value << 1
}

#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// -1 in zigzag.
const NULL: u64 = 1;

const SIZE_OF_ATTRIBUTES: usize = 1;

/// The count of no headers.
const NO_HEADERS: u8 = 0;
const SIZE_OF_NO_HEADERS: usize = 1;

/// Two lengths of one byte each.
const MIN_HEADER_SIZE: usize = 2;

/// The longest length (5), timestamp delta (10) and offset delta (5), and the attributes (1).
pub(crate) const MAX_RECORD_OVERHEAD: usize = 21;

/// As many as a register holds. The length, the attributes and both deltas take seven, where none is a long one.
const SHORT_SIZE: usize = 8;
