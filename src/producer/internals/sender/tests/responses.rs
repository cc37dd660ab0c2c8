//! Answers that are odd: partial, about single records, too large, from another world.

use super::*;
use crate::common::error_kind::ErrorKind;
use crate::protocol::ApiKeys;
use crate::protocol::messages::produce::BatchIndexAndErrorMessage;

/// Scenario: SE20.
#[test]
fn a_partition_that_a_response_leaves_out_is_tried_again() {
    let mut fixture = Fixture::new(Setup::default());
    let (first, second) = (fixture.append(0), fixture.append(1));
    fixture.pass();
    fixture.answer(0, Errors::None, 5);
    assert_eq!(offset(&first), 5);
    assert!(!second.is_done());
    fixture.pass_after_backoff();
    fixture.answer(1, Errors::None, 6);
    assert_eq!(offset(&second), 6);
}

/// Scenario: SE20.
#[test]
fn answers_for_unasked_or_already_answered_partitions_are_passed_over() {
    let mut fixture = Fixture::new(Setup::default());
    let future = fixture.send(0);
    let mut response = answers(vec![
        partition_answer(3, Errors::None, 1),
        partition_answer(-1, Errors::None, 1),
        partition_answer(0, Errors::None, 2),
        partition_answer(0, Errors::InvalidRecord, -1),
    ]);
    response.responses.push(TopicProduceResponse {
        name: "unknown".to_owned(),
        partition_responses: Few::from([partition_answer(0, Errors::None, 9)]),
        ..Default::default()
    });
    fixture.client.respond(response);
    fixture.pass();
    assert_eq!(offset(&future), 2);
}

#[test]
fn a_code_that_we_do_not_know_is_final_and_leaves_open_what_happened() {
    let mut fixture = Fixture::new(Setup::default());
    let future = fixture.send(0);
    let mut response = answer(0, Errors::None, -1);
    response.responses[0].partition_responses[0].error_code = 4711;
    fixture.client.respond(response);
    fixture.pass();
    let error = error(&future);
    assert_eq!(error.kind(), ErrorKind::UnknownServer);
    assert!(error.message().contains("4711"));
    assert_eq!(error.persisted(), Persisted::Maybe);
}

#[test]
fn a_response_of_another_kind_is_a_lost_one() {
    let mut fixture = Fixture::new(Setup::default());
    let future = fixture.send(0);
    fixture.client.respond(producer_id(1, 0));
    fixture.pass();
    assert!(!future.is_done());
    fixture.pass_after_backoff();
    assert_eq!(fixture.in_flight().len(), 1);
}

fn invalid(indexes: &[(i32, Option<&str>)], of_batch: Option<&str>) -> ProduceResponse {
    let mut response = answer(0, Errors::InvalidRecord, -1);
    let partition = &mut response.responses[0].partition_responses[0];
    partition.error_message = of_batch.map(str::to_owned);
    partition.record_errors = indexes
        .iter()
        .map(|(index, message)| BatchIndexAndErrorMessage {
            batch_index: *index,
            batch_index_error_message: message.map(str::to_owned),
        })
        .collect();
    response
}

/// Java: `SenderTest.testRecordErrorPropagatedToApplication`. Scenario: SE13.
#[test]
fn records_that_the_broker_names_get_errors_of_their_own() {
    let mut fixture = Fixture::new(Setup::default());
    let futures: Vec<_> = (0..4).map(|_| fixture.append(0)).collect();
    fixture.pass();
    let response = invalid(&[(3, None), (1, Some("no key"))], Some("bad batch"));
    fixture.client.respond(response);
    fixture.pass();
    let errors: Vec<_> = futures.iter().map(error).collect();
    let kinds: Vec<_> = errors.iter().map(KafkaError::kind).collect();
    let (plain, invalid) = (ErrorKind::Kafka, ErrorKind::InvalidRecord);
    assert_eq!(kinds, [plain, invalid, plain, invalid]);
    assert_eq!(errors[1].message(), "no key");
    assert_eq!(errors[3].message(), "bad batch");
    assert!(errors[0].message().contains("same batch"));
}

/// Scenario: SE13.
#[test]
fn a_single_named_record_gets_the_error_of_the_batch() {
    let mut fixture = Fixture::new(Setup::default());
    let futures: Vec<_> = (0..2).map(|_| fixture.append(0)).collect();
    fixture.pass();
    let mut response = invalid(&[(1, None)], None);
    let too_late = Errors::InvalidTimestamp;
    response.responses[0].partition_responses[0].error_code = too_late.code();
    fixture.client.respond(response);
    fixture.pass();
    assert_eq!(error(&futures[1]).kind(), ErrorKind::InvalidTimestamp);
    assert_eq!(
        error(&futures[1]).message(),
        too_late.exception(None).message()
    );
    assert_eq!(error(&futures[0]).kind(), ErrorKind::Kafka);
}

/// Java: `SenderTest.testSplitBatchAndSend`. Scenario: SE12.
#[test]
fn a_batch_that_is_too_large_goes_on_in_parts() {
    let mut fixture = Fixture::new(Setup::default());
    let futures: Vec<_> = (0..2)
        .map(|_| fixture.append_with(0, &[0; 400], None))
        .collect();
    fixture.pass();
    fixture.answer(0, Errors::MessageTooLarge, -1);
    assert!(futures.iter().all(|future| !future.is_done()));
    for (n, future) in futures.iter().enumerate() {
        fixture.pass();
        let partition = answer(0, Errors::None, n as i64);
        fixture.client.respond(partition);
        fixture.pass();
        assert_eq!(offset(future), n as i64);
    }
}

/// Scenario: SE12.
#[test]
fn a_single_record_that_is_too_large_fails() {
    let mut fixture = Fixture::new(Setup::default());
    let future = fixture.send(0);
    fixture.answer(0, Errors::MessageTooLarge, -1);
    let error = error(&future);
    assert_eq!(error.kind(), ErrorKind::RecordTooLarge);
    assert_eq!(error.persisted(), Persisted::No);
}

/// Scenario: CL4 (the callback's side).
#[test]
fn a_callback_that_panics_harms_nobody_else() {
    let mut fixture = Fixture::new(Setup::default());
    let panics: Callback = Box::new(|_| panic!("by the user"));
    let first = fixture.append_with(0, b"value", Some(panics));
    let second = fixture.send(0);
    fixture.answer(0, Errors::None, 0);
    assert_eq!((offset(&first), offset(&second)), (0, 1));
    let counted = ("callback-panic-total", 1.0);
    assert!(fixture.control.metrics().snapshot().contains(&counted));
    let _third = fixture.send(0);
    assert_eq!(fixture.in_flight().len(), 1);
}

/// Java: `SenderTest.testUnsupportedVersionInProduceRequest`. Scenario: ID19.
#[test]
fn a_version_that_the_broker_does_not_know_is_fatal_for_an_idempotent_producer() {
    let mut fixture = Fixture::idempotent(Setup::default());
    let first = fixture.send(0);
    fixture.answer(0, Errors::UnsupportedVersion, -1);
    assert_eq!(error(&first).kind(), ErrorKind::UnsupportedVersion);
    let second = fixture.send(1);
    assert!(error(&second).is_fatal());
    assert_eq!(error(&second).kind(), ErrorKind::UnsupportedVersion);
}

/// Java: `RecordAccumulatorTest.testIdempotenceWithOldMagic`. A broker that takes no format 2 knows no Produce 3.
/// Scenario: AC19.
#[test]
fn a_broker_too_old_for_our_batches_fails_them_and_their_memory_comes_back() {
    let mut fixture = Fixture::idempotent(Setup::default());
    let available = fixture.accumulator.pool().available();
    fixture.client.limit_version(ApiKeys::Produce, 2);
    let record = fixture.send(0);
    fixture.pass();
    let error = error(&record);
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert_eq!(error.persisted(), Persisted::No);
    drop(record);
    assert_eq!(fixture.accumulator.pool().available(), available);
}

const ID: Uuid = Uuid([7; 16]);

/// The answer of a broker that names topics by their ids.
fn answer_by_id(id: Uuid, offset: i64) -> ProduceResponse {
    let mut response = answer(0, Errors::None, offset);
    response.responses[0].name = String::new();
    response.responses[0].topic_id = id;
    response
}

#[test]
fn topics_with_an_id_are_named_by_it_and_others_keep_an_older_version() {
    let mut named = Fixture::new(Setup::default());
    let _future = named.append(0);
    named.pass();
    assert_eq!(named.client.requests()[0].version, 12);
    let mut fixture = Fixture::new(Setup {
        topic_id: ID,
        ..Setup::default()
    });
    let future = fixture.send(0);
    assert_eq!(fixture.client.requests()[0].version, 13);
    assert_eq!(fixture.in_flight()[0].1.topic_data[0].topic_id, ID);
    fixture.client.respond(answer_by_id(ID, 4));
    fixture.pass();
    assert_eq!(offset(&future), 4);
}

/// Scenario: SE20.
#[test]
fn an_answer_for_an_unknown_topic_id_leaves_the_batch_to_be_tried_again() {
    let mut fixture = Fixture::new(Setup {
        topic_id: ID,
        ..Setup::default()
    });
    let future = fixture.send(0);
    fixture.client.respond(answer_by_id(Uuid([8; 16]), 4));
    fixture.pass();
    assert!(!future.is_done());
    fixture.pass_after_backoff();
    fixture.client.respond(answer_by_id(ID, 5));
    fixture.pass();
    assert_eq!(offset(&future), 5);
}
