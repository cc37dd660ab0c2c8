//! Cuts a batch that the broker finds too large into parts that it may take.
//!
//! Java: `clients/producer/internals/ProducerBatch.java` (`split`).
//! Differs: parts aim at half the size at most, so each round gets somewhere; futures find their part by its first index
//! instead of through a chain; the parts carry on the story of the whole.
//! Threads: the I/O thread. Locks: `IncompleteBatches` (leaf).

use std::sync::Arc;

use crate::producer::internals::incomplete_batches::IncompleteBatches;
use crate::producer::internals::produce_request_result::{Outcome, Part, ProduceRequestResult};
use crate::producer::internals::producer_batch::{Contents, ProducerBatch, Records};
use crate::record::compression::{Compression, CompressorPool};
use crate::record::default_record::Record;
use crate::record::memory_records_builder::{MemoryRecordsBuilder, SealedRecords};
use crate::record::record_error::RecordError;

/// What the parts of a batch are made with.
#[derive(Debug)]
pub(crate) struct Splitter<'a> {
    pub(crate) batch_size: usize,
    pub(crate) compression: Compression,
    pub(crate) compressors: &'a mut CompressorPool,
    pub(crate) incomplete: &'a Arc<IncompleteBatches>,
}

impl ProducerBatch {
    /// Cuts a sealed batch into two or more, each with some of its records in their order. A batch of one record comes
    /// back as it is. The parts have no number yet and no memory of the pool.
    pub(crate) fn split(mut self, splitter: &mut Splitter<'_>) -> Result<Vec<Self>, Self> {
        let sealed = match self.sealed() {
            Some(sealed) if sealed.record_count() > 1 => sealed.clone(),
            _ => return Err(self),
        };
        let cut = match splitter.cut(&sealed) {
            Ok(cut) => cut,
            Err(error) => {
                log::error!(
                    "a batch for {} cannot be split: {error}",
                    self.topic_partition()
                );
                return Err(self);
            }
        };
        let mut first = 0;
        let mut parts = Vec::with_capacity(cut.len());
        for records in cut {
            let after = first + records.record_count();
            parts.push(self.part(first, after, records, splitter.incomplete));
            first = after;
        }
        // The parts are among the incomplete batches by now, so a flush that sees this outcome finds them.
        self.result.open(Outcome::Split(
            parts.iter().map(|(part, _)| part.clone()).collect(),
        ));
        Ok(parts.into_iter().map(|(_, batch)| batch).collect())
    }

    /// The part with the records from `first` to `after`.
    fn part(
        &mut self,
        first: u32,
        after: u32,
        records: SealedRecords,
        incomplete: &Arc<IncompleteBatches>,
    ) -> (Part, Self) {
        let result = Arc::new(ProduceRequestResult::new(
            self.topic_partition().clone(),
            self.result.owner().clone(),
        ));
        let rest = self
            .callbacks
            .partition_point(|(record, _)| record.index < after);
        let callbacks = self.callbacks.drain(..rest);
        let callbacks = callbacks.map(|(mut record, callback)| {
            record.index -= first;
            (record, callback)
        });
        let batch = Self::from(Contents {
            callbacks: callbacks.collect(),
            created: self.created,
            records: Records::Sealed(records),
            identity: None,
            delivery: self.delivery.of_part(),
            _incomplete: incomplete.add(&result, self.created),
            result: Arc::clone(&result),
        });
        (Part { first, result }, batch)
    }
}

impl Splitter<'_> {
    fn cut(&mut self, sealed: &SealedRecords) -> Result<Vec<SealedRecords>, RecordError> {
        let limit = self.batch_size.min(sealed.size() / 2);
        // A guess below 1 is what made the batch too large.
        let ratio = sealed.compression_ratio().max(1.0);
        let compression = self.compression;
        let open = |size: usize| {
            let memory = Vec::with_capacity(size.max(limit));
            MemoryRecordsBuilder::new(memory, limit, compression, ratio)
        };
        let mut cut = Vec::new();
        let mut current = open(0);
        for record in sealed.records()? {
            let record = record?;
            if !current.has_room_for(size_of(&current, &record)) {
                let size = size_of(&current, &record);
                let full = std::mem::replace(&mut current, open(size));
                cut.push(full.seal(self.compressors, None));
            }
            append(&mut current, &record);
        }
        cut.push(current.seal(self.compressors, None));
        Ok(cut)
    }
}

fn size_of(builder: &MemoryRecordsBuilder, record: &Record) -> usize {
    let (key, value) = (record.key.as_deref(), record.value.as_deref());
    builder.size_of_next(record.timestamp, key, value, &record.headers)
}

fn append(builder: &mut MemoryRecordsBuilder, record: &Record) {
    let size = size_of(builder, record);
    if builder.spare_capacity() < size {
        let bigger = Vec::with_capacity(builder.plain_size() + size);
        drop(builder.grow_into(bigger));
    }
    let (key, value) = (record.key.as_deref(), record.value.as_deref());
    builder
        .append(record.timestamp, key, value, &record.headers)
        .expect("the record was in a batch before, and memory for it was provided");
}
