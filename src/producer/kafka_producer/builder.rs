//! Puts a producer together that has code of the user's own in it.
//!
//! Java: the constructors of `clients/producer/KafkaProducer.java`, and `*.serializer`, `partitioner.class` and
//! `interceptor.classes`.
//! Differs: plug-ins are objects, not class names; a serializer that is not given follows from the type.
//! Threads: plain data. Locks: none.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::serialization::{DefaultSerializer, Serializer};
use crate::producer::internals::key_hash::KeyHash;
use crate::producer::kafka_producer::plugins::{Placement, Unconfigured};
use crate::producer::kafka_producer::{KafkaProducer, wiring};
use crate::producer::partitioner::{Partitioner, RoundRobinPartitioner};
use crate::producer::producer_config::ProducerConfig;
use crate::producer::producer_interceptor::ProducerInterceptor;

/// A producer in the making, see [`KafkaProducer::builder`].
///
/// ```no_run
/// use ottla::{KafkaError, KafkaProducer, ProducerConfig};
///
/// struct Order { id: u64 }
///
/// # fn main() -> Result<(), KafkaError> {
/// let config = ProducerConfig::builder("localhost:9092").build()?;
/// let producer = KafkaProducer::<str, Order>::builder(config)
///     .value_serializer(|order: &Order, bytes: &mut Vec<u8>| {
///         bytes.extend_from_slice(&order.id.to_be_bytes());
///         Ok(())
///     })
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct KafkaProducerBuilder<K: ?Sized, V: ?Sized, KS = ByType, VS = ByType> {
    config: ProducerConfig,
    key_serializer: KS,
    value_serializer: VS,
    partitioner: Option<Box<dyn Partitioner<K, V>>>,
    interceptors: Vec<Box<dyn ProducerInterceptor<K, V>>>,
}

/// The serializer that the type names.
#[derive(Debug, Clone, Copy)]
pub struct ByType;

/// A serializer of the user's own.
pub struct Given<T: ?Sized>(Box<dyn Serializer<T>>);

impl<T: ?Sized> fmt::Debug for Given<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Given")
    }
}

/// Where a serializer comes from; only this crate's two ways exist.
pub trait SerializerChoice<T: ?Sized>: sealed::Sealed {
    /// The serializer, where the class that the configuration names for `key` makes the same bytes.
    #[doc(hidden)]
    fn choose(self, key: &str, class: Option<&str>) -> Result<Box<dyn Serializer<T>>, KafkaError>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ByType {}
    impl<T: ?Sized> Sealed for super::Given<T> {}
}

impl<T: DefaultSerializer + ?Sized> SerializerChoice<T> for ByType {
    fn choose(self, key: &str, class: Option<&str>) -> Result<Box<dyn Serializer<T>>, KafkaError> {
        let named = class.map(|class| class.rsplit('.').next().unwrap_or(class));
        let same = match named {
            None => true,
            Some("BytesSerializer" | "ByteBufferSerializer") => T::CLASS == "ByteArraySerializer",
            Some(named) => named == T::CLASS,
        };
        if !same {
            let needed = match T::CLASS {
                "" => "which has a serializer of its own",
                class => class,
            };
            return Err(KafkaError::new(
                ErrorKind::Config,
                format!(
                    "{key} {} does not fit the type of the producer, which needs {needed}",
                    class.unwrap_or_default()
                ),
            ));
        }
        Ok(Box::new(T::Serializer::default()))
    }
}

impl<T: ?Sized> SerializerChoice<T> for Given<T> {
    fn choose(self, _: &str, _: Option<&str>) -> Result<Box<dyn Serializer<T>>, KafkaError> {
        Ok(self.0)
    }
}

impl<K: ?Sized, V: ?Sized> KafkaProducerBuilder<K, V> {
    pub(super) fn new(config: ProducerConfig) -> Self {
        Self {
            config,
            key_serializer: ByType,
            value_serializer: ByType,
            partitioner: None,
            interceptors: Vec::new(),
        }
    }
}

impl<K: ?Sized + 'static, V: ?Sized + 'static, KS, VS> KafkaProducerBuilder<K, V, KS, VS> {
    /// Serializes keys with this.
    pub fn key_serializer(
        self,
        serializer: impl Serializer<K> + 'static,
    ) -> KafkaProducerBuilder<K, V, Given<K>, VS> {
        KafkaProducerBuilder {
            config: self.config,
            key_serializer: Given(Box::new(serializer)),
            value_serializer: self.value_serializer,
            partitioner: self.partitioner,
            interceptors: self.interceptors,
        }
    }

    /// Serializes values with this.
    pub fn value_serializer(
        self,
        serializer: impl Serializer<V> + 'static,
    ) -> KafkaProducerBuilder<K, V, KS, Given<V>> {
        KafkaProducerBuilder {
            config: self.config,
            key_serializer: self.key_serializer,
            value_serializer: Given(Box::new(serializer)),
            partitioner: self.partitioner,
            interceptors: self.interceptors,
        }
    }

    /// Lets this choose the partition of records that name none.
    pub fn partitioner(self, partitioner: impl Partitioner<K, V> + 'static) -> Self {
        Self {
            partitioner: Some(Box::new(partitioner)),
            ..self
        }
    }

    /// Shows every record and every outcome to this as well, after the interceptors that were given before.
    pub fn interceptor(mut self, interceptor: impl ProducerInterceptor<K, V> + 'static) -> Self {
        self.interceptors.push(Box::new(interceptor));
        self
    }

    /// Makes the producer and starts its background thread.
    ///
    /// # Errors
    /// Where the configuration names serializers for other types, a plug-in refuses its configuration, no server's name
    /// can be resolved, or the system gives no thread. Plug-ins are closed then.
    pub fn build(self) -> Result<KafkaProducer<K, V>, KafkaError>
    where
        KS: SerializerChoice<K>,
        VS: SerializerChoice<V>,
    {
        let client = &self.config.client;
        let transactional_id = self.config.transactions.id.as_deref();
        let client_id = match (client.client_id.as_str(), transactional_id) {
            ("", Some(id)) => format!("producer-{id}"),
            ("", None) => format!("producer-{}", NEXT_ID.fetch_add(1, Ordering::Relaxed)),
            (id, _) => id.to_owned(),
        };
        let settings = &self.config.partitioning;
        let unconfigured = Unconfigured {
            key_serializer: self
                .key_serializer
                .choose("key.serializer", client.key_serializer.as_deref())?,
            value_serializer: self
                .value_serializer
                .choose("value.serializer", client.value_serializer.as_deref())?,
            placement: Placement {
                custom: match self.partitioner {
                    None if settings.round_robin => Some(Box::new(RoundRobinPartitioner::new())),
                    given => given,
                },
                ignore_keys: settings.ignore_keys,
                hash: KeyHash::from_name(&settings.hash),
            },
            interceptors: self.interceptors,
        };
        let mut configs = self.config.originals();
        configs.insert("client.id".to_owned(), client_id.clone());
        let plugins = unconfigured.configure(&configs)?;
        wiring::start(&self.config, client_id, plugins)
    }
}

impl<K: ?Sized, V: ?Sized, KS, VS> fmt::Debug for KafkaProducerBuilder<K, V, KS, VS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaProducerBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// Names producers that have none: a plain count. Java: `PRODUCER_CLIENT_ID_SEQUENCE`.
static NEXT_ID: AtomicU32 = AtomicU32::new(1);
