//! Transactions on real Kafka, with both versions of the protocol, read back by the Java consumer that reads what is
//! committed.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla::{
    ConsumerGroupMetadata, ErrorKind, KafkaProducer, OffsetAndMetadata, ProducerRecord,
    TopicPartition,
};

use crate::cluster::KafkaCluster;
use crate::reader::read_with_java;

const TOPIC: &str = "transactions";
const PARTITIONS: i32 = 3;
const TRANSACTIONS: i32 = 200;

type Producer = KafkaProducer<str, str>;

/// A version of Kafka, and what it is formatted with. From 4.0 on transactions are of version 2 unless it is told.
const CLUSTERS: [(&str, &[&str]); 4] = [
    ("4.3.1", &[]),
    ("4.3.1", &["transaction.version=1"]),
    ("3.9.1", &[]),
    ("2.8.2", &[]),
];

#[test]
fn only_committed_transactions_are_read_and_only_the_newest_producer_commits() {
    for (version, features) in CLUSTERS {
        let Some(cluster) = KafkaCluster::start_with(1, version, features) else {
            return;
        };
        cluster.create_topic(TOPIC, 3, &[]);
        let mut expected = commit_and_abort(&cluster);
        expected.extend(fence(&cluster));
        let stored = read_with_java(&cluster, &[TOPIC]).remove(TOPIC);
        let stored = stored.expect("the topic");
        let mut found: Vec<_> = stored.values().flatten().map(value).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{version} {features:?}");
        println!("{version} {features:?}: {} committed records", found.len());
    }
}

fn producer(cluster: &KafkaCluster) -> Producer {
    let producer = Producer::from_properties([
        ("bootstrap.servers", cluster.bootstrap()),
        ("transactional.id", "interop"),
    ]);
    let producer = producer.expect("a producer");
    producer.init_transactions().expect("initialized");
    producer
}

/// Every fourth transaction is aborted. Returns what is committed.
fn commit_and_abort(cluster: &KafkaCluster) -> Vec<String> {
    let producer = producer(cluster);
    let group = ConsumerGroupMetadata::new("interop-group");
    let mut committed = Vec::new();
    for number in 0..TRANSACTIONS {
        producer.begin_transaction().expect("begun");
        let values: Vec<_> = (0..PARTITIONS).map(|p| format!("{number}/{p}")).collect();
        for (partition, value) in (0..).zip(&values) {
            let record = ProducerRecord::new(TOPIC, "key", value.as_str());
            let _sent = producer
                .send(record.with_partition(partition))
                .expect("sent");
        }
        if number % 10 == 0 {
            let next = OffsetAndMetadata::new(i64::from(number));
            let offsets = BTreeMap::from([(TopicPartition::new(TOPIC, 0), next)]);
            let sent = producer.send_offsets_to_transaction(&offsets, &group);
            sent.expect("offsets");
        }
        if number % 4 == 3 {
            producer.abort_transaction().expect("aborted");
        } else {
            producer.commit_transaction().expect("committed");
            committed.extend(values);
        }
    }
    let _report = producer.close(Duration::from_secs(10)).expect("closed");
    committed
}

/// A second producer takes over in the middle of a transaction.
fn fence(cluster: &KafkaCluster) -> Vec<String> {
    let old = producer(cluster);
    old.begin_transaction().expect("begun");
    let sent = old.send(ProducerRecord::new(TOPIC, "key", "fenced"));
    sent.expect("sent").get().expect("written");
    let new = producer(cluster);
    new.begin_transaction().expect("begun");
    let _sent = new
        .send(ProducerRecord::new(TOPIC, "key", "newest"))
        .expect("sent");
    new.commit_transaction().expect("committed");
    let refused = old.commit_transaction().expect_err("fenced");
    assert!(refused.is_fatal(), "{refused}");
    assert_eq!(refused.kind(), ErrorKind::ProducerFenced);
    vec!["newest".to_owned()]
}

fn value(record: &crate::reader::StoredRecord) -> String {
    let bytes = record.value.clone().expect("a value");
    String::from_utf8(bytes).expect("a text")
}
