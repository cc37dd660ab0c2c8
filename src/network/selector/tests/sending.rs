//! Frames on their way out.

use std::collections::HashMap;

use super::*;

/// Java: `SelectorTest.testSendWhileInProgress`, `testCantSendWithoutConnecting`. Scenario: S02.
#[test]
fn a_second_frame_before_the_first_is_out_ends_the_connection() {
    let mut rig = Rig::new();
    rig.selector
        .send(request(A, b"x"))
        .expect_err("no such connection");
    let _peer = rig.connect(A);
    let huge = vec![1; 64 << 20];
    assert_eq!(rig.send(A, &huge), SendProgress::Pending);
    rig.selector
        .send(request(A, b"second"))
        .expect_err("one at a time");
    rig.poll(LONG);
    let [(A, ChannelState::FailedSend)] = rig.events.disconnected[..] else {
        panic!("{:?}", rig.events);
    };
    rig.assert_nothing_left();
}

/// Java: `SelectorTest.testNormalOperation`. Scenario: S04.
#[test]
fn five_servers_answer_five_hundred_requests_in_order() {
    let mut rig = Rig::new();
    let nodes: Vec<NodeId> = (1..=5).map(NodeId).collect();
    let mut servers = Vec::new();
    for id in &nodes {
        servers.push(echo(rig.connect(*id)));
    }
    let text = |id: NodeId, n: usize| format!("{id}-{n}").into_bytes();
    let mut answered: HashMap<NodeId, usize> = HashMap::new();
    for id in &nodes {
        rig.send(*id, &text(*id, 0));
    }
    while answered.values().sum::<usize>() < 500 {
        rig.poll_until(|events| !events.completed_receives.is_empty());
        for receive in std::mem::take(&mut rig.events.completed_receives) {
            let n = answered.entry(receive.source).or_default();
            assert_eq!(*receive.payload, text(receive.source, *n));
            *n += 1;
            if *n < 100 {
                rig.send(receive.source, &text(receive.source, *n));
            }
        }
    }
    rig.selector.close_all();
    rig.assert_nothing_left();
    for server in servers {
        server.join().expect("ends with its connection");
    }
}

/// Java: `SelectorTest.testLargeMessageSequence`, `testPartialSendAndReceiveReported`. Scenario: S05, S06.
#[test]
fn a_large_frame_goes_out_and_comes_in_over_many_polls() {
    let mut rig = Rig::new();
    let address = rig.listener.local_addr().expect("bound");
    let tiny = ConnectOptions {
        send_buffer: Some(4096),
        receive_buffer: Some(4096),
    };
    rig.selector.connect(A, address, &tiny).expect("begins");
    rig.poll_until(|events| events.connected == [A]);
    let server = echo(rig.accept());
    for frame in [vec![3; 10 << 20], Vec::new(), vec![4], vec![5; 1 << 20]] {
        let large = frame.len() > 1;
        let progress = rig.send(A, &frame);
        assert_eq!(progress == SendProgress::Pending, large);
        let before = rig.selector.waker.poll_count();
        let mut completed_sends = 0;
        let mut answer = Vec::new();
        while answer.is_empty() {
            rig.poll_until(|events| !events.is_empty());
            completed_sends += rig.events.completed_sends.len();
            answer.append(&mut rig.events.completed_receives);
        }
        assert_eq!(completed_sends, usize::from(large));
        assert!(*answer[0].payload == frame[..], "the bytes differ");
        let polls = rig.selector.waker.poll_count() - before;
        assert!(!large || polls > 1);
    }
    drop(rig);
    server.join().expect("ends with its connection");
}

#[test]
fn a_frame_of_more_segments_than_one_write_takes_goes_out_without_a_report() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    let mut segments = vec![Payload::new(3000_u32.to_be_bytes().to_vec())];
    segments.extend((0..3000).map(|n: u16| Payload::new(vec![n.to_be_bytes()[1]])));
    let send = NetworkSend::new(A, segments);
    assert_eq!(
        rig.selector.send(send).expect("open"),
        SendProgress::Pending
    );
    for _ in 0..2 {
        assert!(!rig.would_wait(), "the socket takes more");
        rig.poll(LONG);
    }
    assert_eq!(rig.events.completed_sends, [A]);
    let expected: Vec<u8> = (0..3000).map(|n: u16| n.to_be_bytes()[1]).collect();
    assert_eq!(read_frame(&mut peer), expected);
}

/// Scenario: S07.
#[test]
fn what_a_poll_brought_is_gone_with_the_next() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    write_frames(&mut peer, &[b"x"]);
    rig.receive();
    rig.poll(Duration::ZERO);
    assert!(rig.events.is_empty());
}

#[test]
fn a_request_and_its_answer_cost_one_poll() {
    let mut rig = Rig::new();
    let mut peer = rig.connect(A);
    rig.poll(Duration::ZERO);
    for _ in 0..10 {
        assert_eq!(
            rig.send(A, b"request"),
            SendProgress::Done,
            "written at once"
        );
        assert!(rig.would_wait(), "nothing is left to be done");
        assert_eq!(read_frame(&mut peer), b"request");
        write_frames(&mut peer, &[b"answer"]);
        let before = rig.selector.waker.poll_count();
        assert_eq!(rig.receive(), (A, b"answer".to_vec()));
        assert_eq!(rig.selector.waker.poll_count() - before, 1);
        assert!(rig.would_wait(), "one read has emptied the socket");
    }
}

#[test]
fn a_write_to_a_lost_connection_is_reported_as_its_end() {
    let mut rig = Rig::new();
    let peer = rig.connect(A);
    socket2::SockRef::from(&peer)
        .set_linger(Some(Duration::ZERO))
        .expect("a TCP socket");
    drop(peer);
    while rig.selector.connections.contains_key(&A) {
        // The reset may not have arrived yet: then the write is accepted.
        rig.send(A, b"x");
    }
    assert_eq!(rig.disconnected().0, A);
    rig.assert_nothing_left();
}

/// Counts what is given back.
#[derive(Default)]
struct Given(std::sync::atomic::AtomicUsize);

impl crate::common::payload::Lender for Given {
    fn take_back(&self, memory: Vec<u8>) {
        self.0
            .fetch_add(memory.len(), std::sync::atomic::Ordering::SeqCst);
    }
}

/// Scenario: NW2.
#[test]
fn a_connection_lost_in_the_middle_of_a_frame_gives_its_memory_back_once() {
    let mut rig = Rig::new();
    let peer = rig.connect(A);
    let given = Arc::new(Given::default());
    let given_back = || given.0.load(std::sync::atomic::Ordering::SeqCst);
    let size = 64 << 20;
    let segment = Payload::lent(vec![0; size], given.clone());
    let batch = segment.clone();
    let send = NetworkSend::new(A, vec![segment]);
    assert_eq!(
        rig.selector.send(send).expect("open"),
        SendProgress::Pending
    );
    drop(peer);
    rig.disconnected();
    assert_eq!(given_back(), 0, "the batch still has it");
    drop(batch);
    assert_eq!(given_back(), size);
}
