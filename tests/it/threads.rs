//! Threads: ours is one, theirs are many.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use ottla::ProducerRecord;
use ottla::embedded::EmbeddedCluster;

use crate::support::{alone, must_end, text_producer};

/// Counts threads, so it runs in a process where no other test runs beside it.
#[cfg(target_os = "linux")]
#[test]
fn one_background_thread_whatever_the_number_of_brokers() {
    alone(
        "threads::one_background_thread_whatever_the_number_of_brokers",
        || {
            let cluster = EmbeddedCluster::builder()
                .brokers(9)
                .topic("many", 18)
                .start()
                .expect("loopback");
            let before = threads();
            let producer = text_producer(&cluster.bootstrap_servers(), &[]);
            for partition in 0..18 {
                let record = ProducerRecord::new("many", "k", "v").with_partition(partition);
                producer
                    .send(record)
                    .expect("room")
                    .get()
                    .expect("delivered");
            }
            assert_eq!(threads(), before + 1);
            let _ = producer.close(Duration::from_secs(10)).expect("closes");
            assert_eq!(threads(), before);
        },
    );
}

#[cfg(target_os = "linux")]
fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").expect("Linux").count()
}

#[test]
fn two_hundred_threads_send_while_another_closes() {
    let cluster = EmbeddedCluster::builder()
        .topic("t", 4)
        .start()
        .expect("loopback");
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    producer.partitions_for("t").expect("known");
    let (accepted, acknowledged) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let start = Arc::new(Barrier::new(201));
    let closed = Arc::new(AtomicBool::new(false));
    let senders: Vec<_> = (0..200)
        .map(|sender| {
            let (producer, start, closed) =
                (producer.clone(), Arc::clone(&start), Arc::clone(&closed));
            let (accepted, acknowledged) = (Arc::clone(&accepted), Arc::clone(&acknowledged));
            thread::spawn(move || {
                start.wait();
                let mut futures = Vec::new();
                for number in 0..1_000_000 {
                    let value = format!("{sender}-{number}");
                    match producer.send(ProducerRecord::new("t", "k", value.as_str())) {
                        Ok(future) => futures.push(future),
                        Err(_) => break,
                    }
                    if closed.load(Ordering::Relaxed) && number > 1_000 {
                        break;
                    }
                }
                accepted.fetch_add(futures.len(), Ordering::Relaxed);
                let delivered = futures.iter().filter(|future| future.get().is_ok()).count();
                acknowledged.fetch_add(delivered, Ordering::Relaxed);
            })
        })
        .collect();
    start.wait();
    let closing = must_end("close", move || {
        let outcome = producer.close(Duration::from_secs(30));
        closed.store(true, Ordering::Relaxed);
        outcome
    });
    let _ = closing.expect("closes");
    must_end("the senders", move || {
        senders
            .into_iter()
            .for_each(|sender| sender.join().expect("no panic"))
    });
    let stored: usize = (0..4)
        .map(|p| cluster.records("t", p).expect("a partition").len())
        .sum();
    assert_eq!(
        stored,
        acknowledged.load(Ordering::Relaxed),
        "acknowledged means stored, once"
    );
}
