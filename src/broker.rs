//! The embedded cluster: one to many brokers in this process, for tests, demos and teaching.
//!
//! Mirrors the server half of the Java design, as the producer mirrors the client half:
//!
//! ```text
//! server: Acceptor ─► Processor (own Selector) ─► RequestChannel ─► KafkaRequestHandler ─► BrokerCore
//! core:   BrokerCore ─► KafkaApis (handlers) ─► Topics ─► Partition (leader, epoch, ISR) ─► Replica of each broker
//!                    │                      │                              Replica ─► UnifiedLog, ProducerStateManager
//!                    │                      └─► Coordinators ─► TransactionCoordinator, GroupOffsets
//!                    └─► poll: followers copy, the ISR follows, the controller fences and elects (Brokers)
//! ```
//!
//! The core decides, without sockets and clocks: `handle(request, now) -> replies`. The server is the only part that
//! knows sockets and threads. Production runs on Apache Kafka.

pub(crate) mod broker_core;
pub(crate) mod cluster;
pub(crate) mod coordinator;
pub(crate) mod embedded_cluster;
pub(crate) mod faults;
pub(crate) mod handlers;
pub(crate) mod kafka_apis;
pub(crate) mod log;
pub(crate) mod server;
