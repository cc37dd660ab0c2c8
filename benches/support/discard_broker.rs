//! A broker that answers what a producer asks and throws the records away: what is left to measure is the producer.
//!
//! It runs in a process of its own (the benchmark starts itself again), so that its work never counts as the producer's.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

#[path = "discarding.rs"]
mod discarding;

/// Is the broker, in the process that [`Broker::start`] starts.
pub(crate) fn serve(partitions: i32) -> io::Result<()> {
    discarding::serve(partitions, 1)
}

/// A discarding broker in a process of its own, ended when this is dropped.
pub(crate) struct Broker {
    process: Child,
    output: BufReader<ChildStdout>,
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
        let mut output = BufReader::new(process.stdout.take().expect("piped"));
        let mut line = String::new();
        output
            .read_line(&mut line)
            .expect("the broker says its port");
        Self {
            process,
            output,
            port: line.trim().parse().expect("a port"),
        }
    }

    /// What a producer connects to.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What has arrived so far: `requests`, `batches`, `records`, `bytes`.
    pub(crate) fn totals(&mut self) -> BTreeMap<String, u64> {
        let mut input = self.process.stdin.as_ref().expect("piped");
        input.write_all(b"totals\n").expect("the broker listens");
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("the broker answers");
        let pairs = line.trim().trim_matches(['{', '}']).split(',');
        let pairs = pairs.filter_map(|pair| pair.split_once(':'));
        pairs
            .map(|(name, count)| {
                let count = count.parse().expect("a number");
                (name.trim_matches('"').to_owned(), count)
            })
            .collect()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
