//! The simulator: real producers and real brokers in virtual time, over a network in which everything goes wrong.
//!
//! Java: none; Kafka's system tests break real machines instead.
//! Differs: one `u64` decides everything that happens, so every failure can be had again.
//! Threads: one per seed. Locks: none of its own.
//!
//! Read in this order: what a seed draws (`plan`), the clock (`queue`), the wires (`network`, `selector`), the machines
//! (`cluster`, `producers`), the applications (`apps`), how it all runs (`world`), and who judges (`observer` while it
//! runs, `oracle` at the end), and what calls it all (`runner`, `shrink`). `docs/testing.md` says how to run, replay and extend it.

mod apps;
mod cluster;
mod network;
mod observer;
mod oracle;
mod plan;
mod producers;
mod queue;
mod runner;
mod selector;
mod shrink;
mod situations;
mod trace;
mod world;
