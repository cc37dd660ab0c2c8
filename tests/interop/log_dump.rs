//! The batches on a broker's disk, as Kafka's own `DumpLogSegments` shows them.

use crate::cluster::{KafkaCluster, java_class};
use std::collections::{BTreeMap, HashMap};

/// The header of one batch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LoggedBatch {
    pub(crate) base_offset: i64,
    pub(crate) last_offset: i64,
    pub(crate) producer_id: i64,
    pub(crate) producer_epoch: i64,
    pub(crate) base_sequence: i64,
    pub(crate) last_sequence: i64,
    pub(crate) transactional: bool,
    pub(crate) codec: String,
}

/// The batches of these topics by the folder of their partition (`TOPIC-NUMBER`), in one run of the tool.
pub(crate) fn dump(cluster: &KafkaCluster, topics: &[&str]) -> BTreeMap<String, Vec<LoggedBatch>> {
    let files: Vec<String> = topics
        .iter()
        .flat_map(|topic| cluster.segments(topic))
        .map(|file| file.to_string_lossy().into_owned())
        .collect();
    let class = if cluster.version().starts_with('4') {
        "org.apache.kafka.tools.DumpLogSegments"
    } else {
        "kafka.tools.DumpLogSegments"
    };
    let said = java_class(cluster.version(), class, &["--files", &files.join(",")]);
    let mut dumped: BTreeMap<String, Vec<LoggedBatch>> = BTreeMap::new();
    let mut partition = String::new();
    for line in said.lines() {
        if let Some(file) = line.strip_prefix("Dumping ") {
            partition = file
                .rsplit('/')
                .nth(1)
                .expect("a partition's folder")
                .to_owned();
            dumped.entry(partition.clone()).or_default();
        } else if line.starts_with("baseOffset:") {
            dumped
                .entry(partition.clone())
                .or_default()
                .push(batch(line));
        }
    }
    dumped
}

fn batch(line: &str) -> LoggedBatch {
    let words: Vec<&str> = line.split_whitespace().collect();
    let fields: HashMap<&str, &str> = words
        .windows(2)
        .filter_map(|pair| Some((pair[0].strip_suffix(':')?, pair[1])))
        .collect();
    let number = |name: &str| {
        fields[name]
            .parse::<i64>()
            .unwrap_or_else(|_| panic!("no number {name} in {line}"))
    };
    assert_eq!(fields["isvalid"], "true", "{line}");
    assert_eq!(fields["magic"], "2", "{line}");
    LoggedBatch {
        base_offset: number("baseOffset"),
        last_offset: number("lastOffset"),
        producer_id: number("producerId"),
        producer_epoch: number("producerEpoch"),
        base_sequence: number("baseSequence"),
        last_sequence: number("lastSequence"),
        transactional: fields["isTransactional"] == "true",
        codec: fields["compresscodec"].to_lowercase(),
    }
}

/// Batches of one idempotent producer that started with this partition: one id, sequences from 0 without a gap.
pub(crate) fn assert_one_idempotent_producer(partition: &str, batches: &[LoggedBatch]) {
    let mut next = 0;
    for batch in batches {
        assert!(
            batch.producer_id >= 0 && batch.producer_epoch >= 0,
            "{partition}: no producer id in {batch:?}"
        );
        assert_eq!(
            batch.producer_id, batches[0].producer_id,
            "{partition}: {batch:?}"
        );
        assert_eq!(batch.base_sequence, next, "{partition}: {batch:?}");
        assert_eq!(
            batch.last_sequence - batch.base_sequence,
            batch.last_offset - batch.base_offset,
            "{partition}: {batch:?}"
        );
        assert!(!batch.transactional, "{partition}: {batch:?}");
        next = batch.last_sequence + 1;
    }
}

/// Batches of a producer without idempotence.
pub(crate) fn assert_no_producer_id(partition: &str, batches: &[LoggedBatch]) {
    for batch in batches {
        assert_eq!(
            (batch.producer_id, batch.base_sequence),
            (-1, -1),
            "{partition}: {batch:?}"
        );
    }
}
