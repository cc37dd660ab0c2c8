//! What the brokers of the cluster agree on: topics, partitions, leaders.

pub(crate) mod partition;
pub(crate) mod topics;
