//! The network as one producer's client sees it: the byte-level seam over wires that are not real.
//!
//! Java: `test/MockSelector.java`.
//! Differs: what a script decides there the simulated network decides here; a poll never waits, but says until when the
//! I/O thread sleeps, and the simulation goes on.
//! Threads: one per seed. Locks: none.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::common::cluster::NodeId;
use crate::common::kafka_error::KafkaError;
use crate::network::channel_state::ChannelState;
use crate::network::network_receive::NetworkReceive;
use crate::network::network_send::NetworkSend;
use crate::network::selectable::{ConnectOptions, Selectable, SelectorEvents, SendProgress};
use crate::network::selector_waker::SelectorWaker;
use crate::testing::sim::network::Net;
use crate::testing::sim::observer::Line;
use crate::testing::sim::queue::{ConnId, Micros, micros};
use crate::testing::sim::situations::Situation;

/// What the simulation and a producer's selector tell each other.
#[derive(Debug)]
pub(super) struct Sleep {
    pub(super) waker: Arc<SelectorWaker>,
    /// Set by whoever wakes the sleeping I/O thread. A plain flag: all happens on one thread.
    pub(super) woken: Arc<AtomicBool>,
    /// Until when the I/O thread sleeps, where it does.
    pub(super) until: Cell<Option<Micros>>,
    pub(super) polls: Cell<u64>,
    /// How often a poll went on with a frame because there was room again, since the passes were counted last.
    pub(super) went_on: Cell<u64>,
}

/// A [`Selectable`] over the simulated network.
#[derive(Debug)]
pub(super) struct SimSelector {
    producer: usize,
    net: Rc<RefCell<Net>>,
    sleep: Rc<Sleep>,
    max_idle: Option<Micros>,
    /// Empty between polls.
    nodes: Vec<(NodeId, ConnId)>,
}

impl SimSelector {
    pub(super) fn new(producer: usize, net: Rc<RefCell<Net>>, max_idle: Option<Duration>) -> Self {
        let woken = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&woken);
        let waker = SelectorWaker::new(move || flag.store(true, Ordering::Relaxed));
        Self {
            producer,
            net,
            sleep: Rc::new(Sleep {
                waker: Arc::new(waker),
                woken,
                until: Cell::new(None),
                polls: Cell::new(0),
                went_on: Cell::new(0),
            }),
            max_idle: max_idle.map(micros),
            nodes: Vec::new(),
        }
    }

    pub(super) fn sleep(&self) -> Rc<Sleep> {
        Rc::clone(&self.sleep)
    }

    fn id_of(&self, net: &Net, node: NodeId) -> Option<ConnId> {
        net.current[self.producer].get(&node).copied()
    }

    /// What happened on one connection.
    fn look_at(&self, net: &mut Net, node: NodeId, id: ConnId, events: &mut SelectorEvents) {
        if net.conns[id].client.is_writable && net.conns[id].client.pending.is_some() {
            self.sleep.went_on.set(self.sleep.went_on.get() + 1);
            if net.write(id) {
                events.completed_sends.push(node);
            }
        }
        let now = net.now();
        let client = &mut net.conns[id].client;
        if let Some(payload) = client.received.take_frame() {
            client.last_active = now;
            if client.received.has_frame() {
                net.observer.situations.mark(Situation::TwoAnswersAtOnce);
            }
            net.observer.answered(id, &payload);
            events.completed_receives.push(NetworkReceive {
                source: node,
                payload,
            });
            return;
        }
        if let Some(state) = client.ended.take() {
            net.current[self.producer].remove(&node);
            net.close_client(id);
            net.observer.ended(id);
            events.disconnected.push((node, state));
            return;
        }
        let idle = self
            .max_idle
            .is_some_and(|most| client.last_active + most <= now);
        if client.is_ready && idle {
            net.mark(Situation::IdleConnectionClosed);
            net.current[self.producer].remove(&node);
            net.close_client(id);
            net.observer.ended(id);
            events.disconnected.push((node, ChannelState::Expired));
        }
    }

    fn next_idle_end(&self, net: &Net) -> Micros {
        let Some(most) = self.max_idle else {
            return Micros::MAX;
        };
        let ids = net.current[self.producer].values();
        let ready = ids
            .filter_map(|id| net.conns.get(*id))
            .filter(|c| c.client.is_ready);
        ready
            .map(|conn| conn.client.last_active.saturating_add(most))
            .min()
            .unwrap_or(Micros::MAX)
    }
}

impl Selectable for SimSelector {
    fn connect(
        &mut self,
        id: NodeId,
        address: SocketAddr,
        _options: &ConnectOptions,
    ) -> Result<(), KafkaError> {
        let mut net = self.net.borrow_mut();
        if self.id_of(&net, id).is_some() {
            let message = format!("there is already a connection for node {id}");
            return Err(KafkaError::illegal_state(message));
        }
        net.connect(self.producer, id, address);
        Ok(())
    }

    fn close(&mut self, id: NodeId) {
        let mut net = self.net.borrow_mut();
        if let Some(conn) = net.current[self.producer].remove(&id) {
            net.close_client(conn);
            net.observer.ended(conn);
        }
    }

    fn close_all(&mut self) {
        let nodes: Vec<_> = {
            let net = self.net.borrow();
            net.current[self.producer].keys().copied().collect()
        };
        nodes.into_iter().for_each(|node| self.close(node));
    }

    fn send(&mut self, send: NetworkSend) -> Result<SendProgress, KafkaError> {
        let mut net = self.net.borrow_mut();
        let node = send.destination();
        let Some(id) = self.id_of(&net, node) else {
            let message = format!("there is no connection for node {node}");
            return Err(KafkaError::illegal_state(message));
        };
        if net.conns[id].client.pending.is_some() {
            net.end_client(id, ChannelState::FailedSend);
            let message = format!("node {node} is still being written to");
            return Err(KafkaError::illegal_state(message));
        }
        let now = net.now();
        let producer = self.producer;
        let broker = net.conns[id].broker;
        let Net {
            observer, trace, ..
        } = &mut *net;
        let line = Line {
            producer,
            broker,
            conn: id,
        };
        observer.sends(line, &send, now, trace);
        net.conns[id].client.pending = Some(send);
        Ok(if net.write(id) {
            SendProgress::Done
        } else {
            SendProgress::Pending
        })
    }

    fn poll(&mut self, timeout: Duration, events: &mut SelectorEvents) -> io::Result<()> {
        events.clear();
        self.sleep.polls.set(self.sleep.polls.get() + 1);
        let mut nodes = std::mem::take(&mut self.nodes);
        let mut net = self.net.borrow_mut();
        let current = net.current[self.producer].iter();
        nodes.extend(current.map(|(node, id)| (*node, *id)));
        for (node, id) in nodes.drain(..) {
            if std::mem::take(&mut net.conns[id].client.is_new) {
                net.conns[id].client.is_ready = true;
                events.connected.push(node);
            }
            self.look_at(&mut net, node, id, events);
        }
        self.nodes = nodes;
        if events.is_empty() && !timeout.is_zero() && self.sleep.waker.begin_sleep() {
            let wake_up = net.now().saturating_add(micros(timeout));
            let until = wake_up.min(self.next_idle_end(&net));
            self.sleep.until.set(Some(until));
        } else {
            self.sleep.waker.end_sleep();
        }
        Ok(())
    }

    fn is_channel_ready(&self, id: NodeId) -> bool {
        let net = self.net.borrow();
        self.id_of(&net, id)
            .is_some_and(|conn| net.conns[conn].client.is_ready)
    }

    fn waker(&self) -> Arc<SelectorWaker> {
        Arc::clone(&self.sleep.waker)
    }
}
