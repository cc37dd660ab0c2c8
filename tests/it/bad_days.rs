//! What goes wrong with a good cluster: unknown topics, large records, a full buffer, lost topics.

use ottla::embedded::{Api, EmbeddedCluster, Fault};
use ottla::{ErrorKind, Persisted, ProducerRecord, TimeLimit};

use crate::support::{bytes_producer, cluster, error, must_end, text_producer, values};

#[test]
fn an_unknown_topic_where_topics_are_not_made() {
    let cluster = EmbeddedCluster::builder()
        .auto_create_topics(false)
        .start()
        .expect("loopback");
    let producer = text_producer(&cluster.bootstrap_servers(), &[("max.block.ms", "300")]);
    let error = must_end("send", move || {
        error(
            producer
                .send(ProducerRecord::new("missing", "k", "v"))
                .and_then(|future| future.get()),
        )
    });
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert!(
        error.to_string().contains("missing") && error.to_string().contains("300 ms"),
        "{error}"
    );
    assert!(
        error.to_string().contains("the topic does not exist"),
        "{error}"
    );
}

#[test]
fn an_illegal_topic_name() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[("max.block.ms", "5000")]);
    let error = must_end("send", move || {
        error(
            producer
                .send(ProducerRecord::new("a b", "k", "v"))
                .and_then(|future| future.get()),
        )
    });
    assert_eq!(error.kind(), ErrorKind::InvalidTopic, "{error}");
}

#[test]
fn a_record_larger_than_a_request_may_be() {
    let cluster = cluster();
    let producer = bytes_producer(
        &cluster.bootstrap_servers(),
        &[("max.request.size", "1000")],
    );
    let record = ProducerRecord::new("t", vec![0; 1], vec![0; 2000]);
    let error = error(producer.send(record).expect("in the future").get());
    assert_eq!(error.kind(), ErrorKind::RecordTooLarge);
    let text = error.to_string();
    assert!(
        text.contains("max.request.size") && text.contains("1000") && text.contains('t'),
        "{text}"
    );
    assert_eq!(error.persisted(), Persisted::No);
}

#[test]
fn a_record_larger_than_the_whole_buffer() {
    let cluster = cluster();
    let settings = [("buffer.memory", "20000"), ("batch.size", "1000")];
    let producer = bytes_producer(&cluster.bootstrap_servers(), &settings);
    let record = ProducerRecord::new("t", vec![0; 1], vec![0; 30_000]);
    let error = error(producer.send(record).expect("in the future").get());
    assert_eq!(error.kind(), ErrorKind::RecordTooLarge);
    assert!(
        error.to_string().contains("buffer.memory") && error.to_string().contains("20000"),
        "{error}"
    );
}

#[test]
fn a_full_buffer_is_waited_for_within_the_limit() {
    let cluster = cluster();
    cluster.inject(Fault::on(Api::Produce).never_answer());
    let settings = [
        ("buffer.memory", "20000"),
        ("batch.size", "4000"),
        ("max.block.ms", "300"),
        ("max.request.size", "15000"),
        ("ottla.drop.timeout.ms", "100"),
    ];
    let producer = bytes_producer(&cluster.bootstrap_servers(), &settings);
    let error = must_end("send", move || {
        for _ in 0..100 {
            let sent = producer
                .send(ProducerRecord::new("t", vec![0; 1], vec![0; 3000]))
                .expect("in the future");
            if let Some(Err(error)) = sent.try_get() {
                return error;
            }
        }
        panic!("100 records of 3000 bytes fit into 20000 bytes")
    });
    assert_eq!(error.kind(), ErrorKind::BufferExhausted, "{error}");
    assert_eq!(error.time_limit(), Some(TimeLimit::MaxBlock));
    assert!(error.to_string().contains("300 ms"), "{error}");
}

#[test]
fn a_topic_deleted_while_it_is_written_to() {
    let cluster = EmbeddedCluster::builder()
        .auto_create_topics(false)
        .topic("t", 1)
        .start()
        .expect("loopback");
    let settings = [
        ("delivery.timeout.ms", "700"),
        ("request.timeout.ms", "200"),
        ("linger.ms", "0"),
        ("max.block.ms", "500"),
    ];
    let producer = text_producer(&cluster.bootstrap_servers(), &settings);
    producer
        .send(ProducerRecord::new("t", "k", "before"))
        .expect("room")
        .get()
        .expect("delivered");
    assert!(cluster.delete_topic("t"));
    let error = must_end("send", move || {
        error(
            producer
                .send(ProducerRecord::new("t", "k", "after"))
                .and_then(|future| future.get()),
        )
    });
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
    assert_eq!(
        error.persisted(),
        Persisted::No,
        "every broker said no: {error}"
    );
}

#[test]
fn a_topic_made_again_goes_on_under_its_new_id() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    producer
        .send(ProducerRecord::new("t", "k", "old"))
        .expect("room")
        .get()
        .expect("delivered");
    cluster.delete_topic("t");
    cluster.create_topic("t", 1).expect("legal");
    let metadata = must_end("send", move || {
        producer
            .send(ProducerRecord::new("t", "k", "new"))
            .expect("room")
            .get()
            .expect("delivered")
    });
    assert_eq!(metadata.offset(), 0);
    assert_eq!(values(&cluster, "t", 0), ["new"]);
}

#[test]
fn too_large_a_batch_is_split_and_every_record_arrives() {
    let cluster = EmbeddedCluster::builder()
        .topic("t", 1)
        .max_message_bytes(2_000)
        .start()
        .expect("loopback");
    let producer = text_producer(
        &cluster.bootstrap_servers(),
        &[("batch.size", "16384"), ("linger.ms", "1000")],
    );
    let value = "x".repeat(300);
    let futures: Vec<_> = (0..40)
        .map(|_| {
            producer
                .send(ProducerRecord::new("t", "k", value.as_str()))
                .expect("room")
        })
        .collect();
    let offsets = must_end("get", move || {
        futures
            .iter()
            .map(|future| future.get().expect("delivered").offset())
            .collect::<Vec<_>>()
    });
    assert_eq!(offsets, (0..40).collect::<Vec<i64>>());
}

#[test]
fn a_record_too_large_for_the_broker_fails_alone() {
    let cluster = EmbeddedCluster::builder()
        .topic("t", 1)
        .max_message_bytes(2_000)
        .start()
        .expect("loopback");
    let producer = text_producer(&cluster.bootstrap_servers(), &[("linger.ms", "1000")]);
    let large = "x".repeat(5_000);
    let first = producer
        .send(ProducerRecord::new("t", "k", "small"))
        .expect("room");
    let second = producer
        .send(ProducerRecord::new("t", "k", large.as_str()))
        .expect("room");
    let third = producer
        .send(ProducerRecord::new("t", "k", "small too"))
        .expect("room");
    let outcome = must_end("get", move || (first.get(), second.get(), third.get()));
    assert!(outcome.0.is_ok(), "{:?}", outcome.0);
    assert_eq!(error(outcome.1).kind(), ErrorKind::RecordTooLarge);
    assert!(outcome.2.is_ok(), "{:?}", outcome.2);
    assert_eq!(values(&cluster, "t", 0), ["small", "small too"]);
}
