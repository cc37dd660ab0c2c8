//! Record bytes inside a message: segments that are never looked into at this layer, and never copied but for a short head.
//!
//! Java: `common/record/BaseRecords.java`, as a `ByteBuffer` in the generated message classes.
//! Differs: several segments stand for one piece of bytes, so a batch's header and its sealed body need no common buffer;
//! the header is as short as the fields around it and is written among them.
//! Threads: plain data. Locks: none.

use smallvec::SmallVec;

use crate::common::few::Few;
use crate::common::payload::Payload;

/// What follows each other on the wire and together is the bytes of record batches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records {
    head: SmallVec<[u8; USUAL_HEAD]>,
    segments: Few<Payload>,
}

impl Records {
    /// Segments in the order of the wire.
    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn new(segments: Vec<Payload>) -> Self {
        Self {
            head: SmallVec::new(),
            segments: segments.into(),
        }
    }

    /// A few bytes that are made anew for each message, and what never changes.
    pub(crate) fn with_head(head: &[u8], body: Payload) -> Self {
        Self {
            head: SmallVec::from_slice(head),
            segments: Few::from_buf([body]),
        }
    }

    /// How many bytes there are in all.
    pub(crate) fn size(&self) -> usize {
        let segments = self.segments.iter().map(|segment| segment.len());
        self.head.len() + segments.sum::<usize>()
    }

    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn is_empty(&self) -> bool {
        self.size() == 0
    }

    /// The bytes before the segments.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    pub(crate) fn segments(&self) -> &[Payload] {
        &self.segments
    }

    /// The bytes in one piece; copied only where there are several segments.
    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn contiguous(&self) -> Payload {
        match (self.head(), self.segments()) {
            ([], [one]) => one.clone(),
            _ => Payload::new(self.bytes().copied().collect()),
        }
    }

    fn bytes(&self) -> impl Iterator<Item = &u8> {
        let segments = self.segments.iter().flat_map(|segment| segment.iter());
        self.head.iter().chain(segments)
    }
}

impl From<Payload> for Records {
    fn from(payload: Payload) -> Self {
        Self::with_head(&[], payload)
    }
}

impl PartialEq for Records {
    /// The same bytes, however they are cut.
    fn eq(&self, other: &Self) -> bool {
        self.bytes().eq(other.bytes())
    }
}

/// The header of a record batch has 61 bytes.
const USUAL_HEAD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_does_not_see_the_cuts() {
        let whole = Records::from(Payload::new(vec![1, 2, 3]));
        let cut = Records::new(vec![Payload::new(vec![1]), Payload::new(vec![2, 3])]);
        let with_head = Records::with_head(&[1, 2], Payload::new(vec![3]));
        assert_eq!(whole, cut);
        assert_eq!(whole, with_head);
        assert_eq!(
            (with_head.size(), &*with_head.contiguous()),
            (3, &[1, 2, 3][..])
        );
        assert_eq!(cut.size(), 3);
        assert_eq!(*cut.contiguous(), [1, 2, 3]);
        assert_ne!(whole, Records::from(Payload::new(vec![1, 2, 4])));
        assert!(Records::default().is_empty());
    }
}
