//! The inside of the producer: the life of a record, file by file.
//!
//! Java: `clients/producer/internals`.
//! Differs: files form a line (results and futures, batch, transaction core, accumulator, sender), where Java has a knot.
//! Threads: see each file. Locks: `PartitionQueue`, then `TransactionManager`, then leaves.

pub(crate) mod buffer_pool;
pub(crate) mod built_in_partitioner;
pub(crate) mod future_record_metadata;
pub(crate) mod incomplete_batches;
pub(crate) mod key_hash;
pub(crate) mod murmur2;
pub(crate) mod produce_request_result;
pub(crate) mod producer_batch;
pub(crate) mod producer_interceptors;
pub(crate) mod producer_metadata;
pub(crate) mod record_accumulator;
pub(crate) mod sender;
pub(crate) mod sender_metrics;
pub(crate) mod transaction_manager;
pub(crate) mod txn_partition_entry;
pub(crate) mod txn_partition_map;
