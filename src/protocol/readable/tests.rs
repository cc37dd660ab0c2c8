//! Every primitive at its limits, and everything a peer can get wrong.

use super::*;
use crate::protocol::writable::Writable;

fn frame(bytes: &[u8]) -> Payload {
    Payload::new(bytes.to_vec())
}

fn written(write: impl FnOnce(&mut Writable)) -> Payload {
    let mut w = Writable::new();
    write(&mut w);
    let length = w.len();
    let bytes: Vec<u8> = w
        .into_segments()
        .iter()
        .flat_map(|part| part.to_vec())
        .collect();
    assert_eq!(bytes.len(), length);
    Payload::new(bytes)
}

/// Scenario: P01.
#[test]
fn every_primitive_survives_the_round_trip_at_its_limits() {
    let uuid = Uuid(*b"0123456789abcdef");
    let bytes = written(|w| {
        w.write_bool(true);
        w.write_i8(i8::MIN);
        w.write_i16(i16::MAX);
        w.write_i32(i32::MIN);
        w.write_i64(i64::MAX);
        w.write_uuid(uuid);
        w.write_unsigned_varint(u32::MAX);
    });
    let mut r = Readable::new(&bytes);
    assert_eq!(r.read_bool(), Ok(true));
    assert_eq!(r.read_i8(), Ok(i8::MIN));
    assert_eq!(r.read_i16(), Ok(i16::MAX));
    assert_eq!(r.read_i32(), Ok(i32::MIN));
    assert_eq!(r.read_i64(), Ok(i64::MAX));
    assert_eq!(r.read_uuid(), Ok(uuid));
    assert_eq!(r.read_unsigned_varint(), Ok(u32::MAX));
    assert_eq!(r.remaining(), 0);
    assert_eq!(
        Readable::new(&frame(&[7])).read_bool(),
        Ok(true),
        "any byte but zero is true"
    );
}

/// Scenario: P01.
#[test]
fn strings_have_the_bytes_of_the_table() {
    let table: &[(Option<&str>, bool, &[u8])] = &[
        (Some("añ"), false, &[0, 3, 0x61, 0xc3, 0xb1]),
        (Some("añ"), true, &[4, 0x61, 0xc3, 0xb1]),
        (Some(""), false, &[0, 0]),
        (Some(""), true, &[1]),
        (None, false, &[0xff, 0xff]),
        (None, true, &[0]),
    ];
    for (text, flexible, bytes) in table {
        let encoded = written(|w| match text {
            Some(text) => w.write_string(text, *flexible).expect("short"),
            None => w.write_null_string(*flexible),
        });
        assert_eq!(*encoded, **bytes);
        let decoded = Readable::new(&encoded).read_string(*flexible);
        assert_eq!(decoded, Ok(text.map(str::to_owned)));
    }
}

/// Scenario: P01.
#[test]
fn a_classic_string_ends_at_32767_bytes() {
    let longest = "x".repeat(i16::MAX as usize);
    let encoded = written(|w| w.write_string(&longest, false).expect("fits"));
    assert_eq!(
        Readable::new(&encoded).read_string(false),
        Ok(Some(longest.clone()))
    );
    let length = longest.len() + 1;
    let error = Writable::new().write_string(&(longest + "x"), false);
    assert_eq!(error, Err(ProtocolError::TooLong { length, max: 32767 }));
}

/// Scenario: P01.
#[test]
fn record_bytes_are_slices_of_the_frame_and_segments_of_the_request() {
    let records = Records::new(vec![frame(&[1, 2]), frame(&[]), frame(&[3])]);
    for (flexible, size) in [(false, [0, 0, 0, 3].as_slice()), (true, &[4])] {
        let mut w = Writable::new();
        w.write_records(&records, flexible).expect("short");
        w.write_i8(9);
        let segments = w.into_segments();
        let parts: Vec<&[u8]> = segments.iter().map(|part| &**part).collect();
        assert_eq!(parts, [size, &[1, 2], &[3], &[9]]);
        let joined = frame(&parts.concat());
        let mut r = Readable::new(&joined);
        assert_eq!(r.read_records(flexible), Ok(Some(records.clone())));
        assert_eq!(r.read_i8(), Ok(9));
    }
    assert_eq!(
        Readable::new(&frame(&[0xff; 4])).read_records(false),
        Ok(None)
    );
    assert_eq!(Readable::new(&frame(&[0])).read_records(true), Ok(None));
}

/// Scenario: P06.
#[test]
fn lengths_beyond_the_bytes_left_are_refused() {
    let truncated = |wanted, left| ProtocolError::Truncated { wanted, left };
    let mut r = frame(&[0, 3, b'a', b'b']);
    assert_eq!(Readable::new(&r).read_string(false), Err(truncated(3, 2)));
    r = frame(&[4, b'a', b'b']);
    assert_eq!(Readable::new(&r).read_string(true), Err(truncated(3, 2)));
    r = frame(&[0, 0, 0, 1]);
    assert_eq!(Readable::new(&r).read_records(false), Err(truncated(1, 0)));
    r = frame(&[0; 15]);
    assert_eq!(Readable::new(&r).read_uuid(), Err(truncated(16, 15)));
}

/// Scenario: P06.
#[test]
fn negative_lengths_other_than_null_are_refused() {
    let r = frame(&[0xff, 0xfe]);
    assert_eq!(
        Readable::new(&r).read_string(false),
        Err(ProtocolError::NegativeLength(-2))
    );
    let r = frame(&[0x80, 0, 0, 0]);
    let negative = Err(ProtocolError::NegativeLength(i32::MIN));
    assert_eq!(Readable::new(&r).read_array_len(false, 1), negative);
}

#[test]
fn text_that_is_not_utf_8_is_refused() {
    let r = frame(&[0, 2, 0xc3, 0x28]);
    assert_eq!(
        Readable::new(&r).read_string(false),
        Err(ProtocolError::InvalidUtf8)
    );
}

/// Scenario: P09.
#[test]
fn an_array_count_is_checked_against_the_bytes_left() {
    let mut bytes = vec![0x7f, 0xff, 0xff, 0xff];
    bytes.resize(20, 0);
    let refused = ProtocolError::TooManyElements {
        count: i32::MAX as usize,
        left: 16,
    };
    assert_eq!(
        Readable::new(&frame(&bytes)).read_array_len(false, 1),
        Err(refused)
    );
    let bytes = frame(&[0, 0, 0, 2, 1, 2, 3, 4]);
    assert_eq!(Readable::new(&bytes).read_array_len(false, 2), Ok(Some(2)));
    assert!(Readable::new(&bytes).read_array_len(false, 3).is_err());
}

#[test]
fn a_frame_cannot_blow_up_in_memory() {
    let bytes = frame(&[0; 10]);
    let mut r = Readable::new(&bytes);
    let budget = 60 + (1 << 20);
    assert_eq!(r.charge(budget), Ok(()));
    assert_eq!(r.charge(1), Err(ProtocolError::TooMuchMemory { budget }));
}

fn read_tag_5_as_i16(bytes: &[u8]) -> Result<Option<i16>, ProtocolError> {
    let bytes = frame(bytes);
    let mut value = None;
    let mut r = Readable::new(&bytes);
    r.read_tags(|tag, r| {
        if tag == 5 {
            value = Some(r.read_i16()?);
        }
        Ok(tag == 5)
    })?;
    assert_eq!(r.remaining(), 0);
    Ok(value)
}

/// Scenario: P07.
#[test]
fn unknown_tags_are_skipped_by_their_size() {
    assert_eq!(read_tag_5_as_i16(&[0]), Ok(None));
    assert_eq!(
        read_tag_5_as_i16(&[3, 1, 2, 9, 9, 5, 2, 0, 7, 6, 0]),
        Ok(Some(7))
    );
}

/// Scenario: P07.
#[test]
fn repeated_descending_and_oversize_tags_are_refused() {
    let order = |tag, after| Err(ProtocolError::TagOrder { tag, after });
    assert_eq!(read_tag_5_as_i16(&[2, 1, 0, 1, 0]), order(1, 1));
    assert_eq!(read_tag_5_as_i16(&[2, 6, 0, 5, 2, 0, 7]), order(5, 6));
    let oversize = ProtocolError::Truncated { wanted: 3, left: 2 };
    assert_eq!(read_tag_5_as_i16(&[1, 5, 3, 0, 7]), Err(oversize));
    let beyond_its_size = ProtocolError::Truncated { wanted: 2, left: 1 };
    assert_eq!(read_tag_5_as_i16(&[1, 5, 1, 0, 7]), Err(beyond_its_size));
    let rest = ProtocolError::TagNotConsumed { tag: 5, left: 1 };
    assert_eq!(read_tag_5_as_i16(&[1, 5, 3, 0, 7, 8]), Err(rest));
    assert!(read_tag_5_as_i16(&[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());
}
