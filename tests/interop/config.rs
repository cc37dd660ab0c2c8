//! Our key table and the one that the Java client prints.

use crate::cluster;
use ottla::ProducerConfig;

#[test]
fn every_key_has_the_type_default_range_and_importance_that_java_prints() {
    let Some(printed) = cluster::oracle(&["config"]) else {
        return;
    };
    let java: Vec<Vec<&str>> = printed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let mut columns: Vec<&str> = line.split(" | ").collect();
            if columns[3] == "null" {
                columns[3] = ""; // how Java prints that every value of the type is allowed
            }
            columns
        })
        .collect();
    let ours: Vec<[String; 5]> = ProducerConfig::keys()
        .filter(|key| !key.is_own() && !key.name().ends_with("serializer.encoding")) // not in Java's table
        .map(|key| {
            [
                key.name().to_owned(),
                key.type_name().to_owned(),
                key.default_value(),
                key.valid_values(),
                key.importance().to_owned(),
            ]
        })
        .collect();
    let missing: Vec<&Vec<&str>> = java
        .iter()
        .filter(|key| !ours.iter().any(|own| own[..] == key[..]))
        .collect();
    let surplus: Vec<&[String; 5]> = ours
        .iter()
        .filter(|own| !java.iter().any(|key| own[..] == key[..]))
        .collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "only Java has {missing:#?}\nonly we have {surplus:#?}"
    );
    assert_eq!(java.len(), 113);
}
