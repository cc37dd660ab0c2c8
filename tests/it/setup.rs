//! What the tests share: a cluster with one topic, and a producer for it.

use ottla::embedded::{EmbeddedCluster, EmbeddedClusterBuilder};
use ottla::{KafkaProducer, ProducerConfig};

pub(crate) const TOPIC: &str = "orders";

/// A cluster whose topic has one partition.
pub(crate) fn cluster() -> EmbeddedCluster {
    start(EmbeddedCluster::builder().topic(TOPIC, 1))
}

pub(crate) fn start(builder: EmbeddedClusterBuilder) -> EmbeddedCluster {
    builder.start().unwrap()
}

pub(crate) fn producer(
    cluster: &EmbeddedCluster,
    settings: &[(&str, &str)],
) -> KafkaProducer<[u8], [u8]> {
    KafkaProducer::new(config(&cluster.bootstrap_servers(), settings)).unwrap()
}

pub(crate) fn config(bootstrap_servers: &str, settings: &[(&str, &str)]) -> ProducerConfig {
    let base = [("bootstrap.servers", bootstrap_servers)];
    ProducerConfig::from_properties(base.iter().chain(settings).copied()).unwrap()
}

/// Lets other threads go on until `happened`. The tests' runner ends one that never happens.
pub(crate) fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        std::thread::yield_now();
    }
}
