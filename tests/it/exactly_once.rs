//! What the default producer promises while things go wrong: nothing lost, nothing twice, nothing out of order.

use std::collections::BTreeMap;
use std::time::Duration;

use ottla::embedded::{Api, EmbeddedCluster, Fault};
use ottla::{
    ErrorKind, FutureRecordMetadata, KafkaError, KafkaProducer, Persisted, ProducerRecord,
};

const TOPIC: &str = "orders";
const PARTITIONS: i32 = 3;

/// What was sent, and what the log has to say about it.
struct Journal {
    cluster: EmbeddedCluster,
    producer: KafkaProducer<[u8], str>,
    sent: BTreeMap<i32, Vec<(String, FutureRecordMetadata)>>,
    count: usize,
}

/// How many records ended in which way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Verdict {
    acknowledged: usize,
    not_written: usize,
    maybe_written: usize,
    kinds: Vec<ErrorKind>,
}

impl Journal {
    fn new(more: &[(&str, &str)]) -> Self {
        let cluster = EmbeddedCluster::builder()
            .brokers(3)
            .topic(TOPIC, PARTITIONS)
            .start()
            .unwrap();
        let bootstrap = cluster.bootstrap_servers();
        let mut properties = vec![
            ("bootstrap.servers", bootstrap.as_str()),
            ("linger.ms", "0"),
            ("batch.size", "1000"),
            ("retry.backoff.ms", "5"),
            ("retry.backoff.max.ms", "20"),
            ("reconnect.backoff.ms", "5"),
            ("reconnect.backoff.max.ms", "20"),
            ("request.timeout.ms", "500"),
            ("delivery.timeout.ms", "20000"),
        ];
        properties.extend_from_slice(more);
        let producer = KafkaProducer::from_properties(properties).unwrap();
        Self {
            cluster,
            producer,
            sent: BTreeMap::new(),
            count: 0,
        }
    }

    fn send(&mut self, records: usize) {
        for _ in 0..records {
            let partition = self.count as i32 % PARTITIONS;
            let value = format!("{:06} {}", self.count, "x".repeat(60));
            let record = ProducerRecord::value_only(TOPIC, value.clone()).with_partition(partition);
            let future = self.producer.send(record).unwrap();
            self.sent
                .entry(partition)
                .or_default()
                .push((value, future));
            self.count += 1;
        }
    }

    /// Waits for all records and holds their outcomes against the log.
    fn check(&self) -> Verdict {
        self.producer.flush().unwrap();
        let mut verdict = Verdict::default();
        for (partition, sent) in &self.sent {
            self.check_partition(*partition, sent, &mut verdict);
        }
        verdict
    }

    fn check_partition(
        &self,
        partition: i32,
        sent: &[(String, FutureRecordMetadata)],
        verdict: &mut Verdict,
    ) {
        let log: Vec<String> = self
            .cluster
            .records(TOPIC, partition)
            .unwrap()
            .into_iter()
            .map(|record| String::from_utf8(record.value.unwrap()).unwrap())
            .collect();
        let in_order: Vec<_> = log.windows(2).filter(|pair| pair[0] >= pair[1]).collect();
        assert!(in_order.is_empty(), "twice or out of order: {in_order:?}");
        for (value, future) in sent {
            let at = log.binary_search(value).ok();
            match future.try_get().expect("flushed") {
                Ok(metadata) => {
                    assert!(at.is_some(), "lost: {value}");
                    if metadata.has_offset() {
                        assert_eq!(at.map(|at| at as i64), Some(metadata.offset()));
                    }
                    verdict.acknowledged += 1;
                }
                Err(error) => note_failure(&error, at, verdict),
            }
        }
    }
}

fn note_failure(error: &KafkaError, at: Option<usize>, verdict: &mut Verdict) {
    if !verdict.kinds.contains(&error.kind()) {
        verdict.kinds.push(error.kind());
    }
    match error.persisted() {
        Persisted::No => {
            assert_eq!(at, None, "written although the error says no: {error}");
            verdict.not_written += 1;
        }
        Persisted::Maybe => verdict.maybe_written += 1,
    }
}

fn all_acknowledged(records: usize) -> Verdict {
    Verdict {
        acknowledged: records,
        ..Verdict::default()
    }
}

#[test]
fn lost_answers_neither_lose_nor_duplicate() {
    let mut journal = Journal::new(&[]);
    for _ in 0..20 {
        journal
            .cluster
            .inject(Fault::on(Api::Produce).lose_response().times(2));
        journal.send(150);
    }
    assert_eq!(journal.check(), all_acknowledged(3000));
}

#[test]
fn lost_connections_and_passing_errors_change_nothing() {
    let mut journal = Journal::new(&[]);
    for round in 0..40 {
        let fault = Fault::on(Api::Produce);
        let fault = match round % 5 {
            0 => fault.drop_connection(),
            1 => fault.error(ErrorKind::NotEnoughReplicas),
            2 => fault.error(ErrorKind::LeaderNotAvailable),
            3 => fault.error(ErrorKind::NotLeaderOrFollower),
            _ => fault.delay(Duration::from_millis(20)),
        };
        journal.cluster.inject(fault.after(1).times(2));
        journal.send(90);
    }
    assert_eq!(journal.check(), all_acknowledged(3600));
}

#[test]
fn leaders_that_move_under_load_change_nothing() {
    let mut journal = Journal::new(&[]);
    for round in 0..60 {
        let leader = 1 + round % 3;
        journal
            .cluster
            .move_leader(TOPIC, round % PARTITIONS, leader)
            .unwrap();
        journal.send(60);
    }
    assert_eq!(journal.check(), all_acknowledged(3600));
}

#[test]
fn a_broker_that_stops_and_starts_under_load_changes_nothing() {
    let mut journal = Journal::new(&[]);
    for round in 0..6 {
        let broker = 1 + round % 3;
        journal.send(200);
        assert!(journal.cluster.stop_broker(broker));
        journal.send(200);
        journal.cluster.start_broker(broker).unwrap();
        journal.send(200);
    }
    assert_eq!(journal.check(), all_acknowledged(3600));
}

#[test]
fn a_broker_that_never_answers_costs_a_request_timeout() {
    let mut journal = Journal::new(&[]);
    journal.send(300);
    journal
        .cluster
        .inject(Fault::on(Api::Produce).never_answer().times(3));
    journal.send(300);
    assert_eq!(journal.check(), all_acknowledged(600));
}

#[test]
fn a_gap_in_the_numbers_starts_a_new_epoch_and_delivers_all() {
    let mut journal = Journal::new(&[]);
    journal.send(300);
    for _ in 0..10 {
        let gap = Fault::on(Api::Produce).error(ErrorKind::OutOfOrderSequence);
        journal.cluster.inject(gap.after(1).times(1));
        journal.send(150);
    }
    assert_eq!(journal.check(), all_acknowledged(1800));
}

#[test]
fn a_batch_refused_for_good_fails_alone() {
    let mut journal = Journal::new(&[]);
    journal.send(300);
    journal.producer.flush().unwrap();
    let refused = Fault::on(Api::Produce).error(ErrorKind::InvalidRecord);
    journal.cluster.inject(refused.times(1));
    journal.send(900);
    let verdict = journal.check();
    assert_eq!(verdict.maybe_written, 0);
    assert_eq!(verdict.kinds, [ErrorKind::InvalidRecord]);
    assert!(verdict.acknowledged >= 1000, "{verdict:?}");
}

#[test]
fn a_forgotten_producer_goes_on() {
    let mut journal = Journal::new(&[]);
    for _ in 0..5 {
        journal.send(150);
        journal.producer.flush().unwrap();
        assert!(journal.cluster.forget_producers(TOPIC, 0));
    }
    journal.send(150);
    assert_eq!(journal.check(), all_acknowledged(900));
}

#[test]
fn batches_that_are_too_large_are_delivered_in_parts() {
    let cluster = EmbeddedCluster::builder()
        .topic(TOPIC, 1)
        .max_message_bytes(2000)
        .start()
        .unwrap();
    let producer = KafkaProducer::<[u8], str>::from_properties([
        ("bootstrap.servers", cluster.bootstrap_servers().as_str()),
        ("linger.ms", "20"),
    ])
    .unwrap();
    let futures: Vec<_> = (0..500)
        .map(|n| {
            let value = format!("{n:04} {}", "x".repeat(95));
            producer
                .send(ProducerRecord::value_only(TOPIC, value))
                .unwrap()
        })
        .collect();
    producer.flush().unwrap();
    for (offset, future) in (0..).zip(&futures) {
        assert_eq!(future.try_get().unwrap().unwrap().offset(), offset);
    }
    assert_eq!(cluster.records(TOPIC, 0).unwrap().len(), 500);
}

#[test]
fn with_one_request_in_flight_a_plain_producer_keeps_the_order() {
    let mut journal = Journal::new(&[
        ("enable.idempotence", "false"),
        ("max.in.flight.requests.per.connection", "1"),
    ]);
    for round in 0..20 {
        let fault = Fault::on(Api::Produce);
        let fault = match round % 2 {
            0 => fault.drop_connection(),
            _ => fault.error(ErrorKind::NotEnoughReplicas),
        };
        journal.cluster.inject(fault.times(1));
        journal.send(90);
    }
    assert_eq!(journal.check(), all_acknowledged(1800));
}
