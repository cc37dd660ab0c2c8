//! What the network client promises, told in virtual time on a scripted network.

mod closing;
mod connecting;
mod costs;
mod error_page;
mod finding_nodes;
mod metadata_updates;
mod randomized;
mod requests;
mod suspects;
mod throttling;
mod timeouts;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::client::api_versions::ApiVersions;
use crate::client::client_request::{ClientResponse, Outcome, RequestBuilder, RequestFailure};
use crate::client::host_resolver::HostResolver;
use crate::client::kafka_client::KafkaClient;
use crate::client::metadata::{Metadata, MetadataConfig};
use crate::client::metadata_handle::MetadataHandle;
use crate::client::metadata_snapshot::MetadataSnapshot;
use crate::client::network_client::{NetworkClient, NetworkClientConfig, NetworkClientParts};
use crate::common::cluster::{Node, NodeId};
use crate::common::exponential_backoff::ExponentialBackoff;
use crate::common::kafka_error::KafkaError;
use crate::common::payload::Payload;
use crate::common::sync::{Mutex, Rank};
use crate::common::time::Time;
use crate::network::selectable::{ConnectOptions, Selectable};
use crate::protocol::ApiKeys;
use crate::protocol::headers::{RequestHeader, ResponseHeader};
use crate::protocol::messages::api_versions::{ApiVersion, ApiVersionsResponse};
use crate::protocol::messages::init_producer_id::InitProducerIdRequest;
use crate::protocol::messages::metadata::{MetadataResponse, MetadataResponseBroker};
use crate::protocol::messages::produce::{ProduceRequest, ProduceResponse};
use crate::protocol::requests::{RequestBody, ResponseBody, decode_request, encode_response};
use crate::testing::mock_selector::MockSelector;
use crate::testing::mock_time::MockTime;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Metadata behind a lock and without waiters.
#[derive(Debug)]
struct SharedMetadata(Mutex<Metadata>);

impl MetadataHandle for Arc<SharedMetadata> {
    fn snapshot(&self) -> Arc<MetadataSnapshot> {
        Arc::clone(self.0.lock().snapshot())
    }

    fn with<R>(&self, action: impl FnOnce(&mut Metadata) -> R) -> R {
        action(&mut self.0.lock())
    }
}

/// Names that a test gives addresses to, and whether they are looked up on a thread of their own.
#[derive(Debug)]
struct MockHostResolver(Mutex<Vec<SocketAddr>>, AtomicBool);

impl HostResolver for MockHostResolver {
    fn resolve(&self, host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
        let addresses = self.0.lock();
        if addresses.is_empty() {
            return Err(std::io::Error::other(format!("{host}:{port} is not known")));
        }
        Ok(addresses.clone())
    }

    fn may_block(&self) -> bool {
        self.1.load(Ordering::SeqCst)
    }
}

/// A client, the network it is on, and a cluster of nodes 0, 1, 2 .. that listen on 10.0.0.0, 10.0.0.1 and so on.
struct Fixture {
    time: Arc<MockTime>,
    network: MockSelector,
    resolver: Arc<MockHostResolver>,
    metadata: Arc<SharedMetadata>,
    api_versions: Arc<ApiVersions>,
    client: NetworkClient<MockSelector, Arc<SharedMetadata>>,
}

fn config() -> NetworkClientConfig {
    NetworkClientConfig {
        client_id: "ottla".into(),
        max_in_flight_requests_per_connection: 5,
        reconnect_backoff: ExponentialBackoff::new(ms(50), ms(1000)),
        connection_setup_timeout: ExponentialBackoff::new(ms(10_000), ms(30_000)),
        request_timeout: ms(30_000),
        connect_options: ConnectOptions::default(),
        discover_broker_versions: true,
        rebootstrap_trigger: Some(ms(300_000)),
        leader_suspect: None,
        random_seed: 1,
    }
}

fn metadata_config() -> MetadataConfig {
    MetadataConfig {
        refresh_backoff: ExponentialBackoff::new(ms(100), ms(1000)),
        max_age: ms(300_000),
        max_idle: ms(300_000),
        random_seed: 1,
    }
}

fn node(id: i32) -> Node {
    Node::new(id, format!("10.0.0.{id}"), 9092)
}

fn address(id: i32) -> SocketAddr {
    format!("10.0.0.{id}:9092").parse().expect("an address")
}

impl Fixture {
    /// A client that knows a cluster of `nodes` brokers and does not want to know more for five minutes.
    fn new(nodes: i32) -> Self {
        Self::with_config(nodes, config())
    }

    fn with_config(nodes: i32, config: NetworkClientConfig) -> Self {
        let fixture = Self::bootstrapped(vec![node(99)], config);
        fixture.answer_metadata_out_of_band((0..nodes).map(node));
        fixture
    }

    /// A client that knows nothing but bootstrap servers.
    fn bootstrapped(servers: Vec<Node>, config: NetworkClientConfig) -> Self {
        let time = MockTime::shared();
        let network = MockSelector::new(Arc::clone(&time));
        let names = Mutex::new(Rank::Leaf, Vec::new());
        let resolver = Arc::new(MockHostResolver(names, AtomicBool::new(false)));
        let metadata = Metadata::new(&metadata_config(), servers);
        let metadata = Arc::new(SharedMetadata(Mutex::new(Rank::Leaf, metadata)));
        let api_versions = Arc::new(ApiVersions::new());
        let parts = NetworkClientParts {
            selector: network.clone(),
            metadata: Arc::clone(&metadata),
            api_versions: Arc::clone(&api_versions),
            resolver: Arc::clone(&resolver) as Arc<dyn HostResolver>,
            time: Arc::clone(&time) as Arc<dyn Time>,
        };
        Self {
            client: NetworkClient::new(config, parts),
            time,
            network,
            resolver,
            metadata,
            api_versions,
        }
    }

    fn answer_metadata_out_of_band(&self, nodes: impl IntoIterator<Item = Node>) {
        let now = self.now();
        self.metadata.with(|metadata| {
            let request = metadata.new_metadata_request_and_version(now);
            metadata
                .update(request.version, &metadata_response(nodes), 13, now)
                .expect("open");
        });
    }

    fn now(&self) -> Instant {
        self.time.now()
    }

    fn last_connection_error(&self) -> Option<Arc<str>> {
        self.metadata.with(|m| m.last_connection_error().cloned())
    }

    /// Polls and returns what ended.
    fn poll(&mut self, timeout: Duration) -> Vec<ClientResponse> {
        let mut responses = Vec::new();
        let now = self.now();
        self.client
            .poll(timeout, now, &mut responses)
            .expect("the client is open");
        responses
    }

    /// Polls without waiting.
    fn pass(&mut self) -> Vec<ClientResponse> {
        self.poll(Duration::ZERO)
    }

    fn is_ready(&self, id: i32) -> bool {
        self.client.is_ready(&node(id), self.now())
    }

    fn ready(&mut self, id: i32) -> bool {
        let now = self.now();
        self.client.ready(&node(id), now)
    }

    /// Connects to a node and answers its request for versions.
    fn connect(&mut self, id: i32) {
        assert!(!self.ready(id));
        assert_eq!(self.pass().len(), 0);
        self.answer_api_versions(id, everything());
        assert_eq!(self.pass().len(), 0);
        assert!(self.is_ready(id), "node {id} is connected");
    }

    /// Answers the request for versions, which is all that was sent.
    fn answer_api_versions(&mut self, id: i32, response: ApiVersionsResponse) {
        let header = self.only_sent(id, ApiKeys::ApiVersions).0;
        self.answer(id, &header, response);
    }

    /// What was sent since the last look, which has to be one request to `id`.
    fn only_sent(&self, id: i32, api: ApiKeys) -> (RequestHeader, RequestBody) {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        let (to, header, body) = sent.into_iter().next().expect("one");
        assert_eq!((to, header.api), (NodeId(id), api));
        (header, body)
    }

    /// What was sent since the last look.
    fn sent(&self) -> Vec<(NodeId, RequestHeader, RequestBody)> {
        let frames = self.network.take_sent();
        let decode = |(to, frame): (NodeId, Payload)| {
            let frame = frame.slice(4..frame.len()).expect("a size and more");
            let (header, body) = decode_request(&frame).expect("a request");
            (to, header, body)
        };
        frames.into_iter().map(decode).collect()
    }

    /// Lets the response to the request of `header` arrive.
    fn answer(&self, id: i32, header: &RequestHeader, body: impl Into<ResponseBody>) {
        let correlation_id = header.correlation_id;
        self.answer_as(id, header.api_version, correlation_id, body);
    }

    fn answer_as(&self, id: i32, version: i16, correlation_id: i32, body: impl Into<ResponseBody>) {
        let header = ResponseHeader { correlation_id };
        let segments = encode_response(header, version, &body.into()).expect("encodes");
        let bytes: Vec<u8> = segments.iter().flat_map(|s| s.iter().copied()).collect();
        self.network.receive(NodeId(id), bytes[4..].to_vec());
    }

    /// Sends a request that asks for a producer id, and returns its correlation id.
    fn send(&mut self, id: i32) -> i32 {
        let builder = RequestBuilder::of(InitProducerIdRequest::default());
        self.send_request(id, builder, None)
    }

    /// Sends a Produce request without records, and returns its correlation id.
    fn produce(&mut self, id: i32, acks: i16) -> i32 {
        let now = self.now();
        let builder = RequestBuilder::of(ProduceRequest {
            acks,
            ..ProduceRequest::default()
        });
        let request = self
            .client
            .new_client_request(NodeId(id), builder, now, acks != 0);
        let correlation_id = request.correlation_id;
        self.client.send(request, now);
        correlation_id
    }

    fn send_request(&mut self, id: i32, builder: RequestBuilder, timeout: Option<Duration>) -> i32 {
        let now = self.now();
        let mut request = self
            .client
            .new_client_request(NodeId(id), builder, now, true);
        if let Some(timeout) = timeout {
            request.timeout = timeout;
        }
        let correlation_id = request.correlation_id;
        self.client.send(request, now);
        correlation_id
    }
}

/// What tests ask and the Sender does not.
impl<S: Selectable, M: MetadataHandle> NetworkClient<S, M> {
    fn connection_delay(&self, node: &Node, now: Instant) -> Duration {
        self.connection_states.connection_delay(node.node_id(), now)
    }

    fn connection_failed(&self, node: &Node) -> bool {
        self.connection_states.is_disconnected(node.node_id())
    }

    fn authentication_error(&self, node: &Node) -> Option<KafkaError> {
        let error = self.connection_states.authentication_error(node.node_id());
        error.cloned()
    }

    fn in_flight_request_count(&self) -> usize {
        self.in_flight_requests.count()
    }

    fn in_flight_request_count_of(&self, node: NodeId) -> usize {
        self.in_flight_requests.count_of(node)
    }

    fn has_in_flight_requests(&self) -> bool {
        self.in_flight_request_count() > 0
    }
}

fn metadata_response(nodes: impl IntoIterator<Item = Node>) -> MetadataResponse {
    let broker = |node: Node| MetadataResponseBroker {
        node_id: node.id(),
        host: node.host().to_owned(),
        port: i32::from(node.port()),
        rack: None,
    };
    MetadataResponse {
        brokers: nodes.into_iter().map(broker).collect(),
        cluster_id: Some("kafka-cluster".to_owned()),
        ..MetadataResponse::default()
    }
}

/// A node that takes all that the client speaks.
fn everything() -> ApiVersionsResponse {
    let ranges = ApiKeys::ALL.iter().map(|api| (*api, api.versions()));
    versions(ranges.map(|(api, range)| (api, *range.start(), *range.end())))
}

fn versions(ranges: impl IntoIterator<Item = (ApiKeys, i16, i16)>) -> ApiVersionsResponse {
    let entry = |(api, min_version, max_version): (ApiKeys, i16, i16)| ApiVersion {
        api_key: api.id(),
        min_version,
        max_version,
    };
    ApiVersionsResponse {
        api_keys: ranges.into_iter().map(entry).collect(),
        ..ApiVersionsResponse::default()
    }
}

fn correlation_ids(responses: &[ClientResponse]) -> Vec<i32> {
    responses.iter().map(|r| r.correlation_id).collect()
}

fn is_disconnected(response: &ClientResponse) -> bool {
    matches!(
        response.outcome,
        Outcome::Failed(RequestFailure::Disconnected { .. })
    )
}

fn is_timed_out(response: &ClientResponse) -> bool {
    matches!(
        response.outcome,
        Outcome::Failed(RequestFailure::TimedOut { .. })
    )
}

fn produce_response(throttle_time_ms: i32) -> ProduceResponse {
    ProduceResponse {
        throttle_time_ms,
        ..ProduceResponse::default()
    }
}
