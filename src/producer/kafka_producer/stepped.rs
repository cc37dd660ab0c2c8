//! A producer without a thread: a test steps the I/O half, and asks where an application would wait.
//!
//! Java: none; Java's tests of the whole client need threads.
//! Differs: exists in tests only.
//! Threads: one, the test's. Locks: as `KafkaProducer`.

use std::sync::Arc;
use std::time::Duration;

use crate::client::host_resolver::HostResolver;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::serialization::ByteArraySerializer;
use crate::common::time::Time;
use crate::network::selectable::Selectable;
use crate::producer::internals::future_record_metadata::FutureRecordMetadata;
use crate::producer::internals::key_hash::KeyHash;
use crate::producer::internals::produce_request_result::{Outcome, ProduceRequestResult};
use crate::producer::internals::producer_batch::Callback;
use crate::producer::internals::sender::SenderControl;
use crate::producer::internals::transaction_manager::GroupOffsets;
use crate::producer::internals::transactional_request_result::TransactionalRequestResult;
use crate::producer::kafka_producer::KafkaProducer;
use crate::producer::kafka_producer::metadata_wait::Wanted;
use crate::producer::kafka_producer::plugins::{Placement, Unconfigured};
use crate::producer::kafka_producer::send::Outgoing;
pub(crate) use crate::producer::kafka_producer::wiring::ProducerSender as IoHalf;
use crate::producer::kafka_producer::wiring::{Surroundings, assemble, new_io};
use crate::producer::producer_config::ProducerConfig;
use crate::producer::producer_record::ProducerRecord;

/// The two halves of a producer of bytes.
#[derive(Debug)]
pub(crate) struct Stepped<S> {
    pub(crate) producer: KafkaProducer<[u8], [u8]>,
    pub(crate) sender: IoHalf<S>,
    pub(crate) control: Arc<SenderControl>,
}

impl<S: Selectable> Stepped<S> {
    /// What `KafkaProducer::new` makes, over any network and clock.
    pub(crate) fn new(
        config: &ProducerConfig,
        selector: S,
        resolver: Arc<dyn HostResolver>,
        time: Arc<dyn Time>,
    ) -> Result<Self, KafkaError> {
        let client_id = config.client.client_id.clone();
        let surroundings = Surroundings {
            selector,
            resolver,
            time,
        };
        let (io, sender) = new_io(config, &client_id, false, surroundings)?;
        let plugins = Unconfigured {
            key_serializer: Box::new(ByteArraySerializer),
            value_serializer: Box::new(ByteArraySerializer),
            placement: Placement {
                custom: None,
                ignore_keys: config.partitioning.ignore_keys,
                hash: KeyHash::Murmur2,
            },
            interceptors: Vec::new(),
        };
        let control = Arc::clone(&io.control);
        let plugins = plugins.configure(&config.originals())?;
        Ok(Self {
            producer: assemble(config, client_id, plugins, io),
            sender,
            control,
        })
    }
}

/// A flush under way.
#[derive(Debug)]
pub(crate) struct Flush(Vec<Arc<ProduceRequestResult>>);

impl Flush {
    /// Whether `flush` would return.
    pub(crate) fn is_done(&mut self) -> bool {
        while let Some(result) = self.0.pop() {
            match result.outcome() {
                None => {
                    self.0.push(result);
                    return false;
                }
                Some(Outcome::Split(parts)) => {
                    self.0
                        .extend(parts.iter().map(|part| Arc::clone(&part.result)));
                }
                Some(_) => {}
            }
        }
        true
    }
}

/// The calls about transactions that wait for a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TransactionCall {
    Init,
    SendOffsets(GroupOffsets),
    Commit,
    Abort,
}

impl KafkaProducer<[u8], [u8]> {
    /// The part of a call about transactions before its wait; nothing where there is nothing to wait for.
    pub(crate) fn begin_call(
        &self,
        call: &TransactionCall,
    ) -> Result<Option<Arc<TransactionalRequestResult>>, KafkaError> {
        match call {
            TransactionCall::Init => self.inner.begin_init_transactions().map(Some),
            TransactionCall::SendOffsets(offsets) => self.inner.begin_send_offsets(offsets.clone()),
            TransactionCall::Commit => self.inner.begin_commit_transaction().map(Some),
            TransactionCall::Abort => self.inner.begin_abort_transaction().map(Some),
        }
    }

    /// As `send_with_callback`, without any waiting: where that is needed the record is refused with a timeout or for lack
    /// of memory, and the callback is told so at once.
    pub(crate) fn send_at_once(
        &self,
        mut record: ProducerRecord<'_, Vec<u8>, Vec<u8>>,
        callback: Callback,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        let mut record = Outgoing::of(&mut record, Some(callback), Duration::ZERO);
        self.inner.send(&mut record)
    }

    /// Whether `partitions_for` would wait for news of the topic, or of a partition of it; asks for them.
    pub(crate) fn would_wait_for_metadata(&self, topic: &str, partition: Option<i32>) -> bool {
        let wanted = Wanted { topic, partition };
        let now = self.inner.time.now();
        let seen = self.inner.wait_on_metadata(wanted, now, Duration::ZERO);
        seen.is_err_and(|error| error.kind() == ErrorKind::Timeout)
    }

    /// The part of `flush` before its wait.
    pub(crate) fn begin_flush(&self) -> Flush {
        Flush(self.inner.accumulator.begin_flush())
    }

    /// The part of `close` before its wait.
    pub(crate) fn begin_close(&self) {
        self.inner.begin_close();
    }

    /// Buffer memory that is free, that there is, and how many wait for some.
    pub(crate) fn memory(&self) -> (usize, usize, usize) {
        let pool = self.inner.accumulator.pool();
        (pool.available(), pool.total(), pool.queued())
    }
}
