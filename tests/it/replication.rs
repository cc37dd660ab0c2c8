//! Brokers with replicas that fall behind, die and stand still: what a producer is told, and what is left.

use std::time::Duration;

use ottla::embedded::{Api, EmbeddedCluster, EmbeddedClusterBuilder};
use ottla::{ErrorKind, KafkaError, Null, Persisted, ProducerRecord, RecordMetadata};

use crate::support::{Text, must_end, text_producer, values};

const TOPIC: &str = "orders";
/// Longer than any test takes.
const NEVER: Duration = Duration::from_secs(3600);

fn three_brokers() -> EmbeddedClusterBuilder {
    EmbeddedCluster::builder().brokers(3).topic(TOPIC, 1)
}

fn producer(cluster: &EmbeddedCluster, more: &[(&str, &str)]) -> Text {
    let mut settings = vec![("linger.ms", "0"), ("retry.backoff.ms", "10")];
    settings.extend_from_slice(more);
    text_producer(&cluster.bootstrap_servers(), &settings)
}

fn record(value: &str) -> ProducerRecord<'_, Null<str>, &str> {
    ProducerRecord::value_only(TOPIC, value)
}

fn send(producer: &Text, value: &str) -> Result<RecordMetadata, KafkaError> {
    producer.send(record(value))?.get()
}

fn leader(cluster: &EmbeddedCluster) -> i32 {
    cluster.leader(TOPIC, 0).expect("a leader")
}

/// Reliability A1.
#[test]
fn what_acks_of_one_acknowledged_dies_with_its_leader_and_its_offset_is_given_out_again() {
    must_end("the killed leader", || {
        let cluster = three_brokers()
            .replication_delay(NEVER)
            .replica_lag_max(NEVER)
            .start()
            .unwrap();
        let settings = [("acks", "1"), ("enable.idempotence", "false")];
        let producer = producer(&cluster, &settings);
        let lost = send(&producer, "lost").unwrap();
        assert!(cluster.kill_broker(leader(&cluster)));
        let kept = send(&producer, "kept").unwrap();
        assert_eq!((lost.offset(), kept.offset()), (0, 0));
        assert_eq!(values(&cluster, TOPIC, 0), ["kept"]);
    });
}

#[test]
fn what_acks_of_all_acknowledged_is_there_whichever_leader_dies() {
    must_end("the killed leaders", || {
        let cluster = three_brokers()
            .replication_delay(Duration::from_millis(2))
            .start()
            .unwrap();
        let producer = producer(&cluster, &[]);
        let mut expected = Vec::new();
        for round in 0..4 {
            let texts: Vec<_> = (0..30).map(|n| format!("{round}-{n:02}")).collect();
            let futures: Vec<_> = texts
                .iter()
                .map(|text| producer.send(record(text)).unwrap())
                .collect();
            let killed = leader(&cluster);
            assert!(cluster.kill_broker(killed));
            for future in &futures {
                future.get().unwrap();
            }
            expected.extend(texts);
            cluster.start_broker(killed).unwrap();
        }
        assert_eq!(values(&cluster, TOPIC, 0), expected);
    });
}

/// Reliability A7.
#[test]
fn too_few_replicas_are_waited_for_until_a_follower_returns() {
    must_end("the ISR", || {
        let cluster = three_brokers().min_insync_replicas(2).start().unwrap();
        let producer = producer(&cluster, &[]);
        send(&producer, "before").unwrap();
        let leads = leader(&cluster);
        for follower in (1..=3).filter(|id| *id != leads) {
            assert!(cluster.shrink_isr(TOPIC, 0, follower));
        }
        assert_eq!(cluster.in_sync_replicas(TOPIC, 0), [leads]);
        let asked = cluster.requests(Api::Produce);
        let future = producer.send(record("after")).unwrap();
        while cluster.requests(Api::Produce) < asked + 3 {
            assert!(!future.is_done(), "refused again and again");
            std::thread::yield_now();
        }
        assert_eq!(values(&cluster, TOPIC, 0), ["before"]);
        assert!(cluster.restore_isr(TOPIC, 0));
        assert_eq!(future.get().unwrap().offset(), 1);
        assert_eq!(cluster.in_sync_replicas(TOPIC, 0).len(), 3);
        assert_eq!(cluster.high_watermark(TOPIC, 0), Some(2));
    });
}

#[test]
fn too_few_replicas_for_longer_than_the_delivery_timeout_fail_the_record_as_not_written() {
    must_end("the delivery timeout", || {
        let cluster = three_brokers().min_insync_replicas(3).start().unwrap();
        let settings = [
            ("delivery.timeout.ms", "400"),
            ("request.timeout.ms", "300"),
        ];
        let producer = producer(&cluster, &settings);
        send(&producer, "before").unwrap();
        let follower = leader(&cluster) % 3 + 1;
        assert!(cluster.shrink_isr(TOPIC, 0, follower));
        let error = send(&producer, "after").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(error.persisted(), Persisted::No, "{error}");
        assert_eq!(values(&cluster, TOPIC, 0), ["before"]);
    });
}

/// Reliability A20.
#[test]
fn a_leader_that_stands_still_is_replaced_and_nothing_is_lost_or_written_twice() {
    must_end("the frozen leader", || {
        let cluster = three_brokers()
            .session_timeout(Duration::from_millis(150))
            .start()
            .unwrap();
        let settings = [
            ("ottla.leader.suspect.ms", "50"),
            ("request.timeout.ms", "20000"),
            ("delivery.timeout.ms", "60000"),
        ];
        let producer = producer(&cluster, &settings);
        send(&producer, "first").unwrap();
        let frozen = leader(&cluster);
        assert!(cluster.pause_broker(frozen));
        let texts: Vec<_> = (0..20).map(|n| format!("{n:02}")).collect();
        let futures: Vec<_> = texts
            .iter()
            .map(|text| producer.send(record(text)).unwrap())
            .collect();
        for future in &futures {
            future.get().unwrap();
        }
        assert_ne!(leader(&cluster), frozen);
        assert!(cluster.resume_broker(frozen));
        let last = send(&producer, "last").unwrap();
        assert_eq!(last.offset(), 21);
        let mut expected = vec!["first".to_owned()];
        expected.extend(texts);
        expected.push("last".to_owned());
        assert_eq!(values(&cluster, TOPIC, 0), expected);
    });
}

#[test]
fn a_topic_without_a_leader_is_waited_for_until_one_in_sync_returns() {
    must_end("the leader", || {
        let cluster = EmbeddedCluster::builder()
            .brokers(2)
            .replication_factor(1)
            .topic(TOPIC, 1)
            .start()
            .unwrap();
        let producer = producer(&cluster, &[]);
        send(&producer, "before").unwrap();
        let only = leader(&cluster);
        assert!(cluster.kill_broker(only));
        assert_eq!(cluster.leader(TOPIC, 0), None);
        let future = producer.send(record("after")).unwrap();
        cluster.start_broker(only).unwrap();
        assert_eq!(future.get().unwrap().offset(), 1);
        assert_eq!(values(&cluster, TOPIC, 0), ["before", "after"]);
    });
}

/// KIP-360. Scenario: ID15.
#[test]
fn a_producer_that_the_broker_forgot_with_its_records_begins_again_and_loses_nothing() {
    must_end("the forgotten producer", || {
        let cluster = three_brokers()
            .forget_deleted_producers(true)
            .start()
            .unwrap();
        let producer = producer(&cluster, &[]);
        for text in ["0", "1", "2"] {
            send(&producer, text).unwrap();
        }
        assert_eq!(cluster.delete_records(TOPIC, 0, 3), Some(3));
        assert_eq!(cluster.log_start_offset(TOPIC, 0), Some(3));
        let asked = cluster.requests(Api::Produce);
        assert_eq!(send(&producer, "3").unwrap().offset(), 3);
        assert_eq!(cluster.requests(Api::Produce), asked + 2, "refused once");
        assert_eq!(values(&cluster, TOPIC, 0), ["3"]);
    });
}
