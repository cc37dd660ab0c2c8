//! What happens when records come faster than brokers take them: `send` waits, `try_send` gives the record back.
//!
//! `cargo run --features embedded-broker --example backpressure [-- --bootstrap-server localhost:9092]`

#[path = "support/cluster.rs"]
mod cluster;

use std::time::Duration;

use ottla::{KafkaError, KafkaProducer, ProducerRecord};

fn main() -> Result<(), KafkaError> {
    let cluster = cluster::Cluster::from_arguments()?;
    let producer = KafkaProducer::<[u8], [u8]>::from_properties([
        ("bootstrap.servers", cluster.servers()),
        // Room for a few records only, and a long linger, so that the buffer fills up at once.
        ("buffer.memory", "32768"),
        ("batch.size", "8192"),
        ("max.request.size", "16384"),
        ("linger.ms", "1000"),
        ("max.block.ms", "5000"),
    ])?;
    // `try_send` does not wait for metadata either: ask for it once.
    println!(
        "partitions: {}",
        producer.partitions_for("backpressure")?.len()
    );

    let mut accepted = 0;
    let refused = loop {
        let record = ProducerRecord::new("backpressure", vec![1; 4], vec![0; 1000]);
        match producer.try_send(record) {
            Ok(_future) => accepted += 1,
            Err(refused) => break refused,
        }
    };
    println!("{accepted} records fit; then: {}", refused.error());

    // The record comes back; waiting for room is the caller's choice, with a limit of its own.
    let record = refused.into_record();
    let metadata = producer
        .send_timeout(record, Duration::from_secs(5))?
        .get()?;
    println!("the refused record is {metadata} after all");

    let report = producer.close(Duration::from_secs(10))?;
    println!("on close: {report:?}");
    Ok(())
}
