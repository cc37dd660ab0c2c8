//! A broker that answers what a producer asks and throws the records away: what is left to measure is the producer.
//!
//! It runs in a process of its own (the benchmark starts itself again), so that its work never counts as the producer's.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

#[path = "discarding.rs"]
mod discarding;

pub(crate) use discarding::serve;

/// A discarding broker in a process of its own, ended when this is dropped.
pub(crate) struct Broker {
    process: Child,
    port: u16,
}

impl Broker {
    /// What this very program is started with again to be the broker.
    pub(crate) const ARGUMENT: &str = "--discard-broker";

    pub(crate) fn start(partitions: i32) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut process = Command::new(program)
            .args([Self::ARGUMENT, &partitions.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the broker starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the broker says its port");
        Self {
            process,
            port: line.trim().parse().expect("a port"),
        }
    }

    /// What a producer connects to.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
