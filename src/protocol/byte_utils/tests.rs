//! Integers against the byte table of the protocol guide, and at their limits.

use super::*;

fn unsigned(value: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_unsigned_varint(value, &mut bytes);
    bytes
}

fn varint(value: i32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let zigzag = (value << 1) ^ (value >> 31);
    write_unsigned_varint(zigzag as u32, &mut bytes);
    assert_eq!(read_varint(&mut bytes.as_slice()), Ok(value));
    bytes
}

fn varlong(value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let zigzag = (value << 1) ^ (value >> 63);
    write_groups(zigzag as u64, &mut bytes);
    assert_eq!(read_varlong(&mut bytes.as_slice()), Ok(value));
    bytes
}

/// Java: `ByteUtilsTest.testUnsignedVarintSerde`. Scenario: P01.
#[test]
fn unsigned_varints_have_the_bytes_of_the_table() {
    let table: &[(u32, &[u8])] = &[
        (0, &[0x00]),
        (127, &[0x7f]),
        (128, &[0x80, 0x01]),
        (300, &[0xac, 0x02]),
        (16383, &[0xff, 0x7f]),
        (16384, &[0x80, 0x80, 0x01]),
        (0x7fff_ffff, &[0xff, 0xff, 0xff, 0xff, 0x07]),
        (u32::MAX, &[0xff, 0xff, 0xff, 0xff, 0x0f]),
    ];
    for (value, bytes) in table {
        assert_eq!(unsigned(*value), *bytes, "{value}");
        assert_eq!(read_unsigned_varint(&mut &**bytes), Ok(*value));
    }
}

/// Java: `ByteUtilsTest.testVarintSerde`, `testVarlongSerde`. Scenario: P01.
#[test]
fn signed_varints_have_the_bytes_of_the_table() {
    assert_eq!(varint(0), [0x00]);
    assert_eq!(varint(-1), [0x01]);
    assert_eq!(varint(1), [0x02]);
    assert_eq!(varint(-64), [0x7f]);
    assert_eq!(varint(64), [0x80, 0x01]);
    assert_eq!(varint(i32::MAX), [0xfe, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(varint(i32::MIN), [0xff, 0xff, 0xff, 0xff, 0x0f]);
    let tail = [[0xff; 8].as_slice(), &[0x01]].concat();
    assert_eq!(varlong(i64::MAX), [&[0xfe], tail.as_slice()].concat());
    assert_eq!(varlong(i64::MIN), [&[0xff], tail.as_slice()].concat());
    assert_eq!(varlong(-1), [0x01]);
}

#[test]
fn every_bit_length_survives_the_round_trip() {
    for shift in 0..64 {
        for near in -1_i64..=1 {
            let value = (1_i64 << shift).wrapping_add(near);
            varlong(value);
            varlong(value.wrapping_neg());
            varint((value & 0xffff_ffff) as i32);
        }
    }
}

/// Java: `ByteUtilsTest.testInvalidVarint`, `testInvalidVarlong`. Scenario: P02.
#[test]
fn overlong_and_truncated_varints_are_refused() {
    let too_long = |max_bits| ProtocolError::VarintTooLong { max_bits };
    let six = [0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    assert_eq!(read_unsigned_varint(&mut six.as_slice()), Err(too_long(32)));
    assert_eq!(read_varint(&mut six.as_slice()), Err(too_long(32)));
    let high_bits = [0xff, 0xff, 0xff, 0xff, 0x10];
    assert_eq!(
        read_unsigned_varint(&mut high_bits.as_slice()),
        Err(too_long(32))
    );
    let eleven = [[0xff; 10].as_slice(), &[0x01]].concat();
    assert_eq!(read_varlong(&mut eleven.as_slice()), Err(too_long(64)));
    let high_bits = [[0xff; 9].as_slice(), &[0x02]].concat();
    assert_eq!(read_varlong(&mut high_bits.as_slice()), Err(too_long(64)));
    let truncated = ProtocolError::Truncated { wanted: 1, left: 0 };
    assert_eq!(read_varint(&mut [0x80].as_slice()), Err(truncated));
    assert_eq!(read_varlong(&mut [0xff; 9].as_slice()), Err(truncated));
    assert_eq!(read_unsigned_varint(&mut [].as_slice()), Err(truncated));
}

/// Scenario: P01.
#[test]
fn fixed_integers_are_big_endian_and_checked() {
    assert_eq!(read_i8(&mut [0x80].as_slice()), Ok(i8::MIN));
    assert_eq!(read_i16(&mut [0x80, 0].as_slice()), Ok(i16::MIN));
    assert_eq!(
        read_i32(&mut [0x7f, 0xff, 0xff, 0xff].as_slice()),
        Ok(i32::MAX)
    );
    assert_eq!(read_u32(&mut [0xff, 0, 0, 1].as_slice()), Ok(0xff00_0001));
    assert_eq!(read_i64(&mut [0xff; 8].as_slice()), Ok(-1));
    let short = ProtocolError::Truncated { wanted: 8, left: 7 };
    assert_eq!(read_i64(&mut [0; 7].as_slice()), Err(short));
}
