//! The applications: modelled threads that send, wait, flush and close, and the journal of what they saw.
//!
//! Java: none.
//! Differs: exists for the simulator only.
//! Threads: one per seed. Locks: none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::KafkaError;
use crate::common::error_kind::ErrorKind;
use crate::common::header::Header;
use crate::common::header::Headers;
use crate::producer::internals::future_record_metadata::FutureRecordMetadata;
use crate::producer::kafka_producer::CloseReport;
use crate::producer::kafka_producer::stepped::{Flush, TransactionCall};
use crate::producer::producer_record::ProducerRecord;
use crate::testing::mock_time::MockTime;
use crate::testing::sim::apps::transactions::{Calling, Transactions};
use crate::testing::sim::network::Net;
use crate::testing::sim::plan::{AppPlan, Op, Plan, RecordPlan};
use crate::testing::sim::producers::SimProducer;
use crate::testing::sim::queue::{Event, Micros, micros, ms, secs};
use crate::testing::sim::situations::Situation;

pub(super) mod transactions;

/// All application threads, and what they saw.
pub(super) struct Apps {
    pub(super) apps: Vec<App>,
    pub(super) journal: Vec<Sent>,
    pub(super) transactions: Transactions,
    topics: Vec<String>,
    time: Arc<MockTime>,
    completions: Arc<AtomicU64>,
    pub(super) reports: Vec<(usize, Result<CloseReport, KafkaError>)>,
    /// Sends that were refused, by reason.
    pub(super) refused: Vec<(u64, ErrorKind)>,
}

/// One thread.
pub(super) struct App {
    pub(super) producer: usize,
    ops: std::vec::IntoIter<Op>,
    state: State,
    last_sent: Option<usize>,
}

enum State {
    Ready,
    Paused {
        until: Micros,
    },
    /// Tries again at that time, and not whenever something else happens to this thread.
    Sending {
        record: RecordPlan,
        since: Micros,
        again: Micros,
    },
    Getting {
        entry: usize,
    },
    Flushing {
        flush: Flush,
        deadline: Micros,
    },
    Calling(Calling),
    Closing {
        deadline: Micros,
    },
    Done,
}

/// A record that a producer accepted.
pub(super) struct Sent {
    pub(super) record: RecordPlan,
    pub(super) app: usize,
    pub(super) producer: usize,
    pub(super) at: Micros,
    pub(super) wall_clock_ms: i64,
    pub(super) future: FutureRecordMetadata,
    pub(super) told: Arc<Told>,
    /// Whether it was sent after the faults had ended.
    pub(super) is_probe: bool,
}

/// What a callback saw.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) times: AtomicU32,
    /// When it was called last, in microseconds.
    pub(super) at: AtomicU64,
    /// Which call of all it was.
    pub(super) number: AtomicU64,
}

/// What an application works with.
pub(super) struct Around<'a> {
    pub(super) net: &'a mut Net,
    pub(super) plan: &'a Plan,
}

impl Apps {
    pub(super) fn new(plan: &Plan, time: &Arc<MockTime>) -> Self {
        let app = |app: &AppPlan| App {
            producer: app.producer,
            ops: app.ops.clone().into_iter(),
            state: State::Ready,
            last_sent: None,
        };
        Self {
            apps: plan.apps.iter().map(app).collect(),
            journal: Vec::new(),
            transactions: Transactions::default(),
            topics: plan.topics.iter().map(|t| t.name.clone()).collect(),
            time: Arc::clone(time),
            completions: Arc::default(),
            reports: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Adds a thread that does these things.
    pub(super) fn add(&mut self, plan: AppPlan) -> usize {
        self.apps.push(App {
            producer: plan.producer,
            ops: plan.ops.into_iter(),
            state: State::Ready,
            last_sent: None,
        });
        self.apps.len() - 1
    }

    pub(super) fn are_done(&self) -> bool {
        self.apps.iter().all(|app| matches!(app.state, State::Done))
    }

    /// What the threads do that are not done, in words.
    pub(super) fn describe(&self) -> String {
        let apps = self.apps.iter().enumerate();
        let busy = apps.filter_map(|(number, app)| {
            let what = match &app.state {
                State::Done => return None,
                State::Ready => "is ready".to_owned(),
                State::Paused { until } => format!("pauses until {until}"),
                State::Sending { record, since, .. } => {
                    format!("sends {:x} since {since}", record.id)
                }
                State::Getting { entry } => {
                    format!("waits for {:x}", self.journal[*entry].record.id)
                }
                State::Flushing { .. } => "flushes".to_owned(),
                State::Calling(calling) => calling.describe(),
                State::Closing { deadline } => format!("closes until {deadline}"),
            };
            Some(format!(
                "thread {number} of producer {} {what}",
                app.producer
            ))
        });
        busy.collect::<Vec<_>>().join(", ")
    }

    /// The threads that wait for something that this producer may have brought just now.
    pub(super) fn waiting_for(&self, producer: usize) -> Vec<usize> {
        let waits = |app: &App| {
            app.producer == producer
                && match &app.state {
                    State::Getting { entry } => self.journal[*entry].future.is_done(),
                    State::Flushing { .. } | State::Calling(_) | State::Closing { .. } => true,
                    _ => false,
                }
        };
        let apps = self.apps.iter().enumerate();
        apps.filter(|(_, app)| waits(app)).map(|(n, _)| n).collect()
    }

    /// One thread goes on until it waits.
    pub(super) fn run(&mut self, number: usize, producer: &SimProducer, around: &mut Around<'_>) {
        loop {
            let now = around.net.now();
            let state = std::mem::replace(&mut self.apps[number].state, State::Ready);
            let begins = matches!(state, State::Ready);
            let next = match state {
                State::Ready => match self.apps[number].ops.next() {
                    Some(op) => self.begin(number, op, producer, around),
                    None => State::Done,
                },
                State::Paused { until } if now >= until => State::Ready,
                State::Sending {
                    record,
                    since,
                    again,
                } if now >= again => self.send(number, record, since, producer, around),
                State::Getting { entry } if self.journal[entry].future.is_done() => State::Ready,
                State::Flushing {
                    mut flush,
                    deadline,
                } => self
                    .flush(number, &mut flush, deadline, around)
                    .unwrap_or(State::Flushing { flush, deadline }),
                State::Calling(calling) => self.go_on_calling(number, calling, producer, around),
                State::Closing { deadline } => self.close(deadline, producer, around),
                waiting => waiting,
            };
            let goes_on =
                matches!(next, State::Ready) || begins && matches!(next, State::Sending { .. });
            self.apps[number].state = next;
            if !goes_on {
                return;
            }
        }
    }

    fn begin(
        &mut self,
        number: usize,
        op: Op,
        producer: &SimProducer,
        around: &mut Around<'_>,
    ) -> State {
        let now = around.net.now();
        match op {
            Op::Send(record) => State::Sending {
                record,
                since: now,
                again: now,
            },
            Op::Get => match self.apps[number].last_sent {
                Some(entry) => self.get(number, entry, around),
                None => State::Ready,
            },
            Op::Flush | Op::FlushTimeout(_) => {
                let deadline = match op {
                    Op::FlushTimeout(limit) => now + limit,
                    _ => Micros::MAX,
                };
                if deadline != Micros::MAX {
                    around.net.queue.push(deadline, Event::App(number));
                }
                let mut flush = producer.producer.begin_flush();
                if flush.is_done() {
                    around.net.mark(Situation::FlushOfNothing);
                    return State::Ready;
                }
                State::Flushing { flush, deadline }
            }
            Op::Init => self.begin_call(number, TransactionCall::Init, producer, around),
            Op::Begin => self.begin_transaction(number, producer, around),
            Op::SendOffsets => self.send_offsets(number, producer, around),
            Op::Commit => self.begin_call(number, TransactionCall::Commit, producer, around),
            Op::Abort => self.begin_call(number, TransactionCall::Abort, producer, around),
            Op::Pause(time) => {
                around.net.queue.push(now + time, Event::App(number));
                State::Paused { until: now + time }
            }
            Op::Close(limit) => {
                if limit == 0 && !producer.producer.begin_flush().is_done() {
                    around.net.mark(Situation::CloseAtOnce);
                }
                producer.producer.begin_close();
                around.net.queue.push(now + limit, Event::App(number));
                State::Closing {
                    deadline: now + limit,
                }
            }
        }
    }

    /// Waits for a record, which ends its linger.
    fn get(&self, number: usize, entry: usize, around: &mut Around<'_>) -> State {
        let sent = &self.journal[entry];
        if sent.future.is_done() {
            around.net.mark(Situation::GetOfDone);
            return State::Ready;
        }
        let linger = around.plan.producers[self.apps[number].producer].linger;
        if around.net.now() + ms(20) < sent.at + linger {
            around.net.mark(Situation::GetEndsTheLinger);
        }
        let _ = sent.future.get_timeout(std::time::Duration::ZERO);
        State::Getting { entry }
    }

    fn send(
        &mut self,
        number: usize,
        record: RecordPlan,
        since: Micros,
        producer: &SimProducer,
        around: &mut Around<'_>,
    ) -> State {
        let now = around.net.now();
        let settings = &around.plan.producers[producer.number];
        let has_transactions = settings.transactional.is_some();
        let deadline = match record.id {
            FIRST_PROBE.. if has_transactions => since + PATIENCE_OF_PROBES,
            _ => since + settings.max_block,
        };
        // A record that is refused is the end of its transaction.
        let (topic, partition) = (&self.topics[record.topic], record.partition);
        if has_transactions
            && now < deadline
            && producer.producer.would_wait_for_metadata(topic, partition)
        {
            around.net.mark(Situation::SendWaitsForMetadata);
            return send_later(number, record, (since, deadline), around);
        }
        let told = Arc::new(Told::default());
        let made = self.make(&record);
        let sent = producer.producer.send_at_once(made, self.callback(&told));
        let future = match sent {
            Ok(future) => future,
            Err(error) => return self.not_sent(record, &error, has_transactions, around),
        };
        let refusal = future.try_get().and_then(Result::err).map(|e| e.kind());
        around.net.trace.tell(now, || {
            let id = record.id;
            format!("t{number} sends {id:x} to {topic}-{partition:?}: {refusal:?}")
        });
        let Some(refusal) = refusal else {
            self.accepted(number, record, future, told, around);
            return State::Ready;
        };
        // A refusal is known to the transaction, which must be aborted.
        self.transactions.refused(producer.number);
        let would_wait = matches!(refusal, ErrorKind::Timeout | ErrorKind::BufferExhausted);
        if would_wait && !has_transactions && now < deadline {
            around.net.mark(if refusal == ErrorKind::Timeout {
                Situation::SendWaitsForMetadata
            } else {
                Situation::SendWaitsForMemory
            });
            return send_later(number, record, (since, deadline), around);
        }
        if would_wait {
            around.net.mark(Situation::SendWaitedInVain);
        }
        if refusal == ErrorKind::RecordTooLarge {
            around.net.mark(Situation::SendTooLarge);
        }
        self.refused.push((record.id, refusal));
        State::Ready
    }

    /// The producer has failed or is closed.
    fn not_sent(
        &mut self,
        record: RecordPlan,
        error: &KafkaError,
        has_transactions: bool,
        around: &mut Around<'_>,
    ) -> State {
        self.refused.push((record.id, error.kind()));
        around.net.mark(if error.is_fatal() {
            Situation::SendAfterFailure
        } else {
            Situation::SendAfterClose
        });
        if error.kind() == ErrorKind::IllegalState && !has_transactions {
            State::Done
        } else {
            State::Ready
        }
    }

    fn accepted(
        &mut self,
        number: usize,
        record: RecordPlan,
        future: FutureRecordMetadata,
        told: Arc<Told>,
        around: &Around<'_>,
    ) {
        let now = around.net.now();
        self.apps[number].last_sent = Some(self.journal.len());
        self.transactions
            .accepted(self.apps[number].producer, self.journal.len());
        self.journal.push(Sent {
            record,
            app: number,
            producer: self.apps[number].producer,
            at: now,
            wall_clock_ms: WALL_CLOCK_START_MS + i64::try_from(now / 1000).unwrap_or(0),
            future,
            told,
            is_probe: record.id >= FIRST_PROBE,
        });
    }

    fn flush(
        &mut self,
        number: usize,
        flush: &mut Flush,
        deadline: Micros,
        around: &mut Around<'_>,
    ) -> Option<State> {
        let now = around.net.now();
        if flush.is_done() {
            around.net.mark(Situation::FlushCompletes);
            self.check_flushed(number, around);
            return Some(State::Ready);
        }
        if now >= deadline {
            around.net.mark(Situation::FlushTimesOut);
            return Some(State::Ready);
        }
        None
    }

    /// What this thread sent before is done when its flush returns, callbacks included (I10).
    fn check_flushed(&self, number: usize, around: &mut Around<'_>) {
        let open = |sent: &&Sent| {
            sent.app == number
                && (!sent.future.is_done() || sent.told.times.load(Ordering::Relaxed) == 0)
        };
        if let Some(open) = self.journal.iter().find(open) {
            let text = format!("I10: flush returned before record {:x}", open.record.id);
            around.net.observer.violation(text);
        }
    }

    fn close(
        &mut self,
        deadline: Micros,
        producer: &SimProducer,
        around: &mut Around<'_>,
    ) -> State {
        let now = around.net.now();
        let ended = producer.has_ended();
        if !ended && now < deadline {
            return State::Closing { deadline };
        }
        around.net.mark(if ended {
            Situation::CloseCompletes
        } else {
            Situation::CloseGivesUp
        });
        let report = producer.producer.close(std::time::Duration::ZERO);
        if let Ok(report) = &report {
            if !report.unsent().is_empty() {
                around.net.mark(Situation::CloseHandsBack);
            }
            if report.outcome_unknown() > 0 {
                around.net.mark(Situation::CloseHandsBackUnknown);
            }
        }
        self.reports.push((producer.number, report));
        State::Done
    }

    fn callback(
        &self,
        told: &Arc<Told>,
    ) -> Box<dyn FnOnce(Result<crate::RecordMetadata, KafkaError>) + Send> {
        let told = Arc::clone(told);
        let time = Arc::clone(&self.time);
        let completions = Arc::clone(&self.completions);
        Box::new(move |_| {
            told.times.fetch_add(1, Ordering::Relaxed);
            told.at.store(micros(time.elapsed()), Ordering::Relaxed);
            let number = completions.fetch_add(1, Ordering::Relaxed);
            told.number.store(number, Ordering::Relaxed);
        })
    }

    fn make(&self, record: &RecordPlan) -> ProducerRecord<'_, Vec<u8>, Vec<u8>> {
        let made = ProducerRecord::nullable(
            self.topics[record.topic].as_str(),
            record.key.map(key_of),
            Some(value_of(record)),
        );
        let made = match record.partition {
            Some(partition) => made.with_partition(partition),
            None => made,
        };
        let made = match record.timestamp {
            Some(timestamp) => made.with_timestamp(timestamp),
            None => made,
        };
        made.with_headers(headers_of(record))
    }
}

/// Tries again as often at first as memory comes back, and more rarely later.
fn send_later(
    number: usize,
    record: RecordPlan,
    (since, deadline): (Micros, Micros),
    around: &mut Around<'_>,
) -> State {
    let now = around.net.now();
    let patience = ((now - since) / 4).min(ms(200));
    let again = now + patience + around.net.rng.u64(ms(1)..ms(5));
    let again = again.min(deadline);
    around.net.queue.push(again, Event::App(number));
    State::Sending {
        record,
        since,
        again,
    }
}

pub(super) fn key_of(key: u8) -> Vec<u8> {
    format!("key{key}").into_bytes()
}

/// The id, and what the id says.
pub(super) fn value_of(record: &RecordPlan) -> Vec<u8> {
    let seed = record.id.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut period = [b'.'; PERIOD];
    for (n, byte) in (0..).zip(&mut period) {
        if n % 16 >= 12 {
            *byte = seed.rotate_left(n).to_le_bytes()[0];
        }
    }
    let size = record.size.max(8);
    let mut value = Vec::with_capacity(size);
    value.extend_from_slice(&record.id.to_be_bytes());
    while value.len() < size {
        let missing = size - value.len();
        value.extend_from_slice(&period[..missing.min(PERIOD)]);
    }
    value
}

/// After so many bytes a value says the same again.
const PERIOD: usize = 64;

pub(super) fn headers_of(record: &RecordPlan) -> Headers {
    let mut headers = Headers::default();
    for number in 0..record.headers {
        headers.add(Header::new(format!("h{number}"), vec![number; 3]));
    }
    headers
}

pub(super) const WALL_CLOCK_START_MS: i64 = 1_700_000_000_000;
pub(super) const FIRST_PROBE: u64 = 1 << 48;
/// Metadata may have been asked for on a connection that died in silence, and was idle before that.
const PATIENCE_OF_PROBES: Micros = secs(120);
