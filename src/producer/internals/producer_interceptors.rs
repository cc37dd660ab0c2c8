//! The chain of interceptors; nothing that one of them does can hurt a record or a thread.
//!
//! Java: `clients/producer/internals/ProducerInterceptors.java`.
//! Differs: a panic is contained as an exception is in Java.
//! Threads: any. Locks: none.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::common::kafka_error::KafkaError;
use crate::common::kafka_thread::panic_text;
use crate::producer::producer_interceptor::{
    Acknowledgement, InterceptedRecord, ProducerInterceptor,
};

/// Interceptors in the order in which they are called.
pub(crate) struct ProducerInterceptors<K: ?Sized, V: ?Sized> {
    chain: Arc<[Box<dyn ProducerInterceptor<K, V>>]>,
}

impl<K: ?Sized, V: ?Sized> ProducerInterceptors<K, V> {
    pub(crate) fn new(chain: Vec<Box<dyn ProducerInterceptor<K, V>>>) -> Self {
        Self {
            chain: chain.into(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chain.is_empty()
    }

    /// Shows the record to each interceptor. One that fails is logged, and the next one gets the last good record.
    pub(crate) fn on_send(&self, record: &mut InterceptedRecord<'_, K, V>) {
        for interceptor in self.chain.iter() {
            let good = record.clone();
            let outcome = catch_unwind(AssertUnwindSafe(|| interceptor.on_send(record)));
            if let Some(what) = failure(outcome) {
                log::warn!(
                    "an interceptor failed before a record for topic {} was sent: {what}",
                    good.topic
                );
                *record = good;
            }
        }
    }

    /// Tells each interceptor what became of a record.
    pub(crate) fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        for interceptor in self.chain.iter() {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                interceptor.on_acknowledgement(acknowledgement);
                Ok(())
            }));
            if let Some(what) = failure(outcome) {
                log::warn!(
                    "an interceptor failed at the outcome of a record for topic {}: {what}",
                    acknowledgement.topic
                );
            }
        }
    }

    pub(crate) fn close(&self) {
        for interceptor in self.chain.iter() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| interceptor.close())) {
                log::error!(
                    "an interceptor failed to close: {}",
                    panic_text(panic.as_ref())
                );
            }
        }
    }
}

impl<K: ?Sized, V: ?Sized> Clone for ProducerInterceptors<K, V> {
    fn clone(&self) -> Self {
        Self {
            chain: Arc::clone(&self.chain),
        }
    }
}

impl<K: ?Sized, V: ?Sized> fmt::Debug for ProducerInterceptors<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} interceptors", self.chain.len())
    }
}

fn failure(outcome: std::thread::Result<Result<(), KafkaError>>) -> Option<String> {
    match outcome {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(panic) => Some(format!("panic: {}", panic_text(panic.as_ref()))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::common::error_kind::ErrorKind;
    use crate::common::header::{Header, Headers};

    enum Behaviour {
        Appends(&'static str),
        FailsAfterAppending(&'static str),
        Panics,
    }

    struct Interceptor(Behaviour, Arc<AtomicUsize>);

    impl ProducerInterceptor<i32, str> for Interceptor {
        fn on_send(&self, record: &mut InterceptedRecord<'_, i32, str>) -> Result<(), KafkaError> {
            match self.0 {
                Behaviour::Panics => panic!("on_send"),
                Behaviour::Appends(text) | Behaviour::FailsAfterAppending(text) => {
                    let value = format!("{}{text}", record.value().unwrap_or_default());
                    record.set_value(Some(value));
                    record.headers_mut().add(Header::new("by", text));
                }
            }
            match self.0 {
                Behaviour::FailsAfterAppending(_) => Err(KafkaError::new(ErrorKind::Kafka, "no")),
                _ => Ok(()),
            }
        }

        fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
            self.1.fetch_add(1, Ordering::Relaxed);
            assert_eq!(acknowledgement.partition(), Some(3));
            assert!(!matches!(self.0, Behaviour::Panics), "on_acknowledgement");
        }
    }

    fn chain(told: &Arc<AtomicUsize>) -> ProducerInterceptors<i32, str> {
        let interceptor = |behaviour| -> Box<dyn ProducerInterceptor<i32, str>> {
            Box::new(Interceptor(behaviour, Arc::clone(told)))
        };
        ProducerInterceptors::new(vec![
            interceptor(Behaviour::Appends("-one")),
            interceptor(Behaviour::FailsAfterAppending("-two")),
            interceptor(Behaviour::Panics),
            interceptor(Behaviour::Appends("-three")),
        ])
    }

    /// Java: `ProducerInterceptorsTest.testOnSendChain`. Scenario: SN15 (the chain).
    #[test]
    fn a_failing_interceptor_leaves_the_last_good_record_to_the_next_one() {
        let mut record = InterceptedRecord {
            topic: "t".into(),
            partition: None,
            timestamp: None,
            key: Some(&1).into(),
            value: Some("value").into(),
            headers: Headers::new(),
        };
        chain(&Arc::default()).on_send(&mut record);
        assert_eq!(record.key(), Some(&1));
        assert_eq!(record.value(), Some("value-one-three"));
        assert_eq!(record.headers().len(), 2);
    }

    /// Java: `ProducerInterceptorsTest.testOnAcknowledgementChain`.
    #[test]
    fn every_interceptor_hears_the_outcome_although_one_of_them_panics() {
        let told = Arc::default();
        let headers = Headers::new();
        let error = KafkaError::new(ErrorKind::Timeout, "late");
        chain(&told).on_acknowledgement(&Acknowledgement {
            topic: "t",
            partition: Some(3),
            headers: &headers,
            result: Err(&error),
        });
        assert_eq!(told.load(Ordering::Relaxed), 4);
    }
}
