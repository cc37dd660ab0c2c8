//! What a poll of the selector brought, and what time brought meanwhile, becomes responses.
//!
//! Java: `clients/NetworkClient.java` (`handleCompletedSends` .. `handleTimedOutRequests`, `processDisconnection`).
//! Differs: every reason for which a connection ended is kept in words; a response that does not fit its request ends the
//! connection, and its request fails with the others.
//! Threads: the I/O thread. Locks: see `network_client`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::client_request::{ClientResponse, Outcome, RequestFailure};
use crate::client::host_resolver::LookupResult;
use crate::client::in_flight_requests::{AskedBy, InFlightRequest};
use crate::client::metadata_handle::MetadataHandle;
use crate::client::network_client::NetworkClient;
use crate::common::cluster::NodeId;
use crate::common::planted::planted;
use crate::network::channel_state::ChannelState;
use crate::network::network_receive::NetworkReceive;
use crate::network::selectable::Selectable;
use crate::protocol::requests::{self, ResponseBody};
use crate::protocol::{ApiKeys, ProtocolError};

impl<S: Selectable, M: MetadataHandle> NetworkClient<S, M> {
    /// A request that expects no response ends when it is written.
    pub(super) fn handle_completed_sends(
        &mut self,
        sends: &[NodeId],
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        for node in sends {
            if let Some(done) = self.in_flight_requests.complete_last_sent(*node) {
                self.metadata_updater.suspicion.begins_anew(*node);
                responses.push(done.end(Outcome::Written, now));
            }
        }
    }

    pub(super) fn handle_completed_receives(
        &mut self,
        receives: &mut Vec<NetworkReceive>,
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        for receive in receives.drain(..) {
            let node = receive.source;
            let Some(request) = self.in_flight_requests.complete_next(node) else {
                let reason = "the broker sent a response that nobody asked for";
                self.give_up_connection(node, reason, responses, now);
                continue;
            };
            let suspicion = &mut self.metadata_updater.suspicion;
            suspicion.answered(node, request.sent(), now);
            match parse_response(&receive, &request) {
                Ok(body) => self.handle_response(&request, body, responses, now),
                Err(reason) => self.handle_corrupt_response(&request, &reason, responses, now),
            }
        }
    }

    fn handle_response(
        &mut self,
        request: &InFlightRequest,
        body: ResponseBody,
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        self.maybe_throttle(request, &body, now);
        match body {
            ResponseBody::Metadata(body)
                if request.asked_by == AskedBy::Client || planted!("late-metadata-counts") =>
            {
                self.handle_metadata_response(&body, request.version, now);
            }
            ResponseBody::ApiVersions(body) if request.asked_by == AskedBy::Client => {
                self.handle_api_versions_response(request, &body, responses, now);
            }
            _ if request.asked_by == AskedBy::Nobody => {}
            body => responses.push(request.end(Outcome::Answered(body), now)),
        }
    }

    /// The stream cannot be trusted any more, so the request that was to be answered ends with all that came after it.
    fn handle_corrupt_response(
        &mut self,
        request: &InFlightRequest,
        reason: &str,
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        let node = request.destination;
        let failure = RequestFailure::Disconnected {
            reason: self.describe(node, reason),
        };
        self.end_without_response(request, &failure, now, responses);
        self.give_up_connection(node, reason, responses, now);
    }

    /// Keeps quiet for as long as the broker asks (KIP-219).
    fn maybe_throttle(&mut self, request: &InFlightRequest, body: &ResponseBody, now: Instant) {
        let pause = body.throttle_time().min(LONGEST_THROTTLE);
        if !pause.is_zero() && request.api_key.client_throttles(request.version) {
            let node = request.destination;
            log::debug!("node {node} asks for a pause of {} ms", pause.as_millis());
            self.connection_states.throttle(node, now + pause);
            self.in_flight_requests.increment_throttle_time(node, pause);
        }
    }

    pub(super) fn handle_disconnections(
        &mut self,
        disconnected: &mut Vec<(NodeId, ChannelState)>,
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        for (node, state) in disconnected.drain(..) {
            // Its last response may have been the reason to close it already.
            if !self.connection_states.is_disconnected(node) {
                self.process_disconnection(node, state, responses, now);
            }
        }
    }

    fn process_disconnection(
        &mut self,
        node: NodeId,
        state: ChannelState,
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        let reason = match &state {
            // These name the address already.
            ChannelState::NotConnected { .. } | ChannelState::Authenticate { .. } => {
                Arc::from(state.to_string())
            }
            _ => self.describe(node, &state.to_string()),
        };
        match state {
            ChannelState::AuthenticationFailed(error) => {
                log::error!("{reason}");
                let failure = RequestFailure::AuthenticationFailed(error);
                self.connection_ended(node, reason, &failure, responses, now);
            }
            ChannelState::Expired => {
                log::debug!("{reason}");
                let failure = RequestFailure::Disconnected {
                    reason: Arc::clone(&reason),
                };
                self.connection_ended(node, reason, &failure, responses, now);
            }
            _ => {
                self.warn_now_and_then(node, &reason);
                let failure = RequestFailure::Disconnected {
                    reason: Arc::clone(&reason),
                };
                self.connection_ended(node, reason, &failure, responses, now);
            }
        }
    }

    /// The connection to `node` is no more: what that means for the node, its requests, and the metadata.
    fn connection_ended(
        &mut self,
        node: NodeId,
        reason: Arc<str>,
        failure: &RequestFailure,
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        self.connection_states.disconnected(node, now);
        let mut fatal = None;
        if let RequestFailure::AuthenticationFailed(error) = failure {
            self.connection_states
                .authentication_failed(node, now, error.clone());
            fatal = Some(error.clone());
        }
        self.negotiation.forget(node);
        self.metadata_updater.suspicion.begins_anew(node);
        self.cancel_in_flight_requests(node, failure, now, responses);
        self.handle_server_disconnect(reason, fatal, now);
    }

    /// Ends every request to `node`, oldest first.
    pub(super) fn cancel_in_flight_requests(
        &mut self,
        node: NodeId,
        failure: &RequestFailure,
        now: Instant,
        responses: &mut Vec<ClientResponse>,
    ) {
        for request in self.in_flight_requests.clear_all(node) {
            self.end_without_response(&request, failure, now, responses);
        }
    }

    fn end_without_response(
        &mut self,
        request: &InFlightRequest,
        failure: &RequestFailure,
        now: Instant,
        responses: &mut Vec<ClientResponse>,
    ) {
        log::debug!(
            "{} with correlation id {} to node {} ends without a response: {failure}",
            request.api_key,
            request.correlation_id,
            request.destination
        );
        match request.asked_by {
            AskedBy::User => {
                let failure = match request.is_refused {
                    true => RequestFailure::NotSent {
                        reason: failure.to_string().into(),
                    },
                    false => failure.clone(),
                };
                responses.push(request.end(Outcome::Failed(failure), now));
            }
            AskedBy::Client if request.api_key == ApiKeys::Metadata => {
                self.metadata_request_failed(None, now);
            }
            AskedBy::Client | AskedBy::Nobody => {}
        }
    }

    /// Closes a connection that is of no more use.
    pub(super) fn give_up_connection(
        &mut self,
        node: NodeId,
        reason: &str,
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        self.selector.close(node);
        let reason = self.describe(node, reason);
        self.warn_now_and_then(node, &reason);
        let failure = RequestFailure::Disconnected {
            reason: Arc::clone(&reason),
        };
        self.connection_ended(node, reason, &failure, responses, now);
    }

    /// An attempt ended before there was a connection.
    pub(super) fn connection_attempt_failed(&mut self, node: NodeId, reason: &str, now: Instant) {
        // Nothing can be in flight.
        self.give_up_connection(node, reason, &mut Vec::new(), now);
    }

    pub(super) fn handle_lookups(&mut self, now: Instant) {
        while let Some(lookup) = self.lookups.poll() {
            for node in lookup.nodes {
                let wanted = self.connection_states.host_and_port(node);
                let is_wanted = wanted == Some((&lookup.host, lookup.port));
                // The attempt may have run out of time meanwhile, and the node may have moved.
                if is_wanted && self.connection_states.is_connecting(node) {
                    self.handle_lookup(node, lookup.result.clone(), now);
                }
            }
        }
    }

    pub(super) fn handle_lookup(&mut self, node: NodeId, result: LookupResult, now: Instant) {
        match result {
            Ok(addresses) => {
                self.connection_states.set_addresses(node, addresses);
                if let Some(address) = self.connection_states.current_address(node) {
                    self.open(node, address, now);
                }
            }
            Err(reason) => self.connection_attempt_failed(node, &reason, now),
        }
    }

    pub(super) fn handle_timed_out_connections(
        &mut self,
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        let nodes = self
            .connection_states
            .nodes_with_connection_setup_timeout(now);
        for node in nodes {
            let reason = "no connection within socket.connection.setup.timeout.ms";
            self.give_up_connection(node, reason, responses, now);
        }
    }

    pub(super) fn handle_timed_out_requests(
        &mut self,
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        for (node, limit) in self.in_flight_requests.nodes_with_timed_out_requests(now) {
            if planted!("requests-never-time-out") {
                continue;
            }
            self.selector.close(node);
            let failure = RequestFailure::TimedOut { limit };
            let reason = self.describe(node, &failure.to_string());
            self.warn_now_and_then(node, &reason);
            self.connection_ended(node, reason, &failure, responses, now);
        }
    }

    /// A sentence with the broker's address before it.
    fn describe(&self, node: NodeId, reason: &str) -> Arc<str> {
        match self.connection_states.host_and_port(node) {
            Some((host, port)) => format!("{host}:{port}: {reason}").into(),
            None => reason.into(),
        }
    }

    /// A node that stays away is reported ever more rarely.
    fn warn_now_and_then(&self, node: NodeId, reason: &str) {
        let failures = self.connection_states.failed_attempts(node) + 1;
        if failures.is_power_of_two() {
            log::warn!("node {node}: {reason}");
        } else {
            log::debug!("node {node}: {reason}");
        }
    }
}

/// The response to `request`, or why it cannot be that.
fn parse_response(
    receive: &NetworkReceive,
    request: &InFlightRequest,
) -> Result<ResponseBody, String> {
    let (api, version) = (request.api_key, request.version);
    let unreadable =
        |error: ProtocolError| format!("the response to {api} v{version} cannot be read: {error}");
    // First of all, since the answer to another request cannot be read as the answer to this one.
    let answered = requests::correlation_id(&receive.payload).map_err(unreadable)?;
    if answered != request.correlation_id && !planted!("any-answer-matches") {
        return Err(format!(
            "the response has correlation id {answered} where {} was to be answered",
            request.correlation_id
        ));
    }
    let (_, body) =
        requests::decode_response(&receive.payload, api, version).map_err(unreadable)?;
    Ok(body)
}

/// Longer than any quota makes a client wait; a broken broker must not stop it for weeks.
const LONGEST_THROTTLE: Duration = Duration::from_secs(3600);
