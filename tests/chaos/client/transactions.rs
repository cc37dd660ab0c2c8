//! One transaction after the other; one of five is aborted on purpose. As `Transactions` in `Chaos.java`.

use std::fmt::Display;
use std::thread;
use std::time::Duration;

use ottla::{ConsumerGroupMetadata, ErrorKind, KafkaError, OffsetAndMetadata, TopicPartition};

use crate::{Producer, Records, Workload, now};

/// The transactions of one thread, with a producer of its own.
pub(crate) struct Transactions<'a> {
    work: &'a Workload,
    thread: u64,
    records: Records<'a>,
    id: String,
    producer: Option<Producer>,
    transaction: u64,
}

impl<'a> Transactions<'a> {
    pub(crate) fn new(work: &'a Workload, thread: u64) -> Self {
        Self {
            work,
            thread,
            records: Records::new(work, thread),
            id: format!("{}-{thread}", work.text("id", "")),
            producer: None,
            transaction: work.number("first", 0),
        }
    }

    pub(crate) fn run(&mut self) {
        let limit = self.transaction + self.work.number("transactions", u64::from(u32::MAX));
        while !self.work.is_over() && self.transaction < limit {
            let Some(producer) = self.producer.take().or_else(|| self.open()) else {
                thread::sleep(Duration::from_millis(200));
                continue;
            };
            self.transaction += 1;
            let outcome = self.one(&producer);
            match outcome.or_else(|error| self.recover(&producer, &error)) {
                Ok(()) => self.producer = Some(producer),
                Err(_) => self.give_up(&producer),
            }
        }
        if let Some(producer) = self.producer.take() {
            if let Err(error) = producer.close(Duration::from_secs(30)) {
                eprintln!("close: {error}");
            }
        }
    }

    fn open(&mut self) -> Option<Producer> {
        let producer = self.work.open(&[("transactional.id", &self.id)]);
        let producer = producer.expect("a producer");
        match producer.init_transactions() {
            Ok(()) => {
                self.note("i", "");
                Some(producer)
            }
            Err(error) => {
                self.note_error(&error);
                self.give_up(&producer);
                None
            }
        }
    }

    fn one(&mut self, producer: &Producer) -> Result<(), KafkaError> {
        producer.begin_transaction()?;
        self.note("b", "");
        for _ in 0..=self.records.random.below(self.work.number("batch", 10)) {
            self.records.send(producer, self.transaction)?;
        }
        let input = TopicPartition::new("input", 0);
        let offset = OffsetAndMetadata::new(i64::try_from(self.transaction).expect("small"));
        let group = ConsumerGroupMetadata::new(self.id.as_str());
        producer.send_offsets_to_transaction([(&input, &offset)], &group)?;
        if self.records.random.below(5) == 0 {
            return self.abort(producer);
        }
        self.note("c", "");
        for _ in 0..5 {
            match producer.commit_transaction() {
                Err(error) if error.kind() == ErrorKind::Timeout => self.note_error(&error),
                Err(error) => return Err(error),
                Ok(()) => {
                    self.note("k", "");
                    return Ok(());
                }
            }
        }
        producer.commit_transaction()?;
        self.note("k", "");
        Ok(())
    }

    /// Aborts where the error allows it.
    fn recover(&self, producer: &Producer, error: &KafkaError) -> Result<(), KafkaError> {
        self.note_error(error);
        if !error.is_abortable() {
            return Err(error.clone());
        }
        self.abort(producer).inspect_err(|e| self.note_error(e))
    }

    fn abort(&self, producer: &Producer) -> Result<(), KafkaError> {
        self.note("r", "");
        producer.abort_transaction()?;
        self.note("x", "");
        Ok(())
    }

    fn give_up(&self, producer: &Producer) {
        if let Err(error) = producer.close(Duration::ZERO) {
            eprintln!("close: {error}");
        }
        self.note("g", "");
    }

    fn note_error(&self, error: &KafkaError) {
        let text = error.message().replace(char::is_whitespace, "_");
        self.note("e", format!("{:?}:{text}", error.kind()));
    }

    fn note(&self, kind: &str, more: impl Display) {
        let journal = &self.work.journal;
        journal.note(&[&kind, &self.thread, &self.transaction, &now(), &more]);
    }
}
