//! The codecs behind one door: settings with their ranges, pooled compressors, and reading with a limit.
//!
//! Java: `common/compress/Compression.java` and its implementations.
//! Differs: a batch is compressed once, whole, when it is sealed; what a codec needs for that is kept between batches; a
//! codec that this build leaves out is refused when it is configured, not when the first batch is sent.
//! Threads: a pool belongs to whoever seals; the rest is pure functions. Locks: none.

use std::ops::RangeInclusive;

use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
pub(crate) use crate::record::compression_type::CompressionType;
use crate::record::record_error::RecordError;

#[cfg(feature = "gzip")]
mod gzip;
#[cfg(feature = "lz4")]
mod lz4;
#[cfg(feature = "snappy")]
mod snappy;
#[cfg(feature = "zstd")]
mod zstd;

/// A codec and how hard it tries.
///
/// Invariant: this build contains the codec, and the level is in its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Compression {
    codec: CompressionType,
    level: i32,
}

impl Compression {
    pub(crate) const NONE: Self = Self {
        codec: CompressionType::None,
        level: 0,
    };

    /// A codec at its default level.
    pub(crate) fn of(codec: CompressionType) -> Result<Self, KafkaError> {
        Self::with_level(codec, default_level(codec))
    }

    /// A codec at a level of `compression.{codec}.level`.
    pub(crate) fn with_level(codec: CompressionType, level: i32) -> Result<Self, KafkaError> {
        if !codec.is_built() {
            return Err(RecordError::CodecNotBuilt(codec).into());
        }
        let range = levels(codec);
        let by_default = level == default_level(codec);
        if !by_default && !range.contains(&level) {
            return Err(KafkaError::new(
                ErrorKind::Config,
                format!(
                    "compression.{codec}.level of {level} is outside of {} to {}",
                    range.start(),
                    range.end()
                ),
            ));
        }
        Ok(Self { codec, level })
    }

    pub(crate) fn codec(self) -> CompressionType {
        self.codec
    }
}

/// The level that a codec has when none is configured; snappy has none.
pub(crate) fn default_level(codec: CompressionType) -> i32 {
    match codec {
        CompressionType::None | CompressionType::Snappy => 0,
        CompressionType::Gzip => -1,
        CompressionType::Lz4 => 9,
        CompressionType::Zstd => 3,
    }
}

/// The levels that Java accepts; gzip also takes its default of -1, which stands outside.
pub(crate) fn levels(codec: CompressionType) -> RangeInclusive<i32> {
    match codec {
        CompressionType::None | CompressionType::Snappy => 0..=0,
        CompressionType::Gzip => 1..=9,
        CompressionType::Lz4 => 1..=17,
        CompressionType::Zstd => -131_072..=22,
    }
}

/// What the codecs need to work, kept between batches: making it anew costs more than compressing a batch.
#[derive(Default)]
pub(crate) struct CompressorPool {
    #[cfg(feature = "gzip")]
    gzip: Option<gzip::Compressor>,
    #[cfg(feature = "snappy")]
    snappy: Option<snappy::Compressor>,
    #[cfg(feature = "lz4")]
    lz4: Option<lz4::Compressor>,
    #[cfg(feature = "zstd")]
    zstd: Option<zstd::Compressor>,
    output: Vec<u8>,
}

impl std::fmt::Debug for CompressorPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CompressorPool({} bytes)", self.output.capacity())
    }
}

impl CompressorPool {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The bytes, compressed; they stay here until the next call.
    pub(crate) fn compress(
        &mut self,
        compression: Compression,
        plain: &[u8],
    ) -> Result<&[u8], RecordError> {
        self.output.clear();
        match compression.codec {
            CompressionType::None => self.output.extend_from_slice(plain),
            #[cfg(feature = "gzip")]
            CompressionType::Gzip => self
                .gzip
                .get_or_insert_with(|| gzip::Compressor::new(compression.level))
                .compress(compression.level, plain, &mut self.output)?,
            #[cfg(feature = "snappy")]
            CompressionType::Snappy => self
                .snappy
                .get_or_insert_with(snappy::Compressor::new)
                .compress(plain, &mut self.output)?,
            #[cfg(feature = "lz4")]
            CompressionType::Lz4 => self
                .lz4
                .get_or_insert_with(lz4::Compressor::new)
                .compress(plain, &mut self.output)?,
            #[cfg(feature = "zstd")]
            CompressionType::Zstd => match &mut self.zstd {
                Some(zstd) => zstd,
                missing => missing.insert(zstd::Compressor::new()?),
            }
            .compress(compression.level, plain, &mut self.output)?,
            #[cfg(not(all(
                feature = "gzip",
                feature = "snappy",
                feature = "lz4",
                feature = "zstd"
            )))]
            codec => return Err(RecordError::CodecNotBuilt(codec)),
        }
        Ok(&self.output)
    }
}

/// What was compressed, or an error as soon as it grows beyond `limit` bytes.
pub(crate) fn decompress(
    codec: CompressionType,
    compressed: &[u8],
    limit: usize,
) -> Result<Vec<u8>, RecordError> {
    match codec {
        CompressionType::None if compressed.len() > limit => {
            Err(RecordError::TooLarge { codec, limit })
        }
        CompressionType::None => Ok(compressed.to_vec()),
        #[cfg(feature = "gzip")]
        CompressionType::Gzip => gzip::decompress(compressed, limit),
        #[cfg(feature = "snappy")]
        CompressionType::Snappy => snappy::decompress(compressed, limit),
        #[cfg(feature = "lz4")]
        CompressionType::Lz4 => lz4::decompress(compressed, limit, lz4::HeaderChecksum::Checked),
        #[cfg(feature = "zstd")]
        CompressionType::Zstd => zstd::decompress(compressed, limit),
        #[cfg(not(all(
            feature = "gzip",
            feature = "snappy",
            feature = "lz4",
            feature = "zstd"
        )))]
        codec => Err(RecordError::CodecNotBuilt(codec)),
    }
}

/// The same for a message of format 0, whose writers computed the checksum of the LZ4 header wrongly (KAFKA-3160).
pub(crate) fn decompress_magic_0(
    codec: CompressionType,
    compressed: &[u8],
    limit: usize,
) -> Result<Vec<u8>, RecordError> {
    match codec {
        #[cfg(feature = "lz4")]
        CompressionType::Lz4 => lz4::decompress(compressed, limit, lz4::HeaderChecksum::Ignored),
        codec => decompress(codec, compressed, limit),
    }
}

/// Reads to the end of what a codec yields, but never more than `limit` bytes.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn read_within(
    codec: CompressionType,
    source: impl std::io::Read,
    limit: usize,
) -> Result<Vec<u8>, RecordError> {
    use std::io::Read;

    let mut plain = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    source
        .take(one_more)
        .read_to_end(&mut plain)
        .map_err(|error| RecordError::undecodable(codec, error))?;
    if plain.len() > limit {
        return Err(RecordError::TooLarge { codec, limit });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests;
