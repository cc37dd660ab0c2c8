//! The calls that group records into transactions.
//!
//! Java: `clients/producer/KafkaProducer.java` (`initTransactions`, `beginTransaction`, `sendOffsetsToTransaction`,
//! `commitTransaction`, `abortTransaction`).
//! Differs: each wait has a form with a limit of its own where that helps; `in_transaction` commits or aborts by itself;
//! an error says by `is_abortable` and `is_fatal` what to do next.
//! Threads: any. Locks: TransactionManager, for short, and not while waiting.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use crate::common::cluster::TopicPartition;
use crate::common::kafka_error::{KafkaError, TimeLimit};
use crate::common::planted::planted;
use crate::common::sync::{Mutex, MutexGuard};
use crate::common::time::deadline;
use crate::producer::consumer_group_metadata::ConsumerGroupMetadata;
use crate::producer::internals::future_record_metadata::FutureRecordMetadata;
use crate::producer::internals::transaction_manager::{GroupOffsets, TransactionManager};
use crate::producer::internals::transactional_request_result::{
    Operation, TransactionalRequestResult,
};
use crate::producer::kafka_producer::send::Outgoing;
use crate::producer::kafka_producer::{Inner, KafkaProducer};
use crate::producer::offset_and_metadata::OffsetAndMetadata;

/// What a call waits for.
type Pending = Arc<TransactionalRequestResult>;

/// Transactions; they need a `transactional.id`.
///
/// Records and consumer offsets that are sent between begin and commit become visible together to consumers with
/// `isolation.level=read_committed`, or not at all. A producer has one transaction at a time, which all threads share:
/// the application sees to it that one of them begins and ends it.
///
/// After an error, decide by its predicates: where [`is_fatal`](KafkaError::is_fatal) says so, close the producer; where
/// [`is_abortable`](KafkaError::is_abortable) says so, abort and begin again. A [`Timeout`](crate::ErrorKind::Timeout) of
/// init, commit or abort cancels nothing: the only call that is allowed then is the same one, which goes on waiting.
impl<K: ?Sized + 'static, V: ?Sized + 'static> KafkaProducer<K, V> {
    /// Gets the producer ready for transactions: takes over from every earlier producer with the same `transactional.id`,
    /// and waits until the transaction it left behind, if any, has ended. Call it once, before any other call about
    /// transactions.
    ///
    /// Waits `max.block.ms` at most.
    ///
    /// # Errors
    /// Without `transactional.id`, in a callback, in a process that was forked off, and where the time runs out. A missing
    /// permission can be mended: then the call may be made again.
    pub fn init_transactions(&self) -> Result<(), KafkaError> {
        self.init_transactions_timeout(self.inner.limits.max_block)
    }

    /// As [`init_transactions`](Self::init_transactions), with a limit of its own in place of `max.block.ms`.
    ///
    /// # Errors
    /// As [`init_transactions`](Self::init_transactions).
    pub fn init_transactions_timeout(&self, timeout: Duration) -> Result<(), KafkaError> {
        self.inner.check_may_wait(INIT)?;
        let pending = self.inner.begin_init_transactions()?;
        self.inner.await_outcome(&pending, timeout)
    }

    /// As [`init_transactions`](Self::init_transactions), but leaves open what an earlier producer has prepared (KIP-939);
    /// returns its producer id and epoch, by which an outside coordinator knows it. Then
    /// [`commit_transaction`](Self::commit_transaction) or [`abort_transaction`](Self::abort_transaction) must follow.
    ///
    /// # Errors
    /// As [`init_transactions`](Self::init_transactions); without `transaction.two.phase.commit.enable=true`; and on brokers
    /// that do not offer it, which is all of them unless they are told to.
    pub fn init_transactions_keeping_prepared(&self) -> Result<Option<(i64, i16)>, KafkaError> {
        self.inner.check_may_wait(INIT)?;
        let pending = self
            .inner
            .begin(TransactionManager::initialize_keeping_prepared)?;
        self.inner
            .await_outcome(&pending, self.inner.limits.max_block)?;
        let prepared = self.inner.transaction_manager()?.prepared();
        Ok(prepared.map(|prepared| (prepared.producer_id, prepared.epoch)))
    }

    /// Begins a transaction. Every record that is sent from now on, by any thread, is part of it. Waits for nothing.
    ///
    /// # Errors
    /// Before [`init_transactions`](Self::init_transactions), inside a transaction, and after an error.
    pub fn begin_transaction(&self) -> Result<(), KafkaError> {
        self.inner.check_open()?;
        self.inner.transaction_manager()?.begin_transaction()
    }

    /// Makes the positions of a consumer part of the transaction: if it commits, the group goes on from there. An offset
    /// is that of the next record to read. The consumer itself must not commit (`enable.auto.commit=false`).
    ///
    /// With no offsets nothing is done. Waits `max.block.ms` at most; where that runs out, abort.
    ///
    /// # Errors
    /// Outside of a transaction, in a callback, after an error, where the group's metadata makes no sense, and where the
    /// consumer has lost its place in the group ([`CommitFailed`](crate::ErrorKind::CommitFailed), which is abortable).
    pub fn send_offsets_to_transaction<'a>(
        &self,
        offsets: impl IntoIterator<Item = (&'a TopicPartition, &'a OffsetAndMetadata)>,
        group_metadata: &ConsumerGroupMetadata,
    ) -> Result<(), KafkaError> {
        self.inner.check_may_wait(SEND_OFFSETS)?;
        let offsets = offsets.into_iter();
        let offsets = GroupOffsets {
            group: group_metadata.clone(),
            offsets: offsets.map(|(tp, at)| (tp.clone(), at.clone())).collect(),
        };
        match self.inner.begin_send_offsets(offsets)? {
            Some(pending) => self
                .inner
                .await_outcome(&pending, self.inner.limits.max_block),
            None => Ok(()),
        }
    }

    /// Commits the transaction: sends what is still waiting, and returns when all of it is written and the coordinator has
    /// decided. By then every callback has run.
    ///
    /// Waits `max.block.ms` at most. Where that runs out the outcome is open: call this again, or close the producer.
    ///
    /// # Errors
    /// Where a record or an offset of the transaction failed: nothing of it is committed then, and it has to be aborted.
    /// Outside of a transaction, in a callback, and where the time runs out.
    pub fn commit_transaction(&self) -> Result<(), KafkaError> {
        self.inner.check_may_wait(COMMIT)?;
        let pending = self.inner.begin_commit_transaction()?;
        self.inner
            .await_outcome(&pending, self.inner.limits.max_block)
    }

    /// Aborts the transaction: nothing of it will ever be seen by consumers that read committed records. Records that were
    /// not sent yet fail with [`TransactionAborted`](crate::ErrorKind::TransactionAborted).
    ///
    /// Waits `max.block.ms` at most. Where that runs out, call this again, or close the producer.
    ///
    /// # Errors
    /// Outside of a transaction, in a callback, after a fatal error, and where the time runs out.
    pub fn abort_transaction(&self) -> Result<(), KafkaError> {
        self.inner.check_may_wait(ABORT)?;
        let pending = self.inner.begin_abort_transaction()?;
        self.inner
            .await_outcome(&pending, self.inner.limits.max_block)
    }

    /// Does some work in a transaction of its own: commits where the work returns `Ok`, aborts where it returns `Err` or
    /// panics. The work's error stays what it is; one of the abort behind it is logged. A commit that fails is aborted
    /// where that is possible.
    ///
    /// ```no_run
    /// use ottla::{KafkaError, KafkaProducer, ProducerRecord};
    ///
    /// # fn main() -> Result<(), KafkaError> {
    /// let producer = KafkaProducer::<str, str>::from_properties([
    ///     ("bootstrap.servers", "localhost:9092"),
    ///     ("transactional.id", "transfer-1"),
    /// ])?;
    /// producer.init_transactions()?;
    /// producer.in_transaction(|transaction| {
    ///     // The commit waits for both, and fails if one of them has failed.
    ///     let _sent = transaction.send(ProducerRecord::new("accounts", "alice", "-10"))?;
    ///     let _sent = transaction.send(ProducerRecord::new("accounts", "bob", "+10"))?;
    ///     Ok::<_, KafkaError>(())
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// What the work returns, and what [`begin_transaction`](Self::begin_transaction) and
    /// [`commit_transaction`](Self::commit_transaction) return. After a commit that timed out the outcome is open, and
    /// only [`commit_transaction`](Self::commit_transaction) may follow.
    pub fn in_transaction<T, E: From<KafkaError>>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.inner.check_may_wait(COMMIT)?;
        self.begin_transaction()?;
        match catch_unwind(AssertUnwindSafe(|| work(self))) {
            Ok(Ok(done)) => match self.commit_transaction() {
                Ok(()) => Ok(done),
                Err(error) => {
                    if error.is_abortable() {
                        self.abort_after_failure();
                    }
                    Err(error.into())
                }
            },
            Ok(Err(error)) => {
                self.abort_after_failure();
                Err(error)
            }
            Err(panic) => {
                self.abort_after_failure();
                resume_unwind(panic)
            }
        }
    }

    fn abort_after_failure(&self) {
        if let Err(error) = self.abort_transaction() {
            log::error!("after a failure the transaction could not be aborted: {error}");
        }
    }
}

/// The calls without their waits.
impl<K: ?Sized, V: ?Sized> Inner<K, V> {
    pub(super) fn begin_init_transactions(&self) -> Result<Pending, KafkaError> {
        self.begin(TransactionManager::initialize_transactions)
    }

    /// Nothing where there are no offsets.
    pub(super) fn begin_send_offsets(
        &self,
        offsets: GroupOffsets,
    ) -> Result<Option<Pending>, KafkaError> {
        offsets.group.validate()?;
        if let Some((tp, at)) = offsets.offsets.iter().find(|(_, at)| at.offset() < 0) {
            return Err(KafkaError::illegal_argument(format!(
                "offset {} of {tp} is negative",
                at.offset()
            )));
        }
        if offsets.offsets.is_empty() {
            return self.transaction_manager().map(|_| None);
        }
        self.begin(|manager| manager.send_offsets_to_transaction(offsets))
            .map(Some)
    }

    pub(super) fn begin_commit_transaction(&self) -> Result<Pending, KafkaError> {
        let pending = self.begin(TransactionManager::begin_commit)?;
        // Nothing waits for more company now.
        self.accumulator.begin_flush();
        Ok(pending)
    }

    pub(super) fn begin_abort_transaction(&self) -> Result<Pending, KafkaError> {
        self.begin(TransactionManager::begin_abort)
    }

    fn begin(
        &self,
        command: impl FnOnce(&mut TransactionManager) -> Result<Pending, KafkaError>,
    ) -> Result<Pending, KafkaError> {
        self.check_open()?;
        let pending = command(&mut *self.transaction_manager()?)?;
        if !planted!("transaction-waits-for-a-sleeper") {
            self.closing.wakeup();
        }
        Ok(pending)
    }

    fn await_outcome(&self, pending: &Pending, timeout: Duration) -> Result<(), KafkaError> {
        let until = deadline(self.time.now(), timeout);
        pending.wait(until).unwrap_or_else(|| {
            let next = match pending.operation() {
                Operation::SendOffsets => "abort the transaction",
                _ => "repeat the call, or close the producer",
            };
            let text = format!(
                "{} has no outcome after {} ms: {next}",
                pending.operation(),
                timeout.as_millis()
            );
            Err(KafkaError::timeout(TimeLimit::MaxBlock, text))
        })
    }

    fn transaction_manager(&self) -> Result<MutexGuard<'_, TransactionManager>, KafkaError> {
        match &self.transactions {
            Some(manager) => Ok(manager.lock()),
            None => Err(KafkaError::illegal_state(
                "transactions need a transactional.id",
            )),
        }
    }

    /// A record was refused that the transaction was to have.
    pub(super) fn note_failed_send(&self, error: &KafkaError) {
        if let Some(manager) = &self.transactions {
            manager.lock().handle_failed_send(error);
        }
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static> Inner<K, V> {
    /// Refuses a record that no transaction wants before anything is done with it. The partition that it was really
    /// appended to becomes part of the transaction.
    #[cold]
    pub(super) fn send_in_transaction(
        &self,
        manager: &Mutex<TransactionManager>,
        record: &mut Outgoing<'_, K, V>,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        manager.lock().check_send()?;
        let future = self.find_and_append(record)?;
        if let Some(tp) = future.topic_partition() {
            let is_news = manager.lock().maybe_add_partition(tp);
            if is_news {
                self.closing.wakeup();
            }
        }
        Ok(future)
    }
}

const INIT: &str = "init_transactions";
const SEND_OFFSETS: &str = "send_offsets_to_transaction";
const COMMIT: &str = "commit_transaction";
const ABORT: &str = "abort_transaction";
