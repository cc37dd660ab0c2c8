//! A batch in format 2 while it fills, and what its callers wait on.

use std::sync::Arc;
use std::time::Instant;

use byteorder::{BigEndian, ByteOrder};
use parking_lot::{Condvar, Mutex};

pub(crate) struct Batch {
    bytes: Vec<u8>,
    records: i32,
    first_time: i64,
    /// From when on it may leave before it is full.
    pub(crate) due: Instant,
    pub(crate) answer: Arc<Answer>,
}

impl Batch {
    pub(crate) fn new(mut bytes: Vec<u8>, now: i64, due: Instant) -> Self {
        bytes.clear();
        bytes.resize(HEADER, 0);
        Self {
            bytes,
            records: 0,
            first_time: now,
            due,
            answer: Arc::default(),
        }
    }

    pub(crate) fn has_room(&self, batch_size: usize, key: Option<&[u8]>, value: &[u8]) -> bool {
        let most = MOST_OVERHEAD + key.map_or(0, <[u8]>::len) + value.len();
        self.bytes.len() + most <= batch_size
    }

    pub(crate) fn append(&mut self, now: i64, key: Option<&[u8]>, value: &[u8]) {
        let time = zigzag(now - self.first_time);
        let offset = zigzag(i64::from(self.records));
        let key_size = zigzag(key.map_or(-1, |key| key.len() as i64));
        let value_size = zigzag(value.len() as i64);
        let key = key.unwrap_or_default();
        let numbers: usize = [time, offset, key_size, value_size]
            .map(varint_size)
            .iter()
            .sum();
        let size = 1 + numbers + key.len() + value.len() + 1;
        let bytes = &mut self.bytes;
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
        self.records += 1;
    }

    /// Fills in the header.
    pub(crate) fn seal(&mut self) {
        let size = self.bytes.len() - 12;
        let (header, last_time) = (&mut self.bytes[..HEADER], self.first_time);
        BigEndian::write_i32(&mut header[8..], size as i32);
        header[12..16].fill(0xff);
        header[16] = 2;
        BigEndian::write_i32(&mut header[23..], self.records - 1);
        BigEndian::write_i64(&mut header[27..], self.first_time);
        BigEndian::write_i64(&mut header[35..], last_time);
        header[43..57].fill(0xff);
        BigEndian::write_i32(&mut header[57..], self.records);
        let checksum = crc32c::crc32c(&self.bytes[21..]);
        BigEndian::write_u32(&mut self.bytes[17..], checksum);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[derive(Default)]
pub(crate) struct Answer {
    done: Mutex<bool>,
    changed: Condvar,
}

impl Answer {
    pub(crate) fn arrive(&self) {
        *self.done.lock() = true;
        self.changed.notify_all();
    }

    pub(crate) fn wait(&self) {
        let mut done = self.done.lock();
        while !*done {
            self.changed.wait(&mut done);
        }
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn varint_size(number: u64) -> usize {
    (70 - (number | 1).leading_zeros() as usize) / 7
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

const HEADER: usize = 61;
/// The most that a record takes beside its key and value.
const MOST_OVERHEAD: usize = 30;
