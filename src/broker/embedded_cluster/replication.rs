//! Replication of the embedded cluster: who is in sync, who dies, who stands still, and who cannot reach whom.
//!
//! Java: none; Kafka's system tests do this to processes and networks.
//! Differs: each event is a call that takes effect at once.
//! Threads: calls come from any thread. Locks: the core's, and the one for the brokers.

use std::time::Duration;

use super::{EmbeddedCluster, EmbeddedClusterBuilder, StoredRecord, no_such_partition};
use crate::broker::cluster::partition::Partition;
use crate::broker::cluster::replica::Replica;
use crate::broker::log::unified_log::LogConfig;
use crate::broker::server::request_channel::Work;
use crate::common::cluster::NodeId;
use crate::common::kafka_error::KafkaError;

/// Replicas, the ISR, and brokers that fail.
///
/// A batch that was acknowledged with `acks=1` is lost when its leader dies before the followers have copied it:
///
/// ```
/// use std::time::Duration;
/// use ottla::embedded::EmbeddedCluster;
///
/// let cluster = EmbeddedCluster::builder()
///     .brokers(3)
///     .replication_delay(Duration::from_secs(60))
///     .topic("orders", 1)
///     .start()?;
/// let leader = cluster.leader("orders", 0).expect("all brokers run");
/// assert_eq!(cluster.in_sync_replicas("orders", 0).len(), 3);
/// assert!(cluster.kill_broker(leader));
/// assert_ne!(cluster.leader("orders", 0), Some(leader));
/// assert_eq!(cluster.in_sync_replicas("orders", 0).len(), 2);
/// # Ok::<(), ottla::KafkaError>(())
/// ```
impl EmbeddedCluster {
    /// The brokers that hold a partition, the preferred leader first; none where there is no such partition.
    pub fn replicas(&self, topic: &str, partition: i32) -> Vec<i32> {
        self.look(topic, partition, |p| numbers(&p.replicas))
            .unwrap_or_default()
    }

    /// The brokers that are in sync with a partition's leader, the leader among them; none where there is no such
    /// partition.
    pub fn in_sync_replicas(&self, topic: &str, partition: i32) -> Vec<i32> {
        self.look(topic, partition, |p| numbers(&p.current().isr))
            .unwrap_or_default()
    }

    /// The leader epoch of a partition, where there is such a partition. It rises with each new leader.
    pub fn leader_epoch(&self, topic: &str, partition: i32) -> Option<i32> {
        self.look(topic, partition, |p| p.current().epoch.0)
    }

    /// The offset up to which consumers can read, where there is such a partition and a broker leads it.
    pub fn high_watermark(&self, topic: &str, partition: i32) -> Option<i64> {
        self.look(topic, partition, |p| {
            p.leader_replica().map(Replica::high_watermark)
        })?
    }

    /// The offset of the first record that is kept, where there is such a partition and a broker leads it.
    pub fn log_start_offset(&self, topic: &str, partition: i32) -> Option<i64> {
        self.look(topic, partition, |p| {
            p.leader_replica().map(|replica| replica.log.start_offset())
        })?
    }

    /// Every record that one broker has of a partition, also while it is stopped.
    ///
    /// # Errors
    /// Where there is no such partition, or the broker has no replica of it.
    pub fn replica_records(
        &self,
        topic: &str,
        partition: i32,
        broker: i32,
    ) -> Result<Vec<StoredRecord>, KafkaError> {
        let records = self.look(topic, partition, |p| {
            let replica = p.replica(NodeId(broker))?;
            Some(replica.log.records().map(StoredRecord::from).collect())
        });
        let replica = records.ok_or_else(|| no_such_partition(topic, partition))?;
        replica.ok_or_else(|| {
            let text = format!("broker {broker} has no replica of {topic}-{partition}");
            KafkaError::illegal_argument(text)
        })
    }

    /// Kills a broker as `kill -9` would: its port closes, its connections end, and what only it had is lost where another
    /// broker leads on. It keeps its logs until it starts again. Returns whether it ran.
    pub fn kill_broker(&self, broker: i32) -> bool {
        self.power_off_broker(broker, 0)
    }

    /// Kills a broker together with its machine: the last `unflushed` batches of each of its logs had not reached the
    /// disk. Returns whether it ran.
    pub fn power_off_broker(&self, broker: i32, unflushed: usize) -> bool {
        let Some(server) = self.take_server(broker) else {
            return false;
        };
        let now = self.time.now();
        self.core
            .lock()
            .broker_killed(NodeId(broker), unflushed, now);
        server.stop();
        self.channel.submit(Work::Poll);
        true
    }

    /// Makes a broker stand still, as SIGSTOP would: its connections stay open, it takes bytes and answers nothing. After
    /// the [session timeout](EmbeddedClusterBuilder::session_timeout) others lead what it led. Returns whether it runs.
    pub fn pause_broker(&self, broker: i32) -> bool {
        if !self.has_server(broker) {
            return false;
        }
        let now = self.time.now();
        self.core.lock().broker_paused(NodeId(broker), now);
        self.channel.submit(Work::Poll);
        true
    }

    /// Lets a broker go on that stood still. What came to it meanwhile it handles as the leader that it believes to be;
    /// then it hears what has happened. Returns whether it runs.
    pub fn resume_broker(&self, broker: i32) -> bool {
        if !self.has_server(broker) {
            return false;
        }
        let mut replies = Vec::new();
        let now = self.now();
        self.core
            .lock()
            .broker_resumed(NodeId(broker), now, &mut replies);
        replies
            .into_iter()
            .for_each(|reply| self.channel.reply(reply));
        self.channel.submit(Work::Poll);
        true
    }

    /// Cuts the network between two sets of brokers; clients still reach all of them. Followers on one side no longer copy
    /// from leaders on the other. The controller goes with the larger group of brokers that reach one another (of equal
    /// ones, with that of the lowest id), and gives up on the others after the session timeout.
    pub fn cut(&self, left: &[i32], right: &[i32]) {
        let now = self.time.now();
        let mut core = self.core.lock();
        core.topics.cut(&nodes(left), &nodes(right), now);
        drop(core);
        self.channel.submit(Work::Poll);
    }

    /// Undoes every cut.
    pub fn heal(&self) {
        let now = self.time.now();
        self.core.lock().topics.heal(now);
        self.channel.submit(Work::Poll);
    }

    /// Holds a follower back: it copies nothing and leaves the ISR. Returns whether it is a follower of that partition.
    pub fn shrink_isr(&self, topic: &str, partition: i32, broker: i32) -> bool {
        let now = self.time.now();
        let mut core = self.core.lock();
        let held = core.topics.hold_back(topic, partition, NodeId(broker), now);
        drop(core);
        self.channel.submit(Work::Poll);
        held
    }

    /// Lets the followers copy again that were held back; they rejoin the ISR when they have caught up. Returns whether
    /// there is such a partition.
    pub fn restore_isr(&self, topic: &str, partition: i32) -> bool {
        let now = self.time.now();
        let found = self.core.lock().topics.let_go(topic, partition, now);
        self.channel.submit(Work::Poll);
        found
    }

    /// Makes the first of a partition's replicas lead, if it is alive and in sync. Returns whether it leads now.
    pub fn elect_preferred_leader(&self, topic: &str, partition: i32) -> bool {
        let now = self.time.now();
        let mut core = self.core.lock();
        let leads = core.topics.elect_preferred(topic, partition, now);
        drop(core);
        self.channel.submit(Work::Poll);
        leads
    }

    /// Changes `min.insync.replicas` of a topic; returns whether there is such a topic.
    pub fn set_min_insync_replicas(&self, topic: &str, count: usize) -> bool {
        self.configure(topic, |log| log.min_insync_replicas = count)
    }

    /// Changes `unclean.leader.election.enable` of a topic: whether a replica that is not in sync may lead when no other
    /// can, which loses what it does not have. Returns whether there is such a topic.
    pub fn set_unclean_leader_election(&self, topic: &str, yes: bool) -> bool {
        self.configure(topic, |log| log.unclean_leader_election = yes)
    }

    /// Changes how long followers take to copy: those on one broker, or on all that have no delay of their own.
    pub fn set_replication_delay(&self, broker: Option<i32>, delay: Duration) {
        let mut core = self.core.lock();
        core.topics.set_replication_delay(broker.map(NodeId), delay);
        drop(core);
        self.channel.submit(Work::Poll);
    }

    /// Deletes the records of a partition before an offset, as retention does; batches go as a whole. Returns the offset of
    /// the first record that is kept, where there is such a partition and a broker leads it.
    pub fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Option<i64> {
        let now = self.time.now();
        let mut core = self.core.lock();
        let start = core.topics.delete_records(topic, partition, before, now);
        drop(core);
        self.channel.submit(Work::Poll);
        start
    }

    fn configure(&self, topic: &str, change: impl Fn(&mut LogConfig)) -> bool {
        let now = self.time.now();
        let found = self.core.lock().topics.configure(topic, change, now);
        self.channel.submit(Work::Poll);
        found
    }

    fn look<T>(&self, topic: &str, partition: i32, at: impl Fn(&Partition) -> T) -> Option<T> {
        self.core.lock().topics.partition(topic, partition).map(at)
    }
}

/// How long things take, and how many replicas there are.
impl EmbeddedClusterBuilder {
    /// How many replicas a topic gets. The default is as many as there are brokers, but no more than 3.
    pub fn replication_factor(mut self, count: i16) -> Self {
        self.replication_factor = Some(count);
        self
    }

    /// `min.insync.replicas` of the topics. The default is 1.
    pub fn min_insync_replicas(mut self, count: usize) -> Self {
        self.defaults.log.min_insync_replicas = count;
        self
    }

    /// Whether readers see what all in sync have while those are fewer than `min.insync.replicas`, as with brokers before
    /// 3.7. Only then a write can end with `NOT_ENOUGH_REPLICAS_AFTER_APPEND`; newer ones answer `REQUEST_TIMED_OUT`. The
    /// default is no.
    pub fn high_watermark_below_min_isr(mut self, yes: bool) -> Self {
        self.defaults.log.high_watermark_below_min_isr = yes;
        self
    }

    /// `unclean.leader.election.enable` of the topics. The default is no.
    pub fn unclean_leader_election(mut self, yes: bool) -> Self {
        self.defaults.log.unclean_leader_election = yes;
        self
    }

    /// Whether a producer whose batches were all deleted is forgotten and answered `UNKNOWN_PRODUCER_ID`, as with brokers
    /// before 2.5. The default is no.
    pub fn forget_deleted_producers(mut self, yes: bool) -> Self {
        self.defaults.log.forgets_deleted_producers = yes;
        self
    }

    /// How long followers take to copy. The default is no time at all.
    pub fn replication_delay(mut self, delay: Duration) -> Self {
        self.timings.replication = delay;
        self
    }

    /// `replica.lag.time.max.ms`: how long a follower may lack something before it leaves the ISR. The default is 1
    /// second; in Kafka it is 30.
    pub fn replica_lag_max(mut self, time: Duration) -> Self {
        self.timings.replica_lag_max = time;
        self
    }

    /// `broker.session.timeout.ms`: how long a broker may stand still or be cut off before others lead what it led. The
    /// default is 1 second; in Kafka it is 9.
    pub fn session_timeout(mut self, time: Duration) -> Self {
        self.timings.session_timeout = time;
        self
    }

    /// How long until a killed broker is missed. The default is no time at all.
    pub fn crash_notice_delay(mut self, delay: Duration) -> Self {
        self.timings.crash_notice = delay;
        self
    }

    /// How long until brokers know of a new leader. The default is no time at all.
    pub fn metadata_delay(mut self, delay: Duration) -> Self {
        self.timings.metadata = delay;
        self
    }
}

fn numbers(nodes: &[NodeId]) -> Vec<i32> {
    nodes.iter().map(|node| node.0).collect()
}

fn nodes(numbers: &[i32]) -> Vec<NodeId> {
    numbers.iter().copied().map(NodeId).collect()
}
