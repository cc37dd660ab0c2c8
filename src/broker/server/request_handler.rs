//! The threads that run the core.
//!
//! Java: `core/server/KafkaRequestHandler.scala`, `server/purgatory/DelayedOperationPurgatory.java`.
//! Differs: what waits in the core is looked at by the same threads, which wait no longer than its next deadline.
//! Threads: each handler is one. Locks: the core's.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;

use crate::broker::broker_core::{BrokerCore, Now, Reply};
use crate::broker::server::request_channel::{RequestChannel, Work};
use crate::common::kafka_thread;
use crate::common::sync::Mutex;
use crate::common::sync::thread::JoinHandle;
use crate::common::time::Time;

/// The core as the server keeps it.
pub(crate) type SharedCore = Arc<Mutex<BrokerCore>>;

/// Starts a pool of handlers.
pub(crate) fn start(
    count: usize,
    channel: &RequestChannel,
    core: &SharedCore,
    time: &Arc<dyn Time>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    for n in 0..count {
        let handler = Handler {
            channel: channel.clone(),
            core: Arc::clone(core),
            time: Arc::clone(time),
        };
        let name = format!("embedded-request-handler-{n}");
        threads.push(kafka_thread::spawn(
            &name,
            move || handler.run(),
            |panic| {
                log::error!("embedded broker: a request handler panicked: {panic}");
            },
        )?);
    }
    Ok(threads)
}

struct Handler {
    channel: RequestChannel,
    core: SharedCore,
    time: Arc<dyn Time>,
}

impl Handler {
    fn run(self) {
        let mut replies = Vec::new();
        loop {
            match self.channel.inbox().recv_timeout(self.patience()) {
                Ok(Work::Request(request)) => {
                    let now = self.now();
                    self.core.lock().handle(request, now, &mut replies);
                }
                Ok(Work::Closed(connection)) => self.core.lock().connection_closed(connection),
                Ok(Work::Poll) | Err(RecvTimeoutError::Timeout) => {
                    let now = self.now();
                    self.core.lock().poll(now, &mut replies);
                }
                Ok(Work::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            }
            replies
                .drain(..)
                .for_each(|reply: Reply| self.channel.reply(reply));
        }
    }

    /// How long nothing can become due.
    fn patience(&self) -> Duration {
        let next = self.core.lock().next_timeout();
        next.map_or(IDLE, |next| next.saturating_duration_since(self.time.now()))
    }

    fn now(&self) -> Now {
        Now {
            monotonic: self.time.now(),
            wall_clock_ms: self.time.wall_clock_ms(),
        }
    }
}

/// With nothing waiting, work ends the wait; the number is of no importance.
const IDLE: Duration = Duration::from_secs(3600);
