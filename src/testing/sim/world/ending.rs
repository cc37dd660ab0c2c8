//! The end of a seed: faults stop, the work is finished, every partition is tried once more, and everything is closed.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: one per seed. Locks: none.

use crate::testing::sim::apps::FIRST_PROBE;
use crate::testing::sim::apps::transactions::End;
use crate::testing::sim::plan::{AppPlan, Op, Plan, ProducerPlan, RecordPlan};
use crate::testing::sim::queue::{Event, Micros, ms, secs};
use crate::testing::sim::situations::Situation;
use crate::testing::sim::world::{Phase, World};

impl World<'_> {
    /// Whether all is over; goes on to the next phase where one has ended.
    pub(super) fn is_over(&mut self) -> bool {
        match self.phase {
            Phase::Troubled => false,
            Phase::Healed => {
                if self.apps.are_done() {
                    self.probe();
                }
                false
            }
            Phase::Probing => {
                if self.apps.are_done() {
                    self.close();
                }
                false
            }
            Phase::Closing => {
                let is_closed =
                    self.producers.iter().all(|p| p.has_ended()) && self.apps.are_done();
                if is_closed && self.plan.has_transactions() {
                    self.settle_transactions();
                    return false;
                }
                is_closed
            }
            Phase::Deciding { until } => self.now() >= until,
        }
    }

    /// Every partition gets one more record from every producer that is open, and must take it (I19).
    fn probe(&mut self) {
        self.phase = Phase::Probing;
        let mut id = FIRST_PROBE;
        let now = self.now();
        for (number, producer) in self.plan.producers.iter().enumerate() {
            let in_transaction = producer.transactional.is_some();
            let mut ops = Vec::new();
            if !in_transaction {
                // What is left from before has its outcome first: a record that joins an old batch has only the rest of
                // that one's time, and one behind a batch that fails may have to fail with it.
                ops.push(Op::Flush);
            }
            ops.push(Op::Pause(settling(self.plan)));
            // A transaction may run out of time while it learns which connections have died in silence.
            let rounds = if in_transaction { ROUNDS } else { 1 };
            for _ in 0..rounds {
                ops.extend(probes(self.plan, in_transaction, &mut id));
            }
            let app = self.apps.add(AppPlan {
                producer: number,
                ops,
            });
            self.net.borrow_mut().queue.push(now, Event::App(app));
            if producer.idempotent {
                self.net.borrow_mut().mark(Situation::ProbeOfIdempotent);
            }
        }
    }

    fn close(&mut self) {
        self.phase = Phase::Closing;
        let now = self.now();
        for number in 0..self.producers.len() {
            let ops = vec![Op::Close(secs(300))];
            let app = self.apps.add(AppPlan {
                producer: number,
                ops,
            });
            self.net.borrow_mut().queue.push(now, Event::App(app));
        }
    }

    /// Coordinators abort what nobody has ended, and all markers are written.
    fn settle_transactions(&mut self) {
        let producers = self.plan.producers.iter();
        let timeouts = producers.filter_map(|p| p.transactional.as_ref().map(|t| t.timeout));
        let until = self.now() + timeouts.max().unwrap_or(0) + settling(self.plan);
        self.phase = Phase::Deciding { until };
        self.net.borrow_mut().queue.push(until, Event::Core);
    }

    /// A producer that has not failed for good commits after the faults.
    fn judge_last_transactions(&self, violations: &mut Vec<String>) {
        let transactions = &self.apps.transactions;
        for (number, plan) in self.plan.producers.iter().enumerate() {
            let mut own = transactions.all.iter().rev();
            let last = own.find(|t| t.producer == number && t.is_probe);
            let Some(last) = last.filter(|last| last.end != End::Committed) else {
                continue;
            };
            if is_patient(plan) && !transactions.failed.contains(&number) {
                let end = last.end;
                violations.push(format!(
                    "I19: producer {number} cannot commit after the faults: {end:?}"
                ));
            }
        }
    }

    /// What must hold once everything is closed.
    pub(super) fn judge_endings(&self, violations: &mut Vec<String>) {
        for producer in &self.producers {
            let number = producer.number;
            if !producer.has_ended() {
                violations.push(format!("I19: producer {number} does not end"));
                continue;
            }
            if let Some(failure) = producer.control.failure() {
                violations.push(format!("I20: producer {number} died: {failure}"));
            }
            let (available, total, queued) = producer.producer.memory();
            if available != total || queued > 0 {
                violations.push(format!(
                    "I9: producer {number} is closed with {available} of {total} bytes free, {queued} waiting"
                ));
            }
        }
        self.judge_last_transactions(violations);
        for sent in self.apps.journal.iter().filter(|sent| sent.is_probe) {
            let plan = &self.plan.producers[sent.producer];
            let outcome = sent.future.try_get();
            if let (true, Some(Err(error))) = (is_patient(plan), outcome) {
                if !error.is_fatal() && plan.transactional.is_none() {
                    violations.push(format!(
                        "I19: producer {number} cannot write to {topic}-{partition:?} after the faults: {error}",
                        number = sent.producer,
                        topic = sent.record.topic,
                        partition = sent.record.partition,
                    ));
                }
            }
        }
    }
}

fn probes(plan: &Plan, in_transaction: bool, id: &mut u64) -> Vec<Op> {
    let mut ops = Vec::new();
    if in_transaction {
        ops.push(Op::Begin);
    }
    // One missing partition would be the end of the whole transaction, and whoever makes a topic on demand has its own
    // idea of their number.
    let topics = plan.topics.iter().enumerate();
    for (topic, plan) in topics.filter(|(_, topic)| !in_transaction || !topic.made_on_demand) {
        for partition in 0..plan.partitions {
            *id += 1;
            ops.push(Op::Send(RecordPlan {
                id: *id,
                topic,
                partition: Some(partition),
                key: None,
                size: 20,
                headers: 0,
                timestamp: None,
            }));
        }
    }
    ops.push(if in_transaction {
        Op::Commit
    } else {
        Op::Flush
    });
    ops
}

/// Whether a producer has the time to write in spite of connections that died in silence, which a request that is lost
/// shows.
fn is_patient(plan: &ProducerPlan) -> bool {
    plan.delivery_timeout >= 3 * plan.request_timeout + secs(5)
        && plan.request_timeout >= ms(1000)
        && plan.setting("retries") == Some("2147483647")
}

/// After this time without faults everything must work: brokers are back in all ISRs, no request is handled late, and the
/// time of a patient producer, which is 20 s at least, outlasts an attempt to connect that vanished just before: 30 s and a
/// back-off.
fn settling(plan: &Plan) -> Micros {
    if plan.handles_late() {
        secs(41)
    } else {
        secs(15)
    }
}

/// The last of so many transactions must be committed.
const ROUNDS: usize = 4;
