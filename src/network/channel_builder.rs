//! From a security protocol to the way a connection's bytes travel.
//!
//! Java: `common/network/ChannelBuilders.java`, `common/network/PlaintextChannelBuilder.java`,
//! `common/security/auth/SecurityProtocol.java`.
//! Differs: one builder for all protocols; it also knows the frame limits, which depend on whether the peer is known.
//! Threads: the I/O thread. Locks: none.

use std::net::SocketAddr;

use crate::common::cluster::NodeId;
use crate::network::kafka_channel::KafkaChannel;
use crate::network::socket::Socket;
use crate::network::transport_layer::{PlaintextTransportLayer, TransportLayer};

/// Builds connections.
#[derive(Debug, Clone)]
pub(crate) struct ChannelBuilder {
    security_protocol: SecurityProtocol,
    limits: ReceiveLimits,
}

impl ChannelBuilder {
    pub(crate) fn new(security_protocol: SecurityProtocol, limits: ReceiveLimits) -> Self {
        Self {
            security_protocol,
            limits,
        }
    }

    /// A connection over `socket`, which is about to be connected to `address`.
    pub(crate) fn build(&self, id: NodeId, address: SocketAddr, socket: Socket) -> KafkaChannel {
        let transport: Box<dyn TransportLayer> = match self.security_protocol {
            SecurityProtocol::Plaintext => Box::new(PlaintextTransportLayer::new(socket)),
        };
        KafkaChannel::new(id, address, transport, self.limits)
    }
}

/// `security.protocol`: whether there is encryption, and whether there is a login. The configuration refuses the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecurityProtocol {
    /// No encryption, no login.
    Plaintext,
}

/// The largest frames that are accepted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReceiveLimits {
    /// Until TLS and login are over. Java: `sasl.server.max.receive.size`.
    pub(crate) before_authentication: usize,
    /// Afterwards. Java: `socket.request.max.bytes` of the broker; its clients have no limit.
    pub(crate) authenticated: usize,
}

impl Default for ReceiveLimits {
    fn default() -> Self {
        Self {
            before_authentication: 512 * 1024,
            authenticated: 100 * 1024 * 1024,
        }
    }
}
