//! Tests of one connection over a scripted transport.

use std::collections::VecDeque;
use std::io::{IoSlice, Read, Write};

use super::*;
use crate::common::payload::Payload;

/// A transport that says what a test tells it to; what it is written stays inside until it is flushed.
#[derive(Debug, Default)]
struct Scripted {
    reads: VecDeque<io::Result<Vec<u8>>>,
    unsent: usize,
    buffered: bool,
    handshake_left: usize,
}

impl TransportLayer for Scripted {
    fn socket(&mut self) -> &mut Socket {
        unreachable!("these tests have no socket")
    }

    fn is_ready(&self) -> bool {
        self.handshake_left == 0
    }

    fn handshake(&mut self) -> io::Result<()> {
        self.handshake_left -= 1;
        Ok(())
    }

    fn has_bytes_buffered(&self) -> bool {
        self.buffered
    }

    fn has_pending_writes(&self) -> bool {
        self.unsent > 0
    }
}

impl Read for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let block = Err(io::ErrorKind::WouldBlock.into());
        let bytes = self.reads.pop_front().unwrap_or(block)?;
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let offered = slices.iter().map(|slice| slice.len()).sum();
        self.unsent += offered;
        Ok(offered)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unsent = 0;
        Ok(())
    }
}

fn ready(transport: Scripted) -> KafkaChannel {
    let address = "127.0.0.1:9092".parse().expect("an address");
    let transport = Box::new(transport);
    let mut channel = KafkaChannel::new(NodeId(1), address, transport, ReceiveLimits::default());
    channel.stage = Stage::Authenticating;
    channel.note(BOTH);
    channel.prepare().expect("no handshake fails");
    channel
}

const BOTH: Readiness = Readiness {
    readable: true,
    writable: true,
    read_closed: false,
};

/// Scenario: S22.
#[test]
fn a_send_is_complete_when_the_encrypted_bytes_are_out_too() {
    let mut channel = ready(Scripted::default());
    let frame = Payload::new(vec![0, 0, 0, 1, 9]);
    channel.set_send(NetworkSend::new(NodeId(1), vec![frame]));
    assert!(!channel.write().expect("accepted"), "encrypted, not sent");
    assert!(channel.is_actionable());
    assert!(
        channel.write().expect("flushed"),
        "without one more byte of ours"
    );
    assert!(!channel.has_send());
}

#[test]
fn a_channel_is_ready_when_the_handshake_is_over() {
    let mut channel = ready(Scripted {
        handshake_left: 2,
        ..Scripted::default()
    });
    assert!(!channel.is_ready() && !channel.is_actionable());
    channel.prepare().expect("goes on");
    assert!(channel.is_ready());
    assert!(channel.is_actionable(), "the handshake used up the report");
}

#[test]
fn decrypted_bytes_are_read_although_the_socket_is_quiet() {
    let mut channel = ready(Scripted::default());
    assert!(matches!(channel.next_frame(&mut [0; 64]), Ok(None)));
    assert!(!channel.is_actionable());
    let reads = [Ok(vec![0, 0, 0, 1, 9])].into();
    let buffered = true;
    let transport = Scripted {
        reads,
        buffered,
        ..Scripted::default()
    };
    channel.transport = Box::new(transport);
    assert!(channel.is_actionable());
    let frame = channel.next_frame(&mut [0; 64]).expect("reads");
    assert_eq!(frame.as_deref(), Some(&[9][..]));
}

#[test]
fn a_report_of_an_end_that_proves_wrong_is_forgotten() {
    let mut channel = ready(Scripted::default());
    channel.note(Readiness {
        read_closed: true,
        ..BOTH
    });
    assert!(matches!(channel.next_frame(&mut [0; 64]), Ok(None)));
    assert!(!channel.is_actionable(), "would block is believed");
    assert!(channel.may_write());
}

#[test]
fn an_interrupted_read_is_tried_again() {
    let reads = [Err(io::ErrorKind::Interrupted.into()), Ok(vec![0, 0, 0, 0])];
    let mut channel = ready(Scripted {
        reads: reads.into(),
        ..Scripted::default()
    });
    assert!(matches!(channel.next_frame(&mut [0; 64]), Ok(None)));
    assert!(channel.is_actionable());
    assert!(matches!(channel.next_frame(&mut [0; 64]), Ok(Some(_))));
}
