//! What is in a record arrives as it was given.

use ottla::{Header, Headers, KafkaProducer, ProducerRecord};

use crate::setup::{TOPIC, cluster, producer};
use crate::support::config;

/// Java: `DefaultRecordTest.testNullKeyAndValue..`. Scenario: SN24.
#[test]
fn null_is_not_empty() {
    let cluster = cluster();
    let producer = producer(&cluster, &[]);
    let none: Option<Vec<u8>> = None;
    let empty = Some(Vec::new());
    for (key, value) in [(none.clone(), empty.clone()), (empty, none)] {
        let record = ProducerRecord::nullable(TOPIC, key.clone(), value.clone());
        let metadata = producer.send(record).unwrap().get().unwrap();
        assert_eq!(metadata.serialized_key_size(), key.as_ref().map(|_| 0));
        assert_eq!(metadata.serialized_value_size(), value.as_ref().map(|_| 0));
    }
    let stored = cluster.records(TOPIC, 0).unwrap();
    assert_eq!(
        (&stored[0].key, &stored[0].value),
        (&None, &Some(Vec::new()))
    );
    assert_eq!(
        (&stored[1].key, &stored[1].value),
        (&Some(Vec::new()), &None)
    );
}

/// A record is taken by value and its headers with it: there is no later change that could be lost. Scenario: SN11.
#[test]
fn headers_and_timestamps_arrive_as_they_were_sent() {
    let cluster = cluster();
    let producer = producer(&cluster, &[]);
    let mut headers = Headers::new();
    headers
        .add(Header::new("a", "1"))
        .add(Header::null("b"))
        .add(Header::new("a", "2"));
    let record = ProducerRecord::new(TOPIC, *b"k", *b"v")
        .with_timestamp(1_700_000_000_000)
        .with_headers(headers);
    let metadata = producer.send(record).unwrap().get().unwrap();
    assert_eq!(metadata.timestamp(), 1_700_000_000_000);
    let stored = cluster.records(TOPIC, 0).unwrap();
    assert_eq!(stored[0].timestamp, 1_700_000_000_000);
    let expected = [
        ("a".to_owned(), Some(b"1".to_vec())),
        ("b".to_owned(), None),
        ("a".to_owned(), Some(b"2".to_vec())),
    ];
    assert_eq!(stored[0].headers, expected);
}

#[test]
fn a_serializer_may_be_a_closure() {
    struct Order {
        id: u32,
    }
    let cluster = cluster();
    let config = config(&cluster.bootstrap_servers(), &[]);
    let producer = KafkaProducer::<str, Order>::builder(config)
        .value_serializer(|order: &Order, bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(&order.id.to_be_bytes());
            Ok(())
        })
        .build()
        .unwrap();
    let record = ProducerRecord::new(TOPIC, "key", Order { id: 7 });
    assert!(producer.send(record).unwrap().get().is_ok());
    let stored = cluster.records(TOPIC, 0).unwrap();
    assert_eq!(stored[0].value.as_deref(), Some([0, 0, 0, 7].as_slice()));
}
