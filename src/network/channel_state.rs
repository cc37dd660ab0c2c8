//! How a connection ended, with the reason inside.
//!
//! Java: `common/network/ChannelState.java`, `common/network/InvalidReceiveException.java`.
//! Differs: an enum that owns its facts; a frame that cannot be Kafka's is a state of its own, with a guess at who sent it.
//! Threads: plain data. Locks: none.

use std::fmt;
use std::net::SocketAddr;

use crate::common::kafka_error::KafkaError;

/// What a connection had reached when it ended, and why it ended.
#[derive(Debug, Clone)]
pub(crate) enum ChannelState {
    /// The TCP connection never came about.
    NotConnected {
        /// Where it was to go.
        address: SocketAddr,
        /// What the operating system said.
        error: String,
    },
    /// Lost in the middle of the TLS handshake or of the login; trying again may help.
    Authenticate {
        /// The broker's address.
        address: SocketAddr,
        /// What the operating system said.
        error: String,
    },
    /// Lost while in use: the broker closed it, or the network failed.
    Ready {
        /// What the operating system said.
        error: String,
    },
    /// Closed by us because nobody used it for `connections.max.idle.ms`.
    Expired,
    /// A request was handed over while another one was being written.
    FailedSend,
    /// The broker refused who we are, or proved not to be who we expect; trying again does not help.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "TLS and logins, which are still to come, end so")
    )]
    AuthenticationFailed(KafkaError),
    /// The peer sent what cannot be a frame of the Kafka protocol.
    InvalidReceive(InvalidReceive),
}

impl fmt::Display for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConnected { address, error } => {
                write!(f, "cannot connect to {address}: {error}")
            }
            Self::Authenticate { address, error } => {
                write!(f, "connection to {address} lost while logging in: {error}")
            }
            Self::Ready { error } => write!(f, "connection lost: {error}"),
            Self::Expired => f.write_str("connection closed after connections.max.idle.ms"),
            Self::FailedSend => f.write_str("a request was sent before the previous one was out"),
            Self::AuthenticationFailed(error) => write!(f, "authentication failed: {error}"),
            Self::InvalidReceive(invalid) => invalid.fmt(f),
        }
    }
}

/// A frame size that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InvalidReceive {
    /// The first four bytes of the frame, as the peer sent them.
    pub(crate) prefix: [u8; 4],
    /// The largest size allowed.
    pub(crate) limit: usize,
}

impl InvalidReceive {
    /// What speaks on the port, as far as the first four bytes betray it.
    fn who_speaks(self) -> Option<&'static str> {
        match self.prefix {
            [b'H', b'T', b'T', b'P'] => Some("an HTTP server"),
            // A TLS record: alert or handshake, then the version 3.x.
            [0x15 | 0x16, 0x03, 0x00..=0x04, _] => {
                Some("a TLS server (is security.protocol=PLAINTEXT meant?)")
            }
            [b'S', b'S', b'H', b'-'] => Some("an SSH server"),
            _ => None,
        }
    }
}

impl fmt::Display for InvalidReceive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = i32::from_be_bytes(self.prefix);
        if let Some(who) = self.who_speaks() {
            write!(f, "{who} speaks on this port, not a Kafka broker: ")?;
        }
        if size < 0 {
            write!(f, "frame of negative size {size}")
        } else {
            write!(f, "frame of {size} bytes above the limit {}", self.limit)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_server_on_the_port_is_named() {
        let says = |prefix: &[u8; 4]| {
            InvalidReceive {
                prefix: *prefix,
                limit: 100,
            }
            .to_string()
        };
        assert_eq!(
            says(b"HTTP"),
            "an HTTP server speaks on this port, not a Kafka broker: frame of 1213486160 bytes above the limit 100"
        );
        assert!(says(&[0x15, 3, 3, 0]).starts_with("a TLS server"));
        assert_eq!(says(&[0xff; 4]), "frame of negative size -1");
        assert_eq!(
            says(&[0, 0, 0, 101]),
            "frame of 101 bytes above the limit 100"
        );
    }
}
