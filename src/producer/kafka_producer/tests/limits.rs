//! Every call that blocks returns at its limit, not a nanosecond later: in virtual time, the I/O thread standing still.

use std::rc::Rc;
use std::time::Instant;

use super::anomalies::World;
use super::*;
use crate::common::cluster::TopicPartition;
use crate::common::sync::pretend::{self, Pretence};
use crate::common::time::SystemTime;
use crate::producer::consumer_group_metadata::ConsumerGroupMetadata;
use crate::producer::offset_and_metadata::OffsetAndMetadata;

/// Whoever waits does so in vain, until the end.
fn in_vain(time: &Arc<MockTime>) -> Pretence {
    let time = Arc::clone(time);
    pretend::waits(move |until| {
        time.advance_to(until);
        true
    })
}

/// How long a call takes, and what it says, where nothing comes of any wait.
fn times_out<T: std::fmt::Debug>(
    time: &Arc<MockTime>,
    call: impl FnOnce() -> Result<T, KafkaError>,
) -> (Duration, Option<TimeLimit>) {
    let start = time.elapsed();
    let pretence = in_vain(time);
    let error = call().expect_err("nothing came");
    drop(pretence);
    (time.elapsed() - start, error.time_limit())
}

/// What a call says that keeps to `max.block.ms`.
fn max_block(ms: u64) -> (Duration, Option<TimeLimit>) {
    (Duration::from_millis(ms), Some(TimeLimit::MaxBlock))
}

/// The outcome of a record that was refused at once.
fn refused(sent: Result<FutureRecordMetadata, KafkaError>) -> Result<(), KafkaError> {
    Err(failure(&sent?))
}

#[test]
fn a_wait_for_metadata_ends_at_its_limit() {
    let fixture = Fixture::new(&[("max.block.ms", "700")]);
    let producer = &fixture.producer;
    let send = || refused(producer.send(record()));
    assert_eq!(times_out(&fixture.time, send), max_block(700));
    let own = Duration::from_millis(50);
    let send = || refused(producer.send_timeout(record(), own));
    assert_eq!(times_out(&fixture.time, send), max_block(50));
    let partitions = || producer.partitions_for("another");
    assert_eq!(times_out(&fixture.time, partitions), max_block(700));
    fixture.know(1);
    let send = || refused(producer.send(record().with_partition(1)));
    assert_eq!(times_out(&fixture.time, send), max_block(700));
}

#[test]
fn news_that_does_not_help_gives_no_more_time_to_wait() {
    let fixture = Rc::new(Fixture::new(&[("max.block.ms", "700")]));
    let (world, start) = (Rc::clone(&fixture), fixture.time.elapsed());
    let mut rounds = 0;
    let pretence = pretend::waits(move |until| {
        rounds += 1;
        match rounds {
            1..=3 => {
                world.answer_error(TOPIC, Errors::LeaderNotAvailable);
                world.time.advance(Duration::from_millis(200));
                false
            }
            // Woken for nothing.
            4 => false,
            _ => {
                world.time.advance_to(until);
                true
            }
        }
    });
    let error = refused(fixture.producer.send(record())).unwrap_err();
    assert_eq!(error.time_limit(), Some(TimeLimit::MaxBlock));
    assert_eq!(fixture.time.elapsed() - start, Duration::from_millis(700));
    drop(pretence);
}

/// A producer that has this much memory and knows its topic.
fn with_memory(bytes: &str, settings: &[(&str, &str)]) -> Fixture {
    let memory = [("buffer.memory", bytes), ("max.block.ms", "700")];
    let settings: Vec<_> = memory.iter().chain(settings).copied().collect();
    let fixture = Fixture::new(&settings);
    fixture.know(1);
    fixture
}

/// A producer whose buffer has no room for another record of this size.
fn full(settings: &[(&str, &str)]) -> (Fixture, ProducerRecord<'static, [u8; 1], [u8; 12_000]>) {
    let fixture = with_memory("16384", settings);
    let large = ProducerRecord::new(TOPIC, *b"k", [0_u8; 12_000]);
    let producer = &fixture.producer;
    assert!(!producer.send(large.clone()).unwrap().is_done());
    (fixture, large)
}

#[test]
fn a_wait_for_memory_ends_at_its_limit() {
    let (fixture, large) = full(&[]);
    let send = || refused(fixture.producer.send(large));
    assert_eq!(times_out(&fixture.time, send), max_block(700));
}

/// Java: `KafkaProducer.doSend` (`remainingWaitMs`).
#[test]
fn the_waits_for_metadata_and_for_memory_share_one_limit() {
    let (fixture, _) = full(&[]);
    let fixture = Rc::new(fixture);
    let (world, start) = (Rc::clone(&fixture), fixture.time.elapsed());
    let mut is_known = false;
    let pretence = pretend::waits(move |until| {
        if std::mem::replace(&mut is_known, true) {
            world.time.advance_to(until);
            return true;
        }
        world.know(2);
        world.time.advance(Duration::from_millis(300));
        false
    });
    let large = ProducerRecord::new(TOPIC, *b"k", [0_u8; 12_000]).with_partition(1);
    let error = refused(fixture.producer.send(large)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BufferExhausted);
    assert_eq!(fixture.time.elapsed() - start, Duration::from_millis(700));
    drop(pretence);
}

#[test]
fn calls_that_must_not_wait_take_no_time() {
    let (fixture, large) = full(&[]);
    let producer = &fixture.producer;
    let unknown = ProducerRecord::new("another", *b"k", *b"v");
    let unknown = || producer.try_send(unknown).map_err(|e| e.error().clone());
    assert_eq!(times_out(&fixture.time, unknown), max_block(0));
    let exhausted = || producer.try_send(large).map_err(|e| e.error().clone());
    assert_eq!(times_out(&fixture.time, exhausted), max_block(0));
    let flush = || producer.flush_timeout(Duration::ZERO);
    let nothing = (Duration::ZERO, Some(TimeLimit::Call));
    assert_eq!(times_out(&fixture.time, flush), nothing);
}

#[test]
fn a_flush_ends_at_its_limit_and_woken_for_nothing_goes_on() {
    let (fixture, _) = full(&[]);
    let limit = Duration::from_millis(900);
    let flush = || fixture.producer.flush_timeout(limit);
    let late = (limit, Some(TimeLimit::Call));
    assert_eq!(times_out(&fixture.time, flush), late);

    let (time, start) = (Arc::clone(&fixture.time), fixture.time.elapsed());
    let pretence = pretend::waits(move |until| {
        let half = (until - time.now()) / 2;
        time.advance(half + Duration::from_nanos(1));
        time.now() >= until
    });
    assert!(fixture.producer.flush_timeout(limit).is_err());
    assert!(fixture.time.elapsed() - start - limit < Duration::from_nanos(2));
    drop(pretence);
}

/// A future has no clock but the machine's, so its deadline is held against that.
#[test]
fn a_wait_for_a_record_ends_at_its_limit() {
    let fixture = Fixture::new(&[]);
    fixture.know(1);
    let future = fixture.producer.send(record()).unwrap();
    let limit = Duration::from_secs(1000);
    let before = SystemTime.now();
    let deadline: Rc<std::cell::Cell<Option<Instant>>> = Rc::default();
    let seen = Rc::clone(&deadline);
    let pretence = pretend::waits(move |until| {
        seen.set(Some(until));
        true
    });
    let error = future.get_timeout(limit).unwrap_err();
    drop(pretence);
    assert_eq!(error.time_limit(), Some(TimeLimit::Call));
    let deadline = deadline.get().expect("it waited");
    assert!((before + limit..=SystemTime.now() + limit).contains(&deadline));
}

#[test]
fn every_call_about_transactions_ends_at_its_limit() {
    let settings = [("transactional.id", "t"), ("max.block.ms", "700")];
    let mut world = World::new(&settings);
    let (time, producer) = (Arc::clone(&world.time), world.stepped.producer.clone());
    let own = Duration::from_millis(1_234);
    let init = || producer.init_transactions_timeout(own);
    assert_eq!(times_out(&time, init), (own, Some(TimeLimit::MaxBlock)));
    assert_eq!(
        times_out(&time, || producer.init_transactions()),
        max_block(700)
    );
    world.init().unwrap();

    producer.begin_transaction().unwrap();
    let future = world.send(0);
    let (tp, at) = (TopicPartition::new(TOPIC, 0), OffsetAndMetadata::new(1));
    let group = ConsumerGroupMetadata::new("group");
    let offsets = || producer.send_offsets_to_transaction([(&tp, &at)], &group);
    assert_eq!(times_out(&time, offsets), max_block(700));
    assert_eq!(
        times_out(&time, || producer.abort_transaction()),
        max_block(700)
    );
    world.abort().unwrap();
    assert!(future.is_done());

    producer.begin_transaction().unwrap();
    drop(world.send(0));
    assert_eq!(
        times_out(&time, || producer.commit_transaction()),
        max_block(700)
    );
    world.commit().unwrap();
}

/// The I/O thread is told to hurry when the time is over, and ends within the same instant.
#[test]
fn a_close_ends_at_its_limit() {
    let (fixture, _) = full(&[]);
    let (producer, time) = (fixture.producer.clone(), Arc::clone(&fixture.time));
    let start = time.elapsed();
    let mut fixture = Some(fixture);
    let mut waits = 0;
    let clock = Arc::clone(&time);
    let pretence = pretend::waits(move |until| {
        waits += 1;
        if waits == 1 {
            clock.advance_to(until);
            return true;
        }
        fixture.take().expect("the second wait is the last").end();
        false
    });
    let limit = Duration::from_millis(900);
    let report = producer.close(limit).unwrap();
    drop(pretence);
    assert!(report.is_complete());
    assert_eq!(report.unsent().len(), 1);
    assert_eq!(time.elapsed() - start, limit);
}

/// A callback that never returns has the I/O thread: there is nothing more to be had from it, and close goes without.
#[test]
fn a_close_gives_a_stuck_io_thread_its_last_grace_and_no_more() {
    let (fixture, _) = full(&[]);
    let start = fixture.time.elapsed();
    let limit = Duration::from_millis(900);
    let pretence = in_vain(&fixture.time);
    let report = fixture.producer.close(limit).unwrap();
    drop(pretence);
    assert!(!report.is_complete());
    let grace = Duration::from_millis(200);
    assert_eq!(fixture.time.elapsed() - start, limit + grace);
}

/// Threads are woken for nothing, by news that help and news that do not, at any time, and memory that was free is gone.
#[test]
fn whatever_happens_during_a_wait_it_never_outlasts_its_limit() {
    let limit = Duration::from_millis(700);
    let mut timeouts = 0;
    for seed in 0..300 {
        let fixture = Rc::new(with_memory("16384", &[]));
        let (world, start) = (Rc::clone(&fixture), fixture.time.elapsed());
        let mut random = fastrand::Rng::with_seed(seed);
        let pretence = pretend::waits(move |until| {
            match random.u8(0..6) {
                0 => world.know(2),
                1 => world.know(1),
                2 => world.answer_error(TOPIC, Errors::LeaderNotAvailable),
                3 => drop(world.producer.try_send(record().with_partition(0))),
                _ => {}
            }
            let left = until.saturating_duration_since(world.time.now());
            let nanos = u64::try_from(left.as_nanos()).expect("less than a second");
            world
                .time
                .advance(Duration::from_nanos(random.u64(0..=nanos)));
            world.time.now() >= until
        });
        let size = 1 + 15_500 * usize::try_from(seed % 2).expect("0 or 1");
        let value = vec![0; size];
        let record = ProducerRecord::new(TOPIC, *b"k", &*value).with_partition(1);
        let future = fixture.producer.send(record).unwrap();
        let took = fixture.time.elapsed() - start;
        assert!(took <= limit, "seed {seed}: {took:?}");
        if let Some(Err(error)) = future.try_get() {
            assert_eq!(error.time_limit(), Some(TimeLimit::MaxBlock), "{error}");
            assert_eq!(took, limit, "seed {seed}: gave up early");
            timeouts += 1;
        }
        drop(pretence);
    }
    assert!((50..250).contains(&timeouts), "{timeouts} of 300");
}
