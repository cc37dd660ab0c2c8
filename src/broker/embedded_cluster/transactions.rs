//! Transactions of the embedded cluster: what is committed, what is open, and who coordinates.
//!
//! Java: none; tests of Kafka ask an admin client.
//! Differs: answers come from the memory of the brokers, at once.
//! Threads: calls come from any thread. Locks: the core's.

use std::time::Duration;

use super::{EmbeddedCluster, EmbeddedClusterBuilder, StoredRecord, no_such_partition};
use crate::broker::coordinator::coordinators::{KeyType, NEWEST_TRANSACTION_VERSION};
use crate::broker::server::request_channel::Work;
use crate::common::cluster::NodeId;
use crate::common::kafka_error::KafkaError;

impl EmbeddedCluster {
    /// The records of a partition that a consumer with `isolation.level=read_committed` sees: none of an aborted
    /// transaction, and none from the first record of an open one on; none at all while no broker leads it.
    ///
    /// # Errors
    /// Where there is no such partition.
    pub fn committed_records(
        &self,
        topic: &str,
        partition: i32,
    ) -> Result<Vec<StoredRecord>, KafkaError> {
        let core = self.core.lock();
        let found = core.topics.partition(topic, partition);
        let found = found.ok_or_else(|| no_such_partition(topic, partition))?;
        let Some(found) = found.leader_replica() else {
            return Ok(Vec::new());
        };
        let transactions = found.producers.transactions();
        let records = found
            .log
            .records_where(found.last_stable_offset(), |header| {
                let producer = header.producer.producer_id;
                !transactions.is_aborted(producer, header.base_offset)
            });
        Ok(records.map(StoredRecord::from).collect())
    }

    /// The offset before which every transaction of a partition is decided, where there is such a partition.
    pub fn last_stable_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        let core = self.core.lock();
        let found = core.topics.partition(topic, partition)?;
        Some(found.leader_replica()?.last_stable_offset())
    }

    /// The transactional ids whose transaction is open, or decided but not complete.
    pub fn ongoing_transactions(&self) -> Vec<String> {
        let core = self.core.lock();
        let transactions = core.coordinators.transactions.iter();
        transactions
            .filter(|(_, metadata)| metadata.is_open() || metadata.is_preparing())
            .map(|(id, _)| id.clone())
            .collect()
    }

    /// The offset that a group has committed in a partition, where it has one.
    pub fn group_offset(&self, group: &str, topic: &str, partition: i32) -> Option<i64> {
        let core = self.core.lock();
        let committed = core.coordinators.groups.get(group)?.committed();
        let offset = committed.get(&(topic.to_owned(), partition))?;
        Some(offset.offset)
    }

    /// The broker that coordinates a transactional id, where there is one.
    pub fn transaction_coordinator(&self, transactional_id: &str) -> Option<i32> {
        self.coordinator(KeyType::Transaction, transactional_id)
    }

    /// The broker that coordinates a group, where there is one.
    pub fn group_coordinator(&self, group: &str) -> Option<i32> {
        self.coordinator(KeyType::Group, group)
    }

    /// Makes another broker coordinate a transactional id (and those that share its place in Kafka's internal topic).
    ///
    /// # Errors
    /// Where the broker does not run.
    pub fn move_transaction_coordinator(
        &self,
        transactional_id: &str,
        broker: i32,
    ) -> Result<(), KafkaError> {
        self.move_coordinator(KeyType::Transaction, transactional_id, broker)
    }

    /// Makes another broker coordinate a group (and those that share its place in Kafka's internal topic).
    ///
    /// # Errors
    /// Where the broker does not run.
    pub fn move_group_coordinator(&self, group: &str, broker: i32) -> Result<(), KafkaError> {
        self.move_coordinator(KeyType::Group, group, broker)
    }

    /// Changes the cluster's feature `transaction.version` while it runs, as an upgrade or downgrade of Kafka does: 0, 1, or
    /// 2 (KIP-890). Clients hear of it on their next connection.
    ///
    /// # Errors
    /// Where there is no such version.
    pub fn set_transaction_version(&self, version: i16) -> Result<(), KafkaError> {
        check_version(version)?;
        let mut core = self.core.lock();
        let settings = &mut core.coordinators.settings;
        settings.transaction_version = version;
        settings.features_epoch += 1;
        Ok(())
    }

    fn coordinator(&self, kind: KeyType, key: &str) -> Option<i32> {
        let mut core = self.core.lock();
        let now = self.time.now();
        let alive = core.topics.alive();
        core.coordinators.elect(&alive, now);
        let owner = core.coordinators.owners(kind).owner(key);
        owner.map(|node| node.0)
    }

    fn move_coordinator(&self, kind: KeyType, key: &str, broker: i32) -> Result<(), KafkaError> {
        let mut core = self.core.lock();
        if !core.topics.brokers().is_alive(NodeId(broker)) {
            let text = format!("broker {broker} does not run");
            return Err(KafkaError::illegal_argument(text));
        }
        let now = self.time.now();
        let alive = core.topics.alive();
        core.coordinators.elect(&alive, now);
        core.coordinators.move_to(kind, key, NodeId(broker), now);
        drop(core);
        self.channel.submit(Work::Poll);
        Ok(())
    }
}

impl EmbeddedClusterBuilder {
    /// The cluster's feature `transaction.version`: 0, 1, or 2 (KIP-890). The default is 2, as in Kafka 4.
    pub fn transaction_version(mut self, version: i16) -> Self {
        self.coordinators.transaction_version = version;
        self
    }

    /// Whether producers may prepare transactions for somebody else to decide (KIP-939), as far as Kafka 4.3 has it. The
    /// default is no.
    pub fn two_phase_commit(mut self, yes: bool) -> Self {
        self.coordinators.two_phase_commit = yes;
        self
    }

    /// After this long without a transaction a transactional id is forgotten (`transactional.id.expiration.ms`). The default
    /// is seven days, as in Kafka.
    pub fn transactional_id_expiration(mut self, unused_for: Duration) -> Self {
        self.coordinators.transactional_id_expiration = unused_for;
        self
    }

    /// This long after the timestamp of a producer's last batch a partition forgets the producer
    /// (`producer.id.expiration.ms`); it looks every ten minutes. The default is one day, as in Kafka.
    pub fn producer_id_expiration(mut self, unused_for: Duration) -> Self {
        self.coordinators.producer_id_expiration = unused_for;
        self
    }

    /// How long after the decision the markers of a transaction are written. The default is at once.
    pub fn transaction_marker_delay(mut self, delay: Duration) -> Self {
        self.coordinators.marker_delay = delay;
        self
    }

    /// How long a coordinator that took over answers COORDINATOR_LOAD_IN_PROGRESS. The default is not at all.
    pub fn coordinator_load_delay(mut self, delay: Duration) -> Self {
        self.coordinators.load_delay = delay;
        self
    }
}

pub(super) fn check_version(version: i16) -> Result<(), KafkaError> {
    if (0..=NEWEST_TRANSACTION_VERSION).contains(&version) {
        return Ok(());
    }
    let text = format!(
        "transaction.version {version} does not exist: the newest is {NEWEST_TRANSACTION_VERSION}"
    );
    Err(KafkaError::illegal_argument(text))
}
