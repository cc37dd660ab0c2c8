//! What a caller of `send` sees of topics' errors and of failures on this side, written down in `docs/errors.md`.

use super::waiting::{answered, send_elsewhere, until_asked};
use super::*;
use crate::common::header::Headers;
use crate::common::serialization::Serializer;
use crate::producer::internals::producer_metadata::fatal_topic_error;
use crate::producer::partitioner::{Cluster, Partitioner, RecordToPlace};
use crate::testing::error_page::{Finding, cause, check_grouped, check_local, every_code, sees};

/// Fails, or panics.
struct Bad {
    panics: bool,
}

impl Bad {
    fn fail(&self, kind: ErrorKind) -> KafkaError {
        assert!(!self.panics, "a bug of the user");
        KafkaError::new(kind, "in the user's own words")
    }
}

impl Serializer<[u8]> for Bad {
    fn serialize<'a>(
        &self,
        _topic: &str,
        _headers: &mut Headers,
        _data: &'a [u8],
        _buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        Err(self.fail(ErrorKind::Serialization))
    }
}

impl Partitioner<[u8], [u8]> for Bad {
    fn partition(
        &self,
        _record: &RecordToPlace<'_, [u8], [u8]>,
        _cluster: &Cluster<'_>,
    ) -> Result<i32, KafkaError> {
        Err(self.fail(ErrorKind::IllegalArgument))
    }
}

/// What `send` says, wherever it says it.
fn outcome(fixture: &Fixture, record: ProducerRecord<'_, [u8; 1], Vec<u8>>) -> KafkaError {
    match fixture.producer.send(record) {
        Ok(future) => failure(&future),
        Err(error) => error,
    }
}

fn of_size(size: usize) -> ProducerRecord<'static, [u8; 1], Vec<u8>> {
    ProducerRecord::new(TOPIC, *b"k", vec![0; size])
}

fn with_settings(settings: &[(&str, &str)], partitions: i32, size: usize) -> KafkaError {
    let fixture = Fixture::new(settings);
    if partitions > 0 {
        fixture.know(partitions);
    }
    outcome(&fixture, of_size(size))
}

fn with_plugins(change: impl FnOnce(&mut Unconfigured<[u8], [u8]>)) -> KafkaError {
    let mut plugins = unconfigured();
    change(&mut plugins);
    let fixture = Fixture::with(&[], plugins);
    fixture.know(2);
    let error = outcome(&fixture, of_size(1));
    fixture.assert_nothing_buffered();
    error
}

fn full() -> KafkaError {
    let fixture = Fixture::new(&[("buffer.memory", "16384"), ("max.block.ms", "0")]);
    fixture.know(1);
    let _kept = fixture.producer.send(of_size(12_000)).unwrap();
    outcome(&fixture, of_size(12_000))
}

fn closed() -> KafkaError {
    let mut fixture = Fixture::new(&[]);
    fixture.know(1);
    fixture.end();
    outcome(&fixture, of_size(1))
}

/// The login is refused while a send waits for metadata.
fn refused_login() -> KafkaError {
    let fixture = Fixture::new(&[]);
    let sent = send_elsewhere(&fixture, record());
    until_asked(&fixture, TOPIC);
    let refused = KafkaError::new(ErrorKind::SaslAuthentication, "wrong password");
    let refuse = || {
        fixture
            .metadata
            .with(|core| core.fatal_error(refused.clone()))
    };
    failure(&answered(&sent, refuse).unwrap())
}

fn closed_meanwhile() -> KafkaError {
    let mut fixture = Fixture::new(&[]);
    let sent = send_elsewhere(&fixture, record());
    until_asked(&fixture, TOPIC);
    fixture.end();
    sent.recv().unwrap().unwrap_err()
}

fn forked() -> KafkaError {
    let mut fixture = Fixture::new(&[]);
    fixture.know(1);
    let inner = Arc::get_mut(&mut fixture.producer.inner).unwrap();
    inner.process = Process::parent_of_this();
    fixture.accumulator.fork();
    let error = outcome(&fixture, of_size(1));
    // The same on every run.
    let id = std::process::id().to_string();
    KafkaError::new(error.kind(), error.message().replace(&id, "4711"))
}

fn flush_in_callback() -> KafkaError {
    let fixture = Fixture::new(&[]);
    fixture.accumulator.enter_io_thread();
    fixture.producer.flush().unwrap_err()
}

#[test]
fn error_page_local_send() {
    let waits = "waits for `max.block.ms`";
    let refuses = "refuses the record";
    let beyond = {
        let fixture = Fixture::new(&[("max.block.ms", "0")]);
        fixture.know(2);
        outcome(&fixture, of_size(1).with_partition(2))
    };
    let negative = {
        let fixture = Fixture::new(&[]);
        outcome(&fixture, of_size(1).with_partition(-1))
    };
    let rows = [
        (
            "no metadata of the topic",
            waits,
            with_settings(&[("max.block.ms", "0")], 0, 1),
        ),
        (
            "the login is refused meanwhile",
            "wakes all who wait",
            refused_login(),
        ),
        (
            "the producer is closed meanwhile",
            "wakes all who wait",
            closed_meanwhile(),
        ),
        ("the topic has fewer partitions", waits, beyond),
        ("no memory", waits, full()),
        (
            "a record above `max.request.size`",
            refuses,
            with_settings(&[("max.request.size", "100")], 1, 1000),
        ),
        (
            "a record above `buffer.memory`",
            refuses,
            with_settings(&[("buffer.memory", "900"), ("batch.size", "10")], 1, 1000),
        ),
        ("a negative partition or timestamp", refuses, negative),
        (
            "the serializer fails",
            refuses,
            with_plugins(|plugins| plugins.value_serializer = Box::new(Bad { panics: false })),
        ),
        (
            "the partitioner fails",
            refuses,
            with_plugins(|plugins| {
                plugins.placement.custom = Some(Box::new(Bad { panics: false }));
            }),
        ),
        ("the producer is closed", refuses, closed()),
        ("the process has forked", refuses, forked()),
        (
            "`flush` inside a callback",
            "refuses the call",
            flush_in_callback(),
        ),
    ];
    check_local("local: send", &rows);
}

#[test]
fn error_page_metadata_topic() {
    let findings: Vec<_> = every_code()
        .filter(|code| *code != Errors::None)
        .map(of_topic)
        .collect();
    check_grouped("metadata: topic", &findings);
}

fn of_topic(code: Errors) -> Finding {
    let fixture = Fixture::new(&[("max.block.ms", "0")]);
    fixture.answer_error(TOPIC, code);
    let (does, error) = match fatal_topic_error(&fixture.metadata.current(), TOPIC) {
        Some(error) => ("refuses the record at once", error),
        None => (
            "asks again with a back-off until `max.block.ms`",
            outcome(&fixture, of_size(1)),
        ),
    };
    let waits = error.time_limit() == Some(TimeLimit::MaxBlock);
    let sees = match (waits, error.message().contains(code.text())) {
        (true, true) => "`Timeout`, retriable, with what the cluster said".to_owned(),
        (false, _) => sees(&error, Some(code)),
        (true, false) => panic!("{error}"),
    };
    Finding {
        cause: cause(code),
        does: does.to_owned(),
        sees,
        written: "no",
    }
}

/// Java: whatever a partitioner throws goes on to the caller of `send`.
#[test]
fn a_partitioner_that_panics_harms_only_its_caller() {
    let mut plugins = unconfigured();
    plugins.placement.custom = Some(Box::new(Bad { panics: true }));
    let fixture = Fixture::with(&[], plugins);
    fixture.know(2);
    let send = || fixture.producer.send(of_size(1));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(send)).is_err());
    fixture.assert_nothing_buffered();
    let placed = fixture.producer.send(of_size(1).with_partition(1)).unwrap();
    assert!(!placed.is_done());
}
