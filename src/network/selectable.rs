//! The byte-level seam: everything that the client layer asks of the network.
//!
//! Java: `common/network/Selectable.java`.
//! Differs: what a poll brought is handed out in one value instead of being asked for list by list; a connect that fails at
//! once is reported by the next poll like one that fails later; a send says whether it is out already; only servers mute
//! connections, so that is the selector's own.
//! Threads: the I/O thread. Locks: none.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::common::cluster::NodeId;
use crate::common::kafka_error::KafkaError;
use crate::network::channel_state::ChannelState;
use crate::network::network_receive::NetworkReceive;
use crate::network::network_send::NetworkSend;
use crate::network::selector_waker::SelectorWaker;

/// Connections, each known by the id of its node, and the one place where the I/O thread waits.
pub(crate) trait Selectable {
    /// Begins to connect. How it ended comes with a later poll, in `connected` or in `disconnected`: also a failure that
    /// the operating system reports at once.
    ///
    /// # Errors
    /// Where a connection with this id is open, or closed but not reported yet.
    fn connect(
        &mut self,
        id: NodeId,
        address: SocketAddr,
        options: &ConnectOptions,
    ) -> Result<(), KafkaError>;

    /// Closes a connection now; what it still had to say is dropped and no poll reports it. Unknown ids are ignored.
    fn close(&mut self, id: NodeId);

    /// Closes all connections, as `close` does.
    fn close_all(&mut self);

    /// Writes a frame, or as much of it as the socket takes at once; polls write the rest. A write that fails is reported
    /// as a disconnection by the next poll; where that is the first write of the frame, nothing of it has left.
    ///
    /// # Errors
    /// Where the id is not known, or the previous frame is not out yet. In the latter case the connection is given up and
    /// reported as [`ChannelState::FailedSend`].
    fn send(&mut self, send: NetworkSend) -> Result<SendProgress, KafkaError>;

    /// Clears `events`, waits at most `timeout` for something to happen, and fills `events` with what happened.
    ///
    /// # Errors
    /// Where the poller itself fails, which leaves nothing to do but to stop.
    fn poll(&mut self, timeout: Duration, events: &mut SelectorEvents) -> io::Result<()>;

    /// Whether frames may be sent: connected, TLS established, logged in.
    fn is_channel_ready(&self, id: NodeId) -> bool;

    /// Makes a poll return early; the same one for the whole life of the selector.
    fn waker(&self) -> Arc<SelectorWaker>;
}

/// How far a frame got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SendProgress {
    /// Given to the operating system as a whole. No poll reports it again in `completed_sends`.
    Done,
    /// To be finished by polls; the one that finishes it reports it in `completed_sends`.
    Pending,
    /// Nothing of it was taken, and nothing will be: the connection is lost, which the next poll reports.
    Refused,
}

/// What one poll brought; reused from poll to poll.
#[derive(Debug, Default)]
pub(crate) struct SelectorEvents {
    /// Connections whose pending frame went out.
    pub(crate) completed_sends: Vec<NodeId>,
    /// Frames that arrived: at most one per connection.
    pub(crate) completed_receives: Vec<NetworkReceive>,
    /// Connections that came about; some may not be ready yet (see [`Selectable::is_channel_ready`]).
    pub(crate) connected: Vec<NodeId>,
    /// Connections that ended, and why. Ended connections are forgotten: their id may be connected again.
    pub(crate) disconnected: Vec<(NodeId, ChannelState)>,
}

impl SelectorEvents {
    /// Forgets everything and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.completed_sends.clear();
        self.completed_receives.clear();
        self.connected.clear();
        self.disconnected.clear();
    }

    /// Whether nothing happened.
    pub(crate) fn is_empty(&self) -> bool {
        self.completed_sends.is_empty()
            && self.completed_receives.is_empty()
            && self.connected.is_empty()
            && self.disconnected.is_empty()
    }
}

/// How a socket is to be set up before it connects; nothing means the operating system's choice.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct ConnectOptions {
    /// `send.buffer.bytes`.
    pub(crate) send_buffer: Option<usize>,
    /// `receive.buffer.bytes`.
    pub(crate) receive_buffer: Option<usize>,
}
