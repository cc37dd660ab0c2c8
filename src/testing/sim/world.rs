//! One seed from beginning to end: takes event after event from the queue until everything is over, then judges.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: one per seed. Locks: none.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::network::channel_state::ChannelState;
use crate::testing::mock_time::MockTime;
use crate::testing::sim::apps::{Apps, Around};
use crate::testing::sim::cluster::Cluster;
use crate::testing::sim::network::{Net, RESET};
use crate::testing::sim::oracle;
use crate::testing::sim::plan::Plan;
use crate::testing::sim::producers::SimProducer;
use crate::testing::sim::queue::{ConnId, Ending, Event, Micros, Queue, secs};
use crate::testing::sim::situations::{Situation, Situations};

mod ending;
mod troubles;

/// What came of a seed.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) hash: u64,
    pub(super) violations: Vec<String>,
    pub(super) situations: Situations,
    pub(super) events: u64,
    pub(super) requests: u64,
    pub(super) records: u64,
    pub(super) acknowledged: u64,
    pub(super) faults: u64,
    pub(super) virtual_time: Micros,
    pub(super) story: Vec<String>,
}

/// Everything that one seed consists of.
pub(super) struct World<'a> {
    plan: &'a Plan,
    time: Arc<MockTime>,
    net: Rc<RefCell<Net>>,
    cluster: Cluster,
    producers: Vec<SimProducer>,
    apps: Apps,
    phase: Phase,
    faults: u64,
    /// What time it was last, and how many events there were at that time.
    moment: (Micros, u64),
}

/// What the simulation is up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Faults, and work.
    Troubled,
    /// No faults any more; the work goes on until it is done.
    Healed,
    /// Each producer that is open sends to every partition once more.
    Probing,
    /// All producers close.
    Closing,
    /// The transactions that were left open time out.
    Deciding { until: Micros },
}

impl<'a> World<'a> {
    /// Runs a plan; with `tell` the outcome says what happened.
    pub(super) fn run(plan: &'a Plan, tell: bool) -> Outcome {
        // The product draws from the thread's generator where nobody gives it one.
        fastrand::seed(plan.seed);
        let mut world = Self::new(plan);
        if tell {
            world.net.borrow_mut().trace.story = Some(Vec::new());
        }
        world.begin();
        let limit = world.limit();
        loop {
            let event = world.net.borrow_mut().queue.pop();
            let Some(event) = event else {
                world.violation("I19: nothing will ever happen again".to_owned());
                break;
            };
            world.handle(event);
            world.settle();
            if world.stands_still() {
                world.violation("I20: the clock stands still".to_owned());
                break;
            }
            if world.is_over() || !world.net.borrow().observer.violations.is_empty() {
                break;
            }
            if world.now() > limit {
                let busy = world.apps.describe();
                world.violation(format!(
                    "I19: not over after {limit} us, {:?}: {busy}",
                    world.phase
                ));
                break;
            }
        }
        world.finish()
    }

    /// Whether far too much happens at one moment.
    fn stands_still(&mut self) -> bool {
        let now = self.now();
        if self.moment.0 != now {
            self.moment = (now, 0);
        }
        self.moment.1 += 1;
        self.moment.1 > MOST_EVENTS_AT_ONCE
    }

    fn new(plan: &'a Plan) -> Self {
        let time = MockTime::long_ago();
        let queue = Queue::new(Arc::clone(&time));
        let producers = plan.producers.len();
        let net = Net::new(queue, plan.seed, plan.network.clone(), producers);
        let net = Rc::new(RefCell::new(net));
        let producers = plan.producers.iter().enumerate();
        let producers = producers.map(|(n, plan)| SimProducer::new(n, plan, &net, &time));
        Self {
            plan,
            producers: producers.collect(),
            cluster: Cluster::new(plan, &time),
            apps: Apps::new(plan, &time),
            time,
            net,
            phase: Phase::Troubled,
            faults: 0,
            moment: (0, 0),
        }
    }

    fn begin(&mut self) {
        let mut net = self.net.borrow_mut();
        for producer in &mut self.producers {
            producer.schedule(&mut net, 0);
        }
        for app in 0..self.plan.apps.len() {
            net.queue.push(app as Micros, Event::App(app));
        }
        for (number, fault) in self.plan.faults.iter().enumerate() {
            net.queue.push(fault.at, Event::FaultBegins(number));
        }
        net.queue.push(self.plan.heal_at, Event::Heal);
    }

    fn now(&self) -> Micros {
        self.net.borrow().now()
    }

    fn violation(&self, text: String) {
        self.net.borrow_mut().observer.violation(text);
    }

    fn handle(&mut self, event: Event) {
        {
            let mut net = self.net.borrow_mut();
            let now = net.now();
            net.trace.events += 1;
            net.trace.number(now);
        }
        match event {
            Event::Producer(number) => self.run_producer(number),
            Event::App(number) => self.run_app(number),
            Event::Core => {
                let mut net = self.net.borrow_mut();
                self.cluster.tick(&mut net, &self.time);
            }
            Event::Serve(id) => {
                let mut net = self.net.borrow_mut();
                self.cluster.serve(&mut net, &self.time, id);
            }
            Event::FaultBegins(number) => self.fault_begins(number),
            Event::FaultEnds(number) => self.fault_ends(number),
            Event::Heal => self.heal(),
            event => self.network_event(event),
        }
    }

    fn network_event(&mut self, event: Event) {
        let mut net = self.net.borrow_mut();
        match event {
            Event::Attempt(id) => {
                let runs = self.cluster.runs(net.conns[id].broker);
                net.attempted(id, runs);
            }
            Event::Established(id) => net.established(id),
            Event::Refused(id) => {
                net.mark(Situation::AttemptRefused);
                let address = net.conns[id].address;
                let error = "connection refused".to_owned();
                net.end_client(id, ChannelState::NotConnected { address, error });
            }
            Event::ToBroker(id, bytes) => {
                net.trace.number(id as u64);
                self.arrive(&mut net, id, &bytes);
            }
            Event::EndToBroker(id) => self.cluster.connection_closed(&mut net, id),
            Event::ToClient(id, bytes) => {
                net.trace.number(id as u64);
                net.trace.bytes(&bytes);
                net.received(id, &bytes);
            }
            Event::EndToClient(id, ending) => {
                let error = match ending {
                    Ending::Closed => "connection closed by the peer",
                    Ending::Reset => RESET,
                };
                let error = error.to_owned();
                net.end_client(id, ChannelState::Ready { error });
            }
            Event::Writable(id) => {
                net.conns[id].client.is_writable = true;
                net.notify(id);
            }
            _ => {}
        }
    }

    fn arrive(&self, net: &mut Net, id: ConnId, bytes: &[u8]) {
        let broker = net.conns[id].broker;
        if !self.cluster.runs(broker) {
            return;
        }
        let has_request = net.received_by_broker(id, bytes);
        if self.cluster.is_frozen(broker) {
            return;
        }
        net.read_by_broker(id, bytes.len());
        if has_request {
            self.cluster.schedule(net, id);
        }
    }

    fn run_producer(&mut self, number: usize) {
        let producer = &mut self.producers[number];
        producer.run(&self.net);
        let (available, total, _) = producer.producer.memory();
        if available > total {
            let text = format!("I9: producer {number} has {available} of {total} bytes free");
            self.violation(text);
        }
        let now = self.now();
        let mut net = self.net.borrow_mut();
        for app in self.apps.waiting_for(number) {
            net.queue.push(now, Event::App(app));
        }
    }

    fn run_app(&mut self, number: usize) {
        let producer = self.apps.apps[number].producer;
        let mut net = self.net.borrow_mut();
        let mut around = Around {
            net: &mut net,
            plan: self.plan,
        };
        self.apps
            .run(number, &self.producers[producer], &mut around);
    }

    /// Lets those I/O threads run for which there is news.
    fn settle(&mut self) {
        let mut net = self.net.borrow_mut();
        let now = net.now();
        let mut notified = std::mem::take(&mut net.notified);
        for number in notified.drain(..) {
            let soon = now + net.rng.u64(1..60);
            self.producers[number].schedule(&mut net, soon);
        }
        net.notified = notified;
        for producer in &mut self.producers {
            if producer.take_wake() {
                let soon = now + net.rng.u64(1..60);
                producer.schedule(&mut net, soon);
            }
        }
    }

    /// When everything must be over: the work, each of whose steps may take as long as the producer may, and some more.
    fn limit(&self) -> Micros {
        let work = self.plan.apps.iter().map(|app| {
            let producer = &self.plan.producers[app.producer];
            let longest_step = producer.delivery_timeout + producer.max_block;
            app.longest_pauses() + app.ops.len() as Micros * longest_step
        });
        let longest = work.max().unwrap_or(0);
        longest + self.plan.heal_at + secs(2000)
    }

    fn finish(self) -> Outcome {
        let mut net = self.net.borrow_mut();
        let mut violations = std::mem::take(&mut net.observer.violations);
        if violations.is_empty() {
            self.judge_endings(&mut violations);
            let core = &self.cluster.core;
            let observer = &mut net.observer;
            violations.extend(oracle::judge(self.plan, core, &self.apps, observer));
        }
        let acknowledged = |sent: &&crate::testing::sim::apps::Sent| {
            sent.future.try_get().is_some_and(|outcome| outcome.is_ok())
        };
        for sent in &self.apps.journal {
            let at = sent.told.at.load(std::sync::atomic::Ordering::Relaxed);
            net.trace.number(at);
        }
        Outcome {
            hash: net.trace.hash(),
            violations,
            situations: net.observer.situations,
            events: net.trace.events,
            requests: net.observer.requests,
            records: self.apps.journal.len() as u64,
            acknowledged: self.apps.journal.iter().filter(acknowledged).count() as u64,
            faults: self.faults,
            virtual_time: net.now(),
            story: net.trace.story.take().unwrap_or_default(),
        }
    }
}

/// Far more than there are connections, threads and brokers.
const MOST_EVENTS_AT_ONCE: u64 = 20_000;
