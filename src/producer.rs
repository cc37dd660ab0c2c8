//! The producer: what applications call.
//!
//! Java: `clients/producer`.
//! Differs: see each file.
//! Threads: see each file. Locks: see `internals`.

pub(crate) mod consumer_group_metadata;
pub(crate) mod internals;
pub(crate) mod kafka_producer;
pub(crate) mod offset_and_metadata;
pub(crate) mod partitioner;
pub(crate) mod producer_config;
pub(crate) mod producer_interceptor;
pub(crate) mod producer_record;
pub(crate) mod record_metadata;
pub(crate) mod unsent_record;
