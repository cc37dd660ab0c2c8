//! When the I/O thread is woken, and the linger that ends when somebody waits.

use super::*;

/// Scenario: AC7.
#[test]
fn only_news_wakes_the_io_thread() {
    let mut fixture = Fixture::new(&[1], lingering(1000));
    assert!(
        fixture.append(0, VALUE).wake,
        "nobody else would end its linger"
    );
    fixture.ready();
    for _ in 0..7 {
        assert!(!fixture.append(0, VALUE).wake, "the linger has its timer");
    }
    assert!(fixture.append(0, VALUE).wake, "the first batch is full");
    fixture.ready();
    for _ in 0..100 {
        assert!(
            !fixture.append(0, VALUE).wake,
            "it knows that there is something"
        );
    }
}

#[test]
fn a_batch_whose_linger_ends_later_than_the_next_look_wakes_nobody() {
    let mut fixture = Fixture::new(&[1, 1], lingering(1000));
    drop(fixture.append(0, VALUE));
    fixture.ready();
    fixture.pass_ms(1);
    assert!(!fixture.append(1, VALUE).wake);
    fixture.pass_ms(999);
    assert_eq!(fixture.pass().len(), 2);
}

#[test]
fn a_batch_that_fills_up_before_it_was_seen_wakes_once() {
    let mut fixture = Fixture::new(&[1, 1], lingering(1000));
    drop(fixture.append(0, VALUE));
    fixture.ready();
    assert!(!fixture.append(1, VALUE).wake);
    let wakes = (0..30).filter(|_| fixture.append(1, VALUE).wake).count();
    assert_eq!(wakes, 1);
}

#[test]
fn who_waits_ends_the_linger() {
    let mut fixture = Fixture::new(&[1, 1], lingering(60_000));
    let appended = fixture.append(0, VALUE);
    drop(fixture.append(1, VALUE));
    assert!(fixture.ready_nodes().is_empty());
    let timed_out = appended.future.get_timeout(Duration::ZERO);
    let error = timed_out.expect_err("nobody sends it");
    assert_eq!(error.kind(), crate::ErrorKind::Timeout);
    assert_eq!(fixture.wakes.load(Ordering::SeqCst), 1);
    assert_eq!(partitions(&fixture.pass()), [0], "the other one lingers on");
}

#[test]
fn polling_a_future_ends_the_linger_too() {
    let mut fixture = Fixture::new(&[1], lingering(60_000));
    let mut appended = fixture.append(0, VALUE);
    fixture.ready();
    let waker = std::task::Waker::from(Arc::new(CountWakes::default()));
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(&mut appended.future);
    assert!(future.as_mut().poll(&mut context).is_pending());
    for batch in fixture.pass() {
        batch.complete(Some(5), None);
    }
    assert!(future.as_mut().poll(&mut context).is_ready());
}

#[test]
fn an_outcome_wakes_the_task_that_polled_last() {
    let mut fixture = Fixture::new(&[1], config());
    let mut appended = fixture.append(0, VALUE);
    let wakes = Arc::new(CountWakes::default());
    let waker = std::task::Waker::from(Arc::clone(&wakes));
    let mut context = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(&mut appended.future);
    for _ in 0..3 {
        assert!(future.as_mut().poll(&mut context).is_pending());
    }
    for batch in fixture.pass() {
        batch.complete(Some(5), None);
    }
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_second_look_at_a_batch_on_its_way_wakes_nobody() {
    let mut fixture = Fixture::new(&[1], lingering(60_000));
    let appended = fixture.append(0, VALUE);
    fixture
        .accumulator
        .await_flush_completion(Some(fixture.now()));
    let batches = fixture.pass();
    assert_eq!(batches.len(), 1);
    let wakes = fixture.wakes.load(Ordering::SeqCst);
    assert!(appended.future.get_timeout(Duration::ZERO).is_err());
    assert_eq!(fixture.wakes.load(Ordering::SeqCst), wakes);
}

/// A thread that sends and waits in turn wakes the I/O thread once per record: when it waits.
#[test]
fn after_a_drain_an_open_batch_wakes_nobody_for_a_while() {
    let mut fixture = Fixture::new(&[1], lingering(5));
    drop(fixture.append(0, VALUE));
    fixture.pass_ms(5);
    let batch = fixture.pass().remove(0);
    assert_eq!(fixture.next_check_ms(), Some(5), "one more look");
    batch.complete(Some(0), None);
    fixture.pass_ms(1);
    let appended = fixture.append(0, VALUE);
    assert!(!appended.wake);
    assert!(appended.future.get_timeout(Duration::ZERO).is_err());
    assert_eq!(fixture.wakes.load(Ordering::SeqCst), 1);
    fixture.pass().into_iter().for_each(complete);
    fixture.pass_ms(10);
    assert_eq!(fixture.next_check_ms(), None, "idle means no wake-ups");
}

#[test]
fn who_lists_a_partition_while_the_io_thread_looks_does_not_wake_it() {
    let fixture = Fixture::new(&[1, 1], config());
    let list = &fixture.accumulator.ready;
    list.begin_look();
    assert!(!fixture.append(0, VALUE).wake, "it is awake");
    assert!(list.end_look(None), "it looks once more");
    assert!(fixture.append(1, VALUE).wake, "now it sleeps");
}

/// Scenario: PB11.
#[test]
fn waiting_on_the_io_thread_is_refused() {
    let fixture = Fixture::new(&[1], lingering(60_000));
    let appended = fixture.append(0, VALUE);
    fixture.accumulator.enter_io_thread();
    assert!(fixture.accumulator.is_io_thread());
    let error = appended.future.get().expect_err("it would wait for itself");
    assert_eq!(error.kind(), crate::ErrorKind::IllegalState);
    std::thread::scope(|scope| {
        let elsewhere = scope.spawn(|| appended.future.get_timeout(Duration::ZERO));
        let error = elsewhere.join().expect("no panic").expect_err("not sent");
        assert_eq!(error.kind(), crate::ErrorKind::Timeout);
    });
}

#[derive(Default)]
struct CountWakes(AtomicUsize);

impl std::task::Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

use std::future::Future;
