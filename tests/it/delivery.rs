//! Records arrive once and in order, whatever happens on the way.

use std::collections::BTreeSet;
use std::time::Duration;

use ottla::embedded::{Api, EmbeddedCluster, Fault};
use ottla::{ErrorKind, FutureRecordMetadata, Persisted, ProducerRecord, RecordMetadata};

use crate::support::{Text, cluster, error, must_end, text_producer, values};

fn send_numbers(producer: &Text, numbers: std::ops::Range<usize>) -> Vec<FutureRecordMetadata> {
    let send = |number: usize| {
        let value = number.to_string();
        producer
            .send(ProducerRecord::new("t", "k", value.as_str()))
            .expect("room")
    };
    numbers.map(send).collect()
}

fn all_delivered(futures: &[FutureRecordMetadata]) -> Vec<RecordMetadata> {
    let outcomes = FutureRecordMetadata::get_all(futures);
    outcomes
        .into_iter()
        .map(|outcome| outcome.expect("delivered"))
        .collect()
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn key_value_headers_and_timestamp_arrive_as_they_were_sent() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    let record = ProducerRecord::new("t", "key", "value")
        .with_timestamp(1234)
        .with_header("h", *b"x");
    let metadata = producer
        .send(record)
        .expect("room")
        .get()
        .expect("delivered");
    assert_eq!(
        (metadata.topic(), metadata.partition(), metadata.offset()),
        ("t", 0, 0)
    );
    assert_eq!(metadata.timestamp(), 1234);
    assert_eq!(
        (
            metadata.serialized_key_size(),
            metadata.serialized_value_size()
        ),
        (Some(3), Some(5))
    );
    let stored = cluster.records("t", 0).expect("a partition").remove(0);
    assert_eq!(
        (stored.key.as_deref(), stored.value.as_deref()),
        (Some(&b"key"[..]), Some(&b"value"[..]))
    );
    assert_eq!(stored.headers, [("h".to_owned(), Some(b"x".to_vec()))]);
    assert_eq!(stored.timestamp, 1234);
}

/// Scenario: SN24.
#[test]
fn nothing_and_empty_are_different() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    let record: ProducerRecord<'_, &str, &str> = ProducerRecord::nullable("t", None, None);
    let metadata = producer
        .send(record)
        .expect("room")
        .get()
        .expect("delivered");
    assert_eq!(
        (
            metadata.serialized_key_size(),
            metadata.serialized_value_size()
        ),
        (None, None)
    );
    producer
        .send(ProducerRecord::new("t", "", ""))
        .expect("room")
        .get()
        .expect("delivered");
    let stored = cluster.records("t", 0).expect("a partition");
    assert_eq!((&stored[0].key, &stored[0].value), (&None, &None));
    assert_eq!(
        (&stored[1].key, &stored[1].value),
        (&Some(Vec::new()), &Some(Vec::new()))
    );
}

#[test]
fn every_codec_arrives() {
    let mut codecs = vec!["none", "gzip", "snappy", "lz4"];
    if cfg!(feature = "zstd") {
        codecs.push("zstd");
    }
    for codec in codecs {
        let cluster = cluster();
        let producer = text_producer(&cluster.bootstrap_servers(), &[("compression.type", codec)]);
        all_delivered(&send_numbers(&producer, 0..5_000));
        assert_eq!(values(&cluster, "t", 0), numbers(0..5_000), "{codec}");
    }
}

#[test]
fn the_broker_time_replaces_the_records_where_the_topic_says_so() {
    let cluster = EmbeddedCluster::builder()
        .topic("t", 1)
        .log_append_time(true)
        .start()
        .expect("loopback");
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    let record = ProducerRecord::new("t", "k", "v").with_timestamp(1234);
    let metadata = producer
        .send(record)
        .expect("room")
        .get()
        .expect("delivered");
    assert!(
        metadata.timestamp() > 1_600_000_000_000,
        "{}",
        metadata.timestamp()
    );
}

/// Scenario: SE16.
#[test]
fn without_acknowledgements_a_record_has_no_offset() {
    let cluster = cluster();
    let settings = [("acks", "0"), ("enable.idempotence", "false")];
    let producer = text_producer(&cluster.bootstrap_servers(), &settings);
    let metadata = producer
        .send(ProducerRecord::new("t", "k", "v"))
        .expect("room")
        .get()
        .expect("written");
    assert!(!metadata.has_offset());
    let _ = producer.close(Duration::from_secs(10)).expect("closes");
}

#[test]
fn a_lost_answer_does_not_duplicate() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    cluster.inject(Fault::on(Api::Produce).lose_response().times(3));
    must_end("get", move || {
        all_delivered(&send_numbers(&producer, 0..2_000))
    });
    assert_eq!(values(&cluster, "t", 0), numbers(0..2_000));
}

#[test]
fn dropped_connections_and_retriable_errors_neither_lose_nor_reorder() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[("batch.size", "500")]);
    cluster.inject(Fault::on(Api::Produce).after(2).drop_connection().times(2));
    cluster.inject(
        Fault::on(Api::Produce)
            .after(5)
            .error(ErrorKind::NotEnoughReplicas)
            .times(3),
    );
    must_end("get", move || {
        all_delivered(&send_numbers(&producer, 0..2_000))
    });
    assert_eq!(values(&cluster, "t", 0), numbers(0..2_000));
}

#[test]
fn a_moved_leader_is_followed() {
    let cluster = EmbeddedCluster::builder()
        .brokers(3)
        .topic("t", 1)
        .start()
        .expect("loopback");
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    let mut futures = Vec::new();
    for (round, leader) in [2, 3, 1, 2].into_iter().enumerate() {
        futures.extend(send_numbers(&producer, round * 100..(round + 1) * 100));
        cluster.move_leader("t", 0, leader).expect("alive");
    }
    must_end("get", move || all_delivered(&futures));
    assert_eq!(values(&cluster, "t", 0), numbers(0..400));
}

#[test]
fn a_stopped_broker_is_replaced_and_comes_back() {
    let cluster = EmbeddedCluster::builder()
        .brokers(3)
        .topic("t", 1)
        .start()
        .expect("loopback");
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    let mut futures = Vec::new();
    for round in 0..6 {
        futures.extend(send_numbers(&producer, round * 100..(round + 1) * 100));
        let leader = cluster.leader("t", 0).expect("led");
        assert!(cluster.stop_broker(leader));
        futures.extend(send_numbers(&producer, 600 + round * 10..600 + round * 10));
        cluster.start_broker(leader).expect("its port is free");
    }
    must_end("get", move || all_delivered(&futures));
    assert_eq!(values(&cluster, "t", 0), numbers(0..600));
}

#[test]
fn an_error_tells_every_attempt_and_that_the_record_may_be_there() {
    let cluster = cluster();
    let settings = [
        ("delivery.timeout.ms", "600"),
        ("request.timeout.ms", "150"),
        ("linger.ms", "0"),
    ];
    let producer = text_producer(&cluster.bootstrap_servers(), &settings);
    producer.partitions_for("t").expect("known");
    cluster.inject(Fault::on(Api::Produce).lose_response());
    let error = must_end("get", move || {
        error(
            producer
                .send(ProducerRecord::new("t", "k", "v"))
                .and_then(|future| future.get()),
        )
    });
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(error.persisted(), Persisted::Maybe, "{error}");
    assert!(!error.attempts().is_empty(), "{error}");
    assert!(
        error.attempts().iter().all(|attempt| attempt.node == 1),
        "{error}"
    );
    assert!(!values(&cluster, "t", 0).is_empty(), "and it is");
}

/// Scenario: PT2.
#[test]
fn keys_go_where_java_puts_them() {
    let cluster = EmbeddedCluster::builder()
        .topic("keyed", 12)
        .start()
        .expect("loopback");
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    // Java: `Utils.toPositive(Utils.murmur2(key)) % 12`.
    for (key, partition) in [
        ("", 9),
        ("a", 4),
        ("ab", 2),
        ("abc", 3),
        ("foobar", 6),
        ("key-0", 1),
        ("hello", 9),
    ] {
        let metadata = producer
            .send(ProducerRecord::new("keyed", key, "v"))
            .expect("room")
            .get()
            .expect("delivered");
        assert_eq!(metadata.partition(), partition, "{key}");
    }
}

#[test]
fn a_topic_that_grows_takes_records_for_its_new_partition() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[("max.block.ms", "10000")]);
    producer
        .send(ProducerRecord::new("t", "k", "v"))
        .expect("room")
        .get()
        .expect("delivered");
    assert!(cluster.add_partitions("t", 3));
    let metadata = must_end("send", move || {
        let record = ProducerRecord::new("t", "k", "v").with_partition(2);
        producer
            .send(record)
            .expect("room")
            .get()
            .expect("delivered")
    });
    assert_eq!(metadata.partition(), 2);
}

/// Scenario: PT2.
#[test]
fn ignored_keys_go_round_like_records_without_one() {
    let cluster = EmbeddedCluster::builder()
        .topic("t", 12)
        .start()
        .expect("loopback");
    let settings = [("partitioner.ignore.keys", "true"), ("batch.size", "100")];
    let producer = text_producer(&cluster.bootstrap_servers(), &settings);
    let sent = all_delivered(&send_numbers(&producer, 0..200));
    let partitions: BTreeSet<i32> = sent.iter().map(RecordMetadata::partition).collect();
    assert!(partitions.len() > 1, "one key, yet {partitions:?}");
}
