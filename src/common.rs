//! What every layer may use: time, locks, threads, bytes, errors, names of cluster things.
//!
//! Java: `common`, `common.utils`, `common.errors`.
//! Differs: one error type instead of a class tree; locks carry ranks; bytes give their memory back when the last clone goes.
//! Threads: see each file. Locks: defined in `sync`.

pub(crate) mod cluster;
pub(crate) mod error_kind;
pub(crate) mod exponential_backoff;
pub(crate) mod fast_hash;
pub(crate) mod few;
pub(crate) mod header;
pub(crate) mod kafka_error;
pub(crate) mod kafka_thread;
pub(crate) mod payload;
pub(crate) mod planted;
pub(crate) mod process;
pub(crate) mod serialization;
pub(crate) mod short_names;
pub(crate) mod sync;
pub(crate) mod time;
