//! What one partition keeps: its batches, and what it remembers of its producers.

pub(crate) mod producer_state;
pub(crate) mod transaction_index;
pub(crate) mod unified_log;
