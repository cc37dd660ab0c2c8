//! Holds what the applications saw against what the brokers have.
//!
//! Java: none.
//! Differs: knows the promises and nothing of how they are kept; the numbers are those of the list of invariants.
//! Threads: one per seed. Locks: none.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use crate::broker::broker_core::BrokerCore;
use crate::common::cluster::Uuid;
use crate::common::error_kind::ErrorKind;
use crate::common::fast_hash::FastMap;
use crate::common::kafka_error::{KafkaError, Persisted};
use crate::producer::record_metadata::RecordMetadata;
use crate::record::default_record::Record;
use crate::testing::sim::apps::{Apps, Sent, headers_of, key_of, value_of};
use crate::testing::sim::observer::Observer;
use crate::testing::sim::plan::{Fault, Plan, TopicPlan};
use crate::testing::sim::queue::{Micros, ms};
use crate::testing::sim::situations::{Situation, Situations};

mod transactions;

/// Where a record is, by its id: topic, partition, offset.
type Places = FastMap<u64, Vec<Place>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    topic: usize,
    partition: i32,
    offset: i64,
}

/// What the brokers have at the end.
struct Logs {
    ids: Vec<Uuid>,
    records: BTreeMap<(usize, i32), Vec<Record>>,
    places: Places,
}

/// Judges one seed.
pub(super) fn judge(
    plan: &Plan,
    core: &BrokerCore,
    apps: &Apps,
    observer: &mut Observer,
) -> Vec<String> {
    let mut found = Vec::new();
    let violations = &mut found;
    let logs = Logs::read(plan, core, violations);
    let judge = Judge { plan, logs: &logs };
    for sent in &apps.journal {
        judge.remark(sent, &mut observer.situations);
        if let Err(text) = judge.outcome(sent) {
            let (id, producer) = (sent.record.id, sent.producer);
            violations.push(format!("{text} (record {id:x} of producer {producer})"));
        }
    }
    judge.strangers(apps, violations);
    judge.order(apps, violations, observer);
    let situations = &mut observer.situations;
    judge.handed_back(apps, violations);
    callbacks_in_order(plan, apps, violations);
    violations.extend(transactions::judge(plan, core, apps, situations));
    if plan.producers.len() == 3 {
        situations.mark(Situation::ThreeProducers);
    }
    let acknowledged = |sent: &Sent| sent.future.try_get().is_some_and(|o| o.is_ok());
    if plan.faults.len() >= 5 && apps.journal.iter().all(acknowledged) {
        situations.mark(Situation::OutcomeAllWell);
    }
    found
}

impl Logs {
    fn read(plan: &Plan, core: &BrokerCore, violations: &mut Vec<String>) -> Self {
        let mut records = BTreeMap::new();
        let mut places = Places::default();
        let id_of = |topic: &TopicPlan| core.topics.get(&topic.name).map(|found| found.id);
        let ids = plan
            .topics
            .iter()
            .map(|topic| id_of(topic).unwrap_or_default());
        for (number, topic) in plan.topics.iter().enumerate() {
            let Some(found) = core.topics.get(&topic.name) else {
                continue;
            };
            for (partition, state) in (0..).zip(&found.partitions) {
                let Some(replica) = state.leader_replica() else {
                    violations.push(format!("I19: nobody leads {}-{partition}", topic.name));
                    continue;
                };
                let log: Vec<Record> = replica.log.records().collect();
                let mut next = 0;
                for record in &log {
                    // The ends of transactions stand between the records.
                    let is_next =
                        record.offset == next || plan.has_transactions() && record.offset > next;
                    if !is_next {
                        let at = next;
                        violations.push(format!("offset {} stands at {at}", record.offset));
                    }
                    next = record.offset + 1;
                    let place = Place {
                        topic: number,
                        partition,
                        offset: record.offset,
                    };
                    places
                        .entry(record_id(record))
                        .or_insert_with(Vec::new)
                        .push(place);
                }
                records.insert((number, partition), log);
            }
        }
        Self {
            ids: ids.collect(),
            records,
            places,
        }
    }

    fn find(&self, id: u64) -> &[Place] {
        self.places.get(&id).map_or(&[], Vec::as_slice)
    }

    fn at(&self, place: &Place) -> Option<&Record> {
        let log = self.records.get(&(place.topic, place.partition))?;
        let at = log.binary_search_by_key(&place.offset, |record| record.offset);
        log.get(at.ok()?)
    }
}

fn record_id(record: &Record) -> u64 {
    let value = record.value.as_deref().unwrap_or_default();
    value.first_chunk().map_or(0, |id| u64::from_be_bytes(*id))
}

struct Judge<'a> {
    plan: &'a Plan,
    logs: &'a Logs,
}

impl Judge<'_> {
    /// One record: completed once, in time, and truly.
    fn outcome(&self, sent: &Sent) -> Result<(), String> {
        let Some(outcome) = sent.future.try_get() else {
            return Err("I1: has no outcome".to_owned());
        };
        match sent.told.times.load(Ordering::Relaxed) {
            1 => {}
            times => return Err(format!("I10: its callback was called {times} times")),
        }
        self.in_time(sent)?;
        let found = self.logs.find(sent.record.id);
        let producer = &self.plan.producers[sent.producer];
        if producer.idempotent && found.len() > 1 {
            return Err(format!(
                "I3: is in the log {} times: {found:?}",
                found.len()
            ));
        }
        for place in found {
            self.is_intact(sent, place)?;
        }
        match outcome {
            Ok(metadata) => self.acknowledged(sent, &metadata, found),
            Err(error) => self.failed(&error, found),
        }
    }

    fn in_time(&self, sent: &Sent) -> Result<(), String> {
        let took = sent.told.at.load(Ordering::Relaxed).saturating_sub(sent.at);
        let limit = self.plan.producers[sent.producer].delivery_timeout;
        let stalls = self
            .plan
            .faults
            .iter()
            .filter_map(|planned| match planned.fault {
                Fault::Stall { producer } if producer == sent.producer => Some(planned.lasts),
                _ => None,
            });
        let stalled: Micros = stalls.sum();
        if took > limit + stalled + TICK {
            return Err(format!("I1: its outcome took {took} us of {limit}"));
        }
        Ok(())
    }

    fn acknowledged(
        &self,
        sent: &Sent,
        metadata: &RecordMetadata,
        found: &[Place],
    ) -> Result<(), String> {
        let topic = &self.plan.topics[sent.record.topic].name;
        if metadata.topic() != topic {
            return Err(format!("I2: acknowledged in topic {}", metadata.topic()));
        }
        if sent
            .record
            .partition
            .is_some_and(|p| p != metadata.partition())
        {
            let partition = metadata.partition();
            return Err(format!("I2: acknowledged in partition {partition}"));
        }
        let acks = self.plan.producers[sent.producer].acks;
        if acks == 0 || acks == 1 && self.plan.leaders_change() {
            // Only the leader had to have it, and that leader may be gone.
            return Ok(());
        }
        let here = |place: &&Place| place.partition == metadata.partition();
        if !metadata.has_offset() {
            let there = found.iter().any(|place| here(&place));
            return there
                .then_some(())
                .ok_or_else(|| format!("I2: acknowledged, but is in {found:?}"));
        }
        let exact = |place: &&Place| here(place) && place.offset == metadata.offset();
        let Some(place) = found.iter().find(exact) else {
            return Err(format!(
                "I2: acknowledged as {metadata}, but is in {found:?}"
            ));
        };
        let timestamp = self.logs.at(place).map(|record| record.timestamp);
        if timestamp != Some(metadata.timestamp()) {
            let told = metadata.timestamp();
            return Err(format!("I2: its timestamp is {timestamp:?}, not {told}"));
        }
        Ok(())
    }

    fn failed(&self, error: &KafkaError, found: &[Place]) -> Result<(), String> {
        if error.persisted() == Persisted::No && !found.is_empty() {
            return Err(format!(
                "I5: said not to be written ({error}), but is in {found:?}"
            ));
        }
        Ok(())
    }

    fn is_intact(&self, sent: &Sent, place: &Place) -> Result<(), String> {
        let Some(record) = self.logs.at(place) else {
            return Err("the log changed".to_owned());
        };
        let wanted = &sent.record;
        if place.topic != wanted.topic {
            return Err(format!("I2: is in topic {}", place.topic));
        }
        if wanted.partition.is_some_and(|p| p != place.partition) {
            return Err(format!("I2: is in partition {}", place.partition));
        }
        let timestamp = wanted.timestamp.unwrap_or(sent.wall_clock_ms);
        let headers = headers_of(wanted);
        let same_headers = headers.len() == record.headers.len()
            && headers
                .iter()
                .zip(&record.headers)
                .all(|(a, b)| a.key() == b.key && a.value() == b.value.as_deref());
        let intact = record.value.as_deref() == Some(value_of(wanted).as_slice())
            && record.key.as_deref() == wanted.key.map(key_of).as_deref()
            && record.timestamp == timestamp
            && same_headers;
        intact
            .then_some(())
            .ok_or_else(|| format!("I2: is not in the log as it was sent: {record:?}, {timestamp}"))
    }

    /// What is remarkable about a record.
    fn remark(&self, sent: &Sent, situations: &mut Situations) {
        let mut mark = |yes: bool, situation| {
            if yes {
                situations.mark(situation);
            }
        };
        let found = self.logs.find(sent.record.id);
        let producer = &self.plan.producers[sent.producer];
        let topic = &self.plan.topics[sent.record.topic];
        let took = sent.told.at.load(Ordering::Relaxed).saturating_sub(sent.at);
        let is_late = took > producer.delivery_timeout / 100 * 99;
        mark(is_late, Situation::OutcomeAtTheLimit);
        mark(found.len() > 1, Situation::OutcomeDuplicated);
        match sent.future.try_get() {
            None => {}
            Some(Ok(metadata)) => {
                let added = metadata.partition() >= topic.partitions;
                mark(
                    added && !topic.made_on_demand,
                    Situation::OutcomeInAddedPartition,
                );
                mark(topic.made_on_demand, Situation::OutcomeInMadeTopic);
                mark(
                    sent.record.timestamp.is_some(),
                    Situation::OutcomeWithOwnTimestamp,
                );
                mark(sent.record.headers > 0, Situation::OutcomeWithHeaders);
            }
            Some(Err(error)) => {
                let maybe = error.persisted() == Persisted::Maybe;
                let kind = error.kind();
                mark(maybe && found.is_empty(), Situation::OutcomeMaybeNotWritten);
                mark(maybe && !found.is_empty(), Situation::OutcomeMaybeWritten);
                let timeout = kind == ErrorKind::Timeout;
                mark(timeout && maybe, Situation::OutcomeTimeoutMaybe);
                mark(timeout && !maybe, Situation::OutcomeTimeoutNotWritten);
                let broken = matches!(kind, ErrorKind::Disconnect | ErrorKind::Network);
                mark(broken, Situation::OutcomeDisconnect);
                mark(
                    !maybe && error.broker_message().is_some() || kind == ErrorKind::InvalidRecord,
                    Situation::OutcomeRefused,
                );
                mark(
                    kind == ErrorKind::RecordTooLarge,
                    Situation::OutcomeTooLarge,
                );
                mark(kind.is_authorization(), Situation::OutcomeAuthorization);
                let sequence = matches!(
                    kind,
                    ErrorKind::OutOfOrderSequence
                        | ErrorKind::UnknownProducerId
                        | ErrorKind::InvalidProducerEpoch
                );
                mark(sequence, Situation::OutcomeSequence);
                mark(kind == ErrorKind::Kafka, Situation::OutcomeClosed);
                mark(error.is_fatal(), Situation::OutcomeFatal);
                mark(error.is_fatal() && sent.is_probe, Situation::ProbeOfFailed);
            }
        }
    }

    /// What a close hands back as not written is not there.
    fn handed_back(&self, apps: &Apps, violations: &mut Vec<String>) {
        let reports = apps
            .reports
            .iter()
            .filter_map(|(_, report)| report.as_ref().ok());
        for unsent in reports.flat_map(|report| report.unsent()) {
            let value = unsent.value.as_deref().unwrap_or_default();
            let id = value.first_chunk().map_or(0, |id| u64::from_be_bytes(*id));
            let found = self.logs.find(id);
            if unsent.persisted == Persisted::No && !found.is_empty() {
                violations.push(format!(
                    "I5: record {id:x} was handed back as not written, but is in {found:?}"
                ));
            }
        }
    }

    /// Nothing is in a log that nobody sent.
    fn strangers(&self, apps: &Apps, violations: &mut Vec<String>) {
        let known: FastMap<u64, ()> = apps.journal.iter().map(|s| (s.record.id, ())).collect();
        for id in self.logs.places.keys() {
            if !known.contains_key(id) {
                violations.push(format!("I5: record {id:x} was refused, but is in a log"));
            }
        }
    }

    /// The records of one thread stand in the order in which they were accepted.
    fn order(&self, apps: &Apps, violations: &mut Vec<String>, observer: &mut Observer) {
        let mut threads: BTreeMap<(usize, usize, i32), usize> = BTreeMap::new();
        let mut last: BTreeMap<(usize, usize, i32), (i64, u64)> = BTreeMap::new();
        for sent in &apps.journal {
            let producer = &self.plan.producers[sent.producer];
            // Without numbers a late copy of a record that was given up may come after its successors.
            let counts = producer.idempotent || sent.future.try_get().is_some_and(|o| o.is_ok());
            let Some(place) = self.logs.find(sent.record.id).iter().min() else {
                continue;
            };
            let place_of = (sent.producer, place.topic, place.partition);
            if *threads.entry(place_of).or_insert(sent.app) != sent.app {
                observer.situations.mark(Situation::TwoThreadsOnePartition);
            }
            // Who waits for no answer cannot know whether what an older connection took has arrived, or is handled yet.
            let may_overtake = producer.acks == 0
                && observer.changed_connections(
                    sent.producer,
                    (
                        &self.plan.topics[place.topic].name,
                        self.logs.ids[place.topic],
                    ),
                    place.partition,
                );
            if !producer.ordered || !counts || may_overtake {
                continue;
            }
            let before = last.insert(
                (sent.app, place.topic, place.partition),
                (place.offset, sent.record.id),
            );
            if let Some((offset, id)) = before.filter(|(offset, _)| *offset > place.offset) {
                violations.push(format!(
                    "I4: record {:x} stands at {place:?}, and {id:x}, sent before it, at {offset}",
                    sent.record.id
                ));
            }
        }
    }
}

/// The callbacks of one partition come in its order, one producer at a time.
fn callbacks_in_order(plan: &Plan, apps: &Apps, violations: &mut Vec<String>) {
    let mut by_place: BTreeMap<(usize, usize, i32), Vec<(i64, u64)>> = BTreeMap::new();
    for sent in &apps.journal {
        let Some(Ok(metadata)) = sent.future.try_get() else {
            continue;
        };
        if metadata.has_offset() && plan.producers[sent.producer].idempotent {
            let number = sent.told.number.load(Ordering::Relaxed);
            let place = (sent.producer, sent.record.topic, metadata.partition());
            let calls = by_place.entry(place).or_default();
            calls.push((metadata.offset(), number));
        }
    }
    for ((producer, topic, partition), mut calls) in by_place {
        calls.sort_unstable();
        if !calls.is_sorted_by_key(|(_, number)| *number) {
            violations.push(format!(
                "I10: callbacks of producer {producer} for {topic}-{partition} are out of order: {calls:?}"
            ));
        }
    }
}

/// What a timer may be late.
const TICK: Micros = ms(2);
