//! What every code does in the responses of transactions, written down in `docs/errors.md`.

use std::collections::BTreeMap;

use super::error_page::{Place, Refused, in_places, refused_in};
use super::*;
use crate::client::api_versions::ApiVersions;
use crate::common::cluster::TopicPartition;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::TimeLimit;
use crate::producer::consumer_group_metadata::ConsumerGroupMetadata;
use crate::producer::internals::sender::transactional::Transactions;
use crate::producer::internals::sender::txn_requests::read;
use crate::producer::internals::transaction_manager::{
    GroupOffsets, TransactionalConfig, TxnRequestBody, TxnResponse,
};
use crate::producer::internals::transactional_request_result::TransactionalRequestResult;
use crate::producer::offset_and_metadata::OffsetAndMetadata;
use crate::protocol::messages::add_offsets_to_txn::AddOffsetsToTxnResponse;
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use crate::protocol::messages::end_txn::EndTxnResponse;
use crate::protocol::messages::find_coordinator::FindCoordinatorResponse;
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::protocol::requests::ResponseBody;
use crate::testing::error_page::{Finding, cause, check_grouped, every_code, sees, written};

/// The request whose answer has an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Coordinator,
    ProducerId,
    Partitions,
    Offsets,
    GroupCoordinator,
    OffsetCommit,
    Commit,
    Abort,
}

/// A manager that has just asked, and the call that waits for it.
struct Story {
    manager: TransactionManager,
    now: Instant,
    asked: TxnRequestBody,
    call: Option<Arc<TransactionalRequestResult>>,
}

/// Against brokers of transaction version 1, which have all these requests.
fn story(asked: Asked) -> Story {
    let backoff = ExponentialBackoff::new(BACKOFF, BACKOFF);
    let config = TransactionalConfig {
        id: "txn".into(),
        timeout_ms: 60_000,
        two_phase_commit: false,
    };
    let mut manager = TransactionManager::transactional(config, backoff);
    manager.note_transaction_version(1);
    manager.note_init_producer_id_version(4);
    let now = MockTime::shared().now();
    let init = manager.initialize_transactions().expect("init");
    let mut story = Story {
        asked: poll(&mut manager, now).expect("something is asked"),
        manager,
        now,
        call: Some(init),
    };
    if story.reach(asked) {
        return story;
    }
    let init = story.call.take().expect("init waits");
    init.collect().expect("done").expect("initialized");
    story.manager.begin_transaction().expect("begin");
    let tp = TopicPartition::new(TOPIC, 0);
    match asked {
        Asked::Partitions | Asked::Commit | Asked::Abort => {
            story.manager.maybe_add_partition(&tp);
        }
        _ => {
            let offsets = GroupOffsets {
                group: ConsumerGroupMetadata::new("group"),
                offsets: BTreeMap::from([(tp, OffsetAndMetadata::new(5))]),
            };
            let sent = story.manager.send_offsets_to_transaction(offsets);
            story.call = Some(sent.expect("in a transaction"));
        }
    }
    story.go_on();
    if story.reach(asked) {
        return story;
    }
    story.call = Some(match asked {
        Asked::Commit => story.manager.begin_commit().expect("commit"),
        _ => story.manager.begin_abort().expect("abort"),
    });
    story.go_on();
    assert!(story.reach(asked), "{asked:?}");
    story
}

fn poll(manager: &mut TransactionManager, now: Instant) -> Option<TxnRequestBody> {
    let request = manager.poll_request(now, false)?;
    Some(request.body)
}

impl Story {
    fn is(&self, asked: Asked) -> bool {
        use TxnRequestBody as B;
        match (&self.asked, asked) {
            (B::FindCoordinator(_), Asked::Coordinator) => true,
            (B::FindCoordinator(_), Asked::GroupCoordinator) => {
                self.manager.has_ongoing_transaction()
            }
            (B::InitProducerId(_), Asked::ProducerId)
            | (B::AddPartitionsToTxn { .. }, Asked::Partitions)
            | (B::AddOffsetsToTxn { .. }, Asked::Offsets)
            | (B::TxnOffsetCommit { .. }, Asked::OffsetCommit) => true,
            (B::EndTxn { commit, .. }, Asked::Commit) => *commit,
            (B::EndTxn { commit, .. }, Asked::Abort) => !*commit,
            _ => false,
        }
    }

    /// Answers well until the manager asks what is wanted, or nothing more.
    fn reach(&mut self, asked: Asked) -> bool {
        loop {
            if self.is(asked) {
                return true;
            }
            self.answer(Errors::None);
            let Some(next) = poll(&mut self.manager, self.now) else {
                return false;
            };
            self.asked = next;
        }
    }

    fn go_on(&mut self) {
        self.asked = poll(&mut self.manager, self.now).expect("something is asked");
    }

    /// Answers what was asked, as bytes would.
    fn answer(&mut self, code: Errors) {
        let response: TxnResponse = read(&self.asked, wire(&self.asked, code.code()));
        let waiting = self.manager.handle_response(response, self.now, 0.5);
        assert!(waiting.is_none());
    }

    fn finding(mut self, asked: Asked, code: Errors) -> Finding {
        self.answer(code);
        let told = self.call.take().and_then(|call| call.collect());
        let in_the_way = self.manager.check_send().err();
        let later = self.now + Duration::from_secs(10);
        let (does, error) = if self.manager.fatal_error().is_some() {
            let error = told.and_then(Result::err).or(in_the_way);
            ("the producer must be closed".to_owned(), error)
        } else if in_the_way.as_ref().is_some_and(KafkaError::is_abortable) {
            let error = told.and_then(Result::err).or(in_the_way);
            (self.abort(), error)
        } else if let Some(Err(error)) = told {
            assert_eq!(asked_again(&mut self, later), None);
            let again = self.manager.initialize_transactions();
            assert!(again.is_ok(), "{code}: {again:?}");
            (
                "fails the call, which may be made again".to_owned(),
                Some(error),
            )
        } else if code == Errors::None {
            ("goes on".to_owned(), None)
        } else {
            let is_lookup = matches!(asked, Asked::Coordinator | Asked::GroupCoordinator);
            let does = match asked_again(&mut self, later) {
                Some(TxnRequestBody::FindCoordinator(_)) if !is_lookup => {
                    "looks the coordinator up, asks again"
                }
                Some(again) if again == self.asked => "asks again after `retry.backoff.ms`",
                other => panic!("{code}: {other:?}"),
            };
            (does.to_owned(), None)
        };
        Finding {
            cause: cause(code),
            does,
            sees: match &error {
                Some(error) => sees(error, Some(code)),
                None if code == Errors::None => "nothing".to_owned(),
                None => "nothing, unless the limits run out".to_owned(),
            },
            written: "",
        }
    }

    /// What comes of the transaction when the application aborts it.
    fn abort(mut self) -> String {
        if !self.manager.is_completing() {
            self.call = Some(self.manager.begin_abort().expect("abortable"));
        }
        let mut new_epoch = false;
        while let Some(next) = poll(&mut self.manager, self.now) {
            new_epoch |= matches!(next, TxnRequestBody::InitProducerId(_));
            self.asked = next;
            self.answer(Errors::None);
        }
        let aborted = self.call.and_then(|call| call.collect());
        assert!(matches!(aborted, Some(Ok(()))), "{aborted:?}");
        assert!(self.manager.begin_transaction().is_ok());
        match new_epoch {
            true => "the transaction must be aborted; the next one has a new epoch".to_owned(),
            false => "the transaction must be aborted".to_owned(),
        }
    }
}

fn asked_again(story: &mut Story, later: Instant) -> Option<TxnRequestBody> {
    let at_once = poll(&mut story.manager, story.now);
    let is_lookup = matches!(at_once, Some(TxnRequestBody::FindCoordinator(_)));
    assert!(at_once.is_none() || is_lookup, "no hot loop: {at_once:?}");
    at_once.or_else(|| poll(&mut story.manager, later))
}

fn wire(asked: &TxnRequestBody, error_code: i16) -> ResponseBody {
    match asked {
        TxnRequestBody::FindCoordinator(_) => FindCoordinatorResponse {
            error_code,
            node_id: 1,
            host: "localhost".to_owned(),
            port: 9092,
            ..Default::default()
        }
        .into(),
        TxnRequestBody::InitProducerId(_) => InitProducerIdResponse {
            error_code,
            producer_id: PRODUCER_ID,
            ..Default::default()
        }
        .into(),
        TxnRequestBody::AddPartitionsToTxn { .. } => AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: vec![AddPartitionsToTxnTopicResult {
                name: TOPIC.to_owned(),
                results_by_partition: vec![AddPartitionsToTxnPartitionResult {
                    partition_index: 0,
                    partition_error_code: error_code,
                }],
            }],
            ..Default::default()
        }
        .into(),
        TxnRequestBody::AddOffsetsToTxn { .. } => AddOffsetsToTxnResponse {
            error_code,
            ..Default::default()
        }
        .into(),
        TxnRequestBody::TxnOffsetCommit { .. } => TxnOffsetCommitResponse {
            topics: vec![TxnOffsetCommitResponseTopic {
                name: TOPIC.to_owned(),
                partitions: vec![TxnOffsetCommitResponsePartition {
                    partition_index: 0,
                    error_code,
                }],
            }],
            ..Default::default()
        }
        .into(),
        TxnRequestBody::EndTxn { .. } => EndTxnResponse {
            error_code,
            ..Default::default()
        }
        .into(),
    }
}

/// Scenario: TX12.
#[test]
fn error_page_transactions() {
    let sections = [
        ("find coordinator: transaction", Asked::Coordinator),
        ("init producer id: transactional", Asked::ProducerId),
        ("add partitions to txn", Asked::Partitions),
        ("add offsets to txn", Asked::Offsets),
        ("find coordinator: group", Asked::GroupCoordinator),
        ("txn offset commit", Asked::OffsetCommit),
        ("end txn: commit", Asked::Commit),
        ("end txn: abort", Asked::Abort),
    ];
    for (section, asked) in sections {
        let findings: Vec<_> = every_code()
            .map(|code| story(asked).finding(asked, code))
            .collect();
        check_grouped(section, &findings);
    }
}

/// A Sender whose transaction has partition 0, and a first batch in it.
fn in_transaction() -> Fixture {
    in_transaction_with(Setup::default())
}

fn in_transaction_with(setup: Setup) -> Fixture {
    let mut fixture = Fixture::new(Setup {
        idempotent: true,
        ..setup
    });
    let story = story(Asked::Partitions);
    let manager = fixture.sender.transaction_manager.clone();
    let manager = manager.expect("idempotent");
    *manager.lock() = story.manager;
    let response = read(&story.asked, wire(&story.asked, 0));
    manager.lock().handle_response(response, story.now, 0.5);
    fixture.sender = fixture.sender.with_transactions(Some(Transactions {
        id: "txn".into(),
        api_versions: Arc::new(ApiVersions::new()),
    }));
    let first = fixture.send(0);
    fixture.answer(0, Errors::None, 0);
    assert!(first.is_done());
    fixture
}

fn after_a_failure(refused: Refused) -> String {
    let manager = refused.fixture.sender.transaction_manager.expect("there");
    let manager = manager.lock();
    let why = manager.check_send().expect_err("not to be committed");
    assert_eq!(manager.fatal_error().is_some(), why.is_fatal());
    match (why.is_fatal(), why.is_abortable()) {
        (true, _) => "fails the batch; the producer must be closed".to_owned(),
        (_, true) => "fails the batch; the transaction must be aborted".to_owned(),
        _ => panic!("{why}"),
    }
}

fn written_at_expiry(place: Place, code: Errors) -> &'static str {
    let mut late = refused_in(in_transaction(), place, code);
    late.fixture.advance(ms(10_000));
    late.fixture.pass();
    written(&error(&late.record))
}

#[test]
fn error_page_produce_in_a_transaction() {
    let find = |code, place| {
        let refused = refused_in(in_transaction(), place, code);
        let finding = refused.finding(code, place, after_a_failure);
        let written = match finding.written {
            "" => written_at_expiry(place, code),
            known => known,
        };
        Finding { written, ..finding }
    };
    let places = [Place::Single, Place::Behind, Place::LogStartKnown];
    check_grouped("produce: transactional", &in_places(&places, find));
}

/// Java: `SenderTest.testTransactionalRetriableErrorsWrapped..` (KAFKA-19176). Scenario: SE14.
#[test]
fn retries_that_run_out_inside_a_transaction_make_it_abortable() {
    let setup = Setup {
        retries: 0,
        ..Setup::default()
    };
    let code = Errors::NotEnoughReplicas;
    let refused = refused_in(in_transaction_with(setup), Place::Alone, code);
    let of_record = error(&refused.record);
    assert_eq!(of_record.kind(), ErrorKind::NotEnoughReplicas);
    let manager = refused.fixture.sender.transaction_manager.expect("there");
    let of_commit = manager.lock().begin_commit().expect_err("spoilt");
    assert!(of_commit.is_abortable() && !of_commit.is_fatal());
    let cause = std::error::Error::source(&of_commit).expect("a cause");
    assert!(
        cause.to_string().starts_with("TransactionAbortable"),
        "{cause}"
    );
    assert!(manager.lock().begin_abort().is_ok());
}

/// Java: `TransactionManagerTest.testNoProducerIdResetAfterLastInFlightBatchSucceeds..`, own. Scenario: TX16.
#[test]
fn what_the_coordinator_can_do_is_remembered_without_it() {
    let mut story = story(Asked::Partitions);
    story.answer(Errors::None);
    let _commit = story.manager.begin_commit().expect("in a transaction");
    story.go_on();
    story.answer(Errors::NotCoordinator);
    let lost = KafkaError::timeout(TimeLimit::DeliveryTimeout, "expired");
    story.manager.maybe_transition_to_error_state(&lost, true);
    assert!(story.manager.fatal_error().is_none());
}
