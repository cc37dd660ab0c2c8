//! The request-level seam: everything that the Sender asks of the network.
//!
//! Java: `clients/KafkaClient.java`.
//! Differs: responses are returned by `poll` instead of being handed to callbacks; "for ever" is [`Duration::MAX`].
//! Threads: the I/O thread; only [`ClientWaker`] is shared. Locks: none.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::client::client_request::{ClientRequest, ClientResponse, RequestBuilder};
use crate::common::cluster::{Node, NodeId};
use crate::common::kafka_error::KafkaError;
use crate::network::selector_waker::SelectorWaker;

/// Requests to the brokers of one cluster, and their responses.
pub(crate) trait KafkaClient {
    /// Whether a request may be sent to `node` now. False for every node while a metadata update is due: it goes first.
    fn is_ready(&self, node: &Node, now: Instant) -> bool;

    /// As [`is_ready`](Self::is_ready); where there is no connection yet and none is on its way, begins to connect.
    fn ready(&mut self, node: &Node, now: Instant) -> bool;

    /// How long to wait before it is worth asking again whether `node` is ready: throttling and back-off.
    fn poll_delay(&self, node: &Node, now: Instant) -> Duration;

    /// Whether the last connection to `node` failed or was lost, and none is on its way.
    fn connection_failed(&self, node: &Node) -> bool;

    /// Gives a request the next correlation id. It waits `request.timeout.ms` for its response.
    fn new_client_request(
        &mut self,
        destination: NodeId,
        builder: RequestBuilder,
        created: Instant,
        expects_response: bool,
    ) -> ClientRequest;

    /// Sends a request to a node that is ready. A request that no common version can carry fails with the next poll; so
    /// does one to a node that is not ready, which is a mistake of the caller and is logged as such.
    fn send(&mut self, request: ClientRequest, now: Instant);

    /// Waits at most `timeout` for something to happen and adds what happened to `responses`: each request that was sent
    /// ends here exactly once.
    ///
    /// # Errors
    /// Where the client has been closed, or the operating system's poller fails.
    fn poll(
        &mut self,
        timeout: Duration,
        now: Instant,
        responses: &mut Vec<ClientResponse>,
    ) -> Result<(), KafkaError>;

    /// Whether any node is a suspect: its oldest request, or its connection, takes longer than is usual for it. It may be
    /// slow or frozen; nothing is done about it here but asking others for metadata.
    fn has_suspects(&self) -> bool;

    /// Whether `node` is one of them.
    fn is_suspect(&self, node: NodeId) -> bool;

    /// Closes the connection to `node` for this reason; its requests fail with the next poll.
    fn disconnect(&mut self, node: NodeId, reason: &str, now: Instant);

    /// The node to ask when any node will do.
    fn least_loaded_node(&mut self, now: Instant) -> LeastLoadedNode;

    /// Makes a poll return early; the same one for the whole life of the client.
    fn waker(&self) -> ClientWaker;

    /// Closes every connection and refuses all polls from now on. Closing twice does no harm.
    fn close(&mut self);
}

/// The answer of [`KafkaClient::least_loaded_node`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeastLoadedNode {
    /// Nothing where every node is throttled or has to be left alone for now.
    pub(crate) node: Option<Node>,
    /// Whether a connection is ready for use, even where its queue is full.
    pub(crate) at_least_one_connection_ready: bool,
}

impl LeastLoadedNode {
    /// Whether there is any way left to reach the cluster by what is known of it (KIP-899).
    pub(crate) fn has_node_available_or_connection_ready(&self) -> bool {
        self.node.is_some() || self.at_least_one_connection_ready
    }
}

/// Gets the thread that polls out of [`KafkaClient::poll`], from any thread; and says who is to poll.
#[derive(Debug, Clone)]
pub(crate) struct ClientWaker(Arc<SelectorWaker>);

impl Deref for ClientWaker {
    type Target = SelectorWaker;
    fn deref(&self) -> &SelectorWaker {
        &self.0
    }
}

impl ClientWaker {
    pub(crate) fn new(waker: Arc<SelectorWaker>) -> Self {
        Self(waker)
    }

    /// A waker with nobody to wake, for fakes without a selector.
    #[cfg(test)]
    pub(crate) fn idle() -> Self {
        Self(Arc::new(SelectorWaker::new(|| {})))
    }
}

/// A node that is merely slow must not bring about a storm of questions to the others: whoever suspects one asks no more
/// often than this.
pub(crate) const QUESTION_INTERVAL: Duration = Duration::from_secs(1);
