//! The client program for krafka: `enqueue`, then `flush`; `send` where a record is waited for.

use std::time::Duration;

use compare::{Caller, Producer, Settings, converse};
use krafka::producer::{Acks, Compression};
use krafka::{Kafka, Record};
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
    let producer = runtime.block_on(async {
        let kafka = Kafka::builder(settings.bootstrap()).connect().await;
        let mut producer = kafka.expect("a broker").producer();
        if settings.text("linger").is_some() {
            producer = producer.linger(Duration::from_millis(settings.number("linger", 0) as u64));
        }
        if settings.text("batch").is_some() {
            producer = producer.batch_size(settings.number("batch", 0));
        }
        if settings.text("acks") == Some("1") {
            producer = producer.acks(Acks::Leader);
        }
        if settings.text("idempotence") == Some("false") {
            producer = producer.idempotent(false);
        }
        producer = producer.compression(match settings.text("codec") {
            None | Some("none") => Compression::None,
            Some("gzip") => Compression::Gzip,
            Some("lz4") => Compression::Lz4,
            Some("snappy") => Compression::Snappy,
            other => panic!("codec={other:?}"),
        });
        let producer = producer.build().await.expect("legal settings");
        let partitions = producer.partitions_for(settings.topic()).await;
        partitions.expect("the broker answers");
        producer
    });
    let krafka = Krafka {
        runtime,
        producer,
        topic: settings.topic().to_owned(),
    };
    converse(&settings, "0.28", &krafka);
}

struct Krafka {
    runtime: Runtime,
    producer: krafka::producer::Producer,
    topic: String,
}

impl Producer for Krafka {
    type Caller<'a> = &'a Krafka;

    fn caller(&self) -> &Krafka {
        self
    }

    fn flush(&self) {
        let flushed = self.runtime.block_on(self.producer.flush());
        flushed.expect("the broker answers");
    }
}

impl Caller for &Krafka {
    fn send(&mut self, key: Option<&[u8]>, value: &[u8]) {
        let mut record = Record::new(self.topic.as_str(), value.to_vec());
        if let Some(key) = key {
            record = record.key(key.to_vec());
        }
        let queued = self.runtime.block_on(self.producer.enqueue(record));
        queued.expect("room comes in time");
    }

    fn send_and_wait(&mut self, value: &[u8]) {
        let record = Record::new(self.topic.as_str(), value.to_vec());
        let sent = self.runtime.block_on(self.producer.send(record));
        sent.expect("the broker takes it");
    }
}
