//! One broker's sockets: its acceptor and its processor.
//!
//! Java: `core/network/SocketServer.scala`.
//! Differs: plaintext on loopback, one processor.
//! Threads: starts two. Locks: none.

use std::io;
use std::net::SocketAddr;

use crate::broker::server::acceptor::Acceptor;
use crate::broker::server::processor::Processor;
use crate::broker::server::request_channel::RequestChannel;
use crate::common::cluster::NodeId;

/// A running broker, as far as sockets go.
#[derive(Debug)]
pub(crate) struct SocketServer {
    broker: NodeId,
    acceptor: Acceptor,
    processor: Processor,
    channel: RequestChannel,
}

impl SocketServer {
    /// Listens on `address` (port 0: any free one).
    pub(crate) fn start(
        broker: NodeId,
        address: SocketAddr,
        channel: &RequestChannel,
    ) -> io::Result<Self> {
        let processor = Processor::start(&format!("embedded-processor-{broker}"), broker, channel)?;
        let (connections, waker) = processor.inbox();
        let name = format!("embedded-acceptor-{broker}");
        match Acceptor::start(&name, address, connections, waker) {
            Ok(acceptor) => Ok(Self {
                broker,
                acceptor,
                processor,
                channel: channel.clone(),
            }),
            Err(error) => {
                channel.detach(broker);
                processor.stop();
                Err(error)
            }
        }
    }

    /// Where the broker listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// Stops listening and closes every connection, as a killed process would.
    pub(crate) fn stop(self) {
        self.acceptor.stop();
        self.channel.detach(self.broker);
        self.processor.stop();
    }
}
