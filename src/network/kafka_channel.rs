//! One connection: connect, get ready, frames out and in.
//!
//! Java: `common/network/KafkaChannel.java`.
//! Differs: remembers readiness itself, since the poller reports a change once; a send may be written at once.
//! Threads: the I/O thread. Locks: none.

use std::io;
use std::net::SocketAddr;

use crate::common::cluster::NodeId;
use crate::common::payload::Payload;
use crate::network::channel_builder::ReceiveLimits;
use crate::network::channel_state::ChannelState;
use crate::network::network_receive::{ReadError, ReceiveBuffer};
use crate::network::network_send::NetworkSend;
use crate::network::socket::Socket;
use crate::network::transport_layer::TransportLayer;

/// A connection and everything that is half done on it.
#[derive(Debug)]
pub(crate) struct KafkaChannel {
    id: NodeId,
    address: SocketAddr,
    transport: Box<dyn TransportLayer>,
    stage: Stage,
    limits: ReceiveLimits,
    receive: ReceiveBuffer,
    send: Option<NetworkSend>,
    readiness: Readiness,
    muted: bool,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    /// Connected; the TLS handshake or the login goes on.
    Authenticating,
    Ready,
}

/// What the socket would do now, as far as we know. A flag stays set until the socket proves it wrong.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Readiness {
    /// A read may bring something: bytes, the end, an error.
    pub(crate) readable: bool,
    /// A write may be accepted.
    pub(crate) writable: bool,
    /// The peer has said that it sends no more; what it sent before may still be unread.
    pub(crate) read_closed: bool,
}

impl KafkaChannel {
    /// A connection that is being made to `address`.
    pub(crate) fn new(
        id: NodeId,
        address: SocketAddr,
        transport: Box<dyn TransportLayer>,
        limits: ReceiveLimits,
    ) -> Self {
        Self {
            id,
            address,
            transport,
            stage: Stage::Connecting,
            limits,
            receive: ReceiveBuffer::new(limits.before_authentication),
            send: None,
            readiness: Readiness::default(),
            muted: false,
        }
    }

    pub(crate) fn id(&self) -> NodeId {
        self.id
    }

    pub(crate) fn socket(&mut self) -> &mut Socket {
        self.transport.socket()
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.stage != Stage::Connecting
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// The poller reported a change. Reports only ever add: a report may be late.
    pub(crate) fn note(&mut self, change: Readiness) {
        self.readiness.readable |= change.readable || change.read_closed;
        self.readiness.writable |= change.writable;
        self.readiness.read_closed |= change.read_closed;
    }

    /// Asks the socket whether the connection has come about. Writing before would hide why it has not.
    ///
    /// # Errors
    /// Why it never will.
    pub(crate) fn finish_connect(&mut self) -> io::Result<bool> {
        let connected = self.transport.socket().finish_connect()?;
        if connected {
            self.stage = Stage::Authenticating;
        }
        Ok(connected)
    }

    /// Goes on with TLS. (The login will follow here.)
    ///
    /// # Errors
    /// Where the peer, the network or the certificate puts an end to it.
    pub(crate) fn prepare(&mut self) -> io::Result<()> {
        if !self.transport.is_ready() {
            self.transport.handshake()?;
        }
        if self.transport.is_ready() {
            self.stage = Stage::Ready;
            self.receive.set_limit(self.limits.authenticated);
        }
        Ok(())
    }

    /// Whether a frame is being written.
    pub(crate) fn has_send(&self) -> bool {
        self.send.is_some()
    }

    /// Takes a frame to be written. There must be none in progress.
    pub(crate) fn set_send(&mut self, send: NetworkSend) {
        debug_assert!(self.send.is_none(), "one frame at a time");
        self.send = Some(send);
    }

    /// Writes once if there is a frame and the socket takes bytes; returns whether the frame is out as a whole.
    ///
    /// # Errors
    /// Where the connection is lost.
    pub(crate) fn write(&mut self) -> io::Result<bool> {
        if !self.may_write() {
            return Ok(false);
        }
        let Some(send) = &mut self.send else {
            return Ok(false);
        };
        let outcome = if send.is_completed() {
            self.transport.flush().map(|()| true)
        } else {
            let written = send.write_to(&mut *self.transport);
            written.map(|written| written.all_that_was_offered)
        };
        self.readiness.writable = still_ready(outcome)?;
        let done = send.is_completed() && !self.transport.has_pending_writes();
        if done {
            self.send = None;
        }
        Ok(done)
    }

    /// The next frame, reading at most once. A muted connection gives nothing.
    ///
    /// # Errors
    /// Where the connection is lost, or the peer does not speak Kafka.
    pub(crate) fn next_frame(&mut self, scratch: &mut [u8]) -> Result<Option<Payload>, ReadError> {
        if self.muted {
            return Ok(None);
        }
        if !self.receive.has_frame() && self.may_read() {
            self.read(scratch)?;
        }
        Ok(self.receive.take_frame())
    }

    fn read(&mut self, scratch: &mut [u8]) -> Result<(), ReadError> {
        let progress = match self.receive.read_from(&mut *self.transport, scratch) {
            Ok(progress) => Ok(progress.filled_the_room),
            Err(ReadError::Io(error)) => Err(error),
            Err(invalid) => return Err(invalid),
        };
        // An end that was reported together with bytes is not reported again: go on reading until it shows.
        self.readiness.read_closed &= progress.is_ok();
        self.readiness.readable = still_ready(progress)? || self.readiness.read_closed;
        Ok(())
    }

    /// A peer that ended its side will not answer, and a write could make it reset the connection, which would throw away
    /// what it sent before. So what is written to it is not sent, unless reading is suspended.
    fn may_write(&self) -> bool {
        self.readiness.writable && (self.muted || !self.readiness.read_closed)
    }

    fn may_read(&self) -> bool {
        self.readiness.readable || self.transport.has_bytes_buffered()
    }

    /// Whether frames are here or may be read, muted or not.
    pub(crate) fn may_have_frames(&self) -> bool {
        self.is_ready() && (self.receive.has_frame() || self.may_read())
    }

    /// Whether a visit gets something done although the poller has nothing to report.
    pub(crate) fn is_actionable(&self) -> bool {
        let write = self.send.is_some() && self.may_write();
        self.is_ready() && (write || !self.muted && self.may_have_frames())
    }

    /// Stops or resumes the reading.
    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    pub(crate) fn is_muted(&self) -> bool {
        self.muted
    }

    /// What to report when the connection ends with `error` now.
    pub(crate) fn ended(&self, error: &io::Error) -> ChannelState {
        let error = error.to_string();
        let address = self.address;
        match self.stage {
            Stage::Connecting => ChannelState::NotConnected { address, error },
            Stage::Authenticating => ChannelState::Authenticate { address, error },
            Stage::Ready => ChannelState::Ready { error },
        }
    }

    /// What to report when nothing more can be read; nothing more will be.
    pub(crate) fn unreadable(&mut self, error: &ReadError) -> ChannelState {
        self.readiness = Readiness::default();
        match error {
            ReadError::Io(error) => self.ended(error),
            ReadError::Invalid(invalid) => ChannelState::InvalidReceive(*invalid),
        }
    }
}

/// Whether the socket may have more after a step that did all it could, or did not.
///
/// A step that got less than it asked for has emptied (or filled) the socket: epoll and kqueue report what comes after it.
/// Windows reports only after a `WouldBlock`.
fn still_ready(step: io::Result<bool>) -> io::Result<bool> {
    match step {
        Ok(got_all) => Ok(got_all || cfg!(windows)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
