//! Requests to the brokers of a cluster, and what is known about the cluster.
//!
//! Java: `clients`.
//! Differs: cores take the time as an argument; metadata is read through immutable snapshots; responses are returned by
//! `poll` instead of being handed to callbacks.
//! Threads: the I/O thread, except where a file says otherwise. Locks: see `metadata_handle` and `api_versions`.
//!
//! Read in this order: what can be asked (`kafka_client`, `client_request`), what is known about the cluster
//! (`metadata_snapshot`, `metadata`, `metadata_handle`, `api_versions`), how brokers are reached (`host_resolver`,
//! `cluster_connection_states`, `in_flight_requests`), and the whole (`network_client`).

pub(crate) mod api_versions;
pub(crate) mod client_request;
pub(crate) mod cluster_connection_states;
pub(crate) mod host_resolver;
pub(crate) mod in_flight_requests;
pub(crate) mod kafka_client;
pub(crate) mod metadata;
pub(crate) mod metadata_handle;
pub(crate) mod metadata_snapshot;
pub(crate) mod network_client;
