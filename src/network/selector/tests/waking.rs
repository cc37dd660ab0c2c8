//! The wait: what ends it, what does not.

use super::*;

/// Scenario: S17.
#[test]
fn a_wake_before_the_poll_ends_it_and_counts_once() {
    let mut rig = Rig::new();
    for _ in 0..10_000 {
        rig.selector.waker().wakeup();
    }
    rig.poll(Duration::from_secs(3600));
    assert!(rig.events.is_empty());
    assert!(rig.selector.waker.begin_sleep(), "the wakes are used up");
}

/// Scenario: S17.
#[test]
fn a_wake_from_another_thread_ends_the_wait() {
    let mut rig = Rig::new();
    for _ in 0..100 {
        let waker = rig.selector.waker();
        let wake = move || waker.wakeup();
        let thread = kafka_thread::spawn("waker", wake, |panic| panic!("{panic}"));
        rig.poll(Duration::from_secs(3600));
        thread.expect("a thread").join().expect("wakes");
    }
}

/// Scenario: S20.
#[test]
fn an_interrupted_wait_goes_on_with_the_time_that_is_left() {
    let time = MockTime::shared();
    let mut waits = Vec::new();
    let outcome = retry_interrupted(&*time, (time.now(), Duration::from_secs(10)), |left| {
        waits.push(left.as_secs());
        time.advance(Duration::from_secs(6));
        match waits.len() {
            3 => Ok(()),
            _ => Err(io::ErrorKind::Interrupted.into()),
        }
    });
    outcome.expect("not an error");
    assert_eq!(waits, [10, 4, 0]);
}

/// The busy-loop guard: nothing that cannot make progress may keep the thread from waiting.
#[test]
fn idle_connections_do_not_keep_the_thread_busy() {
    let mut rig = Rig::new();
    let mut peers = Vec::new();
    for id in (1..=20).map(NodeId) {
        let mut peer = rig.connect(id);
        rig.send(id, b"request");
        assert_eq!(read_frame(&mut peer), b"request");
        write_frames(&mut peer, &[b"answer"]);
        assert_eq!(rig.receive(), (id, b"answer".to_vec()));
        peers.push(peer);
    }
    // One socket with a full buffer, one muted with bytes to read.
    assert_eq!(rig.send(A, &vec![0; 64 << 20]), SendProgress::Pending);
    rig.selector.mute(B);
    write_frames(&mut peers[1], &[b"unread"]);
    rig.wait_for_unread_bytes(B);
    assert!(rig.would_wait());
    let before = rig.selector.waker.poll_count();
    rig.poll(Duration::from_millis(20));
    assert!(rig.events.is_empty());
    assert_eq!(rig.selector.waker.poll_count() - before, 1);
    assert!(rig.would_wait());
}
