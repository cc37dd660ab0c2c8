//! Tests over real sockets on loopback: the other end is a plain socket in the test's hand.

mod closing;
mod connecting;
mod receiving;
mod sending;
mod waking;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use super::*;
use crate::common::kafka_thread;
use crate::common::payload::Payload;
use crate::common::time::SystemTime;
use crate::network::channel_builder::{ReceiveLimits, SecurityProtocol};
use crate::testing::mock_time::MockTime;

const A: NodeId = NodeId(1);
const B: NodeId = NodeId(2);
const C: NodeId = NodeId(3);

/// Longer than any test takes: a wait that should end early, but a test that fails instead of hanging.
const LONG: Duration = Duration::from_secs(30);

/// A selector on a clock that stands still, and a port to connect to.
struct Rig {
    selector: Selector,
    events: SelectorEvents,
    time: Arc<MockTime>,
    listener: TcpListener,
}

impl Rig {
    fn new() -> Self {
        Self::with_limits(ReceiveLimits::default())
    }

    fn with_limits(limits: ReceiveLimits) -> Self {
        Self::with(limits, Some(Duration::from_secs(540)))
    }

    fn with(limits: ReceiveLimits, max_idle: Option<Duration>) -> Self {
        let builder = ChannelBuilder::new(SecurityProtocol::Plaintext, limits);
        let time = MockTime::shared();
        Self {
            selector: Selector::new(builder, max_idle, time.clone()).expect("a poller"),
            events: SelectorEvents::default(),
            time,
            listener: listener(),
        }
    }

    fn poll(&mut self, timeout: Duration) {
        let events = &mut self.events;
        self.selector
            .poll(timeout, events)
            .expect("the poller works");
    }

    /// Polls until a poll brings what `is_it` looks for.
    fn poll_until(&mut self, is_it: impl Fn(&SelectorEvents) -> bool) {
        let started = SystemTime.now();
        loop {
            self.poll(Duration::from_secs(1));
            if is_it(&self.events) {
                return;
            }
            let waited = SystemTime.now() - started;
            assert!(waited < LONG, "nothing but {:?}", self.events);
        }
    }

    fn begin_connect(&mut self, id: NodeId) {
        let address = self.listener.local_addr().expect("bound");
        let options = ConnectOptions::default();
        let outcome = self.selector.connect(id, address, &options);
        outcome.expect("a free id");
    }

    /// Connects, and returns the other end.
    fn connect(&mut self, id: NodeId) -> TcpStream {
        self.begin_connect(id);
        self.poll_until(|events| events.connected.contains(&id));
        self.accept()
    }

    fn accept(&self) -> TcpStream {
        let (peer, _) = self.listener.accept().expect("somebody connects");
        peer.set_nodelay(true).expect("a TCP socket");
        peer.set_read_timeout(Some(LONG)).expect("a TCP socket");
        peer
    }

    fn send(&mut self, id: NodeId, frame: &[u8]) -> SendProgress {
        self.selector.send(request(id, frame)).expect("may send")
    }

    /// Polls until a frame comes; there must be one only.
    fn receive(&mut self) -> (NodeId, Vec<u8>) {
        self.poll_until(|events| !events.completed_receives.is_empty());
        assert_eq!(self.events.completed_receives.len(), 1);
        let receive = &self.events.completed_receives[0];
        (receive.source, receive.payload.to_vec())
    }

    /// Polls until a connection ends; there must be one only.
    fn disconnected(&mut self) -> (NodeId, ChannelState) {
        self.poll_until(|events| !events.disconnected.is_empty());
        assert_eq!(self.events.disconnected.len(), 1);
        self.events.disconnected[0].clone()
    }

    /// Polls until the poller has told of bytes that the channel does not read, since it is muted.
    fn wait_for_unread_bytes(&mut self, id: NodeId) {
        let unread = |selector: &Selector| selector.connections[&id].channel.may_have_frames();
        let started = SystemTime.now();
        while !unread(&self.selector) {
            self.poll(Duration::from_secs(1));
            assert!(SystemTime.now() - started < LONG, "no bytes");
        }
    }

    /// Whether a poll would wait as long as it may: nothing is left that could be done at once.
    fn would_wait(&self) -> bool {
        self.selector
            .longest_wait(LONG, &SelectorEvents::default(), self.time.now())
            == LONG
    }

    /// Nothing is held for connections that are gone.
    fn assert_nothing_left(&self) {
        assert!(self.selector.connections.is_empty());
        assert!(self.selector.closing.is_empty());
        assert!(self.selector.unreported.is_empty());
        assert!(self.selector.actionable.is_empty());
        assert!(self.selector.tokens.ids.is_empty());
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a free port")
}

fn framed(frame: &[u8]) -> Vec<u8> {
    let size = i32::try_from(frame.len()).expect("small");
    [&size.to_be_bytes(), frame].concat()
}

fn request(id: NodeId, frame: &[u8]) -> NetworkSend {
    let (prefix, body) = (framed(frame)[..4].to_vec(), frame.to_vec());
    NetworkSend::new(id, vec![Payload::new(prefix), Payload::new(body)])
}

fn write_frames(peer: &mut TcpStream, frames: &[&[u8]]) {
    let bytes: Vec<u8> = frames.iter().flat_map(|frame| framed(frame)).collect();
    peer.write_all(&bytes).expect("the selector's end is open");
}

fn read_frame(peer: &mut TcpStream) -> Vec<u8> {
    let mut prefix = [0; 4];
    peer.read_exact(&mut prefix).expect("a prefix");
    let size = usize::try_from(u32::from_be_bytes(prefix)).expect("fits");
    let mut frame = vec![0; size];
    peer.read_exact(&mut frame).expect("a frame");
    frame
}

/// The bytes up to the end of the stream; a reset is an end too.
fn read_to_end(peer: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match peer.read_to_end(&mut bytes) {
        Err(e) if e.kind() != io::ErrorKind::ConnectionReset => panic!("not closed: {e}"),
        _ => bytes,
    }
}

/// Sends back whatever comes, on a thread of its own, until the other end closes.
fn echo(mut peer: TcpStream) -> crate::common::sync::thread::JoinHandle<()> {
    let serve = move || {
        let mut back = peer.try_clone().expect("a second handle");
        // The end of a test may come as a reset.
        let _ = io::copy(&mut peer, &mut back);
    };
    kafka_thread::spawn("echo", serve, |panic| log::error!("{panic}")).expect("a thread")
}
