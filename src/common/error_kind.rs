//! Every kind of failure, by the name Java gives it, with the families it belongs to.
//!
//! Java: `common/errors/*.java`, `common/KafkaException.java`.
//! Differs: the class tree is a table of families, so a predicate is a bit test and a new kind is one line.
//! Threads: plain data. Locks: none.

macro_rules! error_kinds {
    ($($kind:ident = $families:expr,)+) => {
        /// What went wrong, by the name of Java's exception class without the word `Exception`.
        ///
        /// New kinds may come with new versions of Kafka, so a `match` needs a `_` arm; the predicates of
        /// [`KafkaError`](crate::KafkaError) are the better way to decide what to do.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $(#[doc = concat!("Java: `", stringify!($kind), "Exception`.")] $kind,)+
        }

        impl ErrorKind {
            /// Every kind there is, in the order of the table.
            pub const ALL: &'static [ErrorKind] = &[$(ErrorKind::$kind,)+];

            /// The name of the kind: Java's class name without `Exception`.
            pub fn name(self) -> &'static str {
                match self {
                    $(ErrorKind::$kind => stringify!($kind),)+
                }
            }

            fn families(self) -> u8 {
                match self {
                    $(ErrorKind::$kind => $families,)+
                }
            }
        }
    };
}

error_kinds! {
    Kafka = NONE,
    Config = NONE,
    Serialization = NONE,
    Interrupt = NONE,
    IllegalState = NONE,
    IllegalArgument = NONE,
    BufferExhausted = RETRIABLE,
    Disconnect = RETRIABLE,
    TransactionAborted = NONE,
    CommitFailed = NONE,
    SslAuthentication = AUTHENTICATION | CONFIGURATION,
    BootstrapResolution = NONE,
    Forked = NONE,
    UnknownServer = NONE,
    OffsetOutOfRange = NONE,
    CorruptRecord = RETRIABLE,
    UnknownTopicOrPartition = RETRIABLE | REFRESH | INVALID_METADATA,
    InvalidFetchSize = NONE,
    LeaderNotAvailable = RETRIABLE | REFRESH | INVALID_METADATA,
    NotLeaderOrFollower = RETRIABLE | REFRESH | INVALID_METADATA,
    Timeout = RETRIABLE,
    BrokerNotAvailable = NONE,
    ReplicaNotAvailable = RETRIABLE | REFRESH | INVALID_METADATA,
    RecordTooLarge = NONE,
    ControllerMoved = NONE,
    OffsetMetadataTooLarge = NONE,
    Network = RETRIABLE | REFRESH | INVALID_METADATA,
    CoordinatorLoadInProgress = RETRIABLE,
    CoordinatorNotAvailable = RETRIABLE | REFRESH,
    NotCoordinator = RETRIABLE | REFRESH,
    InvalidTopic = CONFIGURATION,
    RecordBatchTooLarge = CONFIGURATION,
    NotEnoughReplicas = RETRIABLE,
    NotEnoughReplicasAfterAppend = RETRIABLE,
    InvalidRequiredAcks = CONFIGURATION,
    IllegalGeneration = RECOVERABLE,
    InconsistentGroupProtocol = NONE,
    InvalidGroupId = NONE,
    UnknownMemberId = RECOVERABLE,
    InvalidSessionTimeout = NONE,
    RebalanceInProgress = NONE,
    InvalidCommitOffsetSize = NONE,
    TopicAuthorization = AUTHORIZATION | CONFIGURATION,
    GroupAuthorization = AUTHORIZATION | CONFIGURATION,
    ClusterAuthorization = AUTHORIZATION | CONFIGURATION,
    InvalidTimestamp = NONE,
    UnsupportedSaslMechanism = AUTHENTICATION | CONFIGURATION,
    IllegalSaslState = AUTHENTICATION | CONFIGURATION,
    UnsupportedVersion = CONFIGURATION,
    TopicExists = NONE,
    InvalidPartitions = NONE,
    InvalidReplicationFactor = CONFIGURATION,
    InvalidReplicaAssignment = NONE,
    InvalidConfiguration = CONFIGURATION,
    NotController = RETRIABLE,
    InvalidRequest = NONE,
    UnsupportedForMessageFormat = CONFIGURATION,
    PolicyViolation = NONE,
    OutOfOrderSequence = NONE,
    DuplicateSequence = NONE,
    InvalidProducerEpoch = RECOVERABLE,
    InvalidTxnState = NONE,
    InvalidPidMapping = RECOVERABLE,
    InvalidTxnTimeout = NONE,
    ConcurrentTransactions = RETRIABLE,
    TransactionCoordinatorFenced = NONE,
    TransactionalIdAuthorization = AUTHORIZATION | CONFIGURATION,
    SecurityDisabled = NONE,
    OperationNotAttempted = NONE,
    KafkaStorage = RETRIABLE | REFRESH | INVALID_METADATA,
    LogDirNotFound = NONE,
    SaslAuthentication = AUTHENTICATION | CONFIGURATION,
    UnknownProducerId = NONE,
    ReassignmentInProgress = NONE,
    DelegationTokenDisabled = NONE,
    DelegationTokenNotFound = NONE,
    DelegationTokenOwnerMismatch = NONE,
    UnsupportedByAuthentication = NONE,
    DelegationTokenAuthorization = AUTHORIZATION | CONFIGURATION,
    DelegationTokenExpired = NONE,
    InvalidPrincipalType = NONE,
    GroupNotEmpty = NONE,
    GroupIdNotFound = NONE,
    FetchSessionIdNotFound = RETRIABLE,
    InvalidFetchSessionEpoch = RETRIABLE,
    ListenerNotFound = RETRIABLE | REFRESH | INVALID_METADATA,
    TopicDeletionDisabled = NONE,
    FencedLeaderEpoch = RETRIABLE | REFRESH | INVALID_METADATA,
    UnknownLeaderEpoch = RETRIABLE,
    UnsupportedCompressionType = NONE,
    StaleBrokerEpoch = NONE,
    OffsetNotAvailable = RETRIABLE,
    MemberIdRequired = NONE,
    PreferredLeaderNotAvailable = RETRIABLE | REFRESH | INVALID_METADATA,
    GroupMaxSizeReached = NONE,
    FencedInstanceId = RECOVERABLE,
    EligibleLeadersNotAvailable = RETRIABLE | REFRESH | INVALID_METADATA,
    ElectionNotNeeded = RETRIABLE | REFRESH | INVALID_METADATA,
    NoReassignmentInProgress = NONE,
    GroupSubscribedToTopic = NONE,
    InvalidRecord = CONFIGURATION,
    UnstableOffsetCommit = RETRIABLE,
    ThrottlingQuotaExceeded = RETRIABLE,
    ProducerFenced = RECOVERABLE,
    ResourceNotFound = NONE,
    DuplicateResource = NONE,
    UnacceptableCredential = NONE,
    InconsistentVoterSet = NONE,
    InvalidUpdateVersion = NONE,
    FeatureUpdateFailed = NONE,
    PrincipalDeserialization = NONE,
    SnapshotNotFound = NONE,
    PositionOutOfRange = NONE,
    UnknownTopicId = RETRIABLE | REFRESH | INVALID_METADATA,
    DuplicateBrokerRegistration = NONE,
    BrokerIdNotRegistered = NONE,
    InconsistentTopicId = RETRIABLE | REFRESH | INVALID_METADATA,
    InconsistentClusterId = NONE,
    TransactionalIdNotFound = NONE,
    FetchSessionTopicId = RETRIABLE,
    IneligibleReplica = NONE,
    NewLeaderElected = NONE,
    OffsetMovedToTieredStorage = NONE,
    FencedMemberEpoch = NONE,
    UnreleasedInstanceId = NONE,
    UnsupportedAssignor = NONE,
    StaleMemberEpoch = NONE,
    MismatchedEndpointType = NONE,
    UnsupportedEndpointType = NONE,
    UnknownControllerId = NONE,
    UnknownSubscriptionId = NONE,
    TelemetryTooLarge = NONE,
    InvalidRegistration = NONE,
    TransactionAbortable = ABORTABLE,
    InvalidRecordState = NONE,
    ShareSessionNotFound = RETRIABLE,
    InvalidShareSessionEpoch = RETRIABLE,
    FencedStateEpoch = NONE,
    InvalidVoterKey = NONE,
    DuplicateVoter = NONE,
    VoterNotFound = NONE,
    InvalidRegularExpression = NONE,
    RebootstrapRequired = NONE,
    StreamsInvalidTopology = NONE,
    StreamsInvalidTopologyEpoch = NONE,
    StreamsTopologyFenced = NONE,
    ShareSessionLimitReached = RETRIABLE,
}

impl ErrorKind {
    /// Java's full class name, as the verifiable producer prints it.
    pub fn java_class(self) -> String {
        match self {
            ErrorKind::IllegalState | ErrorKind::IllegalArgument => {
                format!("java.lang.{}Exception", self.name())
            }
            ErrorKind::Kafka => "org.apache.kafka.common.KafkaException".to_owned(),
            ErrorKind::Config => "org.apache.kafka.common.config.ConfigException".to_owned(),
            ErrorKind::BufferExhausted => {
                "org.apache.kafka.clients.producer.BufferExhaustedException".to_owned()
            }
            ErrorKind::CommitFailed => {
                "org.apache.kafka.clients.consumer.CommitFailedException".to_owned()
            }
            ErrorKind::OffsetMetadataTooLarge => {
                "org.apache.kafka.common.errors.OffsetMetadataTooLarge".to_owned()
            }
            _ => format!("org.apache.kafka.common.errors.{}Exception", self.name()),
        }
    }

    /// The failure passes by itself: the same call may succeed later (Java: `RetriableException`).
    pub fn is_retriable(self) -> bool {
        self.families() & RETRIABLE != 0
    }

    /// What is known about leaders or coordinators is stale (Java: `RefreshRetriableException`).
    pub fn is_refresh_retriable(self) -> bool {
        self.families() & REFRESH != 0
    }

    /// The cluster metadata is stale (Java: `InvalidMetadataException`).
    pub fn is_invalid_metadata(self) -> bool {
        self.families() & INVALID_METADATA != 0
    }

    /// The principal lacks a permission (Java: `AuthorizationException`).
    pub fn is_authorization(self) -> bool {
        self.families() & AUTHORIZATION != 0
    }

    /// The broker did not accept who we are (Java: `AuthenticationException`).
    pub fn is_authentication(self) -> bool {
        self.families() & AUTHENTICATION != 0
    }

    /// The transaction must be aborted and may then be tried again (KIP-1050).
    pub fn is_abortable(self) -> bool {
        self.families() & ABORTABLE != 0
    }

    /// The set-up must change; retrying is pointless (KIP-1050: `InvalidConfigurationException`).
    pub fn is_invalid_configuration(self) -> bool {
        self.families() & CONFIGURATION != 0
    }

    /// The application must make a new producer and recover its own state (KIP-1050).
    pub fn is_application_recoverable(self) -> bool {
        self.families() & RECOVERABLE != 0
    }
}

const NONE: u8 = 0;
const RETRIABLE: u8 = 1;
const REFRESH: u8 = 1 << 1;
const INVALID_METADATA: u8 = 1 << 2;
const AUTHORIZATION: u8 = 1 << 3;
const AUTHENTICATION: u8 = 1 << 4;
const ABORTABLE: u8 = 1 << 5;
const CONFIGURATION: u8 = 1 << 6;
const RECOVERABLE: u8 = 1 << 7;
