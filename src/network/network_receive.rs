//! Frames on their way in: from bytes as they come to payloads without their size prefix.
//!
//! Java: `common/network/NetworkReceive.java`.
//! Differs: no separate read of the four size bytes: all frames that came with one read are cut out of it at once; a large
//! frame grows with the bytes that arrive, so that a size field alone allocates next to nothing.
//! Threads: the I/O thread. Locks: none.

use std::collections::VecDeque;
use std::io::{self, Read};

use smallvec::SmallVec;

use crate::common::cluster::NodeId;
use crate::common::payload::Payload;
use crate::common::planted::planted;
use crate::network::channel_state::InvalidReceive;

/// A frame that has arrived.
#[derive(Debug, Clone)]
pub(crate) struct NetworkReceive {
    /// The connection it came on.
    pub(crate) source: NodeId,
    /// The frame without its size prefix.
    pub(crate) payload: Payload,
}

/// What arrived on one connection and was not taken yet: whole frames, and the beginning of the next one.
#[derive(Debug)]
pub(crate) struct ReceiveBuffer {
    whole: VecDeque<Payload>,
    /// Where the frames of the last read are that came as a whole; kept for its memory.
    block: Payload,
    partial: Partial,
    /// The largest frame that is accepted.
    limit: usize,
}

/// The frame whose end has not arrived.
#[derive(Debug)]
enum Partial {
    /// The first `len` bytes of the size prefix, fewer than all four.
    Prefix { bytes: [u8; 4], len: usize },
    /// Of the `size` bytes behind the prefix the first `filled`, fewer than all. `bytes` may be longer: the room is there
    /// before the bytes are.
    Body {
        bytes: Vec<u8>,
        filled: usize,
        size: usize,
    },
}

impl ReceiveBuffer {
    /// Nothing has arrived; frames of up to `limit` bytes are accepted.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            whole: VecDeque::new(),
            block: Payload::default(),
            partial: NOTHING_YET,
            limit,
        }
    }

    /// Changes the largest size for frames that begin from now on.
    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Whether a whole frame waits to be taken.
    pub(crate) fn has_frame(&self) -> bool {
        !self.whole.is_empty()
    }

    /// The oldest whole frame.
    pub(crate) fn take_frame(&mut self) -> Option<Payload> {
        self.whole.pop_front()
    }

    /// Reads once. The bulk of a large frame is read to where it stays; all else goes through `scratch`, out of which the
    /// whole frames are copied into memory of just their size: most frames have a hundred bytes.
    ///
    /// # Errors
    /// What the reader says, `WouldBlock` included; end of file; a frame size that is refused, in which case the frames
    /// before it can still be taken.
    pub(crate) fn read_from(
        &mut self,
        reader: &mut (impl Read + ?Sized),
        scratch: &mut [u8],
    ) -> Result<ReadProgress, ReadError> {
        if let Some(room) = self.room_in_large_frame(scratch.len()) {
            let (read, offered) = (reader.read(room)?, room.len());
            self.fill(read);
            return ReadProgress::of(read, offered);
        }
        let read = reader.read(scratch)?;
        self.accept(scratch.get(..read).unwrap_or_default())?;
        ReadProgress::of(read, scratch.len())
    }

    /// Where to read to when more than `scratch` bytes of a frame are missing. The room at most doubles what has arrived.
    fn room_in_large_frame(&mut self, scratch: usize) -> Option<&mut [u8]> {
        let Partial::Body {
            bytes,
            filled,
            size,
        } = &mut self.partial
        else {
            return None;
        };
        if *size - *filled <= scratch {
            return None;
        }
        if *filled == bytes.len() {
            let room = (*filled * 2).max(FIRST_ROOM).min(*size);
            bytes.reserve_exact(room - *filled);
            bytes.resize(room, 0);
        }
        bytes.get_mut(*filled..)
    }

    /// Counts bytes that were read into the frame in progress, and finishes it where they were the last.
    fn fill(&mut self, read: usize) {
        if let Partial::Body {
            bytes,
            filled,
            size,
        } = &mut self.partial
        {
            *filled += read;
            if filled == size {
                self.whole.push_back(Payload::new(std::mem::take(bytes)));
                self.partial = NOTHING_YET;
            }
        }
    }

    /// Takes bytes as they came: the rest of the frame in progress, whole frames, the beginning of another.
    fn accept(&mut self, bytes: &[u8]) -> Result<(), InvalidReceive> {
        let in_progress = !matches!(self.partial, Partial::Prefix { len: 0, .. });
        let bytes = if in_progress {
            self.continue_partial(bytes)?
        } else {
            bytes
        };
        let bytes = self.cut_whole_frames(bytes)?;
        self.continue_partial(bytes).map(|_| ())
    }

    /// Adds to the frame in progress; returns what lies behind its end.
    fn continue_partial<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], InvalidReceive> {
        let bytes = self.continue_prefix(bytes)?;
        let Partial::Body {
            bytes: body,
            filled,
            size,
        } = &mut self.partial
        else {
            return Ok(bytes);
        };
        let (ours, behind) = bytes.split_at(bytes.len().min(*size - *filled));
        body.truncate(*filled);
        body.extend_from_slice(ours);
        self.fill(ours.len());
        Ok(behind)
    }

    fn continue_prefix<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], InvalidReceive> {
        let Partial::Prefix { bytes: prefix, len } = &mut self.partial else {
            return Ok(bytes);
        };
        let (ours, behind) = bytes.split_at(bytes.len().min(prefix.len() - *len));
        for (to, from) in prefix.iter_mut().skip(*len).zip(ours) {
            *to = *from;
        }
        *len += ours.len();
        if *len == prefix.len() {
            let size = checked_size(*prefix, self.limit)?;
            self.partial = Partial::Body {
                bytes: Vec::new(),
                filled: 0,
                size,
            };
        }
        Ok(behind)
    }

    /// Takes all whole frames that `bytes` begins with, in one piece of memory; returns what lies behind them.
    fn cut_whole_frames<'a>(&mut self, bytes: &'a [u8]) -> Result<&'a [u8], InvalidReceive> {
        let mut frames = SmallVec::<[_; 4]>::new();
        let mut end = 0;
        let mut verdict = Ok(());
        while let Some(prefix) = bytes.get(end..).and_then(<[u8]>::first_chunk) {
            let start = end + prefix.len();
            match checked_size(*prefix, self.limit) {
                Ok(size) if size <= bytes.len() - start => {
                    end = start + size;
                    frames.push(start..end);
                }
                Ok(_) => break,
                Err(invalid) => {
                    verdict = Err(invalid);
                    break;
                }
            }
        }
        let (whole, behind) = bytes.split_at(end);
        if !frames.is_empty() {
            self.block.refill(|block| block.extend_from_slice(whole));
            let frames = frames.into_iter();
            self.whole
                .extend(frames.filter_map(|range| self.block.slice(range)));
        }
        verdict.map(|()| behind)
    }
}

fn checked_size(prefix: [u8; 4], limit: usize) -> Result<usize, InvalidReceive> {
    usize::try_from(i32::from_be_bytes(prefix))
        .ok()
        .filter(|size| *size <= limit || planted!("answers-without-limit"))
        .ok_or(InvalidReceive { prefix, limit })
}

/// What one read achieved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadProgress {
    /// The reader had at least as much as there was room for: it may have more.
    pub(crate) filled_the_room: bool,
}

impl ReadProgress {
    fn of(read: usize, room: usize) -> Result<Self, ReadError> {
        if read == 0 {
            let text = "connection closed by the peer";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text).into());
        }
        Ok(Self {
            filled_the_room: read == room,
        })
    }
}

/// Why nothing more can be read from a connection.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The peer or the network ended it.
    Io(io::Error),
    /// The peer does not speak Kafka.
    Invalid(InvalidReceive),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<InvalidReceive> for ReadError {
    fn from(invalid: InvalidReceive) -> Self {
        Self::Invalid(invalid)
    }
}

const NOTHING_YET: Partial = Partial::Prefix {
    bytes: [0; 4],
    len: 0,
};

const FIRST_ROOM: usize = 64 * 1024;

#[cfg(test)]
mod tests;
