//! Every batch that is not done yet: what `flush` waits for.
//!
//! Java: `clients/producer/internals/IncompleteBatches.java`.
//! Differs: holds the results and never the batches, so it pins no memory (KAFKA-12736); a batch leaves by dropping its
//! entry, so none can be forgotten here.
//! Threads: any. Locks: `IncompleteBatches` (leaf).

use std::sync::Arc;
use std::time::Instant;

use crate::common::sync::{
    Mutex, Rank,
    atomic::{AtomicUsize, Ordering},
};
use crate::producer::internals::produce_request_result::ProduceRequestResult;

/// The results of all batches between their creation and their completion.
#[derive(Debug)]
pub(crate) struct IncompleteBatches {
    slots: Mutex<Slots>,
    /// How many there are; changed under the lock, read without it.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Slots {
    /// With the time at which each batch was created.
    results: Vec<Option<(Arc<ProduceRequestResult>, Instant)>>,
    free: Vec<usize>,
}

impl IncompleteBatches {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            slots: Mutex::new(Rank::Leaf, Slots::default()),
            count: AtomicUsize::new(0),
        })
    }

    /// Adds a batch, which stays until the entry is dropped.
    pub(crate) fn add(
        self: &Arc<Self>,
        result: &Arc<ProduceRequestResult>,
        created: Instant,
    ) -> IncompleteEntry {
        let result = Some((Arc::clone(result), created));
        let mut slots = self.slots.lock();
        let slot = match slots.free.pop() {
            Some(slot) => {
                slots.results[slot] = result;
                slot
            }
            None => {
                slots.results.push(result);
                slots.results.len() - 1
            }
        };
        self.count.fetch_add(1, Ordering::Release);
        IncompleteEntry {
            batches: Arc::clone(self),
            slot,
        }
    }

    /// The results of all batches that are not done at this moment.
    pub(crate) fn results(&self) -> Vec<Arc<ProduceRequestResult>> {
        let slots = self.slots.lock();
        let results = slots.results.iter().flatten();
        results.map(|(result, _)| Arc::clone(result)).collect()
    }

    /// When the oldest of them was created; looks at each.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        let slots = self.slots.lock();
        slots.results.iter().flatten().map(|(_, at)| *at).min()
    }

    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A batch's place among the incomplete ones.
#[derive(Debug)]
pub(crate) struct IncompleteEntry {
    batches: Arc<IncompleteBatches>,
    slot: usize,
}

impl Drop for IncompleteEntry {
    fn drop(&mut self) {
        let mut slots = self.batches.slots.lock();
        let _result = slots.results[self.slot].take();
        slots.free.push(self.slot);
        self.batches.count.fetch_sub(1, Ordering::Release);
    }
}
