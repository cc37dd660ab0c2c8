//! What the tests share: producers with short limits, and a guard against hanging.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use ottla::embedded::EmbeddedCluster;
use ottla::{KafkaError, KafkaProducer, ProducerConfig};

pub(crate) type Bytes = KafkaProducer<[u8], [u8]>;
pub(crate) type Text = KafkaProducer<str, str>;

/// A producer of texts with these settings on top of the defaults.
pub(crate) fn text_producer(servers: &str, settings: &[(&str, &str)]) -> Text {
    Text::new(config(servers, settings)).expect("a producer")
}

/// A producer of bytes with these settings on top of the defaults.
pub(crate) fn bytes_producer(servers: &str, settings: &[(&str, &str)]) -> Bytes {
    Bytes::new(config(servers, settings)).expect("a producer")
}

/// These settings on top of the defaults.
pub(crate) fn config(servers: &str, settings: &[(&str, &str)]) -> ProducerConfig {
    let base = [("bootstrap.servers", servers)];
    let pairs = base.iter().chain(settings).copied();
    ProducerConfig::from_properties(pairs).expect("a legal configuration")
}

/// One broker with one topic of one partition.
pub(crate) fn cluster() -> EmbeddedCluster {
    EmbeddedCluster::builder()
        .topic("t", 1)
        .start()
        .expect("loopback")
}

/// The values of a partition, as texts in the order of their offsets.
pub(crate) fn values(cluster: &EmbeddedCluster, topic: &str, partition: i32) -> Vec<String> {
    let records = cluster.records(topic, partition).expect("a partition");
    records
        .into_iter()
        .map(|record| text(record.value))
        .collect()
}

pub(crate) fn text(bytes: Option<Vec<u8>>) -> String {
    String::from_utf8(bytes.expect("not null")).expect("a text")
}

/// Runs what must come to an end on a thread of its own, and fails where it does not. The patience is far beyond every
/// limit that a test sets: it tells hanging from slowness, nothing else.
pub(crate) fn must_end<T: Send + 'static>(
    what: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (done, outcome) = mpsc::channel();
    let worker = thread::spawn(move || done.send(body()));
    match outcome.recv_timeout(PATIENCE) {
        Ok(outcome) => outcome,
        Err(mpsc::RecvTimeoutError::Disconnected) => match worker.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(_) => unreachable!("a worker that ends has sent its outcome"),
        },
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what} hangs"),
    }
}

/// The error of something that must fail.
pub(crate) fn error<T>(result: Result<T, KafkaError>) -> KafkaError {
    match result {
        Ok(_) => panic!("this must fail"),
        Err(error) => error,
    }
}

/// Runs the body of the test called `name` in a process of its own, for tests that count what a process has.
pub(crate) fn alone(name: &str, body: impl FnOnce()) {
    if std::env::var_os(ALONE).is_some() {
        return body();
    }
    let program = std::env::current_exe().expect("this test");
    let output = std::process::Command::new(program)
        .args([name, "--exact"])
        .env(ALONE, "1")
        .output();
    let output = output.expect("the test starts again");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

const ALONE: &str = "OTTLA_TEST_ALONE";
const PATIENCE: Duration = Duration::from_secs(60);
