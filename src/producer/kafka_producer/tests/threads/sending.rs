//! Sending, waiting and flushing from several threads at once.

use shuttle::future::block_on;

use super::*;

#[test]
fn each_record_of_three_threads_is_done_once() {
    explore("send", Deadlines::NeverPass, || {
        let model = Model::new(&[("enable.idempotence", "true")]);
        let threads = [("a1", "a2"), ("b1", "b2"), ("c1", "c2")].map(|(first, second)| {
            model.spawn(move |own| {
                let first = own.send(0, first).unwrap();
                let second = own.send(0, second).unwrap();
                let offsets = [&second, &first].map(|f| f.get().unwrap().offset());
                assert!(offsets[1] < offsets[0]);
                offsets
            })
        });
        let mut offsets = threads.map(|t| t.join().unwrap()).concat();
        offsets.sort_unstable();
        assert_eq!(offsets, [0, 1, 2, 3, 4, 5]);
        let report = model.producer.close(SECONDS_30).unwrap();
        assert!(report.is_complete() && report.unsent().is_empty());
        let all = names(&["a1", "a2", "b1", "b2", "c1", "c2"]);
        assert_eq!(model.assert_complete(&all), all);
    });
}

#[test]
fn whoever_waits_ends_the_linger() {
    explore("linger", Deadlines::NeverPass, || {
        let model = Model::new(&[("linger.ms", "60000")]);
        let waits = model.spawn(|own| own.send(0, "a1").unwrap().get().unwrap());
        let awaits = model.spawn(|own| block_on(own.send(0, "b1").unwrap()).unwrap());
        let both = model.spawn(|own| {
            let futures = [own.send(0, "c1").unwrap(), own.send(1, "c2").unwrap()];
            FutureRecordMetadata::get_all(&futures)
        });
        waits.join().unwrap();
        awaits.join().unwrap();
        assert!(both.join().unwrap().iter().all(Result::is_ok));
        assert_eq!(model.time.elapsed(), Duration::ZERO, "nobody lingered");
        model.end();
        model.assert_complete(&names(&["a1", "b1", "c1", "c2"]));
    });
}

#[test]
fn a_batch_that_nobody_waits_for_leaves_after_its_linger() {
    explore("linger passes", Deadlines::MayPass, || {
        let model = Model::new(&[("linger.ms", "5")]);
        let done = Arc::new(crate::testing::threads::sleep::Bell::new());
        let threads = ["a1", "b1"].map(|name| {
            let done = Arc::clone(&done);
            model.spawn(move |own| drop(own.send_and(0, name, move || done.ring()).unwrap()))
        });
        threads.into_iter().for_each(|t| t.join().unwrap());
        while model.outcomes.len() < 2 {
            done.wait(None);
        }
        model.end();
        model.assert_complete(&names(&["a1", "b1"]));
    });
}

#[test]
fn a_flush_waits_for_all_that_was_sent_before() {
    explore("flush", Deadlines::NeverPass, || {
        let model = Model::new(&[("linger.ms", "60000")]);
        let threads = ["a1", "b1"].map(|name| {
            model.spawn(move |own| {
                let sent = own.send(0, name).unwrap();
                own.producer.flush().unwrap();
                assert!(sent.is_done());
            })
        });
        let fills = model.spawn(|own| {
            let sent = ["c1", "c2"].map(|name| own.send(1, name).unwrap());
            own.producer.flush().unwrap();
            assert!(sent.iter().all(FutureRecordMetadata::is_done));
        });
        threads.into_iter().for_each(|t| t.join().unwrap());
        fills.join().unwrap();
        assert_eq!(model.time.elapsed(), Duration::ZERO);
        model.end();
        model.assert_complete(&names(&["a1", "b1", "c1", "c2"]));
    });
}

#[test]
fn threads_that_wait_for_memory_all_get_some() {
    explore("exhaustion", Deadlines::NeverPass, || {
        let model = Model::new(&TINY);
        let threads = [("a1", "a2"), ("b1", "b2"), ("c1", "c2")].map(|(first, second)| {
            model.spawn(move |own| {
                let sent = [own.send(0, first).unwrap(), own.send(1, second).unwrap()];
                assert!(
                    FutureRecordMetadata::get_all(&sent)
                        .iter()
                        .all(Result::is_ok)
                );
            })
        });
        threads.into_iter().for_each(|t| t.join().unwrap());
        model.end();
        let all = names(&["a1", "a2", "b1", "b2", "c1", "c2"]);
        assert_eq!(model.assert_complete(&all), all);
    });
}

#[test]
fn threads_that_wait_too_long_for_memory_are_told() {
    explore("exhaustion, late", Deadlines::MayPass, || {
        let model = Model::new(&TINY);
        let threads = ["a1", "b1", "c1"].map(|name| {
            model.spawn(move |own| match own.send(0, name).unwrap().get() {
                Ok(_) => {}
                Err(error) => assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::BufferExhausted | ErrorKind::Timeout
                    ),
                    "{error}"
                ),
            })
        });
        threads.into_iter().for_each(|t| t.join().unwrap());
        model.end();
        model.assert_complete(&names(&["a1", "b1", "c1"]));
    });
}

#[test]
fn threads_that_wait_for_metadata_all_hear_of_it() {
    explore("metadata", Deadlines::NeverPass, || {
        let model = Model::with_unknown_topic(&[]);
        let threads = ["a1", "b1"]
            .map(|name| model.spawn(move |own| own.send(0, name).unwrap().get().unwrap()));
        let asks = model.spawn(|own| own.producer.partitions_for(TOPIC).unwrap().len());
        threads.into_iter().for_each(|t| drop(t.join().unwrap()));
        assert_eq!(asks.join().unwrap(), 2);
        model.end();
        model.assert_complete(&names(&["a1", "b1"]));
    });
}

/// Memory for one batch, which leaves for the sake of those who wait for memory and for no other reason.
const TINY: [(&str, &str); 3] = [
    ("buffer.memory", "512"),
    ("batch.size", "512"),
    ("linger.ms", "60000"),
];
