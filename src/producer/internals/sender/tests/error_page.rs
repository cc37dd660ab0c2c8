//! What every code does in a Produce and in an InitProducerId response, written down in `docs/errors.md`.

use super::*;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::TimeLimit;
use crate::protocol::ApiKeys;
use crate::protocol::requests::ResponseBody;
use crate::testing::error_page::{
    self, Finding, cause, check_grouped, check_local, every_code, sees, written,
};

/// Where the batch stands that is answered with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the only one of its partition, and has two records.
    Alone,
    /// As `Alone`, with one record.
    Single,
    /// Another batch of the partition is out and has no answer yet.
    Behind,
    /// As `Alone`, and the broker says where the log begins.
    LogStartKnown,
}

impl Place {
    fn note(self) -> &'static str {
        match self {
            Place::Alone => "",
            Place::Single => " (a single record)",
            Place::Behind => " (an earlier batch has no answer yet)",
            Place::LogStartKnown => " (with the start of the log)",
        }
    }
}

/// A batch of partition 0 that has just been answered with an error.
pub(super) struct Refused {
    pub(super) fixture: Fixture,
    pub(super) record: FutureRecordMetadata,
    numbers: Vec<(i16, i32)>,
    asked_for_metadata: bool,
}

/// How a producer is set up.
#[derive(Debug, Clone, Copy)]
struct Mode {
    acks: i16,
    idempotent: bool,
    retries: u32,
}

fn refused(mode: Mode, place: Place, code: Errors) -> Refused {
    let Mode {
        acks,
        idempotent,
        retries,
    } = mode;
    let setup = Setup {
        acks,
        retries,
        ..Setup::default()
    };
    let fixture = if idempotent {
        Fixture::warm(setup)
    } else {
        Fixture::new(setup)
    };
    refused_in(fixture, place, code)
}

/// A batch of a producer that has nothing on the wire.
pub(super) fn refused_in(mut fixture: Fixture, place: Place, code: Errors) -> Refused {
    if place == Place::Behind {
        let _first = fixture.send(0);
    }
    let before = fixture.in_flight().len();
    let record = fixture.append(0);
    if place != Place::Single {
        let _neighbour = fixture.append(0);
    }
    fixture.pass();
    let request = fixture.client.requests().pop().expect("sent");
    let numbers = fixture.numbers(0).split_off(before);
    let mut response = answer(0, Errors::None, -1);
    let partition = &mut response.responses[0].partition_responses[0];
    partition.error_code = code.code();
    partition.base_offset = if code == Errors::None { 7 } else { -1 };
    if place == Place::LogStartKnown {
        partition.log_start_offset = 5;
    } else {
        partition.log_start_offset = -1;
    }
    let id = request.correlation_id;
    fixture.client.respond_to_request(id, response);
    fixture.pass();
    let asked_for_metadata = fixture.metadata.with(|core| core.full_update_requested());
    Refused {
        fixture,
        record,
        numbers,
        asked_for_metadata,
    }
}

impl Refused {
    pub(super) fn finding(
        self,
        code: Errors,
        place: Place,
        after_a_failure: fn(Refused) -> String,
    ) -> Finding {
        let cause = format!("{}{}", cause(code), place.note());
        let refresh = match self.asked_for_metadata {
            true => ", asks for metadata",
            false => "",
        };
        let outcome = self.record.try_get();
        let (does, sees, written) = match &outcome {
            Some(Ok(metadata)) if metadata.has_offset() => {
                ("is done".to_owned(), "the offset".to_owned(), "yes")
            }
            Some(Ok(_)) => (
                "is done: the batch was written by an earlier attempt".to_owned(),
                "success without an offset".to_owned(),
                "yes",
            ),
            Some(Err(error)) => {
                let (sees, written) = (sees(error, Some(code)), written(error));
                (after_a_failure(self), sees, written)
            }
            None => {
                let again = self.again();
                (again, "nothing, unless the limits run out".to_owned(), "")
            }
        };
        Finding {
            cause,
            does: does + refresh,
            sees,
            written,
        }
    }

    /// How the batch goes out again.
    fn again(mut self) -> String {
        let sent = |fixture: &Fixture| -> Vec<_> {
            let requests = fixture.in_flight().into_iter();
            requests
                .flat_map(|(_, request)| batches(&request))
                .collect()
        };
        // A batch before it ends first.
        if let Some(first) = self.fixture.client.requests().first().cloned() {
            let id = first.correlation_id;
            let done = answer(0, Errors::None, 0);
            self.fixture.client.respond_to_request(id, done);
            self.fixture.pass();
        }
        self.fixture.pass();
        let at_once = sent(&self.fixture);
        if at_once.first().is_some_and(|batch| batch.count == 1) {
            return "splits the batch and sends the parts at once".to_owned();
        }
        assert!(at_once.is_empty(), "{at_once:?}");
        self.fixture.advance(BACKOFF);
        self.fixture.pass();
        let numbers = self.fixture.numbers(0);
        assert_eq!(numbers.len(), 1, "the batch is sent again");
        if numbers == self.numbers {
            "sends the batch again after `retry.backoff.ms`".to_owned()
        } else {
            "sends the batch again after `retry.backoff.ms`, numbered anew under a new epoch"
                .to_owned()
        }
    }

    /// What becomes of the next record of the partition.
    fn after_a_failure(mut self) -> String {
        while let Some(earlier) = self.fixture.client.requests().first().cloned() {
            let done = answer(0, Errors::None, 0);
            let id = earlier.correlation_id;
            self.fixture.client.respond_to_request(id, done);
            self.fixture.pass();
        }
        let next = self.fixture.append(0);
        self.fixture.pass();
        self.fixture.pass();
        let numbers = self.fixture.numbers(0);
        match (next.try_get(), numbers.last()) {
            (Some(Err(error)), _) if error.is_fatal() => {
                "fails the batch and everything after it".to_owned()
            }
            (None, Some((epoch, _))) if *epoch > self.numbers[0].0 => {
                "fails the batch, goes on under a new epoch".to_owned()
            }
            (None, Some(_)) => "fails the batch".to_owned(),
            other => panic!("{other:?}"),
        }
    }
}

/// A batch that is answered with `code` and whose time, or whose retries, are up before it can be sent again: was it
/// written?
fn written_in_the_end(mode: Mode, place: Place, code: Errors) -> &'static str {
    let mut late = refused(mode, place, code);
    late.fixture.advance(ms(10_000));
    late.fixture.pass();
    let expired = error(&late.record);
    assert_eq!(expired.time_limit(), Some(TimeLimit::DeliveryTimeout));
    let once = refused(Mode { retries: 0, ..mode }, place, code);
    if let Some(Err(refused)) = once.record.try_get() {
        assert_eq!(Some(refused.kind()), code.kind(), "{code}");
        assert_eq!(refused.persisted(), expired.persisted(), "{code}");
    }
    written(&expired)
}

fn produce(acks: i16, idempotent: bool) -> Vec<Finding> {
    let mode = Mode {
        acks,
        idempotent,
        retries: u32::MAX,
    };
    let find = |code, place| {
        let finding = refused(mode, place, code).finding(code, place, Refused::after_a_failure);
        let written = match finding.written {
            "" => written_in_the_end(mode, place, code),
            known => known,
        };
        Finding { written, ..finding }
    };
    let places: &[Place] = match idempotent {
        true => &[Place::Single, Place::Behind, Place::LogStartKnown],
        false => &[Place::Single, Place::LogStartKnown],
    };
    in_places(places, find)
}

/// Every code for a batch that is alone, and for the other places where they make a difference.
pub(super) fn in_places(places: &[Place], find: impl Fn(Errors, Place) -> Finding) -> Vec<Finding> {
    let mut findings = Vec::new();
    for code in every_code() {
        let alone = find(code, Place::Alone);
        for place in places {
            let other = find(code, *place);
            let is_same = (&other.does, &other.sees, other.written)
                == (&alone.does, &alone.sees, alone.written);
            if !is_same {
                findings.push(other);
            }
        }
        findings.push(alone);
    }
    findings
}

#[test]
fn error_page_produce_with_idempotence() {
    check_grouped("produce: idempotent", &produce(-1, true));
}

#[test]
fn error_page_produce_without_idempotence() {
    check_grouped("produce: acks=all", &produce(-1, false));
    check_grouped("produce: acks=1", &produce(1, false));
}

/// What every code in an InitProducerId response does to a producer that has no id, and a record that waits.
#[test]
fn error_page_init_producer_id() {
    let findings: Vec<_> = every_code().map(init_producer_id).collect();
    check_grouped("init producer id: idempotent", &findings);
}

fn init_producer_id(code: Errors) -> Finding {
    let mut fixture = Fixture::new(Setup {
        idempotent: true,
        ..Setup::default()
    });
    let record = fixture.send(0);
    let mut response = producer_id(PRODUCER_ID, 0);
    response.error_code = code.code();
    fixture.client.respond(response);
    fixture.pass();
    let outcome = record.try_get();
    let asks = |fixture: &Fixture| {
        let requests = fixture.client.requests();
        let mut bodies = requests.into_iter().map(|request| request.body);
        bodies.any(|body| matches!(body, RequestBody::InitProducerId(_)))
    };
    fixture.pass();
    let failed = outcome.and_then(Result::err);
    assert!(!asks(&fixture), "{code}: no hot loop");
    fixture.advance(BACKOFF * 2);
    fixture.pass();
    let does = match (asks(&fixture), &failed) {
        _ if code == Errors::None => "has its id",
        (true, None) => "asks again after `retry.backoff.ms`",
        (true, Some(_)) => "fails what waits, asks again after `retry.backoff.ms`",
        (false, _) => "fails what waits and everything after it",
    };
    Finding {
        cause: cause(code),
        does: does.to_owned(),
        sees: match &failed {
            None => "nothing, unless the limits run out".to_owned(),
            Some(error) => sees(error, Some(code)),
        },
        written: failed.as_ref().map_or("no", written),
    }
}

/// The kinds of all codes, and what the predicates say of them.
#[test]
fn error_page_codes() {
    let mut text = String::from("| code | kind | families | says |\n| --- | --- | --- | --- |\n");
    for code in every_code() {
        let Some(kind) = code.kind() else { continue };
        let families = [
            (kind.is_retriable(), "retriable"),
            (kind.is_invalid_metadata(), "metadata is stale"),
            (
                kind.is_refresh_retriable() && !kind.is_invalid_metadata(),
                "coordinator has moved",
            ),
            (kind.is_abortable(), "abortable"),
            (kind.is_authorization(), "permission missing"),
            (kind.is_authentication(), "login refused"),
            (
                kind.is_invalid_configuration()
                    && !kind.is_authorization()
                    && !kind.is_authentication(),
                "set-up must change",
            ),
            (kind.is_application_recoverable(), "make a new producer"),
        ];
        let families: Vec<_> = families.iter().filter(|(is, _)| *is).map(|f| f.1).collect();
        text += &format!(
            "| {} | `{}` | {} | {} |\n",
            cause(code),
            kind.name(),
            families.join(", "),
            code.text()
        );
    }
    error_page::check("codes", &text);
}

/// What becomes of a record that `what` happens to after the Sender has it.
fn fate(setup: Setup, sent: bool, what: impl FnOnce(&mut Fixture)) -> KafkaError {
    let mut fixture = Fixture::idempotent(setup);
    let record = fixture.append(0);
    if sent {
        fixture.pass();
        assert_eq!(fixture.in_flight().len(), 1);
    }
    what(&mut fixture);
    if !record.is_done() {
        fixture.pass();
    }
    error(&record)
}

fn once() -> Setup {
    Setup {
        retries: 0,
        ..Setup::default()
    }
}

fn lost_with(failure: RequestFailure) -> KafkaError {
    fate(once(), true, |fixture| fixture.client.fail(failure))
}

fn forced(sent: bool) -> KafkaError {
    let mut fixture = Fixture::idempotent(Setup::default());
    let record = fixture.append(0);
    if sent {
        fixture.pass();
    }
    fixture.control.force_close();
    fixture.sender.run();
    error(&record)
}

fn died() -> KafkaError {
    let mut fixture = Fixture::idempotent(Setup::default());
    let record = fixture.send(0);
    // A client that is closed under the Sender's feet is a bug, like a panic.
    fixture.client.close();
    fixture.sender.run();
    error(&record)
}

#[test]
fn error_page_local_after_send() {
    let mut rows = expired_rows();
    rows.extend(lost_rows());
    rows.extend([
        (
            "no version of Produce is common",
            "fails the batch and everything after it",
            fate(Setup::default(), false, |fixture| {
                fixture.client.limit_version(ApiKeys::Produce, 2);
                fixture.pass();
            }),
        ),
        (
            "`close` runs out of time, the batch was never sent",
            "fails the batch, hands the record back in the report",
            forced(false),
        ),
        (
            "`close` runs out of time, the batch is in flight",
            "fails the batch, hands the record back in the report",
            forced(true),
        ),
        (
            "the I/O thread dies",
            "fails everything, and every later call",
            died(),
        ),
    ]);
    check_local("local: after send", &rows);
}

type Row = (&'static str, &'static str, KafkaError);

fn expired_rows() -> Vec<Row> {
    let late = |fixture: &mut Fixture| fixture.advance(ms(10_000));
    let without_leader = Setup {
        leaders: vec![-1],
        ..Setup::default()
    };
    vec![
        (
            "`delivery.timeout.ms` has passed, the batch was never sent",
            "fails the batch",
            fate(without_leader, false, late),
        ),
        (
            "`delivery.timeout.ms` has passed, the batch is in flight",
            "fails the batch, holds the partition until the answer comes",
            fate(Setup::default(), true, late),
        ),
    ]
}

fn lost_rows() -> Vec<Row> {
    let again = "sends the batch again; with the last retry, fails it";
    let refused_login = KafkaError::new(ErrorKind::SaslAuthentication, "wrong password");
    let lost = "node-0:9092: the broker closed the connection".into();
    let answered = |body: ResponseBody| fate(once(), true, |fixture| fixture.client.respond(body));
    vec![
        (
            "the connection ends before the answer",
            again,
            lost_with(RequestFailure::Disconnected { reason: lost }),
        ),
        (
            "`request.timeout.ms` has passed without an answer",
            "closes the connection, sends the batch again; with the last retry, fails it",
            lost_with(RequestFailure::TimedOut { limit: ms(1000) }),
        ),
        (
            "the broker refuses the login of a new connection",
            again,
            lost_with(RequestFailure::AuthenticationFailed(refused_login)),
        ),
        (
            "an answer leaves the partition out",
            again,
            answered(answers(Vec::new()).into()),
        ),
        (
            "the answer belongs to another request",
            again,
            answered(producer_id(1, 0).into()),
        ),
    ]
}
