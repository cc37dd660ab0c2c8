//! Brokers die under load, and a reader that is not ours looks for every record.

use crate::cluster::KafkaCluster;
use crate::reader::{Stored, read_with_java};
use crate::records::Xorshift;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// What a verifiable producer said about the records with the values 0, 1, 2 and so on.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    /// Value to partition and offset.
    acked: BTreeMap<u64, (u32, i64)>,
    /// When each acknowledgement was told, in milliseconds since the epoch, in the order of the lines.
    pub(crate) acked_at: Vec<(u64, u32)>,
    pub(crate) errors: Vec<String>,
    /// The counts of the last line.
    pub(crate) sent: u64,
    acked_count: u64,
}

impl Journal {
    fn note(&mut self, line: &str) {
        let said: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}"));
        let number = |name: &str| {
            said[name]
                .as_u64()
                .unwrap_or_else(|| panic!("no number {name} in {line}"))
        };
        match said["name"].as_str() {
            Some("producer_send_success") => {
                let value = said["value"]
                    .as_str()
                    .and_then(|value| value.parse().ok())
                    .expect("a number as text");
                self.acked_at
                    .push((number("timestamp"), number("partition") as u32));
                let place = (number("partition") as u32, number("offset") as i64);
                assert_eq!(
                    self.acked.insert(value, place),
                    None,
                    "acknowledged twice: {line}"
                );
            }
            Some("producer_send_error") => self.errors.push(line.to_owned()),
            Some("tool_data") => (self.sent, self.acked_count) = (number("sent"), number("acked")),
            _ => {}
        }
    }
}

/// What must stay empty.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Findings {
    failed: usize,
    lost: Vec<u64>,
    duplicated: Vec<u64>,
    reordered: Vec<u64>,
    /// Acknowledged with another partition or offset than the reader found.
    elsewhere: Vec<u64>,
}

impl Findings {
    /// How many of each, in one line.
    pub(crate) fn counts(&self) -> String {
        format!(
            "{} failed, {} lost, {} duplicated, {} reordered, {} elsewhere",
            self.failed,
            self.lost.len(),
            self.duplicated.len(),
            self.reordered.len(),
            self.elsewhere.len()
        )
    }
}

pub(crate) fn check(journal: &Journal, stored: &Stored) -> Findings {
    let mut findings = Findings {
        failed: journal.errors.len(),
        ..Findings::default()
    };
    let mut found: BTreeMap<u64, (u32, i64)> = BTreeMap::new();
    for (partition, records) in stored {
        let mut last = None;
        for record in records {
            let text = String::from_utf8(record.value.clone().expect("a value")).expect("text");
            let value: u64 = text.parse().expect("a number as text");
            if found.insert(value, (*partition, record.offset)).is_some() {
                findings.duplicated.push(value);
            } else if last.is_some_and(|last| last > value) {
                findings.reordered.push(value);
            }
            last = last.max(Some(value));
        }
    }
    findings.lost = (0..journal.sent)
        .filter(|value| !found.contains_key(value))
        .collect();
    let misplaced = journal
        .acked
        .iter()
        .filter(|(value, place)| found.get(value).is_some_and(|found| found != *place));
    findings.elsewhere = misplaced
        .map(|(value, _)| *value)
        .filter(|value| !findings.duplicated.contains(value))
        .collect();
    findings
}

/// Reads the producer's lines to their end; reports how many records are acknowledged, now and then.
pub(crate) fn read_journal(
    producer: &mut Child,
    progress: &std::sync::mpsc::Sender<usize>,
) -> Journal {
    let mut journal = Journal::default();
    let lines = BufReader::new(producer.stdout.take().expect("standard output is piped")).lines();
    for line in lines {
        journal.note(&line.expect("the producer's output"));
        if journal.acked.len() % 100 == 0 {
            // Nobody listens any more after the last kill.
            let _ = progress.send(journal.acked.len());
        }
    }
    journal
}

/// Waits until so many records are acknowledged, or panics when nothing moves.
pub(crate) fn wait_for(progress: &Receiver<usize>, count: usize) {
    while progress
        .recv_timeout(STALLED)
        .expect("the producer makes progress")
        < count
    {}
}

/// Kills random nodes while `producer` runs, then asks it to stop and judges.
fn survives_kills(cluster: &KafkaCluster, topic: &str, kills: u32, mut producer: Command) {
    let seed = std::env::var("OTTLA_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or(u64::from(std::process::id()));
    eprintln!("OTTLA_SEED={seed} repeats this choice of brokers");
    let mut random = Xorshift::new(seed);
    let mut producer = Running(
        producer
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the producer starts"),
    );
    let process = producer.0.id().to_string();
    let (sender, progress) = channel();
    let journal = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_journal(&mut producer.0, &sender));
        let mut count = 0;
        for kill in 1..=kills {
            // Load before each kill: between one and three seconds of it.
            count += 2_000 + random.below(4_000) as usize;
            wait_for(&progress, count);
            let node = 1 + random.below(3) as u32;
            cluster.kill(node);
            cluster.restart(node);
            while let Ok(now) = progress.try_recv() {
                count = count.max(now);
            }
            eprintln!("kill {kill}: node {node}, {count} records acknowledged");
        }
        wait_for(&progress, count + 2_000);
        drop(progress);
        let stopped = Command::new("kill")
            .args(["-TERM", &process])
            .status()
            .expect("kill can be started");
        assert!(stopped.success(), "the producer ended by itself");
        reader.join().expect("every line is a JSON object")
    });
    producer.0.wait().expect("the producer ends");
    let stored = read_with_java(cluster, &[topic])
        .remove(topic)
        .expect("the topic");
    let findings = check(&journal, &stored);
    eprintln!(
        "{} records sent, {} acknowledged, {} killed brokers: {findings:?}",
        journal.sent, journal.acked_count, kills
    );
    assert_eq!(
        findings,
        Findings::default(),
        "errors: {:?}",
        journal.errors.first()
    );
    assert_eq!(journal.sent, journal.acked_count);
    assert!(journal.sent > 4_000 * u64::from(kills));
}

/// A child that does not outlive a failed test.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = self.0.kill();
        }
    }
}

/// Nothing acknowledged for so long means that the producer hangs; a failover takes seconds.
const STALLED: Duration = Duration::from_secs(60);

#[test]
fn ten_killed_brokers_cost_no_record_no_order_and_no_error() {
    let Some(cluster) = KafkaCluster::start(3, "4.3.1") else {
        return;
    };
    cluster.create_topic("kills", 12, &[]);
    let program = env!("CARGO_BIN_EXE_ottla");
    let mut producer = Command::new(program);
    producer.args([
        "verifiable-producer",
        "--bootstrap-server",
        cluster.bootstrap(),
        "--topic",
        "kills",
    ]);
    producer.args(["--throughput", "2000"]);
    survives_kills(&cluster, "kills", 10, producer);
}

/// Forty records in two partitions, as a right producer reports and stores them.
fn history() -> (Journal, Stored) {
    let mut journal = Journal {
        sent: 40,
        acked_count: 40,
        ..Journal::default()
    };
    let mut stored = Stored::new();
    for value in 0..40 {
        let partition = (value / 5 % 2) as u32;
        let records = stored.entry(partition).or_default();
        let offset = records.len() as i64;
        records.push(crate::reader::StoredRecord {
            offset,
            timestamp: 0,
            log_append_time: false,
            key: None,
            value: Some(value.to_string().into_bytes()),
            headers: Vec::new(),
        });
        journal.note(&format!(
            r#"{{"timestamp":{value},"name":"producer_send_success","value":"{value}","partition":{partition},"offset":{offset}}}"#
        ));
    }
    (journal, stored)
}

#[test]
fn planted_loss_duplicate_and_reorder_are_found() {
    let (journal, stored) = history();
    assert_eq!(check(&journal, &stored), Findings::default());

    let mut lost = stored.clone();
    lost.get_mut(&1).expect("a partition").remove(3);
    assert_eq!(check(&journal, &lost).lost, [8]);

    let mut duplicated = stored.clone();
    let records = duplicated.get_mut(&0).expect("a partition");
    let mut again = records[7].clone();
    again.offset = records.len() as i64;
    records.push(again);
    assert_eq!(check(&journal, &duplicated).duplicated, [12]);

    let mut reordered = stored;
    reordered.get_mut(&0).expect("a partition").swap(2, 3);
    let findings = check(&journal, &reordered);
    assert_eq!(findings.reordered, [2]);
    assert!(findings.lost.is_empty() && findings.duplicated.is_empty());
}
