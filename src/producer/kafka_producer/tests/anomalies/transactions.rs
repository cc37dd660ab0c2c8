//! Odd answers to the requests of transactions: a commit that is reported as done was acknowledged as done.

#[cfg(not(shuttle))]
use std::{cell::RefCell, rc::Rc};

use super::*;
use crate::common::cluster::TopicPartition;
#[cfg(not(shuttle))]
use crate::common::sync::pretend;
use crate::producer::consumer_group_metadata::ConsumerGroupMetadata;
use crate::producer::internals::transaction_manager::GroupOffsets;
use crate::producer::internals::transactional_request_result::TransactionalRequestResult;
use crate::producer::offset_and_metadata::OffsetAndMetadata;
use crate::protocol::messages::add_offsets_to_txn::AddOffsetsToTxnResponse;
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResponse, AddPartitionsToTxnTopicResult,
};
use crate::protocol::messages::end_txn::EndTxnResponse;
use crate::protocol::messages::find_coordinator::{Coordinator, FindCoordinatorResponse};
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use crate::testing::mock_selector::ConnectOutcome;

type Pending = Arc<TransactionalRequestResult>;
/// An oddity without data of its own.
type PlainOddity = fn(&RequestHeader, ResponseBody) -> Vec<Vec<u8>>;
type Inner = crate::producer::kafka_producer::Inner<[u8], [u8]>;

/// What an honest coordinator, which is the one broker, says.
pub(super) fn answer(request: RequestBody) -> ResponseBody {
    match request {
        RequestBody::FindCoordinator(request) => {
            let coordinator = |key| Coordinator {
                key,
                node_id: 0,
                host: "10.0.0.0".to_owned(),
                port: 9092,
                ..Default::default()
            };
            let keys = request.coordinator_keys.into_iter();
            FindCoordinatorResponse {
                coordinators: keys.map(coordinator).collect(),
                ..Default::default()
            }
            .into()
        }
        RequestBody::AddPartitionsToTxn(request) => {
            let topics = request.v3_and_below_topics.into_iter();
            let result = |partition_index| AddPartitionsToTxnPartitionResult {
                partition_index,
                partition_error_code: 0,
            };
            AddPartitionsToTxnResponse {
                results_by_topic_v3_and_below: topics
                    .map(|topic| AddPartitionsToTxnTopicResult {
                        name: topic.name,
                        results_by_partition: topic.partitions.into_iter().map(result).collect(),
                    })
                    .collect(),
                ..Default::default()
            }
            .into()
        }
        RequestBody::AddOffsetsToTxn(_) => AddOffsetsToTxnResponse::default().into(),
        RequestBody::TxnOffsetCommit(request) => {
            let topics = request.topics.into_iter();
            TxnOffsetCommitResponse {
                topics: topics
                    .map(|topic| TxnOffsetCommitResponseTopic {
                        name: topic.name,
                        partitions: topic.partitions.iter().map(committed).collect(),
                    })
                    .collect(),
                ..Default::default()
            }
            .into()
        }
        other => panic!("{other:?}"),
    }
}

pub(super) fn ended(producer_epoch: i16) -> EndTxnResponse {
    EndTxnResponse {
        producer_id: 4711,
        producer_epoch,
        ..Default::default()
    }
}

fn committed(
    partition: &crate::protocol::messages::txn_offset_commit::TxnOffsetCommitRequestPartition,
) -> TxnOffsetCommitResponsePartition {
    TxnOffsetCommitResponsePartition {
        partition_index: partition.partition_index,
        error_code: 0,
    }
}

impl World {
    fn transactional(transaction_version: i16) -> Self {
        Self {
            transaction_version,
            ..Self::new(&[("transactional.id", "txn")])
        }
    }

    /// The first answer to `api` is changed like this.
    fn changed(self, api: ApiKeys, change: impl Fn(&mut ResponseBody) + 'static) -> Self {
        self.odd(api, 1, move |header, mut answer| {
            change(&mut answer);
            vec![frame(header, answer)]
        })
    }

    /// Steps until the call has its outcome, which must be within a minute.
    #[track_caller]
    fn call(
        &mut self,
        begin: impl FnOnce(&Inner) -> Result<Pending, KafkaError>,
    ) -> Result<(), KafkaError> {
        let pending = begin(&self.stepped.producer.inner)?;
        let limit = self.time.elapsed() + Duration::from_secs(60);
        loop {
            if let Some(outcome) = pending.collect() {
                return outcome;
            }
            self.step();
            let asked = self.requests.last();
            assert!(self.time.elapsed() <= limit, "late after {asked:?}");
        }
    }

    pub(in super::super) fn init(&mut self) -> Result<(), KafkaError> {
        self.call(Inner::begin_init_transactions)
    }

    pub(in super::super) fn commit(&mut self) -> Result<(), KafkaError> {
        self.call(Inner::begin_commit_transaction)
    }

    pub(in super::super) fn abort(&mut self) -> Result<(), KafkaError> {
        self.call(Inner::begin_abort_transaction)
    }

    fn send_offsets(&mut self) -> Result<(), KafkaError> {
        let at = (TopicPartition::new(TOPIC, 0), OffsetAndMetadata::new(5));
        let offsets = GroupOffsets {
            group: ConsumerGroupMetadata::new("group"),
            offsets: [at].into_iter().collect(),
        };
        self.call(|inner| {
            let sent = inner.begin_send_offsets(offsets)?;
            Ok(sent.expect("there are offsets"))
        })
    }

    /// One transaction with a record and offsets; the outcome of its commit.
    fn transaction(&mut self) -> Result<(), KafkaError> {
        self.stepped.producer.begin_transaction()?;
        let sent = self.send(0);
        self.send_offsets()?;
        self.commit()?;
        assert!(sent.try_get().is_some_and(|outcome| outcome.is_ok()));
        Ok(())
    }

    fn ends_asked(&self) -> usize {
        let ends = self.requests.iter();
        ends.filter(|(api, _)| *api == ApiKeys::EndTxn).count()
    }

    /// A whole transaction, whatever the oddity, and one more.
    fn survives(mut self, name: &str) -> Self {
        self.init()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        for _ in 0..2 {
            self.transaction()
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        assert!(self.ends_asked() >= 2, "{name}");
        assert_eq!(self.log[&0].len(), 2, "{name}");
        self
    }

    /// The versions in which `api` was asked.
    fn versions(&self, api: ApiKeys) -> Vec<i16> {
        let mut versions: Vec<i16> = self
            .requests
            .iter()
            .filter(|(asked, _)| *asked == api)
            .map(|(_, version)| *version)
            .collect();
        versions.dedup();
        versions
    }
}

/// Scenario: P14, P16.
#[test]
fn versions_follow_the_transaction_version_of_the_cluster() {
    for level in [0, 1] {
        let world = World::transactional(level).survives("version 1");
        assert_eq!(world.versions(ApiKeys::AddPartitionsToTxn), [3]);
        assert_eq!(world.versions(ApiKeys::Produce), [11]);
        assert_eq!(world.versions(ApiKeys::TxnOffsetCommit), [4]);
        assert_eq!(world.versions(ApiKeys::EndTxn), [4]);
    }
    let world = World::transactional(2).survives("version 2");
    assert!(world.versions(ApiKeys::AddPartitionsToTxn).is_empty());
    assert!(world.versions(ApiKeys::AddOffsetsToTxn).is_empty());
    assert_eq!(world.versions(ApiKeys::Produce), [13]);
    assert_eq!(world.versions(ApiKeys::TxnOffsetCommit), [5]);
    assert_eq!(world.versions(ApiKeys::EndTxn), [5]);
}

/// The I/O half works whenever the application waits.
#[cfg(not(shuttle))]
#[test]
fn work_whose_commit_fails_is_aborted_and_its_error_kept() {
    let mut world = World::transactional(2).changed(ApiKeys::Produce, |body| {
        let ResponseBody::Produce(body) = body else {
            panic!("{body:?}");
        };
        let refused = &mut body.responses[0].partition_responses[0];
        refused.error_code = Errors::InvalidRecord.code();
    });
    world.init().unwrap();
    let producer = world.stepped.producer.clone();
    let world = Rc::new(RefCell::new(world));
    let io = Rc::clone(&world);
    let pretence = pretend::waits(move |_| {
        io.borrow_mut().step();
        false
    });
    let send = |transaction: &KafkaProducer<[u8], [u8]>| transaction.send(record());
    let error = producer.in_transaction(send).unwrap_err();
    assert!(error.is_abortable(), "{error}");
    let sent = producer.in_transaction(send).unwrap();
    assert!(sent.is_done());
    drop(pretence);
    let ends = RefCell::borrow(&world).ends_asked();
    assert_eq!(ends, 2, "an abort and a commit");
}

/// Scenario: SN21.
#[test]
fn a_send_outside_of_a_transaction_is_refused_and_buffers_nothing() {
    let mut world = World::transactional(2);
    let refused = world.stepped.producer.send(record());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::IllegalState);
    world.init().unwrap();
    let refused = world.stepped.producer.send(record());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::IllegalState);
    assert_eq!(world.stepped.producer.health().incomplete_batches, 0);
    world.transaction().unwrap();
    let refused = world.stepped.producer.send(record());
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::IllegalState);
    assert_eq!(world.stepped.producer.health().incomplete_batches, 0);
}

/// Java: `RecordAccumulatorTest.testReadyAndDrainWhenABatchIsBeingRetried` has the idea. Scenario: AC20.
#[test]
fn a_commit_does_not_wait_for_batches_that_linger() {
    let mut world = World::transactional(2);
    world.stepped = {
        let settings = [
            ("bootstrap.servers", "10.0.0.0:9092"),
            ("linger.ms", "30000"),
            ("transactional.id", "txn"),
        ];
        let config = ProducerConfig::from_properties(settings).unwrap();
        let time = Arc::clone(&world.time) as Arc<dyn Time>;
        Stepped::new(&config, world.network.clone(), Arc::new(Resolver), time).unwrap()
    };
    world.init().unwrap();
    world.stepped.producer.begin_transaction().unwrap();
    let sent = world.send(0);
    let began = world.time.elapsed();
    world.commit().unwrap();
    assert!(sent.is_done());
    assert!(world.time.elapsed() - began < Duration::from_secs(30));
}

#[test]
fn coordinators_that_do_not_exist_are_not_the_end() {
    let change = |change: fn(&mut FindCoordinatorResponse)| {
        move |body: &mut ResponseBody| match body {
            ResponseBody::FindCoordinator(body) => change(body),
            other => panic!("{other:?}"),
        }
    };
    // The group's coordinator is asked for with the first transaction.
    let elsewhere = change(|body| {
        body.coordinators[0].node_id = 77;
        body.coordinators[0].host = "10.0.0.77".to_owned();
    });
    World::transactional(2)
        .changed(ApiKeys::FindCoordinator, elsewhere)
        .survives_without("a node that is nowhere");
    for odd in [
        change(|body| body.coordinators.clear()),
        change(|body| body.coordinators[0].key = "another".to_owned()),
        change(|body| body.coordinators[0].port = -1),
        change(|body| body.coordinators[0].port = 70_000),
    ] {
        let mut world = World::transactional(2).changed(ApiKeys::FindCoordinator, odd);
        let error = world.init().unwrap_err();
        assert!(error.is_fatal(), "{error}");
        assert_eq!(error.kind(), ErrorKind::UnknownServer);
    }
}

impl World {
    /// Every call ends within its time, whatever comes of it.
    fn survives_without(mut self, name: &str) {
        self.network.on_connect(
            "10.0.0.77:9092".parse().unwrap(),
            ConnectOutcome::refused("10.0.0.77:9092".parse().unwrap()),
        );
        self.init()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn an_answer_that_leaves_a_partition_out_has_not_added_it() {
    let world = World::transactional(1).changed(ApiKeys::AddPartitionsToTxn, |body| {
        let ResponseBody::AddPartitionsToTxn(body) = body else {
            panic!("{body:?}");
        };
        body.results_by_topic_v3_and_below.clear();
    });
    let world = world.survives("nothing added");
    let asked = world.requests.iter();
    let asked = asked.filter(|(api, _)| *api == ApiKeys::AddPartitionsToTxn);
    assert_eq!(asked.count(), 3, "the first is asked again");
    let world = World::transactional(1).changed(ApiKeys::AddPartitionsToTxn, |body| {
        let ResponseBody::AddPartitionsToTxn(body) = body else {
            panic!("{body:?}");
        };
        body.results_by_topic_v3_and_below[0].results_by_partition[0].partition_index = 1;
    });
    world.survives("another one added");
    let world = World::transactional(1).changed(ApiKeys::TxnOffsetCommit, |body| {
        let ResponseBody::TxnOffsetCommit(body) = body else {
            panic!("{body:?}");
        };
        body.topics.clear();
    });
    world.survives("nothing committed");
}

/// Catalogue D9: nothing but the code 0 is a commit.
#[test]
fn no_code_of_an_end_is_taken_for_a_commit() {
    for code in [-1, -2, 134, 4711, i16::MIN] {
        let mut world = World::transactional(2).changed(ApiKeys::EndTxn, move |body| {
            let ResponseBody::EndTxn(body) = body else {
                panic!("{body:?}");
            };
            body.error_code = code;
        });
        world.init().unwrap();
        let error = world.transaction().unwrap_err();
        assert!(error.is_fatal() && !error.is_abortable(), "{code}: {error}");
    }
}

/// The next epoch is the broker's to give; what makes no sense is not used.
#[test]
fn odd_epochs_of_an_end_do_not_stop_the_producer() {
    for (producer_id, producer_epoch) in [(-1, -1), (-5, 3), (4711, -2), (i64::MIN, i16::MIN)] {
        let world = World::transactional(2).changed(ApiKeys::EndTxn, move |body| {
            let ResponseBody::EndTxn(body) = body else {
                panic!("{body:?}");
            };
            (body.producer_id, body.producer_epoch) = (producer_id, producer_epoch);
        });
        let world = world.survives(&format!("{producer_id}/{producer_epoch}"));
        assert!(
            world.log[&0]
                .iter()
                .all(|batch| batch.0 >= 0 && batch.1 >= 0)
        );
    }
}

/// Frames that are not the answer, to each request of a transaction.
#[test]
fn odd_frames_cost_a_connection_and_no_transaction() {
    let apis = [
        ApiKeys::FindCoordinator,
        ApiKeys::InitProducerId,
        ApiKeys::AddPartitionsToTxn,
        ApiKeys::AddOffsetsToTxn,
        ApiKeys::TxnOffsetCommit,
        ApiKeys::EndTxn,
    ];
    for api in apis {
        let oddities: [PlainOddity; 3] = [
            |header, answer| {
                let whole = frame(header, answer);
                vec![whole[..whole.len() - 1].to_vec()]
            },
            |header, answer| {
                let id = header.correlation_id + 1;
                vec![frame_to(id, header.api_version, answer)]
            },
            |header, answer| vec![frame(header, answer.clone()), frame(header, answer)],
        ];
        for (n, oddity) in oddities.into_iter().enumerate() {
            let world = World::transactional(1).odd(api, 1, oddity);
            world.survives(&format!("{api:?}, oddity {n}"));
        }
    }
}

#[test]
fn an_abort_that_is_answered_oddly_is_repeated() {
    let mut world = World::transactional(2).odd(ApiKeys::EndTxn, 1, |header, answer| {
        vec![frame_to(
            header.correlation_id - 1,
            header.api_version,
            answer,
        )]
    });
    world.init().unwrap();
    world.stepped.producer.begin_transaction().unwrap();
    let sent = world.send(0);
    assert_eq!(world.end_of(&sent), End::Acked);
    world.abort().unwrap();
    assert_eq!(world.ends_asked(), 2);
    world.transaction().unwrap();
}

/// The broker refuses what it was not told of. Scenario: SN18.
#[test]
fn the_transaction_has_the_partitions_that_records_were_appended_to() {
    let mut world = World::new(&[("transactional.id", "txn"), ("batch.size", "100")]);
    world.init().unwrap();
    for _ in 0..3 {
        world.added.clear();
        world.log.clear();
        world.stepped.producer.begin_transaction().unwrap();
        // Without a key: the built-in partitioner chooses, and chooses anew when a batch is full.
        for _ in 0..20 {
            let value = ProducerRecord::value_only(TOPIC, [0_u8; 60]);
            while world.stepped.producer.try_send(value.clone()).is_err() {
                world.quiet = 0;
                (0..=QUIET).for_each(|_| world.step());
            }
        }
        world.commit().unwrap();
        let mut written: Vec<i32> = world.log.keys().copied().collect();
        written.sort_unstable();
        world.added.sort_unstable();
        assert_eq!(world.added, written);
    }
}

/// Java: `TransactionManagerTest.testSendOffsetWithGroupMetadataFailAsAutoDowngradeTxnCommitNotEnabled`. Scenario: TX20.
#[test]
fn an_old_broker_takes_offsets_of_a_group_but_not_of_its_member() {
    let old = || {
        World::transactional(0).odd(ApiKeys::ApiVersions, usize::MAX, |header, answer| {
            let ResponseBody::ApiVersions(mut body) = answer else {
                panic!("{answer:?}");
            };
            let mut ranges = body.api_keys.iter_mut();
            let commit = ranges.find(|range| range.api_key == ApiKeys::TxnOffsetCommit.id());
            commit.expect("listed").max_version = 2;
            vec![frame(header, body)]
        })
    };
    let world = old().survives("a group");
    assert_eq!(world.versions(ApiKeys::TxnOffsetCommit), [2]);
    let mut world = old();
    world.init().unwrap();
    world.stepped.producer.begin_transaction().unwrap();
    let at = (TopicPartition::new(TOPIC, 0), OffsetAndMetadata::new(5));
    let offsets = GroupOffsets {
        group: ConsumerGroupMetadata::new("group").with_member(1, "member"),
        offsets: [at].into_iter().collect(),
    };
    let sent = world.call(|inner| Ok(inner.begin_send_offsets(offsets)?.expect("some")));
    let error = sent.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);
    assert!(error.is_fatal());
}
