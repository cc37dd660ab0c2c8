//! Faults on demand: which requests shall go wrong, how, and how often.
//!
//! Java: none; Kafka's system tests break real machines instead.
//! Differs: a script of rules, each for an API, a broker, a topic or a partition, and for a number of requests.
//! Threads: plain data behind the core's lock. Locks: none.

use std::time::Duration;

use crate::common::cluster::NodeId;
use crate::common::error_kind::ErrorKind;
use crate::protocol::api_keys::ApiKeys;
use crate::protocol::requests::RequestBody;

/// A rule that makes requests go wrong.
///
/// ```
/// use std::time::Duration;
/// use ottla::embedded::{Api, Fault};
///
/// let lost_answer = Fault::on(Api::Produce).topic("orders").lose_response().times(2);
/// let slow = Fault::on(Api::Metadata).delay(Duration::from_millis(50));
/// # let _ = (lost_answer, slow);
/// ```
///
/// A rule without [`times`](Self::times) holds until it is cleared. Where several rules fit a request, the one that
/// was added first acts.
#[derive(Debug, Clone)]
#[must_use]
pub struct Fault {
    api: ApiKeys,
    broker: Option<NodeId>,
    topic: Option<String>,
    partition: Option<i32>,
    skip: u32,
    times: Option<u32>,
    action: Action,
}

/// A kind of request, by Kafka's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Api {
    /// Writes batches.
    Produce,
    /// Reads batches.
    Fetch,
    /// Asks for offsets by time.
    ListOffsets,
    /// Asks for brokers, topics and leaders.
    Metadata,
    /// Asks for a coordinator.
    FindCoordinator,
    /// Asks what the broker speaks.
    ApiVersions,
    /// Makes topics.
    CreateTopics,
    /// Asks for a producer id.
    InitProducerId,
    /// Adds partitions to a transaction.
    AddPartitionsToTxn,
    /// Adds a group to a transaction.
    AddOffsetsToTxn,
    /// Commits or aborts a transaction.
    EndTxn,
    /// Commits offsets within a transaction.
    TxnOffsetCommit,
    /// Asks for the offsets of a group.
    OffsetFetch,
}

impl Api {
    pub(crate) fn key(self) -> ApiKeys {
        match self {
            Api::Produce => ApiKeys::Produce,
            Api::Fetch => ApiKeys::Fetch,
            Api::ListOffsets => ApiKeys::ListOffsets,
            Api::Metadata => ApiKeys::Metadata,
            Api::FindCoordinator => ApiKeys::FindCoordinator,
            Api::ApiVersions => ApiKeys::ApiVersions,
            Api::CreateTopics => ApiKeys::CreateTopics,
            Api::InitProducerId => ApiKeys::InitProducerId,
            Api::AddPartitionsToTxn => ApiKeys::AddPartitionsToTxn,
            Api::AddOffsetsToTxn => ApiKeys::AddOffsetsToTxn,
            Api::EndTxn => ApiKeys::EndTxn,
            Api::TxnOffsetCommit => ApiKeys::TxnOffsetCommit,
            Api::OffsetFetch => ApiKeys::OffsetFetch,
        }
    }
}

/// What happens to a request that a rule fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    /// The connection closes before the broker looks at the request.
    DropConnection,
    /// The broker does what is asked, and closes the connection instead of answering.
    LoseResponse,
    /// The broker does what is asked and never answers; the connection stays open.
    Silence,
    /// The answer comes later.
    Delay(Duration),
    /// The broker does what is asked only later, whatever has become of the connection.
    Late(Duration),
    /// The broker does nothing and answers with an error.
    Error(ErrorKind),
}

impl Fault {
    /// A rule for the requests of one API. Without an action it drops the connection.
    pub fn on(api: Api) -> Self {
        Self {
            api: api.key(),
            broker: None,
            topic: None,
            partition: None,
            skip: 0,
            times: None,
            action: Action::DropConnection,
        }
    }

    /// Only at one broker.
    pub fn broker(self, id: i32) -> Self {
        Self {
            broker: Some(NodeId(id)),
            ..self
        }
    }

    /// Only for requests that name the topic. (Produce 13 and Fetch 13 name topics by id; the rule knows both.)
    pub fn topic(self, name: impl Into<String>) -> Self {
        Self {
            topic: Some(name.into()),
            ..self
        }
    }

    /// Only for requests that name the partition: Produce, AddPartitionsToTxn, TxnOffsetCommit.
    pub fn partition(self, partition: i32) -> Self {
        Self {
            partition: Some(partition),
            ..self
        }
    }

    /// Lets the first `requests` that fit pass.
    pub fn after(self, requests: u32) -> Self {
        Self {
            skip: requests,
            ..self
        }
    }

    /// Acts on this many requests, then never again.
    pub fn times(self, requests: u32) -> Self {
        Self {
            times: Some(requests),
            ..self
        }
    }

    /// Closes the connection instead of handling the request.
    pub fn drop_connection(self) -> Self {
        Self {
            action: Action::DropConnection,
            ..self
        }
    }

    /// Handles the request, then closes the connection instead of answering.
    pub fn lose_response(self) -> Self {
        Self {
            action: Action::LoseResponse,
            ..self
        }
    }

    /// Handles the request and never answers.
    pub fn never_answer(self) -> Self {
        Self {
            action: Action::Silence,
            ..self
        }
    }

    /// Answers later.
    pub fn delay(self, by: Duration) -> Self {
        Self {
            action: Action::Delay(by),
            ..self
        }
    }

    /// Handles the request later, as a broker does whose request queue is long: even where the client has given up and
    /// closed the connection meanwhile.
    pub fn handle_late(self, by: Duration) -> Self {
        Self {
            action: Action::Late(by),
            ..self
        }
    }

    /// Answers with a broker error, without doing what was asked. A kind that no broker error has means
    /// `UNKNOWN_SERVER_ERROR`.
    pub fn error(self, kind: ErrorKind) -> Self {
        Self {
            action: Action::Error(kind),
            ..self
        }
    }

    fn fits(&self, broker: NodeId, targets: &Targets) -> bool {
        self.api == targets.api
            && self.broker.is_none_or(|wanted| wanted == broker)
            && self
                .topic
                .as_ref()
                .is_none_or(|wanted| targets.has_topic(wanted))
            && self
                .partition
                .is_none_or(|wanted| targets.has_partition(self.topic.as_deref(), wanted))
    }
}

/// The rules in force.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Fault>,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.rules.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// What shall happen to a request; counts it against the rule that says so.
    pub(crate) fn strike(&mut self, broker: NodeId, targets: &Targets) -> Option<Action> {
        let mut struck = None;
        for rule in &mut self.rules {
            if !rule.fits(broker, targets) {
                continue;
            }
            if rule.skip > 0 {
                rule.skip -= 1;
                continue;
            }
            if let Some(left) = &mut rule.times {
                if *left == 0 {
                    continue;
                }
                *left -= 1;
            }
            struck = Some(rule.action);
            break;
        }
        self.rules.retain(|rule| rule.times != Some(0));
        struck
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

/// What a request is about, as far as rules can ask.
#[derive(Debug)]
pub(crate) struct Targets {
    api: ApiKeys,
    /// Topic names, each with the partitions that the request names.
    topics: Vec<(String, Vec<i32>)>,
}

impl Targets {
    /// Reads the targets of a request; `name_of` turns topic ids into names.
    pub(crate) fn of(
        body: &RequestBody,
        name_of: impl Fn(crate::common::cluster::Uuid) -> Option<String>,
    ) -> Self {
        let topics = match body {
            RequestBody::Produce(request) => request
                .topic_data
                .iter()
                .map(|topic| {
                    let name = name_of(topic.topic_id).unwrap_or_else(|| topic.name.to_string());
                    (
                        name,
                        topic
                            .partition_data
                            .iter()
                            .map(|partition| partition.index)
                            .collect(),
                    )
                })
                .collect(),
            RequestBody::Metadata(request) => {
                let topics = request.topics.iter().flatten();
                topics
                    .filter_map(|topic| topic.name.clone())
                    .map(|name| (name, Vec::new()))
                    .collect()
            }
            RequestBody::AddPartitionsToTxn(request) => request
                .v3_and_below_topics
                .iter()
                .map(|topic| (topic.name.clone(), topic.partitions.clone()))
                .collect(),
            RequestBody::TxnOffsetCommit(request) => request
                .topics
                .iter()
                .map(|topic| {
                    let partitions = topic.partitions.iter();
                    let indexes = partitions.map(|partition| partition.partition_index);
                    (topic.name.clone(), indexes.collect())
                })
                .collect(),
            RequestBody::CreateTopics(request) => request
                .topics
                .iter()
                .map(|topic| (topic.name.clone(), Vec::new()))
                .collect(),
            _ => Vec::new(),
        };
        Self {
            api: body.api_key(),
            topics,
        }
    }

    fn has_topic(&self, wanted: &str) -> bool {
        self.topics.iter().any(|(name, _)| name == wanted)
    }

    fn has_partition(&self, topic: Option<&str>, wanted: i32) -> bool {
        let of_topic = |name: &str| topic.is_none_or(|topic| topic == name);
        self.topics
            .iter()
            .any(|(name, partitions)| of_topic(name) && partitions.contains(&wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn produce_to(topic: &str, partition: i32) -> Targets {
        Targets {
            api: ApiKeys::Produce,
            topics: vec![(topic.to_owned(), vec![partition])],
        }
    }

    #[test]
    fn a_rule_acts_as_often_as_it_says_after_what_it_lets_pass() {
        let mut faults = Faults::default();
        faults.add(Fault::on(Api::Produce).after(1).times(2).lose_response());
        let struck: Vec<_> = (0..5)
            .map(|_| faults.strike(NodeId(1), &produce_to("t", 0)))
            .collect();
        assert_eq!(
            struck,
            [
                None,
                Some(Action::LoseResponse),
                Some(Action::LoseResponse),
                None,
                None
            ]
        );
        assert!(faults.is_empty());
    }

    #[test]
    fn a_rule_for_a_broker_topic_and_partition_leaves_the_others_alone() {
        let mut faults = Faults::default();
        faults.add(Fault::on(Api::Produce).broker(1).topic("t").partition(3));
        assert_eq!(faults.strike(NodeId(2), &produce_to("t", 3)), None);
        assert_eq!(faults.strike(NodeId(1), &produce_to("u", 3)), None);
        assert_eq!(faults.strike(NodeId(1), &produce_to("t", 2)), None);
        assert_eq!(
            faults.strike(NodeId(1), &produce_to("t", 3)),
            Some(Action::DropConnection)
        );
    }
}
