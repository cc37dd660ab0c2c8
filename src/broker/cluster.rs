//! What the brokers of the cluster agree on: who is alive, topics, partitions, leaders; and the replicas of each.

pub(crate) mod brokers;
pub(crate) mod partition;
pub(crate) mod replica;
pub(crate) mod topics;
