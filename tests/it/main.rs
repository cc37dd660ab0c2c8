//! The whole producer through its public API, against the embedded cluster: no Java, no Docker, no waiting by the clock.

mod exactly_once;
mod produce;
