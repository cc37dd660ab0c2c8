//! The wires: connections, bytes on their way, and everything that can become of them.
//!
//! Java: none.
//! Differs: bytes keep their order inside one direction of one connection, as TCP's do, and nothing else keeps any order.
//! Threads: one per seed. Locks: none.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;

use fastrand::Rng;

use crate::common::cluster::NodeId;
use crate::network::channel_state::ChannelState;
use crate::network::network_receive::{ReadError, ReceiveBuffer};
use crate::network::network_send::NetworkSend;
use crate::testing::sim::observer::Observer;
use crate::testing::sim::queue::{ConnId, Ending, Event, Micros, Queue, ms};
use crate::testing::sim::situations::Situation;
use crate::testing::sim::trace::Trace;

/// What a seed's network is like, faults aside.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    /// The shortest and the longest way of a packet.
    pub(super) delay: (Micros, Micros),
    /// In a thousand: packets that take much longer, and how much longer at most.
    pub(super) spikes: (u32, Micros),
    /// In a thousand: writes that take only a part of what is offered.
    pub(super) partial_writes: u32,
    /// In a thousand: packets that arrive in pieces.
    pub(super) pieces: u32,
    /// How many bytes a socket takes before the other side has read some.
    pub(super) window: usize,
    /// In a thousand: connection attempts that arrive twice.
    pub(super) duplicate_attempts: u32,
}

/// One way between a producer and a broker.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Link {
    /// Nothing that is sent arrives before this time.
    pub(super) silent_until: Micros,
    /// Bytes dribble, until this time.
    pub(super) drips_until: Micros,
    /// All takes longer by this much.
    pub(super) slower: Micros,
    /// In a thousand, for each packet: the connection breaks at a byte of it.
    pub(super) cuts: u32,
}

/// Both ways between a producer and a broker.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pair {
    pub(super) to_broker: Link,
    pub(super) to_client: Link,
    /// Attempts are refused until this time, or vanish until that time.
    pub(super) refuses_until: Micros,
    pub(super) swallows_until: Micros,
}

/// A connection, with both of its ends.
#[derive(Debug)]
pub(super) struct Conn {
    pub(super) producer: usize,
    pub(super) broker: NodeId,
    pub(super) address: SocketAddr,
    pub(super) client: ClientEnd,
    pub(super) server: ServerEnd,
    to_broker: Pipe,
    to_client: Pipe,
}

#[derive(Debug)]
pub(super) struct ClientEnd {
    pub(super) is_open: bool,
    /// The connection came about, and no poll has reported it.
    pub(super) is_new: bool,
    pub(super) is_ready: bool,
    pub(super) received: ReceiveBuffer,
    pub(super) ended: Option<ChannelState>,
    pub(super) pending: Option<NetworkSend>,
    pub(super) is_writable: bool,
    pub(super) last_active: Micros,
}

#[derive(Debug)]
pub(super) struct ServerEnd {
    pub(super) is_open: bool,
    was_open: bool,
    /// A request is being handled, and the next one waits.
    pub(super) is_busy: bool,
    pub(super) is_scheduled: bool,
    pub(super) received: ReceiveBuffer,
}

/// One direction.
#[derive(Debug, Default)]
struct Pipe {
    last_arrival: Micros,
    on_the_way: usize,
    is_cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    ToBroker,
    ToClient,
}

/// Everything between the producers and the brokers, and the clock that all share.
#[derive(Debug)]
pub(super) struct Net {
    pub(super) queue: Queue,
    pub(super) rng: Rng,
    pub(super) profile: Profile,
    pub(super) conns: Vec<Conn>,
    pub(super) pairs: BTreeMap<(usize, NodeId), Pair>,
    /// The connections that each producer knows.
    pub(super) current: Vec<BTreeMap<NodeId, ConnId>>,
    /// Producers for which there is news.
    pub(super) notified: Vec<usize>,
    pub(super) observer: Observer,
    pub(super) trace: Trace,
    scratch: Vec<u8>,
}

impl Net {
    pub(super) fn new(queue: Queue, seed: u64, profile: Profile, producers: usize) -> Self {
        Self {
            queue,
            rng: Rng::with_seed(seed),
            profile,
            conns: Vec::new(),
            pairs: BTreeMap::new(),
            current: vec![BTreeMap::new(); producers],
            notified: Vec::new(),
            observer: Observer::default(),
            trace: Trace::default(),
            scratch: vec![0; 16 * 1024],
        }
    }

    pub(super) fn now(&self) -> Micros {
        self.queue.now()
    }

    pub(super) fn mark(&mut self, situation: Situation) {
        self.observer.situations.mark(situation);
    }

    pub(super) fn chance(&mut self, in_a_thousand: u32) -> bool {
        in_a_thousand > 0 && self.rng.u32(0..1000) < in_a_thousand
    }

    fn pair(&self, conn: ConnId) -> Pair {
        let Some(conn) = self.conns.get(conn) else {
            return Pair::default();
        };
        let pair = self.pairs.get(&(conn.producer, conn.broker));
        pair.copied().unwrap_or_default()
    }

    fn delay(&mut self) -> Micros {
        let (shortest, longest) = self.profile.delay;
        let (often, most) = self.profile.spikes;
        let usual = self.rng.u64(shortest..=longest);
        if self.chance(often) {
            usual + self.rng.u64(0..=most)
        } else {
            usual
        }
    }

    /// A client begins to connect.
    pub(super) fn connect(&mut self, producer: usize, node: NodeId, address: SocketAddr) {
        let id = self.conns.len();
        let now = self.now();
        let broker = NodeId(broker_at(address));
        self.conns.push(Conn {
            producer,
            broker,
            address,
            client: ClientEnd {
                is_open: true,
                is_new: false,
                is_ready: false,
                received: ReceiveBuffer::new(LARGEST_FRAME),
                ended: None,
                pending: None,
                is_writable: false,
                last_active: now,
            },
            server: ServerEnd {
                is_open: false,
                was_open: false,
                is_busy: false,
                is_scheduled: false,
                received: ReceiveBuffer::new(LARGEST_FRAME),
            },
            to_broker: Pipe::default(),
            to_client: Pipe::default(),
        });
        self.current[producer].insert(node, id);
        self.observer.connection_attempt(producer, broker, now);
        self.trace.tell(now, || {
            format!("p{producer} connects to b{broker} as c{id}")
        });
        let pair = self.pair(id);
        if pair.swallows_until > now || pair.to_broker.silent_until > now {
            self.mark(Situation::AttemptVanished);
            return;
        }
        let delay = self.delay() + pair.to_broker.slower;
        self.queue.push(now + delay, Event::Attempt(id));
        if self.chance(self.profile.duplicate_attempts) {
            self.mark(Situation::AttemptDuplicated);
            let later = now + delay + self.rng.u64(0..ms(50));
            self.queue.push(later, Event::Attempt(id));
        }
    }

    /// An attempt reached its broker, which runs or does not.
    pub(super) fn attempted(&mut self, id: ConnId, runs: bool) {
        let now = self.now();
        let pair = self.pair(id);
        let delay = self.delay() + pair.to_client.slower;
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if conn.server.was_open || conn.to_broker.is_cut {
            // The second copy of an attempt: the broker knows the connection, or had it and lost it.
            return;
        }
        let answer = if runs && pair.refuses_until <= now {
            conn.server.is_open = true;
            conn.server.was_open = true;
            Event::Established(id)
        } else {
            conn.to_broker.is_cut = true;
            Event::Refused(id)
        };
        if pair.to_client.silent_until > now {
            self.mark(Situation::AnswerToAttemptVanished);
            return;
        }
        self.queue.push(now + delay, answer);
    }

    /// Takes what the window has room for; returns whether the whole frame is out.
    pub(super) fn write(&mut self, id: ConnId) -> bool {
        let in_part = self.chance(self.profile.partial_writes);
        let now = self.now();
        let window = self.profile.window;
        let Some(conn) = self.conns.get_mut(id) else {
            return true;
        };
        let Some(mut send) = conn.client.pending.take() else {
            return true;
        };
        conn.client.is_writable = false;
        conn.client.last_active = now;
        let mut room = window.saturating_sub(conn.to_broker.on_the_way);
        if in_part {
            room = room.min(self.rng.usize(1..=send.remaining()));
        }
        let mut taken = Taken {
            bytes: Vec::with_capacity(room.min(send.remaining())),
            room,
        };
        while taken.room > 0 && !send.is_completed() {
            send.write_to(&mut taken).expect("there is room");
        }
        let is_done = send.is_completed();
        if !is_done {
            conn.client.pending = Some(send);
            self.mark(Situation::PartialWrite);
            if room == 0 {
                self.mark(Situation::WindowFull);
            } else if in_part {
                let later = now + self.rng.u64(10..2000);
                self.queue.push(later, Event::Writable(id));
            }
        }
        if !taken.bytes.is_empty() {
            self.conns[id].to_broker.on_the_way += taken.bytes.len();
            self.transmit(id, Direction::ToBroker, taken.bytes);
        }
        is_done
    }

    /// Sends bytes on their way.
    pub(super) fn transmit(&mut self, id: ConnId, direction: Direction, mut bytes: Vec<u8>) {
        let now = self.now();
        let link = self.pair(id).link(direction);
        let cut = self.chance(link.cuts);
        let in_pieces = self.chance(self.profile.pieces) || link.drips_until > now;
        let Some(conn) = self.conns.get(id) else {
            return;
        };
        if conn.pipe(direction).is_cut {
            return;
        }
        if cut {
            bytes.truncate(self.rng.usize(0..=bytes.len()));
            self.mark(Situation::CutInTheMiddle);
        }
        let pieces = if in_pieces {
            self.mark(Situation::FrameInPieces);
            split(&mut self.rng, bytes)
        } else {
            vec![bytes]
        };
        for piece in pieces {
            if piece.is_empty() {
                continue;
            }
            let at = self.arrival(id, direction, link);
            let event = match direction {
                Direction::ToBroker => Event::ToBroker(id, piece),
                Direction::ToClient => Event::ToClient(id, piece),
            };
            self.queue.push(at, event);
        }
        if cut {
            self.reset(id);
        }
    }

    fn arrival(&mut self, id: ConnId, direction: Direction, link: Link) -> Micros {
        let now = self.now();
        let mut delay = self.delay() + link.slower;
        if link.drips_until > now {
            delay += self.rng.u64(0..ms(200));
        }
        let from = now.max(link.silent_until);
        let length = 1;
        let pipe = self.conns[id].pipe_mut(direction);
        let at = (from + delay).max(pipe.last_arrival + length);
        pipe.last_arrival = at;
        at
    }

    /// The broker's machine took the connection.
    pub(super) fn established(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            if conn.client.is_open && conn.client.ended.is_none() {
                conn.client.is_new = true;
                self.notified.push(conn.producer);
            }
        }
    }

    /// Bytes have arrived at the broker's machine and no longer count.
    pub(super) fn read_by_broker(&mut self, id: ConnId, bytes: usize) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        let on_the_way = &mut conn.to_broker.on_the_way;
        *on_the_way = on_the_way.saturating_sub(bytes);
        if conn.client.pending.is_some() {
            let soon = self.now() + 1;
            self.queue.push(soon, Event::Writable(id));
        }
    }

    /// The client closes its end. What it wrote is still on its way.
    pub(super) fn close_client(&mut self, id: ConnId) {
        let link = self.pair(id).to_broker;
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if !conn.client.is_open {
            return;
        }
        let unfinished = conn.client.pending.take().is_some();
        let never_ready = !conn.client.is_ready && !conn.server.is_open;
        conn.client.is_open = false;
        conn.client.is_ready = false;
        let late = conn.to_broker.last_arrival > self.queue.now();
        if unfinished {
            self.mark(Situation::ClosedWhileWriting);
        }
        if never_ready {
            self.mark(Situation::AttemptGivenUp);
        }
        if late {
            self.mark(Situation::BytesOutliveConnection);
        }
        let at = self.arrival(id, Direction::ToBroker, link);
        self.queue.push(at, Event::EndToBroker(id));
    }

    /// The broker closes its end.
    pub(super) fn close_server(&mut self, id: ConnId, how: Ending) {
        let link = self.pair(id).to_client;
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if !std::mem::take(&mut conn.server.is_open) {
            return;
        }
        let at = self.arrival(id, Direction::ToClient, link);
        self.queue.push(at, Event::EndToClient(id, how));
    }

    /// The broker's machine vanishes: nobody tells the client anything.
    pub(super) fn vanish(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.server.is_open = false;
            conn.to_client.is_cut = true;
            conn.to_broker.is_cut = true;
        }
    }

    /// The connection breaks, for both ends; what is on its way before the break still arrives.
    pub(super) fn reset(&mut self, id: ConnId) {
        let pair = self.pair(id);
        let to_broker = self.arrival(id, Direction::ToBroker, pair.to_broker);
        let to_client = self.arrival(id, Direction::ToClient, pair.to_client);
        self.queue.push(to_broker, Event::EndToBroker(id));
        self.queue
            .push(to_client, Event::EndToClient(id, Ending::Reset));
        let conn = &mut self.conns[id];
        conn.to_broker.is_cut = true;
        conn.to_client.is_cut = true;
    }

    /// Bytes reach the client.
    pub(super) fn received(&mut self, id: ConnId, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if !conn.client.is_open || conn.client.ended.is_some() {
            self.observer.situations.mark(Situation::LateAnswerDropped);
            return;
        }
        conn.client.last_active = self.queue.now();
        if let Err(invalid) = accept(&mut conn.client.received, bytes, &mut self.scratch) {
            conn.client.ended = Some(invalid);
        }
        if conn.client.received.has_frame() || conn.client.ended.is_some() {
            self.notified.push(conn.producer);
        }
    }

    /// Bytes reach the broker; returns whether there is a whole request.
    pub(super) fn received_by_broker(&mut self, id: ConnId, bytes: &[u8]) -> bool {
        let Some(conn) = self.conns.get_mut(id) else {
            return false;
        };
        if !conn.server.is_open {
            return false;
        }
        let accepted = accept(&mut conn.server.received, bytes, &mut self.scratch);
        if let Err(state) = accepted {
            self.observer
                .violation(format!("a broker refuses what the client sent: {state}"));
        }
        conn.server.received.has_frame()
    }

    /// The client learns how its connection ended.
    pub(super) fn end_client(&mut self, id: ConnId, state: ChannelState) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        if conn.client.is_open && conn.client.ended.is_none() {
            let unread = conn.client.received.has_frame();
            let is_reset = matches!(&state, ChannelState::Ready { error } if error == RESET);
            if is_reset {
                conn.client.received = ReceiveBuffer::new(LARGEST_FRAME);
            }
            if unread {
                self.observer.situations.mark(if is_reset {
                    Situation::ResetWithUnreadAnswer
                } else {
                    Situation::EndWithUnreadAnswer
                });
            }
            conn.client.ended = Some(state);
            self.notified.push(conn.producer);
        }
    }

    pub(super) fn notify(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get(id) {
            self.notified.push(conn.producer);
        }
    }
}

impl Pair {
    fn link(&self, direction: Direction) -> Link {
        match direction {
            Direction::ToBroker => self.to_broker,
            Direction::ToClient => self.to_client,
        }
    }
}

impl Conn {
    fn pipe(&self, direction: Direction) -> &Pipe {
        match direction {
            Direction::ToBroker => &self.to_broker,
            Direction::ToClient => &self.to_client,
        }
    }

    fn pipe_mut(&mut self, direction: Direction) -> &mut Pipe {
        match direction {
            Direction::ToBroker => &mut self.to_broker,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

/// What one write may put into.
struct Taken {
    bytes: Vec<u8>,
    room: usize,
}

impl io::Write for Taken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        self.bytes.extend_from_slice(&bytes[..taken]);
        self.room -= taken;
        Ok(taken)
    }

    fn write_vectored(&mut self, slices: &[io::IoSlice<'_>]) -> io::Result<usize> {
        let before = self.bytes.len();
        for slice in slices {
            let _ = self.write(slice)?;
        }
        Ok(self.bytes.len() - before)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn accept(
    buffer: &mut ReceiveBuffer,
    mut bytes: &[u8],
    scratch: &mut [u8],
) -> Result<(), ChannelState> {
    while !bytes.is_empty() {
        match buffer.read_from(&mut bytes, scratch) {
            Ok(_) => {}
            Err(ReadError::Invalid(invalid)) => return Err(ChannelState::InvalidReceive(invalid)),
            Err(ReadError::Io(error)) => {
                let error = error.to_string();
                return Err(ChannelState::Ready { error });
            }
        }
    }
    Ok(())
}

fn split(rng: &mut Rng, bytes: Vec<u8>) -> Vec<Vec<u8>> {
    let mut pieces = Vec::new();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() && pieces.len() < MOST_PIECES {
        let largest = (rest.len() / 4).max(1);
        let (piece, after) = rest.split_at(rng.usize(1..=largest));
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces.push(rest.to_vec());
    pieces
}

/// Broker 3 listens at 10.0.0.3:9092.
pub(super) fn address_of(broker: i32) -> String {
    format!("10.0.0.{broker}")
}

fn broker_at(address: SocketAddr) -> i32 {
    match address {
        SocketAddr::V4(v4) => i32::from(v4.ip().octets()[3]),
        SocketAddr::V6(_) => 0,
    }
}

pub(super) const PORT: u16 = 9092;
pub(super) const RESET: &str = "connection reset";
const LARGEST_FRAME: usize = 100 * 1024 * 1024;
const MOST_PIECES: usize = 12;
