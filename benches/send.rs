//! What `send` costs: CPU for each record, what a blocking send waits for, and how much of
//! all this grows with the number of partitions.
//!
//! `taskset -c 0 cargo bench --bench send [-- throughput|latency|partitions]`. CPU times and latencies compare
//! only where producer and broker share one CPU, hence `taskset`. What can be counted instead is in `benches/compare/counts.txt`.
//! 100-byte values, default settings (`batch.size=16384`, `acks=all`, idempotent); the broker is another process.

#[path = "support/discard_broker.rs"]
mod discard_broker;
#[path = "support/measure.rs"]
mod measure;

use ottla::{KafkaProducer, ProducerRecord};

use discard_broker::Broker;
use measure::{is_pinned, median, now, process_cpu_time, thread_cpu_time};

const RUNS: usize = 7;
const RECORDS: u32 = 1_000_000;
const BLOCKING_SENDS: usize = 5_000;
const MANY_PARTITIONS: i32 = 10_000;
const KEYED_RECORDS: u32 = 200_000;
const VALUE: [u8; 100] = [b'x'; 100];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [Broker::ARGUMENT, partitions] => {
            discard_broker::serve(partitions.parse().expect("a number")).expect("loopback works");
        }
        // `cargo bench` adds the last argument.
        ["throughput", BENCH] => throughput(),
        ["latency", BENCH] => latency(),
        ["partitions", BENCH] => many_partitions(),
        [BENCH] => {
            throughput();
            latency();
            many_partitions();
        }
        _ => println!("nothing is measured outside of `cargo bench`"),
    }
}

fn producer(servers: &str, settings: &[(&str, &str)]) -> KafkaProducer<[u8], [u8]> {
    let pairs = [("bootstrap.servers", servers)]
        .into_iter()
        .chain(settings.iter().copied());
    let producer = KafkaProducer::from_properties(pairs).expect("a legal configuration");
    producer
        .partitions_for("bench")
        .expect("the broker answers");
    producer
}

fn send_all(producer: &KafkaProducer<[u8], [u8]>, count: u32) {
    for _ in 0..count {
        let record = ProducerRecord::value_only("bench", &VALUE[..]);
        let _sent = producer.send(record).expect("room comes in time");
    }
    producer.flush().expect("the broker answers");
}

/// One partition, no key.
fn throughput() {
    let mut broker = Broker::start(1);
    let producer = producer(&broker.address(), &[]);
    send_all(&producer, RECORDS / 4);
    let (mut all_threads, mut caller) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let before = (process_cpu_time(), thread_cpu_time());
        send_all(&producer, RECORDS);
        let per_record = 1e9 / f64::from(RECORDS);
        all_threads.push((process_cpu_time() - before.0).as_secs_f64() * per_record);
        caller.push((thread_cpu_time() - before.1).as_secs_f64() * per_record);
    }
    let sent = u64::from(RECORDS / 4) + RUNS as u64 * u64::from(RECORDS);
    assert_eq!(broker.totals()["records"], sent, "records at the broker");
    let (all_threads, caller) = (median(&mut all_threads), median(&mut caller));
    println!(
        "send: {caller:.0} ns of CPU a record on the calling thread ({})",
        basis()
    );
    println!(
        "client CPU: {:.3} s a million records, all threads ({})",
        all_threads / 1e3,
        basis()
    );
}

/// `send().get()` at default settings and without linger, in turns.
fn latency() {
    let broker = Broker::start(1);
    let default = producer(&broker.address(), &[]);
    let no_linger = producer(&broker.address(), &[("linger.ms", "0")]);
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        with.push(blocking_sends(&default));
        without.push(blocking_sends(&no_linger));
    }
    let (with, without) = (median(&mut with), median(&mut without));
    println!(
        "send().get(): {with:.1} us at default settings, {without:.1} us at linger.ms=0 ({})",
        basis()
    );
    println!(
        "ratio: {:.2} (the waiter ends the linger: at most 1.3)",
        with / without
    );
}

/// The median of many.
fn blocking_sends(producer: &KafkaProducer<[u8], [u8]>) -> f64 {
    let one = || {
        let start = now();
        let record = ProducerRecord::value_only("bench", &VALUE[..]);
        producer
            .send(record)
            .expect("there is room")
            .get()
            .expect("the broker answers");
        start.elapsed().as_secs_f64() * 1e6
    };
    let mut times: Vec<f64> = (0..BLOCKING_SENDS).map(|_| one()).collect();
    median(&mut times)
}

/// Random keys of 16 bytes over 10,000 partitions.
fn many_partitions() {
    let broker = Broker::start(MANY_PARTITIONS);
    let producer = producer(&broker.address(), &[]);
    let mut random = 1_u64;
    let (mut rate, mut cpu) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let (start, cpu_before) = (now(), process_cpu_time());
        for _ in 0..KEYED_RECORDS {
            let mut key = [0; 16];
            for half in key.chunks_exact_mut(8) {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                half.copy_from_slice(&random.to_be_bytes());
            }
            let record = ProducerRecord::new("bench", &key[..], &VALUE[..]);
            let _sent = producer.send(record).expect("room comes in time");
        }
        producer.flush().expect("the broker answers");
        rate.push(f64::from(KEYED_RECORDS) / start.elapsed().as_secs_f64());
        cpu.push((process_cpu_time() - cpu_before).as_secs_f64() * 1e6 / f64::from(KEYED_RECORDS));
    }
    println!(
        "{MANY_PARTITIONS} partitions, random keys: {:.0} records/s, {:.2} us of CPU each ({})",
        median(&mut rate),
        median(&mut cpu),
        basis()
    );
}

fn basis() -> String {
    let place = if is_pinned() {
        "client and broker on one CPU"
    } else {
        "not pinned"
    };
    format!("median of {RUNS}, {place}")
}

const BENCH: &str = "--bench";
