//! A record in format 2, as the floors write it.

/// Appends a record without headers.
#[inline]
pub fn put_record(
    bytes: &mut Vec<u8>,
    (time_delta, offset_delta): (i64, i64),
    key: Option<&[u8]>,
    value: &[u8],
) {
    let time = zigzag(time_delta);
    let offset = zigzag(offset_delta);
    let key_size = zigzag(key.map_or(-1, |key| key.len() as i64));
    let value_size = zigzag(value.len() as i64);
    let key = key.unwrap_or_default();
    let numbers: usize = [time, offset, key_size, value_size]
        .map(varint_size)
        .iter()
        .sum();
    let size = 1 + numbers + key.len() + value.len() + 1;
    bytes.reserve(size + MOST_OVERHEAD);
    put_varint(bytes, zigzag(size as i64));
    bytes.push(0);
    put_varint(bytes, time);
    put_varint(bytes, offset);
    put_varint(bytes, key_size);
    bytes.extend_from_slice(key);
    put_varint(bytes, value_size);
    bytes.extend_from_slice(value);
    bytes.push(0);
}

/// The most that a record takes beside its key and value.
pub const MOST_OVERHEAD: usize = 30;

#[inline]
fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

#[inline]
fn varint_size(number: u64) -> usize {
    (70 - (number | 1).leading_zeros() as usize) / 7
}

#[inline]
fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}
