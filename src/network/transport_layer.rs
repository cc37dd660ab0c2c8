//! What lies between frames and the socket: nothing, or TLS.
//!
//! Java: `common/network/TransportLayer.java`, `common/network/PlaintextTransportLayer.java`.
//! Differs: reads and writes are `std::io`'s; TLS comes as a second implementation.
//! Threads: the I/O thread. Locks: none.

use std::fmt;
use std::io::{self, IoSlice, Read, Write};

use crate::network::socket::Socket;

/// A stream of bytes over one socket, possibly encrypted. Neither reads nor writes block. A write that fails has taken
/// nothing of its bytes to the socket.
pub(crate) trait TransportLayer: Read + Write + Send + fmt::Debug {
    /// The socket underneath.
    fn socket(&mut self) -> &mut Socket;

    /// Whether bytes can be exchanged: the handshake, if there is one, is over.
    fn is_ready(&self) -> bool;

    /// Goes on with the handshake as far as the socket allows.
    ///
    /// # Errors
    /// Where the handshake failed.
    fn handshake(&mut self) -> io::Result<()>;

    /// Whether bytes can be read that the socket will not announce again, since they are decrypted already.
    fn has_bytes_buffered(&self) -> bool;

    /// Whether bytes that were accepted by a write are still to be written to the socket.
    fn has_pending_writes(&self) -> bool;
}

/// Bytes as they are.
#[derive(Debug)]
pub(crate) struct PlaintextTransportLayer {
    socket: Socket,
}

impl PlaintextTransportLayer {
    pub(crate) fn new(socket: Socket) -> Self {
        Self { socket }
    }
}

impl TransportLayer for PlaintextTransportLayer {
    fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn handshake(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn has_bytes_buffered(&self) -> bool {
        false
    }

    fn has_pending_writes(&self) -> bool {
        false
    }
}

impl Read for PlaintextTransportLayer {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.read(buffer)
    }
}

impl Write for PlaintextTransportLayer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.socket.write_vectored(slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
