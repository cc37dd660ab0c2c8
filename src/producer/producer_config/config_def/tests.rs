//! The key table, against what Kafka 4.3 prints.

use std::collections::BTreeMap;

use super::*;

const JAVA: &str = include_str!("../../../../tests/golden/config.txt");

#[test]
fn the_table_has_every_key_of_kafka_4_3_with_its_type_default_range_and_importance() {
    let ours: BTreeMap<&str, String> = keys()
        .filter(|key| !key.is_own())
        .map(|key| {
            let line = format!(
                "{} | {} | {} | {} | {}",
                key.name,
                key.type_name(),
                key.default_value(),
                key.valid_values(),
                key.importance()
            );
            (key.name, line)
        })
        .collect();
    let java: BTreeMap<&str, String> = JAVA
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let name = line.split(' ').next().unwrap();
            let columns: Vec<&str> = line.split(" | ").collect();
            let range = if columns[3] == "null" { "" } else { columns[3] };
            (
                name,
                [columns[0], columns[1], columns[2], range, columns[4]].join(" | "),
            )
        })
        .collect();
    assert_eq!(java.len(), 113);
    assert_eq!(ours, java);
}

#[test]
fn every_default_is_legal_and_every_key_is_explained() {
    for key in keys() {
        if let Some(Value::Text(_) | Value::Number(_)) = key.default_parsed() {
            assert!(
                key.valid.allows(&key.default_parsed().unwrap()),
                "{}",
                key.name
            );
        }
        assert!(key.doc.ends_with('.'), "{}", key.name);
    }
}

#[test]
fn names_are_unique() {
    let mut names: Vec<&str> = keys().map(|key| key.name).collect();
    names.sort_unstable();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all);
}

#[test]
fn booleans_are_true_or_false_in_any_case() {
    let key = find("enable.idempotence").unwrap();
    assert_eq!(key.parse(" TRUE ").unwrap(), Value::Boolean(true));
    assert_eq!(key.parse("False").unwrap(), Value::Boolean(false));
    let error = key.parse("yes").unwrap_err();
    assert_eq!(
        error.message(),
        "invalid value \"yes\" for enable.idempotence: must be true or false"
    );
}

#[test]
fn passwords_never_show_in_messages() {
    let error = find("ssl.key.password")
        .unwrap()
        .parse("s3cret")
        .unwrap_err();
    assert!(!error.to_string().contains("s3cret"));
}

#[test]
fn a_value_outside_its_range_is_refused_with_the_range() {
    let error = find("metadata.max.idle.ms")
        .unwrap()
        .parse("4999")
        .unwrap_err();
    assert_eq!(
        error.message(),
        "invalid value \"4999\" for metadata.max.idle.ms: must be at least 5000"
    );
    let error = find("batch.size").unwrap().parse("2147483648").unwrap_err();
    assert!(
        error
            .message()
            .ends_with("must be a whole number of 32 bits")
    );
}

#[test]
fn a_key_whose_feature_is_missing_may_be_set_to_its_default_only() {
    let key = find("security.protocol").unwrap();
    assert!(key.parse("PLAINTEXT").is_ok() && key.parse("plaintext").is_ok());
    let error = key.parse("SASL_SSL").unwrap_err();
    assert_eq!(
        error.message(),
        "security.protocol cannot be set: not supported yet: TLS and SASL are not built yet; only PLAINTEXT \
         listeners can be used"
    );
}
