//! The calls about transactions, and what an application does when one fails.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: one per seed. Locks: none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::ConsumerGroupMetadata;
use crate::KafkaError;
use crate::OffsetAndMetadata;
use crate::common::cluster::TopicPartition;
use crate::common::error_kind::ErrorKind;
use crate::producer::internals::transaction_manager::GroupOffsets;
use crate::producer::internals::transactional_request_result::TransactionalRequestResult;
use crate::producer::kafka_producer::stepped::TransactionCall;
use crate::testing::sim::apps::{Apps, Around, State};
use crate::testing::sim::plan::{Op, Plan};
use crate::testing::sim::producers::SimProducer;
use crate::testing::sim::queue::{Event, Micros, secs};
use crate::testing::sim::situations::Situation;

/// Transactions by the number under which they began.
#[derive(Default)]
pub(in crate::testing::sim) struct Transactions {
    pub(in crate::testing::sim) all: Vec<Transaction>,
    /// The one that is open, by producer.
    open: BTreeMap<usize, usize>,
    /// When each producer got ready: the call began, and it returned.
    pub(in crate::testing::sim) inits: BTreeMap<usize, (Micros, Option<Micros>)>,
    /// The producers that failed for good.
    pub(in crate::testing::sim) failed: Vec<usize>,
}

/// What the application knows of one transaction.
pub(in crate::testing::sim) struct Transaction {
    pub(in crate::testing::sim) producer: usize,
    pub(in crate::testing::sim) begun: Micros,
    /// Places in the journal.
    pub(in crate::testing::sim) records: Vec<usize>,
    /// A record was refused that it was to have.
    pub(in crate::testing::sim) is_refused: bool,
    pub(in crate::testing::sim) offsets_sent: bool,
    /// Whether it began after the faults had ended.
    pub(in crate::testing::sim) is_probe: bool,
    pub(in crate::testing::sim) end: End,
}

/// What the application was told of the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::testing::sim) enum End {
    /// Nobody asked for a commit, or it was refused: nothing may be seen.
    None,
    /// A commit was asked for, and has no outcome: all or nothing may be seen.
    Unknown,
    Committed,
    Aborted,
}

/// A call under way.
pub(super) struct Calling {
    call: TransactionCall,
    pending: Arc<TransactionalRequestResult>,
    deadline: Micros,
}

impl Calling {
    pub(super) fn describe(&self) -> String {
        format!("calls {:?} until {}", self.call, self.deadline)
    }
}

impl Transactions {
    pub(super) fn accepted(&mut self, producer: usize, entry: usize) {
        if let Some(open) = self.open_of(producer) {
            open.records.push(entry);
        }
    }

    pub(super) fn refused(&mut self, producer: usize) {
        if let Some(open) = self.open_of(producer) {
            open.is_refused = true;
        }
    }

    fn open_of(&mut self, producer: usize) -> Option<&mut Transaction> {
        let number = *self.open.get(&producer)?;
        self.all.get_mut(number)
    }
}

/// The group that gets the offset of a transaction: one of its own, so that each end can be seen.
pub(in crate::testing::sim) fn group_of(transaction: usize) -> String {
    format!("g{transaction}")
}

/// The partition whose offset transactions have.
pub(in crate::testing::sim) fn offsets_topic(plan: &Plan) -> Option<&str> {
    let topic = plan.topics.iter().find(|topic| !topic.made_on_demand)?;
    Some(&topic.name)
}

impl Apps {
    pub(super) fn begin_transaction(
        &mut self,
        number: usize,
        producer: &SimProducer,
        around: &mut Around<'_>,
    ) -> State {
        match producer.producer.begin_transaction() {
            Ok(()) => {
                let transactions = &mut self.transactions;
                transactions
                    .open
                    .insert(producer.number, transactions.all.len());
                transactions.all.push(Transaction {
                    producer: producer.number,
                    begun: around.net.now(),
                    records: Vec::new(),
                    is_refused: false,
                    offsets_sent: false,
                    is_probe: number >= around.plan.apps.len(),
                    end: End::None,
                });
                State::Ready
            }
            Err(error) => self.react(number, None, &error, producer, around),
        }
    }

    pub(super) fn send_offsets(
        &mut self,
        number: usize,
        producer: &SimProducer,
        around: &mut Around<'_>,
    ) -> State {
        let open = self.transactions.open.get(&producer.number);
        let (Some(&open), Some(topic)) = (open, offsets_topic(around.plan)) else {
            return State::Ready;
        };
        let at = OffsetAndMetadata::new(i64::try_from(open).unwrap_or(0));
        let offsets = GroupOffsets {
            group: ConsumerGroupMetadata::new(group_of(open)),
            offsets: BTreeMap::from([(TopicPartition::new(topic, 0), at)]),
        };
        let call = TransactionCall::SendOffsets(offsets);
        self.begin_call(number, call, producer, around)
    }

    pub(super) fn begin_call(
        &mut self,
        number: usize,
        call: TransactionCall,
        producer: &SimProducer,
        around: &mut Around<'_>,
    ) -> State {
        let now = around.net.now();
        let begun = producer.producer.begin_call(&call);
        around.net.trace.tell(now, || {
            format!("t{number} p{} calls {call:?}: {begun:?}", producer.number)
        });
        match begun {
            Ok(None) => State::Ready,
            Ok(Some(pending)) => {
                if call == TransactionCall::Init {
                    let inits = &mut self.transactions.inits;
                    inits.entry(producer.number).or_insert((now, None));
                }
                if let (TransactionCall::Commit, Some(open)) =
                    (&call, self.transactions.open_of(producer.number))
                {
                    open.end = End::Unknown;
                }
                let deadline = now + around.plan.producers[producer.number].max_block;
                around.net.queue.push(deadline, Event::App(number));
                State::Calling(Calling {
                    call,
                    pending,
                    deadline,
                })
            }
            Err(error) => self.react(number, Some(&call), &error, producer, around),
        }
    }

    pub(super) fn go_on_calling(
        &mut self,
        number: usize,
        calling: Calling,
        producer: &SimProducer,
        around: &mut Around<'_>,
    ) -> State {
        let now = around.net.now();
        let call = calling.call.clone();
        match calling.pending.collect() {
            None if now < calling.deadline => State::Calling(calling),
            None => self.call_again(number, call, producer, around),
            Some(outcome) => {
                around.net.trace.tell(now, || {
                    format!("t{number} p{} was told: {outcome:?}", producer.number)
                });
                match outcome {
                    Ok(()) => {
                        self.succeeded(&call, producer.number, around);
                        State::Ready
                    }
                    Err(error) => {
                        if let (TransactionCall::Commit, false, Some(open)) = (
                            &call,
                            error.is_fatal(),
                            self.transactions.open_of(producer.number),
                        ) {
                            open.end = End::None;
                        }
                        self.react(number, Some(&call), &error, producer, around)
                    }
                }
            }
        }
    }

    /// The time of a call ran out.
    fn call_again(
        &mut self,
        number: usize,
        call: TransactionCall,
        producer: &SimProducer,
        around: &mut Around<'_>,
    ) -> State {
        let (situation, next) = match call {
            TransactionCall::SendOffsets(_) => {
                (Situation::TransactionOffsetsTimeOut, TransactionCall::Abort)
            }
            TransactionCall::Init => (Situation::TransactionInitRepeated, call),
            call => (Situation::TransactionEndRepeated, call),
        };
        around.net.mark(situation);
        self.begin_call(number, next, producer, around)
    }

    fn succeeded(&mut self, call: &TransactionCall, producer: usize, around: &mut Around<'_>) {
        let now = around.net.now();
        match call {
            TransactionCall::Init => {
                if let Some((_, done)) = self.transactions.inits.get_mut(&producer) {
                    *done = Some(now);
                }
                let ids = &around.plan.producers;
                let id_of = |number: usize| ids[number].transactional.as_ref().map(|t| &t.id);
                let mut open = self.transactions.open.keys();
                if open.any(|other| id_of(*other) == id_of(producer)) {
                    around.net.mark(Situation::TransactionTakenOver);
                }
            }
            TransactionCall::SendOffsets(_) => {
                if let Some(open) = self.transactions.open_of(producer) {
                    open.offsets_sent = true;
                }
            }
            TransactionCall::Commit => self.ended(producer, End::Committed, around),
            TransactionCall::Abort => self.ended(producer, End::Aborted, around),
        }
    }

    fn ended(&mut self, producer: usize, end: End, around: &mut Around<'_>) {
        let Some(number) = self.transactions.open.remove(&producer) else {
            return;
        };
        let Some(transaction) = self.transactions.all.get_mut(number) else {
            return;
        };
        transaction.end = end;
        let told = |entry: &&usize| self.journal[**entry].told.times.load(Ordering::Relaxed) == 0;
        if let Some(entry) = transaction.records.iter().find(told) {
            let id = self.journal[*entry].record.id;
            let text = format!("I10: transaction {number} ended before record {id:x}");
            around.net.observer.violation(text);
        }
        if end == End::Aborted {
            around.net.mark(if transaction.is_refused {
                Situation::TransactionAbortedAfterError
            } else {
                Situation::TransactionAborted
            });
            return;
        }
        around.net.mark(
            match (
                transaction.records.is_empty(),
                around.plan.coordination.transaction_version,
            ) {
                (true, _) => Situation::TransactionEmpty,
                (_, 2) => Situation::TransactionOfVersion2,
                _ => Situation::TransactionOfVersion1,
            },
        );
        if transaction.offsets_sent {
            around.net.mark(Situation::TransactionWithOffsets);
        }
    }

    /// What the documentation of the calls says that an application does after an error.
    fn react(
        &mut self,
        number: usize,
        call: Option<&TransactionCall>,
        error: &KafkaError,
        producer: &SimProducer,
        around: &mut Around<'_>,
    ) -> State {
        let now = around.net.now();
        around.net.trace.tell(now, || {
            format!("t{number} p{} fails: {error:?}", producer.number)
        });
        if error.is_fatal() {
            let fenced = matches!(
                error.kind(),
                ErrorKind::ProducerFenced | ErrorKind::InvalidProducerEpoch
            );
            self.transactions.failed.push(producer.number);
            around.net.mark(if fenced {
                Situation::TransactionFenced
            } else {
                Situation::TransactionFatal
            });
            return self.begin(number, Op::Close(secs(30)), producer, around);
        }
        if call == Some(&TransactionCall::Abort) || error.kind() == ErrorKind::IllegalState {
            return State::Ready;
        }
        if error.is_abortable() {
            self.transactions.refused(producer.number);
            return self.begin_call(number, TransactionCall::Abort, producer, around);
        }
        State::Ready
    }
}
