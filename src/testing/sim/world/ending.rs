//! The end of a seed: faults stop, the work is finished, every partition is tried once more, and everything is closed.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: one per seed. Locks: none.

use crate::testing::sim::apps::FIRST_PROBE;
use crate::testing::sim::plan::{AppPlan, Op, RecordPlan};
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
            Phase::Closing => self.producers.iter().all(|p| p.has_ended()) && self.apps.are_done(),
        }
    }

    /// Every partition gets one more record from every producer that is open, and must take it (I19).
    fn probe(&mut self) {
        self.phase = Phase::Probing;
        let mut id = FIRST_PROBE;
        let now = self.now();
        for (number, producer) in self.plan.producers.iter().enumerate() {
            let mut ops = vec![Op::Pause(SETTLING)];
            for (topic, plan) in self.plan.topics.iter().enumerate() {
                for partition in 0..plan.partitions {
                    id += 1;
                    ops.push(Op::Send(RecordPlan {
                        id,
                        topic,
                        partition: Some(partition),
                        key: None,
                        size: 20,
                        headers: 0,
                        timestamp: None,
                    }));
                }
            }
            ops.push(Op::Flush);
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
        for sent in self.apps.journal.iter().filter(|sent| sent.is_probe) {
            let plan = &self.plan.producers[sent.producer];
            // A connection may have died in silence, which a request that is lost on it shows.
            let patient = plan.delivery_timeout >= 3 * plan.request_timeout + secs(5)
                && plan.request_timeout >= ms(1000)
                // Whoever begins again whenever metadata is not there at once never gets to write.
                && plan.setting("metadata.recovery.rebootstrap.trigger.ms") != Some("0");
            let outcome = sent.future.try_get();
            if let (true, Some(Err(error))) = (patient, outcome) {
                if !error.is_fatal() && plan.setting("retries") == Some("2147483647") {
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

/// After this time without faults everything must work.
const SETTLING: Micros = secs(40);
