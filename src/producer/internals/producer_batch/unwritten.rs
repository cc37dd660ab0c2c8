//! A batch that is in no log for certain, which is what it takes to get another number.
//!
//! Java: `clients/producer/internals/ProducerBatch.java` (`resetProducerState`).
//! Differs: a type. Java renumbers whatever waits, also what a broker may have, which is then written twice.
//! Threads: as its parent. Locks: none.

use crate::common::kafka_error::Persisted;
use crate::common::planted::planted;
use crate::producer::internals::producer_batch::ProducerBatch;

/// Made only from a batch that was never sent, or that every broker that got it refused for certain.
#[derive(Debug)]
pub(crate) struct UnwrittenBatch(ProducerBatch);

impl ProducerBatch {
    /// The batch with the proof that no broker has it; the batch alone where one may.
    pub(crate) fn into_unwritten(self) -> Result<UnwrittenBatch, Self> {
        match self.persisted() {
            _ if planted!("maybe-written-renumbered") => Ok(UnwrittenBatch(self)),
            Persisted::No => Ok(UnwrittenBatch(self)),
            Persisted::Maybe if planted!("restart-renumbers-all") => Ok(UnwrittenBatch(self)),
            Persisted::Maybe => Err(self),
        }
    }
}

impl UnwrittenBatch {
    /// Takes the number away; the next drain gives another one.
    pub(crate) fn without_identity(mut self) -> ProducerBatch {
        self.0.identity = None;
        self.0
    }
}
