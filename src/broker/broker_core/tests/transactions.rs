//! Transactions in virtual time: a producer that speaks for itself, request by request.

mod coordinator;
mod random;
mod requests;

use super::*;
use crate::broker::coordinator::coordinators::KeyType;
use crate::protocol::messages::add_offsets_to_txn::AddOffsetsToTxnRequest;
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use crate::protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::protocol::messages::fetch::PartitionData;
use crate::protocol::messages::init_producer_id::InitProducerIdResponse;
use crate::protocol::messages::offset_fetch::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};

const ID: &str = "tx";
const NONE: i16 = 0;

/// Which requests a producer uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Speaks {
    Version1,
    Version2,
}

/// A transactional producer without any client code.
#[derive(Debug, Clone, Copy)]
struct Producer {
    speaks: Speaks,
    me: ProducerIdAndEpoch,
}

impl Fixture {
    fn coordinator(&mut self, kind: KeyType, key: &str) -> i32 {
        // Owners are found with the first request.
        self.pass(Duration::ZERO);
        let owner = self.core.coordinators.owners(kind).owner(key);
        owner.expect("there are brokers").0
    }

    fn ask_coordinator(&mut self, version: i16, body: impl Into<RequestBody>) -> ResponseBody {
        let broker = self.coordinator(KeyType::Transaction, ID);
        super::body(self.ask_at(broker, version, body)).expect("an answer")
    }

    fn init(&mut self, expected: Option<ProducerIdAndEpoch>) -> InitProducerIdResponse {
        let expected = expected.unwrap_or(ProducerIdAndEpoch::NONE);
        let request = InitProducerIdRequest {
            transactional_id: Some(ID.to_owned()),
            transaction_timeout_ms: 60_000,
            producer_id: expected.producer_id,
            producer_epoch: expected.epoch,
            ..Default::default()
        };
        match self.ask_coordinator(5, request) {
            ResponseBody::InitProducerId(response) => response,
            other => panic!("{other:?}"),
        }
    }

    fn producer(&mut self, speaks: Speaks) -> Producer {
        let given = self.init(None);
        assert_eq!(given.error_code, NONE);
        let me = ProducerIdAndEpoch {
            producer_id: given.producer_id,
            epoch: given.producer_epoch,
        };
        Producer { speaks, me }
    }

    /// The error of adding one partition of `t`.
    fn add_partition(&mut self, producer: Producer, partition: i32) -> i16 {
        let request = AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: ID.to_owned(),
            v3_and_below_producer_id: producer.me.producer_id,
            v3_and_below_producer_epoch: producer.me.epoch,
            v3_and_below_topics: vec![AddPartitionsToTxnTopic {
                name: "t".to_owned(),
                partitions: vec![partition],
            }],
            ..Default::default()
        };
        match self.ask_coordinator(3, request) {
            ResponseBody::AddPartitionsToTxn(response) => {
                let results = &response.results_by_topic_v3_and_below;
                results[0].results_by_partition[0].partition_error_code
            }
            other => panic!("{other:?}"),
        }
    }

    /// Writes one record in the transaction to the partition of `t` that the broker of the next number leads.
    fn write(
        &mut self,
        producer: Producer,
        partition: i32,
        sequence: i32,
    ) -> PartitionProduceResponse {
        let version = match producer.speaks {
            Speaks::Version1 => 11,
            Speaks::Version2 => 12,
        };
        self.write_at(version, producer, partition, sequence)
    }

    fn write_at(
        &mut self,
        version: i16,
        producer: Producer,
        partition: i32,
        sequence: i32,
    ) -> PartitionProduceResponse {
        let request = ProduceRequest {
            transactional_id: Some(ID.to_owned()),
            ..produce("t", partition, transactional(producer.me, sequence))
        };
        match super::body(self.ask_at(partition + 1, version, request)) {
            Some(ResponseBody::Produce(mut response)) => {
                response.responses.remove(0).partition_responses.remove(0)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Joins and writes, as the version of the producer wants it.
    fn join_and_write(&mut self, producer: Producer, partition: i32, sequence: i32) {
        if producer.speaks == Speaks::Version1 {
            assert_eq!(self.add_partition(producer, partition), NONE);
        }
        let written = self.write(producer, partition, sequence);
        assert_eq!(written.error_code, NONE, "{producer:?}");
    }

    fn end(&mut self, producer: Producer, committed: bool) -> EndTxnResponse {
        let request = EndTxnRequest {
            transactional_id: ID.to_owned(),
            producer_id: producer.me.producer_id,
            producer_epoch: producer.me.epoch,
            committed,
        };
        let version = match producer.speaks {
            Speaks::Version1 => 4,
            Speaks::Version2 => 5,
        };
        match self.ask_coordinator(version, request) {
            ResponseBody::EndTxn(response) => response,
            other => panic!("{other:?}"),
        }
    }

    /// Ends the transaction, and takes over the identity that the answer brings.
    fn end_well(&mut self, producer: &mut Producer, committed: bool) {
        let response = self.end(*producer, committed);
        assert_eq!(response.error_code, NONE, "{producer:?}");
        if producer.speaks == Speaks::Version2 {
            producer.me = ProducerIdAndEpoch {
                producer_id: response.producer_id,
                epoch: response.producer_epoch,
            };
        }
    }

    fn fetch_committed(&mut self, partition: i32) -> PartitionData {
        let request = FetchRequest {
            isolation_level: 1,
            ..fetch(partition, 0, 0)
        };
        let mut response = fetched(self.ask_at(partition + 1, 12, request));
        response.responses.remove(0).partitions.remove(0)
    }

    /// How many committed records lie in a partition of `t`.
    fn committed(&self, partition: i32) -> usize {
        let found = self.core.topics.partition("t", partition).expect("made");
        let found = found.leader_replica().expect("led");
        let transactions = found.producers.transactions();
        let stable = found.last_stable_offset();
        let records = found.log.records_where(stable, |header| {
            !transactions.is_aborted(header.producer.producer_id, header.base_offset)
        });
        records.count()
    }
}

/// One record of a transaction.
fn transactional(producer: ProducerIdAndEpoch, base_sequence: i32) -> Vec<u8> {
    numbered(producer, base_sequence, true)
}

/// One request of each API of transactions.
pub(super) fn one_of_each() -> Vec<RequestBody> {
    let nobody = Producer {
        speaks: Speaks::Version1,
        me: ProducerIdAndEpoch::NONE,
    };
    let groups = vec![OffsetFetchRequestGroup {
        group_id: "g".to_owned(),
        topics: None,
        ..Default::default()
    }];
    vec![
        AddPartitionsToTxnRequest::default().into(),
        AddOffsetsToTxnRequest::default().into(),
        EndTxnRequest::default().into(),
        offsets(nobody, 7).into(),
        OffsetFetchRequest {
            group_id: "g".to_owned(),
            groups,
            ..Default::default()
        }
        .into(),
    ]
}

const BOTH: [Speaks; 2] = [Speaks::Version1, Speaks::Version2];

#[test]
fn a_committed_transaction_is_read_and_an_aborted_one_is_not() {
    for speaks in BOTH {
        let mut fixture = Fixture::new();
        let mut producer = fixture.producer(speaks);
        fixture.join_and_write(producer, 0, 0);
        fixture.join_and_write(producer, 1, 0);
        assert_eq!(fixture.committed(0), 0, "still open");
        fixture.end_well(&mut producer, true);
        assert_eq!((fixture.committed(0), fixture.committed(1)), (1, 1));

        let first = i32::from(speaks == Speaks::Version1);
        fixture.join_and_write(producer, 0, first);
        fixture.end_well(&mut producer, false);
        assert_eq!(fixture.committed(0), 1, "{speaks:?}");
        let end = fixture
            .core
            .topics
            .partition("t", 0)
            .expect("made")
            .leader_replica()
            .expect("led")
            .log
            .end_offset();
        assert_eq!(end, 4, "two records and two markers");
    }
}

#[test]
fn a_reader_of_committed_data_stops_at_the_open_transaction_and_is_told_of_the_aborted() {
    let mut fixture = Fixture::new();
    let mut producer = fixture.producer(Speaks::Version2);
    fixture.join_and_write(producer, 0, 0);
    fixture.end_well(&mut producer, false);
    fixture.join_and_write(producer, 0, 0);
    let read = fixture.fetch_committed(0);
    assert_eq!((read.high_watermark, read.last_stable_offset), (3, 2));
    let aborted = read.aborted_transactions.expect("read committed");
    assert_eq!(aborted.len(), 1);
    assert_eq!(
        (aborted[0].producer_id, aborted[0].first_offset),
        (producer.me.producer_id, 0)
    );
    let latest = |isolation_level| ListOffsetsRequest {
        replica_id: -1,
        isolation_level,
        topics: vec![ListOffsetsTopic {
            name: "t".to_owned(),
            partitions: vec![ListOffsetsPartition {
                partition_index: 0,
                timestamp: -1,
                ..Default::default()
            }],
        }],
        ..Default::default()
    };
    for (isolation_level, expected) in [(0, 3), (1, 2)] {
        match body(fixture.ask(5, latest(isolation_level))) {
            Some(ResponseBody::ListOffsets(response)) => {
                assert_eq!(response.topics[0].partitions[0].offset, expected);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_fetch_that_waits_for_committed_data_is_answered_by_the_marker() {
    let mut fixture = Fixture::new();
    let mut producer = fixture.producer(Speaks::Version2);
    fixture.join_and_write(producer, 0, 0);
    let request = FetchRequest {
        isolation_level: 1,
        ..fetch(0, 0, 5000)
    };
    assert!(fixture.ask_at(1, 12, request).is_empty(), "it waits");
    let broker = fixture.coordinator(KeyType::Transaction, ID);
    let end = EndTxnRequest {
        transactional_id: ID.to_owned(),
        producer_id: producer.me.producer_id,
        producer_epoch: producer.me.epoch,
        committed: true,
    };
    let replies = fixture.ask_at(broker, 5, end);
    assert_eq!(
        replies.len(),
        2,
        "the end of the transaction, and the fetch"
    );
    producer.me.epoch += 1;
    fixture.join_and_write(producer, 0, 0);
}

#[test]
fn offsets_of_a_transaction_hold_when_it_commits() {
    for (speaks, committed) in [
        (Speaks::Version1, true),
        (Speaks::Version1, false),
        (Speaks::Version2, true),
        (Speaks::Version2, false),
    ] {
        let mut fixture = Fixture::new();
        let mut producer = fixture.producer(speaks);
        let group_coordinator = fixture.coordinator(KeyType::Group, "g");
        let commit = offsets(producer, 7);
        if speaks == Speaks::Version1 {
            let refused = fixture.ask_at(group_coordinator, 3, commit.clone());
            assert_eq!(offset_error(refused), Errors::InvalidTxnState.code());
            let join = AddOffsetsToTxnRequest {
                transactional_id: ID.to_owned(),
                producer_id: producer.me.producer_id,
                producer_epoch: producer.me.epoch,
                group_id: "g".to_owned(),
            };
            match fixture.ask_coordinator(3, join) {
                ResponseBody::AddOffsetsToTxn(response) => assert_eq!(response.error_code, NONE),
                other => panic!("{other:?}"),
            }
        }
        let version = if speaks == Speaks::Version1 { 3 } else { 5 };
        let done = fixture.ask_at(group_coordinator, version, commit);
        assert_eq!(offset_error(done), NONE);
        let unstable = Errors::UnstableOffsetCommit.code();
        assert_eq!(fixture.group_offset(true), (-1, unstable));
        assert_eq!(fixture.group_offset(false), (-1, NONE));
        fixture.end_well(&mut producer, committed);
        let expected = if committed { 7 } else { -1 };
        assert_eq!(fixture.group_offset(true), (expected, NONE), "{speaks:?}");
    }
}

fn offsets(producer: Producer, committed_offset: i64) -> TxnOffsetCommitRequest {
    TxnOffsetCommitRequest {
        transactional_id: ID.to_owned(),
        group_id: "g".to_owned(),
        producer_id: producer.me.producer_id,
        producer_epoch: producer.me.epoch,
        topics: vec![TxnOffsetCommitRequestTopic {
            name: "t".to_owned(),
            partitions: vec![TxnOffsetCommitRequestPartition {
                partition_index: 2,
                committed_offset,
                ..Default::default()
            }],
        }],
        ..Default::default()
    }
}

fn offset_error(replies: Vec<Reply>) -> i16 {
    match body(replies) {
        Some(ResponseBody::TxnOffsetCommit(response)) => {
            response.topics[0].partitions[0].error_code
        }
        other => panic!("{other:?}"),
    }
}

impl Fixture {
    /// The offset of group `g` in partition 2 of `t`, and the error beside it.
    fn group_offset(&mut self, require_stable: bool) -> (i64, i16) {
        let request = OffsetFetchRequest {
            groups: vec![OffsetFetchRequestGroup {
                group_id: "g".to_owned(),
                topics: Some(vec![OffsetFetchRequestTopics {
                    name: "t".to_owned(),
                    partition_indexes: vec![2],
                    ..Default::default()
                }]),
                ..Default::default()
            }],
            require_stable,
            ..Default::default()
        };
        let broker = self.coordinator(KeyType::Group, "g");
        match body(self.ask_at(broker, 8, request)) {
            Some(ResponseBody::OffsetFetch(response)) => {
                let found = &response.groups[0].topics[0].partitions[0];
                (found.committed_offset, found.error_code)
            }
            other => panic!("{other:?}"),
        }
    }
}
