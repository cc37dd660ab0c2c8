//! Keys that every Kafka client shares: servers, connections, metadata, back-off, metrics.
//!
//! Java: `clients/CommonClientConfigs.java`.
//! Differs: see `config_def`.
//! Threads: constants. Locks: none.

use super::Default::{Null, Required, Value};
use super::Support::{JvmOnly, NoEffect, NotYet, Supported};
use super::Valid::{Any, AtLeast, NonEmptyList, OneOf, OneOfAnyCase};
use super::{ConfigKey, Importance, Type, key_table};

key_table! {
    "bootstrap.servers", List, Required, NonEmptyList, High, Supported;
    "The `host:port` pairs to ask first; the rest of the cluster is learned from them."
    "client.dns.lookup", String, Value("use_all_dns_ips"), OneOf(&["use_all_dns_ips", "resolve_canonical_bootstrap_servers_only"]), Medium, Supported;
    "Whether all addresses of a host name are tried in turn; the canonical-name mode is not supported yet."
    "client.id", String, Value(""), Any, Medium, Supported;
    "The name that brokers log and count for this producer; `producer-1` and so on where it is empty."
    "config.providers", List, Value(""), Any, Low, NotYet("put the value itself, or read it from the environment before you build the configuration");
    "Plug-ins that replace `${name:path:key}` in values."
    "connections.max.idle.ms", Long, Value("540000"), Any, Medium, Supported;
    "How long a connection may be unused before it is closed; a negative value keeps it."
    "enable.metrics.push", Boolean, Value("true"), Any, Low, NoEffect("nothing is pushed to brokers yet");
    "Whether the client sends its metrics to brokers that ask for them."
    "metadata.max.age.ms", Long, Value("300000"), AtLeast(0), Low, Supported;
    "How old what is known about the cluster may become before it is asked for again."
    "metadata.max.idle.ms", Long, Value("300000"), AtLeast(5000), Low, Supported;
    "How long a topic stays known after its last record."
    "metadata.recovery.rebootstrap.trigger.ms", Long, Value("300000"), AtLeast(0), Low, Supported;
    "How long metadata may fail to come before the producer starts again from `bootstrap.servers`; 0 is as soon as one attempt to get it has failed."
    "metadata.recovery.strategy", String, Value("rebootstrap"), OneOfAnyCase(&["REBOOTSTRAP", "NONE"]), Low, Supported;
    "Whether a producer that can reach no known broker starts again from `bootstrap.servers`."
    "metric.reporters", List, Value("org.apache.kafka.common.metrics.JmxReporter"), Any, Low, JvmOnly("read KafkaProducer::health; reporters come with the metrics");
    "Code that is told of every metric."
    "metrics.num.samples", Int, Value("2"), AtLeast(1), Low, NotYet("sampled metrics are not built yet");
    "How many samples an average or a rate looks back on."
    "metrics.recording.level", String, Value("INFO"), OneOf(&["INFO", "DEBUG", "TRACE"]), Low, NotYet("sampled metrics are not built yet");
    "Down to which level metrics are kept."
    "metrics.sample.window.ms", Long, Value("30000"), AtLeast(0), Low, NotYet("sampled metrics are not built yet");
    "How long one sample gathers."
    "receive.buffer.bytes", Int, Value("32768"), AtLeast(-1), Medium, Supported;
    "The size of the socket's receive buffer; -1 leaves it to the system."
    "reconnect.backoff.max.ms", Long, Value("1000"), AtLeast(0), Low, Supported;
    "The longest wait before a broker is tried again; waits double from `reconnect.backoff.ms` up to this."
    "reconnect.backoff.ms", Long, Value("50"), AtLeast(0), Low, Supported;
    "The first wait before a broker that could not be reached is tried again."
    "retry.backoff.max.ms", Long, Value("1000"), AtLeast(0), Low, Supported;
    "The longest wait before a failed request is tried again."
    "retry.backoff.ms", Long, Value("100"), AtLeast(0), Low, Supported;
    "The first wait before a failed request is tried again."
    "security.protocol", String, Value("PLAINTEXT"), OneOfAnyCase(&["SASL_SSL", "PLAINTEXT", "SSL", "SASL_PLAINTEXT"]), Medium, NotYet("TLS and SASL are not built yet; only PLAINTEXT listeners can be used");
    "How connections are protected, and whether the client proves who it is."
    "security.providers", String, Null, Any, Low, JvmOnly("cryptography is chosen by crate features");
    "Java security providers to register."
    "send.buffer.bytes", Int, Value("131072"), AtLeast(-1), Medium, Supported;
    "The size of the socket's send buffer; -1 leaves it to the system."
    "socket.connection.setup.timeout.max.ms", Long, Value("30000"), Any, Medium, Supported;
    "The longest wait for a connection to be made; waits double from `socket.connection.setup.timeout.ms` up to this."
    "socket.connection.setup.timeout.ms", Long, Value("10000"), Any, Medium, Supported;
    "The first limit for a connection to be made."
}
