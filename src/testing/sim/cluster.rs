//! The brokers' machines: what stands between the wires and the one `BrokerCore`.
//!
//! Java: `core/network/SocketServer.scala`.
//! Differs: in virtual time; machines freeze, die, and come back.
//! Threads: one per seed. Locks: none.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::broker::broker_core::{BrokerCore, ConnectionId, Incoming, Now, Reply, ReplyAction};
use crate::broker::cluster::topics::{TopicDefaults, TopicPlan};
use crate::broker::log::unified_log::LogConfig;
use crate::common::cluster::NodeId;
use crate::common::time::Time;
use crate::protocol::api_keys::ApiKeys;
use crate::protocol::headers::ResponseHeader;
use crate::protocol::requests::{self, ResponseBody};
use crate::testing::mock_time::MockTime;
use crate::testing::sim::network::{Direction, Net, PORT, address_of};
use crate::testing::sim::plan::Plan;
use crate::testing::sim::queue::{ConnId, Ending, Event, Micros};
use crate::testing::sim::situations::Situation;

/// All brokers.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) core: BrokerCore,
    machines: BTreeMap<NodeId, Machine>,
    /// When the core is looked at next, where that is planned.
    timer: Option<Micros>,
    /// How long a broker takes for a request, at most.
    slowness: Micros,
    /// Until then brokers remember the last batch of each producer only.
    pub(super) forgets_until: Micros,
    /// Requests that were handled.
    pub(super) handled: u64,
}

#[derive(Debug, Default)]
struct Machine {
    runs: bool,
    frozen: bool,
}

impl Cluster {
    pub(super) fn new(plan: &Plan, time: &MockTime) -> Self {
        let defaults = TopicDefaults {
            auto_create: true,
            partitions: 2,
            replication_factor: i16::try_from(plan.brokers.min(3)).unwrap_or(1),
            log: LogConfig {
                max_message_bytes: plan.storage.max_message_bytes,
                min_insync_replicas: plan.storage.min_insync_replicas,
                ..LogConfig::default()
            },
        };
        let mut core = BrokerCore::new(defaults);
        core.topics.set_timings(plan.timings);
        let settings = &mut core.coordinators.settings;
        settings.transaction_version = plan.coordination.transaction_version;
        settings.marker_delay = Duration::from_micros(plan.coordination.marker_delay);
        settings.load_delay = Duration::from_micros(plan.coordination.load_delay);
        // Brokers forget a producer by the timestamp of its last record, which the application may have chosen, and then write
        // a repeated batch twice. No producer can help that.
        settings.producer_id_expiration = Duration::MAX;
        let mut machines = BTreeMap::new();
        for id in 1..=plan.brokers {
            core.broker_started(NodeId(id), address_of(id), PORT, time.now());
            let machine = Machine {
                runs: true,
                ..Machine::default()
            };
            machines.insert(NodeId(id), machine);
        }
        core.topics.poll(time.now() + Duration::from_secs(1));
        for topic in plan.topics.iter().filter(|topic| !topic.made_on_demand) {
            let wanted = TopicPlan {
                partitions: topic.partitions,
                ..TopicPlan::DEFAULT
            };
            core.topics
                .create(&topic.name, &wanted)
                .expect("a good plan");
        }
        Self {
            core,
            machines,
            timer: None,
            slowness: plan.broker_slowness,
            forgets_until: 0,
            handled: 0,
        }
    }

    pub(super) fn runs(&self, id: NodeId) -> bool {
        self.machines.get(&id).is_some_and(|m| m.runs)
    }

    pub(super) fn is_frozen(&self, id: NodeId) -> bool {
        self.machines.get(&id).is_some_and(|m| m.frozen)
    }

    /// Plans to look at the connection's next request.
    pub(super) fn schedule(&self, net: &mut Net, id: ConnId) {
        let delay = net.rng.u64(0..=self.slowness);
        let conn = &mut net.conns[id];
        if conn.server.is_open && !conn.server.is_scheduled && conn.server.received.has_frame() {
            conn.server.is_scheduled = true;
            let at = net.now() + delay;
            net.queue.push(at, Event::Serve(id));
        }
    }

    /// Handles the next request of a connection, unless the one before is still being handled.
    pub(super) fn serve(&mut self, net: &mut Net, time: &MockTime, id: ConnId) {
        let conn = &mut net.conns[id];
        conn.server.is_scheduled = false;
        if !conn.server.is_open || conn.server.is_busy {
            return;
        }
        let Some(frame) = conn.server.received.take_frame() else {
            return;
        };
        let abandoned = !conn.client.is_open;
        let connection = ConnectionId {
            broker: conn.broker,
            number: i32::try_from(id).expect("few connections"),
        };
        let (header, body) = match requests::decode_request(&frame) {
            Ok(decoded) => decoded,
            Err(error) => {
                net.observer
                    .violation(format!("a broker cannot read a request: {error}"));
                return;
            }
        };
        conn.server.is_busy = true;
        self.handled += 1;
        if abandoned && header.api == ApiKeys::Produce {
            net.mark(Situation::LateRequestHandled);
        }
        if abandoned && header.api == ApiKeys::EndTxn {
            net.mark(Situation::LateEndHandled);
        }
        if net.now() < self.forgets_until {
            self.forget();
        }
        let mut replies = Vec::new();
        let incoming = Incoming {
            connection,
            header,
            body,
        };
        self.core.handle(incoming, now(time), &mut replies);
        self.dispatch(net, replies);
    }

    fn forget(&mut self) {
        for partition in self.core.topics.partitions_mut() {
            let replicas = partition.copies_mut();
            replicas.for_each(|replica| replica.producers.forget_older_batches());
        }
    }

    /// Does what is due, unless that was done in the meantime.
    pub(super) fn tick(&mut self, net: &mut Net, time: &MockTime) {
        if self.timer.is_some_and(|planned| planned <= net.now()) {
            self.poll(net, time);
        }
    }

    /// Does what is due.
    pub(super) fn poll(&mut self, net: &mut Net, time: &MockTime) {
        let moment = net.now();
        self.timer = self.timer.filter(|planned| *planned > moment);
        let mut replies = Vec::new();
        self.core.poll(now(time), &mut replies);
        self.dispatch(net, replies);
    }

    fn dispatch(&mut self, net: &mut Net, replies: Vec<Reply>) {
        for reply in replies {
            if self.runs(reply.connection.broker) {
                self.reply(net, reply);
            }
        }
        let Some(due) = self.core.next_timeout() else {
            return;
        };
        let due = net.queue.micros_at(due);
        if self.timer.is_none_or(|planned| due < planned) {
            self.timer = Some(due);
            net.queue.push(due, Event::Core);
        }
    }

    fn reply(&self, net: &mut Net, reply: Reply) {
        let id = usize::try_from(reply.connection.number).expect("a number that we gave");
        if !net.conns[id].server.is_open {
            return;
        }
        net.conns[id].server.is_busy = false;
        match reply.action {
            ReplyAction::Nothing => {}
            ReplyAction::Close => net.close_server(id, Ending::Closed),
            ReplyAction::Send(body) => {
                if let ResponseBody::Produce(response) = &body {
                    let is_abandoned = !net.conns[id].client.is_open;
                    net.observer.broker_answers(response, is_abandoned);
                }
                let versions = reply.header.api.versions();
                let version = if versions.contains(&reply.header.api_version) {
                    reply.header.api_version
                } else {
                    0
                };
                let header = ResponseHeader {
                    correlation_id: reply.header.correlation_id,
                };
                let segments = requests::encode_response(header, version, &body)
                    .expect("a broker's answer can be written");
                let size = segments.iter().map(|segment| segment.len()).sum();
                let mut bytes = Vec::with_capacity(size);
                for segment in &segments {
                    bytes.extend_from_slice(segment);
                }
                net.transmit(id, Direction::ToClient, bytes);
            }
        }
        self.schedule(net, id);
    }

    /// A connection is over for the broker.
    pub(super) fn connection_closed(&mut self, net: &mut Net, id: ConnId) {
        let Some(conn) = net.conns.get_mut(id) else {
            return;
        };
        if std::mem::take(&mut conn.server.is_open) {
            self.core.connection_closed(ConnectionId {
                broker: conn.broker,
                number: i32::try_from(id).expect("few connections"),
            });
        }
    }

    /// The broker dies. A machine that loses its power says nothing to anybody.
    pub(super) fn kill(&mut self, net: &mut Net, time: &MockTime, id: NodeId, in_silence: bool) {
        let Some(machine) = self.machines.get_mut(&id).filter(|m| m.runs) else {
            return;
        };
        *machine = Machine::default();
        self.core.broker_killed(id, 0, time.now());
        for conn in open_at(net, id) {
            if in_silence {
                net.vanish(conn);
            } else {
                net.close_server(conn, Ending::Reset);
            }
        }
        self.poll(net, time);
    }

    /// The broker stands still, with its connections open.
    pub(super) fn freeze(&mut self, net: &mut Net, time: &MockTime, id: NodeId) {
        if let Some(machine) = self.machines.get_mut(&id).filter(|m| m.runs) {
            machine.frozen = true;
            self.core.broker_paused(id, time.now());
            self.poll(net, time);
        }
    }

    /// A dead broker runs again, a frozen one goes on.
    pub(super) fn revive(&mut self, net: &mut Net, time: &MockTime, id: NodeId) {
        let Some(machine) = self.machines.get_mut(&id) else {
            return;
        };
        let (ran, was_frozen) = (machine.runs, machine.frozen);
        machine.runs = true;
        machine.frozen = false;
        if !ran {
            self.core
                .broker_started(id, address_of(id.0), PORT, time.now());
        }
        if was_frozen {
            if !self.core.topics.brokers().is_alive(id) {
                net.mark(Situation::DuringFreezeAndFailover);
                if net.observer.somebody_waits() {
                    net.mark(Situation::DuringThaw);
                }
            }
            let mut replies = Vec::new();
            self.core.broker_resumed(id, now(time), &mut replies);
            self.dispatch(net, replies);
            for conn in open_at(net, id) {
                net.read_by_broker(conn, usize::MAX);
                self.schedule(net, conn);
            }
        }
        self.poll(net, time);
    }

    pub(super) fn all(&self) -> Vec<NodeId> {
        self.machines.keys().copied().collect()
    }
}

fn open_at(net: &Net, broker: NodeId) -> Vec<ConnId> {
    let open = |id: &usize| net.conns[*id].broker == broker && net.conns[*id].server.is_open;
    (0..net.conns.len()).filter(open).collect()
}

pub(super) fn now(time: &MockTime) -> Now {
    Now {
        monotonic: time.now(),
        wall_clock_ms: time.wall_clock_ms(),
    }
}
