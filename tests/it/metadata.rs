//! Topics and partitions that come, grow, go, and come back.

use std::thread;

use ottla::embedded::{Api, EmbeddedCluster};
use ottla::{ErrorKind, ProducerRecord};

use crate::setup::{TOPIC, producer, start, until};

/// Java: `KafkaProducerTest.testTopicRefreshInMetadata`. Scenario: SN2.
#[test]
fn a_missing_topic_is_asked_for_again_until_it_appears() {
    let cluster = start(EmbeddedCluster::builder().auto_create_topics(false));
    let producer = producer(&cluster, &[("retry.backoff.ms", "1")]);
    let sent = thread::spawn(move || producer.send(ProducerRecord::new(TOPIC, *b"k", *b"v")));
    until(|| cluster.requests(Api::Metadata) >= 4);
    cluster.create_topic(TOPIC, 1).unwrap();
    let metadata = sent.join().unwrap().unwrap().get().unwrap();
    assert_eq!(metadata.offset(), 0);
}

#[test]
fn an_unknown_topic_fails_within_the_time_to_block() {
    let cluster = start(EmbeddedCluster::builder().auto_create_topics(false));
    let producer = producer(&cluster, &[("max.block.ms", "200")]);
    let future = producer
        .send(ProducerRecord::new(TOPIC, *b"k", *b"v"))
        .unwrap();
    let error = future.get().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(
        error.message().starts_with(
            "topic orders is not present in the metadata after 200 ms; the cluster said: "
        ),
        "{error}"
    );
}

/// Java: `KafkaProducerTest.testMetadataWithPartitionOutOfRange`. Scenario: SN3.
#[test]
fn a_partition_beyond_the_last_is_waited_for_until_the_topic_grows() {
    let cluster = start(EmbeddedCluster::builder().topic(TOPIC, 2));
    let producer = producer(&cluster, &[("retry.backoff.ms", "1")]);
    assert_eq!(producer.partitions_for(TOPIC).unwrap().len(), 2);
    let asked = cluster.requests(Api::Metadata);
    let clone = producer.clone();
    let sent = thread::spawn(move || {
        clone.send(ProducerRecord::new(TOPIC, *b"k", *b"v").with_partition(2))
    });
    until(|| cluster.requests(Api::Metadata) >= asked + 2);
    assert!(cluster.add_partitions(TOPIC, 3));
    let metadata = sent.join().unwrap().unwrap().get().unwrap();
    assert_eq!(metadata.partition(), 2);
    assert_eq!(producer.partitions_for(TOPIC).unwrap().len(), 3);
}
