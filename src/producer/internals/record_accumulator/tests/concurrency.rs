//! Real threads: appenders against a draining thread.

use super::*;

const PER_THREAD: usize = 3000;

/// Java: `RecordAccumulatorTest.testStressfulSituation`. Scenario: AC11.
#[test]
fn every_record_is_drained_once_and_in_order() {
    let mut fixture = Fixture::new(
        &[1, 1, 2, 2],
        AccumulatorConfig {
            buffer_memory: 16 * 1024,
            ..config()
        },
    );
    let accumulator = Arc::clone(&fixture.accumulator);
    let topic = fixture.topic();
    let now = fixture.now();
    let append = |thread: usize| {
        for n in 0..PER_THREAD {
            let to = Destination {
                topic: &topic,
                partition: i32::try_from(n % 4).ok(),
            };
            let value = format!("{thread} {n}");
            let record = RecordToAppend::<ReadHeader>::new(0, None, Some(value.as_bytes()), &[]);
            let hour = Duration::from_secs(3600);
            let appended = accumulator.append(to, &record, &mut None, now, hour);
            drop(appended.expect("memory comes back"));
        }
    };
    let mut next = [[0; 4]; 4];
    let mut drained = 0;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let append = &append;
            scope.spawn(move || append(thread));
        }
        while drained < 4 * PER_THREAD {
            for batch in fixture.pass() {
                let partition = partitions(std::slice::from_ref(&batch))[0] as usize;
                for value in values(&batch) {
                    let text = String::from_utf8(value).expect("it was text");
                    let (thread, n) = text.split_once(' ').expect("two numbers");
                    let thread: usize = thread.parse().expect("a number");
                    let n: usize = n.parse().expect("a number");
                    let expected = next[thread][partition] * 4 + partition;
                    assert_eq!(n, expected, "thread {thread}, partition {partition}");
                    next[thread][partition] += 1;
                    drained += 1;
                }
                batch.complete(Some(0), None);
            }
        }
    });
    assert!(!fixture.accumulator.has_undrained() && !fixture.accumulator.has_incomplete());
    assert_eq!(fixture.available(), 16 * 1024);
}

/// Java: `RecordAccumulatorTest` (two threads open a batch). Scenario: AC28.
#[test]
fn threads_that_race_for_a_new_batch_share_it() {
    for _ in 0..200 {
        let fixture = Fixture::new(&[1], lingering(60_000));
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| drop(fixture.append(0, VALUE)));
            }
        });
        assert_eq!(fixture.accumulator.incomplete().len(), 1);
        assert_eq!(
            fixture.accumulator.pool().total() - fixture.available(),
            512
        );
    }
}

/// Scenario: AC29, AC11.
#[test]
fn nothing_slips_in_behind_a_close() {
    for _ in 0..100 {
        let mut fixture = Fixture::new(&[1, 1], lingering(60_000));
        let accumulator = Arc::clone(&fixture.accumulator);
        let topic = fixture.topic();
        let now = fixture.now();
        let accepted = AtomicUsize::new(0);
        let mut sent = 0;
        std::thread::scope(|scope| {
            for partition in 0..2 {
                let (accumulator, topic, accepted) = (&accumulator, &topic, &accepted);
                scope.spawn(move || {
                    let to = Destination {
                        topic,
                        partition: Some(partition),
                    };
                    let record = RecordToAppend::<ReadHeader>::new(0, None, Some(b"v"), &[]);
                    let append = || accumulator.append(to, &record, &mut None, now, Duration::ZERO);
                    while append().is_ok() {
                        accepted.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            while accepted.load(Ordering::SeqCst) < 10 {
                std::thread::yield_now();
            }
            accumulator.close();
            while accumulator.has_undrained() {
                for batch in fixture.pass() {
                    sent += batch.record_count() as usize;
                    batch.complete(Some(0), None);
                }
            }
        });
        assert!(!accumulator.has_undrained());
        assert_eq!(sent, accepted.load(Ordering::SeqCst));
    }
}

/// Scenario: AC11.
#[test]
fn a_sleeping_drainer_is_always_woken_for_what_it_would_miss() {
    let mut fixture = Fixture::new(&[1, 1], lingering(60_000));
    let accumulator = Arc::clone(&fixture.accumulator);
    let topic = fixture.topic();
    let now = fixture.now();
    let mut seen = 0;
    std::thread::scope(|scope| {
        let appender = scope.spawn(|| {
            for n in 0..300 {
                let to = Destination {
                    topic: &topic,
                    partition: Some(n % 2),
                };
                let record = RecordToAppend::<ReadHeader>::new(0, None, Some(b"v"), &[]);
                let future = accumulator
                    .append(to, &record, &mut None, now, Duration::ZERO)
                    .expect("there is memory");
                // Would wait forever if the wake-up got lost.
                future.get().expect("written");
            }
        });
        while !appender.is_finished() {
            // Sleeps until a wake-up, as the Sender does.
            let wakes = fixture.wakes.load(Ordering::SeqCst);
            if wakes == seen {
                std::thread::yield_now();
                continue;
            }
            seen = wakes;
            for batch in fixture.pass() {
                batch.complete(Some(0), None);
            }
        }
    });
}
