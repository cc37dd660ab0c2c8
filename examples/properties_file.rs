//! Configures a producer from the `.properties` file that a Java producer would read.
//!
//! `cargo run --features embedded-broker --example properties_file [-- --bootstrap-server localhost:9092]`

#[path = "support/cluster.rs"]
mod cluster;

use std::time::Duration;

use ottla::{KafkaError, KafkaProducer, ProducerConfig, ProducerRecord};

const FILE: &str = "\
# As for the Java producer; keys that make no sense outside of a JVM would be refused by name.
acks = all
compression.type = gzip
compression.gzip.level = 6
linger.ms = 20
";

fn main() -> Result<(), KafkaError> {
    let cluster = cluster::Cluster::from_arguments()?;
    let path =
        std::env::temp_dir().join(format!("ottla-example-{}.properties", std::process::id()));
    let text = format!("bootstrap.servers = {}\n{FILE}", cluster.servers());
    std::fs::write(&path, text).expect("the folder for temporary files can be written");

    let config = ProducerConfig::from_properties_file(&path);
    std::fs::remove_file(&path).expect("the file was just written");
    let config = config?;
    for key in ["acks", "compression.type", "linger.ms", "batch.size"] {
        println!("{key} = {}", config.get(key).unwrap_or_default());
    }

    let producer = KafkaProducer::<str, str>::new(config)?;
    let metadata = producer
        .send(ProducerRecord::new("from-a-file", "key", "value"))?
        .get()?;
    println!("sent: {metadata}");
    let _report = producer.close(Duration::from_secs(10))?;

    // A misspelt key is an error that names the nearest known one, not a line in a log.
    let misspelt = [("bootstrap.servers", cluster.servers()), ("linger", "20")];
    if let Err(error) = ProducerConfig::from_properties(misspelt) {
        println!("refused: {error}");
    }
    Ok(())
}
