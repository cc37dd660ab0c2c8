//! Reads the records of a batch back, to hand them to the application that they came from.
//!
//! Java: none.
//! Differs: see `UnsentRecord`.
//! Threads: the I/O thread. Locks: none.

use crate::producer::internals::producer_batch::{ProducerBatch, Records};
use crate::producer::unsent_record::UnsentRecord;
use crate::record::compression::CompressorPool;

impl ProducerBatch {
    /// Finishes the records without the work of compressing them: this batch goes nowhere.
    pub(crate) fn seal_plain(&mut self, compressors: &mut CompressorPool) {
        self.records = match std::mem::replace(&mut self.records, Records::Gone) {
            Records::Open(open) => Records::Sealed(open.seal_plain(compressors)),
            other => other,
        };
    }

    /// The records of a batch that was sealed, each with whether a broker may have it.
    pub(crate) fn unsent_records(&self) -> Vec<UnsentRecord> {
        let tp = self.topic_partition();
        let persisted = self.persisted();
        let Some(Ok(records)) = self.sealed().map(|sealed| sealed.records()) else {
            return Vec::new();
        };
        let readable = records.map_while(|record| {
            record
                .inspect_err(|error| log::error!("a batch for {tp} cannot be read back: {error}"))
                .ok()
        });
        let unsent = readable.map(|record| UnsentRecord {
            topic_partition: tp.clone(),
            timestamp: record.timestamp,
            key: record.key.as_deref().map(<[u8]>::to_vec),
            value: record.value.as_deref().map(<[u8]>::to_vec),
            headers: record
                .headers
                .into_iter()
                .map(|header| (header.key, header.value.as_deref().map(<[u8]>::to_vec)))
                .collect(),
            persisted,
        });
        unsent.collect()
    }
}
