//! Bytes to and from brokers: many sockets, one thread, one wait.
//!
//! Java: `common/network`.
//! Differs: mio's edge-triggered readiness instead of `java.nio`; frames have a size limit; a connection that ends says why.
//! Threads: one I/O thread; only [`SelectorWaker`](selector_waker::SelectorWaker) is shared. Locks: none.
//!
//! Read in this order: what a connection is asked to do (`selectable`), what travels (`network_send`, `network_receive`),
//! how a connection ends (`channel_state`).

pub(crate) mod channel_state;
pub(crate) mod network_receive;
pub(crate) mod network_send;
pub(crate) mod selectable;
pub(crate) mod selector_waker;
