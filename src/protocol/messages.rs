//! The messages we speak, one file per API, request and response together.
//!
//! Java: `common/message/*.json`, from which Java's build generates one class each.
//! Differs: see `message`.
//! Threads: plain data. Locks: none.

pub(crate) mod api_versions;
#[cfg(any(test, feature = "embedded-broker"))]
pub(crate) mod create_topics;
#[cfg(any(test, feature = "embedded-broker"))]
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
pub(crate) mod init_producer_id;
#[cfg(any(test, feature = "embedded-broker"))]
pub(crate) mod list_offsets;
pub(crate) mod metadata;
pub(crate) mod produce;
