//! The requests that were sent and not answered, per node, oldest first.
//!
//! Java: `clients/InFlightRequests.java`, `clients/NetworkClient.java` (`InFlightRequest`).
//! Differs: knows when the next request becomes overdue, so that nobody looks at the queues before that.
//! Threads: the I/O thread. Locks: none.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::client::client_request::{ClientResponse, Outcome};
use crate::common::cluster::NodeId;
use crate::common::fast_hash::FastMap;
use crate::protocol::ApiKeys;

/// A request that was sent.
#[derive(Debug)]
pub(crate) struct InFlightRequest {
    pub(crate) correlation_id: i32,
    pub(crate) api_key: ApiKeys,
    pub(crate) version: i16,
    pub(crate) destination: NodeId,
    pub(crate) asked_by: AskedBy,
    /// Whether another node could answer as well.
    pub(crate) any_node: bool,
    pub(crate) expects_response: bool,
    pub(crate) created: Instant,
    pub(crate) timeout: Duration,
    /// The timeout after the send, later where the broker asked for a pause meanwhile.
    pub(crate) deadline: Instant,
    /// Whether the last byte went out.
    pub(crate) is_written: bool,
    /// Whether not even the first byte went out, nor will.
    pub(crate) is_refused: bool,
}

/// Who is told what becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AskedBy {
    User,
    /// The client itself, of which its user is told nothing.
    Client,
    /// Nobody any more: another node was asked instead.
    Nobody,
}

impl InFlightRequest {
    /// Since when the answer is awaited; pauses that the broker asked for do not count.
    pub(crate) fn sent(&self) -> Instant {
        self.deadline
            .checked_sub(self.timeout)
            .unwrap_or(self.created)
    }

    fn can_be_asked_elsewhere(&self) -> bool {
        self.any_node && self.asked_by != AskedBy::Nobody
    }

    /// What its user is told at the end.
    pub(crate) fn end(&self, outcome: Outcome, now: Instant) -> ClientResponse {
        ClientResponse {
            correlation_id: self.correlation_id,
            destination: self.destination,
            outcome,
            latency: now.saturating_duration_since(self.created),
        }
    }
}

/// A queue per node.
#[derive(Debug)]
pub(crate) struct InFlightRequests {
    max_in_flight_per_connection: usize,
    queues: FastMap<NodeId, VecDeque<InFlightRequest>>,
    count: usize,
    /// No request is overdue before this moment; nothing while there is none.
    earliest_deadline: Option<Instant>,
}

impl InFlightRequests {
    pub(crate) fn new(max_in_flight_per_connection: usize) -> Self {
        Self {
            max_in_flight_per_connection,
            queues: FastMap::default(),
            count: 0,
            earliest_deadline: None,
        }
    }

    /// A request was handed to the network.
    pub(crate) fn add(&mut self, request: InFlightRequest) {
        let earliest = self.earliest_deadline.unwrap_or(request.deadline);
        self.earliest_deadline = Some(earliest.min(request.deadline));
        self.count += 1;
        let queue = self.queues.entry(request.destination).or_default();
        queue.push_back(request);
    }

    /// Takes out the oldest request to `node`: the one that the next response belongs to.
    pub(crate) fn complete_next(&mut self, node: NodeId) -> Option<InFlightRequest> {
        let request = self.queues.get_mut(&node)?.pop_front();
        self.took_out(usize::from(request.is_some()));
        request
    }

    /// The newest request to `node` is written; takes it out where that is all that was to come.
    pub(crate) fn complete_last_sent(&mut self, node: NodeId) -> Option<InFlightRequest> {
        let queue = self.queues.get_mut(&node)?;
        let newest = queue.back_mut()?;
        newest.is_written = true;
        if newest.expects_response {
            return None;
        }
        let request = queue.pop_back();
        self.took_out(1);
        request
    }

    /// Nothing of the newest request to `node` went out, and its connection is lost.
    pub(crate) fn last_was_refused(&mut self, node: NodeId) {
        let newest = self.queues.get_mut(&node).and_then(VecDeque::back_mut);
        if let Some(newest) = newest {
            newest.is_refused = true;
        }
    }

    /// Whether the node may get another request: the last one is out, and there are not too many (KAFKA-1788).
    pub(crate) fn can_send_more(&self, node: NodeId) -> bool {
        let Some(queue) = self.queues.get(&node) else {
            return true;
        };
        queue.back().is_none_or(|newest| {
            newest.is_written && queue.len() < self.max_in_flight_per_connection
        })
    }

    /// When the oldest request to each node was sent.
    pub(crate) fn oldest(&self) -> impl Iterator<Item = (NodeId, Instant)> {
        self.queues
            .iter()
            .filter_map(|(node, queue)| Some((*node, queue.front()?.sent())))
    }

    /// Whether a request that another node could answer waits at `node`.
    pub(crate) fn has_any_node_request(&self, node: NodeId) -> bool {
        let mut queue = self.queues.get(&node).into_iter().flatten();
        queue.any(InFlightRequest::can_be_asked_elsewhere)
    }

    /// Lets nobody wait any more for what another node could answer; the requests keep their places, so that late answers
    /// find them. Calls `told` for each.
    pub(crate) fn give_up_any_node_requests(
        &mut self,
        node: NodeId,
        mut told: impl FnMut(&InFlightRequest),
    ) {
        let queue = self.queues.get_mut(&node).into_iter().flatten();
        for request in queue.filter(|request| request.can_be_asked_elsewhere()) {
            told(request);
            request.asked_by = AskedBy::Nobody;
        }
    }

    /// All requests without a response.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// The requests to `node` without a response.
    pub(crate) fn count_of(&self, node: NodeId) -> usize {
        self.queues.get(&node).map_or(0, VecDeque::len)
    }

    /// Takes out every request to `node`, oldest first.
    pub(crate) fn clear_all(&mut self, node: NodeId) -> VecDeque<InFlightRequest> {
        let requests = self.queues.remove(&node).unwrap_or_default();
        self.took_out(requests.len());
        requests
    }

    /// The node asked for a pause, which its requests must not pay for.
    pub(crate) fn increment_throttle_time(&mut self, node: NodeId, pause: Duration) {
        for request in self.queues.get_mut(&node).into_iter().flatten() {
            request.deadline += pause;
        }
    }

    /// When a request may become overdue.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.earliest_deadline
    }

    /// The nodes with an overdue request, and the limit that it missed.
    pub(crate) fn nodes_with_timed_out_requests(
        &mut self,
        now: Instant,
    ) -> Vec<(NodeId, Duration)> {
        let mut nodes = Vec::new();
        if self.earliest_deadline.is_none_or(|earliest| now < earliest) {
            return nodes;
        }
        self.earliest_deadline = None;
        for (node, queue) in &self.queues {
            if let Some(overdue) = queue.iter().find(|request| request.deadline <= now) {
                nodes.push((*node, overdue.timeout));
            }
            let deadlines = queue.iter().map(|request| request.deadline);
            let earliest = deadlines.chain(self.earliest_deadline).min();
            self.earliest_deadline = earliest;
        }
        nodes.sort_unstable();
        nodes
    }

    fn took_out(&mut self, requests: usize) {
        self.count -= requests;
        // Nothing to wait for: an idle client must not be woken by the deadline of a request that was answered.
        if self.count == 0 {
            self.earliest_deadline = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::time::{SystemTime, Time};

    const SECOND: Duration = Duration::from_secs(1);

    fn request(correlation_id: i32, node: i32, now: Instant) -> InFlightRequest {
        InFlightRequest {
            correlation_id,
            api_key: ApiKeys::Produce,
            version: 13,
            destination: NodeId(node),
            asked_by: AskedBy::User,
            any_node: false,
            expects_response: true,
            created: now,
            timeout: SECOND,
            deadline: now + SECOND,
            is_written: true,
            is_refused: false,
        }
    }

    /// Java: `InFlightRequestsTest.testCompleteLastSent`, `testClearAll`, `testCheckIncrementThrottleTime`,
    /// `testTimedOutNodes`. Scenario: C12.
    #[test]
    fn requests_leave_at_both_ends_and_are_counted() {
        let now = SystemTime.now();
        let mut requests = InFlightRequests::new(5);
        for id in 0..3 {
            requests.add(request(id, 1, now));
        }
        requests.add(request(3, 2, now));
        assert_eq!((requests.count(), requests.count_of(NodeId(1))), (4, 3));
        let oldest = requests.complete_next(NodeId(1)).expect("three in flight");
        assert_eq!(oldest.correlation_id, 0);
        assert!(requests.complete_last_sent(NodeId(1)).is_none());
        requests.add(InFlightRequest {
            expects_response: false,
            ..request(4, 1, now)
        });
        let newest = requests.complete_last_sent(NodeId(1)).expect("no response");
        assert_eq!(newest.correlation_id, 4);
        let cleared = requests.clear_all(NodeId(1));
        let ids: Vec<_> = cleared.iter().map(|r| r.correlation_id).collect();
        assert_eq!(ids, [1, 2], "in the order of sending");
        assert_eq!((requests.count(), requests.count_of(NodeId(1))), (1, 0));
    }

    /// Scenario: C12 (throttle).
    #[test]
    fn a_pause_moves_the_deadlines_of_one_node() {
        let now = SystemTime.now();
        let mut requests = InFlightRequests::new(5);
        requests.add(request(0, 1, now));
        requests.add(request(1, 2, now));
        requests.increment_throttle_time(NodeId(1), SECOND);
        assert_eq!(requests.next_timeout(), Some(now + SECOND));
        let overdue = requests.nodes_with_timed_out_requests(now + SECOND);
        assert_eq!(overdue, [(NodeId(2), SECOND)]);
        requests.clear_all(NodeId(2));
        assert_eq!(requests.nodes_with_timed_out_requests(now + SECOND), []);
        assert_eq!(requests.next_timeout(), Some(now + SECOND * 2));
        requests.complete_next(NodeId(1));
        assert_eq!(requests.next_timeout(), None);
    }

    #[test]
    fn a_request_half_written_or_a_full_queue_lets_no_other_follow() {
        let now = SystemTime.now();
        let mut requests = InFlightRequests::new(2);
        assert!(requests.can_send_more(NodeId(1)));
        requests.add(InFlightRequest {
            is_written: false,
            ..request(0, 1, now)
        });
        assert!(!requests.can_send_more(NodeId(1)));
        requests.complete_last_sent(NodeId(1));
        assert!(requests.can_send_more(NodeId(1)));
        requests.add(request(1, 1, now));
        assert!(!requests.can_send_more(NodeId(1)));
    }
}
