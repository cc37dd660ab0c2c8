//! A process that was forked off has the producer's memory and not its thread: it is told so and never waits.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests say what they expect by unwrapping, and this one has a limit of its own"
)]

use std::path::Path;
use std::process::{Command, exit};
use std::thread;
use std::time::{Duration, Instant};

use fork::Fork;
use ottla::embedded::{Api, EmbeddedCluster, Fault};
use ottla::{ErrorKind, FutureRecordMetadata, KafkaError, KafkaProducer, ProducerRecord};

type Producer = KafkaProducer<[u8], [u8]>;

#[test]
fn a_child_process_is_told_that_the_producer_is_its_parents() {
    let cluster = EmbeddedCluster::builder()
        .topic("orders", 1)
        .start()
        .unwrap();
    let servers = cluster.bootstrap_servers();
    let settings = [
        ("bootstrap.servers", servers.as_str()),
        ("batch.size", "100000"),
    ];
    let producer = Producer::from_properties(settings).unwrap();
    // The I/O thread waits for an answer and does nothing else when the process forks.
    cluster.inject(Fault::on(Api::Produce).never_answer().times(1));
    let before = producer.send(record()).unwrap();
    let asked = thread::scope(|scope| {
        let asking = scope.spawn(|| before.get_timeout(Duration::from_millis(1)));
        while cluster.requests(Api::Produce) == 0 {
            thread::yield_now();
        }
        asking.join().unwrap()
    });
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Timeout);
    let report = std::env::temp_dir().join(format!("ottla-fork-{}", std::process::id()));
    match fork::fork().unwrap() {
        Fork::Child => {
            std::fs::write(&report, every_call(producer, &before)).unwrap();
            exit(0);
        }
        Fork::Parent(child) => {
            assert_eq!(wait_for(child, &report), "forked");
            assert!(producer.close(Duration::ZERO).is_ok(), "the parent goes on");
        }
    }
}

fn record() -> ProducerRecord<'static, [u8; 1], [u8; 1]> {
    ProducerRecord::new("orders", *b"k", *b"v")
}

/// Makes every call that could wait, and says how it ended.
fn every_call(producer: Producer, before: &FutureRecordMetadata) -> String {
    let kind = |error: KafkaError| error.kind();
    let calls = [
        before.get().map_err(kind).map(|_| ()),
        // A send that wakes nobody may be accepted: what counts is that waiting for it ends.
        producer
            .send(record())
            .and_then(|sent| sent.get())
            .map_err(kind)
            .map(|_| ()),
        producer.flush().map_err(kind),
        producer
            .partitions_for("elsewhere")
            .map_err(kind)
            .map(|_| ()),
        producer
            .close(Duration::from_secs(60))
            .map_err(kind)
            .map(|_| ()),
    ];
    drop(producer);
    if calls.iter().all(|call| *call == Err(ErrorKind::Forked)) {
        "forked".to_owned()
    } else {
        format!("{calls:?}")
    }
}

/// What the child reported; one that hangs is ended.
fn wait_for(child: i32, report: &Path) -> String {
    let start = Instant::now();
    while !report.exists() {
        if start.elapsed() > Duration::from_secs(30) {
            let _ended = Command::new("kill")
                .arg("-9")
                .arg(child.to_string())
                .status();
            panic!("the child hangs");
        }
        thread::yield_now();
    }
    fork::waitpid(child).unwrap();
    let said = std::fs::read_to_string(report).unwrap();
    std::fs::remove_file(report).unwrap();
    said
}
