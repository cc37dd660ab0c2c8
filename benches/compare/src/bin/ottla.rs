//! The client program for `ottla`.

use std::time::Duration;

use compare::{Caller, Producer, Settings, converse};
use ottla::{KafkaProducer, ProducerRecord};

fn main() {
    let settings = Settings::from_arguments();
    let mut properties = vec![("bootstrap.servers", settings.bootstrap())];
    for (word, key) in [
        ("linger", "linger.ms"),
        ("batch", "batch.size"),
        ("codec", "compression.type"),
        ("acks", "acks"),
        ("idempotence", "enable.idempotence"),
        ("memory", "buffer.memory"),
    ] {
        properties.extend(settings.text(word).map(|value| (key, value)));
    }
    let producer = KafkaProducer::from_properties(properties).expect("legal settings");
    let topic = settings.topic().to_owned();
    producer.partitions_for(&topic).expect("the broker answers");
    let ottla = Ottla { producer, topic };
    converse(&settings, "of this tree", &ottla);
    let close = ottla.producer.close(Duration::from_secs(10));
    assert!(close.expect("in time").is_complete());
}

struct Ottla {
    producer: KafkaProducer<[u8], [u8]>,
    topic: String,
}

impl Producer for Ottla {
    type Caller<'a> = &'a Ottla;

    fn caller(&self) -> &Ottla {
        self
    }

    fn flush(&self) {
        self.producer.flush().expect("the broker answers");
    }
}

impl Caller for &Ottla {
    fn send(&mut self, key: Option<&[u8]>, value: &[u8]) {
        let record = ProducerRecord::nullable(self.topic.as_str(), key, Some(value));
        let _answer = self.producer.send(record).expect("room comes in time");
    }

    fn send_and_wait(&mut self, value: &[u8]) {
        let record = ProducerRecord::value_only(self.topic.as_str(), value);
        let sent = self.producer.send(record).expect("room comes in time");
        sent.get().expect("the broker takes it");
    }
}
