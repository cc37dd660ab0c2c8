//! A client without a network: a test looks at the requests that were sent and says what becomes of each.
//!
//! Java: `test/MockClient.java`.
//! Differs: a handle that test and tested share; knows nothing of metadata, which a test updates by itself; a request that
//! expects no response is done with the next poll.
//! Threads: any. Locks: one leaf.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::api_versions::ApiVersions;
use crate::client::client_request::{
    ClientRequest, ClientResponse, Outcome, RequestBuilder, RequestFailure,
};
use crate::client::kafka_client::{ClientWaker, KafkaClient, LeastLoadedNode};
use crate::common::cluster::{Node, NodeId};
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::sync::{Mutex, MutexGuard, Rank};
use crate::common::time::Time;
use crate::protocol::ApiKeys;
use crate::protocol::messages::api_versions::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey,
};
use crate::protocol::requests::{RequestBody, ResponseBody};
use crate::testing::mock_time::MockTime;

/// A scripted [`KafkaClient`]; clones are handles on the same one.
#[derive(Debug, Clone)]
pub(crate) struct MockClient {
    time: Arc<MockTime>,
    state: Arc<Mutex<State>>,
}

/// A request that waits for the test to answer it.
#[derive(Debug, Clone)]
pub(crate) struct SentRequest {
    pub(crate) correlation_id: i32,
    pub(crate) destination: NodeId,
    pub(crate) version: i16,
    pub(crate) body: RequestBody,
    pub(crate) created: Instant,
}

#[derive(Debug, Default)]
struct State {
    last_correlation_id: i32,
    connections: HashMap<NodeId, Connection>,
    least_loaded: Option<Node>,
    version_limits: HashMap<ApiKeys, i16>,
    requests: VecDeque<SentRequest>,
    prepared: VecDeque<Prepared>,
    responses: Vec<ClientResponse>,
    polls: Vec<Duration>,
    suspects: Vec<NodeId>,
    lets_time_pass: bool,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Connection {
    is_connected: bool,
    is_unreachable: bool,
    throttled_until: Option<Instant>,
}

/// What becomes of a request that is not sent yet.
struct Prepared {
    matches: Box<dyn Fn(&RequestBody) -> bool + Send>,
    outcome: Outcome,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.outcome)
    }
}

/// Looking at what was sent, and answering it.
impl MockClient {
    /// A client that reaches every node at once.
    pub(crate) fn new(time: Arc<MockTime>) -> Self {
        Self {
            time,
            state: Arc::new(Mutex::new(Rank::Leaf, State::default())),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The requests without an answer, oldest first. Java: `requests`.
    pub(crate) fn requests(&self) -> Vec<SentRequest> {
        self.state().requests.iter().cloned().collect()
    }

    /// Answers the oldest request with the next poll.
    pub(crate) fn respond(&self, body: impl Into<ResponseBody>) {
        self.end_at(0, Outcome::Answered(body.into()));
    }

    /// Answers the oldest request that went to `node`. Java: `respondFrom`.
    pub(crate) fn respond_from(&self, node: NodeId, body: impl Into<ResponseBody>) {
        let at = self.position(|request| request.destination == node);
        self.end_at(at, Outcome::Answered(body.into()));
    }

    /// Answers the request with this correlation id.
    pub(crate) fn respond_to_request(&self, correlation_id: i32, body: impl Into<ResponseBody>) {
        let at = self.position(|request| request.correlation_id == correlation_id);
        self.end_at(at, Outcome::Answered(body.into()));
    }

    /// Lets the oldest request fail.
    pub(crate) fn fail(&self, failure: RequestFailure) {
        self.end_at(0, Outcome::Failed(failure));
    }

    /// The connection to `node` ends on its own; its requests fail with the next poll.
    pub(crate) fn server_disconnect(&self, node: NodeId) {
        self.end_all(node, &disconnected("connection lost: mock"));
    }

    /// The oldest request to `node` is overdue, so the connection is closed; its requests fail with the next poll.
    pub(crate) fn time_out(&self, node: NodeId) {
        let limit = Duration::from_secs(30);
        self.end_all(node, &RequestFailure::TimedOut { limit });
    }

    fn end_all(&self, node: NodeId, failure: &RequestFailure) {
        let mut state = self.state();
        state.connection(node).is_connected = false;
        let (ended, kept) = std::mem::take(&mut state.requests)
            .into_iter()
            .partition::<VecDeque<_>, _>(|request| request.destination == node);
        state.requests = kept;
        for request in &ended {
            self.finish(&mut state, request, Outcome::Failed(failure.clone()));
        }
        // Requests give their memory back when they are dropped, which takes a lock.
        drop(state);
        drop(ended);
    }

    fn position(&self, is_it: impl FnMut(&SentRequest) -> bool) -> usize {
        let state = self.state();
        let found = state.requests.iter().position(is_it);
        found.expect("the request is in flight")
    }

    fn end_at(&self, at: usize, outcome: Outcome) {
        let mut state = self.state();
        let request = state.requests.remove(at).expect("a request is in flight");
        self.finish(&mut state, &request, outcome);
        // Requests give their memory back when they are dropped, which takes a lock.
        drop(state);
        drop(request);
    }

    fn finish(&self, state: &mut State, request: &SentRequest, outcome: Outcome) {
        state.responses.push(ClientResponse {
            correlation_id: request.correlation_id,
            destination: request.destination,
            outcome,
            latency: self.time.now().saturating_duration_since(request.created),
        });
    }
}

/// Scripting what happens later.
impl MockClient {
    /// Answers the next request without one prepared for it, whatever it is. Java: `prepareResponse`.
    pub(crate) fn prepare_response(&self, body: impl Into<ResponseBody>) {
        self.prepare(|_| true, Outcome::Answered(body.into()));
    }

    /// Answers the next request, which has to be the one expected.
    pub(crate) fn prepare_response_if(
        &self,
        matches: impl Fn(&RequestBody) -> bool + Send + 'static,
        body: impl Into<ResponseBody>,
    ) {
        self.prepare(matches, Outcome::Answered(body.into()));
    }

    fn prepare(&self, matches: impl Fn(&RequestBody) -> bool + Send + 'static, outcome: Outcome) {
        self.state().prepared.push_back(Prepared {
            matches: Box::new(matches),
            outcome,
        });
    }

    /// Brokers do not know versions of `api` above `version`. Java: `setNodeApiVersions`.
    pub(crate) fn limit_version(&self, api: ApiKeys, version: i16) {
        self.state().version_limits.insert(api, version);
    }

    /// What `least_loaded_node` answers. Java: `setNode`.
    pub(crate) fn set_least_loaded_node(&self, node: Option<Node>) {
        self.state().least_loaded = node;
    }

    /// No connection to `node` comes about. Java: `setUnreachable`.
    pub(crate) fn set_unreachable(&self, node: NodeId, is_unreachable: bool) {
        self.state().connection(node).is_unreachable = is_unreachable;
    }

    /// `node` takes no requests for a while. Java: `throttle`.
    pub(crate) fn throttle(&self, node: NodeId, wait: Duration) {
        let until = self.time.now() + wait;
        self.state().connection(node).throttled_until = Some(until);
    }

    /// `node` is overdue from now on.
    pub(crate) fn suspect(&self, node: NodeId) {
        self.state().suspects.push(node);
    }

    /// Nobody is overdue any more.
    pub(crate) fn forget_suspects(&self) {
        self.state().suspects.clear();
    }

    /// Polls that bring nothing last as long as their timeout. Java: `advanceTimeDuringPoll`.
    pub(crate) fn advance_time_during_poll(&self, advance: bool) {
        self.state().lets_time_pass = advance;
    }

    /// The timeout of every poll so far.
    pub(crate) fn poll_timeouts(&self) -> Vec<Duration> {
        self.state().polls.clone()
    }
}

impl KafkaClient for MockClient {
    fn is_ready(&self, node: &Node, now: Instant) -> bool {
        let mut state = self.state();
        let connection = state.connection(node.node_id());
        connection.is_connected && remaining(connection.throttled_until, now).is_zero()
    }

    fn ready(&mut self, node: &Node, now: Instant) -> bool {
        let mut state = self.state();
        let connection = state.connection(node.node_id());
        connection.is_connected = !connection.is_unreachable;
        drop(state);
        self.is_ready(node, now)
    }

    fn poll_delay(&self, node: &Node, now: Instant) -> Duration {
        let mut state = self.state();
        let connection = state.connection(node.node_id());
        match remaining(connection.throttled_until, now) {
            Duration::ZERO => Duration::MAX,
            throttled => throttled,
        }
    }

    fn connection_failed(&self, node: &Node) -> bool {
        self.state().connection(node.node_id()).is_unreachable
    }

    fn new_client_request(
        &mut self,
        destination: NodeId,
        builder: RequestBuilder,
        created: Instant,
        expects_response: bool,
    ) -> ClientRequest {
        let mut state = self.state();
        state.last_correlation_id += 1;
        ClientRequest {
            correlation_id: state.last_correlation_id,
            destination,
            builder,
            created,
            expects_response,
            timeout: Duration::from_secs(30),
        }
    }

    fn send(&mut self, request: ClientRequest, _now: Instant) {
        let mut state = self.state();
        let node = request.destination;
        assert!(
            state.connection(node).is_connected,
            "request to node {node}, which is not ready"
        );
        let (version, body) = state.build(request.builder);
        let sent = |body| SentRequest {
            correlation_id: request.correlation_id,
            destination: node,
            version,
            body,
            created: request.created,
        };
        let body = match body {
            Ok(body) => body,
            Err(error) => {
                let outcome = Outcome::Failed(RequestFailure::VersionMismatch(error));
                state.responses.push(ClientResponse {
                    correlation_id: request.correlation_id,
                    destination: node,
                    outcome,
                    latency: Duration::ZERO,
                });
                return;
            }
        };
        if !request.expects_response {
            self.finish(&mut state, &sent(body), Outcome::Written);
        } else if let Some(prepared) = state.prepared.pop_front() {
            let matches = (prepared.matches)(&body);
            assert!(matches, "not the request expected: {body:?}");
            self.finish(&mut state, &sent(body), prepared.outcome);
        } else {
            state.requests.push_back(sent(body));
        }
    }

    fn poll(
        &mut self,
        timeout: Duration,
        _now: Instant,
        responses: &mut Vec<ClientResponse>,
    ) -> Result<(), KafkaError> {
        let mut state = self.state();
        if state.is_closed {
            return Err(KafkaError::new(
                ErrorKind::Disconnect,
                "the client is closed",
            ));
        }
        state.polls.push(timeout);
        if state.responses.is_empty() && state.lets_time_pass {
            self.time.advance(timeout);
        }
        responses.append(&mut state.responses);
        Ok(())
    }

    fn has_suspects(&self) -> bool {
        !self.state().suspects.is_empty()
    }

    fn is_suspect(&self, node: NodeId) -> bool {
        self.state().suspects.contains(&node)
    }

    fn disconnect(&mut self, node: NodeId, reason: &str, _now: Instant) {
        self.end_all(node, &disconnected(reason));
        self.state().suspects.retain(|suspect| *suspect != node);
    }

    fn least_loaded_node(&mut self, now: Instant) -> LeastLoadedNode {
        let state = self.state();
        let mut connections = state.connections.values();
        let is_ready =
            |c: &Connection| c.is_connected && remaining(c.throttled_until, now).is_zero();
        LeastLoadedNode {
            node: state.least_loaded.clone(),
            at_least_one_connection_ready: connections.any(is_ready),
        }
    }

    fn waker(&self) -> ClientWaker {
        ClientWaker::idle()
    }

    fn close(&mut self) {
        self.state().is_closed = true;
    }
}

impl State {
    fn connection(&mut self, node: NodeId) -> &mut Connection {
        self.connections.entry(node).or_default()
    }

    /// The version that the brokers allow, and the body at that version.
    fn build(&self, builder: RequestBuilder) -> (i16, Result<RequestBody, KafkaError>) {
        let api = builder.api_key();
        let limit = self.version_limits.get(&api).copied().unwrap_or(i16::MAX);
        let version = builder.latest_allowed_version().min(limit);
        let body = if version < builder.oldest_allowed_version() {
            let message = format!("the broker knows {api} up to version {version} only");
            Err(KafkaError::new(ErrorKind::UnsupportedVersion, message))
        } else {
            builder.build(version)
        };
        (version, body)
    }
}

fn disconnected(reason: &str) -> RequestFailure {
    RequestFailure::Disconnected {
        reason: reason.into(),
    }
}

fn remaining(until: Option<Instant>, now: Instant) -> Duration {
    until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
}

/// What the brokers 0 to 2 say about themselves: which version their transactions have.
pub(crate) fn api_versions(transaction_version: i16) -> Arc<ApiVersions> {
    let versions = ApiVersions::new();
    let response = ApiVersionsResponse {
        api_keys: vec![ApiVersion {
            api_key: ApiKeys::InitProducerId.id(),
            min_version: 0,
            max_version: 5,
        }],
        finalized_features_epoch: 1,
        finalized_features: vec![FinalizedFeatureKey {
            name: "transaction.version".to_owned(),
            max_version_level: transaction_version,
            min_version_level: 0,
        }],
        ..Default::default()
    };
    for node in 0..3 {
        versions.update(NodeId(node), &response);
    }
    Arc::new(versions)
}
