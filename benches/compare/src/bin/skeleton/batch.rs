//! A batch in format 2 while it fills, and what its callers wait on.

use std::sync::Arc;
use std::time::Instant;

use byteorder::{BigEndian, ByteOrder};
use compare::{MOST_OVERHEAD, put_record};
use crc_fast::CrcAlgorithm;
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
        let deltas = (now - self.first_time, i64::from(self.records));
        put_record(&mut self.bytes, deltas, key, value);
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
        let checksum = crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, &self.bytes[21..]);
        BigEndian::write_u32(&mut self.bytes[17..], checksum as u32);
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

const HEADER: usize = 61;
