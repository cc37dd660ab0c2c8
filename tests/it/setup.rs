//! What the tests share: a cluster with one topic, and a producer for it.

use ottla::embedded::{EmbeddedCluster, EmbeddedClusterBuilder};

use crate::support::{Bytes, bytes_producer};

pub(crate) const TOPIC: &str = "orders";

/// A cluster whose topic has one partition.
pub(crate) fn cluster() -> EmbeddedCluster {
    start(EmbeddedCluster::builder().topic(TOPIC, 1))
}

pub(crate) fn start(builder: EmbeddedClusterBuilder) -> EmbeddedCluster {
    builder.start().unwrap()
}

pub(crate) fn producer(cluster: &EmbeddedCluster, settings: &[(&str, &str)]) -> Bytes {
    bytes_producer(&cluster.bootstrap_servers(), settings)
}

/// Lets other threads go on until `happened`. The tests' runner ends one that never happens.
pub(crate) fn until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        std::thread::yield_now();
    }
}
