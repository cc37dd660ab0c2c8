//! Transactions through whole passes: what is sent when, and what becomes of batches.

use super::*;
use crate::common::cluster::TopicPartition;
use crate::common::error_kind::ErrorKind;
use crate::producer::consumer_group_metadata::ConsumerGroupMetadata;
use crate::producer::internals::transaction_manager::{GroupOffsets, TransactionalConfig};
use crate::producer::internals::transactional_request_result::TransactionalRequestResult;
use crate::producer::offset_and_metadata::OffsetAndMetadata;
use crate::protocol::ApiKeys;
use crate::protocol::messages::add_offsets_to_txn::AddOffsetsToTxnResponse;
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use crate::protocol::messages::end_txn::EndTxnResponse;
use crate::protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use crate::protocol::requests::ResponseBody;
use crate::testing::mock_client::{SentRequest, api_versions};

pub(super) const COORDINATOR: NodeId = NodeId(2);
pub(super) const V1: i16 = 1;
pub(super) const V2: i16 = 2;

/// A transactional Sender, whose transactional requests are answered one by one.
pub(super) struct Txn {
    pub(super) fixture: Fixture,
    pub(super) epoch: i16,
    /// Whom brokers name as the coordinator.
    pub(super) coordinator: NodeId,
}

type Pending = Arc<TransactionalRequestResult>;

impl Txn {
    fn new(level: i16, setup: Setup) -> Self {
        let mut fixture = Fixture::new(Setup {
            idempotent: true,
            ..setup
        });
        let config = TransactionalConfig {
            id: "txn".into(),
            timeout_ms: 60_000,
            two_phase_commit: false,
        };
        let manager =
            TransactionManager::transactional(config, ExponentialBackoff::new(BACKOFF, BACKOFF));
        let shared = fixture.sender.transaction_manager.as_ref();
        *shared.expect("idempotent").lock() = manager;
        fixture.sender.transactions = Some(Transactions {
            id: "txn".into(),
            api_versions: api_versions(level),
        });
        Self {
            fixture,
            epoch: 0,
            coordinator: COORDINATOR,
        }
    }

    /// With an identity, inside a transaction.
    pub(super) fn open(level: i16) -> Self {
        Self::open_with(level, Setup::default())
    }

    fn open_with(level: i16, setup: Setup) -> Self {
        let mut txn = Self::new(level, setup);
        let init = txn.manage(TransactionManager::initialize_transactions);
        txn.serve(ApiKeys::FindCoordinator);
        txn.serve(ApiKeys::InitProducerId);
        assert!(is_ok(&init.expect("init")));
        txn.manage(TransactionManager::begin_transaction)
            .expect("begin");
        txn
    }

    pub(super) fn manage<T>(&self, command: impl FnOnce(&mut TransactionManager) -> T) -> T {
        let manager = self.fixture.sender.transaction_manager.as_ref();
        command(&mut manager.expect("idempotent").lock())
    }

    /// Appends a record in the transaction, as the facade does.
    pub(super) fn append(&self, partition: i32) -> FutureRecordMetadata {
        let future = self.fixture.append(partition);
        let tp = future.topic_partition().expect("appended").clone();
        self.manage(|manager| manager.maybe_add_partition(&tp));
        future
    }

    /// A record whose batch is on the wire.
    pub(super) fn send(&mut self, partition: i32) -> FutureRecordMetadata {
        let future = self.append(partition);
        self.pass();
        if self.asked().is_some() {
            self.serve(ApiKeys::AddPartitionsToTxn);
        }
        self.pass();
        future
    }

    pub(super) fn commit(&self) -> Pending {
        self.manage(TransactionManager::begin_commit)
            .expect("commit")
    }

    pub(super) fn abort(&self) -> Pending {
        self.manage(TransactionManager::begin_abort).expect("abort")
    }

    pub(super) fn pass(&mut self) {
        self.fixture.pass();
    }

    /// The transactional request that waits for its answer.
    pub(super) fn asked(&self) -> Option<SentRequest> {
        let mut requests = self.fixture.client.requests().into_iter();
        requests.find(|request| request.body.api_key() != ApiKeys::Produce)
    }

    pub(super) fn asked_api(&self) -> Option<ApiKeys> {
        self.asked().map(|request| request.body.api_key())
    }

    /// Lets the Sender ask, says yes, and lets it take the answer.
    pub(super) fn serve(&mut self, expected: ApiKeys) {
        self.answer(expected, Errors::None);
    }

    pub(super) fn answer(&mut self, expected: ApiKeys, error: Errors) {
        if self.asked().is_none() {
            self.pass();
        }
        let request = self.asked().expect("a request");
        assert_eq!(request.body.api_key(), expected);
        let any_node = expected == ApiKeys::FindCoordinator;
        assert_eq!(request.destination != self.coordinator, any_node);
        let response = self.response(&request.body, error.code());
        self.fixture
            .client
            .respond_to_request(request.correlation_id, response);
        self.pass();
    }

    pub(super) fn response(&mut self, request: &RequestBody, error_code: i16) -> ResponseBody {
        match request {
            RequestBody::FindCoordinator(asked) => FindCoordinatorResponse {
                coordinators: vec![Coordinator {
                    key: asked.coordinator_keys[0].clone(),
                    node_id: self.coordinator.0,
                    host: "localhost".to_owned(),
                    port: 9094,
                    error_code,
                    ..Default::default()
                }],
                ..Default::default()
            }
            .into(),
            RequestBody::InitProducerId(asked) => {
                self.epoch += i16::from(asked.producer_id >= 0);
                let mut response = producer_id(PRODUCER_ID, self.epoch);
                response.error_code = error_code;
                response.into()
            }
            RequestBody::AddPartitionsToTxn(asked) => {
                let topics = asked.v3_and_below_topics.iter();
                let topics = topics.map(|topic| AddPartitionsToTxnTopicResult {
                    name: topic.name.clone(),
                    results_by_partition: topic
                        .partitions
                        .iter()
                        .map(|&partition_index| AddPartitionsToTxnPartitionResult {
                            partition_index,
                            partition_error_code: error_code,
                        })
                        .collect(),
                });
                AddPartitionsToTxnResponse {
                    results_by_topic_v3_and_below: topics.collect(),
                    ..Default::default()
                }
                .into()
            }
            RequestBody::AddOffsetsToTxn(_) => AddOffsetsToTxnResponse {
                error_code,
                ..Default::default()
            }
            .into(),
            RequestBody::EndTxn(_) => EndTxnResponse {
                error_code,
                ..Default::default()
            }
            .into(),
            other => panic!("unexpected: {other:?}"),
        }
    }

    /// Whether the request that waits commits.
    pub(super) fn ends_with_commit(&mut self) -> bool {
        if self.asked().is_none() {
            self.pass();
        }
        match self.asked().expect("an end").body {
            RequestBody::EndTxn(end) => end.committed,
            other => panic!("not an end: {other:?}"),
        }
    }
}

pub(super) fn is_ok(pending: &Pending) -> bool {
    pending.collect().is_some_and(|outcome| outcome.is_ok())
}

fn refused(pending: &Pending) -> KafkaError {
    let outcome = pending.collect().expect("done");
    outcome.expect_err("refused")
}

/// Java: `TransactionManagerTest.testBasicTransaction`. Scenario: TX1.
#[test]
fn batches_follow_their_partition_into_the_transaction() {
    let mut txn = Txn::open(V1);
    let future = txn.append(0);
    txn.pass();
    assert_eq!(txn.asked_api(), Some(ApiKeys::AddPartitionsToTxn));
    assert!(txn.fixture.in_flight().is_empty(), "not before it is added");
    txn.serve(ApiKeys::AddPartitionsToTxn);
    txn.pass();
    let sent = txn.fixture.client.requests().remove(0);
    assert_eq!(sent.version, 11, "version 12 adds partitions by itself");
    let RequestBody::Produce(produce) = sent.body else {
        panic!("not a batch");
    };
    assert_eq!(produce.transactional_id.as_deref(), Some("txn"));
    let records = produce.topic_data[0].partition_data[0].records.as_ref();
    let attributes = records.expect("records").contiguous()[22];
    assert_eq!(attributes & 0x10, 0x10, "marked as transactional");
    let commit = txn.commit();
    txn.pass();
    assert!(txn.asked().is_none(), "the end waits for the batch");
    txn.fixture.answer(0, Errors::None, 7);
    assert_eq!(offset(&future), 7);
    assert!(txn.ends_with_commit());
    txn.serve(ApiKeys::EndTxn);
    assert!(is_ok(&commit));
}

/// Scenario: TX26.
#[test]
fn with_version_2_batches_go_at_once_and_make_their_partition_part_of_it() {
    let mut txn = Txn::open(V2);
    let future = txn.append(0);
    txn.pass();
    assert!(txn.asked().is_none());
    let sent = txn.fixture.client.requests().remove(0);
    assert!(sent.version >= 12);
    txn.fixture.answer(0, Errors::None, 0);
    assert!(future.is_done());
    let commit = txn.commit();
    txn.serve(ApiKeys::EndTxn);
    assert!(is_ok(&commit));
}

/// KAFKA-18654: the markers of the last transaction are written within milliseconds. Scenario: TX5.
#[test]
fn with_version_2_a_batch_waits_for_the_last_transaction_no_longer_than_20_ms() {
    let mut txn = Txn::open(V2);
    let future = txn.send(0);
    txn.fixture.answer(0, Errors::ConcurrentTransactions, -1);
    txn.fixture.advance(ms(20));
    txn.pass();
    txn.fixture.answer(0, Errors::None, 3);
    assert_eq!(offset(&future), 3);
}

/// Java: `TransactionManagerTest.testTransactionalBatchesInOtherPartitionsAreDrained..`, `testAllowDrainInAbortableErrorState`.
/// Scenario: TX3, TX4.
#[test]
fn an_added_partition_does_not_wait_for_a_new_one() {
    let mut txn = Txn::open(V1);
    let first = txn.send(0);
    let second = txn.append(1);
    let third = txn.append(0);
    txn.pass();
    assert_eq!(txn.asked_api(), Some(ApiKeys::AddPartitionsToTxn));
    txn.fixture.answer(0, Errors::None, 0);
    txn.pass();
    assert!(first.is_done() && !second.is_done());
    let numbers = txn.fixture.numbers(0);
    assert_eq!(numbers, [(0, 1)], "the other partition goes on");
    assert!(txn.fixture.numbers(1).is_empty() && !third.is_done());
}

/// Java: `SenderTest.testTransactionAbortedExceptionOnAbortWithoutError`, `testDropCommitOnBatchExpiry`. Scenario: TX23.
#[test]
fn an_abort_fails_what_was_not_sent_and_waits_for_what_was() {
    let mut txn = Txn::open(V1);
    let sent = txn.send(0);
    let unsent = txn.append(1);
    let abort = txn.abort();
    txn.pass();
    assert_eq!(error(&unsent).kind(), ErrorKind::TransactionAborted);
    assert!(!sent.is_done() && txn.asked().is_none());
    txn.fixture.answer(0, Errors::None, 0);
    assert!(sent.is_done() && !txn.ends_with_commit());
    txn.serve(ApiKeys::EndTxn);
    assert!(is_ok(&abort));
}

/// Java: `TransactionManagerTest.testDropCommitOnBatchExpiry`, `testCommitTransactionWithUnsentProduceRequest`. Scenario: TX13, SE14.
#[test]
fn a_batch_that_expires_during_the_commit_leaves_nothing_but_an_abort() {
    let mut txn = Txn::open_with(
        V1,
        Setup {
            delivery_timeout: ms(2000),
            ..Setup::default()
        },
    );
    let future = txn.send(0);
    let commit = txn.commit();
    txn.fixture.advance(ms(2000));
    txn.pass();
    assert_eq!(error(&future).kind(), ErrorKind::Timeout);
    let told = refused(&commit);
    assert!(told.is_abortable() && told.kind() == ErrorKind::TransactionAbortable);
    let abort = txn.abort();
    assert!(!txn.ends_with_commit());
    txn.serve(ApiKeys::EndTxn);
    assert!(abort.collect().is_none());
    txn.serve(ApiKeys::InitProducerId);
    assert!(
        is_ok(&abort),
        "with a new epoch, since the batch may turn up"
    );
    assert_eq!(txn.epoch, 1);
}

/// Java: `TransactionManagerTest.testAbortableErrorIsConvertedToFatalErrorDuringAbort..` (INVALID_PRODUCER_EPOCH),
/// `testProducerFencedExceptionIn..Produce`. Scenario: TX24.
#[test]
fn an_old_epoch_of_a_batch_is_abortable_and_a_fenced_producer_is_not() {
    for (answer, is_fatal) in [
        (Errors::InvalidProducerEpoch, false),
        (Errors::InvalidTxnState, false),
        (Errors::TransactionAbortable, false),
        (Errors::OutOfOrderSequenceNumber, false),
        (Errors::ProducerFenced, true),
        (Errors::InvalidProducerIdMapping, true),
    ] {
        let mut txn = Txn::open(V2);
        let future = txn.send(0);
        txn.fixture.answer(0, answer, -1);
        assert!(future.is_done(), "{answer}");
        let commit = txn.manage(TransactionManager::begin_commit);
        let told = commit.expect_err("nothing to commit");
        assert_eq!(
            (told.is_fatal(), told.is_abortable()),
            (is_fatal, !is_fatal),
            "{answer}"
        );
        let abort = txn.manage(TransactionManager::begin_abort);
        assert_eq!(abort.is_err(), is_fatal, "{answer}");
    }
}

/// Java: `TransactionManagerTest.testLookupCoordinatorOnDisconnectBeforeSend`. Scenario: TX11.
#[test]
fn a_coordinator_without_a_connection_is_looked_up_without_holding_up_batches() {
    let mut txn = Txn::open(V2);
    let future = txn.send(0);
    txn.fixture.client.server_disconnect(COORDINATOR);
    txn.fixture.client.set_unreachable(COORDINATOR, true);
    txn.fixture.answer(0, Errors::None, 0);
    assert!(future.is_done());
    let commit = txn.commit();
    txn.pass();
    txn.pass();
    assert_eq!(txn.asked_api(), Some(ApiKeys::FindCoordinator));
    txn.fixture.client.set_unreachable(COORDINATOR, false);
    txn.serve(ApiKeys::FindCoordinator);
    txn.fixture.advance(BACKOFF);
    txn.serve(ApiKeys::EndTxn);
    assert!(is_ok(&commit));
}

/// Java: `TransactionManagerTest.testLookupCoordinatorOnDisconnectAfterSend`. Scenario: TX11, TX15.
#[test]
fn an_end_without_an_answer_is_sent_again_and_followed_by_a_new_epoch() {
    let mut txn = Txn::open(V1);
    let future = txn.send(0);
    txn.fixture.answer(0, Errors::None, 0);
    assert!(future.is_done());
    let commit = txn.commit();
    txn.pass();
    txn.fixture.client.server_disconnect(COORDINATOR);
    txn.pass();
    txn.serve(ApiKeys::FindCoordinator);
    txn.fixture.advance(BACKOFF);
    txn.serve(ApiKeys::EndTxn);
    txn.serve(ApiKeys::InitProducerId);
    assert!(is_ok(&commit));
    assert_eq!(txn.epoch, 1, "a late copy of the first one finds nobody");
}

#[test]
fn why_a_transactional_request_is_made_again_can_be_seen() {
    let mut txn = Txn::open(V1);
    let last_error = |txn: &Txn| {
        txn.fixture
            .control
            .last_error()
            .map(|(error, _)| error.kind())
    };
    let _sent = txn.append(0);
    assert_eq!(last_error(&txn), None);
    txn.answer(ApiKeys::AddPartitionsToTxn, Errors::ConcurrentTransactions);
    assert_eq!(last_error(&txn), Some(ErrorKind::ConcurrentTransactions));
    txn.fixture.advance(BACKOFF);
    txn.answer(
        ApiKeys::AddPartitionsToTxn,
        Errors::CoordinatorLoadInProgress,
    );
    assert_eq!(last_error(&txn), Some(ErrorKind::CoordinatorLoadInProgress));
}

/// Java: `SenderTest.testIncompleteTransactionAbortOnShutdown`. Scenario: TX21.
#[test]
fn a_graceful_close_sends_what_is_waiting_and_aborts_the_transaction() {
    let mut txn = Txn::open(V1);
    let future = txn.send(0);
    txn.fixture.control.initiate_close();
    txn.pass();
    assert!(txn.asked().is_none() && !txn.fixture.sender.is_over());
    txn.fixture.answer(0, Errors::None, 0);
    assert!(future.is_done());
    assert!(!txn.ends_with_commit());
    assert!(!txn.fixture.sender.is_over());
    txn.serve(ApiKeys::EndTxn);
    assert!(txn.fixture.sender.is_over());
}

/// Java: `SenderTest.testTransactionalRequestsSentOnShutdown`. Scenario: TX21.
#[test]
fn a_graceful_close_finishes_the_commit_that_was_asked_for() {
    let mut txn = Txn::open(V1);
    let future = txn.send(0);
    let commit = txn.commit();
    txn.fixture.control.initiate_close();
    txn.fixture.answer(0, Errors::None, 0);
    assert!(future.is_done() && txn.ends_with_commit());
    txn.serve(ApiKeys::EndTxn);
    assert!(is_ok(&commit) && txn.fixture.sender.is_over());
}

/// Java: `SenderTest.testForceShutdownWithIncompleteTransaction`, `testInitTransactionsAfterShutdown..`. Scenario: TX21.
#[test]
fn a_forced_close_tells_everybody_who_waits() {
    let mut txn = Txn::open(V1);
    let future = txn.send(0);
    let commit = txn.commit();
    txn.fixture.control.force_close();
    let sender = txn.fixture.sender;
    sender.run();
    assert!(future.is_done());
    assert!(refused(&commit).is_fatal());
}

/// Java: `SenderTest.testDoNotPollWhenNoRequestSent..`, `testSenderShouldCloseWhenTransactionManagerInErrorState`.
/// Scenario: TX22.
#[test]
fn a_producer_that_is_of_no_more_use_still_closes() {
    let mut txn = Txn::open(V1);
    let future = txn.append(0);
    let fenced = KafkaError::new(ErrorKind::ProducerFenced, "fenced");
    txn.manage(|manager| manager.fail(fenced));
    txn.fixture.control.initiate_close();
    txn.pass();
    assert!(error(&future).is_fatal());
    assert!(txn.fixture.sender.is_over());
}

/// Java: `SenderTest.testTransactionalSplitBatchAndSend`. Scenario: ID17.
#[test]
fn the_parts_of_a_batch_stay_in_the_transaction() {
    let mut txn = Txn::open(V1);
    let first = txn.append(0);
    let second = txn.append(0);
    txn.serve(ApiKeys::AddPartitionsToTxn);
    txn.pass();
    let commit = txn.commit();
    txn.fixture.answer(0, Errors::MessageTooLarge, -1);
    txn.pass();
    txn.fixture.answer(0, Errors::None, 0);
    txn.pass();
    assert!(first.is_done());
    if !second.is_done() {
        txn.fixture.answer(0, Errors::None, 1);
    }
    assert!(second.is_done());
    assert!(txn.ends_with_commit());
    txn.serve(ApiKeys::EndTxn);
    assert!(is_ok(&commit));
}

/// Java: none (the record was appended while another thread committed).
#[test]
fn a_record_that_comes_too_late_for_its_transaction_fails_and_is_in_no_other() {
    let mut txn = Txn::open(V2);
    let first = txn.send(0);
    txn.fixture.answer(0, Errors::None, 0);
    assert!(first.is_done());
    let commit = txn.commit();
    assert!(txn.ends_with_commit());
    let late = txn.append(0);
    txn.serve(ApiKeys::EndTxn);
    assert!(is_ok(&commit));
    txn.pass();
    assert_eq!(error(&late).kind(), ErrorKind::IllegalState);
    assert!(txn.fixture.in_flight().is_empty());
}

/// Java: `TransactionManagerTest.testHandlingOfUnknownTopic..`, `testTxnOffsetCommit..WithOldBroker` (KIP-447). Scenario: TX20.
#[test]
fn an_old_broker_cannot_check_a_consumer_that_says_who_it_is() {
    for (names_a_member, is_fatal) in [(false, false), (true, true)] {
        let mut txn = Txn::open(V1);
        txn.fixture
            .client
            .limit_version(ApiKeys::TxnOffsetCommit, 2);
        let group = ConsumerGroupMetadata::new("group");
        let group = if names_a_member {
            group.with_member(3, "member")
        } else {
            group
        };
        let at = (TopicPartition::new(TOPIC, 3), OffsetAndMetadata::new(1));
        let offsets = GroupOffsets {
            group,
            offsets: [at].into_iter().collect(),
        };
        let sent = txn.manage(|manager| manager.send_offsets_to_transaction(offsets));
        txn.serve(ApiKeys::AddOffsetsToTxn);
        txn.serve(ApiKeys::FindCoordinator);
        txn.pass();
        let asked = txn.asked_api();
        assert_eq!(asked == Some(ApiKeys::TxnOffsetCommit), !is_fatal);
        if is_fatal {
            txn.pass();
            let told = refused(&sent.expect("sent"));
            assert!(told.is_fatal() && told.kind() == ErrorKind::UnsupportedVersion);
        }
    }
}

/// Java: none (KAFKA-13668 family; there the request that is being sent never ends). Scenario: TX25.
#[test]
fn a_refused_login_at_the_coordinator_ends_the_request_that_met_it() {
    let mut txn = Txn::new(V2, Setup::default());
    let init = txn.manage(TransactionManager::initialize_transactions);
    txn.serve(ApiKeys::FindCoordinator);
    txn.pass();
    assert_eq!(txn.asked_api(), Some(ApiKeys::InitProducerId));
    let denied = KafkaError::new(ErrorKind::SaslAuthentication, "wrong password");
    txn.fixture
        .client
        .fail(RequestFailure::AuthenticationFailed(denied));
    txn.pass();
    let told = refused(&init.expect("init"));
    assert_eq!(told.kind(), ErrorKind::SaslAuthentication);
    assert!(told.is_fatal());
}
