//! What befalls brokers: they start, stop, die, stand still, and are cut off from one another.
//!
//! Java: none; Kafka's system tests do this to processes.
//! Differs: each event is a call with the time at which it happens.
//! Threads: plain data; the server keeps it behind one lock. Locks: none.

use std::time::Instant;

use crate::broker::broker_core::{BrokerCore, Now, Parked, Reply};
use crate::common::cluster::NodeId;

impl BrokerCore {
    /// A broker runs from now on, with the logs that it had before, and leads again where nobody else can.
    pub(crate) fn broker_started(&mut self, broker: NodeId, host: String, port: u16, now: Instant) {
        self.topics.broker_started(broker, host, port, now);
    }

    /// A broker stops in order: nothing is lost, and others lead what it led.
    pub(crate) fn broker_stopped(&mut self, broker: NodeId, now: Instant) {
        self.topics.broker_stopped(broker, now);
        self.forget_requests(broker);
    }

    /// A broker dies: what only it had is lost where another leads on. With `lost_batches` it also loses so many at the
    /// end of each log, as a machine does whose power fails.
    pub(crate) fn broker_killed(&mut self, broker: NodeId, lost_batches: usize, now: Instant) {
        self.topics.broker_killed(broker, lost_batches, now);
        self.forget_requests(broker);
    }

    /// A broker stands still: it takes bytes and answers nothing, and believes what it believed.
    pub(crate) fn broker_paused(&mut self, broker: NodeId, now: Instant) {
        self.topics.broker_paused(broker, now);
    }

    /// A broker goes on. What came to it meanwhile it handles in the old faith, then it hears what it has missed.
    pub(crate) fn broker_resumed(&mut self, broker: NodeId, now: Now, replies: &mut Vec<Reply>) {
        self.topics.broker_resumed(broker, now.monotonic);
        for parked in std::mem::take(&mut self.parked) {
            match parked {
                Parked::Unread(request) if request.connection.broker == broker => {
                    self.begin(request, now, replies);
                }
                other => self.parked.push(other),
            }
        }
        self.poll(now, replies);
    }

    /// Forgets what waits at a broker that is gone.
    fn forget_requests(&mut self, broker: NodeId) {
        self.parked
            .retain(|parked| parked.connection().broker != broker);
    }
}
