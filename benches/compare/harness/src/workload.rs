//! The workloads, in terms of any producer.

use std::time::Instant;

use crate::{Caller, Producer, Settings};

/// One workload with its sizes, and what the last run of it took.
pub(crate) struct Workload {
    kind: Kind,
    records: usize,
    threads: usize,
    values: Vec<Vec<u8>>,
    /// Nanoseconds of the calls of the last run, where each call is timed.
    calls: Vec<u64>,
}

#[derive(Clone, Copy)]
enum Kind {
    /// Send everything, then flush.
    Send,
    /// The same with random keys of 16 bytes.
    Keyed,
    /// Bursts that fit into memory, each `send` timed.
    Cost,
    /// Send one and wait for it, each timed.
    Get,
}

impl Workload {
    pub(crate) fn new(settings: &Settings) -> Self {
        let kind = match settings.text("workload") {
            Some("send") => Kind::Send,
            Some("keyed") => Kind::Keyed,
            Some("cost") => Kind::Cost,
            Some("get") => Kind::Get,
            other => panic!("workload={other:?}: send, keyed, cost or get"),
        };
        Self {
            kind,
            records: settings.number("records", 1_000_000),
            threads: settings.number("threads", 1),
            values: settings.values(),
            calls: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self, producer: &impl Producer) {
        let mut calls = std::mem::take(&mut self.calls);
        calls.clear();
        if self.threads == 1 {
            self.one_thread(0, producer, &mut calls);
        } else {
            let shared: &Self = self;
            calls = std::thread::scope(|scope| {
                let thread = |number| {
                    scope.spawn(move || {
                        let mut calls = Vec::new();
                        shared.one_thread(number, producer, &mut calls);
                        calls
                    })
                };
                let threads: Vec<_> = (0..shared.threads).map(thread).collect();
                let ended = threads.into_iter();
                ended
                    .flat_map(|thread| thread.join().expect("no panics"))
                    .collect()
            });
        }
        producer.flush();
        self.calls = calls;
    }

    fn one_thread(&self, number: usize, producer: &impl Producer, calls: &mut Vec<u64>) {
        let mut caller = producer.caller();
        let count = self.records / self.threads;
        let mut values = self.values.iter().map(Vec::as_slice).cycle();
        let mut value = || values.next().expect("there is a value");
        match self.kind {
            Kind::Send => caller.send_all((0..count).map(|_| (None, value()))),
            Kind::Keyed => {
                let mut keys = Keys::new(number);
                caller.send_all((0..count).map(|_| (Some(keys.next()), value())));
            }
            Kind::Cost => {
                for _ in 0..count / BURST {
                    for _ in 0..BURST {
                        let value = value();
                        timed(calls, || caller.send(None, value));
                    }
                    caller.finish();
                    producer.flush();
                }
            }
            Kind::Get => {
                for _ in 0..count {
                    let value = value();
                    timed(calls, || caller.send_and_wait(value));
                }
            }
        }
        caller.finish();
    }

    /// JSON about the last run: how many records, and where calls were timed, their quantiles in nanoseconds.
    pub(crate) fn report(&mut self) -> String {
        let records = match self.kind {
            Kind::Cost => self.records / self.threads / BURST * BURST * self.threads,
            _ => self.records / self.threads * self.threads,
        };
        let mut report = format!("{{\"records\":{records}");
        if !self.calls.is_empty() {
            self.calls.sort_unstable();
            for (name, share) in [
                ("p50", 0.5),
                ("p90", 0.9),
                ("p99", 0.99),
                ("p999", 0.999),
                ("max", 1.0),
            ] {
                let last = (self.calls.len() - 1) as f64;
                report += &format!(",\"{name}\":{}", self.calls[(last * share) as usize]);
            }
            let sum: u64 = self.calls.iter().sum();
            report += &format!(",\"mean\":{}", sum / self.calls.len() as u64);
        }
        report + "}"
    }
}

fn timed(calls: &mut Vec<u64>, call: impl FnOnce()) {
    let start = Instant::now();
    call();
    calls.push(start.elapsed().as_nanos() as u64);
}

/// Random keys, the same in every language: xorshift, twice for each key.
struct Keys(u64);

impl Keys {
    fn new(thread: usize) -> Self {
        Self(0x9e37_79b9_7f4a_7c15 ^ (thread as u64 + 1))
    }

    fn next(&mut self) -> [u8; 16] {
        let mut key = [0; 16];
        for half in key.chunks_exact_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            half.copy_from_slice(&self.0.to_be_bytes());
        }
        key
    }
}

/// Few enough that no producer has to wait for room.
const BURST: usize = 2_000;
