//! gzip: a stream of RFC 1952.
//!
//! Java: `common/compress/GzipCompression.java`.
//! Differs: one compressor is reset between batches; zlib-rs instead of the JDK's zlib, so compressed bytes differ.
//! Threads: plain data. Locks: none.

use flate2::bufread::MultiGzDecoder;
use flate2::{Compress, FlushCompress, Status};

use crate::record::compression::read_within;
use crate::record::compression_type::CompressionType;
use crate::record::record_error::RecordError;

/// A deflate state, a quarter of a megabyte that is expensive to set up.
pub(super) struct Compressor {
    level: i32,
    deflate: Compress,
}

impl Compressor {
    pub(super) fn new(level: i32) -> Self {
        Self {
            level,
            deflate: Compress::new_gzip(flate_level(level), WINDOW_BITS),
        }
    }

    /// Appends the compressed bytes to `output`.
    pub(super) fn compress(
        &mut self,
        level: i32,
        plain: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        if level == self.level {
            self.deflate.reset();
        } else {
            *self = Self::new(level);
        }
        loop {
            let consumed = usize::try_from(self.deflate.total_in()).unwrap_or(usize::MAX);
            let rest = plain.get(consumed..).unwrap_or_default();
            output.reserve(rest.len() / 2 + MIN_SPARE);
            let status = self
                .deflate
                .compress_vec(rest, output, FlushCompress::Finish)
                .map_err(|error| RecordError::undecodable(CompressionType::Gzip, error))?;
            if status == Status::StreamEnd {
                return Ok(());
            }
        }
    }
}

pub(super) fn decompress(compressed: &[u8], limit: usize) -> Result<Vec<u8>, RecordError> {
    read_within(
        CompressionType::Gzip,
        MultiGzDecoder::new(compressed),
        limit,
    )
}

/// -1 is zlib's own choice.
fn flate_level(level: i32) -> flate2::Compression {
    u32::try_from(level).map_or_else(|_| flate2::Compression::default(), flate2::Compression::new)
}

/// The largest window, as the JDK has it.
const WINDOW_BITS: u8 = 15;

/// Room for a header, a trailer and a little more.
const MIN_SPARE: usize = 512;
