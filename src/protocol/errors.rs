//! Every error code that a Kafka 4.3 broker can answer with.
//!
//! Java: `common/protocol/Errors.java`.
//! Differs: a code we do not know keeps its number; the sentences are our own; the family of an error follows from its kind.
//! Threads: plain data. Locks: none.

use std::fmt;

use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;

macro_rules! errors {
    ($($code:literal $error:ident $name:ident $(=> $kind:ident)? $text:literal;)+) => {
        /// What a broker says about a request, or about one part of it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum Errors {
            $($error,)+
            /// A code that is newer than this client.
            Unlisted(i16),
        }

        impl Errors {
            /// Every code that has a name, in rising order.
            #[cfg(any(test, feature = "embedded-broker"))]
            pub(crate) const ALL: &'static [Errors] = &[$(Errors::$error,)+];

            pub(crate) fn from_code(code: i16) -> Self {
                match code {
                    $($code => Errors::$error,)+
                    _ => Errors::Unlisted(code),
                }
            }

            /// The number on the wire.
            pub(crate) fn code(self) -> i16 {
                match self {
                    $(Errors::$error => $code,)+
                    Errors::Unlisted(code) => code,
                }
            }

            /// Java's name of the constant.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Errors::$error => stringify!($name),)+
                    Errors::Unlisted(_) => "UNKNOWN_SERVER_ERROR",
                }
            }

            /// What it means, in a sentence.
            pub(crate) fn text(self) -> &'static str {
                match self {
                    $(Errors::$error => $text,)+
                    Errors::Unlisted(_) => "the broker answered with an error code that this client does not know",
                }
            }

            /// The kind of failure, or nothing where there is none.
            pub(crate) fn kind(self) -> Option<ErrorKind> {
                match self {
                    $($(Errors::$error => Some(ErrorKind::$kind),)?)+
                    Errors::None => None,
                    Errors::Unlisted(_) => Some(ErrorKind::UnknownServer),
                }
            }
        }
    };
}

errors! {
    -1 UnknownServerError UNKNOWN_SERVER_ERROR => UnknownServer "the broker met a failure of its own that has no code";
    0 None NONE "no error";
    1 OffsetOutOfRange OFFSET_OUT_OF_RANGE => OffsetOutOfRange "the offset lies outside what the broker keeps of the partition";
    2 CorruptMessage CORRUPT_MESSAGE => CorruptRecord "the batch failed its checksum, has a bad size, or lacks a key in a compacted topic";
    3 UnknownTopicOrPartition UNKNOWN_TOPIC_OR_PARTITION => UnknownTopicOrPartition "the broker does not host this partition, or the topic does not exist";
    4 InvalidFetchSize INVALID_FETCH_SIZE => InvalidFetchSize "the fetch size is not valid";
    5 LeaderNotAvailable LEADER_NOT_AVAILABLE => LeaderNotAvailable "the partition has no leader while a new one is elected";
    6 NotLeaderOrFollower NOT_LEADER_OR_FOLLOWER => NotLeaderOrFollower "the broker no longer leads this partition, or keeps no copy of it";
    7 RequestTimedOut REQUEST_TIMED_OUT => Timeout "the broker could not finish the request in the time it was given";
    8 BrokerNotAvailable BROKER_NOT_AVAILABLE => BrokerNotAvailable "the broker is not available";
    9 ReplicaNotAvailable REPLICA_NOT_AVAILABLE => ReplicaNotAvailable "the copy of the partition that was asked for is not available";
    10 MessageTooLarge MESSAGE_TOO_LARGE => RecordTooLarge "the batch is larger than the broker or the topic accepts";
    11 StaleControllerEpoch STALE_CONTROLLER_EPOCH => ControllerMoved "another controller has taken over";
    12 OffsetMetadataTooLarge OFFSET_METADATA_TOO_LARGE => OffsetMetadataTooLarge "the metadata text of the committed offset is too long";
    13 NetworkException NETWORK_EXCEPTION => Network "the connection was lost before the answer came";
    14 CoordinatorLoadInProgress COORDINATOR_LOAD_IN_PROGRESS => CoordinatorLoadInProgress "the coordinator is still loading its state";
    15 CoordinatorNotAvailable COORDINATOR_NOT_AVAILABLE => CoordinatorNotAvailable "the coordinator is not available";
    16 NotCoordinator NOT_COORDINATOR => NotCoordinator "the broker is not the coordinator";
    17 InvalidTopicException INVALID_TOPIC_EXCEPTION => InvalidTopic "the topic name is not valid or the topic does not allow this operation";
    18 RecordListTooLarge RECORD_LIST_TOO_LARGE => RecordBatchTooLarge "the batch is larger than a log segment of the broker";
    19 NotEnoughReplicas NOT_ENOUGH_REPLICAS => NotEnoughReplicas "fewer replicas are in sync than min.insync.replicas asks for, nothing was written";
    20 NotEnoughReplicasAfterAppend NOT_ENOUGH_REPLICAS_AFTER_APPEND => NotEnoughReplicasAfterAppend "the batch was written, but fewer replicas are in sync than min.insync.replicas asks for";
    21 InvalidRequiredAcks INVALID_REQUIRED_ACKS => InvalidRequiredAcks "the broker does not take this value of acks";
    22 IllegalGeneration ILLEGAL_GENERATION => IllegalGeneration "the generation of the group is not valid";
    23 InconsistentGroupProtocol INCONSISTENT_GROUP_PROTOCOL => InconsistentGroupProtocol "the member's protocols do not fit those of the group";
    24 InvalidGroupId INVALID_GROUP_ID => InvalidGroupId "the group id is not valid";
    25 UnknownMemberId UNKNOWN_MEMBER_ID => UnknownMemberId "the coordinator does not know this member";
    26 InvalidSessionTimeout INVALID_SESSION_TIMEOUT => InvalidSessionTimeout "the session timeout lies outside the broker's limits";
    27 RebalanceInProgress REBALANCE_IN_PROGRESS => RebalanceInProgress "the group is rebalancing";
    28 InvalidCommitOffsetSize INVALID_COMMIT_OFFSET_SIZE => InvalidCommitOffsetSize "the size of the commit is not valid";
    29 TopicAuthorizationFailed TOPIC_AUTHORIZATION_FAILED => TopicAuthorization "the principal is not allowed to use this topic";
    30 GroupAuthorizationFailed GROUP_AUTHORIZATION_FAILED => GroupAuthorization "the principal is not allowed to use this group";
    31 ClusterAuthorizationFailed CLUSTER_AUTHORIZATION_FAILED => ClusterAuthorization "the principal is not allowed to do this on the cluster";
    32 InvalidTimestamp INVALID_TIMESTAMP => InvalidTimestamp "the timestamp of a record lies outside what the topic accepts";
    33 UnsupportedSaslMechanism UNSUPPORTED_SASL_MECHANISM => UnsupportedSaslMechanism "the broker does not offer this SASL mechanism";
    34 IllegalSaslState ILLEGAL_SASL_STATE => IllegalSaslState "the request does not fit the state of the SASL exchange";
    35 UnsupportedVersion UNSUPPORTED_VERSION => UnsupportedVersion "the broker does not speak this version of the request";
    36 TopicAlreadyExists TOPIC_ALREADY_EXISTS => TopicExists "a topic of this name exists already";
    37 InvalidPartitions INVALID_PARTITIONS => InvalidPartitions "the number of partitions is below 1";
    38 InvalidReplicationFactor INVALID_REPLICATION_FACTOR => InvalidReplicationFactor "the replication factor is below 1 or above the number of brokers";
    39 InvalidReplicaAssignment INVALID_REPLICA_ASSIGNMENT => InvalidReplicaAssignment "the assignment of replicas is not valid";
    40 InvalidConfig INVALID_CONFIG => InvalidConfiguration "the configuration is not valid";
    41 NotController NOT_CONTROLLER => NotController "the broker is not the controller";
    42 InvalidRequest INVALID_REQUEST => InvalidRequest "the broker found the request malformed; its log may say more";
    43 UnsupportedForMessageFormat UNSUPPORTED_FOR_MESSAGE_FORMAT => UnsupportedForMessageFormat "the message format of the topic is too old for this request";
    44 PolicyViolation POLICY_VIOLATION => PolicyViolation "the request breaks a policy of the cluster";
    45 OutOfOrderSequenceNumber OUT_OF_ORDER_SEQUENCE_NUMBER => OutOfOrderSequence "the batch does not follow the last one of this producer and partition";
    46 DuplicateSequenceNumber DUPLICATE_SEQUENCE_NUMBER => DuplicateSequence "the batch has been written before";
    47 InvalidProducerEpoch INVALID_PRODUCER_EPOCH => InvalidProducerEpoch "the epoch of the producer is too old";
    48 InvalidTxnState INVALID_TXN_STATE => InvalidTxnState "the transaction is in a state that does not allow this";
    49 InvalidProducerIdMapping INVALID_PRODUCER_ID_MAPPING => InvalidPidMapping "the producer id does not belong to the transactional id";
    50 InvalidTransactionTimeout INVALID_TRANSACTION_TIMEOUT => InvalidTxnTimeout "the transaction timeout is above transaction.max.timeout.ms of the broker";
    51 ConcurrentTransactions CONCURRENT_TRANSACTIONS => ConcurrentTransactions "another operation on the same transaction is still going on";
    52 TransactionCoordinatorFenced TRANSACTION_COORDINATOR_FENCED => TransactionCoordinatorFenced "the transaction coordinator has been replaced";
    53 TransactionalIdAuthorizationFailed TRANSACTIONAL_ID_AUTHORIZATION_FAILED => TransactionalIdAuthorization "the principal is not allowed to use this transactional id";
    54 SecurityDisabled SECURITY_DISABLED => SecurityDisabled "the broker has no security switched on";
    55 OperationNotAttempted OPERATION_NOT_ATTEMPTED => OperationNotAttempted "the broker did not try this part because another part of the request failed";
    56 KafkaStorageError KAFKA_STORAGE_ERROR => KafkaStorage "the broker cannot use the disk the partition is on";
    57 LogDirNotFound LOG_DIR_NOT_FOUND => LogDirNotFound "the broker has no such log directory";
    58 SaslAuthenticationFailed SASL_AUTHENTICATION_FAILED => SaslAuthentication "the broker did not accept the credentials";
    59 UnknownProducerId UNKNOWN_PRODUCER_ID => UnknownProducerId "the broker has forgotten this producer id for the partition";
    60 ReassignmentInProgress REASSIGNMENT_IN_PROGRESS => ReassignmentInProgress "the partitions are being reassigned";
    61 DelegationTokenAuthDisabled DELEGATION_TOKEN_AUTH_DISABLED => DelegationTokenDisabled "delegation tokens are switched off";
    62 DelegationTokenNotFound DELEGATION_TOKEN_NOT_FOUND => DelegationTokenNotFound "there is no such delegation token";
    63 DelegationTokenOwnerMismatch DELEGATION_TOKEN_OWNER_MISMATCH => DelegationTokenOwnerMismatch "the principal does not own the delegation token and may not renew it";
    64 DelegationTokenRequestNotAllowed DELEGATION_TOKEN_REQUEST_NOT_ALLOWED => UnsupportedByAuthentication "delegation tokens cannot be asked for over this kind of connection";
    65 DelegationTokenAuthorizationFailed DELEGATION_TOKEN_AUTHORIZATION_FAILED => DelegationTokenAuthorization "the principal is not allowed to use this delegation token";
    66 DelegationTokenExpired DELEGATION_TOKEN_EXPIRED => DelegationTokenExpired "the delegation token has expired";
    67 InvalidPrincipalType INVALID_PRINCIPAL_TYPE => InvalidPrincipalType "the type of the principal is not supported";
    68 NonEmptyGroup NON_EMPTY_GROUP => GroupNotEmpty "the group still has members";
    69 GroupIdNotFound GROUP_ID_NOT_FOUND => GroupIdNotFound "there is no such group";
    70 FetchSessionIdNotFound FETCH_SESSION_ID_NOT_FOUND => FetchSessionIdNotFound "the broker has no such fetch session";
    71 InvalidFetchSessionEpoch INVALID_FETCH_SESSION_EPOCH => InvalidFetchSessionEpoch "the epoch of the fetch session is not valid";
    72 ListenerNotFound LISTENER_NOT_FOUND => ListenerNotFound "the leader does not listen where the metadata was asked for";
    73 TopicDeletionDisabled TOPIC_DELETION_DISABLED => TopicDeletionDisabled "deleting topics is switched off";
    74 FencedLeaderEpoch FENCED_LEADER_EPOCH => FencedLeaderEpoch "the client knows an older leader of the partition than the broker";
    75 UnknownLeaderEpoch UNKNOWN_LEADER_EPOCH => UnknownLeaderEpoch "the client knows a newer leader of the partition than the broker";
    76 UnsupportedCompressionType UNSUPPORTED_COMPRESSION_TYPE => UnsupportedCompressionType "the broker does not take this compression codec at this version";
    77 StaleBrokerEpoch STALE_BROKER_EPOCH => StaleBrokerEpoch "the broker has been restarted since";
    78 OffsetNotAvailable OFFSET_NOT_AVAILABLE => OffsetNotAvailable "the new leader cannot tell the offset yet";
    79 MemberIdRequired MEMBER_ID_REQUIRED => MemberIdRequired "the member must come back with the id it was given";
    80 PreferredLeaderNotAvailable PREFERRED_LEADER_NOT_AVAILABLE => PreferredLeaderNotAvailable "the preferred leader is not available";
    81 GroupMaxSizeReached GROUP_MAX_SIZE_REACHED => GroupMaxSizeReached "the group is full";
    82 FencedInstanceId FENCED_INSTANCE_ID => FencedInstanceId "another member has taken over this group instance id";
    83 EligibleLeadersNotAvailable ELIGIBLE_LEADERS_NOT_AVAILABLE => EligibleLeadersNotAvailable "no replica is fit to become the leader";
    84 ElectionNotNeeded ELECTION_NOT_NEEDED => ElectionNotNeeded "the partition needs no election";
    85 NoReassignmentInProgress NO_REASSIGNMENT_IN_PROGRESS => NoReassignmentInProgress "no partition is being reassigned";
    86 GroupSubscribedToTopic GROUP_SUBSCRIBED_TO_TOPIC => GroupSubscribedToTopic "the group is subscribed to the topic";
    87 InvalidRecord INVALID_RECORD => InvalidRecord "the broker refused a record";
    88 UnstableOffsetCommit UNSTABLE_OFFSET_COMMIT => UnstableOffsetCommit "transactions that touch these offsets are not finished yet";
    89 ThrottlingQuotaExceeded THROTTLING_QUOTA_EXCEEDED => ThrottlingQuotaExceeded "a quota is used up";
    90 ProducerFenced PRODUCER_FENCED => ProducerFenced "a newer producer with the same transactional id has taken over";
    91 ResourceNotFound RESOURCE_NOT_FOUND => ResourceNotFound "there is no such resource";
    92 DuplicateResource DUPLICATE_RESOURCE => DuplicateResource "the request names a resource twice";
    93 UnacceptableCredential UNACCEPTABLE_CREDENTIAL => UnacceptableCredential "the credential does not meet the broker's demands";
    94 InconsistentVoterSet INCONSISTENT_VOTER_SET => InconsistentVoterSet "the sender or the receiver is not one of the voters";
    95 InvalidUpdateVersion INVALID_UPDATE_VERSION => InvalidUpdateVersion "the version of the update is not valid";
    96 FeatureUpdateFailed FEATURE_UPDATE_FAILED => FeatureUpdateFailed "the features of the cluster could not be updated";
    97 PrincipalDeserializationFailure PRINCIPAL_DESERIALIZATION_FAILURE => PrincipalDeserialization "the brokers could not pass on who sent the request";
    98 SnapshotNotFound SNAPSHOT_NOT_FOUND => SnapshotNotFound "there is no such snapshot";
    99 PositionOutOfRange POSITION_OUT_OF_RANGE => PositionOutOfRange "the position lies outside the snapshot";
    100 UnknownTopicId UNKNOWN_TOPIC_ID => UnknownTopicId "the broker hosts no topic with this id";
    101 DuplicateBrokerRegistration DUPLICATE_BROKER_REGISTRATION => DuplicateBrokerRegistration "another broker has this id";
    102 BrokerIdNotRegistered BROKER_ID_NOT_REGISTERED => BrokerIdNotRegistered "there is no broker with this id";
    103 InconsistentTopicId INCONSISTENT_TOPIC_ID => InconsistentTopicId "the topic's id is not the one the client knows: the topic was made anew";
    104 InconsistentClusterId INCONSISTENT_CLUSTER_ID => InconsistentClusterId "the client belongs to another cluster";
    105 TransactionalIdNotFound TRANSACTIONAL_ID_NOT_FOUND => TransactionalIdNotFound "there is no such transactional id";
    106 FetchSessionTopicIdError FETCH_SESSION_TOPIC_ID_ERROR => FetchSessionTopicId "the fetch session mixes topic names and topic ids";
    107 IneligibleReplica INELIGIBLE_REPLICA => IneligibleReplica "a replica is not fit to be in sync";
    108 NewLeaderElected NEW_LEADER_ELECTED => NewLeaderElected "the partition was changed, but has a new leader";
    109 OffsetMovedToTieredStorage OFFSET_MOVED_TO_TIERED_STORAGE => OffsetMovedToTieredStorage "the offset has moved to tiered storage";
    110 FencedMemberEpoch FENCED_MEMBER_EPOCH => FencedMemberEpoch "the coordinator has replaced this member";
    111 UnreleasedInstanceId UNRELEASED_INSTANCE_ID => UnreleasedInstanceId "the group instance id is still in use";
    112 UnsupportedAssignor UNSUPPORTED_ASSIGNOR => UnsupportedAssignor "the group does not support this assignor";
    113 StaleMemberEpoch STALE_MEMBER_EPOCH => StaleMemberEpoch "the epoch of the member is old";
    114 MismatchedEndpointType MISMATCHED_ENDPOINT_TYPE => MismatchedEndpointType "the endpoint is of the wrong type for this request";
    115 UnsupportedEndpointType UNSUPPORTED_ENDPOINT_TYPE => UnsupportedEndpointType "the type of endpoint is not supported yet";
    116 UnknownControllerId UNKNOWN_CONTROLLER_ID => UnknownControllerId "there is no controller with this id";
    117 UnknownSubscriptionId UNKNOWN_SUBSCRIPTION_ID => UnknownSubscriptionId "the telemetry subscription is not known or old";
    118 TelemetryTooLarge TELEMETRY_TOO_LARGE => TelemetryTooLarge "the telemetry push is larger than the broker accepts";
    119 InvalidRegistration INVALID_REGISTRATION => InvalidRegistration "the controller found the broker's registration not valid";
    120 TransactionAbortable TRANSACTION_ABORTABLE => TransactionAbortable "the transaction failed; abort it to go on with this transactional id";
    121 InvalidRecordState INVALID_RECORD_STATE => InvalidRecordState "the record cannot be acknowledged in the state it is in";
    122 ShareSessionNotFound SHARE_SESSION_NOT_FOUND => ShareSessionNotFound "there is no such share session";
    123 InvalidShareSessionEpoch INVALID_SHARE_SESSION_EPOCH => InvalidShareSessionEpoch "the epoch of the share session is not valid";
    124 FencedStateEpoch FENCED_STATE_EPOCH => FencedStateEpoch "the share group's state has moved on";
    125 InvalidVoterKey INVALID_VOTER_KEY => InvalidVoterKey "the key of the voter does not fit";
    126 DuplicateVoter DUPLICATE_VOTER => DuplicateVoter "the voter is one already";
    127 VoterNotFound VOTER_NOT_FOUND => VoterNotFound "there is no such voter";
    128 InvalidRegularExpression INVALID_REGULAR_EXPRESSION => InvalidRegularExpression "the regular expression is not valid";
    129 RebootstrapRequired REBOOTSTRAP_REQUIRED => RebootstrapRequired "the client's metadata is too old; it must start from its bootstrap servers";
    130 StreamsInvalidTopology STREAMS_INVALID_TOPOLOGY => StreamsInvalidTopology "the topology is not valid";
    131 StreamsInvalidTopologyEpoch STREAMS_INVALID_TOPOLOGY_EPOCH => StreamsInvalidTopologyEpoch "the epoch of the topology is not valid";
    132 StreamsTopologyFenced STREAMS_TOPOLOGY_FENCED => StreamsTopologyFenced "the epoch of the topology is old";
    133 ShareSessionLimitReached SHARE_SESSION_LIMIT_REACHED => ShareSessionLimitReached "there are too many share sessions";
}

impl Errors {
    /// The same request may succeed later.
    pub(crate) fn is_retriable(self) -> bool {
        self.kind().is_some_and(ErrorKind::is_retriable)
    }

    /// What we know about leaders is stale.
    pub(crate) fn is_invalid_metadata(self) -> bool {
        self.kind().is_some_and(ErrorKind::is_invalid_metadata)
    }

    /// The error as applications see it, with what the broker added to the code.
    pub(crate) fn exception(self, broker_message: Option<&str>) -> KafkaError {
        let kind = self.kind().unwrap_or(ErrorKind::UnknownServer);
        let message = match self {
            Errors::Unlisted(code) => format!("{} ({code})", self.text()),
            _ => self.text().to_owned(),
        };
        let error = KafkaError::new(kind, message);
        match broker_message {
            Some(said) if !said.is_empty() => error.with_broker_message(said),
            _ => error,
        }
    }
}

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Errors::Unlisted(code) => write!(f, "{}({code})", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Java: `ErrorsTest.testUniqueErrorCodes`.
    #[test]
    fn there_are_135_codes_and_each_is_found_again() {
        assert_eq!(Errors::ALL.len(), 135);
        for (error, code) in Errors::ALL.iter().zip(-1..) {
            assert_eq!(error.code(), code);
            assert_eq!(Errors::from_code(code), *error);
            assert_eq!(error.kind().is_none(), *error == Errors::None, "{error}");
        }
    }

    #[test]
    fn an_unknown_code_keeps_its_number_and_is_not_retriable() {
        let error = Errors::from_code(4711);
        assert_eq!((error.name(), error.code()), ("UNKNOWN_SERVER_ERROR", 4711));
        assert!(!error.is_retriable());
        assert!(error.exception(None).message().contains("4711"));
        assert_eq!(error.exception(None).kind(), ErrorKind::UnknownServer);
    }

    #[test]
    fn the_producers_errors_are_in_the_right_families() {
        let metadata = [3, 5, 6, 9, 13, 56, 72, 74, 100, 103];
        let retriable = [2, 7, 14, 15, 16, 19, 20, 51, 75, 89];
        let neither = [
            10, 17, 29, 35, 42, 45, 59, 47, 53, 76, 87, 90, 120, 129, 33, 34, 58,
        ];
        let families = |code| {
            let error = Errors::from_code(code);
            (error.is_retriable(), error.is_invalid_metadata())
        };
        assert!(metadata.iter().all(|code| families(*code) == (true, true)));
        assert!(
            retriable
                .iter()
                .all(|code| families(*code) == (true, false))
        );
        assert!(neither.iter().all(|code| families(*code) == (false, false)));
    }

    #[test]
    fn the_brokers_own_words_are_kept() {
        let error = Errors::InvalidRecord.exception(Some("no key"));
        assert_eq!(error.broker_message(), Some("no key"));
        assert_eq!(
            Errors::InvalidRecord.exception(Some("")).broker_message(),
            None
        );
    }
}
