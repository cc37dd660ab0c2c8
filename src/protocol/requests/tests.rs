//! Golden frames of the protocol guide, and the rules that concern whole messages.

mod java_frames;

use super::*;
use crate::common::cluster::Uuid;
use crate::common::error_kind::ErrorKind;
use crate::common::few::Few;
use crate::common::kafka_error::KafkaError;
use crate::protocol::messages::api_versions::*;
use crate::protocol::messages::create_topics::*;
use crate::protocol::messages::fetch::FetchRequest;
use crate::protocol::messages::find_coordinator::*;
use crate::protocol::messages::init_producer_id::*;
use crate::protocol::messages::metadata::*;
use crate::protocol::messages::produce::*;
use crate::testing::golden::hex;

fn joined(segments: &[Payload]) -> Vec<u8> {
    segments
        .iter()
        .flat_map(|segment| segment.to_vec())
        .collect()
}

/// The frame behind its size, which must be right.
fn without_size(frame: &[u8]) -> Payload {
    let (size, payload) = frame.split_first_chunk().expect("a frame has a size");
    assert_eq!(u32::from_be_bytes(*size) as usize, payload.len());
    Payload::new(payload.to_vec())
}

fn golden_request(version: i16, correlation_id: i32, body: impl Into<RequestBody>, golden: &str) {
    let body = body.into();
    let header = RequestHeader {
        api: body.api_key(),
        api_version: version,
        correlation_id,
        client_id: Some("ottla".into()),
    };
    let frame = joined(&encode_request(&header, &body, &mut Payload::default()).expect("valid"));
    assert_eq!(frame, hex(golden), "{} v{version}", header.api);
    assert_eq!(decode_request(&without_size(&frame)), Ok((header, body)));
}

fn golden_response(
    asked: i16,
    sent: i16,
    correlation_id: i32,
    body: impl Into<ResponseBody>,
    golden: &str,
) {
    let body = body.into();
    let header = ResponseHeader { correlation_id };
    let frame = joined(&encode_response(header, sent, &body).expect("valid"));
    assert_eq!(frame, hex(golden), "{} v{sent}", body.api_key());
    let decoded = decode_response(&without_size(&frame), body.api_key(), asked);
    assert_eq!(decoded, Ok((header, body)));
}

/// Scenario: P03.
#[test]
fn api_versions_requests_equal_the_golden_frames() {
    golden_request(
        0,
        0x7fff_fff8,
        ApiVersionsRequest::default(),
        "00 00 00 0f | 00 12 00 00 7f ff ff f8 | 00 05 6f 74 74 6c 61",
    );
    golden_request(
        3,
        0,
        ApiVersionsRequest {
            client_software_name: "ottla".into(),
            client_software_version: "0.1.0".into(),
        },
        "00 00 00 1d | 00 12 00 03 00 00 00 00 | 00 05 6f 74 74 6c 61 | 00 | 06 6f 74 74 6c 61 | 06 30 2e 31 2e 30 | 00",
    );
}

/// Java: `NetworkClientTest.testUnsupportedApiVersionsRequestWithVersionProvidedByTheBroker`. Scenario: P03.
#[test]
fn an_answer_of_unsupported_version_is_read_in_the_form_of_version_0() {
    let unsupported = |api_keys| ApiVersionsResponse {
        error_code: Errors::UnsupportedVersion.code(),
        api_keys,
        ..Default::default()
    };
    let listed = ApiVersion {
        api_key: 18,
        min_version: 0,
        max_version: 2,
    };
    for asked in 0..=4 {
        golden_response(
            asked,
            0,
            0,
            unsupported(vec![listed.clone()]),
            "00 00 00 10 | 00 00 00 00 | 00 23 | 00 00 00 01 | 00 12 00 00 00 02",
        );
        golden_response(
            asked,
            0,
            0,
            unsupported(vec![]),
            "00 00 00 0a | 00 00 00 00 | 00 23 | 00 00 00 00",
        );
    }
}

/// Scenario: P03.
#[test]
fn an_api_versions_response_with_features_equals_the_golden_frame() {
    let name = || "transaction.version".to_owned();
    let hex_name = "74 72 61 6e 73 61 63 74 69 6f 6e 2e 76 65 72 73 69 6f 6e";
    golden_response(
        4,
        4,
        1,
        ApiVersionsResponse {
            api_keys: vec![ApiVersion {
                api_key: 0,
                min_version: 0,
                max_version: 12,
            }],
            supported_features: vec![SupportedFeatureKey {
                name: name(),
                min_version: 0,
                max_version: 2,
            }],
            finalized_features_epoch: 5,
            finalized_features: vec![FinalizedFeatureKey {
                name: name(),
                max_version_level: 2,
                min_version_level: 2,
            }],
            ..Default::default()
        },
        &format!(
            "00 00 00 55 | 00 00 00 01 | 00 00 | 02 00 00 00 00 00 0c 00 | 00 00 00 00 | 03 \
             00 1a 02 14 {hex_name} 00 00 00 02 00 | 01 08 00 00 00 00 00 00 00 05 | 02 1a 02 14 {hex_name} 00 02 00 02 00"
        ),
    );
}

/// Scenario: P03.
#[test]
fn metadata_requests_equal_the_golden_frames() {
    let request = MetadataRequest {
        topics: Some(vec![MetadataRequestTopic {
            name: Some("t".into()),
            ..Default::default()
        }]),
        ..Default::default()
    };
    golden_request(
        4,
        7,
        request.clone(),
        "00 00 00 17 | 00 03 00 04 00 00 00 07 | 00 05 6f 74 74 6c 61 | 00 00 00 01 00 01 74 | 01",
    );
    golden_request(
        12,
        7,
        request,
        "00 00 00 27 | 00 03 00 0c 00 00 00 07 | 00 05 6f 74 74 6c 61 | 00 | \
         02 00000000000000000000000000000000 02 74 00 | 01 00 | 00",
    );
}

/// Scenario: P03.
#[test]
fn coordinator_and_producer_id_requests_equal_the_golden_frames() {
    golden_request(
        4,
        3,
        InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: i32::MAX,
            ..Default::default()
        },
        "00 00 00 20 | 00 16 00 04 00 00 00 03 | 00 05 6f 74 74 6c 61 | 00 | 00 | 7f ff ff ff | ffffffffffffffff | ff ff | 00",
    );
    golden_request(
        4,
        4,
        FindCoordinatorRequest {
            key_type: 1,
            coordinator_keys: vec!["tx1".into()],
            ..Default::default()
        },
        "00 00 00 17 | 00 0a 00 04 00 00 00 04 | 00 05 6f 74 74 6c 61 | 00 | 01 | 02 04 74 78 31 | 00",
    );
}

#[test]
fn a_produce_request_never_copies_record_bytes() {
    let batch = Payload::new(vec![7; 100]);
    let body = RequestBody::from(ProduceRequest {
        acks: -1,
        topic_data: Few::from([TopicProduceData {
            name: "t".into(),
            partition_data: Few::from([PartitionProduceData {
                index: 1,
                records: Some(batch.clone().into()),
            }]),
            ..Default::default()
        }]),
        ..Default::default()
    });
    let header = RequestHeader {
        api: ApiKeys::Produce,
        api_version: 9,
        correlation_id: 1,
        client_id: None,
    };
    let segments = encode_request(&header, &body, &mut Payload::default()).expect("valid");
    assert_eq!(segments.len(), 3);
    assert_eq!(segments[1].as_ptr(), batch.as_ptr());
    let frame = without_size(&joined(&segments));
    let Ok((_, RequestBody::Produce(decoded))) = decode_request(&frame) else {
        panic!("a produce request");
    };
    let records = decoded.topic_data[0].partition_data[0]
        .records
        .as_ref()
        .expect("present");
    assert!(
        frame
            .as_ptr_range()
            .contains(&records.segments()[0].as_ptr()),
        "a slice of the frame"
    );
}

/// Java: `RequestResponseTest.testUnsupportedVersion..`. Scenario: P08.
#[test]
fn a_value_that_a_version_cannot_carry_is_refused_unless_it_may_be_dropped() {
    let encode = |body: RequestBody, version| body.encode(version, &mut Writable::new());
    let missing = |field, version| Err(ProtocolError::UnsupportedField { field, version });
    let no_auto_create = MetadataRequest {
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    assert_eq!(encode(no_auto_create.clone().into(), 4), Ok(()));
    let refused = encode(no_auto_create.into(), 3);
    assert_eq!(
        refused,
        missing("MetadataRequest.allow_auto_topic_creation", 3)
    );
    let error = KafkaError::from(refused.expect_err("refused"));
    assert_eq!(error.kind(), ErrorKind::UnsupportedVersion);

    let with_epoch = InitProducerIdRequest {
        producer_id: 5,
        ..Default::default()
    };
    assert_eq!(
        encode(with_epoch.into(), 2),
        missing("InitProducerIdRequest.producer_id", 2)
    );
    let by_id = TopicProduceData {
        topic_id: Uuid([1; 16]),
        ..Default::default()
    };
    let request = ProduceRequest {
        topic_data: Few::from([by_id]),
        ..Default::default()
    };
    assert_eq!(
        encode(request.into(), 12),
        Ok(()),
        "an ignorable field is dropped"
    );
}

/// Scenario: P06.
#[test]
fn null_is_refused_where_the_schema_has_none() {
    let topic = MetadataRequestTopic {
        name: None,
        ..Default::default()
    };
    let request = RequestBody::from(MetadataRequest {
        topics: Some(vec![topic]),
        ..Default::default()
    });
    let null = Err(ProtocolError::UnexpectedNull("MetadataRequestTopic.name"));
    assert_eq!(request.encode(9, &mut Writable::new()), null);
    assert_eq!(request.encode(10, &mut Writable::new()), Ok(()));
    let frame = Payload::new(hex("00 03 00 04 00000001 ffff | 00 00 00 01 ff ff | 01"));
    assert_eq!(decode_request(&frame).map(|_| ()), null);
    let brokers = Payload::new(hex("00000001 | 00000000 | ffffffff"));
    let null = Err(ProtocolError::UnexpectedNull("Vec<T>"));
    assert_eq!(
        decode_response(&brokers, ApiKeys::Metadata, 4).map(|_| ()),
        null
    );
}

/// Scenario: P20.
#[test]
fn the_throttle_time_is_read_where_each_response_has_it() {
    let first = Payload::new(hex("00000001 | 00000005 | 0000 | ffffffffffffffff | ffff"));
    let after_the_list = Payload::new(hex("00000001 | 0000 | 00000001 0012 0000 0004 | 00000005"));
    let last = Payload::new(hex("00000001 | 00000000 | 00000005"));
    let cases = [
        (first, ApiKeys::InitProducerId, 1),
        (after_the_list, ApiKeys::ApiVersions, 1),
        (last, ApiKeys::Produce, 3),
    ];
    for (frame, api, version) in cases {
        let (_, body) = decode_response(&frame, api, version).expect("well formed");
        assert_eq!(body.throttle_time(), Duration::from_millis(5), "{api}");
    }
}

/// Java: `RequestContextTest.testSerdeUnsupportedApiVersionRequest`.
#[test]
fn an_api_versions_request_of_the_future_still_yields_its_header() {
    let frame = Payload::new(hex(
        "00 12 7f ff 00 00 00 09 | 00 05 6f 74 74 6c 61 | 00 | aa bb cc",
    ));
    let (header, body) = decode_request(&frame).expect("its header is enough");
    assert_eq!(
        (header.api, header.api_version),
        (ApiKeys::ApiVersions, i16::MAX)
    );
    assert_eq!(header.correlation_id, 9);
    assert_eq!(body, ApiVersionsRequest::default().into());
}

#[test]
fn a_version_that_nobody_declared_is_refused() {
    let refused = |message, version| Err(ProtocolError::UnsupportedVersion { message, version });
    let produce = RequestBody::from(ProduceRequest::default());
    assert_eq!(
        produce.encode(2, &mut Writable::new()),
        refused("ProduceRequest", 2)
    );
    assert_eq!(
        produce.encode(14, &mut Writable::new()),
        refused("ProduceRequest", 14)
    );
    let fetch = RequestBody::from(FetchRequest::default());
    assert_eq!(
        fetch.encode(3, &mut Writable::new()),
        refused("FetchRequest", 3)
    );
}

#[test]
fn bytes_after_the_end_of_a_response_are_ignored() {
    let frame = Payload::new(hex("00000001 | 00000000 | 00000000 | beef"));
    let (header, body) = decode_response(&frame, ApiKeys::CreateTopics, 2).expect("well formed");
    assert_eq!(
        (header.correlation_id, body),
        (1, CreateTopicsResponse::default().into())
    );
}

#[test]
fn the_rows_of_api_keys_agree_with_the_declared_messages() {
    struct Agrees;
    impl MessageVisitor for Agrees {
        fn visit<M: Message>(&mut self, api: ApiKeys) {
            let declared = M::FIRST_VERSION..=M::LAST_VERSION;
            assert_eq!(api.versions(), declared, "{}", M::NAME);
            if api != ApiKeys::AddPartitionsToTxn {
                assert_eq!(api.client_versions().end(), declared.end(), "{}", M::NAME);
            }
            for version in declared {
                let header = if version >= M::FIRST_FLEXIBLE_VERSION {
                    2
                } else {
                    1
                };
                assert_eq!(
                    api.request_header_version(version),
                    header,
                    "{} v{version}",
                    M::NAME
                );
            }
        }
    }
    visit_messages(&mut Agrees);
}
