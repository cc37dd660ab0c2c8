//! The client program for rskafka: batches made by the caller, five on their way, which is its cheapest way. It compresses
//! nothing: no workload asks it to.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use compare::{Caller, Producer, Settings, converse};
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::record::Record;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

fn main() {
    let settings = Settings::from_arguments();
    assert_eq!(
        settings.number("partitions", 1),
        1,
        "it does not choose partitions"
    );
    let mut builder = match settings.number("threads", 1) {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.enable_all().build().expect("a runtime");
    let partition = runtime.block_on(async {
        let client = ClientBuilder::new(vec![settings.bootstrap().to_owned()]);
        let client = client.build().await.expect("a broker");
        let partition = client.partition_client(settings.topic(), 0, UnknownTopicHandling::Retry);
        partition.await.expect("a partition")
    });
    let rskafka = Rskafka {
        runtime,
        partition: Arc::new(partition),
        batch_size: settings.number("batch", 16_384),
    };
    converse(&settings, "0.6", &rskafka);
}

struct Rskafka {
    runtime: Runtime,
    partition: Arc<PartitionClient>,
    batch_size: usize,
}

impl Producer for Rskafka {
    type Caller<'a> = RskafkaCaller<'a>;

    fn caller(&self) -> RskafkaCaller<'_> {
        RskafkaCaller {
            rskafka: self,
            batch: Vec::new(),
            size: 0,
            in_flight: JoinSet::new(),
        }
    }

    /// Every caller has waited for its own.
    fn flush(&self) {}
}

struct RskafkaCaller<'a> {
    rskafka: &'a Rskafka,
    batch: Vec<Record>,
    size: usize,
    in_flight: JoinSet<()>,
}

impl RskafkaCaller<'_> {
    fn produce(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        self.size = 0;
        let partition = Arc::clone(&self.rskafka.partition);
        let produced = async move {
            partition
                .produce(batch, Compression::NoCompression)
                .await
                .expect("the broker takes it");
        };
        self.in_flight
            .spawn_on(produced, self.rskafka.runtime.handle());
        if self.in_flight.len() >= MOST_IN_FLIGHT {
            self.join_next();
        }
    }

    fn join_next(&mut self) {
        let joined = self.rskafka.runtime.block_on(self.in_flight.join_next());
        joined.expect("some are in flight").expect("no panics");
    }
}

impl Caller for RskafkaCaller<'_> {
    fn send(&mut self, key: Option<&[u8]>, value: &[u8]) {
        self.batch.push(record(key, value));
        self.size += value.len() + RECORD_OVERHEAD;
        if self.size + value.len() + RECORD_OVERHEAD > self.rskafka.batch_size {
            self.produce();
        }
    }

    fn send_and_wait(&mut self, value: &[u8]) {
        let produced = self
            .rskafka
            .partition
            .produce(vec![record(None, value)], Compression::NoCompression);
        self.rskafka
            .runtime
            .block_on(produced)
            .expect("the broker takes it");
    }

    fn finish(&mut self) {
        if !self.batch.is_empty() {
            self.produce();
        }
        while !self.in_flight.is_empty() {
            self.join_next();
        }
    }
}

fn record(key: Option<&[u8]>, value: &[u8]) -> Record {
    Record {
        key: key.map(<[u8]>::to_vec),
        value: Some(value.to_vec()),
        headers: BTreeMap::new(),
        timestamp: Utc::now(),
    }
}

const MOST_IN_FLIGHT: usize = 5;
const RECORD_OVERHEAD: usize = 9;
