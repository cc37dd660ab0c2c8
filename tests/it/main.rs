//! The whole producer through its public API, against the embedded cluster: no Java, no Docker, no waiting by the clock.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests say what they expect by unwrapping, and have threads of their own"
)]

mod bad_days;
mod callbacks;
mod close;
mod delivery;
mod exactly_once;
mod frozen_leaders;
mod hostile_peers;
mod metadata;
mod peers;
mod produce;
mod records;
mod replication;
mod setup;
mod shutdown;
mod support;
mod threads;
mod transactions;
