//! The embedded cluster as an application sees it: start it, change it, read back what was written.
//!
//! Java: `test-common/KafkaClusterTestKit.java`.
//! Differs: one process, no disk, faults on demand.
//! Threads: two for each broker and one handler; calls come from any thread. Locks: the core's, and one for the brokers.

use crate::common::sync::thread::JoinHandle;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::broker::broker_core::{BrokerCore, Now};
use crate::broker::cluster::brokers::Timings;
use crate::broker::cluster::topics::{TopicDefaults, TopicPlan};
use crate::broker::coordinator::coordinators::CoordinatorSettings;
use crate::broker::faults::{Api, Fault};
use crate::broker::log::unified_log::LogConfig;
use crate::broker::server::request_channel::{RequestChannel, Work};
use crate::broker::server::request_handler::{self, SharedCore};
use crate::broker::server::socket_server::SocketServer;
use crate::common::cluster::NodeId;
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::payload::Payload;
use crate::common::sync::{Mutex, Rank};
use crate::common::time::{SystemTime, Time};
use crate::record::default_record::Record;

mod replication;
mod transactions;

/// An in-process Kafka cluster on loopback, for tests, demos and teaching. It speaks the real protocol over real TCP,
/// so any Kafka client can use it; it keeps everything in memory and ends when it is dropped.
///
/// ```
/// use ottla::embedded::EmbeddedCluster;
///
/// let cluster = EmbeddedCluster::builder().brokers(3).topic("orders", 12).start()?;
/// println!("bootstrap.servers={}", cluster.bootstrap_servers());
/// # Ok::<(), ottla::KafkaError>(())
/// ```
///
/// All methods may be called from any thread; none waits longer than it takes to stop a thread.
pub struct EmbeddedCluster {
    core: SharedCore,
    channel: RequestChannel,
    brokers: Mutex<BTreeMap<NodeId, Broker>>,
    handlers: Vec<JoinHandle<()>>,
    time: Arc<dyn Time>,
}

/// A broker keeps its address while it is stopped, so that clients find it again.
#[derive(Debug)]
struct Broker {
    address: SocketAddr,
    server: Option<SocketServer>,
}

/// A record as it lies in a partition of the embedded cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredRecord {
    /// The record's offset.
    pub offset: i64,
    /// Milliseconds since the epoch.
    pub timestamp: i64,
    /// The key, or nothing.
    pub key: Option<Vec<u8>>,
    /// The value, or nothing.
    pub value: Option<Vec<u8>>,
    /// The headers in their order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl From<Record> for StoredRecord {
    fn from(record: Record) -> Self {
        let bytes = |payload: Option<Payload>| payload.map(|payload| payload.to_vec());
        let headers = record
            .headers
            .into_iter()
            .map(|header| (header.key, bytes(header.value)));
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            headers: headers.collect(),
            key: bytes(record.key),
            value: bytes(record.value),
        }
    }
}

impl EmbeddedCluster {
    /// One broker on a free port, with topics made on demand.
    ///
    /// # Errors
    /// Where a socket or a thread cannot be had.
    pub fn start() -> Result<Self, KafkaError> {
        Self::builder().start()
    }

    /// A cluster to be described first.
    pub fn builder() -> EmbeddedClusterBuilder {
        EmbeddedClusterBuilder::default()
    }

    /// What a client needs as `bootstrap.servers`: every broker, also the stopped ones.
    pub fn bootstrap_servers(&self) -> String {
        let brokers = self.brokers.lock();
        let addresses: Vec<String> = brokers
            .values()
            .map(|broker| broker.address.to_string())
            .collect();
        addresses.join(",")
    }

    /// Makes a topic, with as many replicas as the cluster's default says.
    ///
    /// # Errors
    /// Where the name is not legal or taken, or the number of partitions is not at least 1.
    pub fn create_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        let plan = TopicPlan {
            partitions,
            ..TopicPlan::DEFAULT
        };
        let made = self.core.lock().topics.create(name, &plan).map(|_| ());
        made.map_err(|(error, text)| error.exception(Some(&text)))
    }

    /// Deletes a topic and its records; returns whether there was one.
    pub fn delete_topic(&self, name: &str) -> bool {
        let mut core = self.core.lock();
        let deleted = core.topics.delete(name);
        core.coordinators.groups.topic_deleted(name);
        drop(core);
        self.channel.submit(Work::Poll);
        deleted
    }

    /// Adds partitions to a topic up to a new count; returns whether there is such a topic and it grew.
    pub fn add_partitions(&self, name: &str, count: usize) -> bool {
        self.core.lock().topics.grow(name, count)
    }

    /// Makes another replica lead a partition, under the next leader epoch.
    ///
    /// # Errors
    /// Where there is no such partition, or the broker does not run or is not in the partition's ISR.
    pub fn move_leader(&self, topic: &str, partition: i32, broker: i32) -> Result<(), KafkaError> {
        let mut core = self.core.lock();
        let Some(found) = core.topics.partition(topic, partition) else {
            return Err(no_such_partition(topic, partition));
        };
        let isr = found.current().isr.clone();
        let moved = core
            .topics
            .move_leader(topic, partition, NodeId(broker), self.time.now());
        drop(core);
        self.channel.submit(Work::Poll);
        if moved {
            return Ok(());
        }
        let isr: Vec<i32> = isr.iter().map(|node| node.0).collect();
        let text = format!(
            "broker {broker} cannot lead {topic}-{partition}: it must run and be in the ISR {isr:?}"
        );
        Err(KafkaError::illegal_argument(text))
    }

    /// The broker that leads a partition, where there is one.
    pub fn leader(&self, topic: &str, partition: i32) -> Option<i32> {
        let core = self.core.lock();
        let found = core.topics.partition(topic, partition)?;
        found.current().leader.map(|node| node.0)
    }

    /// Stops a broker in order: others lead what it led, with all that it had; its port closes, its connections end.
    /// Returns whether it ran.
    pub fn stop_broker(&self, broker: i32) -> bool {
        let Some(server) = self.take_server(broker) else {
            return false;
        };
        let now = self.time.now();
        self.core.lock().broker_stopped(NodeId(broker), now);
        server.stop();
        self.channel.submit(Work::Poll);
        true
    }

    /// Starts a stopped broker again, on its old port.
    ///
    /// # Errors
    /// Where there is no such broker, or the port is taken by now.
    pub fn start_broker(&self, broker: i32) -> Result<(), KafkaError> {
        let id = NodeId(broker);
        let mut brokers = self.brokers.lock();
        let Some(found) = brokers.get_mut(&id) else {
            return Err(KafkaError::illegal_argument(format!(
                "there is no broker {broker}"
            )));
        };
        if found.server.is_some() {
            return Ok(());
        }
        let address = found.address;
        drop(brokers);
        let server = SocketServer::start(id, address, &self.channel)
            .map_err(|error| no_start(broker, error))?;
        self.core.lock().broker_started(
            id,
            address.ip().to_string(),
            address.port(),
            self.time.now(),
        );
        if let Some(found) = self.brokers.lock().get_mut(&id) {
            found.server = Some(server);
        }
        Ok(())
    }

    /// Adds a rule that makes requests go wrong.
    pub fn inject(&self, fault: Fault) {
        self.core.lock().faults.add(fault);
    }

    /// Removes every rule.
    pub fn clear_faults(&self) {
        self.core.lock().faults.clear();
    }

    /// Forgets what a partition remembers of its idempotent producers, as a broker does whose state has expired; returns
    /// whether there is such a partition.
    pub fn forget_producers(&self, topic: &str, partition: i32) -> bool {
        let mut core = self.core.lock();
        let found = core.topics.partition_mut(topic, partition);
        found
            .map(|partition| {
                partition
                    .copies_mut()
                    .for_each(|c| c.producers.forget_all())
            })
            .is_some()
    }

    /// How many requests of an API the cluster has taken so far.
    pub fn requests(&self, api: Api) -> u64 {
        self.core.lock().handled(api.key())
    }

    /// Every record of a partition, in order, as its leader has it; nothing while no broker leads it.
    ///
    /// # Errors
    /// Where there is no such partition.
    pub fn records(&self, topic: &str, partition: i32) -> Result<Vec<StoredRecord>, KafkaError> {
        let core = self.core.lock();
        let found = core.topics.partition(topic, partition);
        let partition = found.ok_or_else(|| no_such_partition(topic, partition))?;
        let records = partition
            .leader_replica()
            .map(|replica| replica.log.records().map(StoredRecord::from).collect());
        Ok(records.unwrap_or_default())
    }

    /// The offset that the next record of a partition gets, where there is such a partition and a broker leads it.
    pub fn end_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        let core = self.core.lock();
        let found = core.topics.partition(topic, partition)?;
        found
            .leader_replica()
            .map(|replica| replica.log.end_offset())
    }
}

impl Drop for EmbeddedCluster {
    fn drop(&mut self) {
        let servers: Vec<_> = self
            .brokers
            .lock()
            .values_mut()
            .filter_map(|broker| broker.server.take())
            .collect();
        servers.into_iter().for_each(SocketServer::stop);
        for _ in &self.handlers {
            self.channel.submit(Work::Stop);
        }
        for handler in self.handlers.drain(..) {
            // A thread that panicked has said so already.
            let _ = handler.join();
        }
    }
}

impl fmt::Debug for EmbeddedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedCluster")
            .field("brokers", &self.bootstrap_servers())
            .finish_non_exhaustive()
    }
}

/// Describes a cluster before it starts.
#[derive(Debug, Clone)]
#[must_use]
pub struct EmbeddedClusterBuilder {
    brokers: i32,
    topics: Vec<(String, i32)>,
    first_port: u16,
    defaults: TopicDefaults,
    coordinators: CoordinatorSettings,
    replication_factor: Option<i16>,
    timings: Timings,
}

impl Default for EmbeddedClusterBuilder {
    fn default() -> Self {
        let log = LogConfig::default();
        let defaults = TopicDefaults {
            auto_create: true,
            partitions: 1,
            replication_factor: 1,
            log,
        };
        Self {
            brokers: 1,
            topics: Vec::new(),
            first_port: 0,
            defaults,
            coordinators: CoordinatorSettings::default(),
            replication_factor: None,
            timings: Timings::default(),
        }
    }
}

impl EmbeddedClusterBuilder {
    /// How many brokers, with the ids 1, 2, ... The default is 1. Topics get up to three replicas.
    pub fn brokers(mut self, count: i32) -> Self {
        self.brokers = count;
        self
    }

    /// A topic to begin with.
    pub fn topic(mut self, name: impl Into<String>, partitions: i32) -> Self {
        self.topics.push((name.into(), partitions));
        self
    }

    /// The first broker's port; the others follow. The default, 0, takes any free ports.
    pub fn port(mut self, port: u16) -> Self {
        self.first_port = port;
        self
    }

    /// Whether a topic is made when a client asks for it. The default is yes.
    pub fn auto_create_topics(mut self, yes: bool) -> Self {
        self.defaults.auto_create = yes;
        self
    }

    /// How many partitions a topic gets that does not say so itself. The default is 1.
    pub fn default_partitions(mut self, count: i32) -> Self {
        self.defaults.partitions = count;
        self
    }

    /// The largest batch that a partition takes, in bytes. The default is 1048588, as in Kafka.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.defaults.log.max_message_bytes = bytes;
        self
    }

    /// Whether records get the broker's time instead of the producer's. The default is no.
    pub fn log_append_time(mut self, yes: bool) -> Self {
        self.defaults.log.log_append_time = yes;
        self
    }

    /// Starts the cluster. Returns when every broker listens.
    ///
    /// # Errors
    /// Where there is not at least one broker, a topic cannot be made, or a socket or a thread cannot be had.
    pub fn start(mut self) -> Result<EmbeddedCluster, KafkaError> {
        if !(1..=MOST_BROKERS).contains(&self.brokers) {
            let text = format!(
                "{} brokers: an embedded cluster has 1 to {MOST_BROKERS}",
                self.brokers
            );
            return Err(KafkaError::illegal_argument(text));
        }
        transactions::check_version(self.coordinators.transaction_version)?;
        let as_many = i16::try_from(self.brokers.clamp(1, 3)).unwrap_or(1);
        self.defaults.replication_factor = self.replication_factor.unwrap_or(as_many);
        let mut core = BrokerCore::new(self.defaults.clone());
        core.topics.set_timings(self.timings);
        core.coordinators.settings = self.coordinators;
        let core: SharedCore = Arc::new(Mutex::new(Rank::Leaf, core));
        let time: Arc<dyn Time> = Arc::new(SystemTime);
        let channel = RequestChannel::new();
        let handlers = request_handler::start(1, &channel, &core, &time)
            .map_err(|error| no_start(0, error))?;
        let brokers = Mutex::new(Rank::Leaf, BTreeMap::new());
        let cluster = EmbeddedCluster {
            core,
            channel,
            brokers,
            handlers,
            time,
        };
        for id in 1..=self.brokers {
            let port = match self.first_port {
                0 => 0,
                first => first.saturating_add(u16::try_from(id - 1).unwrap_or_default()),
            };
            cluster.add_broker(id, port)?;
        }
        self.topics
            .iter()
            .try_for_each(|(name, partitions)| cluster.create_topic(name, *partitions))?;
        Ok(cluster)
    }
}

impl EmbeddedCluster {
    fn take_server(&self, broker: i32) -> Option<SocketServer> {
        let mut brokers = self.brokers.lock();
        brokers.get_mut(&NodeId(broker))?.server.take()
    }

    fn has_server(&self, broker: i32) -> bool {
        let brokers = self.brokers.lock();
        let found = brokers.get(&NodeId(broker));
        found.is_some_and(|broker| broker.server.is_some())
    }

    fn now(&self) -> Now {
        Now {
            monotonic: self.time.now(),
            wall_clock_ms: self.time.wall_clock_ms(),
        }
    }

    fn add_broker(&self, id: i32, port: u16) -> Result<(), KafkaError> {
        let wanted = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        let server = SocketServer::start(NodeId(id), wanted, &self.channel)
            .map_err(|error| no_start(id, error))?;
        let address = server.address();
        self.core.lock().broker_started(
            NodeId(id),
            address.ip().to_string(),
            address.port(),
            self.time.now(),
        );
        self.brokers.lock().insert(
            NodeId(id),
            Broker {
                address,
                server: Some(server),
            },
        );
        Ok(())
    }
}

fn no_start(broker: i32, error: std::io::Error) -> KafkaError {
    KafkaError::new(
        ErrorKind::Kafka,
        format!("embedded broker {broker} cannot start: {error}"),
    )
    .with_source(error)
}

fn no_such_partition(topic: &str, partition: i32) -> KafkaError {
    let text = format!("the embedded cluster has no partition {topic}-{partition}");
    KafkaError::new(ErrorKind::UnknownTopicOrPartition, text)
}

const MOST_BROKERS: i32 = 100;
