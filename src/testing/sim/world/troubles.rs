//! Makes things go wrong as planned, and right again.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: one per seed. Locks: none.

use std::time::Duration;

use crate::broker::coordinator::coordinators::KeyType;
use crate::broker::faults::Fault as Rule;
use crate::common::cluster::NodeId;
use crate::common::time::Time;
use crate::testing::sim::network::{Direction, Net, Pair};
use crate::testing::sim::plan::Fault;
use crate::testing::sim::queue::{Event, Micros};
use crate::testing::sim::situations::Situation;
use crate::testing::sim::world::{Phase, World};

impl World<'_> {
    pub(super) fn fault_begins(&mut self, number: usize) {
        if self.phase != Phase::Troubled {
            return;
        }
        self.faults += 1;
        let planned = self.plan.faults[number].clone();
        let now = self.now();
        let until = now + planned.lasts;
        {
            let mut net = self.net.borrow_mut();
            let fault = &planned.fault;
            net.trace.tell(now, || {
                format!("fault {number}: {fault:?} for {}", planned.lasts)
            });
            net.queue.push(until, Event::FaultEnds(number));
        }
        if self.net.borrow().observer.somebody_waits() {
            if let Some(situation) = situation_of(&planned.fault) {
                self.net.borrow_mut().mark(situation);
            }
        }
        match planned.fault {
            Fault::Kill { broker, in_silence } => {
                let mut net = self.net.borrow_mut();
                self.cluster.kill(&mut net, &self.time, broker, in_silence);
                let all = self.cluster.all();
                match all.iter().filter(|id| self.cluster.runs(**id)).count() {
                    0 => net.mark(Situation::AllBrokersDown),
                    running if running + 2 <= all.len() => net.mark(Situation::TwoBrokersDown),
                    _ => {}
                }
            }
            Fault::Freeze { broker } => {
                let mut net = self.net.borrow_mut();
                self.cluster.freeze(&mut net, &self.time, broker);
            }
            Fault::Isolate { broker } => self.isolate(broker),
            Fault::HoldBack { topic, partition } => self.hold_back(topic, partition),
            Fault::MoveLeader { topic, partition } => self.move_leader(topic, partition),
            Fault::Stall { producer } => {
                let stalled = &mut self.producers[producer].stalled_until;
                *stalled = (*stalled).max(until);
            }
            Fault::Grow { topic } => self.grow(topic),
            Fault::Forget => self.cluster.forgets_until = until,
            Fault::MoveCoordinator { ref id, broker } => self.move_coordinator(id, broker),
            Fault::Error { .. }
            | Fault::LoseAnswer { .. }
            | Fault::Drop { .. }
            | Fault::Late { .. }
            | Fault::Delay { .. } => self.cluster.core.faults.add(rule(&planned.fault)),
            fault => wires(&mut self.net.borrow_mut(), &fault, until),
        }
    }

    pub(super) fn fault_ends(&mut self, number: usize) {
        if self.phase != Phase::Troubled {
            return;
        }
        let mut net = self.net.borrow_mut();
        match self.plan.faults[number].fault {
            Fault::Kill { broker, .. } | Fault::Freeze { broker } => {
                self.cluster.revive(&mut net, &self.time, broker);
            }
            Fault::Isolate { .. } => {
                self.cluster.core.topics.heal(self.time.now());
                self.cluster.poll(&mut net, &self.time);
            }
            Fault::HoldBack { topic, partition } => {
                let name = &self.plan.topics[topic].name;
                let now = self.time.now();
                self.cluster.core.topics.let_go(name, partition, now);
                self.cluster.poll(&mut net, &self.time);
            }
            Fault::Cuts {
                producer, broker, ..
            } => {
                let pair = net.pairs.entry((producer, broker)).or_default();
                pair.to_broker.cuts = 0;
                pair.to_client.cuts = 0;
            }
            Fault::Slow {
                producer, broker, ..
            } => {
                let pair = net.pairs.entry((producer, broker)).or_default();
                pair.to_broker.slower = 0;
                pair.to_client.slower = 0;
            }
            _ => {}
        }
    }

    /// The faults end; whatever they broke works again.
    pub(super) fn heal(&mut self) {
        let mut net = self.net.borrow_mut();
        let now = net.now();
        net.trace.tell(now, || "all faults end".to_owned());
        net.pairs.clear();
        net.profile.spikes = (0, 0);
        self.cluster.core.faults.clear();
        self.cluster.forgets_until = 0;
        for broker in self.cluster.all() {
            self.cluster.revive(&mut net, &self.time, broker);
        }
        let instant = self.time.now();
        self.cluster.core.topics.heal(instant);
        for topic in &self.plan.topics {
            for partition in 0..topic.partitions {
                let topics = &mut self.cluster.core.topics;
                topics.let_go(&topic.name, partition, instant);
            }
        }
        self.cluster.poll(&mut net, &self.time);
        for producer in &mut self.producers {
            producer.stalled_until = 0;
            producer.schedule(&mut net, now);
        }
        self.phase = Phase::Healed;
    }

    fn move_leader(&mut self, topic: usize, number: i32) {
        let mut net = self.net.borrow_mut();
        let name = &self.plan.topics[topic].name;
        let topics = &mut self.cluster.core.topics;
        let Some(partition) = topics.partition(name, number) else {
            return;
        };
        let current = partition.current();
        let others = current.isr.iter().copied();
        let others: Vec<_> = others.filter(|r| Some(*r) != current.leader).collect();
        if let Some(next) = net.rng.choice(&others) {
            topics.move_leader(name, number, *next, self.time.now());
            self.cluster.poll(&mut net, &self.time);
        }
    }

    fn move_coordinator(&mut self, id: &str, broker: NodeId) {
        let core = &mut self.cluster.core;
        let now = self.time.now();
        let alive = core.topics.alive();
        if !alive.contains(&broker) {
            return;
        }
        core.coordinators.elect(&alive, now);
        core.coordinators
            .move_to(KeyType::Transaction, id, broker, now);
        self.cluster.poll(&mut self.net.borrow_mut(), &self.time);
    }

    fn isolate(&mut self, broker: NodeId) {
        let mut net = self.net.borrow_mut();
        let others = self.cluster.all().into_iter();
        let others: Vec<_> = others.filter(|id| *id != broker).collect();
        let now = self.time.now();
        self.cluster.core.topics.cut(&[broker], &others, now);
        self.cluster.poll(&mut net, &self.time);
    }

    fn hold_back(&mut self, topic: usize, number: i32) {
        let mut net = self.net.borrow_mut();
        let name = &self.plan.topics[topic].name;
        let topics = &mut self.cluster.core.topics;
        let Some(partition) = topics.partition(name, number) else {
            return;
        };
        let leader = partition.current().leader;
        let follower = partition
            .replicas
            .iter()
            .copied()
            .find(|id| Some(*id) != leader);
        if let Some(follower) = follower {
            topics.hold_back(name, number, follower, self.time.now());
            self.cluster.poll(&mut net, &self.time);
        }
    }

    fn grow(&mut self, topic: usize) {
        let name = &self.plan.topics[topic].name;
        let topics = &mut self.cluster.core.topics;
        let count = topics.get(name).map(|topic| topic.partitions.len());
        if let Some(count) = count {
            topics.grow(name, count + 1);
        }
    }
}

fn wires(net: &mut Net, fault: &Fault, until: Micros) {
    match *fault {
        Fault::BlackHole {
            producer,
            broker,
            direction,
        } => {
            let link = link(net, producer, broker, direction);
            link.silent_until = link.silent_until.max(until);
        }
        Fault::Drip {
            producer,
            broker,
            direction,
        } => link(net, producer, broker, direction).drips_until = until,
        Fault::Slow {
            producer,
            broker,
            by,
        } => {
            let pair = pair(net, producer, broker);
            pair.to_broker.slower = by;
            pair.to_client.slower = by;
        }
        Fault::Cuts {
            producer,
            broker,
            in_a_thousand,
        } => {
            let pair = pair(net, producer, broker);
            pair.to_broker.cuts = in_a_thousand;
            pair.to_client.cuts = in_a_thousand;
        }
        Fault::Reset { producer, broker } => {
            let conns = net.current[producer].values().copied();
            let ids: Vec<_> = conns.filter(|id| net.conns[*id].broker == broker).collect();
            ids.into_iter().for_each(|id| net.reset(id));
        }
        Fault::Refuse { producer, broker } => pair(net, producer, broker).refuses_until = until,
        Fault::Swallow { producer, broker } => pair(net, producer, broker).swallows_until = until,
        _ => {}
    }
}

fn pair(net: &mut Net, producer: usize, broker: NodeId) -> &mut Pair {
    net.pairs.entry((producer, broker)).or_default()
}

fn link(
    net: &mut Net,
    producer: usize,
    broker: NodeId,
    direction: Direction,
) -> &mut crate::testing::sim::network::Link {
    let pair = pair(net, producer, broker);
    match direction {
        Direction::ToBroker => &mut pair.to_broker,
        Direction::ToClient => &mut pair.to_client,
    }
}

fn situation_of(fault: &Fault) -> Option<Situation> {
    Some(match fault {
        Fault::BlackHole {
            direction: Direction::ToBroker,
            ..
        } => Situation::DuringBlackHoleToBroker,
        Fault::BlackHole { .. } => Situation::DuringBlackHoleToClient,
        Fault::Drip { .. } => Situation::DuringDrip,
        Fault::Slow { .. } => Situation::DuringSlow,
        Fault::Cuts { .. } => Situation::DuringCuts,
        Fault::Reset { .. } => Situation::DuringReset,
        Fault::Refuse { .. } => Situation::DuringRefuse,
        Fault::Swallow { .. } => Situation::DuringSwallow,
        Fault::Kill {
            in_silence: true, ..
        } => Situation::DuringPowerLoss,
        Fault::Kill { .. } => Situation::DuringKill,
        Fault::Freeze { .. } => Situation::DuringFreeze,
        Fault::MoveLeader { .. } => Situation::DuringLeaderMove,
        Fault::Stall { .. } => Situation::DuringStall,
        Fault::Grow { .. } => Situation::DuringGrow,
        Fault::Isolate { .. } => Situation::DuringIsolation,
        Fault::HoldBack { .. } => Situation::DuringHoldBack,
        Fault::MoveCoordinator { .. } => Situation::DuringCoordinatorMove,
        _ => return None,
    })
}

fn rule(fault: &Fault) -> Rule {
    match *fault {
        Fault::Error { api, kind, times } => Rule::on(api).error(kind).times(times),
        Fault::LoseAnswer {
            api,
            times,
            in_silence: true,
        } => Rule::on(api).never_answer().times(times),
        Fault::LoseAnswer { api, times, .. } => Rule::on(api).lose_response().times(times),
        Fault::Delay { api, by, times } => {
            Rule::on(api).delay(Duration::from_micros(by)).times(times)
        }
        Fault::Late { api, by, times } => Rule::on(api)
            .handle_late(Duration::from_micros(by))
            .times(times),
        Fault::Drop { api, times } => Rule::on(api).drop_connection().times(times),
        _ => unreachable!("a fault of the wires"),
    }
}
