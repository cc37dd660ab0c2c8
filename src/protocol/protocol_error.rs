//! Why bytes could not be read as a message, or a message could not be written as bytes.
//!
//! Java: `common/protocol/types/SchemaException.java`, `common/errors/UnsupportedVersionException.java`.
//! Differs: one small enum that allocates nothing, since hostile input may produce it millions of times.
//! Threads: plain data. Locks: none.

use std::error::Error;
use std::fmt;

use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;

/// What is wrong with a frame that came in, or with a value that should go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProtocolError {
    /// Fewer bytes are left than the next value takes.
    Truncated { wanted: usize, left: usize },
    /// A variable-length integer of more bytes or bits than its type has.
    VarintTooLong { max_bits: u32 },
    /// A length or count below -1.
    NegativeLength(i32),
    /// An array says it has more elements than could fit into the bytes left.
    TooManyElements { count: usize, left: usize },
    /// The elements read so far take too many times the memory of the frame.
    TooMuchMemory { budget: usize },
    /// Null stands where the schema has none.
    UnexpectedNull(&'static str),
    /// A string that is not UTF-8.
    InvalidUtf8,
    /// A tag that is not above the one before it.
    TagOrder { tag: u32, after: u32 },
    /// A known tag whose value ended before its size did.
    TagNotConsumed { tag: u32, left: usize },
    /// A value of more bytes than its length field can say.
    TooLong { length: usize, max: usize },
    /// A request that we do not speak.
    #[cfg(any(test, feature = "embedded-broker"))]
    UnknownApi(i16),
    /// A version of a message that we do not speak.
    UnsupportedVersion { message: &'static str, version: i16 },
    /// A field that has a value but does not exist at this version.
    UnsupportedField { field: &'static str, version: i16 },
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { wanted, left } => {
                write!(f, "message ends early: {wanted} bytes wanted, {left} left")
            }
            Self::VarintTooLong { max_bits } => {
                write!(f, "variable-length integer exceeds {max_bits} bits")
            }
            Self::NegativeLength(length) => write!(f, "length {length} is negative"),
            Self::TooManyElements { count, left } => {
                write!(
                    f,
                    "array of {count} elements cannot fit into the {left} bytes left"
                )
            }
            Self::TooMuchMemory { budget } => {
                write!(
                    f,
                    "message would take more than its {budget} bytes of memory"
                )
            }
            Self::UnexpectedNull(field) => write!(f, "{field} is null"),
            Self::InvalidUtf8 => write!(f, "string is not valid UTF-8"),
            Self::TagOrder { tag, after } => write!(f, "tag {tag} follows tag {after}"),
            Self::TagNotConsumed { tag, left } => {
                write!(f, "value of tag {tag} ends {left} bytes before its size")
            }
            Self::TooLong { length, max } => {
                write!(
                    f,
                    "value of {length} bytes is longer than the {max} its length field can say"
                )
            }
            #[cfg(any(test, feature = "embedded-broker"))]
            Self::UnknownApi(key) => write!(f, "api key {key} is not known"),
            Self::UnsupportedVersion { message, version } => {
                write!(f, "{message} has no version {version}")
            }
            Self::UnsupportedField { field, version } => {
                write!(
                    f,
                    "{field} has a value but does not exist at version {version}"
                )
            }
        }
    }
}

impl Error for ProtocolError {}

impl From<ProtocolError> for KafkaError {
    fn from(error: ProtocolError) -> Self {
        let kind = match error {
            ProtocolError::UnsupportedVersion { .. } | ProtocolError::UnsupportedField { .. } => {
                ErrorKind::UnsupportedVersion
            }
            // Java's SchemaException is a plain KafkaException.
            _ => ErrorKind::Kafka,
        };
        KafkaError::new(kind, error.to_string()).with_source(error)
    }
}
