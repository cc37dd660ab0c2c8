//! When to ask for metadata, whom, and what to do when nobody answers.
//!
//! Java: `clients/NetworkClient.java` (`DefaultMetadataUpdater`, `handleRebootstrap`).
//! Differs: waits for the very moment at which a node may be tried again instead of polling at the rate of the back-off.
//! Threads: the I/O thread. Locks: the metadata's leaf.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::client_request::{ClientResponse, RequestBuilder};
use crate::client::in_flight_requests::AskedBy;
use crate::client::kafka_client::KafkaClient;
use crate::client::metadata::MetadataRequestVersion;
use crate::client::metadata_handle::MetadataHandle;
use crate::client::network_client::NetworkClient;
use crate::client::network_client::suspicion::Suspicion;
use crate::common::cluster::Node;
use crate::common::kafka_error::KafkaError;
use crate::network::selectable::Selectable;
use crate::protocol::Errors;
use crate::protocol::messages::metadata::{MetadataResponse, MetadataResponseTopic};

/// The client's own request for metadata.
#[derive(Debug)]
pub(super) struct MetadataUpdater<M> {
    pub(super) metadata: M,
    /// Who is overdue, which is a reason to ask.
    pub(super) suspicion: Suspicion,
    in_progress: Option<MetadataRequestVersion>,
    /// Since when metadata has been wanted and not obtained.
    wanted_since: Option<Instant>,
    /// An attempt to get it has failed since then.
    has_failed: bool,
    /// A broker asked for it (KIP-1102).
    rebootstrap_requested: bool,
}

impl<M: MetadataHandle> MetadataUpdater<M> {
    pub(super) fn new(metadata: M, leader_suspect: Option<Duration>) -> Self {
        Self {
            metadata,
            suspicion: Suspicion::new(leader_suspect),
            in_progress: None,
            wanted_since: None,
            has_failed: false,
            rebootstrap_requested: false,
        }
    }

    fn attempt_failed(&mut self) {
        self.has_failed = self.wanted_since.is_some();
    }

    pub(super) fn close(&self) {
        self.metadata.with(|metadata| metadata.close());
    }

    /// Another node is asked instead of the one that does not answer.
    pub(super) fn gives_up_request(&mut self) {
        self.in_progress = None;
    }
}

impl<S: Selectable, M: MetadataHandle> NetworkClient<S, M> {
    /// Whether metadata is to be asked for before anything else.
    pub(super) fn is_metadata_update_due(&self, now: Instant) -> bool {
        self.metadata_updater.in_progress.is_none() && self.time_to_next_update(now).is_zero()
    }

    fn time_to_next_update(&self, now: Instant) -> Duration {
        let metadata = &self.metadata_updater.metadata;
        metadata.with(|metadata| metadata.time_to_next_update(now))
    }

    /// Asks for metadata where it is time, or gets nearer to a node that can be asked; returns how long nothing more has to
    /// be done, unless the network reports something first.
    pub(super) fn maybe_update_metadata(&mut self, now: Instant) -> Duration {
        if self.metadata_updater.in_progress.is_some() {
            return Duration::MAX;
        }
        let wait = self.time_to_next_update(now);
        if !wait.is_zero() {
            return wait;
        }
        self.metadata_updater.wanted_since.get_or_insert(now);
        let mut least_loaded = self.least_loaded_node(now);
        let can_rebootstrap = self.config.rebootstrap_trigger.is_some()
            && !self.metadata_updater.metadata.snapshot().is_bootstrap;
        if can_rebootstrap && !least_loaded.has_node_available_or_connection_ready() {
            self.rebootstrap(now);
            least_loaded = self.least_loaded_node(now);
        }
        match least_loaded.node {
            Some(node) => self.ask_for_metadata(&node, now),
            None => log::debug!("no node is available for a metadata request"),
        }
        if self.metadata_updater.in_progress.is_some() || self.is_any_node_connecting() {
            return Duration::MAX;
        }
        let due = self.time_to_next_update(now);
        due.max(self.time_to_next_available_node(now))
    }

    fn ask_for_metadata(&mut self, node: &Node, now: Instant) {
        let id = node.node_id();
        if self.can_send_request(id, now) {
            let metadata = &self.metadata_updater.metadata;
            let next = metadata.with(|metadata| metadata.new_metadata_request_and_version(now));
            log::debug!("asking node {node} for metadata");
            self.metadata_updater.in_progress = Some(next.version);
            let builder = RequestBuilder::of(next.request);
            let request = self.new_client_request(id, builder, now, true);
            self.do_send(request, AskedBy::Client, now);
        } else if self.connection_states.can_connect(id, now) {
            // No other one is on its way, since that would be the better choice.
            self.initiate_connect(node, now);
        }
    }

    fn is_any_node_connecting(&self) -> bool {
        let snapshot = self.metadata_updater.metadata.snapshot();
        let mut nodes = snapshot.nodes().iter();
        nodes.any(|node| self.connection_states.is_preparing(node.node_id()))
    }

    /// When the first node may be asked: a busy one is reported by the network, others come back after a while.
    fn time_to_next_available_node(&self, now: Instant) -> Duration {
        let snapshot = self.metadata_updater.metadata.snapshot();
        let nodes = snapshot.nodes().iter();
        nodes
            .map(|node| match self.can_send_request(node.node_id(), now) {
                true => Duration::ZERO,
                false => self.connection_states.poll_delay(node.node_id(), now),
            })
            .min()
            .unwrap_or(Duration::MAX)
    }

    pub(super) fn handle_metadata_response(
        &mut self,
        response: &MetadataResponse,
        api_version: i16,
        now: Instant,
    ) {
        let Some(version) = self.metadata_updater.in_progress.take() else {
            return;
        };
        report_topics(response);
        let metadata = &self.metadata_updater.metadata;
        let error = Errors::from_code(response.error_code);
        if error == Errors::RebootstrapRequired && self.config.rebootstrap_trigger.is_some() {
            log::info!("a broker asks to begin again with the bootstrap servers");
            metadata.with(|metadata| metadata.failed_update(now));
            self.metadata_updater.rebootstrap_requested = true;
        } else if error != Errors::None || response.brokers.is_empty() {
            // A broker that is starting up knows of no broker yet.
            log::debug!("metadata response of no use: {}", error.name());
            metadata.with(|metadata| metadata.failed_update(now));
            self.metadata_updater.attempt_failed();
        } else {
            let updated = metadata.with(|m| m.update(version, response, api_version, now));
            if let Err(error) = updated {
                log::debug!("metadata response ignored: {error}");
            }
            self.metadata_updater.wanted_since = None;
            self.metadata_updater.has_failed = false;
        }
    }

    /// There will be no answer; where `fatal` says that there never will be, every waiter is told.
    pub(super) fn metadata_request_failed(&mut self, fatal: Option<KafkaError>, now: Instant) {
        self.metadata_updater.in_progress = None;
        self.metadata_updater.attempt_failed();
        self.metadata_updater.metadata.with(|metadata| {
            if let Some(error) = fatal {
                metadata.fatal_error(error);
            }
            metadata.failed_update(now);
        });
    }

    /// A lost connection may mean that the cluster has changed.
    pub(super) fn handle_server_disconnect(
        &mut self,
        reason: Arc<str>,
        fatal: Option<KafkaError>,
        now: Instant,
    ) {
        let is_due = self.is_metadata_update_due(now);
        if is_due {
            self.metadata_updater.attempt_failed();
        }
        let metadata = &self.metadata_updater.metadata;
        metadata.with(|metadata| {
            // A cluster that does not answer is asked ever more rarely.
            if is_due {
                metadata.failed_update(now);
            }
            if let Some(error) = fatal {
                metadata.fatal_error(error);
            }
            metadata.connection_failed(reason);
            metadata.request_update(false);
        });
    }

    /// How long until everything that is known of the cluster is given up.
    pub(super) fn time_to_rebootstrap(&self, now: Instant) -> Duration {
        let updater = &self.metadata_updater;
        let Some(trigger) = self.config.rebootstrap_trigger else {
            return Duration::MAX;
        };
        if updater.rebootstrap_requested {
            return Duration::ZERO;
        }
        match updater.wanted_since {
            // Where the bootstrap servers are all that is known, there is nothing to go back to.
            Some(_) if updater.metadata.snapshot().is_bootstrap => Duration::MAX,
            // A question takes its time. To close all connections at once because of it would be to begin for ever.
            Some(_) if trigger.is_zero() && !updater.has_failed => Duration::MAX,
            Some(since) => trigger.saturating_sub(now.saturating_duration_since(since)),
            None => Duration::MAX,
        }
    }

    pub(super) fn handle_rebootstrap(&mut self, responses: &mut Vec<ClientResponse>, now: Instant) {
        if !self.time_to_rebootstrap(now).is_zero() {
            return;
        }
        let snapshot = self.metadata_updater.metadata.snapshot();
        for node in snapshot.nodes() {
            let id = node.node_id();
            if self.connection_states.is_connected(id) || self.connection_states.is_connecting(id) {
                log::info!("closing the connection to node {node} to begin again");
                let reason = "connection closed to begin again with the bootstrap servers";
                self.give_up_connection(id, reason, responses, now);
            }
        }
        self.rebootstrap(now);
    }

    /// Begins again with the bootstrap servers, whose names are looked up anew when they are connected.
    fn rebootstrap(&mut self, now: Instant) {
        log::info!("asking the bootstrap servers about the cluster again");
        let updater = &mut self.metadata_updater;
        updater.metadata.with(|metadata| metadata.rebootstrap());
        updater.wanted_since = Some(now);
        updater.has_failed = false;
        updater.rebootstrap_requested = false;
    }
}

/// Says what is wrong with the topics, as far as the user can do something about it.
fn report_topics(response: &MetadataResponse) {
    let failed = response.topics.iter().filter_map(|topic| {
        let error = Errors::from_code(topic.error_code);
        (error != Errors::None).then(|| format!("{} {}", name_of(topic), error.name()))
    });
    warn_of("no metadata of topics", failed);
    let without_listener = response.topics.iter().flat_map(|topic| {
        let code = Errors::ListenerNotFound.code();
        let partitions = topic.partitions.iter();
        partitions
            .filter(move |partition| partition.error_code == code)
            .map(move |partition| format!("{}-{}", name_of(topic), partition.partition_index))
    });
    warn_of(
        "leaders without a listener that this client could use, of partitions",
        without_listener,
    );
}

fn name_of(topic: &MetadataResponseTopic) -> &str {
    topic.name.as_deref().unwrap_or("(without a name)")
}

/// One line, however many things it is about.
fn warn_of(what: &str, mut things: impl Iterator<Item = String>) {
    let mut named: Vec<_> = things.by_ref().take(MOST_NAMED).collect();
    if named.is_empty() {
        return;
    }
    let others = things.count();
    if others > 0 {
        named.push(format!("and {others} others"));
    }
    log::warn!("{what}: {}", named.join(", "));
}

const MOST_NAMED: usize = 10;
