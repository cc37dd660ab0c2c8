//! LZ4: a frame of independent blocks of 64 KiB without checksums of the content.
//!
//! Java: `common/compress/Lz4BlockOutputStream.java`, `common/compress/Lz4BlockInputStream.java`.
//! Differs: one strength only, Java's fast one, whatever the level; the level changes no format.
//! Threads: plain data. Locks: none.

use std::io::Write;

use byteorder::{ByteOrder, LittleEndian};
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use twox_hash::XxHash32;

use crate::protocol::ProtocolError;
use crate::protocol::byte_utils;
use crate::record::compression_type::CompressionType;
use crate::record::record_error::RecordError;

/// The encoder's hash table and its blocks.
pub(super) struct Compressor {
    frame: FrameEncoder<Vec<u8>>,
}

impl Compressor {
    pub(super) fn new() -> Self {
        let info = FrameInfo::new()
            .block_size(BlockSize::Max64KB)
            .block_mode(BlockMode::Independent);
        Self {
            frame: FrameEncoder::with_frame_info(info, Vec::new()),
        }
    }

    /// Appends the compressed bytes to `output`.
    pub(super) fn compress(
        &mut self,
        plain: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        if plain.is_empty() {
            // The encoder begins a frame with the first byte only, save for the first frame of its life.
            *self = Self::new();
        }
        std::mem::swap(self.frame.get_mut(), output);
        let written = self
            .frame
            .write_all(plain)
            .map_err(undecodable)
            .and_then(|()| self.frame.try_finish().map_err(undecodable));
        std::mem::swap(self.frame.get_mut(), output);
        written
    }
}

/// Whether the byte that checks the frame's header has to be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderChecksum {
    Checked,
    /// Messages of format 0 carry one that also covers the magic number (KAFKA-3160).
    Ignored,
}

pub(super) fn decompress(
    compressed: &[u8],
    limit: usize,
    checksum: HeaderChecksum,
) -> Result<Vec<u8>, RecordError> {
    let mut input = compressed;
    let frame = Frame::read(&mut input, checksum)?;
    let mut plain = Vec::new();
    while frame.append_block(&mut input, &mut plain, limit)? {}
    Ok(plain)
}

/// What a frame's header says about its blocks.
struct Frame {
    block_size: usize,
    block_checksums: bool,
}

impl Frame {
    fn read(input: &mut &[u8], checksum: HeaderChecksum) -> Result<Self, RecordError> {
        if read_u32(input)? != MAGIC {
            return Err(undecodable("no LZ4 frame starts here"));
        }
        let descriptor = *input;
        let [flags, block] = byte_utils::take_array(input)?;
        if flags & VERSION_MASK != VERSION {
            return Err(undecodable(format!(
                "frame version {} is not 1",
                flags >> 6
            )));
        }
        if flags & INDEPENDENT_BLOCKS == 0 {
            return Err(undecodable("blocks depend on each other"));
        }
        if flags & DICTIONARY != 0 {
            return Err(undecodable("a dictionary is wanted"));
        }
        if flags & CONTENT_SIZE != 0 {
            byte_utils::take(input, size_of::<u64>())?;
        }
        let descriptor = descriptor
            .get(..descriptor.len() - input.len())
            .unwrap_or_default();
        let [stored] = byte_utils::take_array(input)?;
        let [_, computed, ..] = XxHash32::oneshot(0, descriptor).to_le_bytes();
        if checksum == HeaderChecksum::Checked && stored != computed {
            return Err(undecodable(format!(
                "header checksum is {computed:#04x} but {stored:#04x} is stored"
            )));
        }
        Ok(Self {
            block_size: block_size(block)?,
            block_checksums: flags & BLOCK_CHECKSUMS != 0,
        })
    }

    /// Reads one block; whether there may be more.
    fn append_block(
        &self,
        input: &mut &[u8],
        plain: &mut Vec<u8>,
        limit: usize,
    ) -> Result<bool, RecordError> {
        let word = read_u32(input)?;
        if word == END_MARK {
            return Ok(false);
        }
        let size = usize::try_from(word & !STORED).map_err(undecodable)?;
        if size > self.block_size {
            return Err(undecodable(format!(
                "block of {size} bytes is larger than the {} of the frame",
                self.block_size
            )));
        }
        let block = byte_utils::take(input, size)?;
        if self.block_checksums && read_u32(input)? != XxHash32::oneshot(0, block) {
            return Err(undecodable("checksum of a block is wrong"));
        }
        let start = plain.len();
        if word & STORED != 0 {
            plain.extend_from_slice(block);
        } else {
            let most = block.len().saturating_mul(MAX_EXPANSION);
            plain.resize(start + most.min(self.block_size), 0);
            let room = plain.get_mut(start..).unwrap_or_default();
            let size = lz4_flex::block::decompress_into(block, room).map_err(undecodable)?;
            plain.truncate(start + size);
        }
        if plain.len() > limit {
            return Err(RecordError::TooLarge {
                codec: CompressionType::Lz4,
                limit,
            });
        }
        Ok(true)
    }
}

/// The largest block by the code in the frame's header.
fn block_size(descriptor: u8) -> Result<usize, RecordError> {
    match descriptor >> 4 & 7 {
        code @ 4..=7 => Ok(1 << (8 + 2 * code)),
        code => Err(undecodable(format!("block size code {code} is not known"))),
    }
}

fn read_u32(input: &mut &[u8]) -> Result<u32, ProtocolError> {
    byte_utils::take_array::<4>(input).map(|bytes| LittleEndian::read_u32(&bytes))
}

fn undecodable(reason: impl std::fmt::Display) -> RecordError {
    RecordError::undecodable(CompressionType::Lz4, reason)
}

const MAGIC: u32 = 0x184d_2204;
const VERSION_MASK: u8 = 0xc0;
const VERSION: u8 = 0x40;
const INDEPENDENT_BLOCKS: u8 = 0x20;
const BLOCK_CHECKSUMS: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const DICTIONARY: u8 = 0x01;

/// A block whose bytes are as they were, because compression would not have made them fewer.
const STORED: u32 = 1 << 31;
const END_MARK: u32 = 0;

/// A byte makes a match at most so much longer: small blocks need no room for large ones.
const MAX_EXPANSION: usize = 255;
