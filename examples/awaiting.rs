//! The same future can be awaited: here in an executor of a few lines, without any runtime.
//!
//! `cargo run --features embedded-broker --example awaiting [-- --bootstrap-server localhost:9092]`

#[path = "support/cluster.rs"]
mod cluster;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use ottla::{KafkaError, KafkaProducer, ProducerRecord};

async fn send_some(producer: &KafkaProducer<str, str>) -> Result<(), KafkaError> {
    for number in 1..=3 {
        let value = format!("awaited {number}");
        let metadata = producer
            .send(ProducerRecord::new("awaited", "key", value.as_str()))?
            .await?;
        println!("{value}: {metadata}");
    }
    Ok(())
}

/// Wakes the thread that waits in [`block_on`].
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

fn main() -> Result<(), KafkaError> {
    let cluster = cluster::Cluster::from_arguments()?;
    let producer =
        KafkaProducer::<str, str>::from_properties([("bootstrap.servers", cluster.servers())])?;
    block_on(send_some(&producer))?;
    let _report = producer.close(Duration::from_secs(10))?;
    Ok(())
}
