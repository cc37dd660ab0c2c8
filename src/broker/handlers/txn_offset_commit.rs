//! TxnOffsetCommit (28), versions 0 to 5: offsets that a group gets when the transaction commits.
//!
//! Java: `core/server/KafkaApis.scala`, `handleTxnOffsetCommitRequest`.
//! Differs: nothing.
//! Threads: plain function. Locks: none.

use crate::protocol::errors::Errors;
use crate::protocol::messages::txn_offset_commit::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};

pub(crate) fn failed(request: &TxnOffsetCommitRequest, error: Errors) -> TxnOffsetCommitResponse {
    answer(request, |_, _| error)
}

fn answer(
    request: &TxnOffsetCommitRequest,
    of: impl Fn(&str, i32) -> Errors,
) -> TxnOffsetCommitResponse {
    let partition = |topic: &str, index: i32| TxnOffsetCommitResponsePartition {
        partition_index: index,
        error_code: of(topic, index).code(),
    };
    let topics = request
        .topics
        .iter()
        .map(|topic| TxnOffsetCommitResponseTopic {
            name: topic.name.clone(),
            partitions: (topic.partitions.iter())
                .map(|wanted| partition(&topic.name, wanted.partition_index))
                .collect(),
        });
    TxnOffsetCommitResponse {
        topics: topics.collect(),
        ..TxnOffsetCommitResponse::default()
    }
}
