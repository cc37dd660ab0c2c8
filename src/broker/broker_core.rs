//! What the brokers decide: requests and the time go in, replies come out.
//!
//! Java: `core/server/KafkaRequestHandler.scala`, `server/purgatory/DelayedOperationPurgatory.java`.
//! Differs: one core for all brokers of the cluster, without sockets, clocks or threads, so that the same code runs
//! behind TCP and in virtual time.
//! Threads: plain data; the server keeps it behind one lock. Locks: none.

use std::time::{Duration, Instant};

use crate::broker::cluster::topics::{TopicDefaults, Topics};
use crate::broker::coordinator::coordinators::{CoordinatorSettings, Coordinators};
use crate::broker::faults::{Action, Faults, Targets};
use crate::broker::kafka_apis::{self, Answer};
use crate::common::cluster::NodeId;
use crate::protocol::api_keys::ApiKeys;
use crate::protocol::headers::RequestHeader;
use crate::protocol::requests::{RequestBody, ResponseBody};

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
enum Parked {
    /// A fetch that waits for data, until its deadline.
    Fetch {
        request: Incoming,
        deadline: Instant,
    },
    /// A finished reply that a fault holds back.
    Reply { reply: Reply, due: Instant },
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
        self.coordinators.elect(&self.topics.alive(), now.monotonic);
        let struck = self.strike(&request);
        match struck {
            Some(Action::DropConnection) => replies.push(close(&request)),
            Some(Action::Error(kind)) => {
                let action = ReplyAction::Send(kafka_apis::error_response(&request, kind));
                replies.push(reply(&request, action));
            }
            _ => self.answer(request, struck, now, replies),
        }
        self.poll(now, replies);
    }

    /// Does what has become due at the coordinators, and appends the replies that have: fetches with data or out of time, replies that were held back.
    pub(crate) fn poll(&mut self, now: Now, replies: &mut Vec<Reply>) {
        self.coordinators.elect(&self.topics.alive(), now.monotonic);
        self.coordinators.poll(&mut self.topics, now);
        let mut still_parked = Vec::new();
        for parked in std::mem::take(&mut self.parked) {
            match parked {
                Parked::Reply { reply, due } if due <= now.monotonic => replies.push(reply),
                Parked::Fetch { request, deadline } => {
                    let in_time = deadline > now.monotonic;
                    match kafka_apis::fetch_again(self, &request, in_time) {
                        Some(body) => replies.push(reply(&request, ReplyAction::Send(body))),
                        None => still_parked.push(Parked::Fetch { request, deadline }),
                    }
                }
                waiting => still_parked.push(waiting),
            }
        }
        self.parked = still_parked;
    }

    /// When `poll` has something to do at the latest.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        let due = |parked: &Parked| match parked {
            Parked::Fetch { deadline, .. } => *deadline,
            Parked::Reply { due, .. } => *due,
        };
        let parked = self.parked.iter().map(due);
        parked.chain(self.coordinators.next_timeout()).min()
    }

    /// Forgets what waits for a connection that is gone.
    pub(crate) fn connection_closed(&mut self, connection: ConnectionId) {
        self.parked.retain(|parked| match parked {
            Parked::Fetch { request, .. } => request.connection != connection,
            Parked::Reply { reply, .. } => reply.connection != connection,
        });
    }

    /// Forgets what waits at a broker that stops.
    pub(crate) fn broker_stopped(&mut self, broker: NodeId) {
        self.topics.broker_stopped(broker);
        self.parked.retain(|parked| match parked {
            Parked::Fetch { request, .. } => request.connection.broker != broker,
            Parked::Reply { reply, .. } => reply.connection.broker != broker,
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
        };
        match struck {
            Some(Action::LoseResponse) => replies.push(close(&request)),
            Some(Action::Silence) => {}
            Some(Action::Delay(by)) => {
                let due = now.monotonic + by.min(LONGEST_WAIT);
                self.parked.push(Parked::Reply {
                    reply: reply(&request, action),
                    due,
                });
            }
            _ => replies.push(reply(&request, action)),
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

fn close(request: &Incoming) -> Reply {
    reply(request, ReplyAction::Close)
}

/// No client waits longer, and an `Instant` this far on always exists.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests;
