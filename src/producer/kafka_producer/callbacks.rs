//! Who is told what became of a record: the interceptors, then the callback of the send; of a record that `send` itself
//! refuses, the callback first.
//!
//! Java: `clients/producer/KafkaProducer.java` (`AppendCallbacks`).
//! Differs: without interceptors the callback is used as it is, and without a callback nothing is allocated.
//! Threads: made on the sending thread, run on the I/O thread or at once. Locks: one leaf per record, where there are
//! interceptors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::common::error_kind::ErrorKind;
use crate::common::header::{Header, Headers};
use crate::common::kafka_error::KafkaError;
use crate::common::kafka_thread::panic_text;
use crate::common::sync::{
    Mutex, Rank,
    atomic::{AtomicI32, Ordering},
};
use crate::producer::internals::producer_batch::Callback;
use crate::producer::internals::producer_interceptors::ProducerInterceptors;
use crate::producer::producer_interceptor::Acknowledgement;
use crate::producer::record_metadata::RecordMetadata;

/// What is told of one record where there are interceptors.
pub(super) struct AppendCallbacks {
    /// For the batch, which takes it with the record.
    pub(super) for_batch: Option<Callback>,
    /// What it shares with the producer until the record is appended.
    intercepted: Arc<Intercepted>,
}

struct Intercepted {
    callback: Mutex<Option<Callback>>,
    /// -1 until the record has a partition. Written before the outcome can come in all but the rarest cases, and wrong in
    /// none: hence `Relaxed`.
    partition: AtomicI32,
}

impl AppendCallbacks {
    pub(super) fn new<K: ?Sized + 'static, V: ?Sized + 'static>(
        interceptors: &ProducerInterceptors<K, V>,
        topic: &str,
        headers: &[Header],
        callback: Option<Callback>,
    ) -> Self {
        let shared = Arc::new(Intercepted {
            callback: Mutex::new(Rank::Leaf, callback),
            partition: AtomicI32::new(UNKNOWN_PARTITION),
        });
        let told = Told {
            interceptors: interceptors.clone(),
            topic: topic.to_owned(),
            headers: headers.iter().cloned().collect(),
            shared: Arc::clone(&shared),
        };
        Self {
            for_batch: Some(Box::new(move |result| told.tell(result))),
            intercepted: shared,
        }
    }

    /// The record was appended to this partition.
    pub(super) fn appended_to(&self, partition: i32) {
        self.intercepted
            .partition
            .store(partition, Ordering::Relaxed);
    }

    /// The callback of the send, of a record that was not appended.
    pub(super) fn take_back(self) -> Option<Callback> {
        self.intercepted.callback.lock().take()
    }
}

/// The interceptors of one record, and its callback behind them.
struct Told<K: ?Sized, V: ?Sized> {
    interceptors: ProducerInterceptors<K, V>,
    topic: String,
    headers: Headers,
    shared: Arc<Intercepted>,
}

impl<K: ?Sized, V: ?Sized> Told<K, V> {
    fn tell(self, result: Result<RecordMetadata, KafkaError>) {
        let partition = match &result {
            Ok(metadata) => metadata.partition(),
            Err(_) => self.shared.partition.load(Ordering::Relaxed),
        };
        self.interceptors.on_acknowledgement(&Acknowledgement {
            topic: &self.topic,
            partition: (partition != UNKNOWN_PARTITION).then_some(partition),
            headers: &self.headers,
            result: result.as_ref(),
        });
        let callback = self.shared.callback.lock().take();
        if let Some(callback) = callback {
            callback(result);
        }
    }
}

/// Tells the callback of a record that never reached a batch, on the calling thread.
pub(super) fn tell_at_once(callback: Option<Callback>, error: &KafkaError) {
    let Some(callback) = callback else { return };
    let error = error.clone();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| callback(Err(error)))) {
        let text = panic_text(panic.as_ref());
        log::error!("the callback of a record that was refused panicked: {text}");
    }
}

/// Whether Java would put the error into the future; the others it throws.
pub(super) fn is_api_error(kind: ErrorKind) -> bool {
    !matches!(
        kind,
        ErrorKind::Kafka
            | ErrorKind::Config
            | ErrorKind::Serialization
            | ErrorKind::Interrupt
            | ErrorKind::IllegalState
            | ErrorKind::IllegalArgument
            | ErrorKind::CommitFailed
            | ErrorKind::BootstrapResolution
            | ErrorKind::Forked
    )
}

const UNKNOWN_PARTITION: i32 = -1;
