//! Keys of the producer itself: what is acknowledged, how records are batched, placed and retried.
//!
//! Java: `clients/producer/ProducerConfig.java`.
//! Differs: see `config_def`.
//! Threads: constants. Locks: none.

use super::Default::{Null, Required, Value};
use super::Support::{JvmOnly, NoEffect, Supported};
use super::Valid::{Any, AtLeast, Between, BetweenOr, NonEmpty, OneOf};
use super::{ConfigKey, Importance, Type, key_table};

key_table! {
    "acks", String, Value("all"), OneOf(&["all", "-1", "0", "1"]), Low, Supported;
    "How many replicas must have a record before it counts as written: `0` none, `1` the leader, `all` every in-sync one."
    "batch.size", Int, Value("16384"), AtLeast(0), Medium, Supported;
    "How many bytes of records for one partition are gathered into one batch; 0 sends every record on its own."
    "buffer.memory", Long, Value("33554432"), AtLeast(0), High, Supported;
    "How many bytes of records may wait to be sent before `send` has to wait."
    "compression.type", String, Value("none"), OneOf(&["none", "gzip", "snappy", "lz4", "zstd"]), High, Supported;
    "How whole batches are compressed; `zstd` needs the crate feature of that name."
    "compression.gzip.level", Int, Value("-1"), BetweenOr(1, 9, -1), Medium, Supported;
    "How hard gzip tries, from 1 (fast) to 9 (small); -1 is the library's own choice."
    "compression.lz4.level", Int, Value("9"), Between(1, 17), Medium, NoEffect("the encoder has one level, the fast one");
    "How hard lz4 tries, from 1 (fast) to 17 (small)."
    "compression.zstd.level", Int, Value("3"), Between(-131_072, 22), Medium, Supported;
    "How hard zstd tries, from -131072 (fast) to 22 (small)."
    "delivery.timeout.ms", Int, Value("120000"), AtLeast(0), Medium, Supported;
    "How long a record may take from its batch's creation to its outcome, with all waiting and retrying in it."
    "enable.idempotence", Boolean, Value("true"), Any, Low, Supported;
    "Whether batches are numbered, so that retries neither duplicate nor reorder records."
    "interceptor.classes", List, Value(""), Any, Low, JvmOnly("give interceptors to KafkaProducerBuilder::interceptor");
    "Code that sees every record before it is sent and every outcome."
    "key.serializer", Class, Required, Any, High, Supported;
    "Java's class for key bytes; here the key type decides, so the key may be left out, and a name must fit the type."
    "linger.ms", Long, Value("5"), AtLeast(0), Medium, Supported;
    "How long a batch waits for more records before it is sent; a thread that blocks in `get` ends the wait."
    "max.block.ms", Long, Value("60000"), AtLeast(0), Medium, Supported;
    "How long `send` and `partitions_for` may wait for metadata and for buffer memory together."
    "max.in.flight.requests.per.connection", Int, Value("5"), AtLeast(1), Low, Supported;
    "How many unanswered requests a broker may have; idempotence keeps the order for up to 5."
    "max.request.size", Int, Value("1048576"), AtLeast(0), Medium, Supported;
    "The largest request in bytes, and the largest record before compression."
    "partitioner.adaptive.partitioning.enable", Boolean, Value("true"), Any, Low, Supported;
    "Whether keyless records prefer partitions whose broker takes them faster."
    "partitioner.availability.timeout.ms", Long, Value("0"), AtLeast(0), Low, Supported;
    "How long a broker may leave ready batches waiting before keyless records avoid its partitions; 0 never avoids."
    "partitioner.class", Class, Null, Any, Medium, Supported;
    "Who chooses the partition; `RoundRobinPartitioner` by name, your own through `KafkaProducerBuilder::partitioner`."
    "partitioner.ignore.keys", Boolean, Value("false"), Any, Medium, Supported;
    "Whether keyed records are spread like keyless ones."
    "request.timeout.ms", Int, Value("30000"), AtLeast(0), Medium, Supported;
    "How long a request may wait for its answer before the connection is given up and the request is tried again."
    "retries", Int, Value("2147483647"), Between(0, 2_147_483_647), High, Supported;
    "How often a batch is tried again; better left alone, since `delivery.timeout.ms` bounds the whole."
    "transaction.timeout.ms", Int, Value("60000"), Any, Low, Supported;
    "How long the coordinator lets a transaction stay open without news from its producer."
    "transaction.two.phase.commit.enable", Boolean, Value("false"), Any, Low, Supported;
    "Whether an outside coordinator decides about prepared transactions."
    "transactional.id", String, Null, NonEmpty, Low, Supported;
    "The name under which a producer's transactions survive its restart."
    "value.serializer", Class, Required, Any, High, Supported;
    "Java's class for value bytes; here the value type decides, so the key may be left out, and a name must fit the type."
}
