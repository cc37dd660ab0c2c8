//! Real Kafka for the length of a test.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A running cluster. It ends when this is dropped, and also when the test process dies.
#[derive(Debug)]
pub(crate) struct KafkaCluster {
    name: String,
    version: &'static str,
    bootstrap: String,
}

impl KafkaCluster {
    /// Starts real Kafka, or prints why this machine cannot and returns `None`.
    pub(crate) fn start(nodes: u32, version: &'static str) -> Option<Self> {
        Self::start_with(nodes, version, &[], &[])
    }

    /// As [`start`](Self::start), formatted with these features, as in `transaction.version=1`, and with these lines in
    /// `server.properties`.
    pub(crate) fn start_with(
        nodes: u32,
        version: &'static str,
        features: &[&str],
        properties: &[&str],
    ) -> Option<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        let name = format!("interop-{process}-{number}");
        let features = features.iter().flat_map(|feature| ["--feature", feature]);
        let properties = properties.iter().flat_map(|line| ["--property", line]);
        let output = script(&["start", "--name", &name, "--version", version])
            .args(features)
            .args(properties)
            .args([
                "--nodes",
                &nodes.to_string(),
                "--owner-pid",
                &process.to_string(),
            ])
            .output()
            .expect("tests/kafka/cluster can be started");
        let said = checked_or_skipped(output)?;
        let bootstrap = said
            .trim()
            .strip_prefix("bootstrap.servers=")
            .expect("the bootstrap line")
            .to_owned();
        Some(Self {
            name,
            version,
            bootstrap,
        })
    }

    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    pub(crate) fn version(&self) -> &'static str {
        self.version
    }

    pub(crate) fn create_topic(&self, topic: &str, partitions: u32, config: &[&str]) {
        let partitions = partitions.to_string();
        let mut words = vec![
            "topic",
            "create",
            "--name",
            &self.name,
            topic,
            "--partitions",
            &partitions,
        ];
        for pair in config {
            words.extend(["--config", pair]);
        }
        run(&mut script(&words));
    }

    pub(crate) fn kill(&self, node: u32) {
        run(&mut script(&[
            "kill",
            "--name",
            &self.name,
            &node.to_string(),
        ]));
    }

    /// Starts a node and waits until all replicas are in sync.
    pub(crate) fn restart(&self, node: u32) {
        run(&mut script(&[
            "restart",
            "--in-sync",
            "--name",
            &self.name,
            &node.to_string(),
        ]));
    }

    /// Freezes the node that leads most for so many seconds. Returns which one, and how long the others needed to do
    /// without it, where they did.
    pub(crate) fn freeze_leader(&self, seconds: u32) -> (String, Option<u64>) {
        let seconds = seconds.to_string();
        let words = ["freeze", "--name", &self.name, "--seconds", &seconds];
        let said = run(&mut script(&words));
        let field = |name: &str| {
            let mut fields = said.split_whitespace();
            let found = fields.find_map(|field| field.strip_prefix(name));
            found.expect("a field of the freeze line").to_owned()
        };
        (field("node="), field("failover_ms=").parse().ok())
    }

    /// A program from the jars of this version, to be started by the caller.
    pub(crate) fn java_program(&self, class: &str) -> Command {
        script(&["run", "--version", self.version, class])
    }

    /// The segment files of every partition of `topic` on node 1.
    pub(crate) fn segments(&self, topic: &str) -> Vec<PathBuf> {
        let status = run(&mut script(&["status", "--name", &self.name]));
        let folder = status
            .lines()
            .find_map(|line| line.strip_prefix("folder="))
            .expect("the cluster's folder");
        let data = PathBuf::from(folder).join("node-1/data");
        let mut files = Vec::new();
        for partition in std::fs::read_dir(data).expect("the data folder") {
            let partition = partition.expect("an entry of the data folder").path();
            let name = partition
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name.rsplit_once('-').is_some_and(|(of, _)| of == topic) {
                let entries = std::fs::read_dir(&partition).expect("a partition's folder");
                files.extend(entries.map(|entry| entry.expect("a file").path()));
            }
        }
        files.retain(|file| file.extension().is_some_and(|kind| kind == "log"));
        files.sort();
        files
    }
}

impl Drop for KafkaCluster {
    fn drop(&mut self) {
        let stopped = script(&["stop", "--name", &self.name]).output();
        if !stopped.is_ok_and(|output| output.status.success()) {
            eprintln!("cluster {} could not be stopped", self.name);
        }
    }
}

/// A command of Oracle.java, to be run; `None` with a printed reason where Java is missing.
pub(crate) fn oracle(words: &[&str]) -> Option<String> {
    let output = script(&["oracle"])
        .args(words)
        .output()
        .expect("tests/kafka/cluster can be started");
    checked_or_skipped(output)
}

/// A command of Oracle.java whose output is read while it runs.
pub(crate) fn oracle_stream(words: &[&str]) -> Child {
    let mut command = script(&["oracle"]);
    command
        .args(words)
        .stdout(Stdio::piped())
        .stdin(Stdio::null());
    command.spawn().expect("tests/kafka/cluster can be started")
}

/// Gives `lines` to a command of Oracle.java.
pub(crate) fn oracle_feed(words: &[&str], lines: &[u8]) {
    let mut command = script(&["oracle"]);
    command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null());
    let mut child = command.spawn().expect("tests/kafka/cluster can be started");
    let mut input = child.stdin.take().expect("standard input is piped");
    input.write_all(lines).expect("the oracle reads its input");
    drop(input);
    assert!(
        child.wait().expect("the oracle ends").success(),
        "the oracle failed: {words:?}"
    );
}

/// What `tests/kafka/read_committed.py` prints; `None` with a printed reason where its package cannot be fetched.
pub(crate) fn read_committed(words: &[&str]) -> Option<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/read_committed.py");
    let mut command = Command::new(path);
    let output = command.args(words).stderr(Stdio::inherit()).output();
    checked_or_skipped(output.expect("python3 can be started"))
}

/// Runs a class from the jars of `version` and returns what it printed.
pub(crate) fn java_class(version: &str, class: &str, words: &[&str]) -> String {
    run(script(&["run", "--version", version, class]).args(words))
}

fn script(words: &[&str]) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/cluster"));
    command.args(words).stderr(Stdio::inherit());
    command
}

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .expect("tests/kafka/cluster can be started");
    assert!(
        output.status.success(),
        "{command:?} ended with {}",
        output.status
    );
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What the command printed; `None` when it said that this machine lacks something, unless this is CI.
fn checked_or_skipped(output: Output) -> Option<String> {
    if output.status.code() == Some(NOT_HERE) && std::env::var_os("CI").is_none() {
        eprintln!("skipped: the reason is in the line above");
        return None;
    }
    assert!(
        output.status.success(),
        "a program of tests/kafka ended with {}",
        output.status
    );
    Some(String::from_utf8(output.stdout).expect("UTF-8"))
}

static STARTED: AtomicU32 = AtomicU32::new(0);

/// The exit code of the programs in `tests/kafka` where Java, Maven or a package is missing.
const NOT_HERE: i32 = 77;
