//! Leaders freeze under load, with their connections open: what that costs, and what comes of the records.
//!
//! `OTTLA_FREEZES=20` freezes twenty times; `OTTLA_CLIENT=java` drives the Java producer instead, whose findings are printed
//! and not judged; `OTTLA_KEYS=600` gives the records that many keys.

use ottla::{ErrorKind, KafkaProducer, ProducerRecord};

use crate::cluster::KafkaCluster;
use crate::kills::{Findings, Running, check, read_journal, wait_for};
use crate::reader::read_with_java;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// How long a leader stands still, and how long it runs before the next one does.
const FROZEN_SECONDS: u32 = 8;
const BETWEEN: Duration = Duration::from_secs(1);

/// The longest time without an acknowledgement, and without one for some partition that had them, in milliseconds.
fn worst_gaps(acked_at: &[(u64, u32)]) -> (u64, u64) {
    let mut last = None;
    let mut last_of: BTreeMap<u32, u64> = BTreeMap::new();
    let (mut worst, mut worst_of_one) = (0, 0);
    for (at, partition) in acked_at {
        worst = worst.max(at.saturating_sub(last.replace(*at).unwrap_or(*at)));
        let before = last_of.insert(*partition, *at).unwrap_or(*at);
        worst_of_one = worst_of_one.max(at.saturating_sub(before));
    }
    (worst, worst_of_one)
}

fn ours(cluster: &KafkaCluster, topic: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ottla"));
    command.arg("verifiable-producer");
    with_arguments(&mut command, cluster, topic);
    command
}

/// Java's tool sets `retries=0`, which a file takes back; everything else is the Java producer's default.
fn javas(cluster: &KafkaCluster, topic: &str, folder: &std::path::Path) -> Command {
    let file = folder.join("producer.properties");
    let settings = "retries=2147483647\nenable.idempotence=true\n";
    std::fs::write(&file, settings).expect("a writable folder");
    let mut command = cluster.java_program("org.apache.kafka.tools.VerifiableProducer");
    with_arguments(&mut command, cluster, topic);
    command.arg("--command-config").arg(file);
    command
}

fn with_arguments(command: &mut Command, cluster: &KafkaCluster, topic: &str) {
    command.args(["--bootstrap-server", cluster.bootstrap(), "--topic", topic]);
    command.args(["--throughput", "2000"]);
    // Without keys a partition is left alone for a while now and then; with them each has records all the time.
    if let Ok(keys) = std::env::var("OTTLA_KEYS") {
        command.args(["--repeating-keys", &keys]);
    }
}

/// What a run showed.
#[derive(Debug)]
struct Outcome {
    findings: Findings,
    sent: u64,
    worst_gap: u64,
    worst_gap_of_a_partition: u64,
    failovers: Vec<Option<u64>>,
    first_error: Option<String>,
}

fn run(cluster: &KafkaCluster, topic: &str, freezes: u32, producer: &mut Command) -> Outcome {
    let producer = producer.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut producer = Running(producer.spawn().expect("the producer starts"));
    let process = producer.0.id().to_string();
    let (sender, progress) = channel();
    let mut failovers = Vec::new();
    let journal = std::thread::scope(|scope| {
        let reader = scope.spawn(|| read_journal(&mut producer.0, &sender));
        wait_for(&progress, 2_000);
        for freeze in 1..=freezes {
            let (node, failover) = cluster.freeze_leader(FROZEN_SECONDS);
            eprintln!("freeze {freeze}: node {node}, others lead after {failover:?} ms");
            failovers.push(failover);
            rest(&progress);
        }
        let stopped = Command::new("kill").args(["-TERM", &process]).status();
        assert!(
            stopped.is_ok_and(|status| status.success()),
            "it ended by itself"
        );
        reader.join().expect("every line is a JSON object")
    });
    producer.0.wait().expect("the producer ends");
    let stored = read_with_java(cluster, &[topic])
        .remove(topic)
        .expect("the topic");
    let (worst_gap, worst_gap_of_a_partition) = worst_gaps(&journal.acked_at);
    Outcome {
        findings: check(&journal, &stored),
        sent: journal.sent,
        worst_gap,
        worst_gap_of_a_partition,
        failovers,
        first_error: journal.errors.first().cloned(),
    }
}

/// Takes in the progress until the next freeze is due.
#[expect(
    clippy::disallowed_methods,
    reason = "freezes lie apart by the clock that brokers and clients read"
)]
fn rest<T>(progress: &Receiver<T>) {
    let thawed = Instant::now();
    while let Some(left) = BETWEEN.checked_sub(thawed.elapsed()) {
        let _ = progress.recv_timeout(left);
    }
}

#[test]
fn frozen_leaders_cost_a_failover_each_and_no_record() {
    let Some(cluster) = KafkaCluster::start(3, "4.3.1") else {
        return;
    };
    let freezes = std::env::var("OTTLA_FREEZES")
        .ok()
        .and_then(|count| count.parse().ok());
    let freezes = freezes.unwrap_or(3);
    cluster.create_topic("freezes", 30, &[]);
    let is_java = std::env::var("OTTLA_CLIENT").is_ok_and(|client| client == "java");
    let folder = std::env::temp_dir().join(format!("ottla-freezes-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable folder");
    let mut producer = match is_java {
        true => javas(&cluster, "freezes", &folder),
        false => ours(&cluster, "freezes"),
    };
    let outcome = run(&cluster, "freezes", freezes, &mut producer);
    let _ = std::fs::remove_dir_all(folder);
    eprintln!(
        "{freezes} freezes, {} records: {}, worst gap {} ms, of one partition {} ms, slowest failover {} ms",
        outcome.sent,
        outcome.findings.counts(),
        outcome.worst_gap,
        outcome.worst_gap_of_a_partition,
        outcome.failovers.iter().flatten().max().unwrap_or(&0)
    );
    if is_java {
        return;
    }
    assert_eq!(
        outcome.findings,
        Findings::default(),
        "{:?}",
        outcome.first_error
    );
    // A timeout would take 30 s; how much less than that it is depends on the machine.
    assert!(outcome.worst_gap < 20_000);
}

/// What one producer committed.
#[derive(Default)]
struct Transfers {
    committed: Vec<String>,
    slowest: Duration,
    /// How long before the end of the slowest transaction the coordinator had refused to begin it, if it ever had.
    refused_before_the_end: Option<Duration>,
}

impl Transfers {
    /// Whether the slowest transaction waited for its coordinator, which refused it all the time.
    fn was_refused(&self) -> bool {
        self.refused_before_the_end
            .is_some_and(|before| before < BEFORE_THE_THAW / 4)
    }
}

/// One producer commits transactions of one record until it is told to stop.
#[expect(clippy::disallowed_methods, reason = "a wait is measured")]
fn transact(
    cluster: &KafkaCluster,
    id: &str,
    stop: &AtomicBool,
    progress: &Sender<usize>,
) -> Transfers {
    let producer = KafkaProducer::<str, str>::from_properties([
        ("bootstrap.servers", cluster.bootstrap()),
        ("transactional.id", id),
        ("max.block.ms", "120000"),
    ])
    .expect("a producer");
    producer.init_transactions().expect("a coordinator");
    let mut done = Transfers::default();
    let (told, refusals) = channel();
    let mut refused_at: Option<Instant> = None;
    std::thread::scope(|scope| {
        scope.spawn(|| watch_refusals(&producer, stop, &told));
        while !stop.load(Ordering::Relaxed) {
            let value = format!("{id} {}", done.committed.len());
            let began = Instant::now();
            let record = ProducerRecord::new(TRANSFERS, id, value.as_str());
            let sent = producer.in_transaction(|transaction| transaction.send(record));
            assert!(sent.expect("committed").is_done());
            let took = began.elapsed();
            refused_at = refusals.try_iter().last().or(refused_at);
            if took > done.slowest {
                done.slowest = took;
                done.refused_before_the_end = refused_at.map(|at| at.elapsed());
            }
            done.committed.push(value);
            let _ = progress.send(done.committed.len());
        }
    });
    done
}

/// Tells when a producer was told that its transaction before is not over. Other failures may follow that: what is led
/// elsewhere by the time it is over, for one.
#[expect(clippy::disallowed_methods, reason = "a wait is measured")]
fn watch_refusals(
    producer: &KafkaProducer<str, str>,
    stop: &AtomicBool,
    refused_at: &Sender<Instant>,
) {
    while !stop.load(Ordering::Relaxed) {
        let health = producer.health();
        let kind = health.last_error.map(|error| error.kind());
        if kind == Some(ErrorKind::ConcurrentTransactions) {
            let age = health.last_error_age.unwrap_or_default();
            let _ = refused_at.send(Instant::now() - age);
        }
        std::thread::park_timeout(BETWEEN_LOOKS);
    }
}

/// Producers whose coordinators are spread over the nodes, one of which freezes.
#[test]
fn a_frozen_coordinator_costs_a_failover_and_no_transaction() {
    for features in [&[][..], &["transaction.version=1"]] {
        let Some(cluster) = KafkaCluster::start_with(3, "4.3.1", features, &[]) else {
            return;
        };
        cluster.create_topic(TRANSFERS, 6, &[]);
        let stop = AtomicBool::new(false);
        let (sender, progress) = channel();
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let (cluster, stop) = (&cluster, &stop);
            let workers: Vec<_> = (0..6)
                .map(|n| {
                    let sender = sender.clone();
                    scope.spawn(move || transact(cluster, &format!("transfer-{n}"), stop, &sender))
                })
                .collect();
            wait_for(&progress, 20);
            let (node, failover) = cluster.freeze_leader(LONGER_THAN_A_FAILOVER);
            eprintln!("{features:?}: node {node} froze, others lead after {failover:?} ms");
            stop.store(true, Ordering::Relaxed);
            let outcomes = workers.into_iter().map(|worker| worker.join());
            outcomes
                .map(|outcome| outcome.expect("all committed"))
                .collect()
        });
        let stored = read_with_java(&cluster, &[TRANSFERS]).remove(TRANSFERS);
        let mut found = BTreeMap::<_, Vec<String>>::new();
        for record in stored.expect("the topic").into_values().flatten() {
            let text = |bytes: Option<Vec<u8>>| String::from_utf8(bytes.expect("not null"));
            let key = text(record.key).expect("UTF-8");
            let value = text(record.value).expect("UTF-8");
            found.entry(key).or_default().push(value);
        }
        for (n, done) in outcomes.iter().enumerate() {
            let id = format!("transfer-{n}");
            eprintln!(
                "{id}: {} transactions, the slowest took {:?}, refused before its end: {:?}",
                done.committed.len(),
                done.slowest,
                done.refused_before_the_end
            );
            assert_eq!(found.get(&id), Some(&done.committed), "{features:?}");
            // Who waits for the frozen node waits until it thaws. Only a broker may do that: a coordinator that has the markers
            // of a transaction to write there, and refuses the next one meanwhile.
            assert!(
                done.slowest < BEFORE_THE_THAW || done.was_refused(),
                "{features:?} {id}"
            );
        }
    }
}

const TRANSFERS: &str = "transfers";
const LONGER_THAN_A_FAILOVER: u32 = 25;
const BEFORE_THE_THAW: Duration = Duration::from_secs(20);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

#[test]
fn gaps_are_measured_over_all_partitions_and_in_each() {
    let acked_at = [(0, 1), (100, 2), (150, 2), (400, 1), (500, 2)];
    assert_eq!(worst_gaps(&acked_at), (250, 400));
}
