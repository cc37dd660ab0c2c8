//! Transactions of the whole producer, by both versions of the protocol.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use ottla::embedded::{Api, EmbeddedCluster, Fault};
use ottla::{
    ConsumerGroupMetadata, ErrorKind, KafkaError, OffsetAndMetadata, ProducerRecord, TopicPartition,
};

use crate::setup::TOPIC;
use crate::support::{Text, error, must_end, text, text_producer};

const ID: &str = "transfer";
const VERSIONS: [i16; 2] = [1, 2];

fn cluster(version: i16) -> EmbeddedCluster {
    let builder = EmbeddedCluster::builder().brokers(3).topic(TOPIC, 2);
    builder.transaction_version(version).start().unwrap()
}

/// A producer that has not been initialized.
fn new(cluster: &EmbeddedCluster) -> Text {
    with(cluster, &[])
}

fn with(cluster: &EmbeddedCluster, more: &[(&str, &str)]) -> Text {
    let mut settings = vec![
        ("transactional.id", ID),
        ("retry.backoff.ms", "5"),
        ("retry.backoff.max.ms", "20"),
        ("reconnect.backoff.ms", "5"),
        ("reconnect.backoff.max.ms", "20"),
    ];
    settings.extend_from_slice(more);
    text_producer(&cluster.bootstrap_servers(), &settings)
}

fn ready(cluster: &EmbeddedCluster) -> Text {
    let producer = new(cluster);
    producer.init_transactions().unwrap();
    producer
}

fn record(value: &str) -> ProducerRecord<'_, &str, &str> {
    ProducerRecord::new(TOPIC, "key", value).with_partition(0)
}

/// A transaction of one record.
fn commit_one(producer: &Text, value: &str) {
    let sent = producer.in_transaction(|transaction| transaction.send(record(value)));
    assert!(sent.unwrap().is_done(), "a commit is a flush");
}

/// What a consumer that reads committed records sees in partition 0.
fn committed(cluster: &EmbeddedCluster) -> Vec<String> {
    let records = cluster.committed_records(TOPIC, 0).unwrap();
    records.into_iter().map(|r| text(r.value)).collect()
}

/// As [`committed`], once the markers of every transaction are written.
fn settled(cluster: &EmbeddedCluster) -> Vec<String> {
    crate::setup::until(|| cluster.ongoing_transactions().is_empty());
    committed(cluster)
}

/// Java: `KafkaProducerTest.testCommitTransaction..`, `TransactionsTest.testBasicTransactions`. Scenario: TX1.
#[test]
fn what_is_committed_is_seen_and_what_is_aborted_is_not() {
    for version in VERSIONS {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        for (value, commits) in [("a", true), ("b", false), ("c", true), ("d", false)] {
            producer.begin_transaction().unwrap();
            let sent = producer.send(record(value)).unwrap();
            let _other = producer
                .send(ProducerRecord::new(TOPIC, "key", value).with_partition(1))
                .unwrap();
            if commits {
                producer.commit_transaction().unwrap();
                assert!(sent.is_done(), "a commit is a flush");
            } else {
                sent.get().unwrap();
                assert!(!committed(&cluster).contains(&value.to_owned()));
                producer.abort_transaction().unwrap();
            }
        }
        assert_eq!(settled(&cluster), ["a", "c"], "version {version}");
        let adds = cluster.requests(Api::AddPartitionsToTxn);
        assert_eq!(adds > 0, version == 1, "version {version}");
        producer.begin_transaction().unwrap();
        producer.commit_transaction().unwrap();
        assert_eq!(
            cluster.requests(Api::EndTxn),
            4,
            "an empty one costs nothing"
        );
    }
}

/// Java: `TransactionsTest.testFencingOnCommit`, `testFencingOnSend`. Scenario: TX12.
#[test]
fn a_second_producer_with_the_same_id_takes_over() {
    for version in VERSIONS {
        let cluster = cluster(version);
        let old = ready(&cluster);
        old.begin_transaction().unwrap();
        old.send(record("old")).unwrap().get().unwrap();
        let new = ready(&cluster);
        new.begin_transaction().unwrap();
        let _sent = new.send(record("new")).unwrap();
        let refused = error(old.commit_transaction());
        assert!(refused.is_fatal(), "{refused}");
        assert_eq!(
            refused.kind(),
            ErrorKind::ProducerFenced,
            "version {version}"
        );
        let later = error(old.begin_transaction());
        assert!(later.is_fatal() && later.kind() == ErrorKind::ProducerFenced);
        new.commit_transaction().unwrap();
        assert_eq!(settled(&cluster), ["new"], "version {version}");
        let _report = old.close(Duration::from_secs(5)).unwrap();
    }
}

/// Java: `TransactionsTest.testSendOffsetsWithGroupMetadata`. Scenario: TX19.
#[test]
fn offsets_are_committed_with_the_records_or_not_at_all() {
    for version in VERSIONS {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        let group = ConsumerGroupMetadata::new("billing");
        let input = TopicPartition::new(TOPIC, 1);
        for (offset, commits) in [(5, true), (9, false)] {
            producer.begin_transaction().unwrap();
            let _sent = producer.send(record("output")).unwrap();
            let next = BTreeMap::from([(input.clone(), OffsetAndMetadata::new(offset))]);
            producer.send_offsets_to_transaction(&next, &group).unwrap();
            if commits {
                producer.commit_transaction().unwrap();
            } else {
                producer.abort_transaction().unwrap();
            }
            assert_eq!(settled(&cluster), ["output"]);
            assert_eq!(cluster.group_offset("billing", TOPIC, 1), Some(5));
        }
        let negative = BTreeMap::from([(input.clone(), OffsetAndMetadata::new(-1))]);
        producer.begin_transaction().unwrap();
        let refused = error(producer.send_offsets_to_transaction(&negative, &group));
        assert_eq!(refused.kind(), ErrorKind::IllegalArgument);
        let nothing = BTreeMap::new();
        producer
            .send_offsets_to_transaction(&nothing, &group)
            .unwrap();
        producer.abort_transaction().unwrap();
    }
}

#[test]
fn in_transaction_commits_on_ok_and_aborts_on_an_error_and_on_a_panic() {
    let cluster = cluster(2);
    let producer = ready(&cluster);
    let done = producer.in_transaction(|transaction| {
        let _sent = transaction.send(record("ok"))?;
        Ok::<_, KafkaError>(7)
    });
    assert_eq!(done.unwrap(), 7);
    let refused = producer.in_transaction(|transaction| {
        transaction.send(record("error"))?.get()?;
        Err::<(), _>(KafkaError::new(ErrorKind::InvalidRecord, "mine"))
    });
    assert_eq!(
        error(refused).message(),
        "mine",
        "the error stays what it is"
    );
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        producer.in_transaction(|transaction| -> Result<(), KafkaError> {
            transaction.send(record("panic"))?.get()?;
            panic!("of the application")
        })
    }));
    assert!(panicked.is_err());
    commit_one(&producer, "again");
    assert_eq!(settled(&cluster), ["ok", "again"]);
}

/// Java: `KafkaProducerTest.testSendTo..WithoutTransaction`. Scenario: SN21, TX2.
#[test]
fn a_record_outside_of_a_transaction_is_refused_and_leaves_nothing_behind() {
    let cluster = cluster(2);
    let producer = new(&cluster);
    let refused = error(producer.send(record("before init")));
    assert_eq!(refused.kind(), ErrorKind::IllegalState);
    assert_eq!(
        error(producer.begin_transaction()).kind(),
        ErrorKind::IllegalState
    );
    producer.init_transactions().unwrap();
    assert!(producer.send(record("before begin")).is_err());
    assert!(producer.commit_transaction().is_err() && producer.abort_transaction().is_err());
    producer.flush().unwrap();
    commit_one(&producer, "inside");
    assert_eq!(settled(&cluster), ["inside"]);
    let plain = text_producer(&cluster.bootstrap_servers(), &[]);
    assert_eq!(
        error(plain.init_transactions()).kind(),
        ErrorKind::IllegalState
    );
    assert!(plain.begin_transaction().is_err() && plain.commit_transaction().is_err());
}

/// Java: `KafkaProducerTest.testSendWithTooLargeRecord..InTransaction`. Scenario: SN20.
#[test]
fn a_record_that_was_refused_spoils_the_transaction_until_it_is_aborted() {
    let cluster = cluster(2);
    let producer = with(
        &cluster,
        &[("max.request.size", "1000"), ("max.block.ms", "5000")],
    );
    producer.init_transactions().unwrap();
    producer.begin_transaction().unwrap();
    let large = "x".repeat(2000);
    let future = producer.send(record(&large)).unwrap();
    assert_eq!(error(future.get()).kind(), ErrorKind::RecordTooLarge);
    let refused = error(producer.commit_transaction());
    assert!(refused.is_abortable() && !refused.is_fatal(), "{refused}");
    assert!(error(producer.send(record("more"))).is_abortable());
    producer.abort_transaction().unwrap();
    commit_one(&producer, "small");
    assert_eq!(settled(&cluster), ["small"]);
}

/// Java: `KafkaProducerTest.testCommitTransactionTimeout`, `testInitTransactionTimeout` (KIP-588). Scenario: TX10.
#[test]
fn a_commit_that_timed_out_can_be_repeated_and_nothing_else_can() {
    for version in VERSIONS {
        let cluster = cluster(version);
        let settings = [("max.block.ms", "300"), ("request.timeout.ms", "600")];
        let producer = with(&cluster, &settings);
        producer
            .init_transactions_timeout(Duration::from_secs(20))
            .unwrap();
        producer.begin_transaction().unwrap();
        producer.send(record("late")).unwrap().get().unwrap();
        cluster.inject(Fault::on(Api::EndTxn).never_answer().times(1));
        let refused = error(producer.commit_transaction());
        assert_eq!(refused.kind(), ErrorKind::Timeout);
        assert!(!refused.is_fatal());
        assert_eq!(
            error(producer.abort_transaction()).kind(),
            ErrorKind::IllegalState
        );
        assert!(producer.begin_transaction().is_err());
        let mut outcome = producer.commit_transaction();
        while outcome
            .as_ref()
            .is_err_and(|e| e.kind() == ErrorKind::Timeout)
        {
            outcome = producer.commit_transaction();
        }
        outcome.unwrap();
        assert_eq!(settled(&cluster), ["late"], "version {version}");
        producer.begin_transaction().unwrap();
        producer.abort_transaction().unwrap();
    }
}

/// Scenario: TX15 (KAFKA-17754).
#[test]
fn a_lost_answer_to_the_end_harms_neither_this_transaction_nor_the_next() {
    for version in VERSIONS {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        for value in ["a", "b", "c"] {
            cluster.inject(Fault::on(Api::EndTxn).lose_response().times(1));
            commit_one(&producer, value);
        }
        assert_eq!(settled(&cluster), ["a", "b", "c"], "version {version}");
        let inits = cluster.requests(Api::InitProducerId);
        assert_eq!(inits, if version == 1 { 4 } else { 1 });
    }
}

/// Java: `TransactionsBounceTest`, `TransactionManagerTest.testLookupCoordinatorOnNotCoordinatorError`. Scenario: TX11.
#[test]
fn coordinators_may_move_and_stop() {
    for version in VERSIONS {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        let group = ConsumerGroupMetadata::new("billing");
        let mut expected = Vec::new();
        for round in 0..6 {
            let value = format!("value {round}");
            producer.begin_transaction().unwrap();
            let _sent = producer.send(record(&value)).unwrap();
            let next = [(TopicPartition::new(TOPIC, 1), OffsetAndMetadata::new(round))];
            let next: BTreeMap<_, _> = next.into_iter().collect();
            let here = cluster.transaction_coordinator(ID).unwrap();
            let elsewhere = here % 3 + 1;
            if round % 2 == 0 {
                cluster.move_transaction_coordinator(ID, elsewhere).unwrap();
                cluster.move_group_coordinator("billing", here).unwrap();
            } else {
                let error = Fault::on(Api::EndTxn).error(ErrorKind::CoordinatorLoadInProgress);
                cluster.inject(error.times(2));
                cluster.inject(Fault::on(Api::TxnOffsetCommit).drop_connection().times(1));
            }
            producer.send_offsets_to_transaction(&next, &group).unwrap();
            producer.commit_transaction().unwrap();
            expected.push(value);
        }
        assert_eq!(settled(&cluster), expected, "version {version}");
        assert_eq!(cluster.group_offset("billing", TOPIC, 1), Some(5));
    }
}

/// KIP-890. Scenario: TX26.
#[test]
fn the_version_may_change_while_the_producer_runs() {
    let cluster = cluster(1);
    let producer = ready(&cluster);
    let mut expected = Vec::new();
    for (round, version) in [1, 2, 2, 1, 1, 2, 2].into_iter().enumerate() {
        cluster.set_transaction_version(version).unwrap();
        // Brokers say it to new connections only.
        cluster.inject(Fault::on(Api::EndTxn).drop_connection().times(1));
        let value = format!("value {round}");
        commit_one(&producer, &value);
        expected.push(value);
    }
    assert_eq!(settled(&cluster), expected);
}

/// Java: `KafkaProducerTest.testCloseWithOpenTransaction..`, `SenderTest.testIncompleteTransactionAbortOnShutdown`.
/// Scenario: TX21.
#[test]
fn closing_aborts_the_open_transaction() {
    for version in VERSIONS {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        producer.begin_transaction().unwrap();
        let sent = producer.send(record("never committed")).unwrap();
        let report = producer.close(Duration::from_secs(20)).unwrap();
        assert!(
            report.is_complete() && sent.get().is_ok(),
            "it was delivered first"
        );
        assert_eq!(settled(&cluster), [""; 0], "version {version}");
        assert_eq!(
            cluster.last_stable_offset(TOPIC, 0),
            cluster.end_offset(TOPIC, 0)
        );
    }
}

/// Scenario: TX21, PB11.
#[test]
fn transactional_calls_are_refused_in_callbacks() {
    let cluster = cluster(2);
    let producer = ready(&cluster);
    let (tell, told) = mpsc::channel();
    let handle = producer.clone();
    producer.begin_transaction().unwrap();
    let sent = producer.send_with_callback(record("x"), move |_| {
        let outcomes = [
            handle.commit_transaction(),
            handle.abort_transaction(),
            handle.init_transactions(),
            handle.in_transaction(|_| Ok::<_, KafkaError>(())),
        ];
        tell.send(outcomes.map(|outcome| error(outcome).kind()))
            .unwrap();
    });
    sent.unwrap().get().unwrap();
    producer.commit_transaction().unwrap();
    assert_eq!(told.recv().unwrap(), [ErrorKind::IllegalState; 4]);
}

/// Java: `TransactionsTest.testConsecutivelyRunInitTransactions`, `KafkaProducerTest.testInitTransactionTimeout`. Scenario: TX10.
#[test]
fn an_init_that_timed_out_is_repeated() {
    let cluster = cluster(2);
    let producer = with(&cluster, &[("max.block.ms", "200")]);
    let loading = Fault::on(Api::InitProducerId).error(ErrorKind::CoordinatorLoadInProgress);
    cluster.inject(loading);
    assert_eq!(
        error(producer.init_transactions()).kind(),
        ErrorKind::Timeout
    );
    assert_eq!(
        error(producer.begin_transaction()).kind(),
        ErrorKind::IllegalState
    );
    cluster.clear_faults();
    producer
        .init_transactions_timeout(Duration::from_secs(20))
        .unwrap();
    commit_one(&producer, "x");
    let again = error(producer.init_transactions());
    assert_eq!(again.kind(), ErrorKind::IllegalState, "once is enough");
}

/// Java: `TransactionsTest.testBumpTransactionalEpoch`. Scenario: TX14, TX15.
#[test]
fn after_records_were_lost_the_next_transaction_starts_afresh() {
    for version in VERSIONS {
        let cluster = cluster(version);
        let limits = [
            ("delivery.timeout.ms", "1000"),
            ("request.timeout.ms", "400"),
            ("linger.ms", "0"),
        ];
        let producer = with(&cluster, &limits);
        producer.init_transactions().unwrap();
        commit_one(&producer, "first");
        producer.begin_transaction().unwrap();
        cluster.inject(Fault::on(Api::Produce).never_answer());
        let lost = producer.send(record("lost")).unwrap();
        assert!(lost.get().is_err());
        cluster.clear_faults();
        let refused = error(producer.commit_transaction());
        assert!(refused.is_abortable(), "{refused}");
        producer.abort_transaction().unwrap();
        commit_one(&producer, "second");
        assert_eq!(settled(&cluster), ["first", "second"], "version {version}");
    }
}

#[test]
fn many_threads_share_a_transaction() {
    let cluster = cluster(2);
    let producer = ready(&cluster);
    must_end("transactions of many threads", move || {
        for _ in 0..5 {
            producer.begin_transaction().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..50 {
                            let _sent = producer.send(record("x")).unwrap();
                        }
                    });
                }
            });
            producer.commit_transaction().unwrap();
        }
        assert_eq!(settled(&cluster).len(), 5 * 4 * 50);
    });
}

/// Java: `RecordAccumulatorTest.testSoonToExpireBatches..` (AC20: `isCompleting`). Scenario: AC20.
#[test]
fn a_commit_ends_the_linger() {
    let cluster = cluster(2);
    let producer = with(&cluster, &[("linger.ms", "90000")]);
    producer.init_transactions().unwrap();
    producer.begin_transaction().unwrap();
    let sent = producer.send(record("x")).unwrap();
    producer.commit_transaction().unwrap();
    assert!(sent.is_done());
    assert_eq!(settled(&cluster), ["x"]);
}

/// Java: `KafkaProducerTest.testPartitionAddedToTransaction`, `testPartitionAddedToTransactionAfterFullBatchRetry`
/// (KAFKA-13782). Scenario: SN18.
#[test]
fn the_partition_that_was_really_used_becomes_part_of_the_transaction() {
    let builder = EmbeddedCluster::builder().topic(TOPIC, 8);
    let cluster = builder.transaction_version(1).start().unwrap();
    let producer = with(
        &cluster,
        &[("batch.size", "200"), ("delivery.timeout.ms", "40000")],
    );
    producer.init_transactions().unwrap();
    producer.begin_transaction().unwrap();
    let futures: Vec<_> = (0..300)
        .map(|n| {
            let record = ProducerRecord::value_only(TOPIC, format!("value {n}"));
            producer.send(record).unwrap()
        })
        .collect();
    producer.commit_transaction().unwrap();
    let mut used: Vec<_> = futures
        .iter()
        .map(|f| f.get().unwrap().partition())
        .collect();
    used.sort_unstable();
    used.dedup();
    assert!(used.len() > 1, "the sticky choice changes with each batch");
    crate::setup::until(|| cluster.ongoing_transactions().is_empty());
    let seen = used
        .iter()
        .map(|p| cluster.committed_records(TOPIC, *p).unwrap().len());
    assert_eq!(seen.sum::<usize>(), 300);
}

/// KIP-939: no broker up to Kafka 4.3 keeps a prepared transaction, not even one that is told to offer the version.
#[test]
fn a_broker_that_cannot_keep_prepared_transactions_says_so() {
    let builder = EmbeddedCluster::builder().brokers(1).topic(TOPIC, 1);
    let cluster = builder.two_phase_commit(true).start().unwrap();
    let settings = [("transaction.two.phase.commit.enable", "true")];
    let producer = with(&cluster, &settings);
    let refused = error(producer.init_transactions_keeping_prepared());
    assert_eq!(refused.kind(), ErrorKind::UnsupportedVersion);
    let producer = with(&cluster, &settings);
    producer.init_transactions().unwrap();
    commit_one(&producer, "x");
    assert_eq!(settled(&cluster), ["x"]);
    let refused = error(ready(&cluster).init_transactions_keeping_prepared());
    assert_eq!(refused.kind(), ErrorKind::InvalidTxnState);
}

/// KAFKA-17754: the first commit times out at the client, is repeated, and reaches the coordinator when the next
/// transaction is open. What a client does there that goes on with the same epoch is shown by the broker's own test,
/// `a_late_end_hits_the_next_transaction_with_version_1_only`. Scenario: TX15.
#[test]
fn a_commit_that_comes_late_does_not_commit_the_next_transaction() {
    for version in VERSIONS {
        let cluster = cluster(version);
        let limits = [("request.timeout.ms", "200"), ("linger.ms", "0")];
        let producer = with(&cluster, &limits);
        producer.init_transactions().unwrap();
        let late = Duration::from_millis(1000);
        cluster.inject(Fault::on(Api::EndTxn).handle_late(late).times(1));
        commit_one(&producer, "first");
        producer.begin_transaction().unwrap();
        producer.send(record("second")).unwrap().get().unwrap();
        // Another producer's request came later and waits as long: when that is answered the late commit was handled.
        let clock = with(&cluster, &[("transactional.id", "clock")]);
        cluster.inject(Fault::on(Api::InitProducerId).delay(late).times(1));
        clock.init_transactions().unwrap();
        assert!(!committed(&cluster).contains(&"second".to_owned()));
        producer.abort_transaction().unwrap();
        assert_eq!(settled(&cluster), ["first"], "version {version}");
    }
}

/// The end of a transaction must not overtake the record that was sent right before it, nor the next transaction's first
/// record be taken for one of the last. Scenario: TX6.
#[test]
fn a_commit_right_behind_each_record_loses_none() {
    for version in VERSIONS {
        let cluster = cluster(version);
        let producer = ready(&cluster);
        let values: Vec<_> = (0..400).map(|n| format!("value {n}")).collect();
        for value in &values {
            producer.begin_transaction().unwrap();
            let sent = producer.send(record(value)).unwrap();
            producer.commit_transaction().unwrap();
            assert!(sent.is_done());
        }
        assert_eq!(settled(&cluster), values, "version {version}");
    }
}
