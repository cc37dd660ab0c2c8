//! Situations by name: each must come up in some seed, or the simulator does not test what we think it does.
//!
//! Java: none.
//! Differs: marked by the simulator and its observer, so that the product carries none of this.
//! Threads: one per seed. Locks: none.

macro_rules! situations {
    ($($name:ident = $text:literal,)+) => {
        /// Something that should sometimes happen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Situation {
            $($name,)+
        }

        impl Situation {
            /// All of them.
            pub(super) const ALL: &'static [Situation] = &[$(Situation::$name,)+];

            /// In words.
            pub(super) fn text(self) -> &'static str {
                match self {
                    $(Situation::$name => $text,)+
                }
            }
        }
    };
}

situations! {
    // The network.
    AttemptVanished = "a connection attempt vanishes",
    AnswerToAttemptVanished = "the answer to a connection attempt vanishes",
    AttemptDuplicated = "a connection attempt arrives twice",
    AttemptRefused = "a connection is refused",
    AttemptGivenUp = "a connection attempt is given up",
    PartialWrite = "a write takes a part of a frame",
    WindowFull = "a socket takes nothing because the other side does not read",
    CutInTheMiddle = "a connection breaks in the middle of a frame",
    FrameInPieces = "a frame arrives in pieces",
    ClosedWhileWriting = "a connection is given up with a frame half written",
    ClosedWhileAwaiting = "a connection is given up with requests unanswered",
    ClosedWhileAwaitingMany = "a connection is given up with five requests unanswered",
    BytesOutliveConnection = "bytes arrive at a broker after the client gave their connection up",
    LateRequestHandled = "a broker handles a Produce request whose connection the client gave up",
    LateRequestWritten = "a batch is written by a request whose connection the client gave up",
    LateAnswerDropped = "an answer arrives on a connection that the client gave up",
    IdleConnectionClosed = "an idle connection is closed",
    ResetWithUnreadAnswer = "a reset destroys an answer that was not read",
    EndWithUnreadAnswer = "a connection ends behind an answer that is read first",
    TwoAnswersAtOnce = "two answers wait on one connection",
    // What goes wrong, each with a request unanswered.
    DuringBlackHoleToBroker = "requests do not arrive",
    DuringBlackHoleToClient = "answers do not arrive",
    DuringDrip = "bytes dribble",
    DuringSlow = "packets are slow",
    DuringCuts = "connections break at any byte",
    DuringReset = "all connections to a broker break",
    DuringRefuse = "a broker refuses connections",
    DuringSwallow = "a broker's machine answers no connection attempt",
    DuringKill = "a broker dies",
    DuringPowerLoss = "a broker dies and says nothing",
    DuringFreeze = "a broker freezes",
    DuringFreezeAndFailover = "a frozen broker loses its partitions",
    DuringThaw = "a broker goes on after it lost its partitions",
    DuringLeaderMove = "a partition gets another leader",
    DuringStall = "the I/O thread does not run",
    DuringIsolation = "a broker is cut off from the others",
    DuringHoldBack = "a follower copies nothing",
    DuringGrow = "a topic gets one more partition",
    AllBrokersDown = "no broker runs",
    TwoBrokersDown = "two brokers are down at once",
    DuringCoordinatorMove = "another broker coordinates a transaction",
    // Transactions.
    LateEndHandled = "a broker handles an end of a transaction whose connection the client gave up",
    TransactionOfVersion1 = "a transaction of version 1 commits",
    TransactionOfVersion2 = "a transaction of version 2 commits",
    TransactionEmpty = "a transaction without anything commits",
    TransactionWithOffsets = "a transaction with offsets commits",
    TransactionAborted = "a transaction is aborted because the application wants it",
    TransactionAbortedAfterError = "a transaction is aborted because something failed",
    TransactionInitRepeated = "a call to init times out and is repeated",
    TransactionEndRepeated = "a commit or an abort times out and is repeated",
    TransactionOffsetsTimeOut = "a call that sends offsets times out",
    TransactionFenced = "an older instance is fenced",
    TransactionFatal = "a producer fails for good in a transaction",
    TransactionTakenOver = "a newer instance ends the transaction of an older one",
    TransactionUnknownVisible = "a commit without an outcome took effect",
    TransactionUnknownInvisible = "a commit without an outcome took no effect",
    // The applications.
    SendWaitsForMetadata = "a send waits for metadata",
    SendWaitsForMemory = "a send waits for memory",
    SendWaitedInVain = "a send waits until its limit",
    SendTooLarge = "a record is refused because it is too large",
    SendAfterClose = "a record is refused because the producer is closed",
    SendAfterFailure = "a record is refused because the producer has failed",
    GetEndsTheLinger = "a get sends a batch before its linger is over",
    GetOfDone = "a get finds its record done",
    FlushCompletes = "a flush completes",
    FlushOfNothing = "a flush has nothing to wait for",
    FlushTimesOut = "a flush runs into its limit",
    CloseCompletes = "a close delivers everything",
    CloseGivesUp = "a close runs into its limit",
    CloseAtOnce = "a close without a limit finds records on their way",
    CloseHandsBack = "a close hands back records that were never sent",
    CloseHandsBackUnknown = "a close hands back records that may be written",
    TwoThreadsOnePartition = "two threads send to one partition at the same time",
    ThreeProducers = "three producers run",
    // What is on the wires.
    TwoConnectionsInTurn = "a batch is sent on a second connection",
    TwoBrokersInTurn = "a batch is sent to a second broker",
    SentThreeTimes = "a batch is sent three times",
    SentTenTimes = "a batch is sent ten times",
    FiveInFlight = "five Produce requests are unanswered on one connection",
    TwoLeadersInFlight = "Produce requests to two brokers are unanswered",
    ManyPartitionsInOneRequest = "one request has batches for three partitions",
    ManyTopicsInOneRequest = "one request has batches for two topics",
    ManyRecordsInOneBatch = "one batch has ten records",
    CompressedGzip = "a batch is compressed with gzip",
    CompressedSnappy = "a batch is compressed with snappy",
    CompressedLz4 = "a batch is compressed with lz4",
    CompressedZstd = "a batch is compressed with zstd",
    WithoutAcks = "a request wants no answer",
    WithLeaderAcks = "a request wants the leader's answer",
    SecondEpoch = "a batch is sent under a second epoch",
    FifthEpoch = "a batch is sent under a fifth epoch",
    TwoEpochsInFlight = "batches of two epochs are unanswered",
    RefusedThenRenumbered = "a refused batch is sent under other numbers",
    RetriedUnderOldEpoch = "a batch is retried under an epoch that is not the newest",
    RetryIsAcknowledged = "a batch is acknowledged that was sent before without an answer",
    DuplicateRecognized = "a broker recognizes a batch that it has",
    MetadataFromAnother = "metadata is asked of a second broker",
    ProducerIdAskedAgain = "a producer id is asked for a second time",
    VersionsAskedAgain = "versions are asked for on a second connection",
    // Answers to batches.
    AnswerNotLeader = "NOT_LEADER_OR_FOLLOWER",
    AnswerNotLeaderWithLeader = "NOT_LEADER_OR_FOLLOWER that names the leader",
    AnswerLeaderNotAvailable = "LEADER_NOT_AVAILABLE",
    AnswerUnknownTopic = "UNKNOWN_TOPIC_OR_PARTITION",
    AnswerUnknownTopicId = "UNKNOWN_TOPIC_ID",
    AnswerNotEnoughReplicas = "NOT_ENOUGH_REPLICAS",
    AnswerNotEnoughReplicasAfter = "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
    AnswerTimedOut = "REQUEST_TIMED_OUT",
    AnswerStorage = "KAFKA_STORAGE_ERROR",
    AnswerCorrupt = "CORRUPT_MESSAGE",
    AnswerInvalidRecord = "INVALID_RECORD",
    AnswerTopicAuthorization = "TOPIC_AUTHORIZATION_FAILED",
    AnswerClusterAuthorization = "CLUSTER_AUTHORIZATION_FAILED",
    AnswerTooLarge = "MESSAGE_TOO_LARGE",
    AnswerInvalidTimestamp = "INVALID_TIMESTAMP",
    AnswerUnknownServer = "UNKNOWN_SERVER_ERROR",
    AnswerPolicy = "POLICY_VIOLATION",
    AnswerOutOfOrder = "OUT_OF_ORDER_SEQUENCE_NUMBER",
    AnswerInvalidEpoch = "INVALID_PRODUCER_EPOCH",
    AnswerUnknownProducer = "UNKNOWN_PRODUCER_ID",
    // Outcomes of records.
    OutcomeTimeoutNotWritten = "a record times out and was never written",
    OutcomeTimeoutMaybe = "a record times out and may be written",
    OutcomeMaybeWritten = "a record fails, may be written, and is",
    OutcomeMaybeNotWritten = "a record fails, may be written, and is not",
    OutcomeInAddedPartition = "a record goes to a partition that was added",
    OutcomeInMadeTopic = "a record goes to a topic that is made because it is asked for",
    OutcomeWithOwnTimestamp = "a record with a timestamp of its own is written",
    OutcomeWithHeaders = "a record with headers is written",
    OutcomeDisconnect = "a record fails because of its connection",
    OutcomeRefused = "a record fails because a broker refused it",
    OutcomeTooLarge = "a record fails because it is too large for the broker",
    OutcomeAuthorization = "a record fails for lack of a right",
    OutcomeSequence = "a record fails because of its number",
    OutcomeClosed = "a record fails because the producer closed",
    OutcomeFatal = "a record fails and with it the producer",
    OutcomeDuplicated = "a record is written twice without idempotence",
    OutcomeAllWell = "all records of a seed are acknowledged in spite of faults",
    OutcomeAtTheLimit = "a record's outcome comes in the last hundredth of its time",
    ProbeOfIdempotent = "an idempotent producer is tried after the faults",
    ProbeOfFailed = "a producer that failed refuses what is tried after the faults",
}

/// Which situations came up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Situations {
    bits: [u64; 4],
}

impl Situations {
    #[inline]
    pub(super) fn mark(&mut self, situation: Situation) {
        let at = situation as usize;
        self.bits[at / 64] |= 1 << (at % 64);
    }

    pub(super) fn has(&self, situation: Situation) -> bool {
        let at = situation as usize;
        self.bits[at / 64] & (1 << (at % 64)) != 0
    }
}
