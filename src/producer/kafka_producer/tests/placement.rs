//! Which partition a record without one of its own gets.

use super::*;
use crate::producer::internals::murmur2::partition_for_key;

fn placed(fixture: &Fixture, key: Option<&[u8]>) -> Option<i32> {
    let snapshot = fixture.metadata.current();
    let topic = snapshot.topic(TOPIC).unwrap();
    fixture.producer.inner.partition_for_key(key, topic)
}

/// Java: `KafkaProducerTest.testPartitionAddedToTransaction..` (the rule). Scenario: PT2.
#[test]
fn a_key_decides_unless_keys_are_ignored_and_an_empty_key_is_a_key() {
    let fixture = Fixture::new(&[]);
    fixture.know(7);
    for key in [b"".as_slice(), b"a", b"another key"] {
        assert_eq!(placed(&fixture, Some(key)), Some(partition_for_key(key, 7)));
    }
    assert_eq!(placed(&fixture, None), None, "the accumulator chooses");

    let mut plugins = unconfigured();
    plugins.placement.ignore_keys = true;
    let fixture = Fixture::with(&[("partitioner.ignore.keys", "true")], plugins);
    fixture.know(7);
    assert_eq!(placed(&fixture, Some(b"a")), None);
}

#[test]
fn the_hash_of_another_client_may_be_chosen() {
    let mut plugins = unconfigured();
    plugins.placement.hash = KeyHash::Crc32;
    let fixture = Fixture::with(&[], plugins);
    fixture.know(1000);
    // CRC-32 of "123456789" is 0xcbf43926.
    assert_eq!(placed(&fixture, Some(b"123456789")), Some(262));
}
