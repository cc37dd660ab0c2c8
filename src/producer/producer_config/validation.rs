//! Settings that contradict each other.
//!
//! Java: `clients/producer/ProducerConfig.java` (`postProcessParsedConfig`), `KafkaProducer.configureDeliveryTimeout`.
//! Differs: Java switches idempotence off when `acks` or `retries` do not allow it, raises a delivery timeout that is too
//! short, and flattens back-offs; each of these is an error here that names the settings and the way out.
//! Threads: plain data. Locks: none.

use crate::common::kafka_error::KafkaError;
use crate::producer::producer_config::Acks;
use crate::producer::producer_config::config_def::config_error;
use crate::producer::producer_config::values::Values;

/// Checks everything that takes more than one key to see.
pub(super) fn check(values: &Values) -> Result<(), KafkaError> {
    check_idempotence(values)?;
    check_transactions(values)?;
    check_delivery_timeout(values)?;
    check_memory(values)?;
    check_backoffs(values)?;
    check_plugins(values)?;
    check_built_in(values)
}

fn check_idempotence(values: &Values) -> Result<(), KafkaError> {
    if !values.boolean("enable.idempotence") {
        return Ok(());
    }
    let way_out = if values.is_given("enable.idempotence") {
        "enable.idempotence=true needs"
    } else {
        "idempotence, which is on by default, needs"
    };
    let conflict = if values.acks() != Acks::All {
        format!("acks=all, not acks={}", values.acks().name())
    } else if values.number("retries") == 0 {
        "retries above 0, not retries=0".to_owned()
    } else if values.number(MAX_IN_FLIGHT) > MAX_IN_FLIGHT_WITH_ORDER {
        format!(
            "at most {MAX_IN_FLIGHT_WITH_ORDER} requests in flight, not {MAX_IN_FLIGHT}={}",
            values.number(MAX_IN_FLIGHT)
        )
    } else {
        return Ok(());
    };
    Err(config_error(format!(
        "{way_out} {conflict}; set enable.idempotence=false to do without it"
    )))
}

fn check_transactions(values: &Values) -> Result<(), KafkaError> {
    if values.text("transactional.id").is_some() && !values.boolean("enable.idempotence") {
        return Err(config_error(
            "transactional.id needs enable.idempotence=true",
        ));
    }
    let two_phase_commit = values.boolean("transaction.two.phase.commit.enable");
    if two_phase_commit && values.is_given("transaction.timeout.ms") {
        return Err(config_error(
            "transaction.timeout.ms cannot be set with transaction.two.phase.commit.enable=true: prepared transactions do \
             not time out",
        ));
    }
    Ok(())
}

fn check_delivery_timeout(values: &Values) -> Result<(), KafkaError> {
    let delivery = values.number("delivery.timeout.ms");
    let linger = values.number("linger.ms");
    let request = values.number("request.timeout.ms");
    if delivery >= linger.saturating_add(request) {
        return Ok(());
    }
    Err(config_error(format!(
        "delivery.timeout.ms {delivery} is shorter than linger.ms {linger} and request.timeout.ms {request} together"
    )))
}

fn check_memory(values: &Values) -> Result<(), KafkaError> {
    let batch = values.number("batch.size").max(1);
    let memory = values.number("buffer.memory");
    if batch > memory {
        return Err(config_error(format!(
            "batch.size {batch} is larger than buffer.memory {memory}: no batch would ever fit"
        )));
    }
    Ok(())
}

fn check_backoffs(values: &Values) -> Result<(), KafkaError> {
    for (first, longest) in BACKOFFS {
        if values.number(first) > values.number(longest) {
            return Err(config_error(format!(
                "{first} {} is longer than {longest} {}: raise the latter as well",
                values.number(first),
                values.number(longest)
            )));
        }
    }
    Ok(())
}

fn check_plugins(values: &Values) -> Result<(), KafkaError> {
    let Some(class) = values.text("partitioner.class") else {
        return Ok(());
    };
    if !matches!(class.as_str(), ROUND_ROBIN | "RoundRobinPartitioner") {
        return Err(config_error(format!(
            "partitioner.class {class} is JVM only: give a Partitioner to KafkaProducerBuilder::partitioner"
        )));
    }
    if values.boolean("partitioner.ignore.keys") {
        return Err(config_error(format!(
            "partitioner.ignore.keys has no effect with partitioner.class {class}"
        )));
    }
    Ok(())
}

fn check_built_in(values: &Values) -> Result<(), KafkaError> {
    let codec = values.text("compression.type").unwrap_or_default();
    let optional = [
        ("gzip", cfg!(feature = "gzip")),
        ("snappy", cfg!(feature = "snappy")),
        ("lz4", cfg!(feature = "lz4")),
        ("zstd", cfg!(feature = "zstd")),
    ];
    if optional.contains(&(codec.as_str(), false)) {
        return Err(config_error(format!(
            "compression.type {codec} needs the crate feature `{codec}`"
        )));
    }
    if values.text("client.dns.lookup").as_deref() != Some("use_all_dns_ips") {
        return Err(config_error(
            "client.dns.lookup=resolve_canonical_bootstrap_servers_only is not supported yet: give the canonical names \
             in bootstrap.servers",
        ));
    }
    Ok(())
}

const MAX_IN_FLIGHT: &str = "max.in.flight.requests.per.connection";
const MAX_IN_FLIGHT_WITH_ORDER: i64 = 5;
const ROUND_ROBIN: &str = "org.apache.kafka.clients.producer.RoundRobinPartitioner";
const BACKOFFS: [(&str, &str); 3] = [
    ("retry.backoff.ms", "retry.backoff.max.ms"),
    ("reconnect.backoff.ms", "reconnect.backoff.max.ms"),
    (
        "socket.connection.setup.timeout.ms",
        "socket.connection.setup.timeout.max.ms",
    ),
];
