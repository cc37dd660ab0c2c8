//! A cursor over one frame: every read is checked against the bytes left before anything is allocated.
//!
//! Java: `common/protocol/Readable.java`, `common/protocol/ByteBufferAccessor.java`.
//! Differs: nothing here panics or trusts a length; record bytes are slices of the frame, not copies.
//! Threads: used by one at a time. Locks: none.

use crate::common::cluster::Uuid;
use crate::common::payload::Payload;
use crate::protocol::byte_utils;
use crate::protocol::protocol_error::ProtocolError;
use crate::protocol::records::Records;

/// Reads a frame from front to back.
#[derive(Debug)]
pub(crate) struct Readable<'a> {
    frame: &'a Payload,
    /// What is left of the frame, or of the tag that is being read.
    rest: &'a [u8],
    /// The bytes of the frame that lie behind `rest`.
    behind: usize,
    /// How much more memory the elements of arrays may take.
    budget: usize,
}

impl<'a> Readable<'a> {
    pub(crate) fn new(frame: &'a Payload) -> Self {
        Self {
            frame,
            rest: frame,
            behind: 0,
            budget: memory_budget(frame.len()),
        }
    }

    /// How many bytes are left.
    pub(crate) fn remaining(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn read_bool(&mut self) -> Result<bool, ProtocolError> {
        Ok(self.read_i8()? != 0)
    }

    pub(crate) fn read_i8(&mut self) -> Result<i8, ProtocolError> {
        byte_utils::read_i8(&mut self.rest)
    }

    pub(crate) fn read_i16(&mut self) -> Result<i16, ProtocolError> {
        byte_utils::read_i16(&mut self.rest)
    }

    pub(crate) fn read_i32(&mut self) -> Result<i32, ProtocolError> {
        byte_utils::read_i32(&mut self.rest)
    }

    pub(crate) fn read_i64(&mut self) -> Result<i64, ProtocolError> {
        byte_utils::read_i64(&mut self.rest)
    }

    pub(crate) fn read_uuid(&mut self) -> Result<Uuid, ProtocolError> {
        byte_utils::take_array(&mut self.rest).map(Uuid)
    }

    pub(crate) fn read_unsigned_varint(&mut self) -> Result<u32, ProtocolError> {
        byte_utils::read_unsigned_varint(&mut self.rest)
    }

    /// A string with a length of two bytes, or of a varint in flexible versions.
    pub(crate) fn read_string(&mut self, flexible: bool) -> Result<Option<String>, ProtocolError> {
        let length = if flexible {
            self.read_compact_length()?
        } else {
            optional_length(i32::from(self.read_i16()?))?
        };
        let Some(length) = length else {
            return Ok(None);
        };
        let bytes = byte_utils::take(&mut self.rest, length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| ProtocolError::InvalidUtf8)?;
        Ok(Some(text.to_owned()))
    }

    /// The bytes of record batches, as a slice of the frame.
    pub(crate) fn read_records(
        &mut self,
        flexible: bool,
    ) -> Result<Option<Records>, ProtocolError> {
        let Some(length) = self.read_length(flexible)? else {
            return Ok(None);
        };
        let start = self.position();
        byte_utils::take(&mut self.rest, length)?;
        let slice = self.frame.slice(start..start + length);
        Ok(slice.map(Records::from))
    }

    /// The number of elements of an array that may be null. `min_size` is what one element takes at least.
    pub(crate) fn read_array_len(
        &mut self,
        flexible: bool,
        min_size: usize,
    ) -> Result<Option<usize>, ProtocolError> {
        let Some(count) = self.read_length(flexible)? else {
            return Ok(None);
        };
        let left = self.remaining();
        if count > left / min_size.max(1) {
            return Err(ProtocolError::TooManyElements { count, left });
        }
        Ok(Some(count))
    }

    /// Accounts the memory of one more array element; refuses a frame that turns few bytes into much memory.
    pub(crate) fn charge(&mut self, memory: usize) -> Result<(), ProtocolError> {
        let left = self.budget.checked_sub(memory);
        self.budget = left.ok_or(ProtocolError::TooMuchMemory {
            budget: memory_budget(self.frame.len()),
        })?;
        Ok(())
    }

    /// The tagged fields at the end of a struct of a flexible version. `read` answers whether it knew the tag and read
    /// its value; unknown ones are skipped.
    pub(crate) fn read_tags(
        &mut self,
        mut read: impl FnMut(u32, &mut Self) -> Result<bool, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let count = self.read_unsigned_varint()?;
        let mut previous = None;
        for _ in 0..count {
            let tag = self.read_unsigned_varint()?;
            if let Some(after) = previous.filter(|previous| *previous >= tag) {
                return Err(ProtocolError::TagOrder { tag, after });
            }
            previous = Some(tag);
            self.read_tag(tag, &mut read)?;
        }
        Ok(())
    }

    fn read_tag(
        &mut self,
        tag: u32,
        mut read: impl FnMut(u32, &mut Self) -> Result<bool, ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let size = self.read_unsigned_varint()? as usize;
        let value = byte_utils::take(&mut self.rest, size)?;
        let after = std::mem::replace(&mut self.rest, value);
        self.behind += after.len();
        let known = read(tag, self)?;
        let left = self.remaining();
        self.behind -= after.len();
        self.rest = after;
        if known && left != 0 {
            return Err(ProtocolError::TagNotConsumed { tag, left });
        }
        Ok(())
    }

    fn read_length(&mut self, flexible: bool) -> Result<Option<usize>, ProtocolError> {
        if flexible {
            self.read_compact_length()
        } else {
            optional_length(self.read_i32()?)
        }
    }

    /// The length plus one, so that zero can stand for null.
    fn read_compact_length(&mut self) -> Result<Option<usize>, ProtocolError> {
        Ok((self.read_unsigned_varint()? as usize).checked_sub(1))
    }

    fn position(&self) -> usize {
        self.frame.len() - self.behind - self.rest.len()
    }
}

fn optional_length(length: i32) -> Result<Option<usize>, ProtocolError> {
    match length {
        -1 => Ok(None),
        _ => usize::try_from(length)
            .map(Some)
            .map_err(|_| ProtocolError::NegativeLength(length)),
    }
}

/// A decoded message takes more memory than its bytes: an empty string of one byte becomes three words. Genuine messages
/// of any size stay below five times their length; hostile ones of nothing but empty elements would reach twenty-four.
fn memory_budget(frame_len: usize) -> usize {
    frame_len.saturating_mul(6).saturating_add(1 << 20)
}

#[cfg(test)]
mod tests;
