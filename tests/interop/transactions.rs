//! Transactions on real Kafka, with both versions of the protocol, read back `read_committed` by the Java consumer and
//! by confluent-kafka.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use ottla::{
    ConsumerGroupMetadata, ErrorKind, KafkaError, KafkaProducer, OffsetAndMetadata, ProducerRecord,
    TopicPartition,
};

use crate::cluster::{KafkaCluster, oracle};
use crate::reader::{StoredRecord, read_with_confluent, read_with_java};

const TOPIC: &str = "transactions";
const TIMEOUTS: &str = "timeouts";
const TIMEOUTS_OF_JAVA: &str = "timeouts-of-java";
const GROUP: &str = "interop-group";
const PARTITIONS: i32 = 3;
const TRANSACTIONS: i32 = 200;
/// Of the last transaction that commits an offset; the one behind it, 195, is aborted.
const LAST_OFFSET: i64 = 190;
/// A broker looks for transactions that are too old every ten seconds unless it is told.
const LOOKS_EVERY_SECOND: &str = "transaction.abort.timed.out.transaction.cleanup.interval.ms=1000";
const MOST_PROBES: usize = 1200;

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
        let lines = &[LOOKS_EVERY_SECOND];
        let Some(cluster) = KafkaCluster::start_with(1, version, features, lines) else {
            return;
        };
        cluster.create_topic(TOPIC, 3, &[]);
        let mut expected = commit_and_abort(&cluster);
        expected.extend(fence(&cluster));
        expected.sort();
        let told = too_late(&cluster, features);
        let mut in_the_end = vec!["after", "after"];
        if told.ends_with(&["next ok".to_owned()]) {
            in_the_end.push("next");
        }
        check_what_is_read(&cluster, &expected, &in_the_end);
        println!("{version} {features:?}: too late: {told:?}");
    }
}

/// Both readers find exactly what was committed, at the same places, and the group's offset is that of the last commit.
fn check_what_is_read(cluster: &KafkaCluster, expected: &[String], in_the_end: &[&str]) {
    let topics = [TOPIC, TIMEOUTS];
    let by_java = read_with_java(cluster, &topics);
    let by_java = topics.map(|topic| {
        let partitions = (0..).zip(0..PARTITIONS as u32);
        let records = partitions.flat_map(|(number, partition)| {
            let stored = by_java[topic].get(&partition);
            let stored = stored.into_iter().flatten();
            stored.map(move |record| (number, record.offset, value(record)))
        });
        records.collect::<Vec<(i32, _, _)>>()
    });
    let values = |records: &[(i32, i64, String)]| {
        let mut values: Vec<_> = records.iter().map(|record| record.2.clone()).collect();
        values.sort();
        values
    };
    assert_eq!(values(&by_java[0]), expected, "{}", cluster.version());
    let mut of_timeouts = values(&by_java[1]);
    of_timeouts.retain(|value| value != "probe");
    assert_eq!(of_timeouts, in_the_end, "{}", cluster.version());

    let Some(by_confluent) = read_with_confluent(cluster, GROUP, &topics) else {
        return;
    };
    for (topic, by_java) in topics.into_iter().zip(by_java) {
        let mut records = by_confluent.records[topic].clone();
        records.sort();
        assert_eq!(records, by_java, "{topic} of {}", cluster.version());
    }
    let offsets = BTreeMap::from([((TOPIC.to_owned(), 0), LAST_OFFSET)]);
    assert_eq!(by_confluent.offsets, offsets, "{}", cluster.version());
    println!(
        "{}: {} records read by both",
        cluster.version(),
        expected.len()
    );
}

/// The broker aborts transactions that are left open for too long. Each call after that ends as it does in Java, and a
/// new producer with the same id goes on. Returns how the calls end.
fn too_late(cluster: &KafkaCluster, features: &[&str]) -> Vec<String> {
    cluster.create_topic(TIMEOUTS, 1, &[]);
    cluster.create_topic(TIMEOUTS_OF_JAVA, 1, &[]);
    let late = expired(cluster, "late-commit");
    let refused = late.commit_transaction().expect_err("too late");
    assert!(refused.is_fatal(), "{refused}");
    let mut told = vec![format!("commit {}", outcome(Err(refused)))];
    go_on(cluster, "late-commit");

    let late = expired(cluster, "late-send");
    let record = |value| ProducerRecord::new(TIMEOUTS, "key", value).with_partition(0);
    let sent = late.send(record("late")).and_then(|sent| sent.get());
    told.push(format!("send {}", outcome(sent.map(drop))));
    told.push(format!("abort {}", outcome(late.abort_transaction())));
    let next = late.begin_transaction();
    let next = next.and_then(|()| late.send(record("next")).map(drop));
    let next = next.and_then(|()| late.commit_transaction());
    told.push(format!("next {}", outcome(next)));
    go_on(cluster, "late-send");

    let words = ["expire", cluster.bootstrap(), TIMEOUTS_OF_JAVA, "late-java"];
    let java = oracle(&words).expect("the oracle runs where Kafka runs");
    let java: Vec<_> = java.lines().collect();
    assert_eq!(told, java, "{} {features:?}", cluster.version());
    told
}

/// As Java's exception is named.
fn outcome(result: Result<(), KafkaError>) -> String {
    match result {
        Ok(()) => "ok".to_owned(),
        Err(error) => format!("{:?}Exception", error.kind()),
    }
}

/// A producer whose open transaction the broker has aborted: its marker takes an offset between two probes.
fn expired(cluster: &KafkaCluster, id: &str) -> Producer {
    let late = Producer::from_properties([
        ("bootstrap.servers", cluster.bootstrap()),
        ("transactional.id", id),
        ("transaction.timeout.ms", "1000"),
    ]);
    let late = late.expect("a producer");
    late.init_transactions().expect("initialized");
    late.begin_transaction().expect("begun");
    let write = |producer: &Producer, value| {
        // Not `get`, which ends the linger that gives the broker its time.
        let (told, outcome) = mpsc::channel();
        let record = ProducerRecord::new(TIMEOUTS, "key", value).with_partition(0);
        let sent = producer.send_with_callback(record, move |outcome| {
            let _gone = told.send(outcome.map(|metadata| metadata.offset()));
        });
        let _sent = sent.expect("sent");
        let outcome = outcome.recv().expect("an outcome");
        outcome.expect("written")
    };
    let mut last = write(&late, "expired");
    let settings = [
        ("bootstrap.servers", cluster.bootstrap()),
        ("linger.ms", "50"),
    ];
    let probe = Producer::from_properties(settings).expect("a producer");
    let found = (0..MOST_PROBES).any(|_| {
        let before = std::mem::replace(&mut last, write(&probe, "probe"));
        last != before + 1
    });
    assert!(found, "the broker aborts no transaction");
    late
}

fn go_on(cluster: &KafkaCluster, id: &str) {
    let settings = [
        ("bootstrap.servers", cluster.bootstrap()),
        ("transactional.id", id),
    ];
    let producer = Producer::from_properties(settings).expect("a producer");
    producer.init_transactions().expect("initialized");
    let done = producer.in_transaction(|producer| {
        let record = ProducerRecord::new(TIMEOUTS, "key", "after");
        producer.send(record).map(drop)
    });
    done.expect("committed");
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
    let group = ConsumerGroupMetadata::new(GROUP);
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
        if number % 5 == 0 {
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

fn value(record: &StoredRecord) -> String {
    let bytes = record.value.clone().expect("a value");
    String::from_utf8(bytes).expect("a text")
}
