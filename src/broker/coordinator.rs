//! Who looks after transactions and groups, and what they remember.

pub(crate) mod coordinator_map;
pub(crate) mod group_offsets;
pub(crate) mod transaction_metadata;

pub(crate) mod transactions;

pub(crate) mod coordinators;
