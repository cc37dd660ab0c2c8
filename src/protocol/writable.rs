//! Collects the small fields of a message in one buffer and lets record bytes go between them without a copy.
//!
//! Java: `common/protocol/Writable.java`, `common/protocol/SendBuilder.java`, `common/network/ByteBufferSend.java`.
//! Differs: no pass to compute the size first; the one size a frame needs is filled in at the end.
//! Threads: used by one at a time. Locks: none.

use std::ops::Range;

use byteorder::{BigEndian, ByteOrder};
use smallvec::SmallVec;

use crate::common::cluster::Uuid;
use crate::common::few::Few;
use crate::common::payload::Payload;
use crate::protocol::byte_utils;
use crate::protocol::protocol_error::ProtocolError;
use crate::protocol::records::Records;

/// Writes a message from front to back.
#[derive(Debug, Default)]
pub(crate) struct Writable {
    buffer: Vec<u8>,
    /// Segments that belong between the bytes of the buffer, each with the position before which it goes.
    splices: Few<(usize, Payload)>,
    spliced: usize,
}

/// What follows each other on the wire: mostly the fields before the records, the records, and what is behind them.
pub(crate) type Segments = SmallVec<[Payload; 3]>;

impl Writable {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Writes into `memory`, which has room for the small fields of most requests when it is done.
    pub(crate) fn over(mut memory: Vec<u8>) -> Self {
        memory.clear();
        memory.reserve(512);
        Self {
            buffer: memory,
            ..Self::default()
        }
    }

    /// How many bytes have been written, segments included.
    pub(crate) fn len(&self) -> usize {
        self.buffer.len() + self.spliced
    }

    pub(crate) fn write_bool(&mut self, value: bool) {
        self.buffer.push(u8::from(value));
    }

    pub(crate) fn write_i8(&mut self, value: i8) {
        self.buffer.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn write_i16(&mut self, value: i16) {
        self.buffer.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn write_i32(&mut self, value: i32) {
        self.buffer.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn write_i64(&mut self, value: i64) {
        self.buffer.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn write_uuid(&mut self, value: Uuid) {
        self.buffer.extend_from_slice(&value.0);
    }

    pub(crate) fn write_unsigned_varint(&mut self, value: u32) {
        byte_utils::write_unsigned_varint(value, &mut self.buffer);
    }

    /// A string with a length of two bytes, or of a varint in flexible versions.
    pub(crate) fn write_string(
        &mut self,
        value: &str,
        flexible: bool,
    ) -> Result<(), ProtocolError> {
        if flexible {
            self.write_compact_length(value.len())?;
        } else {
            let length = i16::try_from(value.len()).map_err(|_| ProtocolError::TooLong {
                length: value.len(),
                max: i16::MAX as usize,
            })?;
            self.write_i16(length);
        }
        self.buffer.extend_from_slice(value.as_bytes());
        Ok(())
    }

    pub(crate) fn write_null_string(&mut self, flexible: bool) {
        if flexible {
            self.write_unsigned_varint(0);
        } else {
            self.write_i16(-1);
        }
    }

    /// Record bytes; their segments are shared, not copied, all but the short head.
    pub(crate) fn write_records(
        &mut self,
        records: &Records,
        flexible: bool,
    ) -> Result<(), ProtocolError> {
        self.write_length(records.size(), flexible)?;
        self.buffer.extend_from_slice(records.head());
        for segment in records.segments() {
            self.splice(segment.clone());
        }
        Ok(())
    }

    /// The length of an array, of bytes or of records.
    pub(crate) fn write_length(
        &mut self,
        length: usize,
        flexible: bool,
    ) -> Result<(), ProtocolError> {
        if flexible {
            return self.write_compact_length(length);
        }
        self.write_i32(checked_length(length)?);
        Ok(())
    }

    /// Stands for an array, bytes or records that are not there.
    pub(crate) fn write_null(&mut self, flexible: bool) {
        if flexible {
            self.write_unsigned_varint(0);
        } else {
            self.write_i32(-1);
        }
    }

    /// Adds what another has collected.
    pub(crate) fn append(&mut self, other: Writable) {
        let base = self.buffer.len();
        self.buffer.extend_from_slice(&other.buffer);
        self.spliced += other.spliced;
        let shifted = other
            .splices
            .into_iter()
            .map(|(at, segment)| (base + at, segment));
        self.splices.extend(shifted);
    }

    /// Leaves room for the size of everything that follows; [`fill_size`](Self::fill_size) writes it.
    pub(crate) fn reserve_size(&mut self) -> SizeMark {
        let mark = SizeMark {
            at: self.buffer.len(),
            len: self.len(),
        };
        self.write_i32(0);
        mark
    }

    pub(crate) fn fill_size(&mut self, mark: SizeMark) -> Result<(), ProtocolError> {
        let size = checked_length(self.len() - mark.len - SIZE_BYTES)?;
        if let Some(place) = self.buffer.get_mut(mark.at..mark.at + SIZE_BYTES) {
            BigEndian::write_i32(place, size);
        }
        Ok(())
    }

    /// What was written, as the segments that follow each other on the wire.
    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn into_segments(self) -> Segments {
        self.into_segments_of(&mut Payload::default())
    }

    /// As [`into_segments`](Self::into_segments), with the small fields in `buffer`, whose memory they replace.
    pub(crate) fn into_segments_of(mut self, buffer: &mut Payload) -> Segments {
        buffer.refill(|memory| std::mem::swap(memory, &mut self.buffer));
        let mut segments = Segments::with_capacity(2 * self.splices.len() + 1);
        let mut start = 0;
        for (at, segment) in self.splices {
            push_part(&mut segments, buffer, start..at);
            segments.push(segment);
            start = at;
        }
        push_part(&mut segments, buffer, start..buffer.len());
        segments
    }

    fn splice(&mut self, segment: Payload) {
        if segment.is_empty() {
            return;
        }
        self.spliced += segment.len();
        self.splices.push((self.buffer.len(), segment));
    }

    /// The length plus one, so that zero can stand for null.
    fn write_compact_length(&mut self, length: usize) -> Result<(), ProtocolError> {
        let length = checked_length(length)?;
        self.write_unsigned_varint(length.unsigned_abs() + 1);
        Ok(())
    }
}

fn push_part(segments: &mut Segments, buffer: &Payload, part: Range<usize>) {
    if let Some(part) = buffer.slice(part).filter(|part| !part.is_empty()) {
        segments.push(part);
    }
}

/// Where a size is still to be written.
#[derive(Debug)]
pub(crate) struct SizeMark {
    at: usize,
    len: usize,
}

fn checked_length(length: usize) -> Result<i32, ProtocolError> {
    i32::try_from(length).map_err(|_| ProtocolError::TooLong {
        length,
        max: i32::MAX as usize,
    })
}

const SIZE_BYTES: usize = 4;
