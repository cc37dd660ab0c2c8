//! The first exchange on each connection: which versions does the node speak?
//!
//! Java: `clients/NetworkClient.java` (`handleConnections`, `handleInitiateApiVersionRequests`, `handleApiVersionsResponse`).
//! Differs: one step down per connection, to a version that both sides know; name and version of the software are cleaned.
//! Threads: the I/O thread. Locks: the versions' leaf.

use std::sync::Arc;
use std::time::Instant;

use crate::client::api_versions::{ApiVersions, NodeApiVersions};
use crate::client::client_request::{ClientResponse, RequestBuilder};
use crate::client::in_flight_requests::{AskedBy, InFlightRequest};
use crate::client::kafka_client::KafkaClient;
use crate::client::metadata_handle::MetadataHandle;
use crate::client::network_client::NetworkClient;
use crate::common::cluster::NodeId;
use crate::common::planted::planted;
use crate::network::selectable::Selectable;
use crate::protocol::messages::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::protocol::{ApiKeys, Errors};

/// Who was asked, and what they said.
#[derive(Debug)]
pub(super) struct VersionNegotiation {
    api_versions: Arc<ApiVersions>,
    /// Connected nodes that are to be asked as soon as their channel is ready, and the version of the request.
    needed: Vec<(NodeId, i16)>,
}

impl VersionNegotiation {
    pub(super) fn new(api_versions: Arc<ApiVersions>) -> Self {
        Self {
            api_versions,
            needed: Vec::new(),
        }
    }

    /// Nothing before the node has answered.
    pub(super) fn versions_of(&self, node: NodeId) -> Option<Arc<NodeApiVersions>> {
        self.api_versions.get(node)
    }

    /// The connection is gone; the broker may come back as another version.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.api_versions.remove(node);
        self.needed.retain(|(waiting, _)| *waiting != node);
    }
}

impl<S: Selectable, M: MetadataHandle> NetworkClient<S, M> {
    pub(super) fn handle_connections(&mut self, connected: &[NodeId]) {
        for node in connected {
            log::debug!("connected to node {node}");
            self.metadata_updater.suspicion.begins_anew(*node);
            if self.config.discover_broker_versions {
                let latest = *ApiKeys::ApiVersions.client_versions().end();
                self.negotiation.needed.push((*node, latest));
            } else {
                self.connection_states.ready(*node);
            }
        }
    }

    /// A node counts as checking only when its request is queued: one that is stuck in TLS or in the login is still
    /// connecting, and the setup timeout ends that.
    pub(super) fn initiate_api_versions_requests(&mut self, now: Instant) {
        if self.negotiation.needed.is_empty() {
            return;
        }
        for (node, version) in std::mem::take(&mut self.negotiation.needed) {
            let is_usable =
                self.selector.is_channel_ready(node) && self.in_flight_requests.can_send_more(node);
            if !is_usable {
                self.negotiation.needed.push((node, version));
                continue;
            }
            self.connection_states.checking_api_versions(node);
            let builder = RequestBuilder::of(api_versions_request()).at_most(version);
            let request = self.new_client_request(node, builder, now, true);
            self.do_send(request, AskedBy::Client, now);
        }
    }

    pub(super) fn handle_api_versions_response(
        &mut self,
        request: &InFlightRequest,
        response: &ApiVersionsResponse,
        responses: &mut Vec<ClientResponse>,
        now: Instant,
    ) {
        let node = request.destination;
        match Errors::from_code(response.error_code) {
            Errors::None => {
                self.negotiation.api_versions.update(node, response);
                self.connection_states.ready(node);
            }
            Errors::UnsupportedVersion if request.version > 0 => {
                let version = version_to_fall_back_to(request.version, response);
                log::debug!("node {node} is asked for its versions again, at version {version}");
                self.negotiation.needed.push((node, version));
            }
            error => {
                let name = error.name();
                let reason = format!("the broker answered ApiVersions with {name}");
                self.give_up_connection(node, &reason, responses, now);
            }
        }
    }
}

/// Brokers since 2.4 say which version they know (KIP-511), older ones know 0. Always lower than the one refused, so the
/// exchange ends.
fn version_to_fall_back_to(refused: i16, response: &ApiVersionsResponse) -> i16 {
    let listed = NodeApiVersions::new(response).range(ApiKeys::ApiVersions);
    let highest = match planted!("versions-go-round") {
        true => refused,
        false => refused - 1,
    };
    listed.map_or(0, |(_, max)| max.clamp(0, highest))
}

fn api_versions_request() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: sanitized(env!("CARGO_PKG_NAME")),
        client_software_version: sanitized(env!("CARGO_PKG_VERSION")),
    }
}

/// Brokers refuse a connection whose software has other characters in its name than letters, digits, dots and dashes, or
/// does not begin and end with a letter or digit (KIP-511).
fn sanitized(text: &str) -> String {
    let is_legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let clean = text.replace(|c: char| !is_legal(c), "-");
    let clean = clean.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    match clean {
        "" => "unknown".to_owned(),
        clean => clean.to_owned(),
    }
}

#[cfg(test)]
mod tests;
