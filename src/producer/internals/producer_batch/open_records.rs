//! The records of a batch while it is open: written into a buffer that grows within the pool's means.
//!
//! Java: `clients/producer/internals/ProducerBatch.java` (`tryAppend`), which reserves `batch.size` from the start.
//! Differs: starts small and grows; where the pool has nothing to spare, the batch is full.
//! Threads: whoever owns the batch. Locks: `BufferPool` (leaf), when it grows.

use std::sync::Arc;

use crate::common::kafka_error::KafkaError;
use crate::common::payload::Lender;
use crate::producer::internals::buffer_pool::{BufferPool, PooledBuffer};
use crate::record::compression::CompressorPool;
use crate::record::default_record::{RecordHeader, RecordToAppend};
use crate::record::memory_records_builder::{MemoryRecordsBuilder, SealedRecords};

/// A builder whose buffer belongs to a pool.
#[derive(Debug)]
pub(crate) struct OpenRecords {
    builder: MemoryRecordsBuilder,
    pool: Arc<BufferPool>,
    /// How much the buffer may grow to. Plain records that compress well would otherwise fill the pool with one batch.
    largest: usize,
    /// Whether the pool could not spare a larger buffer: the batch is smaller than it wanted to be.
    starved: bool,
}

impl OpenRecords {
    /// Records whose first ones go into `buffer`, which grows to `largest`; `open` makes their builder.
    pub(crate) fn new(
        buffer: PooledBuffer,
        largest: usize,
        open: impl FnOnce(Vec<u8>) -> MemoryRecordsBuilder,
    ) -> Self {
        let pool = Arc::clone(buffer.pool());
        Self {
            builder: open(buffer.into_memory()),
            pool,
            largest,
            starved: false,
        }
    }

    #[inline]
    pub(super) fn builder_mut(&mut self) -> &mut MemoryRecordsBuilder {
        &mut self.builder
    }

    /// Appends a record, or closes the batch where it has no room. The first record always has room: its buffer was made
    /// for it. Returns its index, and the bytes that it took.
    ///
    /// # Errors
    /// Where the record cannot be in any batch.
    pub(super) fn append<H: RecordHeader>(
        &mut self,
        record: &RecordToAppend<'_, H>,
    ) -> Result<Option<(u32, usize)>, KafkaError> {
        let record = self.builder.place(record);
        let size = record.size();
        if !self.builder.has_room_for(size) || !self.fits_or_grows(size) {
            self.builder.close_for_record_appends();
            return Ok(None);
        }
        let index = self.builder.append_placed(&record)?;
        Ok(Some((index, size)))
    }

    pub(super) fn builder(&self) -> &MemoryRecordsBuilder {
        &self.builder
    }

    pub(super) fn is_starved(&self) -> bool {
        self.starved
    }

    /// Finishes the records; their memory goes back to the pool with the last owner of the result.
    pub(super) fn seal(self, compressors: &mut CompressorPool) -> SealedRecords {
        self.builder.seal(compressors, Some(self.pool))
    }

    /// As `seal`, without compression.
    pub(super) fn seal_plain(self, compressors: &mut CompressorPool) -> SealedRecords {
        let plain = self.builder.without_compression();
        plain.seal(compressors, Some(self.pool))
    }

    /// Gives the buffer back to the pool.
    pub(super) fn release(self) {
        self.pool.take_back(self.builder.into_memory());
    }

    fn fits_or_grows(&mut self, size: usize) -> bool {
        self.builder.spare_capacity() >= size || self.grow(size)
    }

    fn grow(&mut self, size: usize) -> bool {
        let written = self.builder.plain_size();
        let capacity = written + self.builder.spare_capacity();
        // Not twice as much where there may be 10,000 of them, half empty.
        let more = if MANY.contains(&capacity) {
            capacity / 4
        } else {
            capacity
        };
        let needed = written + size;
        if needed > self.largest {
            return false;
        }
        let bigger = self
            .pool
            .try_allocate(needed.max((capacity + more).min(self.largest)));
        match bigger {
            Some(bigger) => {
                let old = self.builder.grow_into(bigger.into_memory());
                self.pool.outgrown(old);
                true
            }
            None => {
                self.starved = true;
                false
            }
        }
    }
}

/// Capacities, in bytes, of buffers of which there may be many and which are large enough to matter.
const MANY: std::ops::Range<usize> = 2048..4096;
