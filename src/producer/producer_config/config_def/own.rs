//! Keys that only this crate has, and the ones that Java's serializers read without defining them.
//!
//! Java: none for `ottla.*`; `common/serialization/StringSerializer.java` for the encodings.
//! Differs: see `config_def`.
//! Threads: constants. Locks: none.

use super::Default::{Null, Value};
use super::Support::Supported;
use super::Valid::{Any, AtLeast, Between, OneOf};
use super::{ConfigKey, Importance, Type, key_table};

key_table! {
    "key.serializer.encoding", String, Null, Any, Low, Supported;
    "The charset of text keys; `serializer.encoding`, then UTF-8, where it is not given."
    "ottla.drop.timeout.ms", Long, Value("10000"), AtLeast(0), Medium, Supported;
    "How long dropping the last handle of a producer may take to deliver what is still waiting."
    "ottla.leader.suspect.ms", Long, Value("1000"), AtLeast(0), Medium, Supported;
    "A broker that is overdue by its own standards, and at least this late, is suspected: another one is asked who leads and who coordinates. 0 waits for `request.timeout.ms` as Java."
    "ottla.partitioner.hash", String, Value("murmur2"), OneOf(&["murmur2", "crc32", "fnv1a"]), Medium, Supported;
    "How keys are spread over partitions: `murmur2` as Java, `crc32` as librdkafka's `consistent`, `fnv1a` as Sarama."
    "ottla.receive.max.bytes", Int, Value("104857600"), Between(1024, 2_147_483_647), Low, Supported;
    "The largest answer that is read; a broker that announces more loses its connection before memory is taken."
    "ottla.unknown.keys", String, Value("error"), OneOf(&["error", "warn"]), Medium, Supported;
    "What a key that nobody knows does: refuse the configuration, or, as in Java, log a warning."
    "serializer.encoding", String, Null, Any, Low, Supported;
    "The charset of text keys and values where the narrower key is not given."
    "value.serializer.encoding", String, Null, Any, Low, Supported;
    "The charset of text values; `serializer.encoding`, then UTF-8, where it is not given."
}
