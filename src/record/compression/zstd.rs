//! zstd: a frame without the size of its content, as a stream would write it.
//!
//! Java: `common/compress/ZstdCompression.java`.
//! Differs: nothing on the wire.
//! Threads: a compressor is plain data; each thread reads with a context of its own. Locks: none.

use std::cell::RefCell;

use zstd::zstd_safe::{CCtx, CParameter, DCtx, compress_bound, get_error_name};

use crate::common::sync::thread_local;
use crate::record::compression::read_within;
use crate::record::compression_type::CompressionType;
use crate::record::record_error::RecordError;

/// A context with its tables.
pub(super) struct Compressor {
    context: CCtx<'static>,
}

impl Compressor {
    pub(super) fn new() -> Result<Self, RecordError> {
        let mut context = CCtx::create();
        context
            .set_parameter(CParameter::ContentSizeFlag(false))
            .map_err(failed)?;
        Ok(Self { context })
    }

    /// Appends the compressed bytes to `output`, which is empty.
    pub(super) fn compress(
        &mut self,
        level: i32,
        plain: &[u8],
        output: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        output.reserve(compress_bound(plain.len()));
        self.context
            .set_parameter(CParameter::CompressionLevel(level))
            .map_err(failed)?;
        self.context.compress2(output, plain).map_err(failed)?;
        Ok(())
    }
}

pub(super) fn decompress(compressed: &[u8], limit: usize) -> Result<Vec<u8>, RecordError> {
    CONTEXT.with(|context| {
        let mut context = context.borrow_mut();
        let decoder = zstd::stream::read::Decoder::with_context(compressed, &mut context);
        read_within(CompressionType::Zstd, decoder, limit)
    })
}

thread_local! {
    /// With its tables and its window: to make them anew takes longer than to read a batch.
    static CONTEXT: RefCell<DCtx<'static>> = RefCell::new(DCtx::create());
}

fn failed(code: usize) -> RecordError {
    RecordError::undecodable(CompressionType::Zstd, get_error_name(code))
}
