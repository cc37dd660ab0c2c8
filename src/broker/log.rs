//! What one replica keeps: its batches, what it remembers of its producers, and which leader wrote what.

pub(crate) mod leader_epochs;
pub(crate) mod producer_state;
pub(crate) mod transaction_index;
pub(crate) mod unified_log;
