//! The messages we speak, one file per API, request and response together.
//!
//! Java: `common/message/*.json`, from which Java's build generates one class each.
//! Differs: see `message`.
//! Threads: plain data. Locks: none.

pub(crate) mod add_offsets_to_txn;
pub(crate) mod add_partitions_to_txn;
pub(crate) mod api_versions;
#[cfg(any(test, feature = "embedded-broker"))]
pub(crate) mod create_topics;
pub(crate) mod end_txn;
#[cfg(any(test, feature = "embedded-broker"))]
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
pub(crate) mod init_producer_id;
#[cfg(any(test, feature = "embedded-broker"))]
pub(crate) mod list_offsets;
pub(crate) mod metadata;
#[cfg(any(test, feature = "embedded-broker"))]
pub(crate) mod offset_fetch;
pub(crate) mod produce;
pub(crate) mod txn_offset_commit;
