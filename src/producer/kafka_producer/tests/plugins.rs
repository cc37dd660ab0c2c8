//! The user's code in the way of a record: called once, in order, and harmless.

use std::collections::BTreeMap;

use super::*;
use crate::common::header::{Header, Headers};
use crate::common::serialization::Serializer;
use crate::common::sync::{Mutex, Rank};
use crate::producer::partitioner::{Cluster, Partitioner, RecordToPlace};
use crate::producer::producer_interceptor::{
    Acknowledgement, InterceptedRecord, ProducerInterceptor,
};

/// Fails on demand, and remembers its configuration and its end.
#[derive(Clone, Default)]
struct Plugin {
    fails: bool,
    refuses_configuration: bool,
    calls: Count,
    closed: Count,
    client_ids: Arc<Mutex<Vec<String>>>,
    partition: i32,
}

impl Default for Mutex<Vec<String>> {
    fn default() -> Self {
        Mutex::new(Rank::Leaf, Vec::new())
    }
}

impl Plugin {
    fn see(&self, configs: &BTreeMap<String, String>) -> Result<(), KafkaError> {
        let id = configs.get("client.id").cloned().unwrap_or_default();
        self.client_ids.lock().push(id);
        if self.refuses_configuration {
            return Err(KafkaError::new(ErrorKind::Config, "no"));
        }
        Ok(())
    }
}

impl Serializer<[u8]> for Plugin {
    fn serialize<'a>(
        &self,
        _topic: &str,
        headers: &mut Headers,
        data: &'a [u8],
        _buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        self.calls.add();
        if self.fails {
            return Err(KafkaError::new(ErrorKind::Serialization, "cannot"));
        }
        headers.add(Header::new("by", "serializer"));
        Ok(Some(data))
    }

    fn configure(
        &mut self,
        configs: &BTreeMap<String, String>,
        _is_key: bool,
    ) -> Result<(), KafkaError> {
        self.see(configs)
    }

    fn close(&self) {
        self.closed.add();
    }
}

impl Partitioner<[u8], [u8]> for Plugin {
    fn partition(
        &self,
        _record: &RecordToPlace<'_, [u8], [u8]>,
        _cluster: &Cluster<'_>,
    ) -> Result<i32, KafkaError> {
        self.calls.add();
        Ok(self.partition)
    }

    fn configure(&mut self, configs: &BTreeMap<String, String>) -> Result<(), KafkaError> {
        self.see(configs)
    }

    fn close(&self) {
        self.closed.add();
    }
}

impl ProducerInterceptor<[u8], [u8]> for Plugin {
    fn on_send(&self, record: &mut InterceptedRecord<'_, [u8], [u8]>) -> Result<(), KafkaError> {
        if self.fails {
            return Err(KafkaError::new(ErrorKind::Kafka, "no"));
        }
        record.headers_mut().add(Header::new("by", "interceptor"));
        Ok(())
    }

    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        self.calls.add();
        assert!(acknowledgement.result().is_err());
        assert_eq!(acknowledgement.partition(), Some(self.partition));
    }

    fn configure(&mut self, configs: &BTreeMap<String, String>) -> Result<(), KafkaError> {
        self.see(configs)
    }

    fn close(&self) {
        self.closed.add();
    }
}

/// Java: `KafkaProducerTest.testPartitionerReturnsNegative..`. Scenario: SN13.
#[test]
fn a_partitioner_that_names_no_partition_of_the_topic_fails_the_send() {
    for partition in [-1, 2] {
        let mut plugins = unconfigured();
        plugins.placement.custom = Some(Box::new(Plugin {
            partition,
            ..Plugin::default()
        }));
        let fixture = Fixture::with(&[], plugins);
        fixture.know(2);
        let error = fixture.producer.send(record()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::IllegalArgument);
        assert_eq!(
            error.message(),
            format!(
                "the partitioner chose partition {partition} of topic orders, which has 2 partitions"
            )
        );
        fixture.assert_nothing_buffered();
    }
}

/// Scenario: SN19.
#[test]
fn a_partitioner_is_asked_once_per_record_also_when_that_opens_a_batch() {
    let partitioner = Plugin::default();
    let mut plugins = unconfigured();
    plugins.placement.custom = Some(Box::new(partitioner.clone()));
    let fixture = Fixture::with(&[("batch.size", "0")], plugins);
    fixture.know(2);
    for _ in 0..5 {
        let _sent = fixture.producer.send(record()).unwrap();
    }
    assert_eq!(partitioner.calls.get(), 5);
    let _sent = fixture.producer.send(record().with_partition(1)).unwrap();
    assert_eq!(
        partitioner.calls.get(),
        5,
        "not for a record that names one"
    );
}

/// Java: `KafkaProducerTest.testCallbackAndInterceptorHandleError`. Scenario: SN15, SN17.
#[test]
fn a_refused_record_is_told_to_the_interceptor_and_to_the_callback_once_each() {
    let interceptor = Plugin {
        partition: 1,
        ..Plugin::default()
    };
    let failing = Plugin {
        fails: true,
        partition: 1,
        ..Plugin::default()
    };
    let mut plugins = unconfigured();
    plugins.interceptors = vec![Box::new(failing.clone()), Box::new(interceptor.clone())];
    let fixture = Fixture::with(&[("max.request.size", "60")], plugins);
    fixture.know(2);
    let told = Count::default();
    let count = told.clone();
    let future = fixture
        .producer
        .send_with_callback(record().with_partition(1), move |result| {
            assert_eq!(result.unwrap_err().kind(), ErrorKind::RecordTooLarge);
            count.add();
        })
        .unwrap();
    assert!(future.is_done());
    assert_eq!(
        (told.get(), interceptor.calls.get(), failing.calls.get()),
        (1, 1, 1)
    );
}

/// Java: `KafkaProducerTest.testSerializerException..`. Scenario: SN16.
#[test]
fn a_serializer_that_fails_fails_the_send_and_leaves_nothing_behind() {
    let interceptor = Plugin {
        partition: 0,
        ..Plugin::default()
    };
    let mut plugins = unconfigured();
    plugins.value_serializer = Box::new(Plugin {
        fails: true,
        ..Plugin::default()
    });
    plugins.interceptors = vec![Box::new(interceptor.clone())];
    let fixture = Fixture::with(&[], plugins);
    fixture.know(1);
    let told = Count::default();
    let count = told.clone();
    let error = fixture
        .producer
        .send_with_callback(record().with_partition(0), move |_| count.add())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
    assert_eq!((told.get(), interceptor.calls.get()), (0, 1));
    fixture.assert_nothing_buffered();
}

/// Java: `KafkaProducerTest.testInterceptorConstructClose`, `testClientIdOverriden..`. Scenario: CF4 (a given id).
#[test]
fn every_plug_in_sees_the_client_id_and_is_closed_once() {
    let (plugin, mut plugins) = everywhere(Plugin::default());
    plugins.placement.custom = Some(Box::new(plugin.clone()));
    let mut fixture = Fixture::with(&[("client.id", "mine")], plugins);
    assert_eq!(*plugin.client_ids.lock(), ["mine"; 4]);
    fixture.end();
    fixture.producer.inner.close_plugins();
    fixture.producer.inner.close_plugins();
    assert_eq!(plugin.closed.get(), 4);
}

/// Java: `KafkaProducerTest.testInterceptorConstructorConfigurationWithExceptionShouldCloseRemainingInstances`.
/// Scenario: CF5.
#[test]
fn plug_ins_are_closed_once_where_making_the_producer_fails() {
    let (plugin, plugins) = everywhere(Plugin {
        refuses_configuration: true,
        ..Plugin::default()
    });
    assert!(plugins.configure(&BTreeMap::new()).is_err());
    assert_eq!(plugin.closed.get(), 3);

    let plugin = Plugin::default();
    let config = ProducerConfig::builder("does-not-exist.invalid:9092")
        .build()
        .unwrap();
    let failed = KafkaProducer::<[u8], [u8]>::builder(config)
        .key_serializer(plugin.clone())
        .interceptor(plugin.clone())
        .build();
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(plugin.closed.get(), 2);
}

/// Scenario: CF4 (a made-up id).
#[test]
fn producers_without_a_client_id_are_numbered() {
    let plugin = Plugin::default();
    let config = ProducerConfig::builder("127.0.0.1:9").build().unwrap();
    let build = || {
        let builder = KafkaProducer::<[u8], [u8]>::builder(config.clone());
        builder.key_serializer(plugin.clone()).build().unwrap()
    };
    let ids = [build().health().client_id, build().health().client_id];
    assert_eq!(*plugin.client_ids.lock(), ids);
    assert!(ids[0].starts_with("producer-") && ids[0] != ids[1]);
}

#[test]
fn a_class_name_of_java_must_fit_the_type() {
    let properties = |class| {
        [
            ("bootstrap.servers", "127.0.0.1:9"),
            ("key.serializer", class),
        ]
    };
    let fits = "org.apache.kafka.common.serialization.StringSerializer";
    assert!(KafkaProducer::<str, str>::from_properties(properties(fits)).is_ok());
    let error = KafkaProducer::<i32, str>::from_properties(properties(fits)).unwrap_err();
    assert_eq!(
        error.message(),
        "key.serializer org.apache.kafka.common.serialization.StringSerializer does not fit the type of the producer, \
         which needs IntegerSerializer"
    );
}

fn everywhere(plugin: Plugin) -> (Plugin, Unconfigured<[u8], [u8]>) {
    let mut plugins = unconfigured();
    plugins.key_serializer = Box::new(plugin.clone());
    plugins.value_serializer = Box::new(plugin.clone());
    plugins.interceptors = vec![Box::new(plugin.clone())];
    (plugin, plugins)
}

type Inner = KafkaProducer<[u8], [u8]>;

/// Sends a copy of each value to another topic before it lends it, or panics.
struct Reentrant {
    inner: Arc<Mutex<Option<Inner>>>,
}

impl Serializer<[u8]> for Reentrant {
    fn serialize<'a>(
        &self,
        topic: &str,
        _headers: &mut Headers,
        data: &'a [u8],
        buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        assert_ne!(data, b"panic", "a serializer of the test");
        let copy = self.inner.lock().take();
        if let Some(producer) = copy {
            let _sent = producer.send(ProducerRecord::new(topic, *b"k", data))?;
        }
        assert!(buffer.is_empty());
        buffer.extend_from_slice(data);
        Ok(Some(buffer))
    }
}

#[test]
fn a_serializer_may_send_records_itself_and_a_panic_in_one_harms_only_its_caller() {
    let inner = Arc::new(Mutex::new(Rank::Leaf, None));
    let mut plugins = unconfigured();
    plugins.value_serializer = Box::new(Reentrant {
        inner: Arc::clone(&inner),
    });
    let fixture = Fixture::with(&[], plugins);
    fixture.know(1);
    *inner.lock() = Some(fixture.producer.clone());
    let _sent = fixture.producer.send(record()).unwrap();
    assert!(inner.lock().is_none());

    let bad = || {
        fixture
            .producer
            .send(ProducerRecord::new(TOPIC, *b"k", *b"panic"))
    };
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(bad));
    assert!(caught.is_err());
    assert!(fixture.producer.send(record()).is_ok());
}

/// Notes who was called, in order.
#[derive(Clone)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn new() -> Self {
        Self(Arc::default())
    }

    fn add(&self, who: &str) {
        self.0.lock().push(who.to_owned());
    }
}

impl ProducerInterceptor<[u8], [u8]> for Notes {
    fn on_send(&self, _record: &mut InterceptedRecord<'_, [u8], [u8]>) -> Result<(), KafkaError> {
        Ok(())
    }

    fn on_acknowledgement(&self, _acknowledgement: &Acknowledgement<'_>) {
        self.add("interceptor");
    }
}

impl Serializer<[u8]> for Notes {
    fn serialize<'a>(
        &self,
        _topic: &str,
        _headers: &mut Headers,
        data: &'a [u8],
        _buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        Ok(Some(data))
    }

    fn serialize_null<'a>(
        &self,
        topic: &str,
        headers: &mut Headers,
        buffer: &'a mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, KafkaError> {
        self.add(topic);
        headers.add(Header::new("was", "null"));
        buffer.extend_from_slice(b"nothing");
        Ok(Some(buffer))
    }
}

/// Java: `KafkaProducer.doSend` tells the callback of a refusal, then the interceptors; `AppendCallbacks` the other way
/// round.
#[test]
fn of_a_refusal_the_callback_hears_first_and_of_an_outcome_the_interceptor() {
    let notes = Notes::new();
    let mut plugins = unconfigured();
    plugins.interceptors = vec![Box::new(notes.clone())];
    let mut fixture = Fixture::with(&[("max.request.size", "100")], plugins);
    fixture.know(1);
    let callback = |notes: &Notes| {
        let notes = notes.clone();
        move |_: Result<RecordMetadata, KafkaError>| notes.add("callback")
    };
    let value = vec![0_u8; 1000];
    let too_large = ProducerRecord::new(TOPIC, *b"k", &*value);
    let refused = fixture
        .producer
        .send_with_callback(too_large, callback(&notes));
    assert!(refused.unwrap().is_done());
    assert_eq!(*notes.0.lock(), ["callback", "interceptor"]);
    notes.0.lock().clear();
    let sent = fixture
        .producer
        .send_with_callback(record(), callback(&notes));
    fixture.end();
    assert!(sent.unwrap().is_done());
    assert_eq!(*notes.0.lock(), ["interceptor", "callback"]);
}

/// As in Java, where a serializer may make something of null.
#[test]
fn a_serializer_may_make_something_of_null() {
    let notes = Notes::new();
    let mut plugins = unconfigured();
    plugins.value_serializer = Box::new(notes.clone());
    let mut fixture = Fixture::with(&[], plugins);
    fixture.know(1);
    let tombstone = ProducerRecord::nullable(TOPIC, Some(*b"k"), None::<[u8; 1]>);
    let _sent = fixture.producer.send(tombstone).unwrap();
    assert_eq!(*notes.0.lock(), [TOPIC]);
    fixture.end();
    let unsent = fixture.control.take_unsent();
    assert_eq!(unsent[0].value.as_deref(), Some(b"nothing".as_slice()));
    assert_eq!(unsent[0].key.as_deref(), Some(b"k".as_slice()));
}
