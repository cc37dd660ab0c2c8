//! One handler per API, each with its version notes on top.
//!
//! Java: `core/server/KafkaApis.scala`.
//! Differs: a file for each request.
//! Threads: plain functions over the core. Locks: none.

pub(crate) mod add_offsets_to_txn;
pub(crate) mod add_partitions_to_txn;
pub(crate) mod api_versions;
pub(crate) mod create_topics;
pub(crate) mod end_txn;
pub(crate) mod fetch;
pub(crate) mod find_coordinator;
pub(crate) mod init_producer_id;
pub(crate) mod list_offsets;
pub(crate) mod metadata;
pub(crate) mod offset_fetch;
pub(crate) mod produce;
pub(crate) mod txn_offset_commit;

pub(crate) use produce::DelayedProduce;

use crate::broker::broker_core::Now;
use crate::common::cluster::NodeId;
use crate::protocol::errors::Errors;

/// Which broker a request came to, in which version, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At {
    pub(crate) broker: NodeId,
    pub(crate) version: i16,
    pub(crate) now: Now,
}

/// Requests of transactions below version 2 know no PRODUCER_FENCED.
fn said_to_version(error: Errors, version: i16) -> Errors {
    match error {
        Errors::ProducerFenced if version < 2 => Errors::InvalidProducerEpoch,
        error => error,
    }
}
