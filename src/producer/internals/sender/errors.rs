//! What the I/O thread tells those whose records failed.
//!
//! Java: `clients/producer/internals/Sender.java` (`failBatch`, `formatErrMsg`), `ProducerBatch.completeExceptionally`.
//! Differs: texts name the value and the limit.
//! Threads: plain functions. Locks: none.

use std::time::Duration;

use crate::common::cluster::TopicPartition;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::{KafkaError, TimeLimit};
use crate::protocol::errors::Errors;
use crate::protocol::messages::produce::BatchIndexAndErrorMessage;

/// The batch's time is up.
pub(super) fn expired(
    tp: &TopicPartition,
    records: u32,
    age: Duration,
    limit: Duration,
) -> KafkaError {
    let text = format!(
        "expiring {records} record(s) for {tp}: {} ms have passed since the batch was created, delivery.timeout.ms is {}",
        age.as_millis(),
        limit.as_millis()
    );
    KafkaError::timeout(TimeLimit::DeliveryTimeout, text)
}

/// The producer was closed before the batch was done.
pub(super) fn closed_forcefully() -> KafkaError {
    KafkaError::new(ErrorKind::Kafka, "the producer was closed forcefully")
}

/// A bug of ours, most likely.
pub(super) fn panicked(text: &str) -> KafkaError {
    let text = format!("the producer's I/O thread died of a panic: {text}");
    KafkaError::new(ErrorKind::Kafka, text).fatal()
}

/// The broker refused the batch for good.
pub(super) fn refused(
    tp: &TopicPartition,
    error: Errors,
    broker_message: Option<&str>,
) -> KafkaError {
    let said = |kind, text| {
        let error = KafkaError::new(kind, text);
        match broker_message {
            Some(message) if !message.is_empty() => error.with_broker_message(message),
            _ => error,
        }
    };
    match error {
        Errors::TopicAuthorizationFailed => said(
            ErrorKind::TopicAuthorization,
            format!("not authorized to write to topic {}", tp.topic()),
        ),
        Errors::ClusterAuthorizationFailed => said(
            ErrorKind::ClusterAuthorization,
            "the producer is not authorized to do idempotent sends".to_owned(),
        ),
        _ => error.exception(broker_message),
    }
}

/// The errors of single records, where the broker named some (KIP-467), and the error of the others.
pub(super) fn of_records(
    of_batch: &KafkaError,
    named: &[BatchIndexAndErrorMessage],
    broker_message: Option<&str>,
) -> (KafkaError, Vec<(u32, KafkaError)>) {
    let kind = match named.len() {
        0 => return (of_batch.clone(), Vec::new()),
        1 => of_batch.kind(),
        _ => ErrorKind::InvalidRecord,
    };
    let mut errors: Vec<_> = named
        .iter()
        .filter_map(|record| {
            let index = u32::try_from(record.batch_index).ok()?;
            let own = record.batch_index_error_message.as_deref();
            let text = own.or(broker_message).unwrap_or(of_batch.message());
            Some((index, KafkaError::new(kind, text)))
        })
        .collect();
    errors.sort_by_key(|(index, _)| *index);
    errors.dedup_by_key(|(index, _)| *index);
    let neighbours = KafkaError::new(
        ErrorKind::Kafka,
        "the record was in the same batch as one or more invalid records; the whole batch was refused",
    );
    (neighbours, errors)
}
