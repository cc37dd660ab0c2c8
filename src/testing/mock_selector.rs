//! A network without sockets: a test scripts what the brokers do and looks at what was sent.
//!
//! Java: `test/MockSelector.java`.
//! Differs: a handle that test and tested share; connects can be refused or left hanging by address; a poll in which
//! nothing happens lets the mock clock run for its whole timeout.
//! Threads: any. Locks: one leaf.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::common::cluster::NodeId;
use crate::common::kafka_error::KafkaError;
use crate::common::payload::Payload;
use crate::common::sync::{Mutex, MutexGuard, Rank};
use crate::network::channel_state::ChannelState;
use crate::network::network_receive::NetworkReceive;
use crate::network::network_send::NetworkSend;
use crate::network::selectable::{ConnectOptions, Selectable, SelectorEvents, SendProgress};
use crate::network::selector_waker::SelectorWaker;
use crate::testing::mock_time::MockTime;

/// What becomes of a connection.
#[derive(Debug, Clone)]
pub(crate) enum ConnectOutcome {
    /// The next poll reports it in `connected`, ready to use.
    Connect,
    /// The next poll reports it in `connected`, but it is not ready until [`MockSelector::make_ready`].
    StayInHandshake,
    /// Nothing happens, as when a firewall drops the packets.
    Hang,
    /// The next poll reports it in `disconnected`.
    Fail(ChannelState),
}

impl ConnectOutcome {
    /// Nobody listens on the port.
    pub(crate) fn refused(address: SocketAddr) -> Self {
        let error = "connection refused".to_owned();
        Self::Fail(ChannelState::NotConnected { address, error })
    }
}

/// A scripted [`Selectable`]; clones are handles on the same network.
#[derive(Debug, Clone)]
pub(crate) struct MockSelector {
    time: Arc<MockTime>,
    waker: Arc<SelectorWaker>,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    outcomes: HashMap<SocketAddr, ConnectOutcome>,
    channels: HashMap<NodeId, Channel>,
    /// Every connect so far.
    connects: Vec<(NodeId, SocketAddr)>,
    /// Frames sent and not yet taken by the test, oldest first.
    sent: Vec<(NodeId, Payload)>,
    /// Whether sends are finished by the next poll instead of at once.
    slow_sends: bool,
    /// Whether connections turn out to be lost when something is to be sent.
    refuses_sends: bool,
    staged: SelectorEvents,
    /// What waits for a poll, per connection and in order: a poll delivers one each.
    receives: Vec<NetworkReceive>,
    polls: usize,
    last_timeout: Option<Duration>,
}

#[derive(Debug)]
struct Channel {
    address: SocketAddr,
    ready: bool,
}

impl MockSelector {
    /// A network in which every connect succeeds.
    pub(crate) fn new(time: Arc<MockTime>) -> Self {
        Self {
            time,
            waker: Arc::new(SelectorWaker::new(|| {})),
            state: Arc::new(Mutex::new(Rank::Leaf, State::default())),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// What becomes of connects to `address` from now on.
    pub(crate) fn on_connect(&self, address: SocketAddr, outcome: ConnectOutcome) {
        self.state().outcomes.insert(address, outcome);
    }

    /// Leaves every send half written until the next poll.
    pub(crate) fn slow_sends(&self, slow: bool) {
        self.state().slow_sends = slow;
    }

    /// Connections are lost, which nobody notices before the next send.
    pub(crate) fn refuse_sends(&self) {
        self.state().refuses_sends = true;
    }

    /// The handshake of `id` is over.
    pub(crate) fn make_ready(&self, id: NodeId) {
        if let Some(channel) = self.state().channels.get_mut(&id) {
            channel.ready = true;
        }
    }

    /// A frame (without size prefix) arrives on `id`. Java: `completeReceive`.
    pub(crate) fn receive(&self, id: NodeId, frame: impl Into<Payload>) {
        let payload = frame.into();
        let receive = NetworkReceive {
            source: id,
            payload,
        };
        self.state().receives.push(receive);
    }

    /// The broker closes the connection. Java: `serverDisconnect`.
    pub(crate) fn disconnect(&self, id: NodeId) {
        let error = "connection closed by the peer".to_owned();
        self.fail(id, ChannelState::Ready { error });
    }

    /// The connection ends with `state`. Frames that arrived are delivered first. Java: `serverAuthenticationFailed`.
    pub(crate) fn fail(&self, id: NodeId, state: ChannelState) {
        let mut this = self.state();
        if this.channels.remove(&id).is_some() {
            this.staged.connected.retain(|connected| *connected != id);
            this.staged.disconnected.push((id, state));
        }
    }

    /// Takes what was sent since the last call: destination and frame, size prefix included.
    pub(crate) fn take_sent(&self) -> Vec<(NodeId, Payload)> {
        std::mem::take(&mut self.state().sent)
    }

    /// Every connect since the beginning.
    pub(crate) fn connects(&self) -> Vec<(NodeId, SocketAddr)> {
        self.state().connects.clone()
    }

    /// Where the open connection `id` leads.
    pub(crate) fn address_of(&self, id: NodeId) -> Option<SocketAddr> {
        self.state()
            .channels
            .get(&id)
            .map(|channel| channel.address)
    }

    /// How often `poll` was called.
    pub(crate) fn poll_count(&self) -> usize {
        self.state().polls
    }

    /// The timeout of the last poll.
    pub(crate) fn last_timeout(&self) -> Option<Duration> {
        self.state().last_timeout
    }
}

impl Selectable for MockSelector {
    fn connect(
        &mut self,
        id: NodeId,
        address: SocketAddr,
        _options: &ConnectOptions,
    ) -> Result<(), KafkaError> {
        let mut state = self.state();
        let unreported = state
            .staged
            .disconnected
            .iter()
            .any(|(gone, _)| *gone == id);
        if unreported || state.channels.contains_key(&id) {
            let message = format!("there is already a connection for node {id}");
            return Err(KafkaError::illegal_state(message));
        }
        state.connects.push((id, address));
        let outcome = state.outcomes.get(&address).cloned();
        let ready = match outcome.unwrap_or(ConnectOutcome::Connect) {
            ConnectOutcome::Fail(failure) => {
                state.staged.disconnected.push((id, failure));
                return Ok(());
            }
            ConnectOutcome::Hang => false,
            ConnectOutcome::StayInHandshake => {
                state.staged.connected.push(id);
                false
            }
            ConnectOutcome::Connect => {
                state.staged.connected.push(id);
                true
            }
        };
        let channel = Channel { address, ready };
        state.channels.insert(id, channel);
        Ok(())
    }

    fn close(&mut self, id: NodeId) {
        let mut state = self.state();
        state.channels.remove(&id);
        state.staged.connected.retain(|connected| *connected != id);
        state.staged.completed_sends.retain(|sent| *sent != id);
        state.staged.disconnected.retain(|(gone, _)| *gone != id);
        state.receives.retain(|receive| receive.source != id);
    }

    fn close_all(&mut self) {
        let ids: Vec<_> = self.state().channels.keys().copied().collect();
        ids.into_iter().for_each(|id| self.close(id));
    }

    fn send(&mut self, send: NetworkSend) -> Result<SendProgress, KafkaError> {
        let mut state = self.state();
        let id = send.destination();
        if !state.channels.contains_key(&id) {
            let message = format!("there is no connection for node {id}");
            return Err(KafkaError::illegal_state(message));
        }
        if state.refuses_sends {
            let error = "broken pipe".to_owned();
            let lost = ChannelState::Ready { error };
            state.staged.disconnected.push((id, lost));
            state.channels.remove(&id);
            return Ok(SendProgress::Refused);
        }
        let frame: Vec<u8> = send.segments().flat_map(|s| s.iter().copied()).collect();
        state.sent.push((id, Payload::new(frame)));
        if state.slow_sends {
            state.staged.completed_sends.push(id);
            return Ok(SendProgress::Pending);
        }
        Ok(SendProgress::Done)
    }

    fn poll(&mut self, timeout: Duration, events: &mut SelectorEvents) -> io::Result<()> {
        events.clear();
        let mut state = self.state();
        state.polls += 1;
        state.last_timeout = Some(timeout);
        state.deliver_receives(events);
        let with_unread: Vec<_> = state.receives.iter().map(|r| r.source).collect();
        let staged = &mut state.staged;
        events.connected.append(&mut staged.connected);
        events.completed_sends.append(&mut staged.completed_sends);
        // A connection that the broker closed ends only after its last frame was read.
        let (later, now) = std::mem::take(&mut staged.disconnected)
            .into_iter()
            .partition(|(id, _)| with_unread.contains(id));
        staged.disconnected = later;
        events.disconnected = now;
        if self.waker.begin_sleep() && events.is_empty() {
            self.time.advance(timeout);
        }
        self.waker.end_sleep();
        Ok(())
    }

    fn is_channel_ready(&self, id: NodeId) -> bool {
        self.state().channels.get(&id).is_some_and(|c| c.ready)
    }

    fn waker(&self) -> Arc<SelectorWaker> {
        Arc::clone(&self.waker)
    }
}

impl State {
    /// The oldest frame of each connection.
    fn deliver_receives(&mut self, events: &mut SelectorEvents) {
        let mut kept = Vec::new();
        for receive in self.receives.drain(..) {
            let id = receive.source;
            let served = events.completed_receives.iter().any(|r| r.source == id);
            if served {
                kept.push(receive);
            } else {
                events.completed_receives.push(receive);
            }
        }
        self.receives = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scripted_network_tells_its_story_poll_by_poll() {
        let time = MockTime::shared();
        let mut network = MockSelector::new(Arc::clone(&time));
        let address: SocketAddr = "10.0.0.1:9092".parse().expect("an address");
        let mut events = SelectorEvents::default();
        let options = ConnectOptions::default();
        network.connect(NodeId(1), address, &options).expect("new");
        network
            .connect(NodeId(1), address, &options)
            .expect_err("twice");
        network
            .poll(Duration::from_secs(1), &mut events)
            .expect("polls");
        assert_eq!(events.connected, [NodeId(1)]);
        assert_eq!(time.elapsed(), Duration::ZERO);
        network.receive(NodeId(1), vec![1]);
        network.receive(NodeId(1), vec![2]);
        network.disconnect(NodeId(1));
        for expected in [1, 2] {
            assert!(events.disconnected.is_empty());
            network
                .poll(Duration::from_secs(1), &mut events)
                .expect("polls");
            assert_eq!(events.completed_receives[0].payload[..], [expected]);
        }
        assert_eq!(events.disconnected.len(), 1);
        network
            .poll(Duration::from_secs(1), &mut events)
            .expect("polls");
        assert!(events.is_empty());
        assert_eq!(time.elapsed(), Duration::from_secs(1));
    }
}
