//! `ottla produce`: sends each line of standard input to a topic.
//!
//! Java: `tools/ConsoleProducer.java`.
//! Differs: a failed record ends the tool with exit code 1 after the rest is sent; Java only logs it. No custom readers.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ottla::{ErrorKind, Header, Headers, KafkaError, KafkaProducer, ProducerRecord};

use crate::client_options::{self, ClientOptions, Pairs};
use crate::line_reader::{Line, LineReader};

/// The options of Java's tool.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The topic to send to.
    #[arg(long)]
    topic: String,
    #[command(flatten)]
    client: ClientOptions,
    /// Wait for each record before the next is read.
    #[arg(long)]
    sync: bool,
    /// Compress with none, gzip, snappy, lz4 or zstd; gzip where no name is given. Beats the configuration.
    #[arg(long, value_name = "CODEC", num_args = 0..=1, default_missing_value = "gzip")]
    compression_codec: Option<String>,
    /// batch.size, in bytes.
    #[arg(long)]
    batch_size: Option<u32>,
    /// The older spelling of --batch-size; beats it.
    #[arg(long, hide = true)]
    max_partition_memory_bytes: Option<u32>,
    /// retries [default: 3]
    #[arg(long)]
    message_send_max_retries: Option<u32>,
    /// retry.backoff.ms [default: 100]
    #[arg(long)]
    retry_backoff_ms: Option<u64>,
    /// linger.ms [default: 1000]
    #[arg(long)]
    timeout: Option<u64>,
    /// request.timeout.ms [default: 1500]
    #[arg(long)]
    request_timeout_ms: Option<u64>,
    /// max.block.ms [default: 60000]
    #[arg(long)]
    max_block_ms: Option<u64>,
    /// acks [default: -1]
    #[arg(long, allow_negative_numbers = true)]
    request_required_acks: Option<String>,
    /// metadata.max.age.ms [default: 300000]
    #[arg(long)]
    metadata_expiry_ms: Option<u64>,
    /// buffer.memory, in bytes [default: 33554432]
    #[arg(long)]
    max_memory_bytes: Option<u64>,
    /// send.buffer.bytes [default: 102400]
    #[arg(long)]
    socket_buffer_size: Option<u32>,
    /// A reader property, KEY=VALUE: parse.key, key.separator, parse.headers, headers.delimiter, headers.separator,
    /// headers.key.separator, null.marker, ignore.error. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "property")]
    reader_property: Vec<String>,
    /// The older spelling of --reader-property.
    #[arg(long, value_name = "KEY=VALUE")]
    property: Vec<String>,
    /// A file with reader properties.
    #[arg(long, value_name = "FILE")]
    reader_config: Option<PathBuf>,
    /// A class that reads records: Java only.
    #[arg(long, value_name = "CLASS", hide = true)]
    line_reader: Option<String>,
}

pub(crate) fn run(options: &Options) -> Result<(), KafkaError> {
    if let Some(class) = &options.line_reader {
        let text =
            format!("--line-reader {class} names a Java class; use the reader properties instead");
        return Err(KafkaError::new(ErrorKind::Config, text));
    }
    let mut reader = LineReader::new(&reader_properties(options)?)?;
    let producer =
        KafkaProducer::<[u8], [u8]>::new(client_options::config(producer_pairs(options)?)?)?;
    let failures = Failures::default();
    let progress = progress();
    let reading = read_lines(options, &producer, &mut reader, &failures, &progress);
    let report = producer.close(Duration::MAX);
    progress.finish_and_clear();
    reading?;
    let _ = report?;
    failures.verdict()
}

fn read_lines(
    options: &Options,
    producer: &KafkaProducer<[u8], [u8]>,
    reader: &mut LineReader,
    failures: &Failures,
    progress: &ProgressBar,
) -> Result<(), KafkaError> {
    let interactive = io::stdin().is_terminal();
    let mut lines = io::stdin().lock().lines();
    loop {
        if interactive {
            // A prompt that cannot be shown is no reason to stop reading.
            let _ = write!(io::stderr(), ">").and_then(|()| io::stderr().flush());
        }
        let Some(line) = lines.next() else {
            return Ok(());
        };
        let line = line.map_err(|error| {
            KafkaError::new(
                ErrorKind::Kafka,
                format!("standard input cannot be read: {error}"),
            )
            .with_source(error)
        })?;
        send(options, producer, reader.read(&line)?, failures)?;
        progress.inc(1);
    }
}

fn send(
    options: &Options,
    producer: &KafkaProducer<[u8], [u8]>,
    line: Line,
    failures: &Failures,
) -> Result<(), KafkaError> {
    let mut headers = Headers::new();
    for (key, value) in line.headers {
        headers.add(match value {
            Some(value) => Header::new(key, value),
            None => Header::null(key),
        });
    }
    let sizes = (
        line.key.as_ref().map(Vec::len),
        line.value.as_ref().map(Vec::len),
    );
    let record = ProducerRecord::nullable(options.topic.as_str(), line.key, line.value)
        .with_headers(headers);
    if options.sync {
        return producer.send(record)?.get().map(|_| ());
    }
    let (topic, failures) = (options.topic.clone(), failures.clone());
    // The future is dropped: the callback tells what became of the record.
    let _sent = producer.send_with_callback(record, move |result| {
        if let Err(error) = result {
            failures.tell(&topic, sizes, &error);
        }
    })?;
    Ok(())
}

/// How many records failed, counted on the producer's I/O thread and read after it has ended (Relaxed).
#[derive(Debug, Clone, Default)]
struct Failures(Arc<AtomicU64>);

impl Failures {
    /// Sizes instead of contents, as Java does.
    fn tell(&self, topic: &str, (key, value): (Option<usize>, Option<usize>), error: &KafkaError) {
        let size = |bytes: Option<usize>| {
            bytes.map_or("null".to_owned(), |bytes| format!("{bytes} bytes"))
        };
        eprintln!(
            "ottla: a record for topic {topic} (key: {}, value: {}) failed: {error}",
            size(key),
            size(value)
        );
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn verdict(&self) -> Result<(), KafkaError> {
        match self.0.load(Ordering::Relaxed) {
            0 => Ok(()),
            count => Err(KafkaError::new(
                ErrorKind::Kafka,
                format!("{count} of the records were not delivered"),
            )),
        }
    }
}

/// A counter on a terminal, nothing elsewhere. While lines are typed at a prompt it would be in the way.
fn progress() -> ProgressBar {
    if io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    match ProgressStyle::with_template("{pos} records, {per_sec}, {elapsed}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn reader_properties(options: &Options) -> Result<Pairs, KafkaError> {
    let mut pairs = match &options.reader_config {
        Some(path) => client_options::read_file(path)?,
        None => Pairs::new(),
    };
    for text in options.reader_property.iter().chain(&options.property) {
        client_options::set(
            &mut pairs,
            client_options::split_pair("--reader-property", text)?,
        );
    }
    Ok(pairs)
}

/// An option beats the configuration; the tool's own default yields to it.
fn producer_pairs(options: &Options) -> Result<Pairs, KafkaError> {
    let mut pairs = options.client.pairs()?;
    let text = |value: Option<u64>| value.map(|value| value.to_string());
    let batch_size = options.max_partition_memory_bytes.or(options.batch_size);
    let settings = [
        ("batch.size", text(batch_size.map(u64::from)), "16384"),
        (
            "retries",
            text(options.message_send_max_retries.map(u64::from)),
            "3",
        ),
        ("retry.backoff.ms", text(options.retry_backoff_ms), "100"),
        ("linger.ms", text(options.timeout), "1000"),
        (
            "request.timeout.ms",
            text(options.request_timeout_ms),
            "1500",
        ),
        ("max.block.ms", text(options.max_block_ms), "60000"),
        ("acks", options.request_required_acks.clone(), "-1"),
        (
            "metadata.max.age.ms",
            text(options.metadata_expiry_ms),
            "300000",
        ),
        ("buffer.memory", text(options.max_memory_bytes), "33554432"),
        (
            "send.buffer.bytes",
            text(options.socket_buffer_size.map(u64::from)),
            "102400",
        ),
        (
            "compression.type",
            options.compression_codec.clone(),
            "none",
        ),
        ("client.id", None, "console-producer"),
    ];
    for (key, option, default) in settings {
        match option {
            Some(value) => client_options::set(&mut pairs, (key.to_owned(), value)),
            None => client_options::set_default(&mut pairs, key, default),
        }
    }
    Ok(pairs)
}
