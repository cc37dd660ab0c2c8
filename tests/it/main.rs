//! The whole producer through its public API, against the embedded cluster: no Java, no Docker, no waiting by the clock.

mod bad_days;
mod callbacks;
mod close;
mod delivery;
mod exactly_once;
mod hostile_peers;
mod peers;
mod produce;
mod support;
mod threads;
