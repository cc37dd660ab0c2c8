//! Kafka's wire protocol: messages as tables, and the bytes they become at each version.
//!
//! Java: `common/protocol`, `common/message`, `common/requests`.
//! Differs: messages are declared, not generated; record batches are opaque bytes; every read is checked against the bytes
//! left, so that neither a length nor a count of a peer decides how much we allocate.
//! Threads: plain data and pure functions. Locks: none.
//!
//! | key | request | versions | our client asks | file |
//! | --- | --- | --- | --- | --- |
//! | 0 | Produce | 3 to 13 | 3 to 13 | `messages/produce.rs` |
//! | 1 | Fetch | 4 to 18 | (embedded broker) | `messages/fetch.rs` |
//! | 2 | ListOffsets | 1 to 11 | (embedded broker) | `messages/list_offsets.rs` |
//! | 3 | Metadata | 0 to 13 | 4 to 13 | `messages/metadata.rs` |
//! | 9 | OffsetFetch | 1 to 10 | (embedded broker) | `messages/offset_fetch.rs` |
//! | 10 | FindCoordinator | 0 to 6 | 1 to 6 | `messages/find_coordinator.rs` |
//! | 18 | ApiVersions | 0 to 4 | 0 to 4 | `messages/api_versions.rs` |
//! | 19 | CreateTopics | 2 to 7 | (embedded broker) | `messages/create_topics.rs` |
//! | 22 | InitProducerId | 0 to 6 | 0 to 6 | `messages/init_producer_id.rs` |
//! | 24 | AddPartitionsToTxn | 0 to 5 | 0 to 3 | `messages/add_partitions_to_txn.rs` |
//! | 25 | AddOffsetsToTxn | 0 to 4 | 0 to 4 | `messages/add_offsets_to_txn.rs` |
//! | 26 | EndTxn | 0 to 5 | 0 to 5 | `messages/end_txn.rs` |
//! | 28 | TxnOffsetCommit | 0 to 5 | 0 to 5 | `messages/txn_offset_commit.rs` |
//!
//! Files import only files that stand before them here.

// Wire data decides indexes and sizes here, so neither may panic or lose bits.
#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation)]

pub(crate) mod protocol_error;

pub(crate) mod byte_utils;
pub(crate) mod records;

pub(crate) mod readable;
pub(crate) mod writable;

pub(crate) mod message;

pub(crate) mod messages;

pub(crate) mod api_keys;
pub(crate) mod errors;

pub(crate) mod headers;

pub(crate) mod requests;

pub(crate) use api_keys::ApiKeys;
pub(crate) use errors::Errors;
pub(crate) use protocol_error::ProtocolError;
pub(crate) use records::Records;

#[cfg(test)]
mod tests;
