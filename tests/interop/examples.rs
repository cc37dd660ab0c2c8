//! The examples with real Kafka in place of the cluster that they bring along.

#[path = "../examples/expected.rs"]
mod expected;

use expected::{ANYWHERE, PROPERTIES_FILE, check};

use crate::cluster::KafkaCluster;

#[test]
fn examples_run_with_real_kafka() {
    for version in ["4.3.1", "2.8.2"] {
        let Some(cluster) = KafkaCluster::start(1, version) else {
            return;
        };
        cluster.create_topic("orders-by-customer", 4, &[]);
        let servers = Some(cluster.bootstrap());
        for example in ANYWHERE {
            check(*example, servers);
        }
        check(PROPERTIES_FILE, servers);
        let lines = &[
            "next order: 2",
            "aborted: the printer has no paper",
            "next order: 2",
            "next order: 4",
        ];
        check(("consume_transform_produce", lines), servers);
    }
}
