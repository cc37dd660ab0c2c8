//! The client program for krafka: `enqueue` within one task, then `flush`; `send` where a record is waited for. It compresses
//! nothing: no workload asks it to.

use std::time::Duration;

use compare::{Caller, Producer, Settings, converse};
use krafka::producer::Acks;
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
        if settings.text("memory").is_some() {
            producer = producer.buffer_memory(settings.number("memory", 0));
        }
        if settings.text("acks") == Some("1") {
            producer = producer.acks(Acks::Leader);
        }
        if settings.text("idempotence") == Some("false") {
            producer = producer.idempotent(false);
        }
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

impl Krafka {
    fn record(&self, key: Option<&[u8]>, value: &[u8]) -> Record {
        let record = Record::new(self.topic.as_str(), value.to_vec());
        match key {
            Some(key) => record.key(key.to_vec()),
            None => record,
        }
    }
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
        let queued = self.producer.enqueue(self.record(key, value));
        self.runtime.block_on(queued).expect("room comes in time");
    }

    fn send_all<'v>(&mut self, records: impl Iterator<Item = (Option<[u8; 16]>, &'v [u8])>) {
        self.runtime.block_on(async {
            for (key, value) in records {
                let key = key.as_ref().map(<[u8; 16]>::as_slice);
                let queued = self.producer.enqueue(self.record(key, value));
                queued.await.expect("room comes in time");
            }
        });
    }

    fn send_and_wait(&mut self, value: &[u8]) {
        let record = self.record(None, value);
        let sent = self.runtime.block_on(self.producer.send(record));
        sent.expect("the broker takes it");
    }
}
