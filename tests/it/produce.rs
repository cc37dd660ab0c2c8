//! Records go out, come to rest where they should, and answers come back.

use std::sync::mpsc;
use std::time::Duration;

use ottla::embedded::EmbeddedCluster;
use ottla::{KafkaProducer, ProducerRecord};

#[test]
fn a_blocking_send_returns_where_the_record_landed() {
    let cluster = EmbeddedCluster::builder()
        .topic("my-topic", 1)
        .start()
        .unwrap();
    let producer = KafkaProducer::<i32, str>::from_properties([
        ("bootstrap.servers", cluster.bootstrap_servers().as_str()),
        ("acks", "all"),
    ])
    .unwrap();
    let metadata = producer
        .send(ProducerRecord::new("my-topic", 1, "Message_1"))
        .unwrap()
        .get()
        .unwrap();
    assert_eq!(metadata.topic(), "my-topic");
    assert_eq!((metadata.partition(), metadata.offset()), (0, 0));
    let records = cluster.records("my-topic", 0).unwrap();
    assert_eq!(records.len(), 1);
    let report = producer.close(Duration::from_secs(10)).unwrap();
    assert!(report.is_complete() && report.unsent().is_empty());
}

#[test]
fn callbacks_come_in_the_order_of_the_partition() {
    let cluster = EmbeddedCluster::builder().topic("t", 1).start().unwrap();
    let producer = KafkaProducer::<[u8], str>::from_properties([(
        "bootstrap.servers",
        cluster.bootstrap_servers(),
    )])
    .unwrap();
    let (sender, receiver) = mpsc::channel();
    for n in 0..1000 {
        let sender = sender.clone();
        let record = ProducerRecord::value_only("t", format!("value {n}"));
        let _sent = producer
            .send_with_callback(record, move |result| {
                sender.send(result.unwrap().offset()).unwrap();
            })
            .unwrap();
    }
    producer.flush().unwrap();
    let offsets: Vec<i64> = receiver.try_iter().collect();
    assert_eq!(offsets, (0..1000).collect::<Vec<i64>>());
}
