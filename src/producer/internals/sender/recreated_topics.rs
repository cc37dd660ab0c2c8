//! Notices topics that were deleted and made again, before anything is sent to them.
//!
//! Java: none; there a numbered batch goes to the new topic as if it were the old one.
//! Differs: does not exist in Java. What is certainly not written goes to the new topic under new numbers; what may be in
//! the old topic fails, since nobody can tell any more.
//! Threads: the I/O thread. Locks: TransactionManager.

use crate::client::kafka_client::KafkaClient;
use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::producer::internals::sender::Sender;

impl<C: KafkaClient> Sender<C> {
    /// Holds back the partitions of topics with a new id until they have started over, which they do as soon as none of
    /// their requests is pending.
    pub(super) fn note_recreated_topics(&mut self, snapshot: &MetadataSnapshot) {
        if let Some(manager) = &self.transaction_manager {
            manager.lock().handle_topics(snapshot);
        }
    }
}
