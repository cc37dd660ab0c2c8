//! The producer's configuration: Java's keys and defaults in Rust types, checked once.
//!
//! Java: `clients/producer/ProducerConfig.java`, `common/config/AbstractConfig.java`.
//! Differs: unknown keys, and keys that would have no effect, are errors (`ottla.unknown.keys=warn` relaxes the first);
//! where Java changes a setting without being asked, the conflict is an error that names the settings.
//! Threads: plain data. Locks: none.

mod builder;
mod config_def;
mod spelling;
mod validation;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::common::kafka_error::KafkaError;
use crate::producer::producer_config::values::Values;

pub use builder::ProducerConfigBuilder;
pub use config_def::ConfigKey;

/// A checked configuration, ready for [`KafkaProducer::new`](crate::KafkaProducer::new).
///
/// ```
/// use ottla::{Acks, ProducerConfig};
/// use std::time::Duration;
///
/// let config = ProducerConfig::builder("localhost:9092")
///     .acks(Acks::All)
///     .linger(Duration::from_millis(10))
///     .build()?;
/// let same = ProducerConfig::from_properties([
///     ("bootstrap.servers", "localhost:9092"),
///     ("acks", "all"),
///     ("linger.ms", "10"),
/// ])?;
/// assert_eq!(config.get("linger.ms"), same.get("linger.ms"));
/// # Ok::<(), ottla::KafkaError>(())
/// ```
#[derive(Clone)]
pub struct ProducerConfig {
    pub(crate) client: ClientSettings,
    pub(crate) connection: ConnectionSettings,
    pub(crate) delivery: DeliverySettings,
    pub(crate) batching: BatchingSettings,
    pub(crate) partitioning: PartitioningSettings,
    pub(crate) transactions: TransactionSettings,
    values: Values,
}

impl ProducerConfig {
    /// Starts a configuration for a cluster: `host:port` pairs, separated by commas.
    pub fn builder(bootstrap_servers: impl Into<String>) -> ProducerConfigBuilder {
        ProducerConfigBuilder::new(bootstrap_servers.into())
    }

    /// A configuration from Java's keys and values. Of a key that is given twice the last value counts.
    ///
    /// # Errors
    /// Where a key is unknown or unsupported, a value is outside its range, or two settings contradict each other.
    pub fn from_properties<K, V>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, KafkaError>
    where
        K: AsRef<str>,
        V: AsRef<str>,
    {
        Self::from_values(Values::read(properties)?)
    }

    /// A configuration from a Java `.properties` file; needs the crate feature `properties`.
    ///
    /// # Errors
    /// As [`from_properties`](Self::from_properties), and where the file cannot be read.
    #[cfg(feature = "properties")]
    pub fn from_properties_file(path: impl AsRef<std::path::Path>) -> Result<Self, KafkaError> {
        Self::from_properties(properties_file(path.as_ref())?)
    }

    /// Every key there is, with its type, default, range and meaning; in groups, sorted by name inside a group.
    pub fn keys() -> impl Iterator<Item = &'static ConfigKey> {
        config_def::keys()
    }

    /// The value that counts for a key, given or default, as text; passwords are hidden. Nothing for unknown keys.
    pub fn get(&self, key: &str) -> Option<String> {
        self.values.shown(key)
    }

    /// What was given, as serializers, partitioners and interceptors may read it: without passwords.
    pub(crate) fn originals(&self) -> BTreeMap<String, String> {
        self.values.originals()
    }

    fn from_values(values: Values) -> Result<Self, KafkaError> {
        validation::check(&values)?;
        Ok(Self {
            client: ClientSettings::from_values(&values),
            connection: ConnectionSettings::from_values(&values),
            delivery: DeliverySettings::from_values(&values),
            batching: BatchingSettings::from_values(&values),
            partitioning: PartitioningSettings::from_values(&values),
            transactions: TransactionSettings::from_values(&values),
            values,
        })
    }
}

impl fmt::Debug for ProducerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for key in Self::keys() {
            map.entry(&key.name(), &self.get(key.name()).unwrap_or_default());
        }
        map.finish()
    }
}

/// How many replicas must have a record before it counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Acks {
    /// Nobody answers: a record counts as written when its bytes have left.
    None,
    /// The leader alone.
    Leader,
    /// Every replica that is in sync.
    All,
}

impl Acks {
    /// As a Produce request says it: 0, 1 or -1.
    pub(crate) fn to_wire(self) -> i16 {
        match self {
            Acks::None => 0,
            Acks::Leader => 1,
            Acks::All => -1,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Acks::None => "0",
            Acks::Leader => "1",
            Acks::All => "all",
        }
    }
}

/// Who the producer is, whom it asks first, and what is its own business.
#[derive(Debug, Clone)]
pub(crate) struct ClientSettings {
    pub(crate) bootstrap_servers: Vec<String>,
    /// Empty where the producer is to choose one.
    pub(crate) client_id: String,
    pub(crate) key_serializer: Option<String>,
    pub(crate) value_serializer: Option<String>,
    pub(crate) drop_timeout: Duration,
}

impl ClientSettings {
    fn from_values(values: &Values) -> Self {
        Self {
            bootstrap_servers: values.list("bootstrap.servers"),
            client_id: values.text("client.id").unwrap_or_default(),
            key_serializer: values.text("key.serializer"),
            value_serializer: values.text("value.serializer"),
            drop_timeout: values.duration("ottla.drop.timeout.ms"),
        }
    }
}

/// Sockets, requests and what is known about the cluster.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionSettings {
    pub(crate) reconnect_backoff: (Duration, Duration),
    pub(crate) setup_timeout: (Duration, Duration),
    /// Nothing where idle connections are kept.
    pub(crate) max_idle: Option<Duration>,
    /// Nothing where the system decides.
    pub(crate) send_buffer: Option<usize>,
    pub(crate) receive_buffer: Option<usize>,
    pub(crate) receive_max_bytes: usize,
    pub(crate) metadata_max_age: Duration,
    pub(crate) metadata_max_idle: Duration,
    /// Nothing where the producer never starts again from its bootstrap servers.
    pub(crate) rebootstrap_after: Option<Duration>,
    /// Nothing where an overdue broker is waited for.
    pub(crate) leader_suspect: Option<Duration>,
}

impl ConnectionSettings {
    fn from_values(values: &Values) -> Self {
        let rebootstraps = values
            .text("metadata.recovery.strategy")
            .is_some_and(|strategy| strategy.eq_ignore_ascii_case("rebootstrap"));
        Self {
            reconnect_backoff: (
                values.duration("reconnect.backoff.ms"),
                values.duration("reconnect.backoff.max.ms"),
            ),
            setup_timeout: (
                values.duration("socket.connection.setup.timeout.ms"),
                values.duration("socket.connection.setup.timeout.max.ms"),
            ),
            max_idle: (values.number("connections.max.idle.ms") >= 0)
                .then(|| values.duration("connections.max.idle.ms")),
            send_buffer: usize::try_from(values.number("send.buffer.bytes")).ok(),
            receive_buffer: usize::try_from(values.number("receive.buffer.bytes")).ok(),
            receive_max_bytes: values.size("ottla.receive.max.bytes"),
            metadata_max_age: values.duration("metadata.max.age.ms"),
            metadata_max_idle: values.duration("metadata.max.idle.ms"),
            rebootstrap_after: rebootstraps
                .then(|| values.duration("metadata.recovery.rebootstrap.trigger.ms")),
            leader_suspect: Some(values.duration("ottla.leader.suspect.ms"))
                .filter(|floor| !floor.is_zero()),
        }
    }
}

/// When a record counts as written, and how long and how often that is tried.
#[derive(Debug, Clone)]
pub(crate) struct DeliverySettings {
    pub(crate) acks: Acks,
    pub(crate) idempotence: bool,
    pub(crate) retries: u32,
    pub(crate) max_in_flight: usize,
    pub(crate) delivery_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) retry_backoff: (Duration, Duration),
    pub(crate) max_block: Duration,
}

impl DeliverySettings {
    fn from_values(values: &Values) -> Self {
        Self {
            acks: values.acks(),
            idempotence: values.boolean("enable.idempotence"),
            retries: u32::try_from(values.number("retries")).unwrap_or_default(),
            max_in_flight: values.size("max.in.flight.requests.per.connection"),
            delivery_timeout: values.duration("delivery.timeout.ms"),
            request_timeout: values.duration("request.timeout.ms"),
            retry_backoff: (
                values.duration("retry.backoff.ms"),
                values.duration("retry.backoff.max.ms"),
            ),
            max_block: values.duration("max.block.ms"),
        }
    }
}

/// How records are gathered into batches and requests.
#[derive(Debug, Clone)]
pub(crate) struct BatchingSettings {
    /// At least 1: a batch size of 0 puts every record into a batch of its own, as 1 does.
    pub(crate) batch_size: usize,
    pub(crate) linger: Duration,
    pub(crate) buffer_memory: usize,
    pub(crate) max_request_size: usize,
    pub(crate) compression_type: String,
    /// Nothing where the codec has no levels.
    pub(crate) compression_level: Option<i32>,
}

impl BatchingSettings {
    fn from_values(values: &Values) -> Self {
        let compression_type = values.text("compression.type").unwrap_or_default();
        let compression_level = match compression_type.as_str() {
            "gzip" => Some(values.number("compression.gzip.level")),
            "lz4" => Some(values.number("compression.lz4.level")),
            "zstd" => Some(values.number("compression.zstd.level")),
            _ => None,
        };
        Self {
            batch_size: values.size("batch.size").max(1),
            linger: values.duration("linger.ms"),
            buffer_memory: values.size("buffer.memory"),
            max_request_size: values.size("max.request.size"),
            compression_type,
            compression_level: compression_level.and_then(|level| i32::try_from(level).ok()),
        }
    }
}

/// Where records go that do not say it themselves.
#[derive(Debug, Clone)]
pub(crate) struct PartitioningSettings {
    pub(crate) round_robin: bool,
    pub(crate) ignore_keys: bool,
    pub(crate) adaptive: bool,
    /// Zero switches it off.
    pub(crate) availability_timeout: Duration,
    pub(crate) hash: String,
}

impl PartitioningSettings {
    fn from_values(values: &Values) -> Self {
        Self {
            round_robin: values.text("partitioner.class").is_some(),
            ignore_keys: values.boolean("partitioner.ignore.keys"),
            adaptive: values.boolean("partitioner.adaptive.partitioning.enable"),
            availability_timeout: values.duration("partitioner.availability.timeout.ms"),
            hash: values.text("ottla.partitioner.hash").unwrap_or_default(),
        }
    }
}

/// Whether and how records are grouped into transactions.
#[derive(Debug, Clone)]
pub(crate) struct TransactionSettings {
    /// Nothing where there are no transactions.
    pub(crate) id: Option<String>,
    pub(crate) timeout_ms: i32,
    pub(crate) two_phase_commit: bool,
}

impl TransactionSettings {
    fn from_values(values: &Values) -> Self {
        let two_phase_commit = values.boolean("transaction.two.phase.commit.enable");
        let timeout = i32::try_from(values.number("transaction.timeout.ms")).unwrap_or(i32::MAX);
        Self {
            id: values.text("transactional.id"),
            // Prepared transactions wait for their outside coordinator for ever.
            timeout_ms: if two_phase_commit { i32::MAX } else { timeout },
            two_phase_commit,
        }
    }
}

#[cfg(feature = "properties")]
fn properties_file(path: &std::path::Path) -> Result<Vec<(String, String)>, KafkaError> {
    let failed = |why: &dyn fmt::Display| {
        config_def::config_error(format!(
            "cannot read the properties file {}: {why}",
            path.display()
        ))
    };
    let file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let mut pairs = Vec::new();
    java_properties::PropertiesIter::new(std::io::BufReader::new(file))
        .read_into(|key, value| pairs.push((key, value)))
        .map_err(|error| failed(&error))?;
    Ok(pairs)
}

#[cfg(test)]
mod tests;
