//! `ottla verifiable-producer`: sends counted records and tells of each in one JSON line.
//!
//! Java: `tools/VerifiableProducer.java`.
//! Differs: keeps the producer's own defaults, where Java's tool sets `retries=0` and so turns idempotence off silently.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use ottla::{ErrorKind, KafkaError, KafkaProducer, ProducerRecord};
use serde_json::{Value, json};

use crate::client_options::{self, ClientOptions};
use crate::stop::Stop;

/// The options of Java's tool.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The topic to send to.
    #[arg(long)]
    topic: String,
    #[command(flatten)]
    client: ClientOptions,
    /// How many records to send; -1 sends until the tool is stopped.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    max_messages: i64,
    /// Records a second; -1 sends as fast as it goes, 0 sends nothing until the tool is stopped.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    throughput: i64,
    /// Acknowledgements to wait for: 0, 1 or -1.
    #[arg(long, allow_negative_numbers = true, value_parser = ["0", "1", "-1", "all"])]
    acks: Option<String>,
    /// The first record's timestamp in milliseconds since the epoch; later ones follow with the time that has passed.
    #[arg(long, default_value_t = -1, allow_negative_numbers = true)]
    message_create_time: i64,
    /// Puts NUMBER. in front of each value.
    #[arg(long, value_name = "NUMBER")]
    value_prefix: Option<i64>,
    /// Sends the keys 0 to COUNT-1 in turn; without it records have no key.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    repeating_keys: Option<u64>,
}

/// How many records were sent, and how many of them acknowledged.
#[derive(Debug, Default)]
struct Tally {
    /// Both are only counted; the printing thread's end is what orders them (Relaxed).
    sent: AtomicU64,
    acked: AtomicU64,
}

pub(crate) fn run(options: &Options) -> Result<(), KafkaError> {
    let stop =
        Stop::on_signals().map_err(|error| KafkaError::new(ErrorKind::Kafka, error.to_string()))?;
    let mut pairs = options.client.pairs()?;
    if let Some(acks) = &options.acks {
        client_options::set_default(&mut pairs, "acks", acks);
    }
    let producer = KafkaProducer::<str, str>::new(client_options::config(pairs)?)?;
    // One thread prints, so that lines stay whole and a slow reader does not hold up the producer's I/O thread.
    let (lines, printed) = mpsc::channel::<String>();
    let printer = spawn_printer(printed)?;
    let tally = Arc::new(Tally::default());
    let started = now();
    print(&lines, "startup_complete", json!({}));
    let sending = send_all(options, &producer, &lines, &tally, &stop);
    let closing = producer.close(Duration::MAX);
    print(&lines, "shutdown_complete", json!({}));
    let acked = tally.acked.load(Ordering::Relaxed);
    let seconds = now().duration_since(started).as_secs_f64();
    let summary = json!({
        "sent": tally.sent.load(Ordering::Relaxed),
        "acked": acked,
        "target_throughput": options.throughput,
        "avg_throughput": if seconds > 0.0 { acked as f64 / seconds } else { 0.0 },
    });
    print(&lines, "tool_data", summary);
    drop(lines);
    printer
        .join()
        .map_err(|_| KafkaError::new(ErrorKind::Kafka, "the printing thread panicked"))?;
    sending?;
    closing.map(|_| ())
}

fn send_all(
    options: &Options,
    producer: &KafkaProducer<str, str>,
    lines: &mpsc::Sender<String>,
    tally: &Arc<Tally>,
    stop: &Stop,
) -> Result<(), KafkaError> {
    if options.throughput == 0 {
        while stop.pause(Duration::from_secs(3600)) {}
        return Ok(());
    }
    let limit = u64::try_from(options.max_messages).unwrap_or(u64::MAX);
    let started = now();
    for n in 0..limit {
        if stop.is_asked() || !keep_pace(options.throughput, started, n, stop) {
            break;
        }
        send_one(options, producer, lines, tally, started, n)?;
    }
    Ok(())
}

fn send_one(
    options: &Options,
    producer: &KafkaProducer<str, str>,
    lines: &mpsc::Sender<String>,
    tally: &Arc<Tally>,
    started: Instant,
    n: u64,
) -> Result<(), KafkaError> {
    let key = options.repeating_keys.map(|count| (n % count).to_string());
    let value = match options.value_prefix {
        Some(prefix) => format!("{prefix}.{n}"),
        None => n.to_string(),
    };
    let mut record =
        ProducerRecord::nullable(options.topic.as_str(), key.clone(), Some(value.clone()));
    if options.message_create_time >= 0 {
        let passed = i64::try_from(now().duration_since(started).as_millis()).unwrap_or(i64::MAX);
        record = record.with_timestamp(options.message_create_time.saturating_add(passed));
    }
    tally.sent.fetch_add(1, Ordering::Relaxed);
    let topic = options.topic.clone();
    let (to_print, counted) = (lines.clone(), Arc::clone(tally));
    let (k, v) = (key.clone(), value.clone());
    let sent = producer.send_with_callback(record, move |result| match result {
        Ok(metadata) => {
            counted.acked.fetch_add(1, Ordering::Relaxed);
            let (partition, offset) = (metadata.partition(), metadata.offset());
            let fields = json!({"key": k, "value": v, "topic": topic, "partition": partition, "offset": offset});
            print(&to_print, "producer_send_success", fields);
        }
        Err(error) => print_failure(&to_print, &k, &v, &topic, &error),
    });
    if let Err(error) = sent {
        // Refused by `send` itself: no callback tells of it.
        print_failure(lines, &key, &value, &options.topic, &error);
        if error.is_fatal() {
            return Err(error);
        }
    }
    Ok(())
}

/// Waits until the n-th record is due; returns whether the tool shall go on.
fn keep_pace(throughput: i64, started: Instant, n: u64, stop: &Stop) -> bool {
    if throughput <= 0 {
        return true;
    }
    let due = started + Duration::from_secs_f64(n as f64 / throughput as f64);
    stop.pause(due.saturating_duration_since(now()))
}

fn print_failure(
    lines: &mpsc::Sender<String>,
    key: &Option<String>,
    value: &str,
    topic: &str,
    error: &KafkaError,
) {
    let exception = format!("class {}", error.kind().java_class());
    let fields = json!({
        "key": key, "value": value, "topic": topic, "exception": exception, "message": error.to_string(),
    });
    print(lines, "producer_send_error", fields);
}

/// Timestamp and name first, as Java's tool prints them.
fn print(lines: &mpsc::Sender<String>, name: &str, fields: Value) {
    let since_epoch = wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    let fields = fields.to_string();
    let more = fields.trim_start_matches('{');
    let comma = if more == "}" { "" } else { "," };
    let timestamp = since_epoch.as_millis();
    let line = format!("{{\"timestamp\":{timestamp},\"name\":\"{name}\"{comma}{more}");
    // Nobody to print to means that standard output is gone, which the printing thread has noticed.
    let _ = lines.send(line);
}

#[expect(
    clippy::disallowed_methods,
    reason = "a tool, not the library: it has no other clock"
)]
fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a tool, not the library: it has no other clock"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a tool, not the library: its own thread"
)]
fn spawn_printer(lines: mpsc::Receiver<String>) -> Result<thread::JoinHandle<()>, KafkaError> {
    let print_all = move || {
        let mut out = io::BufWriter::new(io::stdout().lock());
        while let Ok(line) = lines.recv() {
            // Whatever else is there goes out with it; then the reader shall see it.
            let more = std::iter::from_fn(|| lines.try_recv().ok());
            for line in std::iter::once(line).chain(more) {
                if writeln!(out, "{line}").is_err() {
                    return;
                }
            }
            if out.flush().is_err() {
                return;
            }
        }
    };
    let builder = thread::Builder::new().name("printer".to_owned());
    builder
        .spawn(print_all)
        .map_err(|error| KafkaError::new(ErrorKind::Kafka, error.to_string()))
}
