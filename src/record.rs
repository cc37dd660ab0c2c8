//! Record batches: what a partition's log is made of, written by the producer and read back by whoever meets it.
//!
//! Java: `common/record`, `common/compress`.
//! Differs: only format 2 is written; a batch is a header, rebuilt for each attempt, and a body that is sealed once.
//! Threads: plain data and pure functions. Locks: none.
//!
//! A batch of format 2, with the offsets of its fields (big-endian, packed):
//!
//! ```text
//!  0        8        12       16      17     21           23          27         35        43        51      53       57      61
//!  ├────────┼────────┼────────┼───────┼──────┼────────────┼───────────┼──────────┼─────────┼─────────┼───────┼────────┼───────┼────────┈
//!  │ base   │ length │ leader │ magic │ CRC- │ attributes │ last      │ base     │ max     │producer │ epoch │ base   │ count │ body:
//!  │ offset │ of the │ epoch  │   2   │ 32C  │ codec, ..  │ offset    │timestamp │timestamp│   id    │       │sequence│       │ records,
//!  │        │  rest  │        │       │      │            │ delta     │          │         │         │       │        │       │ compressed
//!  └────────┴────────┴────────┴───────┴──────┴────────────┴───────────┴──────────┴─────────┴─────────┴───────┴────────┴───────┴────────┈
//!            the broker changes these         └──── the checksum covers all from here to the end of the body ────┈
//! ```
//!
//! Files import only files that stand before them here.

// Wire data decides indexes and sizes here, so neither may panic or lose bits.
#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation)]

pub(crate) mod compression_type;
#[cfg_attr(
    not(any(
        feature = "gzip",
        feature = "snappy",
        feature = "lz4",
        feature = "zstd"
    )),
    expect(dead_code, reason = "without a codec nothing fails to decompress")
)]
pub(crate) mod record_error;

pub(crate) mod checksum;
pub(crate) mod compression;

#[cfg_attr(
    not(any(test, feature = "embedded-broker")),
    expect(dead_code, reason = "only a broker asks for control batches")
)]
pub(crate) mod record_batch;

pub(crate) mod default_record;

#[cfg_attr(
    not(any(test, feature = "embedded-broker")),
    expect(dead_code, reason = "a producer reads only the batches that it splits")
)]
pub(crate) mod default_record_batch;
#[cfg(any(test, feature = "embedded-broker"))]
pub(crate) mod end_transaction_marker;
pub(crate) mod legacy_record_batch;

#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the embedded broker asks less than the tests")
)]
pub(crate) mod memory_records;
pub(crate) mod memory_records_builder;

pub(crate) mod compression_ratio_estimator;
