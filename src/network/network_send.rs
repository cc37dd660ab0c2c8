//! A frame on its way out: the segments that are still to be written.
//!
//! Java: `common/network/NetworkSend.java`, `common/network/ByteBufferSend.java`.
//! Differs: segments are shared, never copied, and let go one by one as the socket takes them, so that their memory returns
//! to the pool as early as it can.
//! Threads: the I/O thread. Locks: none.

use std::io::{self, IoSlice, Write};

use smallvec::SmallVec;

use crate::common::cluster::NodeId;
#[cfg(test)]
use crate::common::payload::Payload;
use crate::common::planted::planted;
use crate::protocol::writable::Segments;

/// A frame, size prefix included, and how much of it is out.
#[derive(Debug)]
pub(crate) struct NetworkSend {
    destination: NodeId,
    /// Those that are still to be written. Invariant: none is empty, and the first one has more than `written_of_first`
    /// bytes.
    segments: <Segments as IntoIterator>::IntoIter,
    written_of_first: usize,
    size: usize,
    remaining: usize,
}

impl NetworkSend {
    /// A frame made of `segments`, which already begin with the size prefix.
    pub(crate) fn new(destination: NodeId, segments: impl Into<Segments>) -> Self {
        let mut segments = segments.into();
        segments.retain(|segment| !segment.is_empty());
        let size = segments.iter().map(|s| s.len()).sum();
        Self {
            destination,
            segments: segments.into_iter(),
            written_of_first: 0,
            size,
            remaining: size,
        }
    }

    /// The connection it goes out on.
    pub(crate) fn destination(&self) -> NodeId {
        self.destination
    }

    /// Bytes in the whole frame, size prefix included.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Bytes still to be written.
    #[cfg(test)]
    pub(crate) fn remaining(&self) -> usize {
        self.remaining
    }

    /// Whether all bytes are written.
    pub(crate) fn is_completed(&self) -> bool {
        self.remaining == 0
    }

    /// The segments that are not written as a whole.
    #[cfg(test)]
    pub(crate) fn segments(&self) -> impl Iterator<Item = &Payload> {
        self.segments.as_slice().iter()
    }

    /// Writes once, as much as one vectored write can name.
    ///
    /// # Errors
    /// What the writer says, `WouldBlock` included.
    pub(crate) fn write_to(&mut self, writer: &mut (impl Write + ?Sized)) -> io::Result<Written> {
        let mut slices = SmallVec::<[_; 3]>::new();
        let mut skip = self.written_of_first;
        let mut offered = 0;
        for segment in self.segments.as_slice().iter().take(MAX_SLICES) {
            let rest = segment.get(skip..).unwrap_or_default();
            offered += rest.len();
            slices.push(IoSlice::new(rest));
            skip = 0;
        }
        let written = writer.write_vectored(&slices)?;
        drop(slices);
        if written == 0 && offered > 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        self.advance(written);
        Ok(Written {
            all_that_was_offered: written == offered,
        })
    }

    fn advance(&mut self, written: usize) {
        self.remaining -= written;
        let mut left = self.written_of_first + written;
        while let Some(first) = self.segments.as_slice().first() {
            if left < first.len() {
                break;
            }
            left -= first.len();
            drop(self.segments.next());
        }
        self.written_of_first = if planted!("partial-write-starts-again") {
            0
        } else {
            left
        };
    }
}

/// What one write achieved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// False where the writer took less: its buffer is full now.
    pub(crate) all_that_was_offered: bool,
}

/// The operating system's limit on the slices of one write (`IOV_MAX`).
const MAX_SLICES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes `at_a_time` bytes per write.
    struct Narrow {
        at_a_time: usize,
        got: Vec<u8>,
        most_slices: usize,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.write_vectored(&[IoSlice::new(bytes)])
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.most_slices = self.most_slices.max(slices.len());
            let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
            let before = self.got.len();
            self.got.extend(bytes.take(self.at_a_time));
            Ok(self.got.len() - before)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn narrow(at_a_time: usize) -> Narrow {
        Narrow {
            at_a_time,
            got: Vec::new(),
            most_slices: 0,
        }
    }

    /// Scenario: S06 (writes, without sockets).
    #[test]
    fn any_partial_write_continues_where_it_stopped() {
        for at_a_time in 1..=12 {
            let parts = [&b"abc"[..], b"", b"d", b"efgh", b"", b"ij"];
            let segments = parts.map(|part| Payload::new(part.to_vec())).to_vec();
            let mut send = NetworkSend::new(NodeId(1), segments);
            let mut writer = narrow(at_a_time);
            while !send.is_completed() {
                send.write_to(&mut writer).expect("takes bytes");
                assert_eq!(send.remaining(), send.size() - writer.got.len());
            }
            assert_eq!(writer.got, b"abcdefghij", "{at_a_time} bytes at a time");
        }
    }

    #[test]
    fn a_write_names_at_most_1024_slices() {
        let segments = vec![Payload::new(vec![7]); 3000];
        let mut send = NetworkSend::new(NodeId(1), segments);
        let mut writer = narrow(usize::MAX);
        while !send.is_completed() {
            send.write_to(&mut writer).expect("takes bytes");
        }
        assert_eq!((writer.got.len(), writer.most_slices), (3000, 1024));
    }

    #[test]
    fn a_segment_is_let_go_as_soon_as_it_is_written() {
        let segments = vec![Payload::new(vec![1; 4]), Payload::new(vec![2; 4])];
        let mut send = NetworkSend::new(NodeId(1), segments);
        send.write_to(&mut narrow(5)).expect("takes bytes");
        assert_eq!(send.segments().count(), 1);
        assert_eq!(send.remaining(), 3);
    }

    #[test]
    fn a_writer_that_takes_nothing_is_an_error() {
        let mut send = NetworkSend::new(NodeId(1), vec![Payload::new(vec![1])]);
        let error = send.write_to(&mut narrow(0)).expect_err("took nothing");
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }
}
