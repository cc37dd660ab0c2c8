//! The inside of the producer: the life of a record, file by file.
//!
//! Java: `clients/producer/internals`.
//! Differs: files form a line (results and futures, batch, transaction core, accumulator, sender), where Java has a knot.
//! Threads: see each file. Locks: `PartitionQueue`, then `TransactionManager`, then leaves.
//!
//! On the thread that calls `send`:
//!
//! 1. `producer_interceptors` may change the record; `producer_metadata` says which partitions the topic has.
//! 2. `key_hash` (`murmur2` unless told otherwise) places a record with a key. `built_in_partitioner` places the others:
//!    it stays with one partition for about a batch, then chooses the next one by load.
//! 3. `record_accumulator` finds the partition's queue and writes the record into the last `producer_batch`. A new batch
//!    gets a small buffer from the `buffer_pool`, which counts what is held and makes senders wait in their order; it
//!    grows as records come. The batch is now one of the `incomplete_batches`, which is what a flush waits for.
//! 4. The caller holds a `future_record_metadata`: a share in the batch's `produce_request_result`, and the record's index.
//!    Who waits for it makes the batch leave at once; who waits alone does the steps below itself (`sender::lending`).
//!
//! On the I/O thread:
//!
//! 5. A queue that has news (a first batch, a full one, somebody who waits) has listed itself. `record_accumulator::ready`
//!    sorts what is listed: it lingers, backs off, waits for a leader, is held back, or can go.
//! 6. `sender` asks for everything that can go to one node. `record_accumulator::drain` takes one batch per partition, has
//!    `transaction_manager` number it (per partition: `txn_partition_entry`, found through `txn_partition_map`), and
//!    seals it: compressed and with its checksum, its bytes do not change any more.
//! 7. `sender` keeps the batch while its request is on the way. The answer completes it, sends it back to its queue for
//!    another attempt, has it split, or fails it; a time limit fails it too. Completing runs the callbacks and opens the
//!    result. The last owner of the bytes, batch or socket, gives the memory back to the pool.

pub(crate) mod producer_interceptors;
pub(crate) mod producer_metadata;

pub(crate) mod built_in_partitioner;
pub(crate) mod key_hash;
pub(crate) mod murmur2;

pub(crate) mod buffer_pool;
pub(crate) mod future_record_metadata;
pub(crate) mod incomplete_batches;
pub(crate) mod produce_request_result;
pub(crate) mod producer_batch;

pub(crate) mod transactional_request_result;

pub(crate) mod transaction_manager;
pub(crate) mod txn_partition_entry;
pub(crate) mod txn_partition_map;

pub(crate) mod record_accumulator;

pub(crate) mod sender;
pub(crate) mod sender_metrics;
