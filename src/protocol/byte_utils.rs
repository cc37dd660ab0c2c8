//! Fixed-width and variable-length integers over byte slices and vectors, shared by messages and records.
//!
//! Java: `common/utils/ByteUtils.java`.
//! Differs: reads are checked and advance a slice; an integer whose last byte has bits too many is refused, where Java lets
//! them fall off.
//! Threads: pure functions. Locks: none.

use byteorder::{BigEndian, ByteOrder};

use crate::protocol::protocol_error::ProtocolError;

/// Takes the next `length` bytes off the front of `input`.
pub(crate) fn take<'a>(input: &mut &'a [u8], length: usize) -> Result<&'a [u8], ProtocolError> {
    let (head, tail) = input
        .split_at_checked(length)
        .ok_or(ProtocolError::Truncated {
            wanted: length,
            left: input.len(),
        })?;
    *input = tail;
    Ok(head)
}

pub(crate) fn read_i8(input: &mut &[u8]) -> Result<i8, ProtocolError> {
    let [byte] = take_array(input)?;
    Ok(i8::from_be_bytes([byte]))
}

pub(crate) fn read_i16(input: &mut &[u8]) -> Result<i16, ProtocolError> {
    take_array::<2>(input).map(|bytes| BigEndian::read_i16(&bytes))
}

pub(crate) fn read_i32(input: &mut &[u8]) -> Result<i32, ProtocolError> {
    take_array::<4>(input).map(|bytes| BigEndian::read_i32(&bytes))
}

pub(crate) fn read_u32(input: &mut &[u8]) -> Result<u32, ProtocolError> {
    take_array::<4>(input).map(|bytes| BigEndian::read_u32(&bytes))
}

pub(crate) fn read_i64(input: &mut &[u8]) -> Result<i64, ProtocolError> {
    take_array::<8>(input).map(|bytes| BigEndian::read_i64(&bytes))
}

/// Base 128, least significant group first, at most five bytes.
pub(crate) fn read_unsigned_varint(input: &mut &[u8]) -> Result<u32, ProtocolError> {
    let value = read_groups(input, u32::BITS)?;
    u32::try_from(value).map_err(|_| ProtocolError::VarintTooLong {
        max_bits: u32::BITS,
    })
}

/// Zigzag, so that small negative numbers stay short.
pub(crate) fn read_varint(input: &mut &[u8]) -> Result<i32, ProtocolError> {
    let value = read_unsigned_varint(input)?;
    Ok((value >> 1) as i32 ^ -((value & 1) as i32))
}

/// Zigzag over 64 bits, at most ten bytes.
pub(crate) fn read_varlong(input: &mut &[u8]) -> Result<i64, ProtocolError> {
    let value = read_groups(input, u64::BITS)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

pub(crate) fn write_unsigned_varint(value: u32, output: &mut Vec<u8>) {
    write_groups(u64::from(value), output);
}

pub(crate) fn take_array<const N: usize>(input: &mut &[u8]) -> Result<[u8; N], ProtocolError> {
    let (head, tail) = input
        .split_first_chunk::<N>()
        .ok_or(ProtocolError::Truncated {
            wanted: N,
            left: input.len(),
        })?;
    *input = tail;
    Ok(*head)
}

fn read_groups(input: &mut &[u8], max_bits: u32) -> Result<u64, ProtocolError> {
    let mut value = 0_u64;
    let mut shift = 0;
    loop {
        let [byte] = take_array(input)?;
        let group = u64::from(byte & 0x7f);
        // The last group that a type has room for holds fewer than seven bits.
        if shift >= max_bits || (max_bits - shift < 7 && group >> (max_bits - shift) != 0) {
            return Err(ProtocolError::VarintTooLong { max_bits });
        }
        value |= group << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
        shift += 7;
    }
}

/// Base 128, least significant group first, as many bytes as the value needs.
pub(crate) fn write_groups(mut value: u64, output: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            output.push(low);
            return;
        }
        output.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests;
