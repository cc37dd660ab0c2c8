//! The accumulator in virtual time: a cluster of a few nodes, one topic, and everything a pass of the Sender does.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::client::metadata_snapshot::{
    MetadataSnapshot, PartitionMetadata, TopicMetadata, TopicUsage,
};
use crate::common::cluster::{LeaderEpoch, Node, ProducerIdAndEpoch, Uuid};
use crate::common::sync::{Mutex, Rank};
use crate::producer::internals::producer_batch::ProducerBatch;
use crate::producer::internals::transaction_manager::{TransactionManager, TxnResponse};
use crate::record::default_record::ReadHeader;
use crate::testing::mock_time::MockTime;

mod adaptive;
mod append;
mod concurrency;
mod drain;
mod expire;
mod flush;
mod memory;
mod numbers;
mod ready;
mod retry;
mod split;
mod wake;

/// An accumulator with a topic, and both of its halves.
struct Fixture {
    time: Arc<MockTime>,
    accumulator: Arc<RecordAccumulator>,
    drainer: RecordDrainer,
    snapshot: Arc<MetadataSnapshot>,
    wakes: Arc<AtomicUsize>,
}

/// A record that was appended, and whether that woke the I/O thread.
#[derive(Debug)]
struct Appended {
    future: FutureRecordMetadata,
    wake: bool,
}

impl Appended {
    fn partition(&self) -> i32 {
        let tp = self.future.topic_partition();
        tp.expect("it was appended").partition()
    }
}

impl Fixture {
    /// Partitions 0, 1, .. of the topic are led by these nodes.
    fn new(leaders: &[i32], config: AccumulatorConfig) -> Self {
        Self::with_manager(leaders, config, None)
    }

    fn with_manager(
        leaders: &[i32],
        config: AccumulatorConfig,
        manager: Option<Arc<Mutex<TransactionManager>>>,
    ) -> Self {
        let time = MockTime::shared();
        let wakes = Arc::new(AtomicUsize::new(0));
        let accumulator = RecordAccumulator::new(config, time.clone(), || RANDOM.get(), {
            let wakes = Arc::clone(&wakes);
            Box::new(move || {
                wakes.fetch_add(1, Ordering::SeqCst);
            })
        });
        let drainer = RecordDrainer::new(Arc::clone(&accumulator), manager, || 0.5);
        let leaders: Vec<_> = leaders.iter().map(|node| Some((*node, 0))).collect();
        Self {
            snapshot: snapshot(&leaders),
            time,
            accumulator,
            drainer,
            wakes,
        }
    }

    fn now(&self) -> Instant {
        self.time.now()
    }

    fn pass_ms(&self, ms: u64) {
        self.time.advance(Duration::from_millis(ms));
    }

    fn topic(&self) -> Arc<TopicMetadata> {
        Arc::clone(self.snapshot.topic(TOPIC).expect("every snapshot has it"))
    }

    fn append(&self, partition: impl Into<Option<i32>>, value: &[u8]) -> Appended {
        self.try_append(partition, value, Duration::ZERO)
            .expect("there is memory")
    }

    fn try_append(
        &self,
        partition: impl Into<Option<i32>>,
        value: &[u8],
        max_block: Duration,
    ) -> Result<Appended, KafkaError> {
        self.append_with(partition.into(), value, &mut None, max_block)
    }

    fn append_with(
        &self,
        partition: Option<i32>,
        value: &[u8],
        callback: &mut Option<Callback>,
        max_block: Duration,
    ) -> Result<Appended, KafkaError> {
        let topic = self.topic();
        let to = Destination {
            topic: &topic,
            partition,
        };
        let record =
            RecordToAppend::<ReadHeader>::new(self.time.wall_clock_ms(), None, Some(value), &[]);
        let wakes = self.wakes.load(Ordering::SeqCst);
        let future = self
            .accumulator
            .append(to, &record, callback, self.now(), max_block)?;
        // Counted here, `wakes` tells what else wakes the thread.
        let wake = self.wakes.swap(wakes, Ordering::SeqCst) > wakes;
        Ok(Appended { future, wake })
    }

    /// Appends records until the batch is full; returns how many it took.
    fn fill(&self, partition: i32) -> usize {
        let queue = || {
            let topic = self.accumulator.topics.topic(&self.topic());
            let queue = self.accumulator.topics.queue(topic, partition);
            Arc::clone(queue.expect("a number of a partition"))
        };
        let mut count = 0;
        while count == 0 || !queue().lock().ends_full() {
            drop(self.append(partition, VALUE));
            count += 1;
            if queue().lock().len() > 1 {
                return count;
            }
        }
        count
    }

    fn ready(&mut self) -> super::ready::ReadyCheckResult {
        let now = self.now();
        let snapshot = Arc::clone(&self.snapshot);
        self.drainer.ready(&snapshot, now)
    }

    fn ready_nodes(&mut self) -> Vec<i32> {
        let mut nodes: Vec<_> = self.ready().ready_nodes.iter().map(|node| node.0).collect();
        nodes.sort_unstable();
        nodes
    }

    fn drain(&mut self, node: i32) -> Vec<ProducerBatch> {
        self.drain_up_to(node, usize::MAX)
    }

    fn drain_up_to(&mut self, node: i32, max_request_size: usize) -> Vec<ProducerBatch> {
        let now = self.now();
        let mut batches = Vec::new();
        self.drainer
            .drain(NodeId(node), max_request_size, now, &mut batches);
        batches
    }

    /// A whole pass: what all ready nodes get.
    fn pass(&mut self) -> Vec<ProducerBatch> {
        let nodes = self.ready_nodes();
        nodes
            .into_iter()
            .flat_map(|node| self.drain(node))
            .collect()
    }

    fn expired(&mut self) -> Vec<ProducerBatch> {
        let now = self.now();
        self.drainer.expired(now)
    }

    fn reenqueue(&mut self, mut batch: ProducerBatch) {
        let now = self.now();
        batch.handed_to(NodeId(1));
        batch.attempt_refused(now, "NOT_LEADER_OR_FOLLOWER");
        self.drainer.reenqueue(batch, now);
    }

    fn set_leaders(&mut self, leaders: &[Option<(i32, i32)>]) {
        self.snapshot = snapshot(leaders);
    }

    /// How many milliseconds remain until the next check.
    fn next_check_ms(&mut self) -> Option<u128> {
        let now = self.now();
        let check = self.ready().next_check?;
        Some(check.saturating_duration_since(now).as_millis())
    }

    fn available(&self) -> usize {
        self.accumulator.pool().available()
    }
}

/// A topic whose partitions are led by (node, epoch), or by nobody.
fn snapshot(leaders: &[Option<(i32, i32)>]) -> Arc<MetadataSnapshot> {
    let mut snapshot = MetadataSnapshot::default();
    snapshot.set_nodes((1..=3).map(|id| Node::new(id, "localhost", 9092)).collect());
    let partitions = leaders.iter().map(|leader| PartitionMetadata {
        leader: leader.map(|(node, _)| NodeId(node)),
        leader_epoch: leader.and_then(|(_, epoch)| LeaderEpoch::from_wire(epoch)),
        ..PartitionMetadata::default()
    });
    snapshot.set_topic(metadata_of(TOPIC, partitions.collect()));
    Arc::new(snapshot)
}

fn metadata_of(topic: &str, partitions: Vec<PartitionMetadata>) -> TopicMetadata {
    let usage = Arc::new(TopicUsage::new(MockTime::shared().now()));
    TopicMetadata::new(Arc::from(topic), Uuid::ZERO, partitions, usage)
}

fn config() -> AccumulatorConfig {
    AccumulatorConfig {
        batch_size: 1024,
        buffer_memory: 1024 * 1024,
        compression: Compression::NONE,
        linger: Duration::ZERO,
        delivery_timeout: Duration::from_secs(120),
        retry_backoff: ExponentialBackoff::new(
            Duration::from_millis(100),
            Duration::from_millis(1000),
        ),
        guarantee_message_order: false,
        adaptive_partitioning: true,
        availability_timeout: Duration::ZERO,
    }
}

fn lingering(ms: u64) -> AccumulatorConfig {
    AccumulatorConfig {
        linger: Duration::from_millis(ms),
        ..config()
    }
}

/// A manager that has a producer id.
fn manager() -> Arc<Mutex<TransactionManager>> {
    let manager = unready_manager();
    give_identity(&manager);
    manager
}

fn unready_manager() -> Arc<Mutex<TransactionManager>> {
    let backoff = ExponentialBackoff::new(Duration::from_millis(100), Duration::from_millis(1000));
    let manager = TransactionManager::new(backoff);
    Arc::new(Mutex::new(Rank::TransactionManager, manager))
}

fn give_identity(manager: &Mutex<TransactionManager>) {
    let now = MockTime::shared().now();
    let identity = ProducerIdAndEpoch {
        producer_id: 7,
        epoch: 0,
    };
    let mut manager = manager.lock();
    manager.poll_request(now, false);
    let error = manager.handle_response(TxnResponse::InitProducerId(identity), now, 0.5);
    assert!(error.is_none());
}

/// A good answer.
fn complete(batch: ProducerBatch) {
    batch.complete(Some(0), None);
}

fn partitions(batches: &[ProducerBatch]) -> Vec<i32> {
    batches
        .iter()
        .map(|batch| batch.topic_partition().partition())
        .collect()
}

/// The values of the records of a sealed batch.
fn values(batch: &ProducerBatch) -> Vec<Vec<u8>> {
    let records = batch.unsent_records();
    records.into_iter().filter_map(|r| r.value).collect()
}

thread_local! {
    /// What chooses among partitions.
    static RANDOM: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

const TOPIC: &str = "test";
const VALUE: &[u8] = &[b'v'; 100];
