//! The buffer pool: reuse, balance, order among waiters, deadlines, closing.
