//! Callbacks that panic, block, or ask for what cannot be.

use std::sync::mpsc;
use std::time::Duration;

use ottla::{ErrorKind, KafkaError, ProducerRecord};

use crate::support::{Text, cluster, must_end, text_producer};

#[test]
fn a_callback_that_panics_harms_nobody() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    let first = producer
        .send_with_callback(ProducerRecord::new("t", "k", "1"), |_| panic!("on purpose"))
        .expect("room");
    let (told, outcome) = mpsc::channel();
    let tell = move |result: Result<ottla::RecordMetadata, KafkaError>| {
        told.send(result.is_ok()).expect("the test waits");
    };
    let second = producer
        .send_with_callback(ProducerRecord::new("t", "k", "2"), tell)
        .expect("room");
    must_end("get", move || {
        first.get().expect("delivered");
        second.get().expect("delivered");
        assert!(outcome.recv().expect("told"));
        producer
            .send(ProducerRecord::new("t", "k", "3"))
            .expect("room")
            .get()
            .expect("delivered");
    });
}

/// What a call inside a callback comes to.
fn inside(
    call: impl FnOnce(&Text) -> Result<(), KafkaError> + Send + 'static,
) -> Result<(), KafkaError> {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    must_end("a call inside a callback", move || {
        let (told, outcome) = mpsc::channel();
        let handle = producer.clone();
        let callback = move |_: Result<ottla::RecordMetadata, KafkaError>| {
            told.send(call(&handle)).expect("the test waits");
        };
        let _sent = producer
            .send_with_callback(ProducerRecord::new("t", "k", "v"), callback)
            .expect("room");
        let outcome = outcome.recv().expect("told");
        drop(cluster);
        outcome
    })
}

/// Scenario: CL2, PB11.
#[test]
fn blocking_calls_are_refused() {
    type Call = fn(&Text) -> Result<(), KafkaError>;
    let calls: [(&str, Call); 3] = [
        ("get", |producer| {
            producer
                .send(ProducerRecord::new("t", "k", "v"))?
                .get()
                .map(|_| ())
        }),
        ("flush", |producer| producer.flush()),
        ("flush_timeout", |producer| {
            producer.flush_timeout(Duration::from_secs(5))
        }),
    ];
    for (name, call) in calls {
        let error = inside(call).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::IllegalState, "{name}: {error}");
        assert!(error.to_string().contains("callback"), "{name}: {error}");
    }
}

#[test]
fn a_send_that_needs_no_waiting_is_allowed() {
    inside(|producer| {
        producer
            .send(ProducerRecord::new("t", "k", "v"))
            .map(|_| ())
    })
    .expect("room");
}

#[test]
fn a_callback_that_blocks_cannot_hold_up_close() {
    let cluster = cluster();
    let producer = text_producer(&cluster.bootstrap_servers(), &[]);
    let (release, blocked) = mpsc::channel::<()>();
    let (entered, inside) = mpsc::channel();
    let block = move |_: Result<ottla::RecordMetadata, KafkaError>| {
        entered.send(()).expect("the test waits");
        // Ends when the test lets go.
        let _ = blocked.recv();
    };
    let _sent = producer
        .send_with_callback(ProducerRecord::new("t", "k", "v"), block)
        .expect("room");
    inside.recv().expect("entered");
    must_end("close", move || {
        let _ = producer.close(Duration::from_millis(100));
    });
    drop(release);
}
