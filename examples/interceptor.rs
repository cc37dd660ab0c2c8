//! Looks at every record on its way out and at every outcome: here it adds a header and counts.
//!
//! `cargo run --features embedded-broker --example interceptor [-- --bootstrap-server localhost:9092]`

#[path = "support/cluster.rs"]
mod cluster;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ottla::{
    Acknowledgement, Header, InterceptedRecord, KafkaError, KafkaProducer, ProducerConfig,
    ProducerInterceptor, ProducerRecord,
};

/// Counts outcomes; `Relaxed` is enough for numbers that are only shown.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
}

#[derive(Debug)]
struct Audit(Arc<Counts>);

impl ProducerInterceptor<str, str> for Audit {
    fn on_send(&self, record: &mut InterceptedRecord<'_, str, str>) -> Result<(), KafkaError> {
        self.0.sent.fetch_add(1, Ordering::Relaxed);
        record
            .headers_mut()
            .add(Header::new("audited-by", *b"examples/interceptor"));
        Ok(())
    }

    fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        let counter = if acknowledgement.result().is_ok() {
            &self.0.acknowledged
        } else {
            &self.0.failed
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn main() -> Result<(), KafkaError> {
    let cluster = cluster::Cluster::from_arguments()?;
    let counts = Arc::new(Counts::default());
    let config = ProducerConfig::builder(cluster.servers()).build()?;
    let producer = KafkaProducer::<str, str>::builder(config)
        .interceptor(Audit(Arc::clone(&counts)))
        .build()?;

    for number in 0..100 {
        let value = format!("event {number}");
        let _sent = producer.send(ProducerRecord::new("audited", "key", value.as_str()))?;
    }
    // Larger than a request may be: it fails, and the interceptor is told.
    let giant = "x".repeat(2_000_000);
    if let Err(error) = producer
        .send(ProducerRecord::new("audited", "key", giant.as_str()))?
        .get()
    {
        println!("as expected: {error}");
    }
    let _report = producer.close(Duration::from_secs(10))?;

    let show = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    println!(
        "sent {}, acknowledged {}, failed {}",
        show(&counts.sent),
        show(&counts.acknowledged),
        show(&counts.failed)
    );
    Ok(())
}
