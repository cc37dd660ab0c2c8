//! The protocol layer.

pub(crate) mod byte_utils;
pub(crate) mod message;
pub(crate) mod messages;
pub(crate) mod protocol_error;
pub(crate) mod readable;
pub(crate) mod records;
pub(crate) mod writable;
