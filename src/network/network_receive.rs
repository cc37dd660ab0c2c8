//! Frames on their way in: from bytes as they come to payloads without their size prefix.
//!
//! Java: `common/network/NetworkReceive.java`.
//! Differs: no separate read of the four size bytes: all frames that came with one read are cut out of it at once; a large
//! frame grows with the bytes that arrive, so that a size field alone allocates next to nothing.
//! Threads: the I/O thread. Locks: none.

use crate::common::cluster::NodeId;
use crate::common::payload::Payload;

/// A frame that has arrived.
#[derive(Debug, Clone)]
pub(crate) struct NetworkReceive {
    /// The connection it came on.
    pub(crate) source: NodeId,
    /// The frame without its size prefix.
    pub(crate) payload: Payload,
}
