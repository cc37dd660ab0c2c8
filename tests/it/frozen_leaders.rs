//! Brokers that keep their connections open and stop answering. With the default limits a request waits half a minute for
//! its answer, and no test here has that much patience.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla::embedded::{Api, EmbeddedCluster, Fault};
use ottla::{
    ConsumerGroupMetadata, Null, OffsetAndMetadata, Persisted, ProducerRecord, TopicPartition,
};

use crate::support::{Text, must_end, text, text_producer, values};

const TOPIC: &str = "orders";

fn three_brokers() -> EmbeddedCluster {
    EmbeddedCluster::builder()
        .brokers(3)
        .topic(TOPIC, 3)
        .start()
        .expect("loopback")
}

/// Suspects soon, and would wait for an answer for longer than the test does.
fn suspicious(cluster: &EmbeddedCluster, more: &[(&str, &str)]) -> Text {
    let mut settings = vec![
        ("ottla.leader.suspect.ms", "50"),
        ("request.timeout.ms", "100000"),
        ("delivery.timeout.ms", "200000"),
        ("linger.ms", "0"),
    ];
    settings.extend_from_slice(more);
    text_producer(&cluster.bootstrap_servers(), &settings)
}

fn record(value: String) -> ProducerRecord<'static, Null<str>, String> {
    ProducerRecord::value_only(TOPIC, value).with_partition(0)
}

/// The broker that leads partition 0, and one that does not.
fn leader_and_other(cluster: &EmbeddedCluster) -> (i32, i32) {
    let leader = cluster.leader(TOPIC, 0).expect("a leader");
    let other = if leader == 1 { 2 } else { 1 };
    (leader, other)
}

/// A broker that takes batches and does not answer: the next leader has them already, and says so.
#[test]
fn batches_that_a_frozen_leader_took_are_acknowledged_by_the_next_one_and_stand_there_once() {
    must_end("the frozen leader", || {
        let cluster = three_brokers();
        let producer = suspicious(&cluster, &[]);
        producer
            .send(record("first".into()))
            .unwrap()
            .get()
            .unwrap();
        let (leader, other) = leader_and_other(&cluster);
        let silent = Fault::on(Api::Produce).broker(leader).never_answer();
        cluster.inject(silent);
        let futures: Vec<_> = (0..20)
            .map(|n| producer.send(record(format!("{n:02}"))).unwrap())
            .collect();
        cluster.move_leader(TOPIC, 0, other).unwrap();
        for future in &futures {
            future.get().unwrap();
        }
        let mut expected = vec!["first".to_owned()];
        expected.extend((0..20).map(|n| format!("{n:02}")));
        assert_eq!(values(&cluster, TOPIC, 0), expected);
    });
}

/// The first batch of a partition ever, in the hands of a frozen leader. Scenario: ID21.
#[test]
fn the_very_first_batches_of_a_partition_keep_their_order_through_a_frozen_leader() {
    must_end("the frozen leader", || {
        for round in 0..10 {
            let cluster = three_brokers();
            let producer = suspicious(&cluster, &[]);
            let (leader, other) = leader_and_other(&cluster);
            cluster.inject(Fault::on(Api::Produce).broker(leader).never_answer());
            let mut futures = Vec::new();
            for n in 0..30 {
                futures.push(producer.send(record(format!("{n:02}"))).unwrap());
                if n == round * 3 {
                    cluster.move_leader(TOPIC, 0, other).unwrap();
                }
            }
            for future in &futures {
                future.get().unwrap();
            }
            let expected: Vec<_> = (0..30).map(|n| format!("{n:02}")).collect();
            assert_eq!(values(&cluster, TOPIC, 0), expected);
        }
    });
}

#[test]
fn a_slow_leader_that_stays_the_leader_keeps_its_connection() {
    must_end("the slow leader", || {
        let cluster = three_brokers();
        let producer = suspicious(&cluster, &[]);
        producer.send(record("0".into())).unwrap().get().unwrap();
        let slow = Duration::from_millis(200);
        cluster.inject(Fault::on(Api::Produce).delay(slow).times(10));
        let before = cluster.requests(Api::Produce);
        for n in 1..=10 {
            producer.send(record(n.to_string())).unwrap().get().unwrap();
        }
        assert_eq!(
            cluster.requests(Api::Produce) - before,
            10,
            "none was repeated"
        );
        assert_eq!(values(&cluster, TOPIC, 0).len(), 11);
    });
}

#[test]
fn a_broker_that_never_answers_questions_holds_up_nobody() {
    for api in [Api::Metadata, Api::ApiVersions, Api::InitProducerId] {
        for silent in 1..=3 {
            must_end("the silent broker", move || {
                let cluster = EmbeddedCluster::builder()
                    .brokers(3)
                    .start()
                    .expect("loopback");
                cluster.inject(Fault::on(api).broker(silent).never_answer());
                cluster.create_topic(TOPIC, 3).unwrap();
                // A partition that the silent broker does not lead: nobody else can take what is led there.
                let partition = (0..3).find(|p| cluster.leader(TOPIC, *p) != Some(silent));
                let producer = suspicious(&cluster, &[("max.block.ms", "50000")]);
                let record =
                    record("value".to_owned()).with_partition(partition.expect("three leaders"));
                producer.send(record).unwrap().get().unwrap();
            });
        }
    }
}

/// Leaders freeze one after another, the cluster elects others by itself, and the frozen ones come back as followers.
#[test]
fn a_round_of_freezes_loses_repeats_and_reorders_nothing() {
    must_end("a round of freezes", || {
        let cluster = EmbeddedCluster::builder()
            .brokers(3)
            .topic(TOPIC, 1)
            .replication_factor(3)
            .min_insync_replicas(2)
            .session_timeout(Duration::from_millis(100))
            .start()
            .expect("loopback");
        let producer = suspicious(&cluster, &[]);
        let mut futures = Vec::new();
        for round in 0..6 {
            let leader = cluster.leader(TOPIC, 0).expect("a leader");
            for n in 0..10 {
                futures.push(producer.send(record(format!("{round} {n}"))).unwrap());
            }
            assert!(cluster.pause_broker(leader));
            for n in 10..20 {
                futures.push(producer.send(record(format!("{round} {n}"))).unwrap());
            }
            for future in &futures {
                future.get().unwrap();
            }
            assert_ne!(
                cluster.leader(TOPIC, 0),
                Some(leader),
                "another one was elected"
            );
            assert!(cluster.resume_broker(leader));
        }
        let mut expected = Vec::new();
        for round in 0..6 {
            expected.extend((0..20).map(|n| format!("{round} {n}")));
        }
        assert_eq!(values(&cluster, TOPIC, 0), expected);
    });
}

/// Who freezes, and when, in the course of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Freeze {
    BeforeTheFirstRecord,
    BeforeOffsets,
    BeforeCommit,
    /// The one that keeps the group's offsets.
    GroupBeforeOffsets,
}

fn transact(cluster: &EmbeddedCluster, producer: &Text, value: &str, freeze: Freeze) {
    let group = ConsumerGroupMetadata::new("billing");
    let next = [(TopicPartition::new(TOPIC, 1), OffsetAndMetadata::new(5))];
    let next: BTreeMap<_, _> = next.into_iter().collect();
    let frozen = match freeze {
        Freeze::GroupBeforeOffsets => cluster.group_coordinator("billing"),
        _ => cluster.transaction_coordinator("transfer"),
    };
    let frozen = frozen.expect("a coordinator");
    let freeze_at = |here: &[Freeze]| {
        if here.contains(&freeze) {
            assert!(cluster.pause_broker(frozen));
        }
    };
    producer.begin_transaction().unwrap();
    freeze_at(&[Freeze::BeforeTheFirstRecord]);
    let _sent = producer.send(record(value.to_owned())).unwrap();
    freeze_at(&[Freeze::BeforeOffsets, Freeze::GroupBeforeOffsets]);
    producer.send_offsets_to_transaction(&next, &group).unwrap();
    freeze_at(&[Freeze::BeforeCommit]);
    producer.commit_transaction().unwrap();
    assert!(cluster.resume_broker(frozen));
}

/// What takes part in a transaction freezes at each point of it, and comes back as a follower.
#[test]
fn a_frozen_coordinator_costs_a_failover_and_every_transaction_is_committed_once() {
    let freezes = [
        Freeze::BeforeTheFirstRecord,
        Freeze::BeforeOffsets,
        Freeze::BeforeCommit,
        Freeze::GroupBeforeOffsets,
    ];
    for version in [1, 2] {
        must_end("the frozen coordinator", move || {
            let cluster = EmbeddedCluster::builder()
                .brokers(3)
                .topic(TOPIC, 2)
                .replication_factor(3)
                .min_insync_replicas(2)
                .transaction_version(version)
                .session_timeout(Duration::from_millis(20))
                .start()
                .expect("loopback");
            let settings = [
                ("transactional.id", "transfer"),
                ("transaction.timeout.ms", "200000"),
                ("max.block.ms", "200000"),
            ];
            let producer = suspicious(&cluster, &settings);
            producer.init_transactions().unwrap();
            let mut expected = Vec::new();
            for freeze in freezes {
                let value = format!("{freeze:?}");
                transact(&cluster, &producer, &value, freeze);
                expected.push(value);
            }
            let last = producer
                .in_transaction(|transaction| transaction.send(record("last".to_owned())))
                .unwrap();
            assert!(last.is_done());
            expected.push("last".to_owned());
            let committed = cluster.committed_records(TOPIC, 0).unwrap();
            let committed: Vec<_> = committed.into_iter().map(|r| text(r.value)).collect();
            assert_eq!(committed, expected, "version {version}");
        });
    }
}

#[test]
fn zero_switches_suspicion_off_and_the_request_timeout_decides() {
    must_end("the frozen leader", || {
        let cluster = three_brokers();
        let settings = [
            ("ottla.leader.suspect.ms", "0"),
            ("request.timeout.ms", "300"),
            ("delivery.timeout.ms", "300"),
        ];
        let producer = suspicious(&cluster, &settings);
        producer.send(record("0".into())).unwrap().get().unwrap();
        let (leader, other) = leader_and_other(&cluster);
        cluster.inject(Fault::on(Api::Produce).broker(leader).never_answer());
        let future = producer.send(record("1".into())).unwrap();
        cluster.move_leader(TOPIC, 0, other).unwrap();
        let error = future.get().unwrap_err();
        assert_eq!(error.persisted(), Persisted::Maybe);
    });
}
