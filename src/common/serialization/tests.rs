//! The bytes of every built-in serializer.

mod java_bytes;

use super::*;

fn bytes<T: ?Sized>(serializer: &impl Serializer<T>, data: &T) -> Option<Vec<u8>> {
    let mut buffer = Vec::new();
    serializer
        .serialize("topic", &mut Headers::new(), data, &mut buffer)
        .unwrap()
        .map(<[u8]>::to_vec)
}

fn by_default<T: DefaultSerializer + ?Sized>(data: &T) -> Option<Vec<u8>> {
    bytes(&T::Serializer::default(), data)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    Some(digits.chunks(2).map(byte).collect())
}

/// Java: `SerializationTest.allSerdesShouldRoundtripInput`.
#[test]
fn numbers_are_big_endian() {
    assert_eq!(by_default(&true), hex("01"));
    assert_eq!(by_default(&false), hex("00"));
    assert_eq!(by_default(&-2_i16), hex("fffe"));
    assert_eq!(by_default(&1_i32), hex("00000001"));
    assert_eq!(by_default(&i64::MIN), hex("8000000000000000"));
    assert_eq!(by_default(&1.5_f32), hex("3fc00000"));
    assert_eq!(by_default(&-0.0_f64), hex("8000000000000000"));
}

/// Java: `SerializationTest.floatSerdeShouldPreserveNaNValues`.
#[test]
fn not_a_number_keeps_its_payload_in_32_bits_and_loses_it_in_64() {
    assert_eq!(by_default(&f32::from_bits(0x7fc0_0001)), hex("7fc00001"));
    let strange = f64::from_bits(0xfff8_0000_0000_0001);
    assert_eq!(by_default(&strange), hex("7ff8000000000000"));
}

/// Java: `SerializationTest.stringSerdeShouldSupportDifferentEncodings`.
#[test]
fn text_is_written_in_the_charset_of_the_configuration() {
    let text = "aé€😀";
    assert_eq!(by_default(text), hex("61 c3a9 e282ac f09f9880"));
    for (name, expected) in [
        ("US-ASCII", "61 3f 3f 3f"),
        ("iso-8859-1", "61 e9 3f 3f"),
        ("UTF-16", "feff 0061 00e9 20ac d83dde00"),
        ("UTF-16BE", "0061 00e9 20ac d83dde00"),
        ("utf-16le", "6100 e900 ac20 3dd800de"),
    ] {
        let mut serializer = StringSerializer::default();
        let configs = BTreeMap::from([("serializer.encoding".to_owned(), name.to_owned())]);
        Serializer::<str>::configure(&mut serializer, &configs, true).unwrap();
        assert_eq!(bytes(&serializer, text), hex(expected), "{name}");
    }
    let error = StringSerializer::with_encoding("EBCDIC").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
}

#[test]
fn the_encoding_of_keys_wins_over_the_common_one_for_keys_only() {
    let configs = BTreeMap::from([
        ("key.serializer.encoding".to_owned(), "UTF-16BE".to_owned()),
        ("serializer.encoding".to_owned(), "ISO-8859-1".to_owned()),
    ]);
    let mut serializer = StringSerializer::default();
    Serializer::<str>::configure(&mut serializer, &configs, true).unwrap();
    assert_eq!(bytes(&serializer, "é"), hex("00e9"));
    Serializer::<str>::configure(&mut serializer, &configs, false).unwrap();
    assert_eq!(bytes(&serializer, "é"), hex("e9"));
}

#[test]
fn bytes_and_utf_8_text_are_lent_and_never_copied() {
    let data = b"value".to_vec();
    let mut buffer = Vec::new();
    let lent = ByteArraySerializer
        .serialize("t", &mut Headers::new(), &data, &mut buffer)
        .unwrap()
        .unwrap();
    assert_eq!(lent.as_ptr(), data.as_ptr());
    let lent = StringSerializer::default()
        .serialize("t", &mut Headers::new(), "text", &mut buffer)
        .unwrap();
    assert_eq!(lent, Some(b"text".as_slice()));
    assert_eq!(buffer.capacity(), 0);
}

/// Java: `UUIDSerializer`.
#[test]
fn an_identifier_is_written_as_text() {
    let id = [
        0x12, 0x3e, 0x45, 0x67, 0xe8, 0x9b, 0x12, 0xd3, 0xa4, 0x56, 0x42, 0x66, 0x14, 0x17, 0x40,
        0x00,
    ];
    let expected = Some(b"123e4567-e89b-12d3-a456-426614174000".to_vec());
    assert_eq!(bytes(&UuidSerializer::default(), &id), expected);
}

/// Java: `SerializationTest.listSerdeShouldRoundtrip*`, `ListSerializerTest`.
#[test]
fn lists_of_numbers_stand_back_to_back_behind_the_indexes_of_nulls() {
    let list = ListSerializer::new(IntegerSerializer);
    let data = [Some(1), None, Some(3)];
    assert_eq!(
        bytes(&list, data.as_slice()),
        hex("00 00000001 00000001 00000003 00000001 00000003")
    );
    assert_eq!(bytes(&list, [].as_slice()), hex("00 00000000 00000000"));
}

/// Java: `SerializationTest.listSerdeSerializerShouldReturnByteArrayWithVariableSize..`.
#[test]
fn lists_of_text_carry_the_length_of_each_item() {
    let list = ListSerializer::<String, _>::new(StringSerializer::default());
    let data = vec![Some("A".to_owned()), None, Some(String::new())];
    assert_eq!(
        bytes(&list, &data),
        hex("01 00000003 00000001 41 ffffffff 00000000")
    );
}

#[test]
fn void_is_always_null_and_empty_is_not_null() {
    assert_eq!(by_default(&()), None);
    assert_eq!(by_default(""), Some(Vec::new()));
}

#[test]
fn a_closure_is_a_serializer() {
    let twice = |data: &u8, buffer: &mut Vec<u8>| {
        buffer.extend([*data, *data]);
        Ok::<(), KafkaError>(())
    };
    assert_eq!(bytes(&twice, &7), Some(vec![7, 7]));
}
