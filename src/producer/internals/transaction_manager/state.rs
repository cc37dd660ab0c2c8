//! The states of the transaction manager and the moves between them.
//!
//! Java: `clients/producer/internals/TransactionManager.java` (its `State`).
//! Differs: each state carries what is valid in it only, so no field can be read in the wrong one; the table says for
//! each state and each step what comes of them; the first reason to abort stays, where Java keeps the last one.
//! Threads: plain data. Locks: none.

use crate::common::cluster::{ProducerIdAndEpoch, TopicPartition};
use crate::common::fast_hash::FastMap;
use crate::common::kafka_error::KafkaError;
use crate::common::planted::planted;

/// Where the manager is in its life.
#[derive(Debug)]
pub(super) enum State {
    /// No identity. An idempotent producer asks for one by itself, a transactional one when the application says so.
    Uninitialized,
    /// A broker is asked for an identity: the first one, or the next epoch after a transaction.
    Initializing,
    /// An idempotent producer numbers its batches with this; a transactional one can begin a transaction.
    Ready(ProducerIdAndEpoch),
    /// Between begin and commit or abort.
    InTransaction(Transaction),
    /// The application has said commit; nothing can be added any more.
    Committing(Transaction),
    /// The application has said abort.
    Aborting(Transaction),
    /// The transaction cannot be committed any more, for this reason.
    Abortable(Transaction, KafkaError),
    /// An earlier instance prepared this transaction, with this identity: it can be committed or aborted, nothing else.
    Prepared(Transaction, ProducerIdAndEpoch),
    /// The producer must be closed.
    Failed(KafkaError),
}

/// What leads from one state to the next.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// An identity is asked for.
    Initialize,
    /// An identity has come.
    Identify(ProducerIdAndEpoch),
    /// An identity has come, and with it a transaction that was prepared under another one.
    Resume {
        identity: ProducerIdAndEpoch,
        prepared: ProducerIdAndEpoch,
        version: TransactionVersion,
    },
    /// The identity is of no more use.
    Forget,
    Begin(TransactionVersion),
    Commit,
    Abort,
    /// Something happened that the transaction cannot be committed after.
    SetBack(KafkaError),
    /// The transaction is over; the next one has this identity.
    End(ProducerIdAndEpoch),
    /// The transaction is over; the next one needs an epoch that has to be asked for.
    Renew,
    Fail(KafkaError),
}

/// Who takes a step: the application may err, the I/O thread may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    Application,
    IoThread,
}

impl State {
    /// The one table of moves. A step that is not allowed gives the state back as it was.
    pub(super) fn after(self, step: Step) -> Result<State, (State, Step)> {
        use State as S;
        Ok(match (self, step) {
            (S::Failed(error), step) => return Err((S::Failed(error), step)),
            (_, Step::Fail(error)) => S::Failed(error),

            (S::Uninitialized, Step::Initialize) => S::Initializing,
            (S::Initializing, Step::Identify(identity)) => S::Ready(identity),
            (
                S::Initializing,
                Step::Resume {
                    identity,
                    prepared,
                    version,
                },
            ) => {
                let open = Transaction {
                    started: true,
                    ..Transaction::new(identity, version)
                };
                S::Prepared(open, prepared)
            }
            (S::Prepared(transaction, _), Step::Commit) => S::Committing(transaction),
            (S::Prepared(transaction, _), Step::Abort) => S::Aborting(transaction),
            (S::Initializing | S::Ready(_), Step::Forget) => S::Uninitialized,
            // An idempotent producer counts its epoch up by itself.
            (S::Ready(from), Step::Identify(to))
                if from.producer_id == to.producer_id && from.epoch < to.epoch =>
            {
                S::Ready(to)
            }

            (S::Ready(identity), Step::Begin(version)) => {
                S::InTransaction(Transaction::new(identity, version))
            }
            (S::InTransaction(open), Step::Begin(_)) if planted!("begins-twice") => {
                S::InTransaction(open)
            }
            (S::Committing(open), Step::Abort) if planted!("abort-overtakes-a-commit") => {
                S::Aborting(open)
            }
            (S::InTransaction(transaction), Step::Commit) => S::Committing(transaction),
            (S::InTransaction(transaction) | S::Abortable(transaction, _), Step::Abort) => {
                S::Aborting(transaction)
            }
            (S::InTransaction(transaction) | S::Committing(transaction), Step::SetBack(why)) => {
                S::Abortable(transaction, why)
            }
            // It is going to be aborted anyway.
            (S::Abortable(transaction, first), Step::SetBack(_)) => {
                S::Abortable(transaction, first)
            }
            (S::Aborting(transaction), Step::SetBack(_)) => S::Aborting(transaction),
            (S::Committing(_) | S::Aborting(_), Step::End(identity)) => S::Ready(identity),
            (S::Committing(_) | S::Aborting(_), Step::Renew) => S::Initializing,

            refused => return Err(refused),
        })
    }

    /// The open transaction.
    pub(super) fn transaction(&self) -> Option<&Transaction> {
        match self {
            State::InTransaction(transaction)
            | State::Committing(transaction)
            | State::Aborting(transaction)
            | State::Abortable(transaction, _)
            | State::Prepared(transaction, _) => Some(transaction),
            _ => None,
        }
    }

    pub(super) fn transaction_mut(&mut self) -> Option<&mut Transaction> {
        match self {
            State::InTransaction(transaction)
            | State::Committing(transaction)
            | State::Aborting(transaction)
            | State::Abortable(transaction, _)
            | State::Prepared(transaction, _) => Some(transaction),
            _ => None,
        }
    }

    /// In words, for errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            State::Uninitialized => "not initialized",
            State::Initializing => "being initialized",
            State::Ready(_) => "without an open transaction",
            State::InTransaction(_) => "in a transaction",
            State::Committing(_) => "committing a transaction",
            State::Aborting(_) => "aborting a transaction",
            State::Abortable(..) => "in a transaction that must be aborted",
            State::Prepared(..) => "holding a prepared transaction",
            State::Failed(_) => "of no more use",
        }
    }
}

impl Step {
    /// In words, for errors.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Step::Initialize => "initialize",
            Step::Identify(_) => "take an identity",
            Step::Resume { .. } => "take over a prepared transaction",
            Step::Forget => "forget its identity",
            Step::Begin(_) => "begin a transaction",
            Step::Commit => "commit",
            Step::Abort => "abort",
            Step::SetBack(_) => "give up a transaction",
            Step::End(_) => "end a transaction",
            Step::Renew => "end a transaction and its epoch",
            Step::Fail(_) => "fail",
        }
    }
}

/// How partitions become part of a transaction, and what ends it (KIP-890).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TransactionVersion {
    /// The producer tells the coordinator of each partition and each group first; the epoch stays.
    V1,
    /// Partitions and groups are added by what is written to them; each transaction has its own epoch.
    V2,
}

/// An open transaction.
#[derive(Debug)]
pub(super) struct Transaction {
    pub(super) identity: ProducerIdAndEpoch,
    /// Fixed for as long as the transaction is open.
    pub(super) version: TransactionVersion,
    partitions: FastMap<TopicPartition, Membership>,
    /// The coordinator knows of the transaction, so it must be told of the end.
    pub(super) started: bool,
    /// The next transaction needs an epoch of its own, because something of this one may still come to a broker, or
    /// because numbers are missing in a partition.
    pub(super) needs_new_epoch: bool,
}

/// How far a partition has come into the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    /// In no request yet.
    New,
    /// In a request that has not succeeded yet.
    Pending,
    /// The coordinator knows it: batches may go.
    Added,
}

impl Transaction {
    fn new(identity: ProducerIdAndEpoch, version: TransactionVersion) -> Self {
        Self {
            identity,
            version,
            partitions: FastMap::default(),
            started: false,
            needs_new_epoch: false,
        }
    }

    pub(super) fn is_added(&self, tp: &TopicPartition) -> bool {
        self.partitions.get(tp) == Some(&Membership::Added)
            || planted!("batches-overtake-their-partition")
    }

    /// Makes the partition a part of the transaction. Returns whether it was none before: then a coordinator has to be
    /// told, or batches may go that were held back.
    pub(super) fn add(&mut self, tp: &TopicPartition) -> bool {
        if self.partitions.contains_key(tp) {
            return false;
        }
        let membership = match self.version {
            TransactionVersion::V1 => Membership::New,
            TransactionVersion::V2 => {
                self.started = true;
                Membership::Added
            }
        };
        self.partitions.insert(tp.clone(), membership);
        !(planted!("partition-joins-in-silence") && membership == Membership::Added)
    }

    pub(super) fn has(&self, membership: Membership) -> bool {
        self.partitions.values().any(|found| *found == membership)
    }

    /// The partitions that the coordinator does not know yet; all of them count as asked for from now on. Sorted.
    pub(super) fn take_unknown(&mut self) -> Vec<TopicPartition> {
        let mut unknown = Vec::new();
        for (tp, membership) in &mut self.partitions {
            if *membership != Membership::Added {
                *membership = Membership::Pending;
                unknown.push(tp.clone());
            }
        }
        unknown.sort();
        unknown
    }

    /// The coordinator has these partitions.
    pub(super) fn added<'a>(&mut self, partitions: impl Iterator<Item = &'a TopicPartition>) {
        for tp in partitions {
            self.partitions.insert(tp.clone(), Membership::Added);
        }
        self.started = true;
    }

    /// Leaves out what no coordinator was told of: nothing of it was sent.
    pub(super) fn drop_new(&mut self) {
        self.partitions
            .retain(|_, membership| *membership != Membership::New);
    }
}
