//! Frames on their way in.

use super::*;

/// Scenario: S05.
#[test]
fn a_peer_that_never_stops_does_not_starve_the_others() {
    let mut rig = Rig::new();
    let mut flood = rig.connect(A);
    let mut quiet = rig.connect(B);
    let pour = move || while flood.write_all(&framed(&[7; 1 << 20])).is_ok() {};
    let flood = kafka_thread::spawn("flood", pour, |panic| panic!("{panic}")).expect("a thread");
    let from = |id| {
        move |events: &SelectorEvents| events.completed_receives.iter().any(|r| r.source == id)
    };
    for _ in 0..3 {
        rig.poll_until(from(A));
        write_frames(&mut quiet, &[b"a word"]);
        rig.poll_until(from(B));
    }
    drop(rig);
    flood.join().expect("ends with its connection");
}

/// Java: `SelectorTest.testMute`. Scenario: S09.
#[test]
fn a_muted_connection_is_read_after_the_unmute_without_a_new_report() {
    let mut rig = Rig::new();
    let mut muted = rig.connect(A);
    let mut other = rig.connect(B);
    rig.selector.mute(A);
    write_frames(&mut muted, &[b"kept"]);
    rig.wait_for_unread_bytes(A);
    assert!(
        rig.would_wait(),
        "muted bytes must not keep the thread busy"
    );
    write_frames(&mut other, &[b"goes on"]);
    assert_eq!(rig.receive(), (B, b"goes on".to_vec()));
    rig.send(A, b"writes go on");
    assert_eq!(read_frame(&mut muted), b"writes go on");

    rig.selector.unmute(A);
    rig.poll(LONG);
    assert_eq!(*rig.events.completed_receives[0].payload, *b"kept");
}

/// Java: `SelectorTest.testMultipleReceivesInSinglePoll` (one per channel). Scenario: S15.
#[test]
fn two_frames_in_one_segment_take_two_polls_and_no_wait() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    write_frames(&mut peer, &[b"first", b"second", b"third"]);
    assert_eq!(rig.receive(), (A, b"first".to_vec()));
    for expected in [&b"second"[..], b"third"] {
        assert!(!rig.would_wait());
        rig.poll(LONG);
        assert_eq!(*rig.events.completed_receives[0].payload, *expected);
        assert_eq!(rig.events.completed_receives.len(), 1);
    }
    assert!(rig.would_wait());
}

#[test]
fn a_successor_of_a_closed_connection_gets_one_visit_per_poll() {
    let mut rig = Rig::new();
    let mut old = rig.connect(A);
    write_frames(&mut old, &[b"old", b"never read"]);
    rig.receive();
    assert_eq!(rig.selector.actionable, [A]);
    rig.selector.close(A);
    rig.begin_connect(A);
    let mut new = rig.accept();
    write_frames(&mut new, &[b"1", b"2", b"3", b"4"]);
    for n in [b"1", b"2", b"3", b"4"] {
        assert_eq!(rig.receive(), (A, n.to_vec()));
    }
}

fn small_limits() -> ReceiveLimits {
    ReceiveLimits {
        before_authentication: 10,
        authenticated: 1000,
    }
}

/// Scenario: S16.
#[test]
fn a_frame_of_the_limit_passes_and_one_byte_more_does_not() {
    let mut rig = Rig::with_limits(small_limits());
    let mut peer = rig.connect(A);
    write_frames(&mut peer, &[&[1; 1000], &[2; 1001]]);
    assert_eq!(rig.receive(), (A, vec![1; 1000]));
    let (_, state) = rig.disconnected();
    let text = "frame of 1001 bytes above the limit 1000";
    assert_eq!(state.to_string(), text);
    rig.assert_nothing_left();
}

/// Scenario: S16.
#[test]
fn a_negative_size_ends_the_connection() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    peer.write_all(&[0xff; 4]).expect("open");
    let (_, state) = rig.disconnected();
    assert_eq!(state.to_string(), "frame of negative size -1");
}

/// Scenario: S16.
#[test]
fn a_size_that_comes_byte_by_byte_is_put_together() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    let polls = |rig: &Rig| rig.selector.waker.poll_count();
    for byte in framed(b"slow") {
        let before = polls(&rig);
        peer.write_all(&[byte]).expect("open");
        if byte != b'w' {
            while polls(&rig) < before + 1 {
                rig.poll(Duration::from_millis(1));
            }
            assert_eq!(rig.events.completed_receives.len(), 0);
        }
    }
    assert_eq!(rig.receive(), (A, b"slow".to_vec()));
}

#[test]
fn an_http_server_on_the_port_is_named() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    peer.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        .expect("open");
    let (_, state) = rig.disconnected();
    let text = state.to_string();
    assert!(
        text.starts_with("an HTTP server speaks on this port"),
        "{text}"
    );
}

#[test]
fn a_tls_server_on_the_port_is_named() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    peer.write_all(&[0x15, 3, 3, 0, 2, 2, 50]).expect("open");
    let (_, state) = rig.disconnected();
    let text = state.to_string();
    assert!(text.starts_with("a TLS server"), "{text}");
}
