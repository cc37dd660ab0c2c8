//! Hands requests from the processors to the handlers, and replies back.
//!
//! Java: `core/network/RequestChannel.scala`.
//! Differs: a channel of `crossbeam-channel` each way; the reply side wakes the processor's selector.
//! Threads: processors send work, handlers take it and send replies. Locks: the table of processors, a leaf.

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};

use crate::broker::broker_core::{ConnectionId, Incoming, Reply};
use crate::common::cluster::NodeId;
use crate::common::sync::{Mutex, Rank};
use crate::network::selector_waker::SelectorWaker;

/// What a handler is asked to do.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most are of the largest kind, and a box would only be one thing more"
)]
pub(crate) enum Work {
    /// Handle a request.
    Request(Incoming),
    /// Forget a connection.
    Closed(ConnectionId),
    /// Look at what waits: the cluster was changed from outside.
    Poll,
    /// Stop.
    Stop,
}

/// Both ends of both directions.
#[derive(Debug, Clone)]
pub(crate) struct RequestChannel {
    work: Sender<Work>,
    inbox: Receiver<Work>,
    processors: Arc<Mutex<HashMap<NodeId, ReplyQueue>>>,
}

/// The way back to a broker's processor.
#[derive(Debug, Clone)]
pub(crate) struct ReplyQueue {
    pub(crate) replies: Sender<Reply>,
    pub(crate) waker: Arc<SelectorWaker>,
}

impl RequestChannel {
    pub(crate) fn new() -> Self {
        let (work, inbox) = crossbeam_channel::unbounded();
        let processors = Arc::new(Mutex::new(Rank::Leaf, HashMap::new()));
        Self {
            work,
            inbox,
            processors,
        }
    }

    /// Gives work to the handlers.
    pub(crate) fn submit(&self, work: Work) {
        // The channel holds its own receiver, so it cannot be closed while anybody can submit.
        let _ = self.work.send(work);
    }

    /// Where handlers take their work from.
    pub(crate) fn inbox(&self) -> &Receiver<Work> {
        &self.inbox
    }

    /// From now on replies of this broker go to `queue`.
    pub(crate) fn attach(&self, broker: NodeId, queue: ReplyQueue) {
        self.processors.lock().insert(broker, queue);
    }

    /// From now on replies of this broker are dropped: it has stopped.
    pub(crate) fn detach(&self, broker: NodeId) {
        self.processors.lock().remove(&broker);
    }

    /// Sends a reply to the processor of its connection.
    pub(crate) fn reply(&self, reply: Reply) {
        let queue = self
            .processors
            .lock()
            .get(&reply.connection.broker)
            .cloned();
        if let Some(queue) = queue {
            // A processor that has just stopped has closed the connection too: nobody misses the reply.
            let _ = queue.replies.send(reply);
            queue.waker.wakeup();
        }
    }
}
