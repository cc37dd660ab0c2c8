//! How the network client reaches the metadata that application threads wait for.
//!
//! Java: `synchronized` methods of `clients/Metadata.java`.
//! Differs: the lock and the condition live in the producer (`ProducerMetadata`); the client only knows this trait.
//! Threads: any. Locks: the implementor's leaf lock, held while `with` runs.

use std::sync::Arc;

use crate::client::metadata::Metadata;
use crate::client::metadata_snapshot::MetadataSnapshot;

/// Metadata shared between the I/O thread, which updates it, and application threads, which wait for updates.
pub(crate) trait MetadataHandle {
    /// The snapshot of this moment; never waits for a writer.
    fn snapshot(&self) -> Arc<MetadataSnapshot>;

    /// Runs `action` on the core under its lock. Where that left a new snapshot, publishes it and wakes every waiter.
    fn with<R>(&self, action: impl FnOnce(&mut Metadata) -> R) -> R;
}
