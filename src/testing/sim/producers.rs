//! The producers: the real ones, whose I/O threads run when the simulation says so.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: one per seed. Locks: none.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::client::host_resolver::HostResolver;
use crate::common::time::Time;
use crate::producer::internals::sender::SenderControl;
use crate::producer::kafka_producer::KafkaProducer;
use crate::producer::kafka_producer::stepped::{IoHalf, Stepped};
use crate::testing::mock_time::MockTime;
use crate::testing::sim::network::Net;
use crate::testing::sim::plan::ProducerPlan;
use crate::testing::sim::queue::{Event, Micros};
use crate::testing::sim::selector::{SimSelector, Sleep};

/// A producer, and its I/O thread unless that has ended.
pub(super) struct SimProducer {
    pub(super) number: usize,
    pub(super) producer: KafkaProducer<[u8], [u8]>,
    pub(super) control: Arc<SenderControl>,
    sender: Option<Box<IoHalf<SimSelector>>>,
    sleep: Rc<Sleep>,
    /// When the I/O thread runs next.
    next_run: Option<Micros>,
    pub(super) stalled_until: Micros,
    passes: Passes,
    pub(super) total_passes: u64,
}

impl SimProducer {
    pub(super) fn new(
        number: usize,
        plan: &ProducerPlan,
        net: &Rc<RefCell<Net>>,
        time: &Arc<MockTime>,
    ) -> Self {
        let config = plan.config();
        let selector = SimSelector::new(number, Rc::clone(net), config.connection.max_idle);
        let sleep = selector.sleep();
        let time = Arc::clone(time) as Arc<dyn Time>;
        let made = Stepped::new(&config, selector, Arc::new(NoNames), time);
        let made = made.expect("a producer can be made");
        Self {
            number,
            producer: made.producer,
            control: made.control,
            sender: Some(Box::new(made.sender)),
            sleep,
            next_run: None,
            stalled_until: 0,
            passes: Passes::default(),
            total_passes: 0,
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.sender.is_none()
    }

    /// Lets the I/O thread run at this time, or sooner where that is planned.
    pub(super) fn schedule(&mut self, net: &mut Net, at: Micros) {
        let at = at.max(self.stalled_until).max(net.now());
        if self.sender.is_some() && self.next_run.is_none_or(|planned| at < planned) {
            self.next_run = Some(at);
            net.queue.push(at, Event::Producer(self.number));
        }
    }

    /// Whether somebody has woken the I/O thread since this was asked last.
    pub(super) fn take_wake(&self) -> bool {
        let woken = &self.sleep.woken;
        woken.load(Ordering::Relaxed) && woken.swap(false, Ordering::Relaxed)
    }

    /// The I/O thread runs until it sleeps again.
    pub(super) fn run(&mut self, net: &Rc<RefCell<Net>>) {
        let now = net.borrow().now();
        if self.next_run != Some(now) {
            return;
        }
        self.next_run = None;
        if self.stalled_until > now {
            self.schedule(&mut net.borrow_mut(), self.stalled_until);
            return;
        }
        if self.sleep.until.take().is_some() {
            self.sleep.waker.end_sleep();
            // What arrived is handled first where the poll was still waiting for it, and last where it had just ended.
            let arrived_in_time = net.borrow_mut().rng.bool();
            if arrived_in_time {
                self.pass(|sender| sender.poll(), now, net);
            }
        }
        while self.sender.is_some()
            && self.sleep.until.get().is_none()
            && !self.passes.are_too_many()
        {
            self.pass(IoHalf::run_once, now, net);
        }
        if let Some(until) = self.sleep.until.get() {
            self.schedule(&mut net.borrow_mut(), until.max(now + 1));
        }
    }

    fn pass(
        &mut self,
        pass: impl FnOnce(&mut IoHalf<SimSelector>) -> Result<(), crate::KafkaError>,
        now: Micros,
        net: &Rc<RefCell<Net>>,
    ) {
        self.count_pass(now, net);
        let Some(mut sender) = self.sender.take() else {
            return;
        };
        if sender.is_over() {
            sender.end(None);
            return;
        }
        match pass(&mut sender) {
            Ok(()) => {
                sender.check_invariants();
                self.sender = Some(sender);
            }
            Err(error) => sender.end(Some(error.fatal())),
        }
    }

    fn count_pass(&mut self, now: Micros, net: &Rc<RefCell<Net>>) {
        self.passes.add(now, self.sleep.went_on.take());
        self.total_passes += 1;
        if self.passes.count == MOST_PASSES_A_SECOND {
            let text = format!(
                "I12: the I/O thread of producer {} makes {MOST_PASSES_A_SECOND} passes within a second",
                self.number
            );
            net.borrow_mut().observer.violation(text);
        }
    }
}

/// Passes in the present virtual second, without those that the network is the reason for.
#[derive(Debug, Default)]
struct Passes {
    second: Micros,
    count: u64,
}

impl Passes {
    /// One more. Since the one before, polls went on with a frame so many times: for how many bytes there is room at a
    /// time is the network's affair.
    fn add(&mut self, now: Micros, went_on: u64) {
        let second = now / 1_000_000;
        if self.second != second {
            self.second = second;
            self.count = 0;
        }
        let caused = went_on * PASSES_PER_WRITE;
        self.count = self.count.saturating_sub(caused) + 1;
    }

    fn are_too_many(&self) -> bool {
        self.count >= MOST_PASSES_A_SECOND
    }
}

/// Hosts are given as addresses.
#[derive(Debug)]
struct NoNames;

impl HostResolver for NoNames {
    fn resolve(&self, host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("nobody is called {host}"),
        ))
    }

    fn may_block(&self) -> bool {
        false
    }
}

/// Far more than there are events, those aside that let a frame go on.
const MOST_PASSES_A_SECOND: u64 = 5_000;
/// The one that writes, and one that finds nothing more to do.
const PASSES_PER_WRITE: u64 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_that_let_a_frame_go_on_are_no_hot_loop() {
        let mut passes = Passes::default();
        for write in 0..4 * MOST_PASSES_A_SECOND {
            passes.add(write / 10, 1);
            passes.add(write / 10, 0);
        }
        assert!(!passes.are_too_many());
    }

    #[test]
    fn passes_for_no_reason_are_a_hot_loop_also_where_frames_went_on_before() {
        let mut passes = Passes::default();
        for write in 0..MOST_PASSES_A_SECOND {
            passes.add(write, 1);
        }
        (0..MOST_PASSES_A_SECOND - 2).for_each(|_| passes.add(999_999, 0));
        assert!(!passes.are_too_many());
        passes.add(999_999, 0);
        assert!(passes.are_too_many());
        passes.add(1_000_000, 0);
        assert!(!passes.are_too_many(), "another second");
    }
}
