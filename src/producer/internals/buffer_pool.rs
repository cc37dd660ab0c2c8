//! The producer's bounded memory: lends buffers, counts what is held, serves those who wait in the order they came.
//!
//! Java: `clients/producer/internals/BufferPool.java`.
//! Differs: buffers come in size classes, so that a batch starts small and grows; newcomers queue behind waiters;
//! freed memory goes straight to the first waiter; memory comes back by the last drop of its owner and by nothing else.
//! Threads: any. Locks: `BufferPool` (leaf).

mod core;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use self::core::{Core, Ticket};
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::{KafkaError, TimeLimit};
use crate::common::payload::Lender;
use crate::common::sync::{
    Condvar, Mutex, MutexGuard, Rank,
    atomic::{AtomicUsize, Ordering},
};
use crate::common::time::deadline;

/// Lends buffers up to `buffer.memory`.
pub(crate) struct BufferPool {
    core: Mutex<Core>,
    total: usize,
    /// How many threads wait. Written under the lock, read without it by the I/O thread, which is woken after each rise.
    queued: AtomicUsize,
}

/// How long an allocation may wait, and whom to tell that it does.
pub(crate) struct Patience<'a> {
    pub(crate) now: Instant,
    pub(crate) max_block: Duration,
    /// Called once, without a lock, when the allocation joins the queue: somebody must free memory.
    pub(crate) on_wait: &'a dyn Fn(),
}

impl BufferPool {
    /// A pool of `total` bytes that keeps buffers of up to `poolable` bytes for reuse.
    pub(crate) fn new(total: usize, poolable: usize) -> Arc<Self> {
        Arc::new(Self {
            core: Mutex::new(Rank::Leaf, Core::new(total, poolable)),
            total,
            queued: AtomicUsize::new(0),
        })
    }

    /// `buffer.memory`.
    pub(crate) fn total(&self) -> usize {
        self.total
    }

    /// The bytes that nobody holds.
    pub(crate) fn available(&self) -> usize {
        self.core.lock().available()
    }

    /// How many threads wait for memory.
    pub(crate) fn queued(&self) -> usize {
        self.queued.load(Ordering::Acquire)
    }

    /// A buffer of at least `size` bytes where that needs no waiting and overtakes nobody who waits.
    pub(crate) fn try_allocate(self: &Arc<Self>, size: usize) -> Option<PooledBuffer> {
        let memory = self.try_lend(size)?;
        Some(PooledBuffer {
            memory,
            pool: Arc::clone(self),
        })
    }

    /// A buffer of at least `size` bytes; waits for it behind everybody who waits already.
    ///
    /// # Errors
    /// Where `size` is more than the whole pool, the pool is closed, or the memory does not come in time.
    pub(crate) fn allocate(
        self: &Arc<Self>,
        size: usize,
        patience: &Patience<'_>,
    ) -> Result<PooledBuffer, KafkaError> {
        if size > self.total {
            return Err(KafkaError::illegal_argument(format!(
                "a buffer of {size} bytes is larger than buffer.memory {}",
                self.total
            )));
        }
        let mut core = self.core.lock();
        let size = core.class_size(size);
        if core.is_closed() {
            return Err(closed());
        }
        if let Some(recycled) = core.take(size) {
            drop(core);
            return self.lend(size, recycled);
        }
        let turn = Arc::new(Condvar::new());
        let ticket = core.join_queue(size, Arc::clone(&turn));
        self.queued.store(core.queued(), Ordering::Release);
        drop(core);
        (patience.on_wait)();
        self.wait_for_turn(size, ticket, &turn, patience)
    }

    /// Fails everybody who waits and every later allocation. Memory that is held still comes back.
    pub(crate) fn close(&self) {
        self.core.lock().close();
    }

    fn wait_for_turn(
        self: &Arc<Self>,
        size: usize,
        ticket: Ticket,
        turn: &Condvar,
        patience: &Patience<'_>,
    ) -> Result<PooledBuffer, KafkaError> {
        let until = deadline(patience.now, patience.max_block);
        let mut core = self.core.lock();
        let mut late = false;
        loop {
            if core.is_closed() {
                self.leave_queue(&mut core, ticket);
                return Err(closed());
            }
            // Also after the deadline: memory that came at the last moment is as good as any.
            if let Some(recycled) = core.collect(ticket) {
                drop(core);
                return self.lend(size, recycled);
            }
            if late {
                self.leave_queue(&mut core, ticket);
                return Err(self.exhausted(size, core.available(), patience.max_block));
            }
            late = turn.wait_until(&mut core, until);
        }
    }

    fn leave_queue(&self, core: &mut MutexGuard<'_, Core>, ticket: Ticket) {
        core.leave_queue(ticket);
        self.queued.store(core.queued(), Ordering::Release);
    }

    /// Turns `size` bytes that are already counted as held into a buffer, outside the lock.
    fn lend(
        self: &Arc<Self>,
        size: usize,
        recycled: Option<Vec<u8>>,
    ) -> Result<PooledBuffer, KafkaError> {
        Ok(PooledBuffer {
            memory: self.memory(size, recycled)?,
            pool: Arc::clone(self),
        })
    }

    fn memory(&self, size: usize, recycled: Option<Vec<u8>>) -> Result<Vec<u8>, KafkaError> {
        recycled.map_or_else(|| self.fresh(size), Ok)
    }

    fn fresh(&self, size: usize) -> Result<Vec<u8>, KafkaError> {
        let mut memory = Vec::new();
        memory.try_reserve_exact(size).map_err(|error| {
            self.give_back(size, None);
            KafkaError::new(
                ErrorKind::BufferExhausted,
                format!("the system gave no {size} bytes for a batch"),
            )
            .with_source(error)
        })?;
        Ok(memory)
    }

    /// Takes back the memory of a batch that has grown into a larger one.
    pub(crate) fn outgrown(&self, memory: Vec<u8>) {
        let mut core = self.core.lock();
        core.outgrown(memory.capacity(), memory);
        self.serve_waiters(core);
    }

    fn give_back(&self, size: usize, memory: Option<Vec<u8>>) {
        let mut core = self.core.lock();
        core.give_back(size, memory);
        self.serve_waiters(core);
    }

    fn serve_waiters(&self, mut core: MutexGuard<'_, Core>) {
        if core.serve_waiters() {
            self.queued.store(core.queued(), Ordering::Release);
        }
    }

    fn exhausted(&self, size: usize, available: usize, waited: Duration) -> KafkaError {
        KafkaError::new(
            ErrorKind::BufferExhausted,
            format!(
                "no buffer of {size} bytes became free within {} ms (max.block.ms), {available} of {} bytes (buffer.memory) \
                 are free",
                waited.as_millis(),
                self.total
            ),
        )
        .with_time_limit(TimeLimit::MaxBlock)
    }
}

impl Lender for BufferPool {
    fn try_lend(&self, size: usize) -> Option<Vec<u8>> {
        let mut core = self.core.lock();
        let size = core.class_size(size);
        let recycled = core.take(size)?;
        drop(core);
        self.memory(size, recycled).ok()
    }

    fn take_back(&self, memory: Vec<u8>) {
        let size = memory.capacity();
        if size > 0 {
            self.give_back(size, Some(memory));
        }
    }
}

impl fmt::Debug for BufferPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufferPool")
            .field("total", &self.total)
            .field("queued", &self.queued())
            .finish_non_exhaustive()
    }
}

/// A buffer on loan: goes back to the pool when it is dropped, unless its memory moved on.
#[derive(Debug)]
pub(crate) struct PooledBuffer {
    memory: Vec<u8>,
    pool: Arc<BufferPool>,
}

impl PooledBuffer {
    #[cfg(test)]
    pub(crate) fn capacity(&self) -> usize {
        self.memory.capacity()
    }

    pub(crate) fn pool(&self) -> &Arc<BufferPool> {
        &self.pool
    }

    /// The bare memory, empty. Whoever takes it owes it to the pool (see [`Lender::take_back`]).
    pub(crate) fn into_memory(mut self) -> Vec<u8> {
        std::mem::take(&mut self.memory)
    }
}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        self.pool.take_back(std::mem::take(&mut self.memory));
    }
}

fn closed() -> KafkaError {
    KafkaError::new(
        ErrorKind::Kafka,
        "the producer was closed while a send waited for buffer memory",
    )
}

#[cfg(test)]
mod tests;
