//! The floor's one background thread: takes batches that may leave, writes requests, reads answers.

use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use compare::Settings;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Shared;
use crate::batch::Batch;

pub(crate) const WAKE: Token = Token(0);

pub(crate) struct IoThread {
    shared: Arc<Shared>,
    poll: Poll,
    socket: TcpStream,
    topic: String,
    correlation_id: i32,
    /// Requests that are not wholly written, oldest first; of the first, so much is.
    unwritten: VecDeque<Request>,
    written: usize,
    /// The batches of written requests, in the order in which answers come.
    in_flight: VecDeque<Vec<Batch>>,
    sendable: Vec<u32>,
    /// The last request of each partition: one batch at most is in a request.
    last_request: Vec<i32>,
    incoming: Vec<u8>,
    arrived: usize,
}

struct Request {
    /// Heads and batches in turn: the request's and first batch's head, the first batch, the second's head ..
    heads: Vec<Vec<u8>>,
    batches: Vec<Batch>,
}

impl IoThread {
    pub(crate) fn connect(poll: Poll, settings: &Settings, shared: Arc<Shared>) -> Self {
        let socket = std::net::TcpStream::connect(settings.bootstrap()).expect("a broker");
        socket.set_nodelay(true).expect("a socket");
        socket.set_nonblocking(true).expect("a socket");
        let mut socket = TcpStream::from_std(socket);
        let both = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut socket, Token(1), both)
            .expect("a socket");
        Self {
            shared,
            poll,
            socket,
            topic: settings.topic().to_owned(),
            correlation_id: 0,
            unwritten: VecDeque::new(),
            written: 0,
            in_flight: VecDeque::new(),
            sendable: Vec::new(),
            last_request: vec![0; settings.number("partitions", 1)],
            incoming: vec![0; 1 << 20],
            arrived: 0,
        }
    }

    pub(crate) fn run(&mut self) {
        let mut events = Events::with_capacity(8);
        while !self.shared.closing.load(Ordering::Acquire) {
            while self.make_request() {}
            self.write();
            let wait = self.time_to_wait();
            if let Err(error) = self.poll.poll(&mut events, wait) {
                assert_eq!(error.kind(), ErrorKind::Interrupted, "{error}");
            }
            self.shared.sleeping.store(false, Ordering::Release);
            if !self.in_flight.is_empty() {
                self.read();
            }
        }
    }

    /// None: until something happens. Zero when something is there already.
    fn time_to_wait(&self) -> Option<Duration> {
        if self.has_room() {
            self.shared.sleeping.store(true, Ordering::SeqCst);
            if !self.sendable.is_empty() || !self.shared.sendable.lock().is_empty() {
                return Some(Duration::ZERO);
            }
            let first = self.shared.lingering.lock().front().map(|first| first.0);
            let flushing = self.shared.flushing.load(Ordering::Acquire);
            return first.map(|due| match flushing {
                true => Duration::ZERO,
                false => due.saturating_duration_since(Instant::now()),
            });
        }
        None
    }

    fn has_room(&self) -> bool {
        self.in_flight.len() + self.unwritten.len() < MOST_IN_FLIGHT
    }

    /// Takes a batch of each partition that may send one, up to the size of a request. Whether there was any.
    fn make_request(&mut self) -> bool {
        if !self.has_room() {
            return false;
        }
        self.sendable.append(&mut self.shared.sendable.lock());
        self.take_lingered();
        let flushing = self.shared.flushing.load(Ordering::Acquire);
        let now = Instant::now();
        self.correlation_id += 1;
        let (mut size, mut taken, mut later) = (0, Vec::new(), Vec::new());
        for partition in self.sendable.drain(..) {
            let last_request = &mut self.last_request[partition as usize];
            if size >= MOST_BYTES || *last_request == self.correlation_id {
                later.push(partition);
                continue;
            }
            let mut queue = self.shared.partitions[partition as usize].lock();
            let closed = queue.len() > 1 || flushing;
            if queue
                .front()
                .is_some_and(|first| closed || first.due <= now)
            {
                let batch = queue.pop_front().expect("looked at just now");
                *last_request = self.correlation_id;
                size += batch.bytes().len();
                taken.push((partition, batch));
            }
        }
        self.sendable = later;
        if taken.is_empty() {
            return false;
        }
        self.queue_request(taken, size);
        true
    }

    fn take_lingered(&mut self) {
        let mut lingering = self.shared.lingering.lock();
        if lingering.is_empty() {
            return;
        }
        let flushing = self.shared.flushing.load(Ordering::Acquire);
        let now = Instant::now();
        while let Some((due, partition)) = lingering.front() {
            if !flushing && *due > now {
                return;
            }
            self.sendable.push(*partition);
            lingering.pop_front();
        }
    }

    fn queue_request(&mut self, taken: Vec<(u32, Batch)>, size: usize) {
        let mut head = vec![0, 0, 0, 0, 0, 0, 0, 8];
        head.extend_from_slice(&self.correlation_id.to_be_bytes());
        head.extend_from_slice(&[0, 1, b'f']);
        // No transaction, all replicas, 30 seconds, one topic.
        head.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0x75, 0x30, 0, 0, 0, 1]);
        head.extend_from_slice(&(self.topic.len() as u16).to_be_bytes());
        head.extend_from_slice(self.topic.as_bytes());
        head.extend_from_slice(&(taken.len() as u32).to_be_bytes());
        let total = head.len() - 4 + taken.len() * 8 + size;
        head[..4].copy_from_slice(&(total as u32).to_be_bytes());
        let (mut heads, mut batches) = (Vec::new(), Vec::new());
        for (partition, mut batch) in taken {
            batch.seal();
            head.extend_from_slice(&partition.to_be_bytes());
            head.extend_from_slice(&(batch.bytes().len() as u32).to_be_bytes());
            heads.push(std::mem::take(&mut head));
            batches.push(batch);
        }
        self.unwritten.push_back(Request { heads, batches });
    }

    fn write(&mut self) {
        while let Some(request) = self.unwritten.front() {
            let mut skip = self.written;
            let mut slices = Vec::with_capacity((2 * request.batches.len()).min(MOST_SLICES));
            let mut all = true;
            for part in request.parts() {
                if skip >= part.len() {
                    skip -= part.len();
                } else if slices.len() == MOST_SLICES {
                    all = false;
                    break;
                } else {
                    slices.push(IoSlice::new(&part[skip..]));
                    skip = 0;
                }
            }
            let offered: usize = slices.iter().map(|slice| slice.len()).sum();
            match self.socket.write_vectored(&slices) {
                Ok(taken) => {
                    self.written += taken;
                    if all && taken == offered {
                        self.written = 0;
                        let request = self.unwritten.pop_front().expect("it was the first");
                        self.in_flight.push_back(request.batches);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn read(&mut self) {
        loop {
            match self.socket.read(&mut self.incoming[self.arrived..]) {
                Ok(0) => panic!("the broker hung up"),
                Ok(size) => self.arrived += size,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => panic!("{error}"),
            }
            let mut used = 0;
            while let Some(size) = frame(&self.incoming[used..self.arrived]) {
                used += size;
                self.complete();
            }
            self.incoming.copy_within(used..self.arrived, 0);
            self.arrived -= used;
            if self.arrived == 0 {
                return;
            }
        }
    }

    fn complete(&mut self) {
        let batches = self.in_flight.pop_front().expect("answers follow requests");
        let count = batches.len();
        let mut buffers = Vec::with_capacity(count);
        for batch in batches {
            batch.answer.arrive();
            buffers.push(batch.into_bytes());
        }
        self.shared.pool.lock().append(&mut buffers);
        let before = self.shared.unanswered.fetch_sub(count, Ordering::AcqRel);
        if before >= self.shared.most_unanswered || before == count {
            drop(self.shared.answered.0.lock());
            self.shared.answered.1.notify_all();
        }
    }
}

impl Request {
    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let pairs = self.heads.iter().zip(&self.batches);
        pairs.flat_map(|(head, batch)| [head.as_slice(), batch.bytes()])
    }
}

/// The size of the first frame, when all of it is there.
fn frame(bytes: &[u8]) -> Option<usize> {
    let size = bytes.get(..4)?.try_into().expect("four bytes");
    let size = 4 + u32::from_be_bytes(size) as usize;
    (bytes.len() >= size).then_some(size)
}

const MOST_IN_FLIGHT: usize = 5;
const MOST_BYTES: usize = 1 << 20;
const MOST_SLICES: usize = 1_024;
