//! Requests and responses of any kind, and the frames that carry them.
//!
//! Java: `common/requests/AbstractRequest.java`, `common/requests/AbstractResponse.java`, `common/requests/RequestUtils.java`.
//! Differs: an enum over the messages stands for Java's wrapper classes; the rules those hold live with their users.
//! Threads: plain data. Locks: none.

#[cfg(any(test, feature = "embedded-broker"))]
use std::ops::RangeInclusive;
use std::time::Duration;

use log::debug;

use crate::common::payload::Payload;
use crate::protocol::api_keys::ApiKeys;
use crate::protocol::errors::Errors;
use crate::protocol::headers::{RequestHeader, ResponseHeader};
use crate::protocol::message::Message;
use crate::protocol::messages;
use crate::protocol::protocol_error::ProtocolError;
use crate::protocol::readable::Readable;
use crate::protocol::writable::{Segments, Writable};

/// A request as segments to write, its size first. Its small fields are in `buffer`, whose memory is used again.
pub(crate) fn encode_request(
    header: &RequestHeader,
    body: &RequestBody,
    buffer: &mut Payload,
) -> Result<Segments, ProtocolError> {
    let mut w = Writable::over(buffer.refill(std::mem::take));
    let size = w.reserve_size();
    header.encode(&mut w)?;
    body.encode(header.api_version, &mut w)?;
    w.fill_size(size)?;
    Ok(w.into_segments_of(buffer))
}

/// Which request a response answers, which is its first field in every version.
pub(crate) fn correlation_id(frame: &Payload) -> Result<i32, ProtocolError> {
    Readable::new(frame).read_i32()
}

/// A response as it came, without its size.
pub(crate) fn decode_response(
    frame: &Payload,
    api: ApiKeys,
    version: i16,
) -> Result<(ResponseHeader, ResponseBody), ProtocolError> {
    let mut r = Readable::new(frame);
    let header = ResponseHeader::decode(api, version, &mut r)?;
    let body = ResponseBody::decode(api, response_version(api, version, frame), &mut r)?;
    report_trailing_bytes(api, version, &r);
    Ok((header, body))
}

/// A request as it came, without its size. The broker's side.
#[cfg(any(test, feature = "embedded-broker"))]
pub(crate) fn decode_request(
    frame: &Payload,
) -> Result<(RequestHeader, RequestBody), ProtocolError> {
    let mut r = Readable::new(frame);
    let header = RequestHeader::decode(&mut r)?;
    if header.api == ApiKeys::ApiVersions && !header.api.versions().contains(&header.api_version) {
        // The client must be told in its own terms which versions there are (KIP-511), so its body does not matter.
        return Ok((
            header,
            messages::api_versions::ApiVersionsRequest::default().into(),
        ));
    }
    let body = RequestBody::decode(header.api, header.api_version, &mut r)?;
    report_trailing_bytes(header.api, header.api_version, &r);
    Ok((header, body))
}

/// A response as segments to write, its size first. The broker's side.
#[cfg(any(test, feature = "embedded-broker"))]
pub(crate) fn encode_response(
    header: ResponseHeader,
    version: i16,
    body: &ResponseBody,
) -> Result<Segments, ProtocolError> {
    let mut w = Writable::over(Vec::new());
    let size = w.reserve_size();
    header.encode(body.api_key(), version, &mut w);
    body.encode(version, &mut w)?;
    w.fill_size(size)?;
    Ok(w.into_segments())
}

/// A broker that does not know the version of an ApiVersions request says so in the form of version 0.
fn response_version(api: ApiKeys, version: i16, frame: &Payload) -> i16 {
    if api != ApiKeys::ApiVersions {
        return version;
    }
    let error_code = frame
        .get(CORRELATION_ID_BYTES..)
        .and_then(|body| body.first_chunk());
    match error_code.map(|code| Errors::from_code(i16::from_be_bytes(*code))) {
        Some(Errors::UnsupportedVersion) => 0,
        _ => version,
    }
}

/// Java reads past them in silence; a newer minor form of a message may have some.
fn report_trailing_bytes(api: ApiKeys, version: i16, r: &Readable<'_>) {
    if r.remaining() > 0 {
        debug!("{api} v{version} has {} bytes after its end", r.remaining());
    }
}

macro_rules! bodies {
    ($($(#[$gate:meta])* $api:ident: $file:ident, $request:ident, $response:ident;)+) => {
        /// Any request.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum RequestBody {
            $($(#[$gate])* $api(messages::$file::$request),)+
        }

        /// Any response.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum ResponseBody {
            $($(#[$gate])* $api(messages::$file::$response),)+
        }

        impl RequestBody {
            pub(crate) fn api_key(&self) -> ApiKeys {
                match self {
                    $($(#[$gate])* Self::$api(_) => ApiKeys::$api,)+
                }
            }

            pub(crate) fn encode(&self, version: i16, w: &mut Writable) -> Result<(), ProtocolError> {
                match self {
                    $($(#[$gate])* Self::$api(body) => body.encode(version, w),)+
                }
            }

            #[cfg(any(test, feature = "embedded-broker"))]
            pub(crate) fn decode(api: ApiKeys, version: i16, r: &mut Readable<'_>) -> Result<Self, ProtocolError> {
                match api {
                    $($(#[$gate])* ApiKeys::$api => Message::decode(version, r).map(Self::$api),)+
                }
            }
        }

        impl ResponseBody {
            #[cfg(any(test, feature = "embedded-broker"))]
            pub(crate) fn api_key(&self) -> ApiKeys {
                match self {
                    $($(#[$gate])* Self::$api(_) => ApiKeys::$api,)+
                }
            }

            #[cfg(any(test, feature = "embedded-broker"))]
            pub(crate) fn encode(&self, version: i16, w: &mut Writable) -> Result<(), ProtocolError> {
                match self {
                    $($(#[$gate])* Self::$api(body) => body.encode(version, w),)+
                }
            }

            pub(crate) fn decode(api: ApiKeys, version: i16, r: &mut Readable<'_>) -> Result<Self, ProtocolError> {
                match api {
                    $($(#[$gate])* ApiKeys::$api => Message::decode(version, r).map(Self::$api),)+
                }
            }

            /// How long the client should send nothing to this broker, if the version makes that its duty: see
            /// [`ApiKeys::client_throttles`].
            pub(crate) fn throttle_time(&self) -> Duration {
                let millis = match self {
                    $($(#[$gate])* Self::$api(body) => body.throttle_time_ms,)+
                };
                Duration::from_millis(u64::try_from(millis).unwrap_or(0))
            }
        }

        #[cfg(any(test, feature = "embedded-broker"))]
        impl ApiKeys {
            /// Every version that is declared, which is what the embedded broker serves.
            pub(crate) fn versions(self) -> RangeInclusive<i16> {
                match self {
                    $(ApiKeys::$api => {
                        messages::$file::$request::FIRST_VERSION..=messages::$file::$request::LAST_VERSION
                    })+
                }
            }
        }

        #[cfg(test)]
        pub(crate) fn visit_messages(visitor: &mut impl MessageVisitor) {
            $(
                visitor.visit::<messages::$file::$request>(ApiKeys::$api);
                visitor.visit::<messages::$file::$response>(ApiKeys::$api);
            )+
        }

        $($(#[$gate])* impl From<messages::$file::$request> for RequestBody {
            fn from(body: messages::$file::$request) -> Self {
                Self::$api(body)
            }
        }

        $(#[$gate])* impl From<messages::$file::$response> for ResponseBody {
            fn from(body: messages::$file::$response) -> Self {
                Self::$api(body)
            }
        })+
    };
}

bodies! {
    Produce: produce, ProduceRequest, ProduceResponse;
    #[cfg(any(test, feature = "embedded-broker"))]
    Fetch: fetch, FetchRequest, FetchResponse;
    #[cfg(any(test, feature = "embedded-broker"))]
    ListOffsets: list_offsets, ListOffsetsRequest, ListOffsetsResponse;
    Metadata: metadata, MetadataRequest, MetadataResponse;
    #[cfg(any(test, feature = "embedded-broker"))]
    OffsetFetch: offset_fetch, OffsetFetchRequest, OffsetFetchResponse;
    FindCoordinator: find_coordinator, FindCoordinatorRequest, FindCoordinatorResponse;
    ApiVersions: api_versions, ApiVersionsRequest, ApiVersionsResponse;
    #[cfg(any(test, feature = "embedded-broker"))]
    CreateTopics: create_topics, CreateTopicsRequest, CreateTopicsResponse;
    InitProducerId: init_producer_id, InitProducerIdRequest, InitProducerIdResponse;
    AddPartitionsToTxn: add_partitions_to_txn, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse;
    AddOffsetsToTxn: add_offsets_to_txn, AddOffsetsToTxnRequest, AddOffsetsToTxnResponse;
    EndTxn: end_txn, EndTxnRequest, EndTxnResponse;
    TxnOffsetCommit: txn_offset_commit, TxnOffsetCommitRequest, TxnOffsetCommitResponse;
}

/// A test that runs over every message there is.
#[cfg(test)]
pub(crate) trait MessageVisitor {
    fn visit<M: Message + Clone + std::fmt::Debug>(&mut self, api: ApiKeys);
}

const CORRELATION_ID_BYTES: usize = 4;

#[cfg(test)]
mod tests;
