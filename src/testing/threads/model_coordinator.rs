//! The coordinator of one transactional producer, which notes what became of each record.
//!
//! Java: none; nearest is `test/MockClient.java`.
//! Differs: no test steps in, save that a newer producer may take over at any moment.
//! Threads: the I/O thread; the notes are read by any. Locks: none.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::cluster::ProducerIdAndEpoch;
use crate::protocol::errors::Errors;
use crate::protocol::messages::add_offsets_to_txn::AddOffsetsToTxnResponse;
use crate::protocol::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AddPartitionsToTxnTopicResult,
};
use crate::protocol::messages::end_txn::{EndTxnRequest, EndTxnResponse};
use crate::protocol::messages::find_coordinator::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use crate::protocol::messages::init_producer_id::InitProducerIdResponse;
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};
use crate::protocol::requests::{RequestBody, ResponseBody};
use crate::testing::threads::Notes;
use crate::testing::threads::model_client::Written;

/// What became of transactions.
#[derive(Debug, Default)]
pub(crate) struct Fates {
    /// What readers of committed records see.
    pub(crate) committed: Notes<Written>,
    /// How each transaction ended: whether it was committed.
    pub(crate) ends: Notes<bool>,
    /// A newer producer has taken over. Plain memory and no step of the schedule; `SeqCst` so that nobody has to think.
    fenced: AtomicBool,
}

impl Fates {
    /// From now on a newer producer has the `transactional.id`.
    pub(crate) fn fence(&self) {
        self.fenced.store(true, Ordering::SeqCst);
    }
}

/// Transactions as brokers see them; without a `transactional.id` nothing but a giver of ids.
#[derive(Debug, Default)]
pub(crate) struct ModelCoordinator {
    fates: Arc<Fates>,
    /// The epoch of the producer; counts up with each identity.
    next_epoch: i16,
    partitions: BTreeSet<i32>,
    has_group: bool,
    /// What is written and not decided.
    open: Vec<Written>,
}

/// What stands for committed offsets among the records.
pub(crate) const OFFSETS: (i32, &[u8]) = (-1, b"offsets");

impl ModelCoordinator {
    pub(crate) fn fates(&self) -> Arc<Fates> {
        Arc::clone(&self.fates)
    }

    /// Takes a batch into the transaction, or says why not.
    pub(crate) fn take_batch(
        &mut self,
        version: i16,
        producer: ProducerIdAndEpoch,
        records: &[Written],
    ) -> Errors {
        if self.is_fenced() || producer.epoch != self.next_epoch - 1 {
            return Errors::InvalidProducerEpoch;
        }
        for (partition, _) in records {
            let is_new = self.partitions.insert(*partition);
            let joins = version >= FIRST_PRODUCE_OF_V2;
            assert!(joins || !is_new, "a batch before its partition");
        }
        self.open.extend_from_slice(records);
        Errors::None
    }

    /// Answers what is asked of coordinators.
    pub(crate) fn answer(&mut self, version: i16, request: RequestBody) -> ResponseBody {
        match request {
            RequestBody::FindCoordinator(asked) => coordinator(version, &asked).into(),
            RequestBody::InitProducerId(_) => self.next_identity().into(),
            RequestBody::AddPartitionsToTxn(asked) => self.add_partitions(&asked).into(),
            RequestBody::AddOffsetsToTxn(asked) => {
                let error = self.check(asked.producer_epoch);
                self.has_group |= error == Errors::None;
                AddOffsetsToTxnResponse {
                    error_code: error.code(),
                    ..Default::default()
                }
                .into()
            }
            RequestBody::TxnOffsetCommit(asked) => self.take_offsets(version, &asked).into(),
            RequestBody::EndTxn(asked) => self.end(version, &asked).into(),
            other => unreachable!("no scenario sends {other:?}"),
        }
    }

    fn is_fenced(&mut self) -> bool {
        let fenced = self.fates.fenced.load(Ordering::SeqCst);
        if fenced {
            // The newer one has aborted what was open.
            self.open.clear();
        }
        fenced
    }

    fn check(&mut self, epoch: i16) -> Errors {
        if self.is_fenced() {
            return Errors::ProducerFenced;
        }
        assert_eq!(epoch, self.next_epoch - 1, "of an older epoch");
        Errors::None
    }

    fn next_identity(&mut self) -> InitProducerIdResponse {
        if self.is_fenced() {
            return InitProducerIdResponse {
                error_code: Errors::ProducerFenced.code(),
                producer_id: -1,
                producer_epoch: -1,
                ..Default::default()
            };
        }
        self.next_epoch += 1;
        InitProducerIdResponse {
            producer_id: PRODUCER_ID,
            producer_epoch: self.next_epoch - 1,
            ..Default::default()
        }
    }

    fn add_partitions(&mut self, asked: &AddPartitionsToTxnRequest) -> AddPartitionsToTxnResponse {
        let error = self.check(asked.v3_and_below_producer_epoch);
        let mut topics = Vec::new();
        for topic in &asked.v3_and_below_topics {
            if error == Errors::None {
                self.partitions.extend(&topic.partitions);
            }
            let answer = |partition_index| AddPartitionsToTxnPartitionResult {
                partition_index,
                partition_error_code: error.code(),
            };
            topics.push(AddPartitionsToTxnTopicResult {
                name: topic.name.clone(),
                results_by_partition: topic.partitions.iter().copied().map(answer).collect(),
            });
        }
        AddPartitionsToTxnResponse {
            results_by_topic_v3_and_below: topics,
            ..Default::default()
        }
    }

    fn take_offsets(
        &mut self,
        version: i16,
        asked: &TxnOffsetCommitRequest,
    ) -> TxnOffsetCommitResponse {
        let error = self.check(asked.producer_epoch);
        if error == Errors::None {
            let joins = version >= FIRST_TXN_OFFSET_COMMIT_OF_V2;
            assert!(joins || self.has_group, "offsets before their group");
            self.has_group = true;
            self.open.push((OFFSETS.0, OFFSETS.1.to_vec()));
        }
        let topics = asked.topics.iter().map(|topic| {
            let answer = |partition_index| TxnOffsetCommitResponsePartition {
                partition_index,
                error_code: error.code(),
            };
            let partitions = topic.partitions.iter().map(|p| answer(p.partition_index));
            TxnOffsetCommitResponseTopic {
                name: topic.name.clone(),
                partitions: partitions.collect(),
            }
        });
        TxnOffsetCommitResponse {
            topics: topics.collect(),
            ..Default::default()
        }
    }

    fn end(&mut self, version: i16, asked: &EndTxnRequest) -> EndTxnResponse {
        let error = self.check(asked.producer_epoch);
        if error != Errors::None {
            return EndTxnResponse {
                error_code: error.code(),
                ..Default::default()
            };
        }
        let was_begun = self.has_group || !self.partitions.is_empty();
        // With version 2 the producer cannot know whether anything was written.
        let may_be_empty = version >= FIRST_END_TXN_OF_V2 && !asked.committed;
        assert!(was_begun || may_be_empty, "an end of nothing");
        self.has_group = false;
        self.partitions.clear();
        self.fates.ends.add(asked.committed);
        for written in std::mem::take(&mut self.open) {
            if asked.committed {
                self.fates.committed.add(written);
            }
        }
        let mut response = EndTxnResponse::default();
        if version >= FIRST_END_TXN_OF_V2 {
            self.next_epoch += 1;
            response.producer_id = PRODUCER_ID;
            response.producer_epoch = self.next_epoch - 1;
        }
        response
    }
}

fn coordinator(version: i16, asked: &FindCoordinatorRequest) -> FindCoordinatorResponse {
    assert!(version >= 4, "the model knows the newer form only");
    let coordinators = asked.coordinator_keys.iter().map(|key| Coordinator {
        key: key.clone(),
        node_id: 0,
        host: "localhost".to_owned(),
        port: 9092,
        ..Default::default()
    });
    FindCoordinatorResponse {
        coordinators: coordinators.collect(),
        ..Default::default()
    }
}

const PRODUCER_ID: i64 = 4711;
/// The first versions that make partitions and groups part of the transaction by themselves (KIP-890).
const FIRST_PRODUCE_OF_V2: i16 = 12;
const FIRST_TXN_OFFSET_COMMIT_OF_V2: i16 = 5;
const FIRST_END_TXN_OF_V2: i16 = 5;
