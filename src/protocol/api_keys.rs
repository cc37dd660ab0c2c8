//! The requests we speak: number, versions, and the versions of their headers.
//!
//! Java: `common/protocol/ApiKeys.java`.
//! Differs: only the requests that a producer or the embedded broker needs; header versions stand in the table instead of
//! following from flexible versions, because they do not always follow (ApiVersions) and Kafka plans a third (KIP-1313).
//! Threads: plain data. Locks: none.

use std::fmt;
use std::ops::RangeInclusive;

macro_rules! api_keys {
    ($($(#[$gate:meta])* $api:ident = $id:literal, client $client:expr,
       request_header_2 $request:literal, response_header_1 $response:expr, throttle $throttle:literal;)+) => {
        /// A kind of request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum ApiKeys {
            $($(#[$gate])* $api,)+
        }

        impl ApiKeys {
            #[cfg(any(test, feature = "embedded-broker"))]
            pub(crate) const ALL: &'static [ApiKeys] = &[$($(#[$gate])* ApiKeys::$api,)+];

            /// The request with this number, or nothing where we do not speak it.
            #[cfg(any(test, feature = "embedded-broker"))]
            pub(crate) fn from_id(id: i16) -> Option<Self> {
                match id {
                    $($(#[$gate])* $id => Some(ApiKeys::$api),)+
                    _ => None,
                }
            }

            fn row(self) -> Row {
                match self {
                    $($(#[$gate])* ApiKeys::$api => Row {
                        id: $id,
                        name: stringify!($api),
                        client_versions: $client,
                        request_header_2_since: $request,
                        response_header_1_since: $response,
                        client_throttles_since: $throttle,
                    },)+
                }
            }
        }
    };
}

// `client` is what our producer asks for; the messages declare more. Metadata below 4 would make topics unasked,
// FindCoordinator 0 cannot name a transaction, AddPartitionsToTxn 4 is for brokers among themselves, and 4.x brokers list Produce 0 to 2 without serving them (KAFKA-18659).
// `throttle` is KIP-219: below it the broker held the answer back itself.
api_keys! {
    Produce = 0, client 3..=13, request_header_2 9, response_header_1 Some(9), throttle 6;
    #[cfg(any(test, feature = "embedded-broker"))]
    Fetch = 1, client 4..=18, request_header_2 12, response_header_1 Some(12), throttle 8;
    #[cfg(any(test, feature = "embedded-broker"))]
    ListOffsets = 2, client 1..=11, request_header_2 6, response_header_1 Some(6), throttle 3;
    Metadata = 3, client 4..=13, request_header_2 9, response_header_1 Some(9), throttle 6;
    #[cfg(any(test, feature = "embedded-broker"))]
    OffsetFetch = 9, client 1..=10, request_header_2 6, response_header_1 Some(6), throttle 4;
    FindCoordinator = 10, client 1..=6, request_header_2 3, response_header_1 Some(3), throttle 2;
    ApiVersions = 18, client 0..=4, request_header_2 3, response_header_1 None, throttle 2;
    #[cfg(any(test, feature = "embedded-broker"))]
    CreateTopics = 19, client 2..=7, request_header_2 5, response_header_1 Some(5), throttle 3;
    InitProducerId = 22, client 0..=6, request_header_2 2, response_header_1 Some(2), throttle 1;
    AddPartitionsToTxn = 24, client 0..=3, request_header_2 3, response_header_1 Some(3), throttle 1;
    AddOffsetsToTxn = 25, client 0..=4, request_header_2 3, response_header_1 Some(3), throttle 1;
    EndTxn = 26, client 0..=5, request_header_2 3, response_header_1 Some(3), throttle 1;
    TxnOffsetCommit = 28, client 0..=5, request_header_2 3, response_header_1 Some(3), throttle 1;
}

impl ApiKeys {
    /// The number on the wire.
    pub(crate) fn id(self) -> i16 {
        self.row().id
    }

    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    /// The versions that our client asks for.
    pub(crate) fn client_versions(self) -> RangeInclusive<i16> {
        self.row().client_versions
    }

    /// Header 1 has a client id, header 2 has tagged fields too.
    pub(crate) fn request_header_version(self, version: i16) -> i16 {
        if version >= self.row().request_header_2_since {
            2
        } else {
            1
        }
    }

    /// Header 1 has tagged fields. ApiVersions never has them: a broker that does not know the version must answer in a
    /// form that every client understands.
    pub(crate) fn response_header_version(self, version: i16) -> i16 {
        match self.row().response_header_1_since {
            Some(since) if version >= since => 1,
            _ => 0,
        }
    }

    /// Whether the client must keep quiet for the throttle time of an answer (KIP-219).
    pub(crate) fn client_throttles(self, version: i16) -> bool {
        version >= self.row().client_throttles_since
    }
}

impl fmt::Display for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

struct Row {
    id: i16,
    name: &'static str,
    client_versions: RangeInclusive<i16>,
    request_header_2_since: i16,
    response_header_1_since: Option<i16>,
    client_throttles_since: i16,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_found_by_its_number() {
        for api in ApiKeys::ALL {
            assert_eq!(ApiKeys::from_id(api.id()), Some(*api));
        }
        assert_eq!(ApiKeys::from_id(-1), None);
        assert_eq!(ApiKeys::from_id(4), None);
    }

    /// Scenario: P04.
    #[test]
    fn header_versions_follow_the_table_of_the_protocol_guide() {
        let flexible_since = [
            (0, 9),
            (1, 12),
            (2, 6),
            (3, 9),
            (9, 6),
            (10, 3),
            (18, 3),
            (19, 5),
            (22, 2),
            (24, 3),
            (25, 3),
            (26, 3),
            (28, 3),
        ];
        assert_eq!(flexible_since.len(), ApiKeys::ALL.len());
        for (id, since) in flexible_since {
            let api = ApiKeys::from_id(id).expect("listed");
            for version in api.versions() {
                let flexible = version >= since;
                assert_eq!(
                    api.request_header_version(version),
                    if flexible { 2 } else { 1 },
                    "{api} {version}"
                );
                let response = i16::from(flexible && api != ApiKeys::ApiVersions);
                assert_eq!(
                    api.response_header_version(version),
                    response,
                    "{api} {version}"
                );
            }
        }
    }

    /// Scenario: P13 (our own range).
    #[test]
    fn the_client_never_asks_for_produce_below_version_3() {
        assert_eq!(ApiKeys::Produce.client_versions(), 3..=13);
        for api in ApiKeys::ALL {
            let (client, declared) = (api.client_versions(), api.versions());
            assert!(
                declared.contains(client.start()) && declared.contains(client.end()),
                "{api}"
            );
        }
    }

    #[test]
    fn throttling_moved_to_the_client_with_kip_219() {
        assert!(!ApiKeys::Produce.client_throttles(5));
        assert!(ApiKeys::Produce.client_throttles(6));
        assert!(!ApiKeys::InitProducerId.client_throttles(0));
    }
}
