//! What sending costs, counted and not timed: the same on a busy machine as on a quiet one.
//!
//! Valgrind counts, and what it counted is compared with `counts.txt`. What grew by more than 3 % (locks, system calls and
//! wake-ups of a `get`: 15 %) ends the program with an error that names it; what shrank is named too. `OTTLA_REGENERATE=1`
//! writes the file. A debug build does this for locks, which only there are taken through a function, a release build for
//! everything else: `benches/compare/counts` runs both.
//!
//! Each count is the difference of two runs, so that start and end do not count. Nothing in it depends on who is faster: one
//! thread runs at a time until it waits, and the broker answers once every thread of the producer waits.

#[path = "../../../support/discard_broker.rs"]
mod discard_broker;
#[path = "../../../support/valgrind.rs"]
mod valgrind;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ottla::{KafkaProducer, ProducerRecord};

use discard_broker::Broker;
use valgrind::Counted;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [Broker::ARGUMENT, partitions] => {
            discard_broker::serve(partitions.parse().expect("a number")).expect("loopback works");
        }
        [SEND, servers, records, size] => send(servers, number(records), number(size)),
        [CALL_BACK, servers, records, size] => call_back(servers, number(records), number(size)),
        [GET, servers, records, size] => get(servers, number(records), number(size)),
        [IN_TURN] if cfg!(debug_assertions) => return compare(&locks()),
        [IN_TURN] => return compare(&[of_records(), of_calls()].concat()),
        [] => return in_turn(),
        _ => panic!("it takes no arguments"),
    }
    ExitCode::SUCCESS
}

/// This program again, on one CPU, where a thread that is woken does not interrupt the one that woke it: before all other
/// processes where that is allowed, since the clock goes on while those have the CPU, else as a batch job.
fn in_turn() -> ExitCode {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let allowed = status
        .lines()
        .find_map(|line| line.strip_prefix("Cpus_allowed_list:"))
        .expect("Linux lists the CPUs");
    let first = allowed.trim().split(['-', ',']).next().unwrap_or("0");
    let is_allowed = Command::new("chrt").args(["--fifo", "1", "true"]).output();
    let is_allowed = is_allowed.is_ok_and(|tried| tried.status.success());
    let policy = if is_allowed {
        ["--fifo", "1"]
    } else {
        ["--batch", "0"]
    };
    let status = Command::new("taskset")
        .args(["-c", first, "chrt"])
        .args(policy)
        .arg(std::env::current_exe().expect("this program"))
        .arg(IN_TURN)
        .status();
    let held = status.expect("taskset and chrt, of util-linux").success();
    ExitCode::from(u8::from(!held))
}

/// Many records, and now and then a wait for all of them: by a flush, since a `get` may let the I/O thread rest for as long
/// as the clock says, and what clocks say is not the same twice.
fn send(servers: &str, records: usize, size: usize) {
    let producer = producer(servers);
    let value = vec![b'x'; size];
    for sent in 1..=records {
        let record = ProducerRecord::value_only("bench", value.as_slice());
        let _sent = producer.send(record).expect("there is room");
        if sent % BETWEEN_WAITS == 0 {
            producer.flush().expect("the broker takes it");
        }
    }
}

/// The same with a callback for each record.
fn call_back(servers: &str, records: usize, size: usize) {
    let producer = producer(servers);
    let value = vec![b'x'; size];
    let calls = Arc::new(AtomicUsize::new(0));
    for sent in 1..=records {
        let record = ProducerRecord::value_only("bench", value.as_slice());
        let calls = Arc::clone(&calls);
        let count = move |_| _ = calls.fetch_add(1, Relaxed);
        let _sent = producer
            .send_with_callback(record, count)
            .expect("there is room");
        if sent % BETWEEN_WAITS == 0 {
            producer.flush().expect("the broker takes it");
        }
    }
    assert_eq!(calls.load(Relaxed), records, "callbacks");
}

/// Records one by one, each waited for.
fn get(servers: &str, records: usize, size: usize) {
    let producer = producer(servers);
    let value = vec![b'x'; size];
    for _ in 0..records {
        let record = ProducerRecord::value_only("bench", value.as_slice());
        let sent = producer.send(record).expect("there is room");
        sent.get().expect("the broker takes it");
    }
}

fn producer(servers: &str) -> KafkaProducer<[u8], [u8]> {
    // By this name the broker knows that it is to answer when this process sleeps (`benches/support/discarding.rs`).
    let name = format!("in-step-with-{}", std::process::id());
    // However slowly all this runs, no batch is sent because it is old. Who waits for one ends its linger, so a long one costs
    // what the default costs.
    let settings = [
        ("bootstrap.servers", servers),
        ("client.id", &name),
        ("linger.ms", "60000"),
    ];
    let producer = KafkaProducer::from_properties(settings).expect("a legal configuration");
    producer
        .partitions_for("bench")
        .expect("the broker answers");
    producer
}

type Counts = Vec<(&'static str, f64)>;

/// One partition, batches of 16 KiB, which are full but for the last before a wait.
fn of_records() -> Counts {
    let sent = Run::undisturbed(SEND, 1, 100);
    // Shorter records, so more of them in each batch: what each record allocates shows apart from what each batch does.
    let short = Run::difference(SEND, 4, 10);
    let called_back = Run::difference(CALL_BACK, 4, 100);
    // Not so short that their callbacks take more memory than they do, and many, since what a short batch before a wait adds
    // would count as that of records.
    let short_called_back = Run::difference(CALL_BACK, 4, 50);
    let (a_record, a_batch) = allocations(&sent, &short);
    let (a_record_called_back, a_batch_called_back) = allocations(&called_back, &short_called_back);
    vec![
        (
            "instructions a record",
            sent.all.instructions / sent.records,
        ),
        (
            "instructions a record with a callback",
            called_back.all.instructions / called_back.records,
        ),
        ("allocations a record", a_record),
        ("allocations a record with a callback", a_record_called_back),
        ("allocations a batch", a_batch),
        ("allocations a batch with callbacks", a_batch_called_back),
        (
            "system calls a request",
            sent.all.system_calls / sent.requests,
        ),
        (
            "wake-ups of the I/O thread a request",
            sent.all.wake_ups / sent.requests,
        ),
        (
            "uses of its waker a request",
            sent.all.wakers / sent.requests,
        ),
    ]
}

/// What each record allocates, and what each batch does: of two runs of which one has more records in each batch.
fn allocations(run: &Run, short: &Run) -> (f64, f64) {
    let as_many = run.records / short.records;
    let a_batch = (run.all.allocations - short.all.allocations * as_many)
        / (run.batches - short.batches * as_many);
    let a_record = (run.all.allocations - a_batch * run.batches) / run.records;
    (a_record, a_batch)
}

fn of_calls() -> Counts {
    let got = Run::undisturbed(GET, 1, 100);
    let a_call = |count: f64| count / got.records;
    vec![
        ("instructions a send().get()", a_call(got.all.instructions)),
        ("allocations a send().get()", a_call(got.all.allocations)),
        ("system calls a send().get()", a_call(got.all.system_calls)),
        (
            "wake-ups of the I/O thread a send().get()",
            a_call(got.all.wake_ups),
        ),
        ("uses of its waker a send().get()", a_call(got.all.wakers)),
    ]
}

fn locks() -> Counts {
    let sent = Run::difference(SEND, 1, 100);
    let got = Run::undisturbed(GET, 1, 100);
    vec![
        ("locks a record", sent.all.locks / sent.records),
        ("locks a send().get()", got.all.locks / got.records),
    ]
}

/// What a long run took beyond a short one.
struct Run {
    records: f64,
    requests: f64,
    batches: f64,
    all: Counted,
}

impl Run {
    /// The longer run has so many more parts than the one of the shorter run.
    fn difference(kind: &str, parts: usize, size: usize) -> Self {
        let a_part = if kind == GET { CALLS } else { BETWEEN_WAITS };
        let (short, before) = Self::of(kind, a_part, size);
        let (long, after) = Self::of(kind, a_part * (1 + parts), size);
        let more = |name: &str| (after[name] - before[name]) as f64;
        Self {
            records: more("records"),
            requests: more("requests"),
            batches: more("batches"),
            all: long - short,
        }
    }

    /// The least of three: what the clock touches grows where others use the CPU meanwhile.
    fn undisturbed(kind: &str, parts: usize, size: usize) -> Self {
        let runs = [(); 3].map(|()| Self::difference(kind, parts, size));
        let least = |a: &Self, b: &Self| a.all.instructions.total_cmp(&b.all.instructions);
        runs.into_iter().min_by(least).expect("three runs")
    }

    fn of(kind: &str, records: usize, size: usize) -> (Counted, BTreeMap<String, u64>) {
        let mut broker = Broker::start(1);
        let (address, sent, size) = (broker.address(), records.to_string(), size.to_string());
        let counted = valgrind::count(&[kind, &address, &sent, &size]);
        let totals = broker.totals();
        assert_eq!(totals["records"], records as u64, "records at the broker");
        (counted, totals)
    }
}

/// Prints each count beside what it was, and fails where one grew.
fn compare(counts: &[(&str, f64)]) -> ExitCode {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("counts.txt");
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    let mut expected: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .collect();
    if std::env::var_os("OTTLA_REGENERATE").is_some() {
        let written: Vec<_> = counts
            .iter()
            .map(|(name, count)| (*name, format!("{count:.2}")))
            .collect();
        expected.extend(written.iter().map(|(name, count)| (*name, count.as_str())));
        let tools = tools();
        expected.insert(TOOLS, &tools);
        let lines = expected
            .iter()
            .map(|(name, count)| format!("{name} = {count}\n"));
        std::fs::write(&file, lines.collect::<String>()).expect("the file can be written");
        written
            .iter()
            .for_each(|(name, count)| println!("{name}: {count}"));
        return ExitCode::SUCCESS;
    }
    let mut grew = Vec::new();
    let mut shrank = Vec::new();
    for (name, count) in counts {
        let Some(was) = expected.get(name) else {
            grew.push(format!(
                "{name}: {count:.2}, and counts.txt does not have it"
            ));
            continue;
        };
        let was: f64 = was.parse().expect("a number");
        // What is almost never there may be there a little more often. And an I/O thread that rests looks up once in a
        // millisecond, however fast the calls of the others are.
        let leeway = if is_shared_with_the_clock(name) {
            (was * 0.15).max(0.15)
        } else {
            (was * 0.03).max(0.02)
        };
        let change = 100.0 * (count - was) / was.max(leeway);
        let line = format!("{name}: {count:.2}, expected {was:.2} ({change:+.1} %)");
        if *count > was + leeway {
            grew.push(line.clone());
        } else if *count < was - leeway {
            shrank.push(line.clone());
        }
        println!("{line}");
    }
    verdict(&grew, &shrank, expected.get(TOOLS).copied())
}

/// Whether an I/O thread that rests while others do its work adds to this count.
fn is_shared_with_the_clock(name: &str) -> bool {
    let is_exact = name.starts_with("instructions") || name.starts_with("allocations");
    name.ends_with("send().get()") && !is_exact
}

fn verdict(grew: &[String], shrank: &[String], tools_then: Option<&str>) -> ExitCode {
    for line in shrank {
        println!("SHRANK much: {line}");
    }
    for line in grew {
        println!("GREW too much: {line}");
    }
    if grew.is_empty() && shrank.is_empty() {
        return ExitCode::SUCCESS;
    }
    let tools = tools();
    if tools_then != Some(&tools) {
        let then = tools_then.unwrap_or("others");
        println!(
            "The expected counts were taken with {then}, these with {tools}: see docs/testing.md."
        );
    }
    println!(
        "Where that is meant, write the counts down: OTTLA_REGENERATE=1 benches/compare/counts"
    );
    ExitCode::from(u8::from(!grew.is_empty()))
}

/// What decides on the number of instructions besides the code.
fn tools() -> String {
    let version = |program: &str| {
        let output = Command::new(program).arg("--version").output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let text = text.unwrap_or_default().replace('-', " ");
        let mut words = text.split_whitespace().map(str::to_owned);
        [words.next(), words.next()]
            .map(Option::unwrap_or_default)
            .join(" ")
    };
    format!("{}, {}", version("rustc"), version("valgrind"))
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}

const SEND: &str = "--send";
const CALL_BACK: &str = "--call-back";
const GET: &str = "--get";
const IN_TURN: &str = "--in-turn";

/// The name of the line in `counts.txt` that is no count.
const TOOLS: &str = "taken with";

/// 34 batches of 100-byte records.
const BETWEEN_WAITS: usize = 5_000;

/// Blocking sends in the shorter run.
const CALLS: usize = 150;
