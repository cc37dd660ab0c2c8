//! What the transaction coordinator refuses, repeats and does by itself.

use super::*;
use crate::broker::cluster::brokers::Timings;

/// Java: `TransactionCoordinatorTest.testRetryInitProducerIdAfterProducerIdRotation` and its neighbours.
#[test]
fn a_new_instance_fences_the_one_before_it() {
    for speaks in BOTH {
        let mut fixture = Fixture::new();
        let first = fixture.producer(speaks);
        let second = fixture.producer(speaks);
        assert_eq!(first.me.producer_id, second.me.producer_id);
        assert!(first.me.epoch < second.me.epoch);
        let fenced = Errors::ProducerFenced.code();
        assert_eq!(fixture.add_partition(first, 0), fenced);
        assert_eq!(fixture.end(first, true).error_code, fenced);
        fixture.join_and_write(second, 0, 0);
        let refused = fixture.write(first, 0, 0);
        assert_eq!(refused.error_code, Errors::InvalidProducerEpoch.code());
    }
}

#[test]
fn a_new_instance_aborts_what_the_one_before_it_left_open() {
    for speaks in BOTH {
        let mut fixture = Fixture::new();
        let first = fixture.producer(speaks);
        fixture.join_and_write(first, 0, 0);
        let answer = fixture.init(None);
        assert_eq!(answer.error_code, Errors::ConcurrentTransactions.code());
        let second = fixture.producer(speaks);
        assert!(second.me.epoch > first.me.epoch + 1, "{second:?}");
        let read = fixture.fetch_committed(0);
        assert_eq!(read.last_stable_offset, 2);
        assert_eq!(fixture.committed(0), 0);
    }
}

/// Java: `TransactionCoordinatorTest.shouldAppendPrepareAbortToLogOnEndTxnWhenStatusIsOngoingAndResultIsAbort` and the
/// table of states after it.
#[test]
fn a_repeated_end_is_recognized_and_the_opposite_one_is_refused() {
    for speaks in BOTH {
        for committed in [true, false] {
            let mut fixture = Fixture::new();
            let producer = fixture.producer(speaks);
            fixture.join_and_write(producer, 0, 0);
            let first = fixture.end(producer, committed);
            assert_eq!(fixture.end(producer, committed), first, "{speaks:?}");
            let opposite = fixture.end(producer, !committed).error_code;
            assert_eq!(opposite, Errors::InvalidTxnState.code(), "{speaks:?}");
        }
    }
}

/// The anomaly that Jepsen found: with version 1 nothing tells the end of one transaction from that of the next.
#[test]
fn a_late_end_hits_the_next_transaction_with_version_1_only() {
    for speaks in BOTH {
        let mut fixture = Fixture::new();
        let mut producer = fixture.producer(speaks);
        fixture.join_and_write(producer, 0, 0);
        let late = producer;
        fixture.end_well(&mut producer, true);
        let next = i32::from(speaks == Speaks::Version1);
        fixture.join_and_write(producer, 0, next);
        let error = fixture.end(late, true).error_code;
        if speaks == Speaks::Version1 {
            assert_eq!(
                (error, fixture.committed(0)),
                (NONE, 2),
                "half a transaction"
            );
        } else {
            let fenced = Errors::ProducerFenced.code();
            assert_eq!((error, fixture.committed(0)), (fenced, 1));
        }
    }
}

/// A request in the queue of a broker outlives the connection that it came on.
#[test]
fn an_end_that_waits_in_the_queue_of_the_broker_is_handled_after_its_connection_has_gone() {
    let mut fixture = Fixture::new();
    let mut producer = fixture.producer(Speaks::Version1);
    fixture.join_and_write(producer, 0, 0);
    let late = Fault::on(Api::EndTxn).handle_late(Duration::from_millis(50));
    fixture.core.faults.add(late.times(1));
    let broker = fixture.coordinator(KeyType::Transaction, ID);
    let request = EndTxnRequest {
        transactional_id: ID.to_owned(),
        producer_id: producer.me.producer_id,
        producer_epoch: producer.me.epoch,
        committed: true,
    };
    assert!(fixture.ask_at(broker, 4, request).is_empty(), "it waits");
    let connection = ConnectionId {
        broker: NodeId(broker),
        number: 1,
    };
    fixture.core.connection_closed(connection);
    fixture.end_well(&mut producer, true);
    fixture.join_and_write(producer, 0, 1);
    assert_eq!(fixture.committed(0), 1);
    fixture.pass(Duration::from_millis(50));
    assert!(fixture.core.next_timeout() <= Some(fixture.now.monotonic));
    fixture.pass(Duration::ZERO);
    assert_eq!(fixture.committed(0), 2, "the next transaction is hit");
}

#[test]
fn version_2_may_abort_a_transaction_in_which_nobody_took_part() {
    let mut fixture = Fixture::new();
    let mut producer = fixture.producer(Speaks::Version2);
    let before = producer.me;
    fixture.end_well(&mut producer, false);
    assert_eq!(producer.me.epoch, before.epoch + 1);
    let refused = fixture.end(producer, true).error_code;
    assert_eq!(refused, Errors::InvalidTxnState.code());
    let first = fixture.producer(Speaks::Version1);
    let refused = fixture.end(first, false).error_code;
    assert_eq!(refused, Errors::InvalidTxnState.code());
}

#[test]
fn while_markers_are_pending_the_next_transaction_has_to_wait() {
    for speaks in BOTH {
        let mut fixture = Fixture::new();
        fixture.core.coordinators.settings.marker_delay = Duration::from_millis(50);
        let mut producer = fixture.producer(speaks);
        fixture.join_and_write(producer, 0, 0);
        let ended = producer;
        fixture.end_well(&mut producer, true);
        let concurrent = Errors::ConcurrentTransactions.code();
        assert_eq!(fixture.end(ended, true).error_code, concurrent);
        assert_eq!(fixture.add_partition(producer, 1), concurrent);
        assert_eq!(fixture.init(None).error_code, concurrent);
        let refused = fixture.write(producer, 1, 0).error_code;
        let expected = match speaks {
            Speaks::Version1 => Errors::NotEnoughReplicas.code(),
            Speaks::Version2 => concurrent,
        };
        assert_eq!(refused, expected, "{speaks:?}");
        let due = fixture.now.monotonic + Duration::from_millis(50);
        assert_eq!(fixture.core.next_timeout(), Some(due));
        fixture.pass(Duration::from_millis(50));
        assert_eq!(fixture.committed(0), 1);
        assert_eq!(fixture.core.next_timeout(), None);
        fixture.join_and_write(producer, 1, 0);
    }
}

/// Java: `TransactionCoordinatorTest.shouldAbortExpiredTransactionsInOngoingStateAndBumpEpoch`.
#[test]
fn the_coordinator_aborts_a_transaction_that_takes_too_long() {
    for (speaks, cluster) in [
        (Speaks::Version1, 1),
        (Speaks::Version1, 2),
        (Speaks::Version2, 2),
    ] {
        let mut fixture = Fixture::new();
        fixture.core.coordinators.settings.transaction_version = cluster;
        let producer = fixture.producer(speaks);
        fixture.join_and_write(producer, 0, 0);
        let due = fixture.now.monotonic + Duration::from_secs(60);
        assert_eq!(fixture.core.next_timeout(), Some(due));
        fixture.pass(Duration::from_millis(59_999));
        assert_eq!(fixture.fetch_committed(0).last_stable_offset, 0);
        fixture.pass(Duration::from_millis(1));
        assert_eq!(fixture.fetch_committed(0).last_stable_offset, 2);
        assert_eq!(fixture.committed(0), 0);
        let (commit, abort) = match speaks {
            Speaks::Version1 => (Errors::ProducerFenced, Errors::ProducerFenced),
            Speaks::Version2 => (Errors::InvalidTxnState, Errors::None),
        };
        assert_eq!(fixture.end(producer, true).error_code, commit.code());
        assert_eq!(fixture.end(producer, false).error_code, abort.code());
        let again = fixture.init(Some(producer.me));
        if cluster == 1 {
            assert_eq!(again.error_code, Errors::ProducerFenced.code());
        } else {
            assert_eq!(
                (again.error_code, again.producer_epoch),
                (NONE, producer.me.epoch + 1),
                "its owner may go on"
            );
        }
    }
}

/// Java: `TransactionCoordinatorTest.shouldIncrementEpochAndUpdateMetadata`, `testInitProducerIdWithCurrentEpochProvided`,
/// `testInitProducerIdStaleCoordinatorEpoch` (KIP-360).
#[test]
fn an_owner_gets_the_next_epoch_once_however_often_it_asks() {
    let mut fixture = Fixture::new();
    let producer = fixture.producer(Speaks::Version1);
    let first = fixture.init(Some(producer.me));
    assert_eq!(first.producer_epoch, producer.me.epoch + 1);
    assert_eq!(fixture.init(Some(producer.me)), first, "repeated");
    let me = ProducerIdAndEpoch {
        producer_id: first.producer_id,
        epoch: first.producer_epoch,
    };
    let second = fixture.init(Some(me));
    assert_eq!(second.producer_epoch, me.epoch + 1);
    let fenced = Errors::ProducerFenced.code();
    assert_eq!(fixture.init(Some(producer.me)).error_code, fenced);
    let foreign = ProducerIdAndEpoch {
        producer_id: me.producer_id + 1,
        ..me
    };
    assert_eq!(fixture.init(Some(foreign)).error_code, fenced);
    let other_instance = fixture.init(None);
    assert_eq!(other_instance.error_code, NONE);
    assert_eq!(fixture.init(Some(me)).error_code, fenced);
}

/// Java: `TransactionCoordinatorTest.testInitProducerIdWithExhaustedEpochOnNewProducer`, `shouldGenerateNewProducerIdIfEpochsExhausted`.
#[test]
fn an_id_whose_epochs_are_used_up_is_replaced() {
    let mut fixture = Fixture::new();
    let mut producer = fixture.producer(Speaks::Version2);
    let id = producer.me.producer_id;
    let metadata = fixture.core.coordinators.transactions.get_mut(ID);
    metadata.expect("known").producer.epoch = i16::MAX - 1;
    producer.me.epoch = i16::MAX - 1;
    fixture.join_and_write(producer, 0, 0);
    let last = producer;
    fixture.end_well(&mut producer, true);
    assert_ne!(producer.me.producer_id, id);
    assert_eq!(producer.me.epoch, 0);
    let repeated = fixture.end(last, true);
    assert_eq!(
        (repeated.error_code, repeated.producer_id),
        (NONE, producer.me.producer_id)
    );
    fixture.join_and_write(producer, 0, 0);
    fixture.end_well(&mut producer, true);
    assert_eq!(fixture.committed(0), 2);

    let metadata = fixture.core.coordinators.transactions.get_mut(ID);
    metadata.expect("known").producer.epoch = i16::MAX - 1;
    let next = fixture.init(None);
    assert_eq!((next.error_code, next.producer_epoch), (NONE, 0));
    assert_ne!(next.producer_id, producer.me.producer_id);
}

#[test]
fn a_batch_that_never_joined_is_refused_in_the_words_of_its_version() {
    let mut fixture = Fixture::new();
    let producer = fixture.producer(Speaks::Version1);
    for (version, expected) in [
        (8, Errors::InvalidTxnState),
        (10, Errors::InvalidTxnState),
        (11, Errors::TransactionAbortable),
        (12, Errors::None),
    ] {
        let written = fixture.write_at(version, producer, 0, 0);
        assert_eq!(written.error_code, expected.code(), "Produce {version}");
    }
}

#[test]
fn a_coordinator_moves_with_its_broker_and_loads_before_it_answers() {
    let mut fixture = Fixture::new();
    fixture.core.coordinators.settings.load_delay = Duration::from_millis(30);
    let mut producer = fixture.producer(Speaks::Version1);
    fixture.join_and_write(producer, 0, 0);
    let first = fixture.coordinator(KeyType::Transaction, ID);
    let now = fixture.now.monotonic;
    fixture.core.broker_stopped(NodeId(first), now);
    let loading = Errors::CoordinatorLoadInProgress.code();
    assert_eq!(fixture.init(None).error_code, loading);
    let second = fixture.coordinator(KeyType::Transaction, ID);
    assert_ne!(first, second);
    let third = 6 - first - second;
    let request = AddOffsetsToTxnRequest {
        transactional_id: ID.to_owned(),
        ..Default::default()
    };
    match body(fixture.ask_at(third, 3, request)) {
        Some(ResponseBody::AddOffsetsToTxn(response)) => {
            assert_eq!(response.error_code, Errors::NotCoordinator.code());
        }
        other => panic!("{other:?}"),
    }
    fixture.pass(Duration::from_millis(30));
    fixture.end_well(&mut producer, true);
    assert_eq!(fixture.committed(0), 1);
}

#[test]
fn a_marker_waits_until_its_partition_has_a_leader() {
    let mut fixture = Fixture::new();
    let plan = TopicPlan {
        partitions: 3,
        replication_factor: 1,
        ..TopicPlan::DEFAULT
    };
    fixture.core.topics.delete("t");
    fixture
        .core
        .topics
        .create("t", &plan)
        .expect("a legal plan");
    let (partition, leader) = led_elsewhere(&mut fixture);
    let now = fixture.now.monotonic;

    fixture.core.coordinators.settings.marker_delay = Duration::from_millis(1);
    let mut producer = fixture.producer(Speaks::Version2);
    let request = ProduceRequest {
        transactional_id: Some(ID.to_owned()),
        ..produce("t", partition, transactional(producer.me, 0))
    };
    fixture.ask_at(leader.0, 12, request);
    fixture.end_well(&mut producer, true);
    fixture.core.broker_stopped(leader, now);
    fixture.pass(Duration::from_millis(1));
    assert_eq!(
        fixture
            .core
            .coordinators
            .next_timeout(fixture.core.topics.brokers()),
        None
    );
    let concurrent = Errors::ConcurrentTransactions.code();
    assert_eq!(fixture.init(None).error_code, concurrent);
    (fixture.core).broker_started(leader, "127.0.0.1".to_owned(), 9000, now);
    fixture.pass(Duration::from_secs(1));
    assert_eq!(fixture.committed(partition), 1);
    assert_eq!(fixture.init(None).error_code, NONE);
}

/// A partition, and its leader, which is not the coordinator.
fn led_elsewhere(fixture: &mut Fixture) -> (i32, NodeId) {
    let coordinator = NodeId(fixture.coordinator(KeyType::Transaction, ID));
    let topics = &fixture.core.topics;
    let led = |partition| {
        Some((
            partition,
            topics.partition("t", partition)?.current().leader?,
        ))
    };
    let mut elsewhere = (0..3)
        .filter_map(led)
        .filter(|(_, leader)| *leader != coordinator);
    elsewhere.next().expect("one of three")
}

/// Written before that, it would stand in the log of a follower, where no copy can overwrite it.
#[test]
fn a_marker_waits_until_the_new_leader_has_heard_of_its_election() {
    let mut fixture = Fixture::new();
    let news = Duration::from_millis(100);
    let (partition, leader) = led_elsewhere(&mut fixture);
    let mut producer = fixture.producer(Speaks::Version2);
    fixture.join_and_write(producer, partition, 0);
    fixture.core.topics.set_timings(Timings {
        metadata: news,
        ..Timings::default()
    });
    let now = fixture.now.monotonic;
    fixture.core.broker_killed(leader, 0, now);
    let ends = |fixture: &Fixture| {
        let found = fixture.core.topics.partition("t", partition);
        let found = found.expect("made");
        [1, 2, 3].map(|id| {
            found
                .replica(NodeId(id))
                .expect("a replica")
                .log
                .end_offset()
        })
    };
    let before = ends(&fixture);
    fixture.end_well(&mut producer, true);
    assert_eq!(ends(&fixture), before, "nobody leads yet who knows it");
    fixture.pass(news);
    fixture.pass(news);
    assert_eq!(fixture.committed(partition), 1);
    assert_eq!(fixture.init(None).error_code, NONE);
}

/// A marker that is lost with its leader is written again by the next one.
#[test]
fn a_transaction_is_complete_only_when_every_replica_in_sync_has_the_marker() {
    let mut fixture = Fixture::new();
    let (partition, leader) = led_elsewhere(&mut fixture);
    let mut producer = fixture.producer(Speaks::Version2);
    fixture.join_and_write(producer, partition, 0);
    fixture.pass(Duration::from_secs(1));
    (fixture.core.topics).set_replication_delay(None, Duration::from_secs(3600));
    fixture.end_well(&mut producer, true);
    let concurrent = Errors::ConcurrentTransactions.code();
    assert_eq!(
        fixture.init(None).error_code,
        concurrent,
        "the marker is in one replica"
    );
    let now = fixture.now.monotonic;
    fixture.core.broker_killed(leader, 0, now);
    (fixture.core.topics).set_replication_delay(None, Duration::ZERO);
    fixture.pass(Duration::from_secs(60));
    assert_eq!(fixture.init(None).error_code, NONE);
    assert_eq!(fixture.committed(partition), 1);
}

#[test]
fn a_transactional_id_that_nobody_uses_is_forgotten_and_an_open_transaction_is_not() {
    let mut fixture = Fixture::new();
    let producer = fixture.producer(Speaks::Version1);
    fixture.pass(
        fixture
            .core
            .coordinators
            .settings
            .transactional_id_expiration,
    );
    let mapping = Errors::InvalidProducerIdMapping.code();
    assert_eq!(fixture.add_partition(producer, 0), mapping);
    let again = fixture.init(Some(producer.me));
    assert_eq!((again.error_code, again.producer_epoch), (NONE, 0));
    assert_ne!(again.producer_id, producer.me.producer_id);
}

#[test]
fn a_request_for_a_transaction_must_be_whole() {
    let mut fixture = Fixture::new();
    let coordinator = fixture.coordinator(KeyType::Transaction, ID);
    let mut ask = |id: &str, timeout_ms, producer_epoch| {
        let request = InitProducerIdRequest {
            transactional_id: Some(id.to_owned()),
            transaction_timeout_ms: timeout_ms,
            producer_epoch,
            ..Default::default()
        };
        match body(fixture.ask_at(coordinator, 5, request)) {
            Some(ResponseBody::InitProducerId(response)) => Errors::from_code(response.error_code),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(ask("", 1000, -1), Errors::InvalidRequest);
    assert_eq!(ask(ID, 1000, 0), Errors::InvalidRequest);
    assert_eq!(ask(ID, 0, -1), Errors::InvalidTransactionTimeout);
    assert_eq!(ask(ID, 900_001, -1), Errors::InvalidTransactionTimeout);
    assert_eq!(ask(ID, 900_000, -1), Errors::None);
}

/// KIP-939, as far as Kafka 4.3 has it: the version is offered on demand, and keeping a prepared transaction is refused.
#[test]
fn two_phase_commit_is_offered_where_the_cluster_is_told_to() {
    let mut fixture = Fixture::new();
    let coordinator = fixture.coordinator(KeyType::Transaction, ID);
    let ask = |fixture: &mut Fixture, enable_2_pc, keep_prepared_txn| {
        let request = InitProducerIdRequest {
            transactional_id: Some(ID.to_owned()),
            transaction_timeout_ms: 1000,
            enable_2_pc,
            keep_prepared_txn,
            ..Default::default()
        };
        match body(fixture.ask_at(coordinator, 6, request)) {
            Some(ResponseBody::InitProducerId(response)) => {
                Some(Errors::from_code(response.error_code))
            }
            _ => None,
        }
    };
    assert_eq!(
        ask(&mut fixture, false, false),
        None,
        "the connection is closed"
    );
    fixture.core.coordinators.settings.two_phase_commit = true;
    assert_eq!(ask(&mut fixture, false, false), Some(Errors::None));
    let kept = ask(&mut fixture, true, true);
    assert_eq!(kept, Some(Errors::UnsupportedVersion));
    assert_eq!(ask(&mut fixture, true, false), Some(Errors::None));
    let metadata = fixture.core.coordinators.transactions.get_mut(ID);
    let timeout = metadata.expect("known").timeout;
    assert!(
        timeout > Duration::from_secs(24 * 3600),
        "it never runs out of time"
    );
}

#[test]
fn a_partition_forgets_a_producer_by_the_time_of_its_last_batch() {
    let mut fixture = Fixture::new();
    let mut producer = fixture.producer(Speaks::Version1);
    fixture.join_and_write(producer, 0, 0);
    fixture.end_well(&mut producer, true);
    assert_eq!(fixture.add_partition(producer, 0), NONE);
    let unordered = Errors::OutOfOrderSequenceNumber.code();
    assert_eq!(fixture.write(producer, 0, 7).error_code, unordered);
    let day = fixture.core.coordinators.settings.producer_id_expiration;
    fixture.now.wall_clock_ms += i64::try_from(day.as_millis()).expect("small");
    fixture.end_well(&mut producer, true);
    assert_eq!(fixture.add_partition(producer, 1), NONE);
    fixture.now.wall_clock_ms += i64::try_from(day.as_millis()).expect("small");
    fixture.pass(Duration::from_secs(10 * 60));
    let producer = fixture.producer(Speaks::Version1);
    fixture.join_and_write(producer, 0, 7);
}
