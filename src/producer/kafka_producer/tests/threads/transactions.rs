//! Transactions of several threads: what they share is begun, committed, aborted, fenced and closed by any of them.

use std::collections::BTreeMap;

use shuttle::rand::{Rng, thread_rng};

use super::*;
use crate::testing::threads::model_coordinator::OFFSETS;
use crate::{ConsumerGroupMetadata, OffsetAndMetadata, TopicPartition};

/// A producer inside of a transaction, of either version.
fn begun(linger: &str) -> Model {
    let model = Model::transactional(linger);
    model.producer.init_transactions().unwrap();
    model.producer.begin_transaction().unwrap();
    model
}

impl Model {
    fn transactional(linger: &str) -> Self {
        let version = thread_rng().gen_range(1..=2);
        let settings = [
            ("enable.idempotence", "true"),
            ("transactional.id", "transfer"),
            ("linger.ms", linger),
        ];
        Self::start(&settings, true, version)
    }

    /// What readers of committed records see, sorted.
    fn committed(&self) -> Vec<Vec<u8>> {
        let committed = self.fates.committed.take();
        let mut committed: Vec<_> = committed.into_iter().map(|(_, name)| name).collect();
        committed.sort();
        committed
    }

    /// The records whose callbacks were told so far that they were written, or that they were not; sorted.
    fn outcomes_that_are(&self, written: bool) -> Vec<Vec<u8>> {
        let outcomes = self.outcomes.all().into_iter();
        let mut names: Vec<_> = outcomes.filter(|(_, ok)| *ok == written).collect();
        names.sort();
        names.into_iter().map(|(name, _)| name).collect()
    }

    /// Sends a record in a transaction of its own, and in another one where a record that was late for the last one was
    /// in the way. Returns the names of all that were accepted; the last one is committed.
    fn goes_on(&self) -> Vec<Vec<u8>> {
        let mut accepted = Vec::new();
        loop {
            let name = format!("z{}", accepted.len());
            match self.commits_alone(&name, &mut accepted) {
                Ok(()) => return accepted,
                Err(error) => assert!(error.is_abortable(), "{error}"),
            }
            self.producer.abort_transaction().unwrap();
        }
    }

    fn commits_alone(&self, name: &str, accepted: &mut Vec<Vec<u8>>) -> Result<(), KafkaError> {
        let own = self.threaded();
        self.producer.begin_transaction()?;
        drop(own.send(1, name)?);
        accepted.push(name.as_bytes().to_vec());
        self.producer.commit_transaction()
    }
}

fn is_misuse(error: &KafkaError) -> bool {
    error.kind() == ErrorKind::IllegalState && !error.is_fatal()
}

#[test]
fn a_commit_has_all_that_threads_sent_before() {
    explore("transaction: commit", Deadlines::NeverPass, || {
        let model = begun("60000");
        let threads = [("a1", 0), ("b1", 0), ("c1", 1)]
            .map(|(name, at)| model.spawn(move |own| drop(own.send(at, name).unwrap())));
        threads.into_iter().for_each(|t| t.join().unwrap());
        model.producer.commit_transaction().unwrap();
        assert_eq!(model.outcomes.len(), 3, "every callback has run");
        assert_eq!(model.committed(), names(&["a1", "b1", "c1"]));
        assert_eq!(model.goes_on(), names(&["z0"]));
        assert_eq!(model.committed(), names(&["z0"]));
        assert_eq!(model.time.elapsed(), Duration::ZERO, "nobody lingered");
        model.end();
        model.assert_complete(&names(&["a1", "b1", "c1", "z0"]));
        assert_eq!(model.fates.ends.take(), [true, true]);
    });
}

#[test]
fn a_record_may_be_waited_for_inside_a_transaction() {
    explore("transaction: get", Deadlines::NeverPass, || {
        let model = begun("0");
        let waits = model.spawn(|own| drop(own.send(0, "a1").unwrap().get().unwrap()));
        let flushes = model.spawn(|own| {
            let sent = own.send(1, "b1").unwrap();
            own.producer.flush().unwrap();
            assert!(sent.is_done());
        });
        waits.join().unwrap();
        flushes.join().unwrap();
        model.producer.commit_transaction().unwrap();
        assert_eq!(model.committed(), names(&["a1", "b1"]));
        model.end();
        model.assert_complete(&names(&["a1", "b1"]));
    });
}

#[test]
fn records_and_offsets_of_two_threads_are_committed_together() {
    explore("transaction: offsets", Deadlines::NeverPass, || {
        let model = begun("0");
        let sends = model.spawn(|own| drop(own.send(0, "a1").unwrap()));
        let commits_offsets = model.spawn(|own| {
            let at = BTreeMap::from([(TopicPartition::new("input", 0), OffsetAndMetadata::new(7))]);
            let group = ConsumerGroupMetadata::new("group");
            own.producer
                .send_offsets_to_transaction(&at, &group)
                .unwrap();
        });
        sends.join().unwrap();
        commits_offsets.join().unwrap();
        model.producer.commit_transaction().unwrap();
        assert_eq!(
            model.committed(),
            [b"a1".to_vec(), OFFSETS.1.to_vec()].to_vec()
        );
        model.end();
        model.assert_complete(&names(&["a1"]));
    });
}

#[test]
fn a_record_that_meets_a_commit_is_committed_or_fails() {
    explore("transaction: late record", Deadlines::NeverPass, || {
        let model = begun("0");
        let sends = model.spawn(|own| own.send(0, "a1").ok().map(|_| "a1"));
        model.producer.commit_transaction().unwrap();
        let mut accepted = names(sends.join().unwrap().as_slice());
        let others = model.goes_on();
        model.end();
        let was_in_time = model.outcomes_that_are(true).contains(&b"a1".to_vec());
        let mut expected = names(if was_in_time { &["a1"] } else { &[] });
        expected.extend(others.last().cloned());
        assert_eq!(model.committed(), expected);
        accepted.extend(others);
        model.assert_complete(&accepted);
    });
}

#[test]
fn records_that_meet_an_abort_are_never_seen() {
    explore("transaction: abort", Deadlines::NeverPass, || {
        let model = begun("0");
        let sends = model.spawn(|own| {
            let accepted = ["a1", "a2"].map(|name| own.send(0, name).ok().map(|_| name));
            accepted.into_iter().flatten().collect::<Vec<_>>()
        });
        model.producer.abort_transaction().unwrap();
        let mut accepted = names(&sends.join().unwrap());
        accepted.extend(model.goes_on());
        assert_eq!(model.committed(), accepted[accepted.len() - 1..]);
        model.end();
        model.assert_complete(&accepted);
    });
}

#[test]
fn of_two_threads_that_begin_one_has_begun() {
    explore("transaction: begin twice", Deadlines::NeverPass, || {
        let model = Model::transactional("0");
        let inits = model.spawn(|own| own.producer.init_transactions().is_ok());
        let first = model.producer.init_transactions();
        let both = [inits.join().unwrap(), first.is_ok()];
        assert!(both.contains(&true), "{first:?}");
        let begins = [0, 1].map(|_| model.spawn(|own| own.producer.begin_transaction()));
        let begins = begins.map(|t| t.join().unwrap());
        assert_eq!(begins.iter().filter(|begun| begun.is_ok()).count(), 1);
        assert!(begins.iter().flat_map(|b| b.as_ref().err()).all(is_misuse));
        let sends = model.spawn(|own| drop(own.send(0, "a1").unwrap()));
        sends.join().unwrap();
        model.producer.commit_transaction().unwrap();
        assert_eq!(model.committed(), names(&["a1"]));
        model.end();
        model.assert_complete(&names(&["a1"]));
    });
}

#[test]
fn a_transaction_that_two_threads_end_ends_once() {
    explore("transaction: end twice", Deadlines::NeverPass, || {
        let model = begun("0");
        let sends = model.spawn(|own| drop(own.send(0, "a1").unwrap()));
        sends.join().unwrap();
        let commits = [0, 1].map(|_| model.spawn(|own| own.producer.commit_transaction()));
        let aborts = model.spawn(|own| own.producer.abort_transaction());
        let commits = commits.map(|t| t.join().unwrap());
        let aborted = aborts.join().unwrap();
        let committed = commits.iter().any(Result::is_ok);
        assert!(committed != aborted.is_ok(), "{commits:?} {aborted:?}");
        let refused = commits.iter().chain([&aborted]);
        assert!(refused.flat_map(|r| r.as_ref().err()).all(is_misuse));
        let expected: &[&str] = if committed { &["a1"] } else { &[] };
        assert_eq!(model.committed(), names(expected));
        let ends = model.fates.ends.take();
        assert!(ends.iter().all(|end| *end == committed) && ends.len() <= 1);
        model.end();
        model.assert_complete(&names(&["a1"]));
    });
}

#[test]
fn a_close_aborts_what_nobody_committed() {
    explore("transaction: close", Deadlines::NeverPass, || {
        let model = begun("0");
        let threads = [("a1", 0), ("b1", 1)].map(|(name, at)| {
            model.spawn(move |own| {
                let sent = own.send(at, name).ok()?;
                let _ = sent.get();
                Some(name)
            })
        });
        let report = model.producer.close(SECONDS_30).unwrap();
        assert!(report.is_complete());
        let accepted = threads.map(|t| t.join().unwrap()).into_iter().flatten();
        let accepted: Vec<_> = accepted.collect();
        assert!(model.committed().is_empty());
        let ends = model.fates.ends.take();
        let is_begun = !model.outcomes_that_are(true).is_empty();
        assert!(
            ends == [false] || (!is_begun && ends.is_empty()),
            "{ends:?}"
        );
        model.assert_complete(&names(&accepted));
    });
}

#[test]
fn a_commit_that_meets_a_close_has_one_outcome() {
    explore("transaction: close, commit", Deadlines::NeverPass, || {
        let model = begun("0");
        let commits = model.spawn(|own| {
            drop(own.send(0, "a1").ok()?);
            Some(own.producer.commit_transaction())
        });
        let report = model.producer.close(SECONDS_30).unwrap();
        assert!(report.is_complete());
        let commit = commits.join().unwrap();
        let accepted: &[&str] = if commit.is_some() { &["a1"] } else { &[] };
        let is_ok = commit.is_some_and(|commit| commit.is_ok());
        let committed: &[&str] = if is_ok { &["a1"] } else { &[] };
        assert_eq!(model.committed(), names(committed));
        model.assert_complete(&names(accepted));
    });
}

#[test]
fn whoever_waits_hears_that_a_newer_producer_took_over() {
    explore("transaction: fenced", Deadlines::NeverPass, || {
        let model = begun("0");
        let waits = model.spawn(|own| own.send(0, "a1").map(|sent| sent.get().is_ok()));
        let fences = {
            let fates = Arc::clone(&model.fates);
            thread::spawn(move || fates.fence())
        };
        let commits = model.spawn(|own| own.producer.commit_transaction());
        let sent = waits.join().unwrap();
        let commit = commits.join().unwrap();
        fences.join().unwrap();
        // The next transaction fails in any case.
        let begun = model.producer.begin_transaction();
        let next = begun.and_then(|()| {
            drop(model.threaded().send(1, "b1")?);
            model.producer.commit_transaction()
        });
        if commit.is_ok() {
            assert!(next.is_err(), "fenced");
        }
        let committed = model.committed();
        let is_there = committed == names(&["a1"]);
        assert!(is_there || committed.is_empty());
        assert!(!is_there || commit.is_ok(), "{sent:?} {commit:?}");
        let _ = model.producer.close(SECONDS_30);
        let pool = model.accumulator.pool();
        assert_eq!(pool.available(), pool.total(), "memory is back");
    });
}

#[test]
fn a_commit_that_timed_out_is_repeated_and_counts_once() {
    explore("transaction: timeouts", Deadlines::MayPass, || {
        let model = Model::transactional("0");
        let again = |call: &dyn Fn() -> Result<(), KafkaError>| {
            loop {
                match call() {
                    Err(error) if error.kind() == ErrorKind::Timeout => {}
                    outcome => break outcome,
                }
            }
        };
        again(&|| model.producer.init_transactions()).unwrap();
        model.producer.begin_transaction().unwrap();
        let sends = model.spawn(|own| drop(own.send(0, "a1").unwrap()));
        sends.join().unwrap();
        let commit = again(&|| model.producer.commit_transaction());
        if let Err(error) = &commit {
            // So much time has passed that the record has expired.
            assert!(error.is_abortable(), "{error}");
            again(&|| model.producer.abort_transaction()).unwrap();
        }
        model.producer.begin_transaction().unwrap();
        let sends = model.spawn(|own| drop(own.send(0, "a2").unwrap()));
        sends.join().unwrap();
        again(&|| model.producer.abort_transaction()).unwrap();
        let committed: &[&str] = if commit.is_ok() { &["a1"] } else { &[] };
        assert_eq!(model.committed(), names(committed));
        model.end();
        model.assert_complete(&names(&["a1", "a2"]));
    });
}
