//! What stands before the body of every request and response.
//!
//! Java: `common/requests/RequestHeader.java`, `common/requests/ResponseHeader.java`, `common/message/RequestHeader.json`.
//! Differs: which header a request has is a row of `ApiKeys`.
//! Threads: plain data. Locks: none.

use std::sync::Arc;

use crate::protocol::api_keys::ApiKeys;
use crate::protocol::protocol_error::ProtocolError;
use crate::protocol::readable::Readable;
use crate::protocol::writable::Writable;

/// Says what the request is, at which version, and who sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RequestHeader {
    pub(crate) api: ApiKeys,
    pub(crate) api_version: i16,
    pub(crate) correlation_id: i32,
    pub(crate) client_id: Option<Arc<str>>,
}

impl RequestHeader {
    pub(crate) fn encode(&self, w: &mut Writable) -> Result<(), ProtocolError> {
        w.write_i16(self.api.id());
        w.write_i16(self.api_version);
        w.write_i32(self.correlation_id);
        // The client id keeps its two-byte length in header 2: a broker reads it before it knows the version.
        match &self.client_id {
            Some(client_id) => w.write_string(client_id, false)?,
            None => w.write_null_string(false),
        }
        if self.api.request_header_version(self.api_version) >= 2 {
            w.write_unsigned_varint(0);
        }
        Ok(())
    }

    /// Also reads the header of a version that we do not speak. The broker's side.
    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn decode(r: &mut Readable<'_>) -> Result<Self, ProtocolError> {
        let id = r.read_i16()?;
        let api = ApiKeys::from_id(id).ok_or(ProtocolError::UnknownApi(id))?;
        let api_version = r.read_i16()?;
        let correlation_id = r.read_i32()?;
        let client_id = r.read_string(false)?.map(Arc::from);
        if api.request_header_version(api_version) >= 2 {
            r.read_tags(|_, _| Ok(false))?;
        }
        Ok(Self {
            api,
            api_version,
            correlation_id,
            client_id,
        })
    }
}

/// Says which request is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResponseHeader {
    pub(crate) correlation_id: i32,
}

impl ResponseHeader {
    #[cfg(any(test, feature = "embedded-broker"))]
    pub(crate) fn encode(self, api: ApiKeys, version: i16, w: &mut Writable) {
        w.write_i32(self.correlation_id);
        if api.response_header_version(version) >= 1 {
            w.write_unsigned_varint(0);
        }
    }

    pub(crate) fn decode(
        api: ApiKeys,
        version: i16,
        r: &mut Readable<'_>,
    ) -> Result<Self, ProtocolError> {
        let correlation_id = r.read_i32()?;
        if api.response_header_version(version) >= 1 {
            r.read_tags(|_, _| Ok(false))?;
        }
        Ok(Self { correlation_id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::payload::Payload;

    fn bytes(header: &RequestHeader) -> Payload {
        let mut w = Writable::new();
        header.encode(&mut w).expect("short client id");
        w.into_segments().remove(0)
    }

    fn header(api_version: i16) -> RequestHeader {
        RequestHeader {
            api: ApiKeys::Metadata,
            api_version,
            correlation_id: 7,
            client_id: None,
        }
    }

    /// Java: `RequestHeaderTest.testRequestHeaderV1`, `testRequestHeaderV2`. Scenario: P05.
    #[test]
    fn a_null_client_id_is_minus_one_in_both_headers() {
        assert_eq!(*bytes(&header(8)), [0, 3, 0, 8, 0, 0, 0, 7, 0xff, 0xff]);
        assert_eq!(*bytes(&header(9)), [0, 3, 0, 9, 0, 0, 0, 7, 0xff, 0xff, 0]);
    }

    #[test]
    fn headers_survive_the_round_trip() {
        for api in ApiKeys::ALL {
            for api_version in api.versions() {
                let header = RequestHeader {
                    api: *api,
                    api_version,
                    correlation_id: i32::MIN,
                    client_id: Some("ottla".into()),
                };
                assert_eq!(
                    RequestHeader::decode(&mut Readable::new(&bytes(&header))),
                    Ok(header)
                );
            }
        }
    }

    /// Scenario: P07.
    #[test]
    fn unknown_tags_of_a_header_are_skipped() {
        let frame = Payload::new(vec![0, 0, 0, 9, 1, 5, 2, 0xaa, 0xbb]);
        let mut r = Readable::new(&frame);
        let header = ResponseHeader::decode(ApiKeys::Metadata, 9, &mut r).expect("well formed");
        assert_eq!((header.correlation_id, r.remaining()), (9, 0));
    }

    #[test]
    fn an_unknown_request_is_named_by_its_number() {
        let frame = Payload::new(vec![0x7f, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
        let error = RequestHeader::decode(&mut Readable::new(&frame));
        assert_eq!(error, Err(ProtocolError::UnknownApi(0x7f00)));
    }
}
