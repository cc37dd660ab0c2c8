//! Reads requests and writes replies on all connections of one broker.
//!
//! Java: `core/network/SocketServer.scala`, `Processor`.
//! Differs: a connection is muted while its request is handled, as in Kafka, so replies keep the order of requests.
//! Threads: its own. Locks: none.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use mio::net::TcpStream;

use crate::broker::broker_core::{ConnectionId, Incoming, Reply, ReplyAction};
use crate::broker::server::request_channel::{ReplyQueue, RequestChannel, Work};
use crate::common::cluster::NodeId;
use crate::common::kafka_thread;
use crate::common::sync::thread::JoinHandle;
use crate::common::time::SystemTime;
use crate::network::channel_builder::{ChannelBuilder, ReceiveLimits, SecurityProtocol};
use crate::network::network_receive::NetworkReceive;
use crate::network::network_send::NetworkSend;
use crate::network::selectable::{Selectable, SelectorEvents, SendProgress};
use crate::network::selector::Selector;
use crate::network::selector_waker::SelectorWaker;
use crate::protocol::ProtocolError;
use crate::protocol::headers::{RequestHeader, ResponseHeader};
use crate::protocol::requests::{self, ResponseBody};
use crate::protocol::writable::Segments;

/// A broker's connections with their thread.
#[derive(Debug)]
pub(crate) struct Processor {
    connections: Sender<TcpStream>,
    waker: Arc<SelectorWaker>,
    /// Set by `stop` (Release), read by the thread after each poll (Acquire).
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Processor {
    /// Starts the thread and attaches it to the channel.
    pub(crate) fn start(name: &str, broker: NodeId, channel: &RequestChannel) -> io::Result<Self> {
        let plaintext = ChannelBuilder::new(SecurityProtocol::Plaintext, ReceiveLimits::default());
        // Connections stay as long as the client wants them.
        let selector = Selector::new(plaintext, None, Arc::new(SystemTime))?;
        let waker = selector.waker();
        let (connections, new_connections) = unbounded();
        let (replies, reply_queue) = unbounded();
        channel.attach(
            broker,
            ReplyQueue {
                replies,
                waker: Arc::clone(&waker),
            },
        );
        let stopping = Arc::new(AtomicBool::new(false));
        let processing = Processing {
            broker,
            selector,
            new_connections,
            replies: reply_queue,
            channel: channel.clone(),
            stopping: Arc::clone(&stopping),
            open: HashSet::new(),
            next_number: 0,
        };
        let thread = kafka_thread::spawn(
            name,
            move || processing.run(),
            |panic| {
                log::error!("embedded broker: the processor panicked: {panic}");
            },
        )?;
        Ok(Self {
            connections,
            waker,
            stopping,
            thread,
        })
    }

    /// Where the acceptor puts new connections.
    pub(crate) fn inbox(&self) -> (Sender<TcpStream>, Arc<SelectorWaker>) {
        (self.connections.clone(), Arc::clone(&self.waker))
    }

    /// Closes every connection and ends the thread.
    pub(crate) fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        self.waker.wakeup();
        // A thread that panicked has said so already.
        let _ = self.thread.join();
    }
}

struct Processing {
    broker: NodeId,
    selector: Selector,
    new_connections: Receiver<TcpStream>,
    replies: Receiver<Reply>,
    channel: RequestChannel,
    stopping: Arc<AtomicBool>,
    open: HashSet<NodeId>,
    next_number: i32,
}

impl Processing {
    fn run(mut self) {
        let mut events = SelectorEvents::default();
        while !self.stopping.load(Ordering::Acquire) {
            self.take_connections();
            self.send_replies();
            if let Err(error) = self.selector.poll(IDLE, &mut events) {
                log::error!("embedded broker: the processor cannot wait for its sockets: {error}");
                break;
            }
            for receive in events.completed_receives.drain(..) {
                self.request(receive);
            }
            for id in events.completed_sends.drain(..) {
                self.selector.unmute(id);
            }
            for (id, state) in events.disconnected.drain(..) {
                log::debug!(
                    "embedded broker {}: connection {id} ended: {state:?}",
                    self.broker
                );
                self.forget(id);
            }
        }
        self.selector.close_all();
        let open = std::mem::take(&mut self.open);
        open.into_iter().for_each(|id| self.forget(id));
    }

    fn take_connections(&mut self) {
        while let Ok(stream) = self.new_connections.try_recv() {
            self.next_number = self.next_number.wrapping_add(1);
            let id = NodeId(self.next_number);
            match self.selector.register_accepted(id, stream) {
                Ok(()) => {
                    self.open.insert(id);
                }
                Err(error) => log::warn!(
                    "embedded broker {}: a connection could not be kept: {error}",
                    self.broker
                ),
            }
        }
    }

    fn send_replies(&mut self) {
        while let Ok(reply) = self.replies.try_recv() {
            let id = NodeId(reply.connection.number);
            if !self.open.contains(&id) {
                continue;
            }
            match reply.action {
                ReplyAction::Nothing => self.selector.unmute(id),
                ReplyAction::Close => self.close(id),
                ReplyAction::Send(body) => match encode(&reply.header, &body) {
                    Ok(segments) => self.send(id, segments),
                    Err(error) => {
                        log::error!(
                            "embedded broker {}: a response cannot be encoded: {error}",
                            self.broker
                        );
                        self.close(id);
                    }
                },
            }
        }
    }

    fn send(&mut self, id: NodeId, segments: Segments) {
        match self.selector.send(NetworkSend::new(id, segments)) {
            Ok(SendProgress::Done) => self.selector.unmute(id),
            Ok(SendProgress::Pending | SendProgress::Refused) => {}
            Err(error) => {
                log::debug!(
                    "embedded broker {}: connection {id} takes no response: {error}",
                    self.broker
                );
                self.close(id);
            }
        }
    }

    fn request(&mut self, receive: NetworkReceive) {
        let id = receive.source;
        match requests::decode_request(&receive.payload) {
            Ok((header, body)) => {
                self.selector.mute(id);
                let connection = self.connection(id);
                self.channel.submit(Work::Request(Incoming {
                    connection,
                    header,
                    body,
                }));
            }
            Err(error) => {
                log::warn!(
                    "embedded broker {}: connection {id} sent nonsense: {error}",
                    self.broker
                );
                self.close(id);
            }
        }
    }

    fn close(&mut self, id: NodeId) {
        self.selector.close(id);
        self.forget(id);
    }

    fn forget(&mut self, id: NodeId) {
        self.open.remove(&id);
        self.channel.submit(Work::Closed(self.connection(id)));
    }

    fn connection(&self, id: NodeId) -> ConnectionId {
        ConnectionId {
            broker: self.broker,
            number: id.0,
        }
    }
}

/// An ApiVersions request of a version that nobody knows is answered in version 0 (KIP-511).
fn encode(request: &RequestHeader, body: &ResponseBody) -> Result<Segments, ProtocolError> {
    let known = request.api.versions().contains(&request.api_version);
    let version = if known { request.api_version } else { 0 };
    let header = ResponseHeader {
        correlation_id: request.correlation_id,
    };
    requests::encode_response(header, version, body)
}

/// Sockets and the waker end the wait; the number is of no importance.
const IDLE: Duration = Duration::from_secs(3600);
