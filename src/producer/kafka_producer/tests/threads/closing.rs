//! The end, however it meets sends, callbacks and other ends.

use super::*;

#[test]
fn what_was_accepted_before_a_close_is_delivered() {
    explore("close", Deadlines::NeverPass, || {
        let model = Model::new(&[("linger.ms", "60000")]);
        let threads = [["a1", "a2"], ["b1", "b2"]].map(|names| {
            model.spawn(move |own| {
                let sent = names.map(|name| own.send(0, name).ok().map(|_| name));
                sent.into_iter().flatten().collect::<Vec<_>>()
            })
        });
        let closes = model.spawn(|own| own.producer.close(SECONDS_30).unwrap());
        let report = model.producer.close(SECONDS_30).unwrap();
        for report in [report, closes.join().unwrap()] {
            assert!(report.is_complete() && report.unsent().is_empty());
        }
        let accepted = names(&threads.map(|t| t.join().unwrap()).concat());
        let mut expected = accepted.clone();
        expected.sort();
        assert_eq!(model.assert_complete(&accepted), expected);
    });
}

/// As few steps as can be, so that schedules with several turns at bad moments are likely.
#[test]
fn a_record_is_accepted_and_delivered_or_refused_by_a_close() {
    explore("close, one record", Deadlines::NeverPass, || {
        let model = Model::new(&[]);
        let sends = model.spawn(|own| own.send(0, "a1").ok().map(|_| "a1"));
        let report = model.producer.close(SECONDS_30).unwrap();
        assert!(report.is_complete() && report.unsent().is_empty());
        let accepted = names(sends.join().unwrap().as_slice());
        assert_eq!(model.assert_complete(&accepted), accepted);
    });
}

#[test]
fn a_close_that_runs_out_of_time_gives_every_record_an_outcome() {
    explore("close, late", Deadlines::MayPass, || {
        let model = Model::new(&[("linger.ms", "60000")]);
        let threads = ["a1", "b1"].map(|name| {
            model.spawn(move |own| match own.send(0, name) {
                Ok(sent) => {
                    let _ = sent.get();
                    assert!(sent.is_done());
                    Some(name)
                }
                Err(_) => None,
            })
        });
        let report = model.producer.close(SECONDS_30).unwrap();
        let accepted: Vec<_> = threads
            .into_iter()
            .flat_map(|t| t.join().unwrap())
            .collect();
        assert!(report.unsent().len() <= accepted.len());
        model.end();
        model.assert_complete(&names(&accepted));
    });
}

#[test]
fn a_close_ends_waits_for_memory() {
    explore("close, exhaustion", Deadlines::NeverPass, || {
        let model = Model::new(&[
            ("buffer.memory", "512"),
            ("batch.size", "512"),
            ("linger.ms", "60000"),
        ]);
        let threads = ["a1", "b1", "c1"]
            .map(|name| model.spawn(move |own| own.send(0, name).ok().map(|sent| (name, sent))));
        let _ = model.producer.close(SECONDS_30).unwrap();
        let mut accepted = Vec::new();
        for thread in threads {
            if let Some((name, sent)) = thread.join().unwrap() {
                assert!(sent.is_done());
                accepted.push(name);
            }
        }
        model.assert_complete(&names(&accepted));
    });
}

#[test]
fn a_callback_may_send_and_must_not_wait() {
    explore("callback", Deadlines::NeverPass, || {
        let model = Model::new(&[]);
        let again = Threaded {
            producer: model.producer.clone(),
            outcomes: Arc::clone(&model.outcomes),
        };
        let first = model.spawn(move |own| {
            let sends = move || {
                let next = again.send(0, "a2").expect("open");
                assert_eq!(next.get().unwrap_err().kind(), ErrorKind::IllegalState);
                let flushed = again.producer.flush().unwrap_err();
                assert_eq!(flushed.kind(), ErrorKind::IllegalState);
                // The outcome of the second is seen by its callback.
            };
            own.send_and(0, "a1", sends).unwrap().get().unwrap();
        });
        let second = model.spawn(|own| drop(own.send(0, "b1").unwrap().get().unwrap()));
        first.join().unwrap();
        second.join().unwrap();
        model.producer.flush().unwrap();
        let _ = model.producer.close(SECONDS_30).unwrap();
        model.assert_complete(&names(&["a1", "a2", "b1"]));
    });
}

#[test]
fn a_callback_may_close() {
    explore("callback closes", Deadlines::NeverPass, || {
        let model = Model::new(&[]);
        let closes = model.producer.clone();
        let first = model.spawn(move |own| {
            let close = move || {
                let report = closes.close(SECONDS_30).expect("allowed");
                assert!(!report.is_complete());
            };
            own.send_and(0, "a1", close).unwrap().get().unwrap();
        });
        let second = model.spawn(|own| {
            let sent = own.send(1, "b1").ok()?;
            let _ = sent.get();
            Some("b1")
        });
        first.join().unwrap();
        let accepted = second.join().unwrap();
        let report = model.producer.close(SECONDS_30).unwrap();
        assert!(report.is_complete());
        let accepted: Vec<_> = accepted.into_iter().chain(["a1"]).collect();
        model.assert_complete(&names(&accepted));
    });
}

#[test]
fn the_drop_of_the_last_handle_delivers() {
    explore("drop", Deadlines::NeverPass, || {
        let model = Model::new(&[("linger.ms", "60000")]);
        let threads =
            ["a1", "b1"].map(|name| model.spawn(move |own| drop(own.send(0, name).unwrap())));
        let Model {
            producer,
            accumulator,
            written,
            outcomes,
            time,
            ..
        } = model;
        drop(producer);
        threads.into_iter().for_each(|t| t.join().unwrap());
        assert_eq!(time.elapsed(), Duration::ZERO);
        let told = outcomes.take();
        assert!(told.len() == 2 && told.iter().all(|(_, ok)| *ok));
        assert_eq!(written.len(), 2);
        let pool = accumulator.pool();
        assert_eq!(pool.available(), pool.total());
    });
}

#[test]
fn the_last_handle_may_be_dropped_in_a_callback() {
    explore("drop in a callback", Deadlines::NeverPass, || {
        let model = Model::new(&[]);
        let control = Arc::clone(&model.producer.inner.control);
        let last = model.producer.clone();
        let sends = model.spawn(move |own| {
            drop(own.send_and(0, "a1", move || drop(last)).unwrap());
            drop(own.send(1, "a2").unwrap());
        });
        drop(model.producer);
        sends.join().unwrap();
        while !control.await_termination(model.time.now()) {}
        let told = model.outcomes.take();
        assert!(told.len() == 2 && told.iter().all(|(_, ok)| *ok));
        let pool = model.accumulator.pool();
        assert_eq!(pool.available(), pool.total());
    });
}
