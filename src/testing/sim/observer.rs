//! Watches the wires: what each producer sends, what it is answered, and whether it keeps the rules while it does so.
//!
//! Java: none.
//! Differs: knows the protocol and nothing of the client.
//! Threads: one per seed. Locks: none.

use std::collections::{BTreeMap, VecDeque};

use crate::common::cluster::{NodeId, Uuid};
use crate::common::fast_hash::FastMap;
use crate::common::payload::Payload;
use crate::network::network_send::NetworkSend;
use crate::protocol::api_keys::ApiKeys;
use crate::protocol::errors::Errors;
use crate::protocol::messages::produce::{ProduceRequest, ProduceResponse};
use crate::protocol::requests::{self, RequestBody, ResponseBody};
use crate::testing::sim::observer::words::describe;
use crate::testing::sim::queue::{ConnId, Micros};
use crate::testing::sim::situations::{Situation, Situations};
use crate::testing::sim::trace::{Trace, hash_of};

mod words;

/// What was seen on the wires of one seed.
#[derive(Debug, Default)]
pub(super) struct Observer {
    pub(super) situations: Situations,
    pub(super) violations: Vec<String>,
    pub(super) requests: u64,
    pub(super) produce_requests: u64,
    /// Requests without an answer, oldest first.
    waiting: FastMap<u64, VecDeque<Request>>,
    /// Every batch by the hash of its records, per producer and partition.
    batches: FastMap<u64, Batch>,
    /// The records that an identity stands for.
    identities: FastMap<u64, u64>,
    attempts: BTreeMap<(usize, NodeId), Attempts>,
    habits: BTreeMap<usize, Habits>,
    /// What was sent by those who wait for no answers.
    unanswered: Vec<Unanswered>,
    /// Where batches were written, to recognize those that are answered for a second time.
    written: FastMap<u64, ()>,
}

/// What one producer has done so far.
#[derive(Debug, Default)]
struct Habits {
    newest_epoch: i16,
    asked_for_metadata: Vec<NodeId>,
    asked_for_id: u32,
    asked_for_versions: Vec<ConnId>,
}

/// A connection, and who talks there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) producer: usize,
    pub(super) broker: NodeId,
    pub(super) conn: ConnId,
}

/// A request on its way or at a broker.
#[derive(Debug)]
struct Request {
    line: Line,
    correlation_id: i32,
    api: ApiKeys,
    version: i16,
    batches: Vec<Noted>,
}

/// Where a batch goes, as the request says it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    topic: String,
    topic_id: Uuid,
    partition: i32,
}

/// Where a producer sends without waiting for answers.
#[derive(Debug)]
struct Unanswered {
    producer: usize,
    place: Wanted,
    /// The first connection on which it did so.
    conn: ConnId,
    /// Whether it used another one after it.
    changed: bool,
}

/// A batch in a request.
#[derive(Debug, Clone)]
struct Noted {
    wanted: Wanted,
    key: u64,
    epoch: i16,
}

/// What became of one batch so far.
#[derive(Debug)]
struct Batch {
    identity: Identity,
    /// The hash of the identity and its partition.
    name: u64,
    /// Where it was sent last.
    line: Line,
    /// Attempts that may have been written.
    unknown: u32,
    sent: u32,
}

/// The first three must never change once the batch may have been written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Identity {
    producer_id: i64,
    epoch: i16,
    sequence: i32,
    topic_id: Uuid,
}

#[derive(Debug, Default)]
struct Attempts {
    second: Micros,
    count: u32,
}

impl Observer {
    pub(super) fn violation(&mut self, text: String) {
        self.violations.push(text);
    }

    /// Connection attempts to one broker must obey the backoff.
    pub(super) fn connection_attempt(&mut self, producer: usize, broker: NodeId, now: Micros) {
        let second = now / 1_000_000;
        let attempts = self.attempts.entry((producer, broker)).or_default();
        if attempts.second != second {
            *attempts = Attempts { second, count: 0 };
        }
        attempts.count += 1;
        if attempts.count == MOST_ATTEMPTS_A_SECOND {
            self.violation(format!(
                "I12: producer {producer} connects to broker {broker} for the {MOST_ATTEMPTS_A_SECOND}th time within a second"
            ));
        }
    }

    /// A producer hands over a frame.
    pub(super) fn sends(&mut self, line: Line, send: &NetworkSend, now: Micros, trace: &mut Trace) {
        let mut frame = Vec::with_capacity(send.remaining());
        for segment in send.segments() {
            frame.extend_from_slice(segment);
        }
        trace.number(line.conn as u64);
        trace.bytes(&frame);
        let size = frame.len();
        let body = Payload::new(frame).slice(4..size);
        let body = body.expect("a frame has a size prefix");
        let (header, body) = match requests::decode_request(&body) {
            Ok(decoded) => decoded,
            Err(error) => {
                self.violation(format!(
                    "producer {} sends nonsense: {error}",
                    line.producer
                ));
                return;
            }
        };
        self.requests += 1;
        trace.tell(now, || {
            format!(
                "p{} c{} sends {:?} v{} #{}{}",
                line.producer,
                line.conn,
                header.api,
                header.api_version,
                header.correlation_id,
                describe(&body)
            )
        });
        self.note_habits(line, header.api);
        let mut batches = Vec::new();
        let mut expects_answer = true;
        if let RequestBody::Produce(produce) = &body {
            expects_answer = produce.acks != 0;
            self.produce_requests += 1;
            batches = self.note_batches(line, produce);
            if !expects_answer {
                self.note_connections(line, produce);
            }
            self.note_request(line, produce, &batches);
        }
        if expects_answer {
            let request = Request {
                line,
                correlation_id: header.correlation_id,
                api: header.api,
                version: header.api_version,
                batches,
            };
            let waiting = self.waiting.entry(line.conn as u64).or_default();
            waiting.push_back(request);
            if waiting.iter().filter(|r| r.api == ApiKeys::Produce).count() >= 5 {
                self.situations.mark(Situation::FiveInFlight);
            }
        }
    }

    /// Whether any request has no answer yet.
    pub(super) fn somebody_waits(&self) -> bool {
        self.waiting.values().any(|requests| !requests.is_empty())
    }

    fn note_habits(&mut self, line: Line, api: ApiKeys) {
        let habits = self.habits.entry(line.producer).or_default();
        match api {
            ApiKeys::Metadata if !habits.asked_for_metadata.contains(&line.broker) => {
                habits.asked_for_metadata.push(line.broker);
                if habits.asked_for_metadata.len() == 2 {
                    self.situations.mark(Situation::MetadataFromAnother);
                }
            }
            ApiKeys::InitProducerId => {
                habits.asked_for_id += 1;
                if habits.asked_for_id == 2 {
                    self.situations.mark(Situation::ProducerIdAskedAgain);
                }
            }
            ApiKeys::ApiVersions if !habits.asked_for_versions.contains(&line.conn) => {
                habits.asked_for_versions.push(line.conn);
                if habits.asked_for_versions.len() == 2 {
                    self.situations.mark(Situation::VersionsAskedAgain);
                }
            }
            _ => {}
        }
    }

    /// What is remarkable about a Produce request.
    fn note_request(&mut self, line: Line, produce: &ProduceRequest, batches: &[Noted]) {
        let situations = &mut self.situations;
        match produce.acks {
            0 => situations.mark(Situation::WithoutAcks),
            1 => situations.mark(Situation::WithLeaderAcks),
            _ => {}
        }
        if batches.len() >= 3 {
            situations.mark(Situation::ManyPartitionsInOneRequest);
        }
        if produce.topic_data.len() >= 2 {
            situations.mark(Situation::ManyTopicsInOneRequest);
        }
        let requests = self.waiting.values().flatten();
        let others =
            requests.filter(|r| r.line.producer == line.producer && r.api == ApiKeys::Produce);
        for other in others {
            if other.line.broker != line.broker {
                situations.mark(Situation::TwoLeadersInFlight);
            }
            let epoch = |noted: &Noted| batches.iter().any(|own| own.epoch > noted.epoch);
            if other.batches.iter().any(epoch) {
                situations.mark(Situation::TwoEpochsInFlight);
            }
        }
    }

    fn note_batches(&mut self, line: Line, produce: &ProduceRequest) -> Vec<Noted> {
        let mut noted = Vec::new();
        for topic in &produce.topic_data {
            for data in &topic.partition_data {
                let Some(records) = &data.records else {
                    self.violation("a batch without records is sent".to_owned());
                    continue;
                };
                let bytes = records.contiguous();
                let place = hash_of(&(line.producer, &topic.name, topic.topic_id, data.index));
                let key = hash_of(bytes.get(RECORDS_AT..).unwrap_or_default()) ^ place;
                let identity = identity_of(&bytes, topic.topic_id);
                let name = hash_of(&(identity, &topic.name, data.index));
                self.note_contents(line, &bytes, identity);
                self.note_identity(&identity, (name, key), (line.producer, data.index));
                self.note_attempt(key, identity, (name, line));
                noted.push(Noted {
                    wanted: Wanted {
                        topic: topic.name.to_string(),
                        topic_id: topic.topic_id,
                        partition: data.index,
                    },
                    key,
                    epoch: identity.epoch,
                });
            }
        }
        noted
    }

    fn note_connections(&mut self, line: Line, produce: &ProduceRequest) {
        for topic in &produce.topic_data {
            for data in &topic.partition_data {
                let place = Wanted {
                    topic: topic.name.to_string(),
                    topic_id: topic.topic_id,
                    partition: data.index,
                };
                let mut known = self.unanswered.iter_mut();
                match known.find(|known| known.producer == line.producer && known.place == place) {
                    Some(known) => known.changed |= known.conn != line.conn,
                    None => self.unanswered.push(Unanswered {
                        producer: line.producer,
                        place,
                        conn: line.conn,
                        changed: false,
                    }),
                }
            }
        }
    }

    /// Whether a producer sent what it got no answers for to this partition on several connections.
    pub(super) fn changed_connections(
        &self,
        producer: usize,
        topic: (&str, Uuid),
        partition: i32,
    ) -> bool {
        // From some version on requests name topics by their ids only.
        self.unanswered.iter().any(|known| {
            known.changed
                && known.producer == producer
                && known.place.partition == partition
                && (known.place.topic == topic.0 || known.place.topic_id == topic.1)
        })
    }

    fn note_contents(&mut self, line: Line, batch: &[u8], identity: Identity) {
        let count = batch.get(57..).and_then(|b| b.first_chunk());
        if count.is_some_and(|count| i32::from_be_bytes(*count) >= 10) {
            self.situations.mark(Situation::ManyRecordsInOneBatch);
        }
        match batch.get(22).map(|attributes| attributes & 7) {
            Some(1) => self.situations.mark(Situation::CompressedGzip),
            Some(2) => self.situations.mark(Situation::CompressedSnappy),
            Some(3) => self.situations.mark(Situation::CompressedLz4),
            Some(4) => self.situations.mark(Situation::CompressedZstd),
            _ => {}
        }
        if identity.epoch >= 1 {
            self.situations.mark(Situation::SecondEpoch);
        }
        if identity.epoch >= 4 {
            self.situations.mark(Situation::FifthEpoch);
        }
        let habits = self.habits.entry(line.producer).or_default();
        habits.newest_epoch = habits.newest_epoch.max(identity.epoch);
    }

    /// One identity stands for one list of records, unless all of them were refused.
    fn note_identity(
        &mut self,
        identity: &Identity,
        (name, key): (u64, u64),
        (producer, partition): (usize, i32),
    ) {
        if identity.producer_id < 0 {
            return;
        }
        let known = *self.identities.entry(name).or_insert(key);
        if known != key {
            self.violation(format!(
                "S4: producer {producer} sends other records to partition {partition} under {identity:?}"
            ));
        }
    }

    fn note_attempt(&mut self, key: u64, identity: Identity, (name, line): (u64, Line)) {
        let fresh = Batch {
            identity,
            name,
            line,
            unknown: 0,
            sent: 0,
        };
        let batch = self.batches.entry(key).or_insert(fresh);
        batch.sent += 1;
        let (before, was_unknown, was_on) = (batch.identity, batch.unknown, batch.line);
        batch.identity = identity;
        batch.name = name;
        batch.line = line;
        batch.unknown += 1;
        let sent = batch.sent;
        let mut mark = |yes: bool, situation| {
            if yes {
                self.situations.mark(situation);
            }
        };
        mark(was_on.conn != line.conn, Situation::TwoConnectionsInTurn);
        mark(was_on.broker != line.broker, Situation::TwoBrokersInTurn);
        mark(sent == 3, Situation::SentThreeTimes);
        mark(sent == 10, Situation::SentTenTimes);
        let newest = self
            .habits
            .get(&line.producer)
            .map_or(0, |h| h.newest_epoch);
        let is_old = sent > 1 && identity.producer_id >= 0 && identity.epoch < newest;
        mark(is_old, Situation::RetriedUnderOldEpoch);
        if before != identity && before.producer_id >= 0 {
            mark(was_unknown == 0, Situation::RefusedThenRenumbered);
            if was_unknown > 0 {
                self.violation(format!(
                    "I7: a batch that may have been written as {before:?} is sent as {identity:?}"
                ));
            }
        }
    }

    /// A frame is handed to a producer.
    pub(super) fn answered(&mut self, conn: ConnId, frame: &Payload) {
        let Some(request) = self
            .waiting
            .get_mut(&(conn as u64))
            .and_then(VecDeque::pop_front)
        else {
            self.violation("a broker answers what nobody asked".to_owned());
            return;
        };
        if request.api != ApiKeys::Produce {
            return;
        }
        match requests::decode_response(frame, request.api, request.version) {
            Ok((header, ResponseBody::Produce(response))) => {
                if header.correlation_id != request.correlation_id {
                    self.violation("a broker answers out of order".to_owned());
                }
                self.note_answers(&request, &response);
            }
            other => self.violation(format!("a broker answers Produce with {other:?}")),
        }
    }

    fn note_answers(&mut self, request: &Request, response: &ProduceResponse) {
        for topic in &response.responses {
            for answer in &topic.partition_responses {
                let error = Errors::from_code(answer.error_code);
                if let Some(situation) = situation_of(error) {
                    self.situations.mark(situation);
                }
                if error == Errors::NotLeaderOrFollower && answer.current_leader.leader_id >= 0 {
                    self.situations.mark(Situation::AnswerNotLeaderWithLeader);
                }
                let same = |wanted: &Wanted| {
                    wanted.partition == answer.index
                        && wanted.topic == topic.name
                        && wanted.topic_id == topic.topic_id
                };
                let found = request.batches.iter().find(|noted| same(&noted.wanted));
                if let Some(batch) = found.and_then(|noted| self.batches.get_mut(&noted.key)) {
                    if error == Errors::None && batch.sent > 1 {
                        self.situations.mark(Situation::RetryIsAcknowledged);
                    }
                    if is_refusal(error) {
                        batch.unknown = batch.unknown.saturating_sub(1);
                        if error == Errors::MessageTooLarge {
                            // So it was at every attempt.
                            batch.unknown = 0;
                        }
                        if batch.unknown == 0 {
                            // Its numbers are free again: for its parts, where it was too large.
                            self.identities.remove(&batch.name);
                        }
                    }
                }
            }
        }
    }

    /// A connection is over for its client.
    pub(super) fn ended(&mut self, conn: ConnId) {
        let lost = self.waiting.remove(&(conn as u64)).unwrap_or_default();
        if !lost.is_empty() {
            self.situations.mark(Situation::ClosedWhileAwaiting);
        }
        if lost.len() >= 5 {
            self.situations.mark(Situation::ClosedWhileAwaitingMany);
        }
    }

    /// A broker says where it wrote batches, on a connection that its client gave up or not.
    pub(super) fn broker_answers(&mut self, response: &ProduceResponse, is_abandoned: bool) {
        for topic in &response.responses {
            for answer in &topic.partition_responses {
                if answer.error_code != 0 || answer.base_offset < 0 {
                    continue;
                }
                if is_abandoned {
                    self.situations.mark(Situation::LateRequestWritten);
                }
                let place = (
                    &topic.name,
                    topic.topic_id,
                    answer.index,
                    answer.base_offset,
                );
                let place = hash_of(&place);
                if self.written.insert(place, ()).is_some() {
                    self.situations.mark(Situation::DuplicateRecognized);
                }
            }
        }
    }
}

fn situation_of(error: Errors) -> Option<Situation> {
    Some(match error {
        Errors::NotLeaderOrFollower => Situation::AnswerNotLeader,
        Errors::LeaderNotAvailable => Situation::AnswerLeaderNotAvailable,
        Errors::UnknownTopicOrPartition => Situation::AnswerUnknownTopic,
        Errors::UnknownTopicId => Situation::AnswerUnknownTopicId,
        Errors::NotEnoughReplicas => Situation::AnswerNotEnoughReplicas,
        Errors::NotEnoughReplicasAfterAppend => Situation::AnswerNotEnoughReplicasAfter,
        Errors::RequestTimedOut => Situation::AnswerTimedOut,
        Errors::KafkaStorageError => Situation::AnswerStorage,
        Errors::CorruptMessage => Situation::AnswerCorrupt,
        Errors::InvalidRecord => Situation::AnswerInvalidRecord,
        Errors::TopicAuthorizationFailed => Situation::AnswerTopicAuthorization,
        Errors::ClusterAuthorizationFailed => Situation::AnswerClusterAuthorization,
        Errors::MessageTooLarge => Situation::AnswerTooLarge,
        Errors::InvalidTimestamp => Situation::AnswerInvalidTimestamp,
        Errors::UnknownServerError => Situation::AnswerUnknownServer,
        Errors::PolicyViolation => Situation::AnswerPolicy,
        Errors::OutOfOrderSequenceNumber => Situation::AnswerOutOfOrder,
        Errors::InvalidProducerEpoch => Situation::AnswerInvalidEpoch,
        Errors::UnknownProducerId => Situation::AnswerUnknownProducer,
        _ => return None,
    })
}

fn identity_of(batch: &[u8], topic_id: Uuid) -> Identity {
    let field = |at: usize| batch.get(at..).unwrap_or_default();
    Identity {
        producer_id: field(43)
            .first_chunk()
            .map_or(-1, |b| i64::from_be_bytes(*b)),
        epoch: field(51)
            .first_chunk()
            .map_or(-1, |b| i16::from_be_bytes(*b)),
        sequence: field(53)
            .first_chunk()
            .map_or(-1, |b| i32::from_be_bytes(*b)),
        topic_id,
    }
}

/// Answers which say for certain that nothing was written by this attempt.
fn is_refusal(error: Errors) -> bool {
    !matches!(
        error,
        Errors::None
            | Errors::RequestTimedOut
            | Errors::NotEnoughReplicasAfterAppend
            | Errors::UnknownServerError
            | Errors::NotLeaderOrFollower
            | Errors::NetworkException
            | Errors::KafkaStorageError
    )
}

/// Where the records begin in a batch of format 2; all before it may change between attempts.
const RECORDS_AT: usize = 61;
/// The shortest backoff that a seed draws is 10 ms, less the jitter; two nodes may stand for one broker.
const MOST_ATTEMPTS_A_SECOND: u32 = 260;
