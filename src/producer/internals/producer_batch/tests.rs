//! A batch and its futures: completion, failure, callbacks, waiting.

use std::sync::Weak;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::common::process::Process;
use crate::common::sync::{Mutex, Rank};
use crate::common::time::{SystemTime, Time};
use crate::producer::internals::buffer_pool::BufferPool;
use crate::producer::internals::future_record_metadata::FutureRecordMetadata;
use crate::producer::internals::incomplete_batches::IncompleteBatches;
use crate::producer::internals::produce_request_result::BatchOwner;
use crate::record::compression::Compression;
use crate::record::default_record::ReadHeader;
use crate::record::memory_records_builder::MemoryRecordsBuilder;

struct NoOwner;

impl BatchOwner for NoOwner {
    fn somebody_waits(self: Arc<Self>, _: &ProduceRequestResult) {}
    fn is_io_thread(&self) -> bool {
        false
    }

    fn process(&self) -> Process {
        Process::current()
    }
}

fn batch() -> (ProducerBatch, Arc<IncompleteBatches>) {
    let tp = TopicPartition::new("test", 1);
    let result = Arc::new(ProduceRequestResult::new(tp, Weak::<NoOwner>::new()));
    let incomplete = IncompleteBatches::new();
    let entry = incomplete.add(&result, SystemTime.now());
    let buffer = BufferPool::new(4096, 4096)
        .try_allocate(4096)
        .expect("all of it");
    let records = OpenRecords::new(buffer, 4096, |memory| {
        MemoryRecordsBuilder::new(memory, 4096, Compression::NONE, 1.0)
    });
    (
        ProducerBatch::new(result, SystemTime.now(), records, entry),
        incomplete,
    )
}

fn append(batch: &mut ProducerBatch, callback: Option<Callback>) -> FutureRecordMetadata {
    let record = RecordToAppend::<ReadHeader>::new(10, Some(b"key"), Some(b"value"), &[]);
    let appended = batch.try_append(&record, &mut { callback });
    let (future, _) = appended.expect("a good record").expect("there is room");
    future
}

fn error(kind: ErrorKind) -> KafkaError {
    KafkaError::new(kind, "a test")
}

/// Java: `ProducerBatchTest.testBatchAbort`. Scenario: PB1, PB2.
///
/// That a batch is done twice cannot be written: being done consumes it. What can come twice is the latch's opening.
#[test]
fn the_first_outcome_counts() {
    let (mut batch, incomplete) = batch();
    let future = append(&mut batch, None);
    let result = Arc::clone(batch.result());
    batch.fail(error(ErrorKind::Kafka));
    assert!(incomplete.is_empty());
    let late = Outcome::Written {
        base_offset: Some(1),
        log_append_time: None,
    };
    assert!(!result.open(late));
    assert_eq!(
        future.get().expect_err("it failed").kind(),
        ErrorKind::Kafka
    );
}

/// Java: `ProduceRequestResultTest`, `ProducerBatchTest.testCompleteExceptionallyWithRecordErrors`. Scenario: PB6.
#[test]
fn a_record_with_an_error_of_its_own_gets_that() {
    let (mut batch, _incomplete) = batch();
    let futures: Vec<_> = (0..4).map(|_| append(&mut batch, None)).collect();
    let own = vec![
        (1, error(ErrorKind::InvalidRecord)),
        (3, error(ErrorKind::InvalidTimestamp)),
    ];
    batch.fail_records(error(ErrorKind::KafkaStorage), own);
    let kinds: Vec<_> = futures
        .iter()
        .map(|f| f.get().map_err(|e| e.kind()))
        .collect();
    use ErrorKind::{InvalidRecord, InvalidTimestamp, KafkaStorage};
    assert_eq!(
        kinds,
        [
            Err(KafkaStorage),
            Err(InvalidRecord),
            Err(KafkaStorage),
            Err(InvalidTimestamp)
        ]
    );
}

/// Java: `ProducerBatchTest` (callbacks that throw). Scenario: PB8.
#[test]
fn a_callback_that_panics_harms_nobody_else() {
    let (mut batch, _incomplete) = batch();
    let ran = Arc::new(AtomicUsize::new(0));
    let counting = || -> Callback {
        let ran = Arc::clone(&ran);
        Box::new(move |result| {
            assert!(result.is_ok());
            ran.fetch_add(1, Ordering::SeqCst);
        })
    };
    let first = append(&mut batch, Some(counting()));
    let second = append(&mut batch, Some(Box::new(|_| panic!("user code"))));
    let third = append(&mut batch, Some(counting()));
    batch.complete(Some(7), None);
    assert_eq!(ran.load(Ordering::SeqCst), 2);
    for (n, future) in (0..).zip([first, second, third]) {
        assert_eq!(future.get().expect("written").offset(), 7 + n);
    }
}

/// Callbacks come in the order of the records, and before the futures are done.
#[test]
fn callbacks_run_before_the_futures_are_done() {
    let (mut batch, _incomplete) = batch();
    let seen = Arc::new(Mutex::new(Rank::Leaf, Vec::new()));
    let mut futures = Vec::new();
    for n in 0..3 {
        let seen = Arc::clone(&seen);
        let result = Arc::clone(batch.result());
        let callback: Callback = Box::new(move |metadata| {
            seen.lock()
                .push((n, metadata.is_ok(), result.outcome().is_some()));
        });
        futures.push(append(&mut batch, Some(callback)));
    }
    batch.complete(None, None);
    assert_eq!(
        *seen.lock(),
        [(0, true, false), (1, true, false), (2, true, false)]
    );
    assert!(futures.iter().all(FutureRecordMetadata::is_done));
}

/// Java: `RecordMetadataTest.testNullChecksum`, `testConstructionWithRelativeOffset`. Scenario: PB10.
#[test]
fn an_unknown_offset_stays_unknown_and_the_brokers_clock_wins() {
    let (mut batch, _incomplete) = batch();
    let future = append(&mut batch, None);
    batch.complete(None, Some(99));
    let metadata = future.get().expect("written");
    assert!(!metadata.has_offset());
    assert_eq!((metadata.offset(), metadata.timestamp()), (-1, 99));
    assert_eq!(metadata.serialized_key_size(), Some(3));
    assert_eq!((metadata.topic(), metadata.partition()), ("test", 1));
}

/// Java: `FutureRecordMetadataTest.testFutureGetWithSeconds`, `testFutureGetWithMilliSeconds`. Scenario: PB9.
#[test]
fn a_wait_follows_a_split_within_its_limit() {
    let (mut batch, incomplete) = batch();
    let futures: Vec<_> = (0..2).map(|_| append(&mut batch, None)).collect();
    batch.seal(&mut CompressorPool::new());
    let mut splitter = Splitter {
        batch_size: 4096,
        compression: Compression::NONE,
        compressors: &mut CompressorPool::new(),
        incomplete: &incomplete,
    };
    let mut parts = batch.split(&mut splitter).expect("two records");
    assert_eq!(incomplete.len(), 2);
    let late = futures[1]
        .get_timeout(Duration::ZERO)
        .expect_err("its part is open");
    assert_eq!(late.kind(), ErrorKind::Timeout);
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| futures[1].get_timeout(Duration::MAX));
        parts.remove(1).complete(Some(50), None);
        let metadata = waits.join().expect("no panic").expect("written");
        assert_eq!(metadata.offset(), 50);
    });
    assert!(!futures[0].is_done());
    parts.remove(0).complete(Some(40), None);
    let all = FutureRecordMetadata::get_all(&futures);
    let offsets: Vec<_> = all
        .into_iter()
        .map(|m| m.expect("written").offset())
        .collect();
    assert_eq!(offsets, [40, 50]);
}

#[test]
fn many_threads_may_wait_for_one_batch() {
    let (mut batch, _incomplete) = batch();
    let futures: Vec<_> = (0..8).map(|_| append(&mut batch, None)).collect();
    std::thread::scope(|scope| {
        let waiting: Vec<_> = futures.iter().map(|f| scope.spawn(|| f.get())).collect();
        batch.complete(Some(0), None);
        for (n, thread) in (0..).zip(waiting) {
            let metadata = thread.join().expect("no panic").expect("written");
            assert_eq!(metadata.offset(), n);
        }
    });
}

/// Java: `ProducerBatchTest.testWithLeaderChangesAcrossRetries`. Scenario: PB7.
#[test]
fn a_newer_epoch_frees_exactly_one_retry() {
    let (mut batch, _incomplete) = batch();
    append(&mut batch, None).is_done();
    let now = SystemTime.now();
    let ms = Duration::from_millis;
    batch.update_leader_epoch(LeaderEpoch::from_wire(1));
    assert_eq!(batch.backing_off_until(now), None, "nothing has failed yet");
    batch.retry_after(now, |_| ms(100));
    assert_eq!(batch.backing_off_until(now), Some(now + ms(100)));
    batch.update_leader_epoch(LeaderEpoch::from_wire(2));
    assert_eq!(batch.backing_off_until(now), None);
    batch.retry_after(now, |_| ms(200));
    batch.update_leader_epoch(LeaderEpoch::from_wire(2));
    batch.update_leader_epoch(None);
    assert_eq!(batch.backing_off_until(now), Some(now + ms(200)));
}

#[test]
fn a_batch_may_be_written_unless_every_attempt_was_refused() {
    let (mut batch, _incomplete) = batch();
    let future = append(&mut batch, None);
    let now = SystemTime.now();
    assert_eq!(batch.persisted(), Persisted::No);
    batch.handed_to(NodeId(1));
    assert_eq!(batch.persisted(), Persisted::Maybe);
    batch.attempt_refused(now, "NOT_LEADER_OR_FOLLOWER");
    assert_eq!(batch.persisted(), Persisted::No);
    batch.handed_to(NodeId(2));
    batch.attempt_lost(now, "disconnected");
    batch.handed_to(NodeId(3));
    batch.attempt_refused(now, "NOT_LEADER_OR_FOLLOWER");
    assert_eq!(
        batch.persisted(),
        Persisted::Maybe,
        "the second one is still open"
    );
    batch.fail(error(ErrorKind::Timeout));
    let error = future.get().expect_err("it failed");
    assert_eq!(error.persisted(), Persisted::Maybe);
    let nodes: Vec<_> = error
        .attempts()
        .iter()
        .map(|attempt| attempt.node)
        .collect();
    assert_eq!(nodes, [1, 2, 3]);
}

#[test]
fn a_long_story_keeps_its_beginning_and_its_end() {
    let (mut batch, _incomplete) = batch();
    let future = append(&mut batch, None);
    for n in 0..100 {
        batch.handed_to(NodeId(n));
        batch.attempt_refused(SystemTime.now(), "no");
    }
    batch.fail(error(ErrorKind::Timeout));
    let error = future.get().expect_err("it failed");
    let nodes: Vec<_> = error
        .attempts()
        .iter()
        .map(|attempt| attempt.node)
        .collect();
    assert_eq!(nodes, [0, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
}
