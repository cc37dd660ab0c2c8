//! One TCP socket: set up, connected, registered with the poller.
//!
//! Java: `SocketChannel` and `SelectionKey` of `java.nio`, and `Selector.configureSocketChannel`.
//! Differs: knows mio, so that besides this file only `selector` does.
//! Threads: the I/O thread. Locks: none.

use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
#[cfg(any(test, feature = "embedded-broker"))]
use socket2::SockRef;
use socket2::{Domain, Protocol, Type};

use crate::network::selectable::ConnectOptions;

/// A socket that never blocks.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
}

impl Socket {
    /// Begins to connect to `address`. Buffer sizes are set before, since they decide on window scaling.
    pub(crate) fn connect(address: SocketAddr, options: &ConnectOptions) -> io::Result<Self> {
        let domain = Domain::for_address(address);
        let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_keepalive(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(size) = options.send_buffer {
            socket.set_send_buffer_size(size)?;
        }
        if let Some(size) = options.receive_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        match socket.connect(&address.into()) {
            Err(error) if !is_in_progress(&error) => Err(error),
            _ => Ok(Self {
                stream: TcpStream::from_std(socket.into()),
            }),
        }
    }

    /// A socket that a listener accepted.
    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn accepted(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        SockRef::from(&stream).set_keepalive(true)?;
        Ok(Self { stream })
    }

    /// Whether the connection has come about; false means to go on waiting.
    ///
    /// # Errors
    /// Why the connection failed.
    pub(crate) fn finish_connect(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        match self.stream.peer_addr() {
            Ok(peer) if peer == self.stream.local_addr()? => {
                // Nobody listens on an ephemeral port and the system chose the very same one for our end.
                let text = "the connection came back to itself: nobody listens on the port";
                Err(io::Error::new(io::ErrorKind::ConnectionRefused, text))
            }
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(false),
            Err(error) if is_in_progress(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What the system says: sizes of the send and the receive buffer, whether small writes go out at once, keep-alive.
    #[cfg(test)]
    pub(crate) fn options(&self) -> io::Result<(usize, usize, bool, bool)> {
        let socket = SockRef::from(&self.stream);
        Ok((
            socket.send_buffer_size()?,
            socket.recv_buffer_size()?,
            self.stream.nodelay()?,
            socket.keepalive()?,
        ))
    }

    /// The other end; known once connected.
    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn peer_address(&self) -> io::Result<SocketAddr> {
        self.stream.peer_addr()
    }

    /// Tells the poller to report both directions, once for the life of the socket.
    pub(crate) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        registry.register(&mut self.stream, token, both)
    }

    /// Must come before the drop: on some systems the drop alone leaves the poller with a dead entry.
    pub(crate) fn deregister(&mut self, registry: &Registry) {
        if let Err(error) = registry.deregister(&mut self.stream) {
            log::debug!("deregistering a socket failed: {error}");
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.stream.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether a connect goes on in the background.
fn is_in_progress(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    error.kind() == io::ErrorKind::WouldBlock
}
