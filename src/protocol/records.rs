//! Record bytes inside a message: a list of segments that are never copied and never looked into at this layer.
//!
//! Java: `common/record/BaseRecords.java`, as a `ByteBuffer` in the generated message classes.
//! Differs: several segments stand for one piece of bytes, so a batch's header and its sealed body need no common buffer.
//! Threads: plain data. Locks: none.

use crate::common::payload::Payload;

/// Segments that follow each other on the wire and together are the bytes of record batches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Records(Vec<Payload>);

impl Records {
    /// Segments in the order of the wire.
    pub(crate) fn new(segments: Vec<Payload>) -> Self {
        Self(segments)
    }

    /// How many bytes there are in all segments.
    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(|segment| segment.len()).sum()
    }

    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn is_empty(&self) -> bool {
        self.size() == 0
    }

    pub(crate) fn segments(&self) -> &[Payload] {
        &self.0
    }

    /// The bytes in one piece; copied only where there are several segments.
    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn contiguous(&self) -> Payload {
        match self.0.as_slice() {
            [] => Payload::default(),
            [one] => one.clone(),
            several => Payload::new(
                several
                    .iter()
                    .flat_map(|part| part.iter().copied())
                    .collect(),
            ),
        }
    }
}

impl From<Payload> for Records {
    fn from(payload: Payload) -> Self {
        Self(vec![payload])
    }
}

impl PartialEq for Records {
    /// The same bytes, however they are cut.
    fn eq(&self, other: &Self) -> bool {
        let ours = self.0.iter().flat_map(|segment| segment.iter());
        ours.eq(other.0.iter().flat_map(|segment| segment.iter()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equality_does_not_see_the_cuts() {
        let whole = Records::from(Payload::new(vec![1, 2, 3]));
        let cut = Records::new(vec![Payload::new(vec![1]), Payload::new(vec![2, 3])]);
        assert_eq!(whole, cut);
        assert_eq!(cut.size(), 3);
        assert_eq!(*cut.contiguous(), [1, 2, 3]);
        assert_ne!(whole, Records::from(Payload::new(vec![1, 2, 4])));
        assert!(Records::default().is_empty());
    }
}
