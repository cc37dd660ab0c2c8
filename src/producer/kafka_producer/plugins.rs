//! The user's code inside a producer: serializers, partitioner, interceptors.
//!
//! Java: the fields of `clients/producer/KafkaProducer.java` that `Utils.closeQuietly` closes.
//! Differs: kept together, so that they are configured and closed in one place, and closed once where making a producer
//! fails half way.
//! Threads: any. Locks: none.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::common::kafka_error::KafkaError;
use crate::common::kafka_thread::panic_text;
use crate::common::serialization::Serializer;
use crate::producer::internals::key_hash::KeyHash;
use crate::producer::internals::producer_interceptors::ProducerInterceptors;
use crate::producer::partitioner::Partitioner;
use crate::producer::producer_interceptor::ProducerInterceptor;

/// Serializers, partitioner and interceptors.
pub(super) struct Plugins<K: ?Sized, V: ?Sized> {
    pub(super) key_serializer: Box<dyn Serializer<K>>,
    pub(super) value_serializer: Box<dyn Serializer<V>>,
    pub(super) placement: Placement<K, V>,
    pub(super) interceptors: ProducerInterceptors<K, V>,
}

/// How records without a partition of their own get one.
pub(super) struct Placement<K: ?Sized, V: ?Sized> {
    pub(super) custom: Option<Box<dyn Partitioner<K, V>>>,
    pub(super) ignore_keys: bool,
    pub(super) hash: KeyHash,
}

/// Plug-ins before they are configured.
pub(super) struct Unconfigured<K: ?Sized, V: ?Sized> {
    pub(super) key_serializer: Box<dyn Serializer<K>>,
    pub(super) value_serializer: Box<dyn Serializer<V>>,
    pub(super) placement: Placement<K, V>,
    pub(super) interceptors: Vec<Box<dyn ProducerInterceptor<K, V>>>,
}

impl<K: ?Sized, V: ?Sized> Unconfigured<K, V> {
    /// Configures each plug-in, in Java's order. Where one refuses, all are closed.
    pub(super) fn configure(
        mut self,
        configs: &BTreeMap<String, String>,
    ) -> Result<Plugins<K, V>, KafkaError> {
        let configured = self.configure_each(configs);
        let plugins = Plugins {
            key_serializer: self.key_serializer,
            value_serializer: self.value_serializer,
            placement: self.placement,
            interceptors: ProducerInterceptors::new(self.interceptors),
        };
        match configured {
            Ok(()) => Ok(plugins),
            Err(error) => {
                plugins.close();
                Err(error)
            }
        }
    }

    fn configure_each(&mut self, configs: &BTreeMap<String, String>) -> Result<(), KafkaError> {
        if let Some(partitioner) = &mut self.placement.custom {
            partitioner.configure(configs)?;
        }
        self.key_serializer.configure(configs, true)?;
        self.value_serializer.configure(configs, false)?;
        self.interceptors
            .iter_mut()
            .try_for_each(|interceptor| interceptor.configure(configs))
    }
}

impl<K: ?Sized, V: ?Sized> Plugins<K, V> {
    /// Closes each plug-in, whatever the others do.
    pub(super) fn close(&self) {
        self.interceptors.close();
        close_one("key serializer", || self.key_serializer.close());
        close_one("value serializer", || self.value_serializer.close());
        if let Some(partitioner) = &self.placement.custom {
            close_one("partitioner", || partitioner.close());
        }
    }
}

fn close_one(what: &str, close: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(close)) {
        log::error!("the {what} failed to close: {}", panic_text(panic.as_ref()));
    }
}
