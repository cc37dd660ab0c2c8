//! What every code does in Metadata and ApiVersions responses, written down in `docs/errors.md`.

use super::*;
use crate::protocol::errors::Errors;
use crate::protocol::messages::metadata::{MetadataResponsePartition, MetadataResponseTopic};
use crate::testing::error_page::{Finding, cause, check_grouped, every_code};

const TOPIC: &str = "orders";

fn finding(code: Errors, does: String, sees: &str) -> Finding {
    Finding {
        cause: cause(code),
        does,
        sees: sees.to_owned(),
        written: "no",
    }
}

/// A client that wants to know a topic, and has asked node 0 for it.
fn waiting_for_topic() -> (Fixture, RequestHeader) {
    let mut fixture = Fixture::new(1);
    fixture.connect(0);
    let now = fixture.now();
    fixture.metadata.with(|m| m.add(TOPIC, now));
    fixture.pass();
    let (header, _) = fixture.only_sent(0, ApiKeys::Metadata);
    (fixture, header)
}

fn answer_with(code: Errors) -> MetadataResponse {
    MetadataResponse {
        error_code: code.code(),
        topics: vec![MetadataResponseTopic {
            name: Some(TOPIC.to_owned()),
            partitions: vec![MetadataResponsePartition::default()],
            ..Default::default()
        }],
        ..metadata_response([node(0)])
    }
}

/// How often the client asks again within two seconds when it always gets this answer.
fn asks_again(fixture: &mut Fixture, answer: &MetadataResponse) -> usize {
    let mut asked = 0;
    for _ in 0..200 {
        fixture.poll(ms(10));
        for (to, header, _) in fixture.sent() {
            if header.api == ApiKeys::Metadata {
                asked += 1;
                fixture.answer(to.0, &header, answer.clone());
            }
        }
    }
    asked
}

#[test]
fn error_page_metadata_response() {
    let findings: Vec<_> = every_code().map(of_response).collect();
    check_grouped("metadata: response", &findings);
}

fn of_response(code: Errors) -> Finding {
    let (mut fixture, header) = waiting_for_topic();
    let answer = answer_with(code);
    fixture.answer(0, &header, answer.clone());
    fixture.pass();
    let snapshot = fixture.metadata.snapshot();
    assert!(snapshot.fatal_error.is_none(), "{code}");
    let is_known = snapshot.topic(TOPIC).is_some();
    fixture.pass();
    if fixture.metadata.snapshot().is_bootstrap {
        let does = "closes all connections, begins again with the bootstrap servers";
        return finding(
            code,
            does.to_owned(),
            "nothing, unless `max.block.ms` runs out",
        );
    }
    if is_known {
        return finding(code, "takes the answer over".to_owned(), "nothing");
    }
    let asked = asks_again(&mut fixture, &answer);
    assert!(
        (2..=20).contains(&asked),
        "{code}: asked {asked} times in two seconds"
    );
    let does = "ignores the answer, asks again after a growing back-off";
    finding(
        code,
        does.to_owned(),
        "nothing, unless `max.block.ms` runs out",
    )
}

#[test]
fn error_page_metadata_partition() {
    let findings: Vec<_> = every_code().map(of_partition).collect();
    check_grouped("metadata: partition", &findings);
}

fn of_partition(code: Errors) -> Finding {
    let (mut fixture, header) = waiting_for_topic();
    let mut answer = answer_with(Errors::None);
    let partition = &mut answer.topics[0].partitions[0];
    partition.error_code = code.code();
    partition.leader_id = if code == Errors::None { 0 } else { -1 };
    fixture.answer(0, &header, answer);
    fixture.pass();
    let snapshot = fixture.metadata.snapshot();
    assert_eq!(snapshot.partition_count(TOPIC), Some(1), "{code}");
    let asks = fixture.metadata.with(|m| m.full_update_requested());
    let does = match (code, asks) {
        (Errors::None, _) => "sends to the leader",
        (_, true) => "keeps records for it, asks again with a back-off",
        (_, false) => "keeps records for it, asks again once there are some",
    };
    let sees = "nothing, unless `delivery.timeout.ms` runs out";
    finding(
        code,
        does.to_owned(),
        if code == Errors::None {
            "nothing"
        } else {
            sees
        },
    )
}

#[test]
fn error_page_api_versions() {
    let findings: Vec<_> = every_code().map(of_api_versions).collect();
    check_grouped("api versions", &findings);
}

fn of_api_versions(code: Errors) -> Finding {
    let mut fixture = Fixture::new(1);
    fixture.ready(0);
    fixture.pass();
    let refused = ApiVersionsResponse {
        error_code: code.code(),
        ..everything()
    };
    let (header, _) = fixture.only_sent(0, ApiKeys::ApiVersions);
    // A broker that does not know the version answers in the oldest one (KIP-511).
    let version = match code {
        Errors::UnsupportedVersion => 0,
        _ => header.api_version,
    };
    fixture.answer_as(0, version, header.correlation_id, refused);
    fixture.pass();
    if fixture.is_ready(0) {
        return finding(code, "is ready to send".to_owned(), "nothing");
    }
    let again = fixture.sent();
    if let [(_, header, _)] = again.as_slice() {
        assert!(header.api_version < *ApiKeys::ApiVersions.client_versions().end());
        let does = "asks once more at a version that the broker lists, or at 0";
        return finding(code, does.to_owned(), "nothing");
    }
    assert!(fixture.client.connection_failed(&node(0)), "{code}");
    let text = fixture.last_connection_error().unwrap_or_default();
    assert!(text.contains(code.name()), "{text}");
    let does = "closes the connection, connects again after a growing back-off";
    let sees = "nothing, unless a limit runs out: then the code is in the text";
    finding(code, does.to_owned(), sees)
}
