//! From a security protocol to the way a connection's bytes travel.
//!
//! Java: `common/network/ChannelBuilders.java`, `common/network/PlaintextChannelBuilder.java`,
//! `common/security/auth/SecurityProtocol.java`.
//! Differs: one builder for all protocols; it also knows the frame limits, which depend on whether the peer is known.
//! Threads: the I/O thread. Locks: none.

use std::net::SocketAddr;

use crate::common::cluster::NodeId;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
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

/// `security.protocol`: whether there is encryption, and whether there is a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SecurityProtocol {
    /// No encryption, no login.
    Plaintext,
}

impl SecurityProtocol {
    /// The protocol of that name, in any case.
    ///
    /// # Errors
    /// Where there is no such protocol, or none of ours yet.
    pub(crate) fn from_name(name: &str) -> Result<Self, KafkaError> {
        match name.to_ascii_uppercase().as_str() {
            "PLAINTEXT" => Ok(Self::Plaintext),
            "SSL" | "SASL_PLAINTEXT" | "SASL_SSL" => Err(KafkaError::new(
                ErrorKind::Config,
                format!("security.protocol={name} is not supported yet; use PLAINTEXT"),
            )),
            _ => Err(KafkaError::new(
                ErrorKind::Config,
                format!("security.protocol={name} does not exist; use PLAINTEXT"),
            )),
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_yet_is_refused_by_the_name_of_its_key() {
        let plaintext = SecurityProtocol::from_name("plaintext").expect("known");
        assert_eq!(plaintext, SecurityProtocol::Plaintext);
        for name in ["SSL", "SASL_PLAINTEXT", "SASL_SSL"] {
            let error = SecurityProtocol::from_name(name).expect_err("not yet");
            let expected = format!("security.protocol={name} is not supported yet");
            assert!(error.message().starts_with(&expected), "{error}");
        }
        SecurityProtocol::from_name("TLS").expect_err("no such protocol");
    }
}
