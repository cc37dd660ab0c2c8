//! snappy: blocks of raw snappy in the stream format of xerial's library for Java.
//!
//! Java: `common/compress/SnappyCompression.java`, whose framing comes from snappy-java.
//! Differs: nothing on the wire.
//! Threads: plain data. Locks: none.

use byteorder::{BigEndian, WriteBytesExt};

use crate::protocol::byte_utils;
use crate::record::compression_type::CompressionType;
use crate::record::record_error::RecordError;

/// The encoder's hash table and room for one block.
pub(super) struct Compressor {
    encoder: snap::raw::Encoder,
    block: Vec<u8>,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Self {
            encoder: snap::raw::Encoder::new(),
            block: vec![0; snap::raw::max_compress_len(BLOCK_SIZE)],
        }
    }

    /// Appends the compressed bytes to `output`.
    pub(super) fn compress(
        &mut self,
        plain: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        output.extend_from_slice(&HEADER);
        for block in plain.chunks(BLOCK_SIZE) {
            let size = self
                .encoder
                .compress(block, &mut self.block)
                .map_err(undecodable)?;
            let compressed = self.block.get(..size).unwrap_or_default();
            let size = i32::try_from(size).map_err(undecodable)?;
            output.write_i32::<BigEndian>(size).map_err(undecodable)?;
            output.extend_from_slice(compressed);
        }
        Ok(())
    }
}

pub(super) fn decompress(compressed: &[u8], limit: usize) -> Result<Vec<u8>, RecordError> {
    let mut plain = Vec::new();
    let Some(mut blocks) = after_header(compressed) else {
        // Some clients wrote one raw block with nothing around it, and brokers took it.
        append_block(compressed, &mut plain, limit)?;
        return Ok(plain);
    };
    while !blocks.is_empty() {
        let size = byte_utils::read_i32(&mut blocks)?;
        if size == CONCATENATED {
            // A stream may follow a stream: this is where the next one's magic begins.
            byte_utils::take(&mut blocks, HEADER.len() - size_of::<i32>())?;
            continue;
        }
        let size = usize::try_from(size).map_err(undecodable)?;
        append_block(byte_utils::take(&mut blocks, size)?, &mut plain, limit)?;
    }
    Ok(plain)
}

fn after_header(compressed: &[u8]) -> Option<&[u8]> {
    let (header, blocks) = compressed.split_at_checked(HEADER.len())?;
    header.starts_with(MAGIC).then_some(blocks)
}

fn append_block(block: &[u8], plain: &mut Vec<u8>, limit: usize) -> Result<(), RecordError> {
    let size = snap::raw::decompress_len(block).map_err(undecodable)?;
    if size > limit.saturating_sub(plain.len()) {
        return Err(RecordError::TooLarge {
            codec: CompressionType::Snappy,
            limit,
        });
    }
    if size > block.len().saturating_mul(MAX_EXPANSION) {
        return Err(undecodable(format!(
            "block of {} bytes says that it holds {size}",
            block.len()
        )));
    }
    let start = plain.len();
    plain.resize(start + size, 0);
    let room = plain.get_mut(start..).unwrap_or_default();
    snap::raw::Decoder::new()
        .decompress(block, room)
        .map_err(undecodable)?;
    Ok(())
}

fn undecodable(reason: impl std::fmt::Display) -> RecordError {
    RecordError::undecodable(CompressionType::Snappy, reason)
}

/// The most plain bytes in one block.
const BLOCK_SIZE: usize = 32 * 1024;

const MAGIC: &[u8] = b"\x82SNAPPY\0";

/// The magic, the version and the oldest version that can read it.
const HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

/// The first four bytes of the magic, read as a block's size.
const CONCATENATED: i32 = i32::from_be_bytes(*b"\x82SNA");

/// A copy of three bytes yields at most 64.
const MAX_EXPANSION: usize = 64;
