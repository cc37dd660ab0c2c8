//! AddPartitionsToTxn (24): a transaction is going to write to these partitions.
//!
//! Java: `common/message/AddPartitionsToTxnRequest.json`, `common/message/AddPartitionsToTxnResponse.json`.
//! Differs: nothing; producers speak versions up to 3 with one transaction, from 4 on brokers ask each other with several.
//! Threads: plain data. Locks: none.

use crate::protocol::message::prelude::*;

message! {
    /// Adds partitions, or only asks whether they were added. With transaction version 2 producers no longer send it (KIP-890).
    struct AddPartitionsToTxnRequest versions 0..=5 flexible 3.. {
        transactions: Vec<AddPartitionsToTxnTransaction>, since(4);
        v3_and_below_transactional_id: String, between(0, 3);
        v3_and_below_producer_id: i64, between(0, 3);
        v3_and_below_producer_epoch: i16, between(0, 3);
        v3_and_below_topics: Vec<AddPartitionsToTxnTopic>, between(0, 3);
    }

    /// What one transaction is going to write to.
    struct AddPartitionsToTxnTransaction {
        transactional_id: String, since(4);
        producer_id: i64, since(4);
        producer_epoch: i16, since(4);
        /// Only asks whether the partitions are part of the transaction.
        verify_only: bool, since(4);
        topics: Vec<AddPartitionsToTxnTopic>, since(4);
    }

    /// The partitions of one topic.
    struct AddPartitionsToTxnTopic {
        name: String, since(0);
        partitions: Vec<i32>, since(0);
    }
}

message! {
    /// What became of each partition: all are added, or none.
    struct AddPartitionsToTxnResponse versions 0..=5 flexible 3.. {
        throttle_time_ms: i32, since(0);
        error_code: i16, since(4).ignorable();
        results_by_transaction: Vec<AddPartitionsToTxnResult>, since(4);
        results_by_topic_v3_and_below: Vec<AddPartitionsToTxnTopicResult>, between(0, 3);
    }

    /// The answers for one transaction.
    struct AddPartitionsToTxnResult {
        transactional_id: String, since(4);
        topic_results: Vec<AddPartitionsToTxnTopicResult>, since(4);
    }

    /// The answers for one topic.
    struct AddPartitionsToTxnTopicResult {
        name: String, since(0);
        results_by_partition: Vec<AddPartitionsToTxnPartitionResult>, since(0);
    }

    /// The answer for one partition.
    struct AddPartitionsToTxnPartitionResult {
        partition_index: i32, since(0);
        partition_error_code: i16, since(0);
    }
}
