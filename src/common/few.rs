//! A list that most often has one element, which then needs no memory of its own.
//!
//! Java: `java.util.Collections.singletonList`, where it matters.
//! Differs: grows into an ordinary list.
//! Threads: plain data. Locks: none.

use smallvec::SmallVec;

/// One element in place, more of them on the heap.
pub(crate) type Few<T> = SmallVec<[T; 1]>;
