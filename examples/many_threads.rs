//! Many threads share one producer: clones are handles on the same one.
//!
//! `cargo run --features embedded-broker --example many_threads [-- --bootstrap-server localhost:9092]`

#[path = "support/cluster.rs"]
mod cluster;

use ottla::{FutureRecordMetadata, KafkaError, KafkaProducer, ProducerRecord};

const THREADS: usize = 8;
const RECORDS: usize = 10_000;

fn main() -> Result<(), KafkaError> {
    let cluster = cluster::Cluster::from_arguments()?;
    let producer = KafkaProducer::<str, str>::from_properties([
        ("bootstrap.servers", cluster.servers()),
        ("compression.type", "lz4"),
    ])?;

    let outcomes: Vec<Result<usize, KafkaError>> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                scope.spawn({
                    let producer = producer.clone();
                    move || send_all(&producer, worker)
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker does not panic"))
            .collect()
    });

    let mut acknowledged = 0;
    for outcome in outcomes {
        acknowledged += outcome?;
    }
    println!(
        "{acknowledged} of {} records acknowledged",
        THREADS * RECORDS
    );
    Ok(())
}

/// Records of one thread with the same key keep their order.
fn send_all(producer: &KafkaProducer<str, str>, worker: usize) -> Result<usize, KafkaError> {
    let key = format!("worker-{worker}");
    let mut futures = Vec::with_capacity(RECORDS);
    for number in 0..RECORDS {
        let value = number.to_string();
        futures.push(producer.send(ProducerRecord::new(
            "many-threads",
            key.as_str(),
            value.as_str(),
        ))?);
    }
    let outcomes: Result<Vec<_>, _> = FutureRecordMetadata::get_all(&futures)
        .into_iter()
        .collect();
    Ok(outcomes?.len())
}
