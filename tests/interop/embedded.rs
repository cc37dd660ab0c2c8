//! The embedded cluster under clients that are not ours, and its answers beside those of real Kafka.

use crate::cluster::{KafkaCluster, oracle};
use ottla::embedded::EmbeddedCluster;
use std::process::{Command, Stdio};

/// The broker must say what a real one says, word for word: errors, epochs, what the log holds, who sees it.
#[test]
fn the_embedded_broker_answers_transactions_as_real_kafka_does() {
    let Some(kafka) = KafkaCluster::start(1, "4.3.1") else {
        return;
    };
    let embedded = EmbeddedCluster::builder()
        .start()
        .expect("an embedded cluster starts");
    let expected = probe(kafka.bootstrap());
    let found = probe(&embedded.bootstrap_servers());
    assert!(expected.lines().count() > 100, "{expected}");
    for (expected, found) in expected.lines().zip(found.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found, expected);
}

fn probe(bootstrap: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/transactions.py");
    let output = Command::new("python3")
        .args([script, bootstrap])
        .stderr(Stdio::inherit())
        .output()
        .expect("python3 can be started");
    assert!(output.status.success(), "the probe of {bootstrap} failed");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The Java producer commits, aborts and is fenced; the Java consumer reads what is committed; our read-back agrees.
#[test]
fn the_java_client_runs_transactions_on_the_embedded_cluster() {
    for version in [1, 2] {
        let cluster = EmbeddedCluster::builder()
            .brokers(3)
            .topic("java", 1)
            .transaction_version(version)
            .start()
            .expect("an embedded cluster starts");
        let bootstrap = cluster.bootstrap_servers();
        let Some(said) = oracle(&["transact", &bootstrap, "java", "id"]) else {
            return;
        };
        let committed = (0..30).filter(|n| n % 3 != 2);
        let mut values: Vec<String> = committed
            .flat_map(|n| (0..5).map(move |i| format!("{n}-{i}")))
            .collect();
        values.push("last".to_owned());
        let expected = [
            "fenced ProducerFencedException",
            "offset 28",
            &format!("committed {}", values.join(" ")),
        ];
        let said: Vec<&str> = said.lines().map(str::trim_end).collect();
        assert_eq!(said, expected, "transaction.version {version}");

        let records = cluster.committed_records("java", 0).expect("the topic");
        let ours: Vec<String> = records
            .into_iter()
            .map(|record| String::from_utf8_lossy(&record.value.unwrap_or_default()).into_owned())
            .collect();
        assert_eq!(ours, values);
        assert_eq!(cluster.group_offset("id", "java", 0), Some(28));
        assert_eq!(cluster.ongoing_transactions(), Vec::<String>::new());
    }
}
