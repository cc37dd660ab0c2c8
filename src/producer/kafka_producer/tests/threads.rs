//! The whole producer under many schedules: the real facade, accumulator and Sender, over a model of the network.

use std::sync::Arc;

use shuttle::thread;

use super::*;
use crate::client::kafka_client::KafkaClient;
use crate::common::kafka_thread;
use crate::common::sync::model::Deadlines;
use crate::producer::internals::sender::{SharedSender, Transactions};
use crate::producer::kafka_producer::wiring::new_transaction_manager;
use crate::testing::mock_client::api_versions;
use crate::testing::threads::model_client::{ModelClient, PARTITIONS, TOPIC, Written, publish};
use crate::testing::threads::model_coordinator::Fates;
use crate::testing::threads::{Notes, explore};

mod closing;
mod lending;
mod sending;
mod transactions;

type Producer = KafkaProducer<[u8], [u8]>;

/// A producer whose I/O thread runs when the scheduler says so.
struct Model {
    producer: Producer,
    accumulator: Arc<RecordAccumulator>,
    written: Arc<Notes<Written>>,
    fates: Arc<Fates>,
    outcomes: Arc<Outcomes>,
    sender: Arc<SharedSender<ModelClient>>,
    time: Arc<MockTime>,
}

/// What callbacks were told: the record's name and whether it was written.
type Outcomes = Notes<(Vec<u8>, bool)>;

impl Model {
    /// With a topic that is known already.
    fn new(settings: &[(&str, &str)]) -> Self {
        Self::start(settings, true, 0)
    }

    fn with_unknown_topic(settings: &[(&str, &str)]) -> Self {
        Self::start(settings, false, 0)
    }

    fn start(settings: &[(&str, &str)], knows_topic: bool, transaction_version: i16) -> Self {
        let base = [
            ("bootstrap.servers", "localhost:9092"),
            ("linger.ms", "0"),
            ("enable.idempotence", "false"),
        ];
        let config = ProducerConfig::from_properties(base.iter().chain(settings).copied()).unwrap();
        let time = MockTime::shared();
        let shared_time = Arc::clone(&time) as Arc<dyn Time>;
        let backoff = ExponentialBackoff::new(Duration::from_millis(1), Duration::from_millis(1));
        let metadata_config = MetadataConfig {
            refresh_backoff: backoff,
            max_age: config.connection.metadata_max_age,
            max_idle: config.connection.metadata_max_idle,
            random_seed: 1,
        };
        let servers = vec![Node::new(-1, "localhost", 9092)];
        let metadata = Metadata::new(&metadata_config, servers);
        let metadata = Arc::new(ProducerMetadata::new(metadata));
        if knows_topic {
            publish(&metadata, time.now());
        }
        let client = ModelClient::new(Arc::clone(&metadata), Arc::clone(&time));
        let (written, fates) = (client.written(), client.fates());
        let waker = client.waker();
        let wakes = waker.clone();
        let accumulator = RecordAccumulator::new(
            accumulator_config(&config, false).unwrap(),
            Arc::clone(&shared_time),
            || 0,
            Box::new(move || wakes.wakeup()),
        );
        let control = Arc::new(SenderControl::new());
        let manager = new_transaction_manager(&config);
        let transactions = config.transactions.id.as_deref().map(|id| Transactions {
            id: id.into(),
            api_versions: api_versions(transaction_version),
        });
        let is_transactional = transactions.is_some();
        let parts = SenderParts {
            client,
            accumulator: RecordDrainer::new(Arc::clone(&accumulator), manager.clone(), || 0.5),
            metadata: Arc::clone(&metadata),
            transaction_manager: manager.clone(),
            time: Arc::clone(&shared_time),
            control: Arc::clone(&control),
        };
        let sender = Sender::new(sender_config(&config), parts).with_transactions(transactions);
        let sender = SharedSender::lend(sender, Duration::ZERO);
        let runs = Arc::clone(&sender);
        let io = kafka_thread::spawn("io", move || runs.run(), |text| panic!("{text}")).unwrap();
        let io = Io {
            metadata,
            accumulator: Arc::clone(&accumulator),
            control,
            closing: Closing::new(waker, Some(io)),
            time: shared_time,
            transactions: manager.filter(|_| is_transactional),
        };
        let plugins = unconfigured().configure(&config.originals()).unwrap();
        Self {
            producer: assemble(&config, "client".to_owned(), plugins, io),
            accumulator,
            written,
            fates,
            outcomes: Arc::default(),
            sender,
            time,
        }
    }

    /// Closes; where deadlines may pass, until the end has really come.
    fn end(&self) {
        while !self.producer.close(SECONDS_30).unwrap().is_complete() {}
    }

    /// Runs `body` on a thread of its own, with a handle of its own.
    fn spawn<R: Send + 'static>(
        &self,
        body: impl FnOnce(&Threaded) -> R + Send + 'static,
    ) -> thread::JoinHandle<R> {
        let own = self.threaded();
        thread::spawn(move || body(&own))
    }

    fn threaded(&self) -> Threaded {
        Threaded {
            producer: self.producer.clone(),
            outcomes: Arc::clone(&self.outcomes),
        }
    }

    /// After the end: each accepted record had one outcome, what was written was written once and in order, and all
    /// memory is back. Returns the names of the written records.
    fn assert_complete(&self, accepted: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let pool = self.accumulator.pool();
        assert_eq!(pool.available(), pool.total(), "memory is back");
        assert_eq!(pool.queued(), 0);
        assert!(!self.accumulator.has_incomplete());
        let outcomes = self.outcomes.take();
        let mut told: Vec<_> = outcomes.iter().map(|(name, _)| name.clone()).collect();
        told.sort();
        let mut accepted = accepted.to_vec();
        accepted.sort();
        assert_eq!(told, accepted, "one outcome for each record");
        let written = self.written.take();
        for partition in 0..PARTITIONS {
            let names = written.iter().filter(|(p, _)| *p == partition);
            let names: Vec<_> = names.map(|(_, name)| name).collect();
            for first in b'a'..=b'z' {
                let of_thread: Vec<_> = names.iter().filter(|n| n[0] == first).collect();
                assert!(of_thread.is_sorted_by(|a, b| a < b), "order: {of_thread:?}");
            }
        }
        let mut written: Vec<_> = written.into_iter().map(|(_, name)| name).collect();
        written.sort();
        let mut acked: Vec<_> = outcomes.into_iter().filter(|(_, ok)| *ok).collect();
        acked.sort();
        for (name, _) in &acked {
            assert!(written.contains(name), "acknowledged and not written");
        }
        written
    }
}

/// What one thread of a scenario has.
struct Threaded {
    producer: Producer,
    outcomes: Arc<Outcomes>,
}

impl Threaded {
    /// Sends a record called `name` (thread, number), whose outcome is noted.
    fn send(&self, partition: i32, name: &str) -> Result<FutureRecordMetadata, KafkaError> {
        self.send_and(partition, name, || {})
    }

    fn send_and(
        &self,
        partition: i32,
        name: &str,
        then: impl FnOnce() + Send + 'static,
    ) -> Result<FutureRecordMetadata, KafkaError> {
        let record = ProducerRecord::new(TOPIC, *b"k", name.as_bytes()).with_partition(partition);
        let (outcomes, name) = (Arc::clone(&self.outcomes), name.as_bytes().to_vec());
        self.producer.send_with_callback(record, move |result| {
            outcomes.add((name, result.is_ok()));
            then();
        })
    }
}

impl Threaded {
    /// Sends a record without a callback and waits for it; notes its outcome.
    fn send_and_get(&self, partition: i32, name: &str) -> Result<RecordMetadata, KafkaError> {
        let record = ProducerRecord::new(TOPIC, *b"k", name.as_bytes()).with_partition(partition);
        let outcome = self.producer.send(record)?.get();
        self.outcomes
            .add((name.as_bytes().to_vec(), outcome.is_ok()));
        outcome
    }
}

fn names(names: &[&str]) -> Vec<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

const SECONDS_30: Duration = Duration::from_secs(30);
