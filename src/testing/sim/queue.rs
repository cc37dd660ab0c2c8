//! Virtual time: what happens next, and when.
//!
//! Java: none.
//! Differs: one queue for the network, the brokers, the producers, the applications and the faults.
//! Threads: one per seed. Locks: none.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::time::Time;
use crate::testing::mock_time::MockTime;

/// Microseconds since the seed began.
pub(super) type Micros = u64;

/// A connection, by the order in which connections were tried.
pub(super) type ConnId = usize;

/// Something that happens.
#[derive(Debug)]
pub(super) enum Event {
    /// A connection attempt reaches its broker.
    Attempt(ConnId),
    /// The answer to a connection attempt reaches the client.
    Established(ConnId),
    Refused(ConnId),
    /// Bytes reach the broker, or the end of the stream does.
    ToBroker(ConnId, Vec<u8>),
    EndToBroker(ConnId),
    /// The broker looks at the next request of a connection.
    Serve(ConnId),
    /// Bytes reach the client, or the end of the stream does; a reset destroys what was not read.
    ToClient(ConnId, Vec<u8>),
    EndToClient(ConnId, Ending),
    /// There is room in the socket again.
    Writable(ConnId),
    /// Something that the brokers wait for is due.
    Core,
    /// A producer's I/O thread runs.
    Producer(usize),
    /// An application thread goes on.
    App(usize),
    FaultBegins(usize),
    FaultEnds(usize),
    /// All faults end.
    Heal,
}

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Closed,
    Reset,
}

/// The clock and what it will bring.
#[derive(Debug)]
pub(super) struct Queue {
    /// Nobody else moves it.
    time: Arc<MockTime>,
    now: Micros,
    events: BinaryHeap<Entry>,
    pushed: u64,
}

#[derive(Debug)]
struct Entry {
    at: Micros,
    number: u64,
    event: Event,
}

impl Queue {
    pub(super) fn new(time: Arc<MockTime>) -> Self {
        Self {
            now: micros(time.elapsed()),
            time,
            events: BinaryHeap::new(),
            pushed: 0,
        }
    }

    pub(super) fn now(&self) -> Micros {
        self.now
    }

    /// The time of an instant, never where it is too far away to matter.
    pub(super) fn micros_at(&self, instant: Instant) -> Micros {
        let ahead = instant.saturating_duration_since(self.time.now());
        self.now().saturating_add(micros(ahead))
    }

    pub(super) fn push(&mut self, at: Micros, event: Event) {
        self.pushed += 1;
        self.events.push(Entry {
            at: at.max(self.now()),
            number: self.pushed,
            event,
        });
    }

    /// Moves the clock to the next event.
    pub(super) fn pop(&mut self) -> Option<Event> {
        let entry = self.events.pop()?;
        let ahead = entry.at.saturating_sub(self.now());
        if ahead > 0 {
            self.time.advance(Duration::from_micros(ahead));
            self.now = entry.at;
        }
        Some(entry.event)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The earliest is the greatest; what was pushed first comes first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// Rounded up, so that a timer that is waited for is due.
pub(super) fn micros(duration: Duration) -> Micros {
    let rest = u64::from(duration.subsec_nanos().div_ceil(1000));
    let whole = duration.as_secs().checked_mul(1_000_000);
    whole
        .and_then(|whole| whole.checked_add(rest))
        .unwrap_or(u64::MAX)
}

pub(super) const fn ms(ms: u64) -> Micros {
    ms * 1000
}

pub(super) const fn secs(secs: u64) -> Micros {
    secs * 1_000_000
}
