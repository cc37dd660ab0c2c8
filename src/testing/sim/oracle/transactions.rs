//! Holds what the applications were told of their transactions against what readers of committed records see.
//!
//! Java: none.
//! Differs: knows the promises and nothing of how they are kept.
//! Threads: one per seed. Locks: none.

use crate::broker::broker_core::BrokerCore;
use crate::common::fast_hash::FastMap;
use crate::testing::sim::apps::Apps;
use crate::testing::sim::apps::transactions::{End, Transaction, group_of, offsets_topic};
use crate::testing::sim::oracle::record_id;
use crate::testing::sim::plan::Plan;
use crate::testing::sim::situations::{Situation, Situations};

/// Judges all transactions (I13, I14), and whether any is left open.
pub(super) fn judge(
    plan: &Plan,
    core: &BrokerCore,
    apps: &Apps,
    situations: &mut Situations,
) -> Vec<String> {
    let mut violations = left_open(plan, core);
    if apps.transactions.all.is_empty() {
        return violations;
    }
    let visible = visible(plan, core);
    for (number, transaction) in apps.transactions.all.iter().enumerate() {
        let seen = Seen {
            records: transaction
                .records
                .iter()
                .map(|entry| visible.get(&apps.journal[*entry].record.id))
                .map(|times| times.copied().unwrap_or(0))
                .collect(),
            offsets: offset_is_committed(plan, core, number),
        };
        if let Err(text) = outcome(transaction, &seen, situations) {
            violations.push(format!(
                "I13: transaction {number} of producer {}: {text}",
                transaction.producer
            ));
        }
        if transaction.end == End::Committed {
            violations.extend(refused_record(apps, number, transaction));
            violations.extend(fenced(plan, apps, number, transaction));
        }
    }
    violations
}

/// What a reader of committed records sees of a transaction.
struct Seen {
    /// How often each record.
    records: Vec<u32>,
    offsets: bool,
}

fn outcome(
    transaction: &Transaction,
    seen: &Seen,
    situations: &mut Situations,
) -> Result<(), String> {
    let all =
        seen.records.iter().all(|times| *times == 1) && (!transaction.offsets_sent || seen.offsets);
    let none = seen.records.iter().all(|times| *times == 0) && !seen.offsets;
    let (as_told, told) = match transaction.end {
        End::Committed => (all, "is committed"),
        End::Aborted => (none, "is aborted"),
        End::None => (none, "was never committed"),
        End::Unknown => (all || none, "may be committed"),
    };
    if !as_told {
        return Err(format!(
            "{told}, and readers see its records {:?} times, its offsets: {}",
            seen.records, seen.offsets
        ));
    }
    if transaction.end == End::Unknown && all != none {
        situations.mark(if all {
            Situation::TransactionUnknownVisible
        } else {
            Situation::TransactionUnknownInvisible
        });
    }
    Ok(())
}

/// A transaction that lacks a record cannot be committed.
fn refused_record(apps: &Apps, number: usize, transaction: &Transaction) -> Option<String> {
    let failed = |entry: &&usize| {
        let outcome = apps.journal[**entry].future.try_get();
        outcome.is_none_or(|outcome| outcome.is_err())
    };
    if transaction.is_refused {
        return Some(format!(
            "I13: transaction {number} is committed without a record that was refused"
        ));
    }
    let entry = transaction.records.iter().find(failed)?;
    let id = apps.journal[*entry].record.id;
    Some(format!(
        "I13: transaction {number} is committed, and record {id:x} failed"
    ))
}

/// An instance that was taken over before it began cannot have committed anything.
fn fenced(plan: &Plan, apps: &Apps, number: usize, transaction: &Transaction) -> Option<String> {
    if transaction.records.is_empty() && !transaction.offsets_sent {
        return None;
    }
    let own = transaction.producer;
    let id_of = |producer: usize| {
        plan.producers[producer]
            .transactional
            .as_ref()
            .map(|t| &t.id)
    };
    let (_, ready) = apps.transactions.inits.get(&own)?;
    let ready = (*ready)?;
    let mut others = apps.transactions.inits.iter();
    let newer = others.find(|(other, (begun, done))| {
        let is_over_before = done.is_some_and(|done| done < transaction.begun);
        id_of(**other) == id_of(own) && *begun > ready && is_over_before
    });
    let (newer, _) = newer?;
    Some(format!(
        "I14: producer {own} committed transaction {number} after producer {newer} had taken over"
    ))
}

/// How often readers of committed records see each record.
fn visible(plan: &Plan, core: &BrokerCore) -> FastMap<u64, u32> {
    let mut visible = FastMap::default();
    let topics = plan.topics.iter();
    let topics = topics.filter_map(|topic| core.topics.get(&topic.name));
    for replica in
        topics.flat_map(|topic| topic.partitions.iter().filter_map(|p| p.leader_replica()))
    {
        let transactions = replica.producers.transactions();
        let records = replica
            .log
            .records_where(replica.last_stable_offset(), |header| {
                !transactions.is_aborted(header.producer.producer_id, header.base_offset)
            });
        for record in records {
            *visible.entry(record_id(&record)).or_default() += 1;
        }
    }
    visible
}

fn offset_is_committed(plan: &Plan, core: &BrokerCore, transaction: usize) -> bool {
    let Some(topic) = offsets_topic(plan) else {
        return false;
    };
    let group = core.coordinators.groups.get(&group_of(transaction));
    group.is_some_and(|group| group.committed().contains_key(&(topic.to_owned(), 0)))
}

/// Every transaction is decided in the end, and nothing holds readers up.
fn left_open(plan: &Plan, core: &BrokerCore) -> Vec<String> {
    let transactions = core.coordinators.transactions.iter();
    let open = transactions.filter(|(_, metadata)| metadata.is_open() || metadata.is_preparing());
    let mut found: Vec<_> = open
        .map(|(id, metadata)| format!("I19: transaction of {id} stays {:?}", metadata.state))
        .collect();
    for topic in &plan.topics {
        let partitions = core.topics.get(&topic.name).into_iter();
        let partitions = partitions.flat_map(|topic| topic.partitions.iter());
        for (number, replica) in partitions.filter_map(|p| p.leader_replica()).enumerate() {
            let (stable, high) = (replica.last_stable_offset(), replica.high_watermark());
            if stable != high {
                found.push(format!(
                    "I13: readers of {}-{number} are held up at {stable} of {high}",
                    topic.name
                ));
            }
        }
    }
    found
}
