//! Which key somebody meant who wrote one that does not exist.
//!
//! Java: none; an unknown key is logged and ignored there.
//! Differs: other clients' names for the same setting are known, and a slip of the pen is matched with the nearest key.
//! Threads: constants. Locks: none.

use super::config_def::{ConfigKey, keys};

/// What to say about a key that nobody knows: a sentence that starts with the key.
pub(super) fn advice(unknown: &str) -> String {
    let lower = unknown.to_ascii_lowercase();
    if let Some((_, instead)) = LIBRDKAFKA.iter().find(|(name, _)| *name == lower) {
        return format!("{unknown} is librdkafka's name: {}", in_place_of(instead));
    }
    if let Some((_, why)) = ELSEWHERE.iter().find(|(name, _)| *name == lower) {
        return format!("{unknown} is not a producer setting: {why}");
    }
    match nearest(unknown) {
        Some(name) => format!("unknown key {unknown}: did you mean {name}?"),
        None => format!("unknown key {unknown}"),
    }
}

fn in_place_of(instead: &str) -> String {
    // An entry that starts with a key names the key; any other one is a sentence.
    if keys().any(|key| key.name() == instead.split(' ').next().unwrap_or_default()) {
        format!("did you mean {instead}?")
    } else {
        instead.to_owned()
    }
}

/// The key that begins with what was written, or else the one with the fewest changed letters, where so few are changed
/// that it can be a slip.
fn nearest(unknown: &str) -> Option<&'static str> {
    let written = in_java_style(unknown);
    let beginning = format!("{written}.");
    let begun = keys()
        .map(ConfigKey::name)
        .filter(|name| name.starts_with(&beginning))
        .min_by_key(|name| name.len());
    begun.or_else(|| {
        keys()
            .map(|key| (distance(&written, key.name()), key.name()))
            .min()
            .filter(|(distance, name)| *distance <= 1 + name.len() / 6)
            .map(|(_, name)| name)
    })
}

/// `lingerMs`, `linger_ms`, `linger-ms` and `LINGER_MS` as `linger.ms`.
fn in_java_style(written: &str) -> String {
    let is_camel_case = written.chars().any(char::is_lowercase);
    let mut name = String::with_capacity(written.len() + 4);
    for c in written.chars() {
        match c {
            '_' | '-' => name.push('.'),
            c if c.is_uppercase() => {
                if is_camel_case && !name.is_empty() && !name.ends_with('.') {
                    name.push('.');
                }
                name.extend(c.to_lowercase());
            }
            c => name.push(c),
        }
    }
    name
}

/// Levenshtein's distance: how many letters to add, drop or change.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let changed = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = changed.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

/// librdkafka's name, and the key here or what takes its place.
const LIBRDKAFKA: &[(&str, &str)] = &[
    (
        "allow.auto.create.topics",
        "brokers decide about topic creation: set auto.create.topics.enable there",
    ),
    (
        "api.version.fallback.ms",
        "leave it out, versions are always negotiated",
    ),
    (
        "api.version.request",
        "leave it out, versions are always negotiated",
    ),
    ("api.version.request.timeout.ms", "request.timeout.ms"),
    (
        "background_event_cb",
        "give a callback to KafkaProducer::send_with_callback",
    ),
    ("batch.num.messages", "batch.size (in bytes)"),
    (
        "broker.address.family",
        "leave it out, all addresses of a name are tried",
    ),
    (
        "broker.address.ttl",
        "leave it out, names are looked up for each connection",
    ),
    (
        "broker.version.fallback",
        "leave it out, versions are always negotiated",
    ),
    (
        "builtin.features",
        "leave it out, features are chosen with Cargo",
    ),
    (
        "client.software.name",
        "leave it out, the client says what it is",
    ),
    (
        "client.software.version",
        "leave it out, the client says what it is",
    ),
    ("compression.codec", "compression.type"),
    (
        "compression.level",
        "compression.gzip.level, compression.lz4.level or compression.zstd.level",
    ),
    (
        "debug",
        "set the log level of the `ottla` target in your logger",
    ),
    (
        "delivery.report.only.error",
        "look at the result in the callback",
    ),
    (
        "dr_cb",
        "give a callback to KafkaProducer::send_with_callback",
    ),
    (
        "dr_msg_cb",
        "give a callback to KafkaProducer::send_with_callback",
    ),
    ("enable.gapless.guarantee", "enable.idempotence"),
    ("enable.random.seed", "leave it out"),
    ("error_cb", "read KafkaProducer::health"),
    (
        "internal.termination.signal",
        "leave it out, no signal is used",
    ),
    (
        "log.connection.close",
        "set the log level of the `ottla` target in your logger",
    ),
    ("log.queue", "install a logger of the `log` crate"),
    ("log.thread.name", "install a logger of the `log` crate"),
    ("log_cb", "install a logger of the `log` crate"),
    (
        "log_level",
        "set the log level of the `ottla` target in your logger",
    ),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    (
        "message.copy.max.bytes",
        "leave it out, a record is copied once",
    ),
    ("message.max.bytes", "max.request.size"),
    ("message.send.max.retries", "retries"),
    ("message.timeout.ms", "delivery.timeout.ms"),
    ("metadata.broker.list", "bootstrap.servers"),
    ("metadata.request.timeout.ms", "request.timeout.ms"),
    (
        "msg_order_cmp",
        "leave it out, the order per partition is kept",
    ),
    ("opaque", "let the callback own what it needs"),
    (
        "partitioner",
        "ottla.partitioner.hash (murmur2, crc32 or fnv1a)",
    ),
    (
        "partitioner_cb",
        "give a Partitioner to KafkaProducerBuilder::partitioner",
    ),
    (
        "plugin.library.paths",
        "give interceptors to KafkaProducerBuilder::interceptor",
    ),
    (
        "produce.offset.report",
        "leave it out, offsets are always reported",
    ),
    (
        "queue.buffering.backpressure.threshold",
        "leave it out, full brokers get full requests",
    ),
    ("queue.buffering.max.kbytes", "buffer.memory (in bytes)"),
    ("queue.buffering.max.messages", "buffer.memory (in bytes)"),
    ("queue.buffering.max.ms", "linger.ms"),
    (
        "queuing.strategy",
        "leave it out, the order per partition is kept",
    ),
    ("receive.message.max.bytes", "ottla.receive.max.bytes"),
    ("reconnect.backoff.jitter.ms", "reconnect.backoff.ms"),
    ("request.required.acks", "acks"),
    (
        "resolve_cb",
        "leave it out, names are looked up by the system",
    ),
    ("sasl.kerberos.keytab", "use the system's Kerberos tools"),
    ("sasl.kerberos.principal", "use the system's Kerberos tools"),
    ("sasl.mechanisms", "sasl.mechanism"),
    (
        "sasl.oauthbearer.client.id",
        "sasl.oauthbearer.client.credentials.client.id",
    ),
    (
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.client.credentials.client.secret",
    ),
    (
        "sasl.password",
        "sasl.jaas.config (user name and password in one line)",
    ),
    (
        "sasl.username",
        "sasl.jaas.config (user name and password in one line)",
    ),
    (
        "socket.blocking.max.ms",
        "leave it out, sockets never block",
    ),
    ("socket.keepalive.enable", "connections.max.idle.ms"),
    (
        "socket.max.fails",
        "leave it out, a connection is closed at its first failure",
    ),
    (
        "socket.nagle.disable",
        "leave it out, small packets are never held back",
    ),
    ("socket.receive.buffer.bytes", "receive.buffer.bytes"),
    ("socket.send.buffer.bytes", "send.buffer.bytes"),
    ("socket.timeout.ms", "request.timeout.ms"),
    ("socket_cb", "leave it out"),
    ("ssl.ca.location", "ssl.truststore.location"),
    ("ssl.ca.pem", "ssl.truststore.certificates"),
    ("ssl.certificate.location", "ssl.keystore.location"),
    ("ssl.certificate.pem", "ssl.keystore.certificate.chain"),
    ("ssl.key.location", "ssl.keystore.location"),
    ("ssl.key.pem", "ssl.keystore.key"),
    (
        "enable.ssl.certificate.verification",
        "ssl.endpoint.identification.algorithm",
    ),
    (
        "statistics.interval.ms",
        "read KafkaProducer::health as often as you like",
    ),
    (
        "stats_cb",
        "read KafkaProducer::health as often as you like",
    ),
    (
        "sticky.partitioning.linger.ms",
        "leave it out, keyless records change partition with full batches",
    ),
    (
        "throttle_cb",
        "leave it out, throttled brokers are waited for",
    ),
    ("topic.metadata.propagation.max.ms", "max.block.ms"),
    (
        "topic.metadata.refresh.fast.interval.ms",
        "retry.backoff.ms",
    ),
    ("topic.metadata.refresh.interval.ms", "metadata.max.age.ms"),
    (
        "topic.metadata.refresh.sparse",
        "leave it out, only topics in use are asked for",
    ),
];

/// Settings of other parts of Kafka that end up in a producer's file.
const ELSEWHERE: &[(&str, &str)] = &[
    ("auto.offset.reset", "it belongs to consumers"),
    ("enable.auto.commit", "it belongs to consumers"),
    ("fetch.min.bytes", "it belongs to consumers"),
    ("group.id", "it belongs to consumers"),
    ("isolation.level", "it belongs to consumers"),
    ("key.deserializer", "it belongs to consumers"),
    ("max.poll.records", "it belongs to consumers"),
    ("session.timeout.ms", "it belongs to consumers"),
    ("value.deserializer", "it belongs to consumers"),
    ("min.insync.replicas", "it belongs to topics and brokers"),
    ("auto.create.topics.enable", "it belongs to brokers"),
    (
        "zookeeper.connect",
        "Kafka 4 has no ZooKeeper; give bootstrap.servers",
    ),
    (
        "block.on.buffer.full",
        "it is gone from Kafka; use max.block.ms",
    ),
    (
        "metadata.fetch.timeout.ms",
        "it is gone from Kafka; use max.block.ms",
    ),
    (
        "timeout.ms",
        "it is gone from Kafka; use request.timeout.ms",
    ),
    (
        "auto.include.jmx.reporter",
        "there is no JMX outside the JVM",
    ),
    ("metrics.jmx.include", "there is no JMX outside the JVM"),
    ("metrics.jmx.exclude", "there is no JMX outside the JVM"),
    (
        "schema.registry.url",
        "it belongs to a serializer; give it to your serializer's code",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_gets_the_nearest_key() {
        assert_eq!(
            advice("linger.sm"),
            "unknown key linger.sm: did you mean linger.ms?"
        );
        assert_eq!(
            advice("batch_size"),
            "unknown key batch_size: did you mean batch.size?"
        );
        assert_eq!(advice("Acks"), "unknown key Acks: did you mean acks?");
        assert_eq!(
            advice("bootstrap.server"),
            "unknown key bootstrap.server: did you mean bootstrap.servers?"
        );
        for written in ["linger", "lingerMs", "LINGER_MS", "linger-ms", "LingerMs"] {
            assert_eq!(
                advice(written),
                format!("unknown key {written}: did you mean linger.ms?")
            );
        }
        assert_eq!(
            advice("colour.of.the.bikeshed"),
            "unknown key colour.of.the.bikeshed"
        );
    }

    #[test]
    fn names_of_librdkafka_are_translated() {
        assert_eq!(
            advice("queue.buffering.max.ms"),
            "queue.buffering.max.ms is librdkafka's name: did you mean linger.ms?"
        );
        assert_eq!(
            advice("statistics.interval.ms"),
            "statistics.interval.ms is librdkafka's name: read KafkaProducer::health as often as you like"
        );
    }

    #[test]
    fn a_translation_never_hides_a_key_that_exists() {
        for (name, _) in LIBRDKAFKA.iter().chain(ELSEWHERE) {
            assert!(keys().all(|key| key.name() != *name), "{name}");
        }
    }

    #[test]
    fn distance_counts_added_dropped_and_changed_letters() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("same", "same"), 0);
    }
}
