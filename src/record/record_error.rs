//! Why bytes could not be read as record batches.
//!
//! Java: `common/errors/CorruptRecordException.java`, `common/InvalidRecordException.java`.
//! Differs: one small enum; the parts are kept as values, so a caller can ask instead of parsing a sentence.
//! Threads: plain data. Locks: none.

use std::error::Error;
use std::fmt;

use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::protocol::ProtocolError;
use crate::record::compression_type::CompressionType;

/// What is wrong with a batch, or with a record inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordError {
    /// The bytes are not those that were written.
    Checksum { stored: u32, computed: u32 },
    /// A field of a batch has a value that it cannot have.
    Batch { field: &'static str, value: i64 },
    /// A field of a record has a value that it cannot have.
    Record { field: &'static str, value: i64 },
    /// A record ends before its fields do, or a field is not what it should be.
    Malformed(ProtocolError),
    /// A codec number that stands for nothing.
    UnknownCodec(u8),
    /// The codec is known, but this build leaves it out.
    CodecNotBuilt(CompressionType),
    /// The codec cannot read the body.
    Undecodable {
        codec: CompressionType,
        reason: String,
    },
    /// The body would become larger than allowed.
    TooLarge {
        codec: CompressionType,
        limit: usize,
    },
}

impl RecordError {
    pub(crate) fn undecodable(codec: CompressionType, reason: impl fmt::Display) -> Self {
        Self::Undecodable {
            codec,
            reason: reason.to_string(),
        }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum { stored, computed } => {
                write!(
                    f,
                    "batch checksum is {computed:#010x} but {stored:#010x} is stored"
                )
            }
            Self::Batch { field, value } => write!(f, "batch with a {field} of {value}"),
            Self::Record { field, value } => write!(f, "record with a {field} of {value}"),
            Self::Malformed(error) => write!(f, "malformed record: {error}"),
            Self::UnknownCodec(id) => write!(f, "compression codec {id} is not known"),
            Self::CodecNotBuilt(codec) => write!(
                f,
                "compression codec {codec} is not part of this build: enable the cargo feature {codec}"
            ),
            Self::Undecodable { codec, reason } => {
                write!(f, "{codec} data cannot be decompressed: {reason}")
            }
            Self::TooLarge { codec, limit } => {
                write!(f, "{codec} data decompresses to more than {limit} bytes")
            }
        }
    }
}

impl Error for RecordError {}

impl From<ProtocolError> for RecordError {
    fn from(error: ProtocolError) -> Self {
        Self::Malformed(error)
    }
}

impl From<RecordError> for KafkaError {
    fn from(error: RecordError) -> Self {
        let kind = match error {
            RecordError::Checksum { .. }
            | RecordError::Batch { .. }
            | RecordError::Undecodable { .. } => ErrorKind::CorruptRecord,
            RecordError::Record { .. }
            | RecordError::Malformed(_)
            | RecordError::TooLarge { .. } => ErrorKind::InvalidRecord,
            RecordError::UnknownCodec(_) | RecordError::CodecNotBuilt(_) => {
                ErrorKind::UnsupportedCompressionType
            }
        };
        KafkaError::new(kind, error.to_string()).with_source(error)
    }
}
