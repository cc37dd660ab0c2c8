//! Tests against real Apache Kafka: `cargo test --all-features --test interop`.
//!
//! They start Kafka through `tests/kafka/cluster` and judge what it stored with readers that are not ours. Where Java or
//! Maven is missing they say so and pass; with `CI=true` they fail instead.

mod checker;
mod cluster;
mod config;
mod embedded;
mod examples;
mod freezes;
mod kills;
mod log_dump;
mod reader;
mod records;
mod round_trip;
mod transactions;
