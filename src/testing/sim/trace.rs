//! What happened, as one number: two runs of a seed must give the same.
//!
//! Java: none.
//! Differs: the story is hashed fast, what must be told apart is hashed well.
//! Threads: one per seed. Locks: none.

use std::hash::{DefaultHasher, Hash, Hasher};

use crate::common::fast_hash::FastHasher;

/// The story so far. With [`Trace::tell`] it is also written down in words, for those who look for the cause of a failure.
#[derive(Debug, Default)]
pub(super) struct Trace {
    hasher: FastHasher,
    /// The words, where they are wanted.
    pub(super) story: Option<Vec<String>>,
    /// How many events there were.
    pub(super) events: u64,
}

impl Trace {
    pub(super) fn number(&mut self, number: u64) {
        self.hasher.write_u64(number);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.hasher.write(bytes);
    }

    pub(super) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// Writes down a line, where somebody reads it.
    pub(super) fn tell(&mut self, at: u64, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let (seconds, micros) = (at / 1_000_000, at % 1_000_000);
            story.push(format!("{seconds}.{micros:06} {}", line()));
        }
    }
}

/// The hash of something.
pub(super) fn hash_of(value: &(impl Hash + ?Sized)) -> u64 {
    // A good one: what is told apart by it differs in few bits, of which the fast one made the same.
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
