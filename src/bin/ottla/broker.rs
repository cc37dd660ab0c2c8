//! `ottla broker`: the embedded cluster in the foreground.

use clap::Args;
use ottla::embedded::EmbeddedCluster;
use ottla::{ErrorKind, KafkaError};

use crate::stop::Stop;

/// How the cluster shall look.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// How many brokers.
    #[arg(long, default_value_t = 1)]
    brokers: i32,
    /// The first broker's port; the others follow. 0 takes free ports.
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// A topic to begin with, NAME or NAME:PARTITIONS. May be repeated.
    #[arg(long, value_name = "NAME:PARTITIONS")]
    topic: Vec<String>,
    /// Partitions of a topic that does not say so itself.
    #[arg(long, default_value_t = 1)]
    partitions: i32,
    /// Do not make topics on demand.
    #[arg(long)]
    no_auto_create: bool,
    /// The feature transaction.version: 0, 1, or 2 (KIP-890).
    #[arg(long, default_value_t = 2)]
    transaction_version: i16,
}

pub(crate) fn run(options: &Options) -> Result<(), KafkaError> {
    let stop =
        Stop::on_signals().map_err(|error| KafkaError::new(ErrorKind::Kafka, error.to_string()))?;
    let mut builder = EmbeddedCluster::builder()
        .brokers(options.brokers)
        .port(options.port)
        .default_partitions(options.partitions)
        .auto_create_topics(!options.no_auto_create)
        .transaction_version(options.transaction_version);
    for topic in &options.topic {
        let (name, partitions) = parse_topic(topic, options.partitions)?;
        builder = builder.topic(name, partitions);
    }
    let cluster = builder.start()?;
    println!("bootstrap.servers={}", cluster.bootstrap_servers());
    while stop.pause(LONG) {}
    Ok(())
}

fn parse_topic(text: &str, default: i32) -> Result<(&str, i32), KafkaError> {
    let Some((name, partitions)) = text.split_once(':') else {
        return Ok((text, default));
    };
    let partitions = partitions.parse().map_err(|_| {
        let text = format!("--topic takes NAME or NAME:PARTITIONS, not {text:?}");
        KafkaError::new(ErrorKind::Config, text)
    })?;
    Ok((name, partitions))
}

const LONG: std::time::Duration = std::time::Duration::from_secs(3600);
