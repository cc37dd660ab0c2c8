//! Counts what callbacks tell, on the producer's I/O thread: be quick there, and never block.
//!
//! `cargo run --features embedded-broker --example callbacks [-- --bootstrap-server localhost:9092]`

#[path = "support/cluster.rs"]
mod cluster;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla::{KafkaError, KafkaProducer, Persisted, ProducerRecord};

const RECORDS: usize = 1_000;

fn main() -> Result<(), KafkaError> {
    let cluster = cluster::Cluster::from_arguments()?;
    let producer =
        KafkaProducer::<str, str>::from_properties([("bootstrap.servers", cluster.servers())])?;

    let delivered = Arc::new(AtomicUsize::new(0));
    for number in 0..RECORDS {
        let delivered = Arc::clone(&delivered);
        let record = ProducerRecord::new(
            "callbacks",
            format!("key-{}", number % 10),
            format!("{number}"),
        );
        let _sent = producer.send_with_callback(record, move |result| match result {
            Ok(_) => {
                delivered.fetch_add(1, Ordering::Relaxed);
            }
            // The error says what to do about it.
            Err(error) if error.persisted() == Persisted::No => {
                eprintln!("send {number} again: {error}")
            }
            Err(error) => eprintln!("record {number} may be in the log all the same: {error}"),
        })?;
    }

    // `flush` returns when every callback has run.
    producer.flush()?;
    println!(
        "{} of {RECORDS} records delivered",
        delivered.load(Ordering::Relaxed)
    );

    // A blocking call in a callback would wait for itself, so it is refused.
    let inside = producer.clone();
    let _sent = producer.send_with_callback(
        ProducerRecord::new("callbacks", "last", "record"),
        move |_| {
            if let Err(error) = inside.flush() {
                println!("in a callback: {error}");
            }
        },
    )?;
    producer.flush()
}
