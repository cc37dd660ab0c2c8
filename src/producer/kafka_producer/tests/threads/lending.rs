//! Threads that wait for their records and do the I/O thread's work meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

#[test]
fn waiters_that_work_for_themselves_bring_each_record_once() {
    static TURNS: AtomicU64 = AtomicU64::new(0);
    explore("lend", Deadlines::NeverPass, || {
        let model = Model::new(&[("enable.idempotence", "true")]);
        let threads = [["a1", "a2", "a3"], ["b1", "b2", "b3"]].map(|names| {
            model.spawn(move |own| {
                let offsets = names.map(|name| own.send_and_get(0, name).unwrap().offset());
                assert!(offsets.is_sorted());
            })
        });
        threads.into_iter().for_each(|t| t.join().unwrap());
        model.end();
        TURNS.fetch_add(model.sender.turns(), Ordering::Relaxed);
        let all = names(&["a1", "a2", "a3", "b1", "b2", "b3"]);
        assert_eq!(model.assert_complete(&all), all);
    });
    assert_ne!(
        TURNS.load(Ordering::Relaxed),
        0,
        "no waiter ever had a turn"
    );
}

#[test]
fn what_nobody_waits_for_is_sent_while_the_io_thread_rests() {
    explore("lend, not awaited", Deadlines::MayPass, || {
        let model = Model::new(&[]);
        let waits = model.spawn(|own| {
            own.send_and_get(0, "a1").unwrap();
            own.send_and_get(0, "a2").unwrap();
        });
        let leaves = model.spawn(|own| {
            let record = ProducerRecord::new(TOPIC, *b"k", *b"b1").with_partition(1);
            let sent = own.producer.send(record).unwrap();
            while !sent.is_done() {
                thread::yield_now();
            }
            own.outcomes.add((b"b1".to_vec(), sent.get().is_ok()));
        });
        waits.join().unwrap();
        leaves.join().unwrap();
        model.end();
        let all = names(&["a1", "a2", "b1"]);
        assert_eq!(model.assert_complete(&all), all);
    });
}

#[test]
fn callbacks_run_on_the_io_thread_alone() {
    explore("lend, callbacks", Deadlines::NeverPass, || {
        let model = Model::new(&[]);
        let waits = model.spawn(|own| {
            own.send_and_get(0, "a1").unwrap();
            own.send_and_get(0, "a2").unwrap();
            own.send_and_get(0, "a3").unwrap();
        });
        let calls = model.spawn(|own| {
            let inner = Arc::clone(&own.producer.inner);
            let is_io_thread = move || assert!(inner.accumulator.is_io_thread());
            own.send_and(0, "b1", is_io_thread).unwrap().get().unwrap();
        });
        waits.join().unwrap();
        calls.join().unwrap();
        model.end();
        let all = names(&["a1", "a2", "a3", "b1"]);
        assert_eq!(model.assert_complete(&all), all);
    });
}

#[test]
fn a_close_ends_the_turn_of_a_waiter() {
    explore("lend, close", Deadlines::NeverPass, || {
        let model = Model::new(&[]);
        let waits = model.spawn(|own| {
            let taken = ["a1", "a2", "a3"].map(|name| {
                own.send_and_get(0, name)
                    .is_ok()
                    .then(|| name.as_bytes().to_vec())
            });
            taken.into_iter().flatten().collect::<Vec<_>>()
        });
        let closes = model.spawn(|own| own.producer.close(SECONDS_30).unwrap());
        assert!(closes.join().unwrap().is_complete());
        let taken = waits.join().unwrap();
        assert_eq!(model.assert_complete(&taken), taken);
    });
}

#[test]
fn a_waiter_whose_time_is_up_leaves_the_rest_to_the_io_thread() {
    explore("lend, timeout", Deadlines::MayPass, || {
        let model = Model::new(&[]);
        let threads = [(0, ["a1", "a2"]), (1, ["b1", "b2"])].map(|(partition, names)| {
            model.spawn(move |own| {
                for name in names {
                    let record = ProducerRecord::new(TOPIC, *b"k", name.as_bytes());
                    let sent = own.producer.send(record.with_partition(partition)).unwrap();
                    let first = sent.get_timeout(Duration::from_millis(1));
                    let outcome = first.or_else(|_| sent.get());
                    own.outcomes
                        .add((name.as_bytes().to_vec(), outcome.is_ok()));
                }
            })
        });
        threads.into_iter().for_each(|t| t.join().unwrap());
        model.end();
        let all = names(&["a1", "a2", "b1", "b2"]);
        assert_eq!(model.assert_complete(&all), all);
    });
}
