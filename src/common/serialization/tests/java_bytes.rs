//! The bytes that Java's serializers printed for a table of inputs.

use super::*;

const GOLDEN: &str = include_str!("../../../../tests/golden/serializers.txt");

/// The bytes of `null` or `=` and hexadecimal digits.
fn word(text: &str) -> Option<Vec<u8>> {
    hex(text.strip_prefix('=')?)
}

fn number<T: DefaultSerializer + std::str::FromStr>(input: &str) -> Option<Vec<u8>> {
    by_default(&input.parse::<T>().ok().expect("a value of the type"))
}

fn text(encoding: &str, input: &str) -> Option<Vec<u8>> {
    let serializer = StringSerializer::with_encoding(encoding).expect("a known encoding");
    let text = String::from_utf8(word(input).expect("text")).expect("UTF-8");
    bytes(&serializer, text.as_str())
}

fn list<T>(input: &str, item: fn(&str) -> T) -> Vec<Option<T>> {
    let items = input.trim_start_matches('[').trim_end_matches(']');
    let items = items.split(", ").filter(|_| input != "[]");
    items
        .map(|text| (text != "null").then(|| item(text)))
        .collect()
}

fn ours(serializer: &str, input: &str) -> Option<Vec<u8>> {
    match serializer {
        "ByteArray" | "Bytes" | "ByteBuffer" => by_default(&word(input).expect("bytes")),
        "Boolean" => number::<bool>(input),
        "Short" => number::<i16>(input),
        "Integer" => number::<i32>(input),
        "Long" => number::<i64>(input),
        "Float" => by_default(&f32::from_bits(
            u32::from_str_radix(input, 16).expect("bits"),
        )),
        "Double" => by_default(&f64::from_bits(
            u64::from_str_radix(input, 16).expect("bits"),
        )),
        "UUID" => {
            let id = hex(&input.replace('-', "")).expect("digits");
            let id: [u8; 16] = id.try_into().expect("16 bytes");
            bytes(&UuidSerializer::default(), &id)
        }
        "List Integer" => {
            let items = list(input, |item| item.parse().expect("a number"));
            bytes(&ListSerializer::<i32, _>::new(IntegerSerializer), &items)
        }
        "List String" => {
            let items = list(input, str::to_owned);
            bytes(
                &ListSerializer::<String, _>::new(StringSerializer::default()),
                &items,
            )
        }
        other => text(
            other.strip_prefix("String ").expect("a known serializer"),
            input,
        ),
    }
}

#[test]
fn every_serializer_makes_the_bytes_that_java_makes() {
    let mut compared = 0;
    for line in GOLDEN.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [serializer, input, expected] = columns[..] else {
            panic!("{line}")
        };
        if input == "null" {
            // Java's serializers map null to null; here a missing key or value never reaches one.
            assert_eq!(expected, "null", "{line}");
            continue;
        }
        assert_eq!(ours(serializer, input), word(expected), "{line}");
        compared += 1;
    }
    assert!(compared > 90, "{compared} lines compared");
}
