//! How connections come about, or do not.

use super::*;

/// Java: `SelectorTest.testServerDisconnect`. Scenario: S01.
#[test]
fn a_connection_that_the_server_closed_can_be_made_again() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    rig.send(A, b"hello");
    assert_eq!(read_frame(&mut peer), b"hello");
    drop(peer);
    let (id, state) = rig.disconnected();
    assert_eq!(id, A);
    assert!(matches!(state, ChannelState::Ready { .. }), "{state}");
    assert!(!rig.selector.is_channel_ready(A));

    let mut peer = rig.connect(A);
    assert!(rig.selector.is_channel_ready(A));
    write_frames(&mut peer, &[b"again"]);
    assert_eq!(rig.receive(), (A, b"again".to_vec()));
}

/// Java: `SelectorTest.testConnectionRefused`. Scenario: S03, S19.
#[test]
fn a_refused_connect_is_reported_with_its_address_and_reason() {
    let mut rig = Rig::new();
    let address = listener().local_addr().expect("bound until now");
    let outcome = rig.selector.connect(A, address, &ConnectOptions::default());
    outcome.expect("begins");
    let (_, state) = rig.disconnected();
    let ChannelState::NotConnected { address: to, error } = state else {
        panic!("{state}");
    };
    assert_eq!(to, address);
    assert!(error.to_lowercase().contains("refused"), "{error}");
    rig.assert_nothing_left();
}

/// Java: `SelectorTest.testNoRouteToHost`. Scenario: S03.
#[test]
fn a_connect_that_fails_at_once_is_reported_by_the_next_poll() {
    let mut rig = Rig::new();
    // TCP does not go to a multicast address, so no packet leaves the machine.
    let nowhere: SocketAddr = "224.0.0.1:9092".parse().expect("an address");
    let options = ConnectOptions::default();
    rig.selector.connect(A, nowhere, &options).expect("begins");
    let twice = rig.selector.connect(A, nowhere, &options);
    twice.expect_err("the first one is not reported yet");
    rig.poll(LONG);
    let [(A, ChannelState::NotConnected { address, .. })] = rig.events.disconnected[..] else {
        panic!("{:?}", rig.events);
    };
    assert_eq!(address, nowhere);
    rig.assert_nothing_left();
}

/// Java: `SelectorTest.testExistingConnectionId`, `testExistingClosingConnectionId`. Scenario: S08.
#[test]
fn an_id_is_taken_as_long_as_its_connection_is_open_or_closing() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    let address = rig.listener.local_addr().expect("bound");
    let options = ConnectOptions::default();
    let error = rig
        .selector
        .connect(A, address, &options)
        .expect_err("open");
    assert_eq!(error.message(), "there is already a connection for node 1");

    rig.selector.mute(A);
    write_frames(&mut peer, &[b"unread"]);
    rig.wait_for_unread_bytes(A);
    rig.time.advance(Duration::from_secs(541));
    rig.poll(Duration::ZERO);
    let error = rig
        .selector
        .connect(A, address, &options)
        .expect_err("closing");
    let expected = "there is still a closing connection for node 1";
    assert_eq!(error.message(), expected);

    rig.selector.close(A);
    rig.selector
        .connect(A, address, &options)
        .expect("free again");
}

/// Java: `SelectorTest.testConnectDisconnectDuringInSinglePoll`. Scenario: S13.
#[test]
fn no_poll_reports_a_connection_both_as_made_and_as_lost() {
    let mut rig = Rig::new();
    rig.begin_connect(A);
    drop(rig.accept());
    rig.disconnected();
    assert_eq!(rig.events.connected, []);
    rig.assert_nothing_left();
}

/// Java: `SelectorTest.testImmediatelyConnectedCleaned`. Scenario: S14.
#[test]
fn a_connect_can_be_taken_back_before_any_poll() {
    let mut rig = Rig::new();
    rig.begin_connect(A);
    let mut peer = rig.accept();
    rig.selector.close(A);
    assert_eq!(read_to_end(&mut peer), b"");
    rig.poll(Duration::ZERO);
    assert!(rig.events.is_empty());
    rig.assert_nothing_left();
}

/// Scenario: S19.
#[test]
fn a_false_report_does_not_complete_a_connect() {
    let mut rig = Rig::new();
    // A listener whose queue is full lets further connects hang.
    let full = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let full = full.expect("a socket");
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    full.bind(&any.into()).expect("a free port");
    full.listen(0).expect("listens");
    let full = TcpListener::from(full);
    let address = full.local_addr().expect("bound");
    let _first = TcpStream::connect(address).expect("the queue takes one");

    let outcome = rig.selector.connect(A, address, &ConnectOptions::default());
    outcome.expect("begins");
    let connection = rig.selector.connections.get_mut(&A).expect("connecting");
    connection.channel.note(Readiness {
        readable: true,
        writable: true,
        read_closed: false,
    });
    connection.list(&mut rig.selector.actionable);
    rig.poll(Duration::ZERO);
    assert!(rig.events.is_empty(), "{:?}", rig.events);
    assert!(!rig.selector.is_channel_ready(A));
    rig.selector
        .send(request(A, b"early"))
        .expect_err("not ready");
    assert!(
        rig.would_wait(),
        "the false report must not be acted on again"
    );
}

#[test]
fn a_connection_to_itself_is_not_a_connection() {
    // A socket that is bound to a port and connects to that port meets itself.
    let any: SocketAddr = "127.0.0.1:0".parse().expect("an address");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
    let socket = socket.expect("a socket");
    socket.bind(&any.into()).expect("a free port");
    let own = socket.local_addr().expect("bound");
    socket.connect(&own).expect("meets itself");
    let socket = Socket::accepted(mio::net::TcpStream::from_std(socket.into()));
    let outcome = socket.expect("a TCP socket").finish_connect();
    let error = outcome.expect_err("nobody listens");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
}

#[test]
fn buffer_sizes_are_set_before_the_connect() {
    let mut rig = Rig::new();
    let address = rig.listener.local_addr().expect("bound");
    let options = ConnectOptions {
        send_buffer: Some(8192),
        receive_buffer: Some(8192),
    };
    let mut socket = Socket::connect(address, &options).expect("begins");
    let _peer = rig.accept();
    let (send, receive, no_delay, keep_alive) = socket.options().expect("a TCP socket");
    // Linux doubles what it is asked for.
    assert!((8192..=16384).contains(&send), "{send}");
    assert!((8192..=16384).contains(&receive), "{receive}");
    assert!(no_delay && keep_alive);
    let token = rig.selector.tokens.issue(A);
    socket
        .register(rig.selector.poll.registry(), token)
        .expect("registers");
}

/// Scenario: S24.
#[test]
fn a_thousand_connections_leave_nothing_behind() {
    let mut rig = Rig::new();
    for round in 0..1000 {
        let mut peer = rig.connect(A);
        if round % 2 == 0 {
            rig.selector.close(A);
            assert_eq!(read_to_end(&mut peer), b"", "our end is closed for real");
        } else {
            drop(peer);
            rig.disconnected();
        }
        rig.assert_nothing_left();
    }
}

/// Scenario: S18.
#[test]
fn what_was_reported_for_a_closed_connection_does_not_reach_its_successor() {
    let mut rig = Rig::new();
    let mut old = rig.connect(A);
    let old_token = rig.selector.connections[&A].token;
    write_frames(&mut old, &[b"late"]);
    rig.selector.close(A);
    let mut new = rig.connect(A);
    assert_ne!(rig.selector.connections[&A].token, old_token);
    assert_eq!(rig.selector.tokens.find(old_token), None);
    write_frames(&mut new, &[b"new"]);
    assert_eq!(rig.receive(), (A, b"new".to_vec()));
}

#[test]
fn an_accepted_connection_is_served_like_one_that_was_made() {
    let mut rig = Rig::new();
    let address = rig.listener.local_addr().expect("bound");
    let mut client = TcpStream::connect(address).expect("listens");
    client.set_read_timeout(Some(LONG)).expect("a TCP socket");
    let accepted = rig.accept();
    accepted.set_nonblocking(true).expect("a TCP socket");
    let accepted = mio::net::TcpStream::from_std(accepted);
    rig.selector
        .register_accepted(A, accepted)
        .expect("free id");
    write_frames(&mut client, &[b"request"]);
    assert_eq!(rig.receive(), (A, b"request".to_vec()));
    rig.send(A, b"response");
    assert_eq!(read_frame(&mut client), b"response");
    drop(client);
    assert_eq!(rig.disconnected().0, A);
}
