//! Chooses partitions by what records say: orders of important customers have a partition to themselves.
//!
//! `cargo run --features embedded-broker --example custom_partitioner [-- --bootstrap-server localhost:9092]`

#[path = "support/cluster.rs"]
mod cluster;

use std::time::Duration;

use ottla::{
    Cluster, KafkaError, KafkaProducer, Partitioner, ProducerConfig, ProducerRecord, RecordToPlace,
};

/// Partition 0 for keys that begin with "vip", the others for the rest.
struct ImportantFirst;

impl Partitioner<str, str> for ImportantFirst {
    fn partition(
        &self,
        record: &RecordToPlace<'_, str, str>,
        cluster: &Cluster<'_>,
    ) -> Result<i32, KafkaError> {
        let count = cluster.partition_count(record.topic()).unwrap_or(1);
        let key = record.key().unwrap_or_default();
        if key.starts_with("vip") || count == 1 {
            return Ok(0);
        }
        let sum: usize = key.bytes().map(usize::from).sum();
        Ok(i32::try_from(1 + sum % (count - 1)).unwrap_or_default())
    }
}

fn main() -> Result<(), KafkaError> {
    let cluster = cluster::Cluster::from_arguments()?;
    let config = ProducerConfig::builder(cluster.servers()).build()?;
    let producer = KafkaProducer::<str, str>::builder(config)
        .partitioner(ImportantFirst)
        .build()?;

    for key in ["vip-7", "guest-1", "guest-2", "vip-9"] {
        let metadata = producer
            .send(ProducerRecord::new("orders-by-customer", key, "an order"))?
            .get()?;
        println!("{key} went to partition {}", metadata.partition());
    }
    let _report = producer.close(Duration::from_secs(10))?;
    Ok(())
}
