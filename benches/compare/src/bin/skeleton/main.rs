//! The floor: a producer with ottla's thread shape and nothing else.
//!
//! Callers append to one locked queue of batches for each partition; one thread with a poller writes requests, five at most
//! unanswered, and completes batches. No metadata, no retries, no idempotence, no metrics, no errors: what is left is what a
//! producer of this shape cannot save. It expects a broker that leads every partition of the topic.

mod batch;
mod io_thread;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use compare::{Caller, Producer, Settings, converse};
use mio::{Poll, Waker};
use parking_lot::{Condvar, Mutex};

use batch::{Answer, Batch};
use io_thread::IoThread;

fn main() {
    let settings = Settings::from_arguments();
    let poll = Poll::new().expect("a poller");
    let shared = Arc::new(Shared::new(&settings, &poll));
    let mut io = IoThread::connect(poll, &settings, Arc::clone(&shared));
    let io_thread = std::thread::spawn(move || io.run());
    converse(&settings, "-", &Skeleton(Arc::clone(&shared)));
    shared.closing.store(true, Ordering::Release);
    shared.wake();
    io_thread.join().expect("no panics");
}

/// What callers and the I/O thread share.
struct Shared {
    partitions: Vec<Mutex<VecDeque<Batch>>>,
    /// Partitions with a batch that may leave now, once for each such batch.
    sendable: Mutex<Vec<u32>>,
    /// Partitions with a batch that may leave at that time, oldest first; it may be gone by then.
    lingering: Mutex<VecDeque<(Instant, u32)>>,
    linger: Duration,
    batch_size: usize,
    /// What a batch's buffer has room for at first.
    first_capacity: usize,
    pool: Mutex<Vec<Vec<u8>>>,
    /// Batches between their first record and their answer.
    unanswered: AtomicUsize,
    most_unanswered: usize,
    /// Waited on by callers without room and by `flush`.
    answered: (Mutex<()>, Condvar),
    flushing: AtomicBool,
    /// Set by the I/O thread before it looks at its lists for the last time and waits; swapped by callers that have news.
    sleeping: AtomicBool,
    waker: Waker,
    closing: AtomicBool,
}

impl Shared {
    fn new(settings: &Settings, poll: &Poll) -> Self {
        let partitions = settings.number("partitions", 1);
        let batch_size = settings.number("batch", 16_384);
        let many = partitions > 64;
        Self {
            partitions: (0..partitions).map(|_| Mutex::default()).collect(),
            sendable: Mutex::default(),
            lingering: Mutex::default(),
            linger: Duration::from_millis(settings.number("linger", 5) as u64),
            batch_size,
            first_capacity: if many { 512 } else { batch_size + 64 },
            pool: Mutex::default(),
            unanswered: AtomicUsize::new(0),
            most_unanswered: ((32 << 20) / batch_size).max(if many { 4 * partitions } else { 0 }),
            answered: (Mutex::new(()), Condvar::new()),
            flushing: AtomicBool::new(false),
            sleeping: AtomicBool::new(false),
            waker: Waker::new(poll.registry(), io_thread::WAKE).expect("a waker"),
            closing: AtomicBool::new(false),
        }
    }

    /// Appends one record. `at_once`: the caller will wait for it.
    fn append(
        &self,
        partition: u32,
        key: Option<&[u8]>,
        value: &[u8],
        at_once: bool,
    ) -> Arc<Answer> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.expect("after 1970").as_millis() as i64;
        let mut queue = self.partitions[partition as usize].lock();
        loop {
            if let Some(last) = queue.back_mut() {
                if last.has_room(self.batch_size, key, value) {
                    last.append(now, key, value);
                    return Arc::clone(&last.answer);
                }
            }
            if self.unanswered.load(Ordering::Acquire) < self.most_unanswered {
                break;
            }
            drop(queue);
            self.wait_for_answer(self.most_unanswered);
            queue = self.partitions[partition as usize].lock();
        }
        self.unanswered.fetch_add(1, Ordering::AcqRel);
        let buffer = self.pool.lock().pop();
        let buffer = buffer.unwrap_or_else(|| Vec::with_capacity(self.first_capacity));
        let linger = if at_once { Duration::ZERO } else { self.linger };
        let mut batch = Batch::new(buffer, now, Instant::now() + linger);
        batch.append(now, key, value);
        let (answer, due) = (Arc::clone(&batch.answer), batch.due);
        let closes_another = !queue.is_empty();
        queue.push_back(batch);
        drop(queue);
        let mut wake = closes_another || linger.is_zero();
        if wake {
            self.sendable.lock().push(partition);
        }
        if !linger.is_zero() {
            let mut lingering = self.lingering.lock();
            lingering.push_back((due, partition));
            wake |= lingering.len() == 1;
        }
        if wake {
            self.wake();
        }
        answer
    }

    fn wake(&self) {
        if self.sleeping.swap(false, Ordering::AcqRel) {
            self.waker.wake().expect("the poller is there");
        }
    }

    /// Returns when fewer batches than this are unanswered.
    fn wait_for_answer(&self, limit: usize) {
        let mut guard = self.answered.0.lock();
        while self.unanswered.load(Ordering::Acquire) >= limit {
            self.answered.1.wait(&mut guard);
        }
    }
}

struct Skeleton(Arc<Shared>);

impl Producer for Skeleton {
    type Caller<'a> = SkeletonCaller<'a>;

    fn caller(&self) -> SkeletonCaller<'_> {
        SkeletonCaller {
            shared: &self.0,
            partition: 0,
            left: self.0.batch_size,
        }
    }

    fn flush(&self) {
        self.0.flushing.store(true, Ordering::Release);
        self.0.wake();
        self.0.wait_for_answer(1);
        self.0.flushing.store(false, Ordering::Release);
    }
}

struct SkeletonCaller<'a> {
    shared: &'a Shared,
    /// Without a key, records go here until about a batch is full.
    partition: u32,
    left: usize,
}

impl SkeletonCaller<'_> {
    fn partition(&mut self, key: Option<&[u8]>, value: &[u8]) -> u32 {
        let count = self.shared.partitions.len() as u32;
        if let Some(key) = key {
            let hash = key.iter().fold(0_u32, |hash, byte| {
                (hash ^ u32::from(*byte)).wrapping_mul(16_777_619)
            });
            return hash % count;
        }
        self.left = self.left.saturating_sub(value.len() + 8);
        if self.left == 0 {
            self.left = self.shared.batch_size;
            self.partition = (self.partition + 1) % count;
        }
        self.partition
    }
}

impl Caller for SkeletonCaller<'_> {
    fn send(&mut self, key: Option<&[u8]>, value: &[u8]) {
        let partition = self.partition(key, value);
        std::hint::black_box(self.shared.append(partition, key, value, false));
    }

    fn send_and_wait(&mut self, value: &[u8]) {
        let partition = self.partition(None, value);
        self.shared.append(partition, None, value, true).wait();
    }
}
