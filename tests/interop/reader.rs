//! What a topic holds, told by readers that are not ours: the Java consumer, kcat and confluent-kafka.

use crate::cluster::{KafkaCluster, oracle_stream, read_committed};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// A record as the broker stored it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StoredRecord {
    pub(crate) offset: i64,
    pub(crate) timestamp: i64,
    pub(crate) log_append_time: bool,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Option<Vec<u8>>)>,
}

/// The records of a topic by partition, in the order of their offsets.
pub(crate) type Stored = BTreeMap<u32, Vec<StoredRecord>>;

/// Reads whole topics with the Java consumer, in one run; answers by topic.
pub(crate) fn read_with_java(cluster: &KafkaCluster, topics: &[&str]) -> BTreeMap<String, Stored> {
    let mut words = vec!["read", cluster.bootstrap()];
    words.extend(topics);
    let mut child = oracle_stream(&words);
    let mut input = BufReader::with_capacity(
        1 << 20,
        child.stdout.take().expect("standard output is piped"),
    );
    let mut stored: BTreeMap<String, Stored> = topics
        .iter()
        .map(|topic| ((*topic).to_owned(), Stored::new()))
        .collect();
    let mut line = String::new();
    while input.read_line(&mut line).expect("the reader's output") > 0 {
        let fields: Vec<&str> = line.trim_end_matches('\n').split(' ').collect();
        let [
            topic,
            partition,
            offset,
            kind,
            timestamp,
            key,
            value,
            headers,
        ] = fields[..]
        else {
            panic!("the reader printed {line}")
        };
        let record = StoredRecord {
            offset: offset.parse().expect("an offset"),
            timestamp: timestamp.parse().expect("a timestamp"),
            log_append_time: kind == "L",
            key: bytes(key),
            value: bytes(value),
            headers: headers.split_terminator(',').map(header).collect(),
        };
        let topic = stored.get_mut(topic).expect("a topic that was asked for");
        topic
            .entry(partition.parse().expect("a partition"))
            .or_default()
            .push(record);
        line.clear();
    }
    assert!(
        child.wait().expect("the reader ends").success(),
        "the reader failed"
    );
    stored
}

/// Reads a whole topic with kcat. It cannot show headers exactly, so they are left empty.
pub(crate) fn read_with_kcat(cluster: &KafkaCluster, topic: &str) -> Option<Stored> {
    let output = Command::new("kcat")
        .args([
            "-C",
            "-e",
            "-q",
            "-o",
            "beginning",
            "-X",
            "check.crcs=true",
            "-b",
            cluster.bootstrap(),
            "-t",
            topic,
        ])
        .args(["-f", "%p %o %T %K %S\\n%k%s"])
        .stderr(Stdio::inherit())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("not read with kcat: {error}");
            return None;
        }
        Err(error) => panic!("kcat cannot be started: {error}"),
    };
    assert!(output.status.success(), "kcat ended with {}", output.status);
    let mut rest = output.stdout.as_slice();
    let mut stored = Stored::new();
    while !rest.is_empty() {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line of numbers");
        let line = std::str::from_utf8(&rest[..end]).expect("a line of numbers");
        let numbers: Vec<i64> = line
            .split(' ')
            .map(|number| number.parse().expect("a number"))
            .collect();
        rest = &rest[end + 1..];
        let mut take = |length: i64| {
            let length = usize::try_from(length).ok()?;
            let (taken, left) = rest.split_at(length);
            rest = left;
            Some(taken.to_vec())
        };
        let (key, value) = (take(numbers[3]), take(numbers[4]));
        let record = StoredRecord {
            offset: numbers[1],
            timestamp: numbers[2],
            log_append_time: false,
            key,
            value,
            headers: Vec::new(),
        };
        stored.entry(numbers[0] as u32).or_default().push(record);
    }
    Some(stored)
}

/// What confluent-kafka reads of topics with `isolation.level=read_committed`.
#[derive(Debug, Default)]
pub(crate) struct Committed {
    /// Partition, offset and value by topic.
    pub(crate) records: BTreeMap<String, Vec<(i32, i64, String)>>,
    /// The offsets of a group by topic and partition.
    pub(crate) offsets: BTreeMap<(String, i32), i64>,
}

/// Reads whole topics, and the offsets that `group` has committed in them.
pub(crate) fn read_with_confluent(
    cluster: &KafkaCluster,
    group: &str,
    topics: &[&str],
) -> Option<Committed> {
    let said = read_committed(&[&[cluster.bootstrap(), group], topics].concat())?;
    let mut found = Committed::default();
    for line in said.lines() {
        let fields: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| fields[at].parse::<i64>().expect("a number");
        let topic = fields[1].to_owned();
        let partition = i32::try_from(number(2)).expect("a partition");
        if fields[0] == "offset" {
            found.offsets.insert((topic, partition), number(3));
        } else {
            let value = bytes(&format!("={}", fields[4])).expect("a value");
            let value = String::from_utf8(value).expect("a text");
            let records = found.records.entry(topic).or_default();
            records.push((partition, number(3), value));
        }
    }
    Some(found)
}

/// The bytes of an oracle's word: `null` or `=` and hexadecimal digits.
pub(crate) fn bytes(word: &str) -> Option<Vec<u8>> {
    let digits = word.strip_prefix('=')?.as_bytes();
    let value = |digit: u8| (digit as char).to_digit(16).expect("a hexadecimal digit") as u8;
    Some(
        digits
            .chunks_exact(2)
            .map(|pair| value(pair[0]) << 4 | value(pair[1]))
            .collect(),
    )
}

fn header(pair: &str) -> (String, Option<Vec<u8>>) {
    let (name, value) = pair.split_once(';').expect("a name and a value");
    let name = String::from_utf8(bytes(name).expect("a header's name")).expect("UTF-8");
    (name, bytes(value))
}
