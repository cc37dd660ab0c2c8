//! Requests to the brokers of a cluster, over any [`Selectable`]: connects, negotiates versions, keeps the metadata fresh,
//! and ends every request exactly once.
//!
//! Java: `clients/NetworkClient.java`.
//! Differs: one wait per poll, for exactly as long as no timer is due; names are looked up on a helper thread; a response
//! that cannot be read ends its connection instead of leaving its request hanging; a pause asked for by a broker is capped.
//! Threads: the I/O thread. Locks: the metadata's and the versions' leaves, one at a time.

mod completed;
mod least_loaded_node;
mod metadata_updater;
mod suspects;
mod suspicion;
mod version_negotiation;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::api_versions::ApiVersions;
use crate::client::client_request::{
    ClientRequest, ClientResponse, Outcome, RequestBuilder, RequestFailure,
};
use crate::client::cluster_connection_states::ClusterConnectionStates;
use crate::client::host_resolver::{HostLookups, HostResolver};
use crate::client::in_flight_requests::{AskedBy, InFlightRequest, InFlightRequests};
use crate::client::kafka_client::{ClientWaker, KafkaClient, LeastLoadedNode};
use crate::client::metadata_handle::MetadataHandle;
use crate::client::network_client::metadata_updater::MetadataUpdater;
use crate::client::network_client::version_negotiation::VersionNegotiation;
use crate::common::cluster::{Node, NodeId};
use crate::common::error_kind::ErrorKind;
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::kafka_error::KafkaError;
use crate::common::payload::Payload;
use crate::common::time::{FOREVER, Time, deadline, earlier};
use crate::network::network_send::NetworkSend;
use crate::network::selectable::{ConnectOptions, Selectable, SelectorEvents, SendProgress};
use crate::protocol::ApiKeys;
use crate::protocol::headers::RequestHeader;
use crate::protocol::requests::{RequestBody, encode_request};

/// What `NetworkClient` needs to know from the configuration.
#[derive(Debug, Clone)]
pub(crate) struct NetworkClientConfig {
    /// `client.id`.
    pub(crate) client_id: Arc<str>,
    /// `max.in.flight.requests.per.connection`.
    pub(crate) max_in_flight_requests_per_connection: usize,
    /// `reconnect.backoff.ms` and `reconnect.backoff.max.ms`.
    pub(crate) reconnect_backoff: ExponentialBackoff,
    /// `socket.connection.setup.timeout.ms` and `socket.connection.setup.timeout.max.ms`.
    pub(crate) connection_setup_timeout: ExponentialBackoff,
    /// `request.timeout.ms`.
    pub(crate) request_timeout: Duration,
    /// `send.buffer.bytes` and `receive.buffer.bytes`.
    pub(crate) connect_options: ConnectOptions,
    /// Whether nodes are asked for their versions; where not, the client's latest are used.
    pub(crate) discover_broker_versions: bool,
    /// `metadata.recovery.rebootstrap.trigger.ms`; nothing for `metadata.recovery.strategy=none`.
    pub(crate) rebootstrap_trigger: Option<Duration>,
    /// `ottla.leader.suspect.ms`; nothing where nobody is suspected before `request.timeout`.
    pub(crate) leader_suspect: Option<Duration>,
    /// Seeds jitter and the choice among equal nodes.
    pub(crate) random_seed: u64,
}

/// What the client works with, beside its configuration.
#[derive(Debug)]
pub(crate) struct NetworkClientParts<S, M> {
    pub(crate) selector: S,
    pub(crate) metadata: M,
    pub(crate) api_versions: Arc<ApiVersions>,
    pub(crate) resolver: Arc<dyn HostResolver>,
    pub(crate) time: Arc<dyn Time>,
}

/// A [`KafkaClient`] over real or mocked connections.
#[derive(Debug)]
pub(crate) struct NetworkClient<S, M> {
    config: NetworkClientConfig,
    time: Arc<dyn Time>,
    selector: S,
    /// What the last poll of the selector brought; kept for its memory.
    events: SelectorEvents,
    connection_states: ClusterConnectionStates,
    in_flight_requests: InFlightRequests,
    negotiation: VersionNegotiation,
    lookups: HostLookups,
    metadata_updater: MetadataUpdater<M>,
    /// Ended outside a poll; the next poll returns them.
    ended: Ended,
    correlation_id: i32,
    is_closed: bool,
    /// The fields of the last request; kept for their memory.
    request_buffer: Payload,
}

/// Requests that ended while nobody polled.
#[derive(Debug, Default)]
struct Ended {
    /// Not sent, or cancelled: returned without I/O.
    aborted_sends: Vec<ClientResponse>,
    /// Written at once and to be answered by nobody.
    written: Vec<ClientResponse>,
}

impl<S: Selectable, M: MetadataHandle> NetworkClient<S, M> {
    pub(crate) fn new(config: NetworkClientConfig, parts: NetworkClientParts<S, M>) -> Self {
        let waker = parts.selector.waker();
        Self {
            time: parts.time,
            events: SelectorEvents::default(),
            connection_states: ClusterConnectionStates::new(
                config.reconnect_backoff,
                config.connection_setup_timeout,
                config.random_seed,
            ),
            in_flight_requests: InFlightRequests::new(config.max_in_flight_requests_per_connection),
            negotiation: VersionNegotiation::new(parts.api_versions),
            lookups: HostLookups::new(parts.resolver, waker),
            metadata_updater: MetadataUpdater::new(parts.metadata, config.leader_suspect),
            ended: Ended::default(),
            correlation_id: 0,
            is_closed: false,
            request_buffer: Payload::default(),
            selector: parts.selector,
            config,
        }
    }

    /// Whether a request may be sent to a node now, due metadata or not.
    fn can_send_request(&self, node: NodeId, now: Instant) -> bool {
        self.connection_states.is_ready(node, now)
            && self.selector.is_channel_ready(node)
            && self.in_flight_requests.can_send_more(node)
    }

    fn initiate_connect(&mut self, node: &Node, now: Instant) {
        let id = node.node_id();
        log::debug!("connecting to node {node}");
        self.connection_states.connecting(node, now);
        self.metadata_updater.suspicion.begins_to_wait(now);
        if let Some(address) = self.connection_states.current_address(id) {
            self.open(id, address, now);
            return;
        }
        let Some((host, port)) = self.connection_states.host_and_port(id) else {
            return;
        };
        if let Some(result) = self.lookups.look_up(id, &Arc::clone(host), port) {
            self.handle_lookup(id, result, now);
        }
    }

    fn open(&mut self, id: NodeId, address: SocketAddr, now: Instant) {
        let options = self.config.connect_options;
        if let Err(error) = self.selector.connect(id, address, &options) {
            self.connection_attempt_failed(
                id,
                &format!("cannot connect to {address}: {error}"),
                now,
            );
        }
    }

    fn next_correlation_id(&mut self) -> i32 {
        // While a connection logs in again, answers to ordinary requests must not be taken for its own.
        if self.correlation_id >= FIRST_RESERVED_CORRELATION_ID {
            self.correlation_id = i32::MIN;
        }
        let id = self.correlation_id;
        self.correlation_id = id.wrapping_add(1);
        id
    }

    /// Sends a request of the client's own, or one of its user.
    fn do_send(&mut self, request: ClientRequest, asked_by: AskedBy, now: Instant) {
        let (api_key, latest) = (request.api_key(), request.builder.latest_allowed_version());
        let mut in_flight = InFlightRequest {
            correlation_id: request.correlation_id,
            api_key,
            version: latest,
            destination: request.destination,
            asked_by,
            any_node: false,
            expects_response: request.expects_response,
            created: request.created,
            timeout: request.timeout,
            deadline: deadline(now, request.timeout),
            is_written: false,
            is_refused: false,
        };
        let built = self.build(request.destination, request.builder);
        let encoded = built.and_then(|(version, body)| {
            in_flight.version = version;
            in_flight.any_node = suspects::any_node_will_do(&body);
            self.encode(&in_flight, &body)
        });
        match encoded {
            Ok(send) => self.write(in_flight, send, now),
            Err(error) => self.abort_unsendable(&in_flight, error, now),
        }
    }

    /// Chooses the version and makes the body.
    fn build(
        &self,
        node: NodeId,
        builder: RequestBuilder,
    ) -> Result<(i16, RequestBody), KafkaError> {
        let latest = builder.latest_allowed_version();
        let version = match self.negotiation.versions_of(node) {
            Some(versions) => versions.latest_usable_version(
                builder.api_key(),
                builder.oldest_allowed_version(),
                latest,
            )?,
            // The request for the versions themselves, or discovery is off.
            None => latest,
        };
        Ok((version, builder.build(version)?))
    }

    fn encode(
        &mut self,
        request: &InFlightRequest,
        body: &RequestBody,
    ) -> Result<NetworkSend, KafkaError> {
        let header = RequestHeader {
            api: request.api_key,
            api_version: request.version,
            correlation_id: request.correlation_id,
            client_id: Some(Arc::clone(&self.config.client_id)),
        };
        let segments = encode_request(&header, body, &mut self.request_buffer)?;
        Ok(NetworkSend::new(request.destination, segments))
    }

    fn write(&mut self, request: InFlightRequest, send: NetworkSend, now: Instant) {
        let node = request.destination;
        log::trace!(
            "sending {} v{} with correlation id {} to node {node}, {} bytes",
            request.api_key,
            request.version,
            request.correlation_id,
            send.size()
        );
        self.in_flight_requests.add(request);
        self.metadata_updater.suspicion.begins_to_wait(now);
        match self.selector.send(send) {
            Ok(SendProgress::Pending) => {}
            Ok(SendProgress::Refused) => self.in_flight_requests.last_was_refused(node),
            Ok(SendProgress::Done) => {
                if let Some(done) = self.in_flight_requests.complete_last_sent(node) {
                    self.ended.written.push(done.end(Outcome::Written, now));
                }
            }
            Err(error) => {
                log::error!("closing the connection to node {node}: {error}");
                self.cancel(node, &format!("cannot send: {error}"), now);
            }
        }
    }

    /// No version can carry the request, so nothing is sent; its user learns it from the next poll.
    fn abort_unsendable(&mut self, request: &InFlightRequest, error: KafkaError, now: Instant) {
        let (api, node) = (request.api_key, request.destination);
        log::debug!("{api} cannot be sent to node {node}: {error}");
        if request.asked_by != AskedBy::Client {
            let outcome = Outcome::Failed(RequestFailure::VersionMismatch(error));
            self.ended.aborted_sends.push(request.end(outcome, now));
        } else if api == ApiKeys::Metadata {
            self.metadata_request_failed(Some(error), now);
        }
    }

    /// The caller forgot to ask whether the node is ready.
    fn refuse(&mut self, request: &ClientRequest, now: Instant) {
        let (api, node) = (request.api_key(), request.destination);
        let reason = format!("{api} was sent to node {node}, which was not ready");
        log::error!("{reason}");
        let failure = RequestFailure::Disconnected {
            reason: reason.into(),
        };
        self.ended.aborted_sends.push(ClientResponse {
            correlation_id: request.correlation_id,
            destination: node,
            outcome: Outcome::Failed(failure),
            latency: now.saturating_duration_since(request.created),
        });
    }

    /// Closes a connection on our own account; what was in flight ends with the next poll.
    fn cancel(&mut self, node: NodeId, reason: &str, now: Instant) {
        self.selector.close(node);
        self.metadata_updater.suspicion.begins_anew(node);
        self.negotiation.forget(node);
        let reason: Arc<str> = reason.into();
        let mut cancelled = std::mem::take(&mut self.ended.aborted_sends);
        let failure = RequestFailure::Disconnected { reason };
        self.cancel_in_flight_requests(node, &failure, now, &mut cancelled);
        self.ended.aborted_sends = cancelled;
        self.connection_states.disconnected(node, now);
    }

    /// How long the selector may wait: until the first timer of any kind.
    fn poll_timeout(&mut self, timeout: Duration, now: Instant) -> Duration {
        let is_news = self.maybe_suspect(now);
        let metadata_timeout = self.maybe_update_metadata(now);
        if is_news || !self.ended.written.is_empty() || !self.ended.aborted_sends.is_empty() {
            return Duration::ZERO;
        }
        let timer = earlier(self.in_flight_requests.next_timeout(), self.next_look());
        let timer = timer.map_or(FOREVER, |at| at.saturating_duration_since(now));
        timeout
            .min(metadata_timeout)
            .min(self.connection_states.time_to_next_setup_timeout(now))
            .min(self.time_to_rebootstrap(now))
            .min(timer)
    }
}

impl<S: Selectable, M: MetadataHandle> KafkaClient for NetworkClient<S, M> {
    fn is_ready(&self, node: &Node, now: Instant) -> bool {
        !self.is_metadata_update_due(now) && self.can_send_request(node.node_id(), now)
    }

    fn ready(&mut self, node: &Node, now: Instant) -> bool {
        if self.is_ready(node, now) {
            return true;
        }
        if self.connection_states.can_connect(node.node_id(), now) {
            self.initiate_connect(node, now);
        }
        false
    }

    fn poll_delay(&self, node: &Node, now: Instant) -> Duration {
        self.connection_states.poll_delay(node.node_id(), now)
    }

    fn connection_failed(&self, node: &Node) -> bool {
        self.connection_states.is_disconnected(node.node_id())
    }

    fn new_client_request(
        &mut self,
        destination: NodeId,
        builder: RequestBuilder,
        created: Instant,
        expects_response: bool,
    ) -> ClientRequest {
        ClientRequest {
            correlation_id: self.next_correlation_id(),
            destination,
            builder,
            created,
            expects_response,
            timeout: self.config.request_timeout,
        }
    }

    fn send(&mut self, request: ClientRequest, now: Instant) {
        if !self.is_closed && self.can_send_request(request.destination, now) {
            self.do_send(request, AskedBy::User, now);
        } else {
            self.refuse(&request, now);
        }
    }

    fn poll(
        &mut self,
        timeout: Duration,
        now: Instant,
        responses: &mut Vec<ClientResponse>,
    ) -> Result<(), KafkaError> {
        if self.is_closed {
            let message = "the network client is closed";
            return Err(KafkaError::new(ErrorKind::Disconnect, message));
        }
        if !self.ended.aborted_sends.is_empty() {
            responses.append(&mut self.ended.aborted_sends);
            return Ok(());
        }
        let timeout = self.poll_timeout(timeout, now);
        let mut events = std::mem::take(&mut self.events);
        if let Err(error) = self.selector.poll(timeout, &mut events) {
            let message = format!("cannot wait for the network: {error}");
            return Err(KafkaError::new(ErrorKind::Kafka, message).with_source(error));
        }
        let now = self.time.now();
        responses.append(&mut self.ended.written);
        self.handle_completed_sends(&events.completed_sends, responses, now);
        self.handle_completed_receives(&mut events.completed_receives, responses, now);
        self.handle_disconnections(&mut events.disconnected, responses, now);
        self.handle_lookups(now);
        self.handle_connections(&events.connected);
        self.events = events;
        self.initiate_api_versions_requests(now);
        self.handle_timed_out_connections(responses, now);
        self.handle_timed_out_requests(responses, now);
        self.handle_rebootstrap(responses, now);
        Ok(())
    }

    fn has_suspects(&self) -> bool {
        !self.metadata_updater.suspicion.suspects().is_empty()
    }

    fn is_suspect(&self, node: NodeId) -> bool {
        self.metadata_updater.suspicion.is_suspect(node)
    }

    fn disconnect(&mut self, node: NodeId, reason: &str, now: Instant) {
        if self.connection_states.is_disconnected(node) {
            return;
        }
        log::info!("closing the connection to node {node}: {reason}");
        self.cancel(node, reason, now);
    }

    fn least_loaded_node(&mut self, now: Instant) -> LeastLoadedNode {
        self.choose_least_loaded_node(now)
    }

    fn waker(&self) -> ClientWaker {
        ClientWaker::new(self.selector.waker())
    }

    fn close(&mut self) {
        if !self.is_closed {
            self.is_closed = true;
            self.selector.close_all();
            self.metadata_updater.close();
        }
    }
}

/// The eight highest ids belong to the SASL authenticator.
const FIRST_RESERVED_CORRELATION_ID: i32 = i32::MAX - 7;

#[cfg(test)]
mod tests;
