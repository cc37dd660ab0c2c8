//! The producer under test in `tests/chaos`: sends records that say what they are, and notes what it is told of each.
//!
//! Started by `tests/chaos/chaos` with `key=value` words; `p:key=value` is a setting of the producer. Ends when its
//! standard input does. `Chaos.java` is the same for the Java producer.

#![expect(
    clippy::disallowed_methods,
    reason = "an application, whose time and threads are its own"
)]

use std::collections::HashMap;
use std::fmt::Display;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use std::{env, io, thread};

use ottla::{KafkaError, KafkaProducer, Persisted, ProducerRecord};

#[path = "client/transactions.rs"]
mod transactions;

type Producer = KafkaProducer<[u8], [u8]>;

/// What the application saw. One write for each line, so that it survives the application's own kill -9.
#[derive(Clone)]
struct Journal(Arc<File>);

impl Journal {
    fn note(&self, words: &[&dyn Display]) {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let line = words.join(" ") + "\n";
        (&*self.0).write_all(line.as_bytes()).expect("the journal");
    }
}

/// The words of the command line.
struct Workload {
    words: HashMap<String, String>,
    properties: Vec<(String, String)>,
    journal: Journal,
    stop: AtomicBool,
}

impl Workload {
    fn from_arguments() -> io::Result<Self> {
        let mut words = HashMap::new();
        let mut properties = Vec::new();
        for argument in env::args().skip(1) {
            let Some((name, value)) = argument.split_once('=') else {
                continue;
            };
            match name.strip_prefix("p:") {
                Some(key) => properties.push((key.to_owned(), value.to_owned())),
                None => drop(words.insert(name.to_owned(), value.to_owned())),
            }
        }
        let path = words.get("journal").map_or("journal", String::as_str);
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self {
            words,
            properties,
            journal: Journal(Arc::new(file)),
            stop: AtomicBool::new(false),
        })
    }

    fn text<'a>(&'a self, name: &str, otherwise: &'a str) -> &'a str {
        self.words.get(name).map_or(otherwise, String::as_str)
    }

    fn number(&self, name: &str, otherwise: u64) -> u64 {
        let said = self.words.get(name).map(|word| word.parse());
        said.map_or(otherwise, |number| number.expect("a number"))
    }

    fn open(&self, more: &[(&str, &str)]) -> Result<Producer, KafkaError> {
        let own = self.properties.iter();
        let own = own.map(|(key, value)| (key.as_str(), value.as_str()));
        let servers = [("bootstrap.servers", self.text("bootstrap", ""))];
        KafkaProducer::from_properties(own.chain(servers).chain(more.iter().copied()))
    }

    fn is_over(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Chooses where the records of one thread go, numbers them, and notes what becomes of each.
struct Records<'a> {
    work: &'a Workload,
    thread: u64,
    random: Random,
    topics: Vec<&'a str>,
    counters: HashMap<(&'a str, i32), u64>,
}

impl<'a> Records<'a> {
    fn new(work: &'a Workload, thread: u64) -> Self {
        Self {
            work,
            thread,
            random: Random(work.number("seed", 1) * 1000 + thread + 1),
            topics: work.text("topics", "chaos").split(',').collect(),
            counters: HashMap::new(),
        }
    }

    fn send(&mut self, producer: &Producer, transaction: u64) -> Result<(), KafkaError> {
        let topic = self.topics[self.random.below(self.topics.len() as u64) as usize];
        let partition = self.random.below(self.work.number("partitions", 1)) as i32;
        let counter = self.counters.entry((topic, partition)).or_default();
        *counter += 1;
        let counter = *counter;
        let place = format!("{} {topic} {partition} {counter}", self.thread);
        let timestamp = now();
        let journal = &self.work.journal;
        journal.note(&[&"s", &place, &transaction, &timestamp, &timestamp]);
        let value = self.value(topic, partition, counter, transaction);
        let record = ProducerRecord::new(topic, counter.to_string().into_bytes(), value)
            .with_partition(partition)
            .with_timestamp(timestamp as i64);
        let (told, told_of) = (journal.clone(), place.clone());
        let sent = producer.send_with_callback(record, move |result| match result {
            Ok(at) => told.note(&[&"a", &told_of, &at.offset(), &at.timestamp(), &now()]),
            Err(error) => note_failure(&told, &told_of, &error),
        });
        match sent {
            Ok(future) => drop(future),
            Err(error) => {
                note_failure(journal, &place, &error);
                return Err(error);
            }
        }
        Ok(())
    }

    fn value(&self, topic: &str, partition: i32, counter: u64, transaction: u64) -> Vec<u8> {
        let (run, producer) = (self.work.text("run", ""), self.work.text("producer", ""));
        let thread = self.thread;
        let mut text =
            format!("{run}|{producer}|{thread}|{topic}|{partition}|{counter}|{transaction}|");
        let pad = char::from(b'a' + (counter % 26) as u8);
        while text.len() < self.work.number("size", 100) as usize {
            text.push(pad);
        }
        let checksum = crc32fast::hash(text.as_bytes());
        format!("{text}|{checksum:08x}").into_bytes()
    }
}

/// A failure with all that may be read of it: whether the record may be there, and why it failed.
fn note_failure(journal: &Journal, place: &str, error: &KafkaError) {
    let persisted = match error.persisted() {
        Persisted::No => "N",
        Persisted::Maybe => "M",
    };
    let text = error.message().replace(char::is_whitespace, "_");
    let kind = format!("{:?}:{text}", error.kind());
    journal.note(&[&"f", &place, &persisted, &now(), &kind]);
}

/// A small generator, so that a seed means the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn plain(work: &Workload, thread: u64, producer: &Producer) {
    let mut records = Records::new(work, thread);
    let began = Instant::now();
    let per_record = Duration::from_secs(1) / work.number("rate", 500) as u32;
    for sent in 0..work.number("records", u64::from(u32::MAX)) {
        if work.is_over() {
            break;
        }
        if records.send(producer, 0).is_err() {
            thread::sleep(Duration::from_millis(100));
        }
        let due = began + per_record * u32::try_from(sent).expect("fits");
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    if let Err(error) = producer.flush() {
        eprintln!("flush: {error}");
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("after 1970").as_millis() as u64
}

/// The end of standard input is the request to stop.
fn watch(work: &Arc<Workload>) {
    let work = Arc::clone(work);
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        work.stop.store(true, Ordering::Relaxed);
    });
}

fn share_a_producer(work: &Workload) -> Result<(), KafkaError> {
    let shared = work.open(&[])?;
    thread::scope(|scope| {
        for number in 0..work.number("threads", 2) {
            let shared = &shared;
            scope.spawn(move || plain(work, number, shared));
        }
    });
    let report = shared.close(Duration::from_secs(60))?;
    if !report.unsent().is_empty() {
        eprintln!("{} records were not sent", report.unsent().len());
    }
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let work = Arc::new(Workload::from_arguments()?);
    if !work.words.contains_key("bootstrap") {
        println!("started by tests/chaos/chaos");
        return Ok(());
    }
    let (run, producer) = (work.text("run", ""), work.text("producer", ""));
    let mode = work.text("mode", "plain");
    work.journal.note(&[&"run", &run, &producer, &mode, &now()]);
    watch(&work);
    if mode == "transactional" {
        thread::scope(|scope| {
            for number in 0..work.number("threads", 2) {
                let work = &work;
                scope.spawn(move || transactions::Transactions::new(work, number).run());
            }
        });
    } else {
        share_a_producer(&work)?;
    }
    work.journal.note(&[&"end", &now()]);
    Ok(())
}
