//! Sends numbered messages, first waiting for each one, then with a callback.
//!
//! `cargo run --features embedded-broker --example quickstart [-- --bootstrap-server localhost:9092]`

#[path = "support/cluster.rs"]
mod cluster;

use std::time::Instant;

use ottla::{KafkaError, KafkaProducer, ProducerRecord};

const TOPIC: &str = "quickstart";
const MESSAGES: i32 = 5;

fn main() -> Result<(), KafkaError> {
    let cluster = cluster::Cluster::from_arguments()?;
    let producer = KafkaProducer::<i32, str>::from_properties([
        ("bootstrap.servers", cluster.servers()),
        ("client.id", "quickstart"),
    ])?;

    for number in 1..=MESSAGES {
        let message = format!("Message_{number}");
        producer
            .send(ProducerRecord::new(TOPIC, number, message.as_str()))?
            .get()?;
        println!("Sent message: ({number}, {message})");
    }

    for number in 1..=MESSAGES {
        let message = format!("Message_{number}");
        let record = ProducerRecord::new(TOPIC, number, message.clone());
        let start = now();
        // The future is dropped: the callback tells how it went.
        let _sent = producer.send_with_callback(record, move |result| match result {
            Ok(metadata) => println!(
                "message({number}, {message}) sent to partition({}), offset({}) in {} ms",
                metadata.partition(),
                metadata.offset(),
                start.elapsed().as_millis(),
            ),
            Err(error) => eprintln!("message({number}, {message}) failed: {error}"),
        })?;
    }

    let _report = producer.close(std::time::Duration::from_secs(30))?;
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "an application has its own clock"
)]
fn now() -> Instant {
    Instant::now()
}
