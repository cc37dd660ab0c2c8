//! What sending costs, counted and not timed: the same on a busy machine as on a quiet one.
//!
//! A release build counts instructions and allocations under valgrind and system calls under strace, and compares with
//! `counts.txt`; a debug build does the same for locks, which only there are taken through a function. What grew by more than
//! 3 % ends the program with an error that names it. `OTTLA_REGENERATE=1` writes the file.
//!
//! Each count is the difference of two runs, so that start and end do not count. 100-byte values, one partition, batches of
//! 16 KiB that fill before their linger ends; blocking sends at default settings. All on one CPU; the broker is another process.

#[path = "../../../support/discard_broker.rs"]
mod discard_broker;
#[path = "../../../support/tracers.rs"]
mod tracers;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use ottla::{KafkaProducer, ProducerRecord};

use discard_broker::Broker;
use tracers::{callgrind, system_calls};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [Broker::ARGUMENT, partitions] => {
            discard_broker::serve(partitions.parse().expect("a number")).expect("loopback works");
        }
        [SEND, servers, records, size] => send(servers, number(records), number(size)),
        [GET, servers, records, _] => get(servers, number(records)),
        [PINNED] if cfg!(debug_assertions) => return compare(&locks()),
        [PINNED] => return compare(&[under_valgrind(), under_strace()].concat()),
        [] => return pinned(),
        _ => panic!("it takes no arguments"),
    }
    ExitCode::SUCCESS
}

/// This program again, on one CPU: how often a thread has to be woken then no longer depends on what runs on the other.
fn pinned() -> ExitCode {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .expect("Linux lists the CPUs");
    let first = allowed.trim().split(['-', ',']).next().unwrap_or("0");
    let program = std::env::current_exe().expect("this program");
    let status = Command::new("taskset")
        .args(["-c", first])
        .arg(program)
        .arg(PINNED)
        .status();
    let held = status.expect("taskset, of util-linux").success();
    ExitCode::from(u8::from(!held))
}

/// Many records, then a flush.
fn send(servers: &str, records: usize, size: usize) {
    let producer = producer(servers, "1000");
    let value = vec![b'x'; size];
    for _ in 0..records {
        let record = ProducerRecord::value_only("bench", value.as_slice());
        let _sent = producer.send(record).expect("room comes in time");
    }
    producer.flush().expect("the broker answers");
}

/// Records one by one, each waited for.
fn get(servers: &str, records: usize) {
    let producer = producer(servers, "5");
    for _ in 0..records {
        let record = ProducerRecord::value_only("bench", &[b'x'; 100][..]);
        let sent = producer.send(record).expect("room comes in time");
        sent.get().expect("the broker takes it");
    }
}

fn producer(servers: &str, linger: &str) -> KafkaProducer<[u8], [u8]> {
    let settings = [("bootstrap.servers", servers), ("linger.ms", linger)];
    let producer = KafkaProducer::from_properties(settings).expect("a legal configuration");
    producer
        .partitions_for("bench")
        .expect("the broker answers");
    producer
}

type Counts = Vec<(&'static str, f64)>;

fn under_valgrind() -> Counts {
    let sent = Run::difference(SEND, 20_000, 60_000, 100, callgrind);
    // Shorter records, so more of them in each batch: what each record allocates shows apart from what each batch does.
    let short = Run::difference(SEND, 60_000, 180_000, 10, callgrind);
    let got = Run::difference(GET, 500, 1_500, 100, callgrind);
    let batches = sent.batches - short.batches * sent.records / short.records;
    let of_batches =
        sent.traced.allocations - short.traced.allocations * sent.records / short.records;
    let a_batch = of_batches / batches;
    vec![
        (
            "instructions a record",
            sent.traced.instructions / sent.records,
        ),
        (
            "instructions a send().get()",
            got.traced.instructions / got.records,
        ),
        (
            "allocations a record",
            (sent.traced.allocations - a_batch * sent.batches) / sent.records,
        ),
        ("allocations a batch", a_batch),
        (
            "allocations a send().get()",
            got.traced.allocations / got.records,
        ),
    ]
}

fn under_strace() -> Counts {
    let sent = Run::difference(SEND, 50_000, 250_000, 100, system_calls);
    let got = Run::difference(GET, 500, 2_500, 100, system_calls);
    vec![
        ("system calls a request", sent.traced.all / sent.requests),
        ("system calls a send().get()", got.traced.all / got.records),
        (
            "wake-ups by waker a request",
            sent.traced.wakes / sent.requests,
        ),
        (
            "wake-ups by waker a send().get()",
            got.traced.wakes / got.records,
        ),
    ]
}

fn locks() -> Counts {
    let sent = Run::difference(SEND, 5_000, 15_000, 100, callgrind);
    let got = Run::difference(GET, 200, 600, 100, callgrind);
    vec![
        ("locks a record", sent.traced.locks / sent.records),
        ("locks a send().get()", got.traced.locks / got.records),
    ]
}

/// What a long run took more than a short one.
struct Run<T> {
    records: f64,
    requests: f64,
    batches: f64,
    traced: T,
}

impl<T: tracers::Difference> Run<T> {
    fn difference(
        kind: &str,
        few: usize,
        many: usize,
        size: usize,
        trace: impl Fn(&[&str]) -> T,
    ) -> Self {
        let one = |records: usize| {
            let mut broker = Broker::start(1);
            let words = [
                kind,
                &broker.address(),
                &records.to_string(),
                &size.to_string(),
            ];
            let traced = trace(&words);
            let totals = broker.totals();
            assert_eq!(totals["records"], records as u64, "records at the broker");
            (traced, totals)
        };
        let ((short, before), (long, after)) = (one(few), one(many));
        let more = |name: &str| (after[name] - before[name]) as f64;
        Self {
            records: more("records"),
            requests: more("requests"),
            batches: more("batches"),
            traced: long.minus(&short),
        }
    }
}

/// Prints each count beside what it was, and fails where one grew.
fn compare(counts: &[(&str, f64)]) -> ExitCode {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("counts.txt");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let mut expected: BTreeMap<String, f64> = text
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, count)| (name.to_owned(), count.parse().expect("a number")))
        .collect();
    if std::env::var_os("OTTLA_REGENERATE").is_some() {
        expected.extend(
            counts
                .iter()
                .map(|(name, count)| (name.to_string(), *count)),
        );
        let lines = expected
            .iter()
            .map(|(name, count)| format!("{name} = {count:.2}\n"));
        std::fs::write(&file, lines.collect::<String>()).expect("the file can be written");
    }
    let mut grown = 0;
    for (name, count) in counts {
        let was = expected.get(*name).copied().unwrap_or(0.0);
        // What is almost never there may be there a little more often.
        let most = (was * 1.03).max(was + 0.02);
        let verdict = if *count > most { "GREW" } else { "ok" };
        grown += u8::from(*count > most);
        println!("{name}: {count:.2}, expected {was:.2}: {verdict}");
    }
    ExitCode::from(grown.min(1))
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

const SEND: &str = "--send";
const GET: &str = "--get";
const PINNED: &str = "--pinned";
