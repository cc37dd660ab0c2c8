//! The client program for confluent-kafka, the translation of the Java client: records are awaited in one task, or sent one
//! by one where they are waited for.

use std::collections::HashMap;

use compare::{Caller, Producer, Settings, converse};
use confluent_kafka::common::serialization::ByteArraySerializer;
use confluent_kafka::producer::{KafkaProducer, Producer as _, ProducerConfig, ProducerRecord};
use tokio::runtime::{Builder, Runtime};

fn main() {
    let settings = Settings::from_arguments();
    // One thread that sends and waits needs no other; one that only sends must not be what drives the connection.
    let waits = settings.text("workload") == Some("get") && settings.number("threads", 1) == 1;
    let mut builder = match waits {
        true => Builder::new_current_thread(),
        false => Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().expect("a runtime");
    let mut properties =
        HashMap::from([("bootstrap.servers".into(), settings.bootstrap().to_owned())]);
    for (word, key) in [
        ("linger", "linger.ms"),
        ("batch", "batch.size"),
        ("acks", "acks"),
        ("idempotence", "enable.idempotence"),
        ("memory", "buffer.memory"),
    ] {
        properties.extend(settings.text(word).map(|value| (key.into(), value.into())));
    }
    let topic = settings.topic().to_owned();
    let producer = runtime.block_on(async {
        let config = ProducerConfig::new(&properties).expect("legal settings");
        let serializers = (
            ByteArraySerializer::default(),
            ByteArraySerializer::default(),
        );
        let producer = KafkaProducer::new(config, serializers.0, serializers.1);
        let producer = producer.expect("legal settings");
        let partitions = producer.partitions_for(&topic).await;
        partitions.expect("the broker answers");
        producer
    });
    let confluent = Confluent {
        runtime,
        producer,
        topic,
    };
    converse(&settings, "1.0", &confluent);
}

struct Confluent {
    runtime: Runtime,
    producer: KafkaProducer<Vec<u8>, Vec<u8>>,
    topic: String,
}

impl Confluent {
    fn record<'a>(
        &self,
        key: Option<&'a [u8]>,
        value: &'a [u8],
    ) -> ProducerRecord<&'a [u8], &'a [u8]> {
        ProducerRecord::with_key(self.topic.clone(), key, Some(value))
    }
}

impl Producer for Confluent {
    type Caller<'a> = &'a Confluent;

    fn caller(&self) -> &Confluent {
        self
    }

    fn flush(&self) {
        let flushed = self.runtime.block_on(self.producer.flush());
        flushed.expect("the broker answers");
    }
}

impl Caller for &Confluent {
    fn send(&mut self, key: Option<&[u8]>, value: &[u8]) {
        let sent = self.producer.send(self.record(key, value), None);
        self.runtime.block_on(sent).expect("room comes in time");
    }

    fn send_all<'v>(&mut self, records: impl Iterator<Item = (Option<[u8; 16]>, &'v [u8])>) {
        self.runtime.block_on(async {
            for (key, value) in records {
                let key = key.as_ref().map(<[u8; 16]>::as_slice);
                let sent = self.producer.send(self.record(key, value), None);
                sent.await.expect("room comes in time");
            }
        });
    }

    fn send_and_wait(&mut self, value: &[u8]) {
        self.runtime.block_on(async {
            let sent = self.producer.send(self.record(None, value), None).await;
            let answer = sent.expect("room comes in time").get().await;
            answer.expect("the broker takes it");
        });
    }
}
