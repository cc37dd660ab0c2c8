//! How connections end, and what is still delivered when they do.

use super::*;

const MAX_IDLE: Duration = Duration::from_secs(540);

/// Java: `SelectorTest.testGracefulClose`, `testPartialReceiveGracefulClose`. Scenario: S11.
#[test]
fn frames_that_came_before_the_end_are_delivered_before_it() {
    for frames in 0..5 {
        let mut rig = Rig::new();
        let mut peer = rig.connect(A);
        let mut bytes: Vec<u8> = (0..frames).flat_map(|n| framed(&[n; 3])).collect();
        bytes.extend(&framed(b"cut off")[..6]);
        peer.write_all(&bytes).expect("open");
        drop(peer);
        for n in 0..frames {
            assert_eq!(rig.receive(), (A, vec![n; 3]));
            assert_eq!(rig.events.disconnected.len(), 0);
        }
        rig.disconnected();
        assert_eq!(rig.events.completed_receives.len(), 0);
        rig.assert_nothing_left();
    }
}

/// Scenario: S23.
#[test]
fn a_peer_that_ends_its_side_only_is_a_disconnect() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    peer.shutdown(std::net::Shutdown::Write).expect("open");
    let (id, state) = rig.disconnected();
    assert_eq!(id, A);
    assert_eq!(
        state.to_string(),
        "connection lost: connection closed by the peer"
    );
    assert_eq!(read_to_end(&mut peer), b"", "our side is closed too");
}

/// Scenario: S21.
#[test]
fn a_reset_comes_after_the_data_where_the_system_keeps_it() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    write_frames(&mut peer, &[b"last words"]);
    socket2::SockRef::from(&peer)
        .set_linger(Some(Duration::ZERO))
        .expect("a TCP socket");
    drop(peer);
    let mut frames = Vec::new();
    loop {
        rig.poll_until(|events| !events.is_empty());
        frames.append(&mut rig.events.completed_receives);
        if !rig.events.disconnected.is_empty() {
            break;
        }
    }
    assert!(frames.len() <= 1);
    assert!(frames.iter().all(|frame| *frame.payload == *b"last words"));
    if cfg!(target_os = "linux") {
        assert_eq!(frames.len(), 1, "Linux keeps it");
    }
    rig.assert_nothing_left();
}

/// What is sent to a peer that has ended its side cannot be answered; what it said before can be heard.
#[test]
fn a_send_to_a_peer_that_ended_its_side_does_not_cost_its_last_answers() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    rig.selector.mute(A);
    write_frames(&mut peer, &[b"one", b"two", b"three"]);
    peer.shutdown(std::net::Shutdown::Write).expect("open");
    rig.wait_for_unread_bytes(A);
    rig.selector.unmute(A);
    assert_eq!(rig.receive(), (A, b"one".to_vec()));
    assert_eq!(rig.send(A, b"too late"), SendProgress::Pending);
    assert_eq!(rig.receive(), (A, b"two".to_vec()));
    assert_eq!(rig.receive(), (A, b"three".to_vec()));
    rig.disconnected();
    assert_eq!(read_to_end(&mut peer), b"");
}

/// Java: `SelectorTest.testCloseOldestConnection`, `testCloseConnectionInClosingState`. Scenario: S10.
#[test]
fn one_connection_is_closed_per_poll_the_one_not_used_for_longest() {
    let mut rig = Rig::new();
    let mut peers = Vec::new();
    for id in [A, B, C] {
        peers.push(rig.connect(id));
        rig.time.advance(Duration::from_secs(1));
    }
    write_frames(&mut peers[0], &[b"still here"]);
    assert_eq!(rig.receive().0, A);
    rig.time.advance(MAX_IDLE - Duration::from_secs(3));
    rig.poll(Duration::ZERO);
    assert!(rig.events.is_empty(), "B has one more second");
    rig.time.advance(Duration::from_secs(10));
    for expected in [B, C, A] {
        rig.poll(LONG);
        let [(id, ChannelState::Expired)] = rig.events.disconnected[..] else {
            panic!("{:?}", rig.events);
        };
        assert_eq!(id, expected);
    }
    for peer in &mut peers {
        assert_eq!(read_to_end(peer), b"");
    }
    rig.assert_nothing_left();
    assert!(rig.would_wait(), "no timer is left");
}

#[test]
fn a_poll_waits_no_longer_than_to_the_next_expiry() {
    let mut rig = Rig::with(ReceiveLimits::default(), Some(Duration::from_secs(5)));
    assert!(rig.would_wait());
    let _peer = rig.connect(A);
    rig.time.advance(Duration::from_secs(2));
    let wait = rig
        .selector
        .longest_wait(LONG, &SelectorEvents::default(), rig.time.now());
    assert_eq!(wait, Duration::from_secs(3));

    let mut never = Rig::with(ReceiveLimits::default(), None);
    let _peer = never.connect(A);
    never.time.advance(Duration::from_secs(1_000_000));
    never.poll(Duration::ZERO);
    assert!(never.events.is_empty() && never.would_wait());
}

/// An expired connection that has frames to deliver: muted when it expired, as a busy server's is.
fn expired_with_frames(rig: &mut Rig) -> TcpStream {
    let mut peer = rig.connect(A);
    write_frames(&mut peer, &[b"zero", b"one", b"two"]);
    assert_eq!(rig.receive(), (A, b"zero".to_vec()));
    rig.selector.mute(A);
    rig.poll(Duration::ZERO);
    rig.time.advance(MAX_IDLE + Duration::from_secs(1));
    rig.poll(Duration::ZERO);
    assert!(rig.would_wait(), "muted, so nothing can be done");
    rig.poll(Duration::ZERO);
    assert!(rig.events.is_empty(), "muted, so nothing is reported");
    peer
}

/// Java: `SelectorTest.testExpireConnectionWithPendingReceives`. Scenario: S10.
#[test]
fn an_expired_connection_delivers_its_frames_first() {
    let mut rig = Rig::new();
    let _peer = expired_with_frames(&mut rig);
    rig.selector.unmute(A);
    for expected in [&b"one"[..], b"two"] {
        rig.poll(LONG);
        assert_eq!(*rig.events.completed_receives[0].payload, *expected);
        assert_eq!(rig.events.disconnected.len(), 0);
    }
    rig.poll(LONG);
    let [(A, ChannelState::Expired)] = rig.events.disconnected[..] else {
        panic!("{:?}", rig.events);
    };
    rig.assert_nothing_left();
}

/// Java: `SelectorTest.testCloseOldestConnectionWithMultiplePendingReceives` (send while closing). Scenario: S12.
#[test]
fn a_send_to_a_closing_connection_ends_it_at_once() {
    let mut rig = Rig::new();
    let _peer = expired_with_frames(&mut rig);
    assert_eq!(rig.send(A, b"too late"), SendProgress::Refused);
    rig.poll(LONG);
    assert_eq!(
        rig.events.completed_receives.len(),
        0,
        "the rest is dropped"
    );
    let [(A, ChannelState::Expired)] = rig.events.disconnected[..] else {
        panic!("{:?}", rig.events);
    };
    rig.assert_nothing_left();
}

/// Java: `SelectorTest.testCloseAllChannels`. Scenario: S10.
#[test]
fn closing_all_reports_nothing() {
    let mut rig = Rig::new();
    let mut peers = [rig.connect(A), rig.connect(B)];
    write_frames(&mut peers[1], &[b"unread"]);
    rig.selector.close_all();
    rig.poll(Duration::ZERO);
    assert!(rig.events.is_empty());
    for peer in &mut peers {
        read_to_end(peer);
    }
    rig.assert_nothing_left();
}

#[test]
fn a_frame_whose_first_write_fails_is_known_not_to_have_left() {
    let mut rig = Rig::new();
    let peer = rig.connect(A);
    rig.send(A, b"unread");
    // A peer that closes with something unread resets the connection.
    drop(peer);
    let progress = loop {
        match rig.send(A, b"too late") {
            SendProgress::Done => {}
            progress => break progress,
        }
    };
    assert_eq!(progress, SendProgress::Refused);
    rig.disconnected();
    rig.assert_nothing_left();
}
