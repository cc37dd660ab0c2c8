//! What the brokers decide: requests and the time go in, replies come out.
//!
//! Java: `core/server/KafkaRequestHandler.scala`, `server/purgatory/DelayedOperationPurgatory.java`.
//! Differs: one core for all brokers of the cluster, without sockets, clocks or threads, so that the same code runs
//! behind TCP and in virtual time.
//! Threads: plain data; the server keeps it behind one lock. Locks: none.

use std::time::{Duration, Instant};

use crate::broker::cluster::brokers::Life;
use crate::broker::cluster::topics::{TopicDefaults, Topics};
use crate::broker::coordinator::coordinators::{CoordinatorSettings, Coordinators};
use crate::broker::faults::{Action, Faults, Targets};
use crate::broker::handlers::DelayedProduce;
use crate::broker::kafka_apis::{self, Answer};
use crate::common::cluster::NodeId;
use crate::common::time::earlier;
use crate::protocol::api_keys::ApiKeys;
use crate::protocol::headers::RequestHeader;
use crate::protocol::requests::{RequestBody, ResponseBody};

mod cluster_events;

/// Which connection a request came on: a broker's, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId {
    pub(crate) broker: NodeId,
    pub(crate) number: i32,
}

/// A request and where it came from.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) connection: ConnectionId,
    pub(crate) header: RequestHeader,
    pub(crate) body: RequestBody,
}

/// What to do on a connection.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) connection: ConnectionId,
    pub(crate) header: RequestHeader,
    pub(crate) action: ReplyAction,
}

/// The three ways to end a request.
#[derive(Debug)]
pub(crate) enum ReplyAction {
    /// Answer it.
    Send(ResponseBody),
    /// Do not answer; the next request may come (acks=0, and a broker told to be silent).
    Nothing,
    /// Close the connection.
    Close,
}

/// Two clocks: deadlines go by the first, timestamps by the second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) monotonic: Instant,
    pub(crate) wall_clock_ms: i64,
}

/// All brokers of the cluster.
#[derive(Debug)]
pub(crate) struct BrokerCore {
    pub(crate) topics: Topics,
    pub(crate) faults: Faults,
    pub(crate) cluster_id: String,
    pub(crate) coordinators: Coordinators,
    parked: Vec<Parked>,
    /// How many requests were handled, by API; what tests ask for.
    handled: Vec<(ApiKeys, u64)>,
}

/// A request that is answered later.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "most are of the largest kind, and a box would only be one thing more"
)]
enum Parked {
    /// A fetch that waits for data, until its deadline.
    Fetch {
        request: Incoming,
        deadline: Instant,
    },
    /// A write that waits until enough replicas have it, until its deadline.
    Produce {
        request: Incoming,
        delayed: DelayedProduce,
        struck: Option<Action>,
        deadline: Instant,
    },
    /// A finished reply that a fault holds back.
    Reply { reply: Reply, due: Instant },
    /// A request that a fault keeps in the queue, also where its connection is gone.
    Late { request: Incoming, due: Instant },
    /// A request that came to a broker that stands still.
    Unread(Incoming),
}

impl Parked {
    fn connection(&self) -> ConnectionId {
        match self {
            Parked::Fetch { request, .. }
            | Parked::Produce { request, .. }
            | Parked::Late { request, .. }
            | Parked::Unread(request) => request.connection,
            Parked::Reply { reply, .. } => reply.connection,
        }
    }

    fn due(&self) -> Option<Instant> {
        match self {
            Parked::Fetch { deadline, .. } | Parked::Produce { deadline, .. } => Some(*deadline),
            Parked::Reply { due, .. } | Parked::Late { due, .. } => Some(*due),
            Parked::Unread(_) => None,
        }
    }
}

impl BrokerCore {
    pub(crate) fn new(defaults: TopicDefaults) -> Self {
        Self {
            topics: Topics::new(defaults),
            faults: Faults::default(),
            cluster_id: "ottla-embedded-cluster".to_owned(),
            coordinators: Coordinators::new(CoordinatorSettings::default()),
            parked: Vec::new(),
            handled: Vec::new(),
        }
    }

    /// Handles one request; appends the replies that are ready, which may answer earlier requests too.
    pub(crate) fn handle(&mut self, request: Incoming, now: Now, replies: &mut Vec<Reply>) {
        self.count(request.header.api);
        self.topics.poll(now.monotonic);
        self.coordinators.elect(&self.topics.alive(), now.monotonic);
        match self.topics.brokers().life(request.connection.broker) {
            Life::Running => self.begin(request, now, replies),
            Life::Frozen => self.parked.push(Parked::Unread(request)),
            // Its connections are gone, and so is the request.
            Life::Down => {}
        }
        self.poll(now, replies);
    }

    /// Does what has become due in the cluster, and appends the replies that this makes ready.
    pub(crate) fn poll(&mut self, now: Now, replies: &mut Vec<Reply>) {
        self.topics.poll(now.monotonic);
        self.coordinators.elect(&self.topics.alive(), now.monotonic);
        self.coordinators.poll(&mut self.topics, now);
        self.topics.replicate(now.monotonic);
        // A marker that all replicas have may complete its transaction.
        self.coordinators.poll(&mut self.topics, now);
        for parked in std::mem::take(&mut self.parked) {
            let broker = parked.connection().broker;
            if self.topics.brokers().is_running(broker) {
                self.look_at(parked, now, replies);
            } else {
                self.parked.push(parked);
            }
        }
    }

    /// When `poll` has something to do at the latest.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let brokers = self.topics.brokers();
        let awake = |parked: &&Parked| brokers.is_running(parked.connection().broker);
        let parked = self.parked.iter().filter(awake).filter_map(Parked::due);
        let cluster = earlier(
            self.topics.next_timeout(),
            self.coordinators.next_timeout(brokers),
        );
        earlier(parked.min(), cluster)
    }

    /// Forgets what waits for a connection that is gone. A request whose bytes are there is handled all the same: late, or
    /// when a frozen broker goes on.
    pub(crate) fn connection_closed(&mut self, connection: ConnectionId) {
        self.parked.retain(|parked| {
            let received = matches!(parked, Parked::Late { .. } | Parked::Unread(_));
            received || parked.connection() != connection
        });
    }

    /// How many requests of an API were handled so far.
    pub(crate) fn handled(&self, api: ApiKeys) -> u64 {
        self.handled
            .iter()
            .find(|(key, _)| *key == api)
            .map_or(0, |(_, count)| *count)
    }

    fn strike(&mut self, request: &Incoming) -> Option<Action> {
        if self.faults.is_empty() {
            return None;
        }
        let topics = &self.topics;
        let targets = Targets::of(&request.body, |id| topics.name_of(id).map(str::to_owned));
        self.faults.strike(request.connection.broker, &targets)
    }

    /// Begins a request at a broker that runs.
    fn begin(&mut self, request: Incoming, now: Now, replies: &mut Vec<Reply>) {
        let struck = self.strike(&request);
        match struck {
            Some(Action::DropConnection) => replies.push(close(&request)),
            Some(Action::Late(by)) => {
                let due = now.monotonic + by.min(LONGEST_WAIT);
                self.parked.push(Parked::Late { request, due });
            }
            // With acks=0 nobody waits for an answer, so the end of the connection has to tell.
            Some(Action::Error(_)) if is_without_answer(&request) => replies.push(close(&request)),
            Some(Action::Error(kind)) => {
                let action = ReplyAction::Send(kafka_apis::error_response(&request, kind));
                replies.push(reply(&request, action));
            }
            _ => self.answer(request, struck, now, replies),
        }
    }

    fn answer(
        &mut self,
        request: Incoming,
        struck: Option<Action>,
        now: Now,
        replies: &mut Vec<Reply>,
    ) {
        let action = match kafka_apis::handle(self, &request, now) {
            Answer::Now(body) => ReplyAction::Send(body),
            Answer::Nothing => ReplyAction::Nothing,
            Answer::Close => ReplyAction::Close,
            Answer::WhenData(max_wait) => {
                let deadline = now.monotonic + max_wait.min(LONGEST_WAIT);
                self.parked.push(Parked::Fetch { request, deadline });
                return;
            }
            Answer::WhenReplicated(delayed, patience) => {
                self.topics.replicate(now.monotonic);
                let waiting = Parked::Produce {
                    request,
                    delayed,
                    struck,
                    deadline: now.monotonic + patience.min(LONGEST_WAIT),
                };
                self.look_at(waiting, now, replies);
                return;
            }
        };
        self.finish(&request, struck, action, now, replies);
    }

    /// Answers what waits if it can be answered, and parks it again if not.
    fn look_at(&mut self, parked: Parked, now: Now, replies: &mut Vec<Reply>) {
        let in_time = parked.due().is_none_or(|due| due > now.monotonic);
        match parked {
            Parked::Unread(request) => self.begin(request, now, replies),
            Parked::Late { request, .. } if !in_time => self.answer(request, None, now, replies),
            Parked::Reply { reply, .. } if !in_time => replies.push(reply),
            Parked::Fetch { request, deadline } => {
                match kafka_apis::fetch_again(self, &request, in_time) {
                    Some(body) => replies.push(reply(&request, ReplyAction::Send(body))),
                    None => self.parked.push(Parked::Fetch { request, deadline }),
                }
            }
            Parked::Produce {
                request,
                mut delayed,
                struck,
                deadline,
            } => match delayed.try_complete(&self.topics, in_time) {
                Some(response) => {
                    let action = ReplyAction::Send(response.into());
                    self.finish(&request, struck, action, now, replies);
                }
                None => self.parked.push(Parked::Produce {
                    request,
                    delayed,
                    struck,
                    deadline,
                }),
            },
            waiting => self.parked.push(waiting),
        }
    }

    /// Sends an answer, or does with it what a fault says.
    fn finish(
        &mut self,
        request: &Incoming,
        struck: Option<Action>,
        action: ReplyAction,
        now: Now,
        replies: &mut Vec<Reply>,
    ) {
        match struck {
            Some(Action::LoseResponse) => replies.push(close(request)),
            Some(Action::Silence) => {}
            Some(Action::Delay(by)) => {
                let due = now.monotonic + by.min(LONGEST_WAIT);
                let reply = reply(request, action);
                self.parked.push(Parked::Reply { reply, due });
            }
            _ => replies.push(reply(request, action)),
        }
    }

    fn count(&mut self, api: ApiKeys) {
        match self.handled.iter_mut().find(|(key, _)| *key == api) {
            Some((_, count)) => *count += 1,
            None => self.handled.push((api, 1)),
        }
    }
}

fn reply(request: &Incoming, action: ReplyAction) -> Reply {
    Reply {
        connection: request.connection,
        header: request.header.clone(),
        action,
    }
}

fn is_without_answer(request: &Incoming) -> bool {
    matches!(&request.body, RequestBody::Produce(body) if body.acks == 0)
}

fn close(request: &Incoming) -> Reply {
    reply(request, ReplyAction::Close)
}

/// No client waits longer, and an `Instant` this far on always exists.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests;
