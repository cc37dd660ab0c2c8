//! Transactions from begin to end, in the core alone.

use std::collections::BTreeMap;

use super::*;
use crate::producer::consumer_group_metadata::ConsumerGroupMetadata;
use crate::producer::internals::transactional_request_result::{
    Operation, TransactionalRequestResult,
};
use crate::producer::offset_and_metadata::OffsetAndMetadata;

use TransactionVersion::{V1, V2};

/// A transactional manager and the time.
pub(super) struct Core {
    pub(super) manager: TransactionManager,
    pub(super) now: Instant,
    pub(super) has_incomplete: bool,
}

impl Core {
    pub(super) fn new() -> Self {
        let config = TransactionalConfig {
            id: "txn".into(),
            timeout_ms: 1000,
            two_phase_commit: false,
        };
        Self {
            manager: TransactionManager::transactional(config, backoff()),
            now: now(),
            has_incomplete: false,
        }
    }

    /// A core that has its identity.
    pub(super) fn ready(version: TransactionVersion) -> Self {
        let mut core = Self::new();
        core.manager.note_transaction_version(level(version));
        let init = core.manager.initialize_transactions().expect("init");
        core.find_coordinator();
        core.manager.note_init_producer_id_version(5);
        assert!(matches!(
            core.poll(),
            Some(TxnRequestBody::InitProducerId(_))
        ));
        core.answer(TxnResponse::InitProducerId(ID));
        assert!(init.collect().is_some_and(|outcome| outcome.is_ok()));
        core
    }

    pub(super) fn open(version: TransactionVersion) -> Self {
        let mut core = Self::ready(version);
        core.manager.begin_transaction().expect("begin");
        core
    }

    /// A core whose coordinator is being told of the partition.
    pub(super) fn adding_partition() -> Self {
        let mut core = Self::open(V1);
        core.manager.maybe_add_partition(&tp());
        assert_eq!(core.poll_partitions(), [tp()]);
        core
    }

    /// A core whose transaction has the partition.
    pub(super) fn with_partition(version: TransactionVersion) -> Self {
        let mut core = Self::open(version);
        core.manager.maybe_add_partition(&tp());
        if version == V1 {
            assert_eq!(core.poll_partitions(), [tp()]);
            core.answer(added(&[tp()]));
        }
        core
    }

    /// A core with a transaction that an earlier instance prepared.
    pub(super) fn prepared() -> Self {
        let mut core = Self::new();
        assert!(core.manager.initialize_keeping_prepared().is_err());
        let config = TransactionalConfig {
            id: "txn".into(),
            timeout_ms: i32::MAX,
            two_phase_commit: true,
        };
        core.manager = TransactionManager::transactional(config, backoff());
        core.manager.note_transaction_version(level(V2));
        let init = core.manager.initialize_keeping_prepared().expect("init");
        core.find_coordinator();
        let Some(TxnRequestBody::InitProducerId(asked)) = core.poll() else {
            panic!("no identity is asked for");
        };
        assert!(asked.keep_prepared && asked.two_phase_commit);
        core.answer(TxnResponse::Prepared {
            identity: NEXT_EPOCH,
            prepared: ID,
        });
        assert!(is_ok(init.collect()));
        core
    }

    pub(super) fn poll(&mut self) -> Option<TxnRequestBody> {
        let request = self.manager.poll_request(self.now, self.has_incomplete)?;
        let any_node = matches!(request.body, TxnRequestBody::FindCoordinator(_));
        assert_eq!(request.to.is_none(), any_node);
        Some(request.body)
    }

    /// As [`poll`](Self::poll), once the back-off is over.
    pub(super) fn poll_later(&mut self) -> Option<TxnRequestBody> {
        if let Some(at) = self.manager.next_timeout(self.now) {
            self.now = at;
        }
        self.poll()
    }

    pub(super) fn poll_partitions(&mut self) -> Vec<TopicPartition> {
        match self.poll_later() {
            Some(TxnRequestBody::AddPartitionsToTxn { partitions, .. }) => partitions,
            other => panic!("not partitions: {other:?}"),
        }
    }

    /// The next request ends the transaction; returns whether it commits.
    pub(super) fn poll_end(&mut self) -> bool {
        match self.poll_later() {
            Some(TxnRequestBody::EndTxn { commit, .. }) => commit,
            other => panic!("no end: {other:?}"),
        }
    }

    pub(super) fn answer(&mut self, response: TxnResponse) {
        let waiting = self.manager.handle_response(response, self.now, 0.5);
        assert!(waiting.is_none());
    }

    pub(super) fn refuse(&mut self, kind: ErrorKind) {
        self.answer(TxnResponse::Failed(KafkaError::new(kind, "refused")));
    }

    pub(super) fn find_coordinator(&mut self) {
        let asked = self.poll();
        assert!(
            matches!(asked, Some(TxnRequestBody::FindCoordinator(_))),
            "{asked:?}"
        );
        self.answer(TxnResponse::Coordinator(Node::new(3, "localhost", 9095)));
    }

    pub(super) fn commit(&mut self) -> Arc<TransactionalRequestResult> {
        self.manager.begin_commit().expect("commit")
    }

    pub(super) fn abort(&mut self) -> Arc<TransactionalRequestResult> {
        self.manager.begin_abort().expect("abort")
    }

    /// A batch failed for good.
    pub(super) fn batch_fails(&mut self, kind: ErrorKind, may_be_written: bool) {
        self.manager
            .maybe_transition_to_error_state(&failure(kind), may_be_written);
    }

    pub(super) fn state(&self) -> &'static str {
        self.manager.state.name()
    }
}

pub(super) fn failure(kind: ErrorKind) -> KafkaError {
    KafkaError::new(kind, "it failed")
}

pub(super) fn level(version: TransactionVersion) -> i16 {
    if version == V2 { 2 } else { 1 }
}

pub(super) fn added(partitions: &[TopicPartition]) -> TxnResponse {
    TxnResponse::Partitions(partitions.iter().map(|tp| (tp.clone(), None)).collect())
}

pub(super) fn offsets() -> GroupOffsets {
    GroupOffsets {
        group: ConsumerGroupMetadata::new("group"),
        offsets: BTreeMap::from([
            (tp(), OffsetAndMetadata::new(5)),
            (other(), OffsetAndMetadata::new(6)),
        ]),
    }
}

pub(super) fn other() -> TopicPartition {
    TopicPartition::new("orders", 1)
}

pub(super) fn is_ok(outcome: Option<Result<(), KafkaError>>) -> bool {
    outcome.is_some_and(|outcome| outcome.is_ok())
}

/// With version 2 nobody is told, but the partition's batches were held back until now: without a wake they would stay.
#[test]
fn a_partition_that_joins_is_news_in_either_version() {
    for version in [V1, V2] {
        let mut core = Core::open(version);
        assert!(!core.manager.can_drain(&tp(), None));
        assert!(core.manager.maybe_add_partition(&tp()));
        assert!(!core.manager.maybe_add_partition(&tp()));
        assert_eq!(core.manager.can_drain(&tp(), None), version == V2);
    }
}

/// Java: `TransactionManagerTest.testBasicTransaction`. Scenario: TX1.
#[test]
fn a_transaction_of_version_1_adds_partitions_and_ends() {
    let mut core = Core::open(V1);
    assert!(!core.manager.can_drain(&tp(), None));
    assert!(core.manager.maybe_add_partition(&tp()));
    assert!(!core.manager.maybe_add_partition(&tp()), "asked once");
    assert_eq!(core.poll_partitions(), [tp()]);
    assert!(
        !core.manager.can_drain(&tp(), None),
        "not before the answer"
    );
    core.answer(added(&[tp()]));
    assert!(core.manager.can_drain(&tp(), None));
    let commit = core.commit();
    assert!(core.poll_end());
    core.answer(TxnResponse::Ended(None));
    assert!(is_ok(commit.collect()));
    assert_eq!(core.state(), "without an open transaction");
    assert_eq!(core.manager.producer_id_and_epoch(), Some(ID));
    core.manager.begin_transaction().expect("the next one");
}

/// Scenario: TX1, TX26.
#[test]
fn a_transaction_of_version_2_adds_nothing_and_takes_the_next_epoch() {
    let mut core = Core::with_partition(V2);
    assert!(core.manager.can_drain(&tp(), None) && core.poll().is_none());
    assert_eq!(core.manager.assign_sequence(&tp(), 4), (ID, Sequence(0)));
    core.manager.handle_completed(batch(&tp(), 0));
    let abort = core.abort();
    assert!(!core.poll_end());
    core.answer(TxnResponse::Ended(Some(NEXT_EPOCH)));
    assert!(is_ok(abort.collect()));
    core.manager.begin_transaction().expect("the next one");
    core.manager.maybe_add_partition(&tp());
    let next = core.manager.assign_sequence(&tp(), 1);
    assert_eq!(next, (NEXT_EPOCH, Sequence(0)), "numbers start over");
}

/// Java: `TransactionManagerTest.testSkipEndTxn..`, `testCommitTransactionWithoutSending..`. Scenario: TX9.
#[test]
fn an_empty_transaction_ends_without_a_request() {
    for version in [V1, V2] {
        let mut core = Core::open(version);
        let commit = core.commit();
        assert!(core.poll().is_none());
        assert!(is_ok(commit.collect()));
        core.manager.begin_transaction().expect("the next one");
    }
}

/// Java: `TransactionManagerTest.testFlushPendingPartitionsOnCommit`, `testMultipleAddPartitionsPerForOneProduce`.
/// Scenario: TX4, TX7.
#[test]
fn a_commit_adds_new_partitions_first_and_an_abort_drops_them() {
    let mut core = Core::open(V1);
    core.manager.maybe_add_partition(&tp());
    core.manager.maybe_add_partition(&other());
    let _commit = core.commit();
    assert_eq!(core.poll_partitions(), [tp(), other()], "in one request");
    core.answer(added(&[tp(), other()]));
    assert!(core.poll_end());

    let mut core = Core::open(V1);
    core.manager.maybe_add_partition(&tp());
    let abort = core.abort();
    assert!(core.poll().is_none(), "nobody has to know");
    assert!(is_ok(abort.collect()));
}

/// Java: `TransactionManagerTest.testAbortResendsAddPartitionRequest`. Scenario: TX8.
#[test]
fn partitions_that_were_asked_for_are_asked_for_again_before_the_abort() {
    let mut core = Core::adding_partition();
    core.refuse(ErrorKind::CoordinatorLoadInProgress);
    let _abort = core.abort();
    assert_eq!(core.poll_partitions(), [tp()]);
    core.answer(added(&[tp()]));
    assert!(!core.poll_end());
}

/// Java: `TransactionManagerTest.testTransactionManagerSendsEndTxnAfterIncomplete..`. Scenario: TX6.
#[test]
fn the_end_waits_for_every_batch() {
    let mut core = Core::with_partition(V1);
    core.has_incomplete = true;
    let _commit = core.commit();
    assert!(core.poll().is_none());
    core.has_incomplete = false;
    assert!(core.poll_end());
    assert!(!core.manager.can_drain(&tp(), None), "too late for more");
}

/// Java: `TransactionManagerTest.testCommitTransactionTimeout..`, `KafkaProducerTest.testCommitTransactionTimeout`
/// (KIP-588, KAFKA-13412). Scenario: TX10.
#[test]
fn a_call_that_timed_out_can_only_be_repeated() {
    let mut core = Core::with_partition(V1);
    let first = core.commit();
    let again = core.manager.begin_commit().expect("the same one");
    assert!(Arc::ptr_eq(&first, &again));
    for refused in [
        core.manager.begin_abort().map(|_| ()),
        core.manager.initialize_transactions().map(|_| ()),
        core.manager.begin_transaction(),
        core.manager.check_send(),
        core.manager
            .send_offsets_to_transaction(offsets())
            .map(|_| ()),
    ] {
        assert_eq!(
            refused.expect_err("refused").kind(),
            ErrorKind::IllegalState
        );
    }
    core.poll_end();
    core.answer(TxnResponse::Ended(None));
    let refused = core.manager.begin_transaction();
    assert!(refused.is_err(), "the application does not know yet");
    let again = core.manager.begin_commit().expect("the same one");
    assert!(is_ok(again.collect()));
    core.manager.begin_transaction().expect("now it knows");
}

/// Java: `KafkaProducerTest.testInitTransactionWhileThrottled`, `testInitTransactionTimeout`. Scenario: TX10.
#[test]
fn an_init_that_timed_out_goes_on() {
    let mut core = Core::new();
    let first = core.manager.initialize_transactions().expect("init");
    assert_eq!(first.operation(), Operation::Init);
    core.find_coordinator();
    let again = core
        .manager
        .initialize_transactions()
        .expect("the same one");
    assert!(Arc::ptr_eq(&first, &again));
    core.poll();
    core.answer(TxnResponse::InitProducerId(ID));
    assert!(is_ok(again.collect()));
    let second = core.manager.initialize_transactions();
    assert!(second.is_err(), "once is enough");
}

/// Java: `TransactionManagerTest.testSendOffsets..`, `testBasicTransaction`. Scenario: TX19.
#[test]
fn offsets_go_by_the_coordinator_of_the_group() {
    let mut core = Core::open(V1);
    let sent = core
        .manager
        .send_offsets_to_transaction(offsets())
        .expect("offsets");
    assert!(matches!(
        core.poll(),
        Some(TxnRequestBody::AddOffsetsToTxn { .. })
    ));
    core.answer(TxnResponse::OffsetsAdded);
    assert!(!sent.is_done());
    core.find_coordinator();
    assert!(matches!(
        core.poll(),
        Some(TxnRequestBody::TxnOffsetCommit { .. })
    ));
    core.answer(added(&[tp(), other()]));
    assert!(is_ok(sent.collect()));
    let _commit = core.commit();
    assert!(core.poll_end(), "offsets alone are a transaction, too");
}

/// Java: `TransactionManagerTest.testRetriableErrorInTxnOffsetCommit` and its likes. Scenario: TX19.
#[test]
fn only_the_offsets_that_are_left_are_sent_again() {
    let mut core = Core::open(V2);
    let sent = core
        .manager
        .send_offsets_to_transaction(offsets())
        .expect("offsets");
    core.find_coordinator();
    core.poll();
    let loading = KafkaError::new(ErrorKind::CoordinatorLoadInProgress, "loading");
    core.answer(TxnResponse::Partitions(vec![
        (tp(), None),
        (other(), Some(loading)),
    ]));
    assert!(!sent.is_done());
    let Some(TxnRequestBody::TxnOffsetCommit { offsets, .. }) = core.poll_later() else {
        panic!("no offsets");
    };
    assert_eq!(offsets.offsets.keys().collect::<Vec<_>>(), [&other()]);
    core.answer(added(&[other()]));
    assert!(is_ok(sent.collect()));
}

/// Java: `KafkaProducerTest.testSendTxnOffsetsWithGroupId` and the argument checks beside it. Scenario: TX2, TX21.
#[test]
fn calls_out_of_order_are_refused_and_change_nothing() {
    let mut core = Core::new();
    assert!(core.manager.begin_transaction().is_err());
    assert!(core.manager.begin_commit().is_err() && core.manager.begin_abort().is_err());
    assert!(core.manager.check_send().is_err());
    assert_eq!(core.state(), "not initialized");
    let mut core = Core::ready(V1);
    assert!(core.manager.begin_commit().is_err() && core.manager.begin_abort().is_err());
    assert!(core.manager.check_send().is_err());
    core.manager.begin_transaction().expect("begin");
    assert!(core.manager.begin_transaction().is_err());
    assert!(core.manager.check_send().is_ok());
}

/// Java: `KafkaProducerTest.testTransactionalMethodThrowsWhenSenderClosed` and its likes.
#[test]
fn without_a_transactional_id_there_are_no_transactions() {
    let mut manager = with_id(ID);
    assert!(manager.initialize_transactions().is_err() && manager.begin_transaction().is_err());
    assert!(manager.begin_commit().is_err() && manager.begin_abort().is_err());
    assert!(!manager.is_transactional() && manager.poll_abort(false).is_none());
}

/// KIP-939.
#[test]
fn a_prepared_transaction_can_be_decided_and_nothing_else() {
    for commits in [true, false] {
        let mut core = Core::prepared();
        assert_eq!(core.manager.prepared(), Some(ID));
        assert!(core.manager.begin_transaction().is_err() && core.manager.check_send().is_err());
        assert!(
            !core.manager.has_ongoing_transaction(),
            "a close leaves it alone"
        );
        let ended = if commits {
            core.manager.begin_commit()
        } else {
            core.manager.begin_abort()
        };
        assert_eq!(core.poll_end(), commits);
        core.answer(TxnResponse::Ended(None));
        assert!(is_ok(ended.expect("decided").collect()));
        core.manager.begin_transaction().expect("the next one");
    }
}
