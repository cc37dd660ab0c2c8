//! Odd answers to Produce.

use super::*;
use crate::protocol::messages::produce::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint,
};

/// The broker's first answer to Produce is changed like this.
fn changed(change: impl Fn(&mut ProduceResponse) + 'static) -> World {
    World::new(&[]).odd(ApiKeys::Produce, 1, move |header, answer| {
        let ResponseBody::Produce(mut body) = answer else {
            panic!("{answer:?}");
        };
        change(&mut body);
        vec![frame(header, body)]
    })
}

fn partition(body: &mut ProduceResponse) -> &mut PartitionProduceResponse {
    &mut body.responses[0].partition_responses[0]
}

fn only(body: &mut ProduceResponse) -> PartitionProduceResponse {
    partition(body).clone()
}

/// What reliability asks of C7: left out, repeated, never asked for.
#[test]
fn odd_sets_of_partitions_end_each_record_once() {
    changed(|body| body.responses.clear()).ends_with("no topic", End::Acked);
    let none = |body: &mut ProduceResponse| body.responses[0].partition_responses.clear();
    changed(none).ends_with("no partition", End::Acked);
    changed(|body| {
        let again = PartitionProduceResponse {
            error_code: Errors::InvalidRecord.code(),
            base_offset: 99,
            ..only(body)
        };
        body.responses[0].partition_responses.push(again);
    })
    .ends_with("repeated with an error", End::Acked);
    changed(|body| {
        let again = body.responses[0].clone();
        body.responses.push(again);
    })
    .ends_with("topic repeated", End::Acked);
    for index in [1, -1, i32::MAX, i32::MIN] {
        let name = format!("partition {index} in addition");
        changed(move |body| {
            let other = PartitionProduceResponse {
                index,
                ..only(body)
            };
            body.responses[0].partition_responses.insert(0, other);
        })
        .ends_with(&name, End::Acked);
        changed(move |body| partition(body).index = index).ends_with("instead", End::Acked);
    }
}

#[test]
fn an_answer_for_a_topic_that_nobody_asked_for_is_no_answer() {
    let world = changed(|body| body.responses[0].topic_id = Uuid([8; 16]));
    world.ends_with("another id", End::Acked);
    changed(|body| body.responses[0].topic_id = Uuid::ZERO).ends_with("no id", End::Acked);
}

#[test]
fn a_code_from_the_future_is_final_and_leaves_open_what_happened() {
    for code in [134, 4711, i16::MAX, i16::MIN, -2] {
        let world = changed(move |body| partition(body).error_code = code);
        let end = End::Failed(ErrorKind::UnknownServer, Persisted::Maybe);
        world.ends_with(&format!("code {code}"), end);
    }
}

#[test]
fn odd_offsets_and_times_do_not_change_that_the_record_was_written() {
    for offset in [-1, -2, i64::MIN] {
        let world = changed(move |body| partition(body).base_offset = offset);
        world.ends_with("negative offset", End::AckedWithoutOffset);
    }
    let world = changed(|body| partition(body).base_offset = i64::MAX);
    world.ends_with("the greatest offset", End::Acked);
    for time in [-2, i64::MIN, i64::MAX] {
        let world = changed(move |body| partition(body).log_append_time_ms = time);
        world.ends_with("log append time", End::Acked);
        let world = changed(move |body| partition(body).log_start_offset = time);
        world.ends_with("log start offset", End::Acked);
    }
}

/// Catalogue C8: the broker says that it wrote the second batch before the first.
#[test]
fn an_offset_below_that_of_the_batch_before_is_believed_and_counted() {
    let mut world = World::new(&[]);
    for expected in 0..3 {
        let sent = world.send(0);
        assert_eq!(world.end_of(&sent), End::Acked);
        assert_eq!(sent.try_get().unwrap().unwrap().offset(), expected);
    }
    let mut world = world.odd(ApiKeys::Produce, 1, |header, answer| {
        let ResponseBody::Produce(mut body) = answer else {
            panic!("{answer:?}");
        };
        partition(&mut body).base_offset = 1;
        vec![frame(header, body)]
    });
    let late = world.send(0);
    assert_eq!(world.end_of(&late), End::Acked);
    assert_eq!(late.try_get().unwrap().unwrap().offset(), 1);
    let counted = ("offset-regression-total", 1.0);
    assert!(world.stepped.producer.health().counters.contains(&counted));
    world.ends_with_next();
}

impl World {
    fn ends_with_next(mut self) {
        let next = self.send(0);
        assert_eq!(self.end_of(&next), End::Acked);
        assert_eq!(next.try_get().unwrap().unwrap().offset(), 4);
    }
}

#[test]
fn names_of_records_that_are_not_there_harm_nobody() {
    let named = |index| BatchIndexAndErrorMessage {
        batch_index: index,
        batch_index_error_message: None,
    };
    for indexes in [vec![-1], vec![7], vec![i32::MAX, i32::MIN], vec![0, 0, 0]] {
        let expected = match indexes.as_slice() {
            [0, ..] => ErrorKind::InvalidRecord,
            // The record is not named, so it failed as a neighbour.
            _ => ErrorKind::Kafka,
        };
        let mut world = World::new(&[]).odd(ApiKeys::Produce, 1, move |header, answer| {
            let ResponseBody::Produce(mut body) = answer else {
                panic!("{answer:?}");
            };
            let partition = partition(&mut body);
            partition.error_code = Errors::InvalidRecord.code();
            partition.record_errors = indexes.iter().copied().map(named).collect();
            vec![frame(header, body)]
        });
        let sent = world.send(0);
        assert_eq!(world.end_of(&sent), End::Failed(expected, Persisted::No));
    }
}

/// KIP-951 hints that lead nowhere.
#[test]
fn hints_at_leaders_that_do_not_exist_cost_a_retry() {
    let leaders = [
        (-1, 5),
        (5, -1),
        (5, 5),
        (i32::MIN, i32::MAX),
        (0, 0),
        (0, i32::MAX),
    ];
    for (leader_id, leader_epoch) in leaders {
        for (node_id, port) in [(5, 9092), (5, -1), (5, 70_000), (-7, 0), (0, 9092)] {
            let world = changed(move |body| {
                let endpoint = NodeEndpoint {
                    node_id,
                    host: "10.0.0.0".to_owned(),
                    port,
                    rack: None,
                };
                body.node_endpoints = vec![endpoint.clone(), endpoint];
                let partition = partition(body);
                partition.error_code = Errors::NotLeaderOrFollower.code();
                partition.base_offset = -1;
                partition.current_leader = LeaderIdAndEpoch {
                    leader_id,
                    leader_epoch,
                };
            });
            let name = format!("leader {leader_id}/{leader_epoch} on node {node_id}:{port}");
            world.ends_with(&name, End::Acked);
        }
    }
}

/// Catalogue A17 and C11.
#[test]
fn throttle_times_from_nowhere_neither_fail_nor_stop_a_record() {
    for throttle in [-1, i32::MIN, 1, 3_600_000, i32::MAX] {
        let mut world = changed(move |body| body.throttle_time_ms = throttle);
        let first = world.send(0);
        assert_eq!(world.end_of(&first), End::Acked, "{throttle}");
        let second = world.send(1);
        let expected = if throttle >= 3_600_000 {
            // The broker wants to hear nothing for an hour, and the record may wait two minutes.
            End::Failed(ErrorKind::Timeout, Persisted::No)
        } else {
            End::Acked
        };
        assert_eq!(world.end_of(&second), expected, "{throttle}");
    }
}

/// Frames that are not the answer: the connection is given up, and the batch goes out again under the same numbers.
fn frames_end_the_connection(
    name: &str,
    oddity: impl Fn(&RequestHeader, ResponseBody) -> Vec<Vec<u8>> + 'static,
) {
    let honest = World::new(&[]).ends_with("honest", End::Acked);
    let world = World::new(&[]).odd(ApiKeys::Produce, 1, oddity);
    let world = world.ends_with(name, End::Acked);
    assert_eq!(world.connections(), honest.connections() + 1, "{name}");
}

/// Catalogue C1.
#[test]
fn an_answer_to_another_request_is_never_taken_for_this_one() {
    for wrong in [-1, 1, 1000, i32::MIN] {
        frames_end_the_connection("wrong correlation id", move |header, answer| {
            let id = header.correlation_id.wrapping_add(wrong);
            vec![frame_to(id, header.api_version, answer)]
        });
    }
    frames_end_the_connection("twice", |header, answer| {
        let answer = frame(header, answer);
        vec![answer.clone(), answer]
    });
    frames_end_the_connection("a stranger first", |header, answer| {
        let stranger = frame_to(
            header.correlation_id + 9,
            header.api_version,
            answer.clone(),
        );
        vec![stranger, frame(header, answer)]
    });
}

#[test]
fn an_answer_of_another_api_is_no_answer() {
    frames_end_the_connection("ApiVersions", |header, _| {
        vec![frame_to(header.correlation_id, 4, honest_versions())]
    });
    frames_end_the_connection("Metadata", |header, _| {
        vec![frame_to(header.correlation_id, 13, honest_metadata())]
    });
    frames_end_the_connection("InitProducerId", |header, _| {
        let body = InitProducerIdResponse::default();
        vec![frame_to(header.correlation_id, 4, body)]
    });
}

/// Catalogue C3 to C5.
#[test]
fn a_short_frame_is_no_answer_wherever_it_ends() {
    let body = ProduceResponse {
        responses: Few::from([TopicProduceResponse {
            topic_id: ID,
            partition_responses: Few::from([PartitionProduceResponse::default()]),
            ..Default::default()
        }]),
        ..Default::default()
    };
    let whole = frame_to(0, 13, body).len();
    for length in 0..whole {
        let name = format!("{length} of {whole} bytes");
        frames_end_the_connection(&name, move |header, answer| {
            vec![frame(header, answer)[..length].to_vec()]
        });
    }
}

/// As in Java: the answer was whole before they began.
#[test]
fn bytes_after_the_answer_are_passed_over() {
    for more in [vec![0], vec![0xff; 1], vec![1; 100]] {
        let world = World::new(&[]).odd(ApiKeys::Produce, 1, move |header, answer| {
            let mut bytes = frame(header, answer);
            bytes.extend_from_slice(&more);
            vec![bytes]
        });
        world.ends_with("trailing bytes", End::Acked);
    }
}
