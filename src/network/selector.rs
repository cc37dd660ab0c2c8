//! Many connections, one poller, one wait.
//!
//! Java: `common/network/Selector.java`.
//! Differs: the poller reports changes, not states, so each channel remembers what its socket would do, and those that can
//! go on without a report are visited by every poll; no re-registration per send; sends are tried at once.
//! Threads: the I/O thread; the waker on any. Locks: none.

mod idle;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token, Waker};

use crate::common::cluster::NodeId;
use crate::common::fast_hash::FastMap;
use crate::common::kafka_error::KafkaError;
use crate::common::time::{Time, deadline};
use crate::network::channel_builder::ChannelBuilder;
use crate::network::channel_state::ChannelState;
use crate::network::kafka_channel::{KafkaChannel, Readiness};
use crate::network::network_receive::NetworkReceive;
use crate::network::network_send::NetworkSend;
use crate::network::selectable::{ConnectOptions, Selectable, SelectorEvents, SendProgress};
use crate::network::selector::idle::IdleExpiry;
use crate::network::selector_waker::SelectorWaker;
use crate::network::socket::Socket;

/// A [`Selectable`] over real sockets; the only file that knows the operating system's poller.
pub(crate) struct Selector {
    poll: Poll,
    os_events: Events,
    waker: Arc<SelectorWaker>,
    time: Arc<dyn Time>,
    channel_builder: ChannelBuilder,
    connections: FastMap<NodeId, Connection>,
    tokens: Tokens,
    /// Connections to visit in the next poll although no report may come for them. Each is named once.
    actionable: Vec<NodeId>,
    /// Connections that are over but for the frames they still have to deliver. Their ids are not in `connections`.
    closing: Vec<Closing>,
    /// Ends that happened between polls; the next one reports them.
    unreported: Vec<(NodeId, ChannelState)>,
    idle: IdleExpiry,
    scratch: Box<[u8]>,
}

impl Selector {
    /// A selector without connections that closes those which nobody uses for `max_idle`.
    ///
    /// # Errors
    /// Where the operating system gives no poller.
    pub(crate) fn new(
        channel_builder: ChannelBuilder,
        max_idle: Option<Duration>,
        time: Arc<dyn Time>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let os_waker = Waker::new(poll.registry(), WAKER)?;
        // The waker lives as long as anybody may call it: a wake through one that is dropped right after may be lost.
        let waker = SelectorWaker::new(move || {
            if let Err(error) = os_waker.wake() {
                log::error!("cannot wake the I/O thread: {error}");
            }
        });
        Ok(Self {
            poll,
            os_events: Events::with_capacity(EVENTS_PER_POLL),
            waker: Arc::new(waker),
            time,
            channel_builder,
            connections: FastMap::default(),
            tokens: Tokens::default(),
            actionable: Vec::new(),
            closing: Vec::new(),
            unreported: Vec::new(),
            idle: IdleExpiry::new(max_idle),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
        })
    }

    fn check_id_is_free(&self, id: NodeId) -> Result<(), KafkaError> {
        let closing = self.closing.iter().any(|c| c.channel.id() == id);
        let what = if self.connections.contains_key(&id) {
            "is already a connection"
        } else if closing || self.is_unreported(id) {
            "is still a closing connection"
        } else {
            return Ok(());
        };
        let message = format!("there {what} for node {id}");
        Err(KafkaError::illegal_state(message))
    }

    fn is_unreported(&self, id: NodeId) -> bool {
        self.unreported.iter().any(|(ended, _)| *ended == id)
    }

    fn register(&mut self, id: NodeId, address: SocketAddr, mut socket: Socket) -> io::Result<()> {
        let token = self.tokens.issue(id);
        if let Err(error) = socket.register(self.poll.registry(), token) {
            self.tokens.revoke(token);
            return Err(error);
        }
        let now = self.time.now();
        self.idle.started(now);
        let connection = Connection {
            channel: self.channel_builder.build(id, address, socket),
            token,
            listed: false,
            last_active: now,
        };
        self.connections.insert(id, connection);
        Ok(())
    }

    /// Takes a connection out of service, together with what it still has to say.
    fn remove(&mut self, id: NodeId) -> Option<KafkaChannel> {
        let connection = self.connections.remove(&id)?;
        if connection.listed {
            self.actionable.retain(|listed| *listed != id);
        }
        self.tokens.revoke(connection.token);
        Some(connection.channel)
    }

    /// Frees what the operating system holds for a connection.
    fn release(&self, mut channel: KafkaChannel) {
        channel.socket().deregister(self.poll.registry());
    }

    /// Ends a connection between polls; what it still has to say is dropped.
    fn give_up(&mut self, id: NodeId, state: ChannelState) {
        if let Some(channel) = self.remove(id) {
            self.release(channel);
            self.unreported.push((id, state));
        }
    }

    /// Ends a connection during a poll.
    fn end(&mut self, id: NodeId, end: End, events: &mut SelectorEvents) {
        let Some(channel) = self.remove(id) else {
            return;
        };
        match end {
            End::AfterFrames(state) if channel.may_have_frames() => {
                self.closing.push(Closing { channel, state });
            }
            End::Now(state) | End::AfterFrames(state) => {
                self.release(channel);
                // Connected and lost in one poll is just lost.
                events.connected.retain(|connected| *connected != id);
                events.disconnected.push((id, state));
            }
        }
    }

    /// How long a poll may wait, given what is already known.
    fn longest_wait(&self, timeout: Duration, events: &SelectorEvents, now: Instant) -> Duration {
        let deliverable = self.closing.iter().any(|c| !c.channel.is_muted());
        if deliverable || !events.is_empty() || !self.actionable.is_empty() {
            return Duration::ZERO;
        }
        match self.idle.next_check() {
            Some(check) => timeout.min(check.saturating_duration_since(now)),
            None => timeout,
        }
    }

    /// Waits for the operating system, unless somebody has asked us not to.
    fn wait(&mut self, timeout: Duration, now: Instant) -> io::Result<()> {
        let asleep = !timeout.is_zero() && self.waker.begin_sleep();
        let timeout = if asleep { timeout } else { Duration::ZERO };
        let (poll, os_events) = (&mut self.poll, &mut self.os_events);
        let outcome = retry_interrupted(&*self.time, (now, timeout), |left| {
            poll.poll(os_events, Some(left))
        });
        self.waker.end_sleep();
        outcome
    }

    /// Gives out one frame of each connection that is over but for its frames; reports those that have none left.
    fn deliver_of_closing(&mut self, events: &mut SelectorEvents) {
        for mut closing in std::mem::take(&mut self.closing) {
            let id = closing.channel.id();
            if closing.channel.is_muted() {
                self.closing.push(closing);
            } else if let Ok(Some(payload)) = closing.channel.next_frame(&mut self.scratch) {
                let source = id;
                events
                    .completed_receives
                    .push(NetworkReceive { source, payload });
                self.closing.push(closing);
            } else {
                self.release(closing.channel);
                events.disconnected.push((id, closing.state));
            }
        }
    }

    /// Notes what the poller reported and lists the connections that are to be visited.
    fn note_events(&mut self) {
        for event in &self.os_events {
            // The waker has no connection, and a connection that was closed since has its token no more.
            let id = self.tokens.find(event.token());
            let Some(connection) = id.and_then(|id| self.connections.get_mut(&id)) else {
                continue;
            };
            let broken = event.is_error();
            connection.channel.note(Readiness {
                readable: event.is_readable() || broken,
                writable: event.is_writable() || event.is_write_closed() || broken,
                read_closed: event.is_read_closed(),
            });
            connection.list(&mut self.actionable);
        }
    }

    /// Visits each listed connection once; those that can go on without a report are listed again for the next poll.
    fn visit_all(&mut self, now: Instant, events: &mut SelectorEvents) {
        let listed = self.actionable.len();
        for at in 0..listed {
            let Some(id) = self.actionable.get(at).copied() else {
                break;
            };
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.listed = false;
                connection.last_active = now;
                match visit(&mut connection.channel, &mut self.scratch, events) {
                    Ok(()) => connection.list_if_actionable(&mut self.actionable),
                    Err(end) => self.end(id, end, events),
                }
            }
        }
        self.actionable.drain(..listed);
    }

    /// Closes the connection that has not been used for the longest time, if that is too long.
    fn maybe_close_oldest(&mut self, now: Instant, events: &mut SelectorEvents) {
        let connections = self.connections.iter().map(|(id, c)| (*id, c.last_active));
        if let Some(oldest) = self.idle.expired(now, connections) {
            log::debug!("closing the idle connection to node {oldest}");
            self.end(oldest, End::AfterFrames(ChannelState::Expired), events);
        }
    }
}

impl Selectable for Selector {
    fn connect(
        &mut self,
        id: NodeId,
        address: SocketAddr,
        options: &ConnectOptions,
    ) -> Result<(), KafkaError> {
        self.check_id_is_free(id)?;
        let begun = Socket::connect(address, options);
        if let Err(error) = begun.and_then(|socket| self.register(id, address, socket)) {
            let error = error.to_string();
            let state = ChannelState::NotConnected { address, error };
            self.unreported.push((id, state));
        }
        Ok(())
    }

    fn close(&mut self, id: NodeId) {
        self.unreported.retain(|(ended, _)| *ended != id);
        let closing = self.closing.iter().position(|c| c.channel.id() == id);
        let closing = closing.map(|at| self.closing.swap_remove(at).channel);
        if let Some(channel) = self.remove(id).or(closing) {
            self.release(channel);
        }
    }

    fn close_all(&mut self) {
        let open = self.connections.keys().copied();
        let closing = self.closing.iter().map(|c| c.channel.id());
        let ids: Vec<_> = open.chain(closing).collect();
        ids.into_iter().for_each(|id| self.close(id));
        self.unreported.clear();
    }

    fn send(&mut self, send: NetworkSend) -> Result<SendProgress, KafkaError> {
        let id = send.destination();
        let Some(connection) = self.connections.get_mut(&id) else {
            return self.refuse_send(id);
        };
        if connection.channel.has_send() {
            self.give_up(id, ChannelState::FailedSend);
            let message = format!("node {id} was sent a frame before the previous one was out");
            return Err(KafkaError::illegal_state(message));
        }
        if !connection.channel.is_ready() {
            let message = format!("the connection to node {id} is not ready");
            return Err(KafkaError::illegal_state(message));
        }
        connection.last_active = self.time.now();
        connection.channel.set_send(send);
        match connection.channel.write() {
            Ok(true) => return Ok(SendProgress::Done),
            Ok(false) => connection.list_if_actionable(&mut self.actionable),
            Err(error) => {
                let state = connection.channel.ended(&error);
                self.give_up(id, state);
                return Ok(SendProgress::Refused);
            }
        }
        Ok(SendProgress::Pending)
    }

    fn poll(&mut self, timeout: Duration, events: &mut SelectorEvents) -> io::Result<()> {
        events.clear();
        events.disconnected.append(&mut self.unreported);
        let now = self.time.now();
        self.wait(self.longest_wait(timeout, events, now), now)?;
        // Read after the wait: what is served now must not count as idle for as long as the wait took.
        let now = self.time.now();
        self.deliver_of_closing(events);
        self.note_events();
        self.visit_all(now, events);
        self.maybe_close_oldest(now, events);
        Ok(())
    }

    fn is_channel_ready(&self, id: NodeId) -> bool {
        self.connections
            .get(&id)
            .is_some_and(|connection| connection.channel.is_ready())
    }

    fn waker(&self) -> Arc<SelectorWaker> {
        Arc::clone(&self.waker)
    }
}

impl Selector {
    /// A send to a connection that is closing ends it now; one to an unknown connection is the caller's mistake.
    fn refuse_send(&mut self, id: NodeId) -> Result<SendProgress, KafkaError> {
        if let Some(at) = self.closing.iter().position(|c| c.channel.id() == id) {
            let closing = self.closing.swap_remove(at);
            self.release(closing.channel);
            self.unreported.push((id, closing.state));
        }
        if self.is_unreported(id) {
            return Ok(SendProgress::Refused);
        }
        let message = format!("there is no connection for node {id}");
        Err(KafkaError::illegal_state(message))
    }
}

/// What only a server does.
#[cfg(any(test, feature = "embedded-broker"))]
impl Selector {
    /// Takes over a connection that a listener accepted; no poll reports it in `connected`.
    ///
    /// # Errors
    /// Where the id is taken, or the socket is broken already.
    pub(crate) fn register_accepted(
        &mut self,
        id: NodeId,
        stream: mio::net::TcpStream,
    ) -> Result<(), KafkaError> {
        self.check_id_is_free(id)?;
        let broken = |error: io::Error| {
            let message = format!("cannot take over the accepted connection {id}");
            KafkaError::illegal_state(message).with_source(error)
        };
        let socket = Socket::accepted(stream).map_err(broken)?;
        let address = socket.peer_address().map_err(broken)?;
        self.register(id, address, socket).map_err(broken)
    }

    /// Stops reading from a connection; writes go on.
    pub(crate) fn mute(&mut self, id: NodeId) {
        self.set_muted(id, true);
    }

    /// Reads from a connection again, beginning with what has arrived meanwhile.
    pub(crate) fn unmute(&mut self, id: NodeId) {
        self.set_muted(id, false);
    }

    fn set_muted(&mut self, id: NodeId, muted: bool) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.channel.set_muted(muted);
            // What arrived meanwhile was reported long ago.
            connection.list_if_actionable(&mut self.actionable);
        }
        for closing in self.closing.iter_mut().filter(|c| c.channel.id() == id) {
            closing.channel.set_muted(muted);
        }
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector")
            .field("connections", &self.connections.len())
            .field("closing", &self.closing.len())
            .field("polls", &self.waker.poll_count())
            .finish_non_exhaustive()
    }
}

/// A channel in service.
#[derive(Debug)]
struct Connection {
    channel: KafkaChannel,
    token: Token,
    /// Whether `Selector::actionable` names it.
    listed: bool,
    last_active: Instant,
}

impl Connection {
    fn list(&mut self, actionable: &mut Vec<NodeId>) {
        if !self.listed {
            self.listed = true;
            actionable.push(self.channel.id());
        }
    }

    fn list_if_actionable(&mut self, actionable: &mut Vec<NodeId>) {
        if self.channel.is_actionable() {
            self.list(actionable);
        }
    }
}

/// A channel out of service whose frames are still to be delivered.
#[derive(Debug)]
struct Closing {
    channel: KafkaChannel,
    /// What is reported after the last frame.
    state: ChannelState,
}

/// How a connection ends.
enum End {
    /// Frames that were not delivered are dropped.
    Now(ChannelState),
    /// Frames that arrived are delivered first, one per poll.
    AfterFrames(ChannelState),
}

/// One step of each kind: connect, get ready, one frame in, one write.
fn visit(
    channel: &mut KafkaChannel,
    scratch: &mut [u8],
    events: &mut SelectorEvents,
) -> Result<(), End> {
    let id = channel.id();
    if !channel.is_connected() {
        match channel.finish_connect() {
            Ok(true) => events.connected.push(id),
            Ok(false) => return Ok(()),
            Err(error) => return Err(End::Now(channel.ended(&error))),
        }
    }
    let lost = |channel: &KafkaChannel, error| Err(End::Now(channel.ended(&error)));
    if !channel.is_ready() {
        if let Err(error) = channel.prepare() {
            return lost(channel, error);
        }
    }
    if !channel.is_ready() {
        return Ok(());
    }
    match channel.next_frame(scratch) {
        Ok(Some(payload)) => {
            let source = id;
            events
                .completed_receives
                .push(NetworkReceive { source, payload });
        }
        Ok(None) => {}
        Err(error) => return Err(End::AfterFrames(channel.unreadable(&error))),
    }
    match channel.write() {
        Ok(true) => events.completed_sends.push(id),
        Ok(false) => {}
        Err(error) => return lost(channel, error),
    }
    Ok(())
}

/// Calls `wait` again with what is left of `timeout`, which begins at `now`, for as long as signals interrupt it.
fn retry_interrupted(
    time: &dyn Time,
    (now, timeout): (Instant, Duration),
    mut wait: impl FnMut(Duration) -> io::Result<()>,
) -> io::Result<()> {
    let mut left = timeout;
    loop {
        match wait(left) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                left = deadline(now, timeout).saturating_duration_since(time.now());
            }
            outcome => return outcome,
        }
    }
}

/// Which connection a report of the poller is about. A token is never used twice, so a late report finds nobody.
#[derive(Debug, Default)]
struct Tokens {
    issued: usize,
    ids: FastMap<Token, NodeId>,
}

impl Tokens {
    fn issue(&mut self, id: NodeId) -> Token {
        self.issued += 1;
        let token = Token(self.issued);
        self.ids.insert(token, id);
        token
    }

    fn find(&self, token: Token) -> Option<NodeId> {
        self.ids.get(&token).copied()
    }

    fn revoke(&mut self, token: Token) {
        self.ids.remove(&token);
    }
}

const WAKER: Token = Token(0);

const EVENTS_PER_POLL: usize = 256;

/// Room for what one read brings; most reads bring a hundred bytes.
const SCRATCH: usize = 64 * 1024;

#[cfg(test)]
mod tests;
