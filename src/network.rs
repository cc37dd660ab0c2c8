//! Bytes to and from brokers: many sockets, one thread, one wait.
//!
//! Java: `common/network`.
//! Differs: mio's edge-triggered readiness instead of `java.nio`; frames have a size limit; a connection that ends says why.
//! Threads: one I/O thread; only [`SelectorWaker`](selector_waker::SelectorWaker) is shared. Locks: none.
//!
//! Read in this order: what the client layer asks for (`selectable`), how a connection ends (`channel_state`), what travels
//! (`network_send`, `network_receive`), what it travels through (`socket`, `transport_layer`), one connection
//! (`kafka_channel`, made by `channel_builder`), and all of them (`selector`).

pub(crate) mod channel_state;
pub(crate) mod network_receive;
pub(crate) mod network_send;
pub(crate) mod selector_waker;

pub(crate) mod selectable;
mod socket;
mod transport_layer;

mod kafka_channel;

pub(crate) mod channel_builder;

pub(crate) mod selector;
