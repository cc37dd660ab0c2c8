//! What an idle producer does: nothing. One background thread whatever the cluster, and no wake-ups beyond due timers.
//!
//! `cargo bench --bench idle`. Linux counts the wake-ups: a thread that waits gives up its CPU of its own accord, once for
//! each time that it woke before.

#[path = "support/discard_broker.rs"]
mod discard_broker;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ottla::{KafkaProducer, ProducerRecord};

use discard_broker::Broker;

const PARTITIONS: i32 = 10_000;
const IDLE: Duration = Duration::from_secs(10);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [Broker::ARGUMENT, partitions] => {
            discard_broker::serve(partitions.parse().expect("a number")).expect("loopback works");
        }
        // `cargo bench` adds it.
        ["--bench"] => idle_producer(),
        _ => println!("nothing is measured outside of `cargo bench`"),
    }
}

fn idle_producer() {
    let mut broker = Broker::start(PARTITIONS);
    let producer =
        KafkaProducer::<[u8], [u8]>::from_properties([("bootstrap.servers", broker.address())])
            .expect("a legal configuration");
    for partition in 0..PARTITIONS {
        let record = ProducerRecord::value_only("bench", &b"x"[..]).with_partition(partition);
        let _sent = producer.send(record).expect("room comes in time");
    }
    producer.flush().expect("the broker answers");
    assert_eq!(broker.totals()["records"], PARTITIONS as u64, "records");
    idle(Duration::from_secs(1));
    let threads = background_threads();
    println!("background threads: {}", threads.len());
    let before: Vec<u64> = threads.iter().map(|thread| wake_ups(thread)).collect();
    idle(IDLE);
    for (thread, before) in threads.iter().zip(before) {
        println!(
            "wake-ups of {} in {} idle seconds with {PARTITIONS} partitions: {}",
            name(thread),
            IDLE.as_secs(),
            wake_ups(thread) - before
        );
    }
}

#[expect(clippy::disallowed_methods, reason = "it measures idle time")]
fn idle(time: Duration) {
    std::thread::sleep(time);
}

fn background_threads() -> Vec<PathBuf> {
    let own = std::process::id().to_string();
    let threads = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    threads
        .map(|thread| thread.path())
        .filter(|path| !path.ends_with(&own))
        .collect()
}

fn name(thread: &Path) -> String {
    fs::read_to_string(thread.join("comm"))
        .unwrap_or_default()
        .trim()
        .to_owned()
}

fn wake_ups(thread: &Path) -> u64 {
    let status = fs::read_to_string(thread.join("status")).unwrap_or_default();
    let count = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count
        .and_then(|count| count.trim().parse().ok())
        .unwrap_or_default()
}
