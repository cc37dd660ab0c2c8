//! Who gets which memory: the buffer pool's book-keeping, without locks, clocks or waiting.
//!
//! Java: `clients/producer/internals/BufferPool.java`.
//! Differs: memory is granted by whoever frees it and not taken by whoever wakes up, so nobody can barge in.
//! Threads: none of its own. Locks: guarded by the pool's.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::common::planted::planted;
use crate::common::sync::Condvar;

/// Invariant: `held` counts what is lent and what is granted to waiters; `held + kept <= total`.
pub(super) struct Core {
    total: usize,
    held: usize,
    /// The bytes in `free`.
    kept: usize,
    /// Buffers for reuse, by size class.
    free: Vec<FreeList>,
    waiters: VecDeque<Waiter>,
    /// Waiters whose memory is complete but who have not woken up yet.
    served: Vec<Served>,
    next_ticket: u64,
    closed: bool,
}

/// A place in the queue for memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket(u64);

struct FreeList {
    size: usize,
    buffers: Vec<Vec<u8>>,
}

struct Waiter {
    ticket: Ticket,
    wanted: usize,
    /// What was put aside for it so far: a large wish fills up piece by piece and is overtaken by nobody.
    granted: usize,
    turn: Arc<Condvar>,
}

struct Served {
    ticket: Ticket,
    size: usize,
    memory: Option<Vec<u8>>,
}

impl Core {
    pub(super) fn new(total: usize, poolable: usize) -> Self {
        Self {
            total,
            held: 0,
            kept: 0,
            free: size_classes(poolable),
            waiters: VecDeque::new(),
            served: Vec::new(),
            next_ticket: 0,
            closed: false,
        }
    }

    pub(super) fn available(&self) -> usize {
        self.total - self.held
    }

    pub(super) fn queued(&self) -> usize {
        self.waiters.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn close(&mut self) {
        self.closed = true;
        self.waiters
            .iter()
            .for_each(|waiter| waiter.turn.notify_all());
    }

    /// The smallest class that holds `size` bytes, or one that is little larger and has a buffer at hand; past the largest
    /// class, and past the whole pool, `size` itself.
    pub(super) fn class_size(&self, size: usize) -> usize {
        let first = self.free.partition_point(|list| list.size < size);
        let fitting = self.free.iter().skip(first);
        let fitting = fitting.take_while(|list| list.size <= self.total);
        let smallest = fitting.clone().next().map_or(size, |list| list.size);
        let longest = size.saturating_add(size / 4).min(self.available());
        let at_hand = fitting
            .take_while(|list| list.size <= longest)
            .find(|list| !list.buffers.is_empty());
        at_hand.map_or(smallest, |list| list.size)
    }

    /// Takes `size` bytes where they are there and nobody waits. The inner value is a buffer to reuse, if there is one.
    pub(super) fn take(&mut self, size: usize) -> Option<Option<Vec<u8>>> {
        if self.closed || !self.waiters.is_empty() || size > self.available() {
            return None;
        }
        Some(self.hold(size))
    }

    pub(super) fn join_queue(&mut self, wanted: usize, turn: Arc<Condvar>) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.waiters.push_back(Waiter {
            ticket,
            wanted,
            granted: 0,
            turn,
        });
        self.serve_waiters();
        ticket
    }

    /// What was granted to a waiter, once that is complete.
    pub(super) fn collect(&mut self, ticket: Ticket) -> Option<Option<Vec<u8>>> {
        let at = self.served.iter().position(|s| s.ticket == ticket)?;
        Some(self.served.swap_remove(at).memory)
    }

    /// A waiter gives up: what was put aside for it goes to those behind it.
    pub(super) fn leave_queue(&mut self, ticket: Ticket) {
        if let Some(at) = self.waiters.iter().position(|w| w.ticket == ticket) {
            let waiter = self.waiters.remove(at).expect("found a line above");
            self.held -= waiter.granted;
        } else if let Some(at) = self.served.iter().position(|s| s.ticket == ticket) {
            // Only after a close: the memory was granted but is of no use any more.
            let Served { size, memory, .. } = self.served.swap_remove(at);
            if !planted!("grant-lost-at-close") {
                self.give_back(size, memory);
            }
        }
        if planted!("leaver-serves-nobody") {
            return;
        }
        self.serve_waiters();
    }

    /// `size` bytes are not held any more; `memory` is the buffer they were.
    pub(super) fn give_back(&mut self, size: usize, memory: Option<Vec<u8>>) {
        debug_assert!(size <= self.held, "more memory came back than was lent");
        self.held = self.held.saturating_sub(size);
        let list = self.class_of(size).and_then(|at| self.free.get_mut(at));
        if let (Some(list), Some(mut memory)) = (list, memory) {
            memory.clear();
            list.buffers.push(memory);
            self.kept += size;
        }
    }

    /// As [`give_back`](Self::give_back), of a buffer that its batch has outgrown. Few small ones are kept: 10,000 batches
    /// that grow at the same time would fill the pool with buffers that nobody wants.
    pub(super) fn outgrown(&mut self, size: usize, memory: Vec<u8>) {
        let list = self.class_of(size).and_then(|at| self.free.get(at));
        let is_enough =
            size < LARGE && list.is_some_and(|list| list.buffers.len() * size >= OUTGROWN_KEPT);
        self.give_back(size, Some(memory).filter(|_| !is_enough));
    }

    /// Hands free memory to those who wait, in their order. Returns whether one of them has all it wants.
    pub(super) fn serve_waiters(&mut self) -> bool {
        let mut served = false;
        while let Some(first) = self.waiters.front() {
            let missing = first.wanted - first.granted;
            let free = self.available();
            if free < missing {
                self.grant(free);
                break;
            }
            let whole = first.granted == 0;
            let memory = if whole {
                self.hold(missing)
            } else {
                self.grant(missing);
                None
            };
            let first = self.waiters.pop_front().expect("looked at above");
            self.served.push(Served {
                ticket: first.ticket,
                size: first.wanted,
                memory,
            });
            first.turn.notify_one();
            served = true;
        }
        served
    }

    /// Puts `size` bytes aside for the first waiter.
    fn grant(&mut self, size: usize) {
        self.held += size;
        self.trim();
        if let Some(first) = self.waiters.front_mut() {
            first.granted += size;
        }
    }

    /// Where the class of exactly this size is.
    fn class_of(&self, size: usize) -> Option<usize> {
        self.free.binary_search_by_key(&size, |list| list.size).ok()
    }

    fn hold(&mut self, size: usize) -> Option<Vec<u8>> {
        let list = self.class_of(size).and_then(|at| self.free.get_mut(at));
        let recycled = list.and_then(|list| list.buffers.pop());
        self.held += size;
        match &recycled {
            Some(_) => self.kept -= size,
            None => self.trim(),
        }
        recycled
    }

    /// Drops buffers kept for reuse, large ones first, until everything fits into the pool again.
    fn trim(&mut self) {
        for list in self.free.iter_mut().rev() {
            while self.held + self.kept > self.total {
                match list.buffers.pop() {
                    Some(_) => self.kept -= list.size,
                    None => break,
                }
            }
        }
    }
}

/// Doubling from 256 bytes on, below `poolable`, and `poolable` itself. Of small buffers there may be many, so there the
/// classes are eight times as close.
fn size_classes(poolable: usize) -> Vec<FreeList> {
    let doubling = std::iter::successors(Some(SMALLEST_CLASS), |size| size.checked_mul(2));
    doubling
        .flat_map(|size| {
            let steps = if size < LARGE { 8 } else { 1 };
            (0..steps).map(move |eighths| size + size / 8 * eighths)
        })
        .take_while(|size| *size < poolable)
        .chain([poolable])
        .map(|size| FreeList {
            size,
            buffers: Vec::new(),
        })
        .collect()
}

const SMALLEST_CLASS: usize = 256;
/// Where the classes begin to double.
const LARGE: usize = 4096;
/// How many bytes of outgrown buffers are kept in each class below [`LARGE`].
const OUTGROWN_KEPT: usize = 64 * 1024;
