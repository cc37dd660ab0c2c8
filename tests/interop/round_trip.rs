//! Every codec and every `acks`, read back by readers that are not ours.

use crate::checker::Sent;
use crate::cluster::{KafkaCluster, oracle_feed};
use crate::log_dump;
use crate::reader::{read_with_java, read_with_kcat};
use crate::records::TestRecord;
use ottla::{FutureRecordMetadata, Header, KafkaProducer, ProducerRecord};
use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One topic and the settings of the producer that fills it.
#[derive(Debug)]
struct Case {
    codec: &'static str,
    acks: &'static str,
    partitions: u32,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            for acks in ["0", "1", "all"] {
                for partitions in [1, 12] {
                    cases.push(Self::new(codec, acks, partitions));
                }
            }
        }
        cases
    }

    fn new(codec: &'static str, acks: &'static str, partitions: u32) -> Self {
        Self {
            codec,
            acks,
            partitions,
        }
    }

    fn topic(&self) -> String {
        format!(
            "{}-acks-{}-partitions-{}",
            self.codec, self.acks, self.partitions
        )
    }

    fn is_idempotent(&self) -> bool {
        self.acks == "all"
    }

    fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("compression.type", self.codec.to_owned()),
            ("acks", self.acks.to_owned()),
            ("enable.idempotence", self.is_idempotent().to_string()),
        ]
    }
}

/// Fills a topic per case through `send`, reads all back, looks at the broker's disk.
fn round_trip(
    cluster: &KafkaCluster,
    cases: &[Case],
    records_per_case: u64,
    send: impl Fn(&KafkaCluster, &Case, &[TestRecord]),
) {
    let mut sent = Vec::new();
    for case in cases {
        // The records carry old timestamps, which must not make the broker delete them.
        cluster.create_topic(&case.topic(), case.partitions, &["retention.ms=-1"]);
        let records: Vec<TestRecord> = (0..records_per_case)
            .map(|number| TestRecord::number(number, case.partitions))
            .collect();
        let began = milliseconds();
        send(cluster, case, &records);
        sent.push(Sent {
            records,
            partitions: case.partitions,
            during: began..=milliseconds(),
            with_headers: true,
        });
    }
    let topics: Vec<String> = cases.iter().map(Case::topic).collect();
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    let stored = read_with_java(cluster, &topics);
    for (topic, sent) in topics.iter().zip(&mut sent) {
        sent.assert_stored(&stored[*topic], &format!("topic {topic}, read by Java"));
        if topic.contains("acks-all-partitions-12") {
            sent.with_headers = false;
            if let Some(stored) = read_with_kcat(cluster, topic) {
                sent.assert_stored(&stored, &format!("topic {topic}, read by kcat"));
            }
        }
    }
    let logged = log_dump::dump(cluster, &topics);
    for case in cases {
        for partition in 0..case.partitions {
            let name = format!("{}-{partition}", case.topic());
            let batches = &logged[&name];
            assert!(
                !batches.is_empty() && batches.iter().all(|batch| batch.codec == case.codec),
                "{name}: {:?}",
                batches.first()
            );
            if case.is_idempotent() {
                log_dump::assert_one_idempotent_producer(&name, batches);
            } else {
                log_dump::assert_no_producer_id(&name, batches);
            }
        }
    }
}

/// Our producer: every future must say where the record landed.
fn send_with_ottla(cluster: &KafkaCluster, case: &Case, records: &[TestRecord]) {
    let mut properties = vec![("bootstrap.servers", cluster.bootstrap().to_owned())];
    properties.extend(case.settings());
    let producer =
        KafkaProducer::<[u8], [u8]>::from_properties(properties).expect("a valid configuration");
    let topic = case.topic();
    let futures: Vec<FutureRecordMetadata> = records
        .iter()
        .map(|record| producer.send(to_send(&topic, record)).expect("accepted"))
        .collect();
    producer.flush().expect("delivered");
    let mut next = HashMap::new();
    for (record, future) in records.iter().zip(futures) {
        let metadata = future.get().expect("delivered");
        let partition = record.expected_partition(case.partitions);
        assert_eq!(metadata.partition(), partition as i32, "{record:?}");
        if case.acks != "0" {
            let offset = next.entry(partition).or_insert(0_i64);
            assert_eq!(
                metadata.offset(),
                *offset,
                "partition {partition} of {topic}"
            );
            *offset += 1;
        }
    }
    let report = producer
        .close(Duration::from_secs(30))
        .expect("closed in time");
    assert!(
        report.unsent().is_empty() && report.failed() == 0,
        "{report:?}"
    );
}

fn to_send<'a>(topic: &'a str, record: &'a TestRecord) -> ProducerRecord<'a, &'a [u8], &'a [u8]> {
    let mut made = ProducerRecord::nullable(topic, record.key.as_deref(), record.value.as_deref());
    if let Some(partition) = record.partition {
        made = made.with_partition(partition as i32);
    }
    if let Some(timestamp) = record.timestamp {
        made = made.with_timestamp(timestamp);
    }
    for (name, value) in &record.headers {
        let header = value.as_ref().map_or_else(
            || Header::null(name.as_str()),
            |value| Header::new(name.as_str(), value.clone()),
        );
        made.headers_mut().add(header);
    }
    made
}

fn three_hundred_thousand_records(version: &'static str) {
    let Some(cluster) = KafkaCluster::start(1, version) else {
        return;
    };
    round_trip(&cluster, &Case::all(), 10_000, send_with_ottla);
}

#[test]
fn kafka_4_3_stores_every_record_as_sent() {
    three_hundred_thousand_records("4.3.1");
}

#[test]
fn kafka_3_9_stores_every_record_as_sent() {
    three_hundred_thousand_records("3.9.1");
}

#[test]
fn kafka_2_8_stores_every_record_as_sent() {
    three_hundred_thousand_records("2.8.2");
}

/// The Java producer, which shows that this test accepts a producer that is right.
fn send_with_java(cluster: &KafkaCluster, case: &Case, records: &[TestRecord]) {
    let topic = case.topic();
    let settings = case.settings().map(|(key, value)| format!("{key}={value}"));
    let mut words = vec!["send", cluster.bootstrap(), &topic];
    words.extend(settings.iter().map(String::as_str));
    oracle_feed(
        &words,
        records
            .iter()
            .map(TestRecord::line)
            .collect::<String>()
            .as_bytes(),
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the judge reads the clock that brokers and clients read"
)]
fn milliseconds() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970")
        .as_millis() as i64
}

#[test]
fn the_java_producer_passes_the_same_test() {
    let Some(cluster) = KafkaCluster::start(1, "4.3.1") else {
        return;
    };
    let cases = [
        Case::new("none", "0", 12),
        Case::new("gzip", "1", 12),
        Case::new("zstd", "all", 12),
    ];
    round_trip(&cluster, &cases, 3_000, send_with_java);
}
