//! Read-only bytes that are cheap to clone and whose last clone gives the memory back to its owner.
//!
//! Java: `ByteBuffer`, whose memory is returned to the `BufferPool` by hand (KAFKA-19012 came from that).
//! Differs: nobody can return the memory too early, because returning it is what the last drop does.
//! Threads: clones may live on any thread. Locks: none of its own; the lender's `take_back` may take a leaf lock.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Who lent the memory of a [`Payload`] and wants it back.
pub(crate) trait Lender: Send + Sync {
    /// Lends empty memory for `size` bytes where there is some at hand; whoever gets it owes it to [`take_back`](Self::take_back).
    fn try_lend(&self, _size: usize) -> Option<Vec<u8>> {
        None
    }

    /// Takes back the memory. Called once, on the thread that drops the last clone; must not block.
    fn take_back(&self, memory: Vec<u8>);
}

/// Read-only bytes, shared by reference count. A slice of a payload keeps the whole memory alive.
#[derive(Clone)]
pub(crate) struct Payload {
    shared: Arc<Shared>,
    range: Range<usize>,
}

struct Shared {
    bytes: Vec<u8>,
    lender: Option<Arc<dyn Lender>>,
}

impl Payload {
    /// Bytes whose memory nobody wants back.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self {
            shared: Arc::new(Shared {
                bytes,
                lender: None,
            }),
            range,
        }
    }

    /// Bytes whose memory goes back to `lender` with the last clone.
    pub(crate) fn lent(bytes: Vec<u8>, lender: Arc<dyn Lender>) -> Self {
        let range = 0..bytes.len();
        Self {
            shared: Arc::new(Shared {
                bytes,
                lender: Some(lender),
            }),
            range,
        }
    }

    /// Replaces the bytes by what `fill` makes of their emptied memory. Where somebody else still has any of them, that one
    /// keeps the memory, and `fill` gets other memory.
    pub(crate) fn refill<R>(&mut self, fill: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        if Arc::get_mut(&mut self.shared).is_none() {
            *self = Self::default();
        }
        let shared = Arc::get_mut(&mut self.shared).expect("nobody else has it");
        shared.bytes.clear();
        let result = fill(&mut shared.bytes);
        self.range = 0..shared.bytes.len();
        result
    }

    /// The part of these bytes at `range`, or nothing where the range does not lie inside.
    pub(crate) fn slice(&self, range: Range<usize>) -> Option<Self> {
        if range.start > range.end || range.end > self.len() {
            return None;
        }
        let start = self.range.start + range.start;
        let end = self.range.start + range.end;
        Some(Self {
            shared: Arc::clone(&self.shared),
            range: start..end,
        })
    }
}

impl Deref for Payload {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.shared
            .bytes
            .get(self.range.clone())
            .unwrap_or_default()
    }
}

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Payload {}

impl Default for Payload {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl fmt::Debug for Payload {
    // The number only: record bytes do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.len())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(lender) = self.lender.take() {
            lender.take_back(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Lender for Counting {
        fn take_back(&self, memory: Vec<u8>) {
            self.0.fetch_add(memory.len(), Ordering::Relaxed);
        }
    }

    /// Scenario: BP10.
    #[test]
    fn the_last_clone_gives_the_memory_back() {
        let lender = Arc::new(Counting::default());
        let whole = Payload::lent(vec![1, 2, 3], lender.clone());
        let part = whole.slice(1..2).expect("inside");
        drop(whole);
        assert_eq!(lender.0.load(Ordering::Relaxed), 0);
        assert_eq!(*part, [2]);
        drop(part);
        assert_eq!(lender.0.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn memory_is_used_again_once_nobody_has_a_part_of_it() {
        let mut payload = Payload::new(vec![1, 2, 3]);
        let first = payload.as_ptr();
        payload.refill(|bytes| bytes.push(4));
        assert_eq!((&*payload, payload.as_ptr()), (&[4][..], first));
        let part = payload.slice(0..1).expect("inside");
        payload.refill(|bytes| bytes.push(5));
        assert_eq!((&*part, &*payload), (&[4][..], &[5][..]));
    }

    #[test]
    fn a_slice_outside_is_refused() {
        let payload = Payload::new(vec![1, 2, 3]).slice(1..3).expect("inside");
        assert!(payload.slice(0..3).is_none());
        assert!(payload.slice(2..2).is_some());
    }
}
