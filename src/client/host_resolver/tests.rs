//! What the host resolver promises.

use std::collections::HashMap;

use super::*;
use crate::common::sync::Condvar;

/// Names with addresses, without the operating system.
#[derive(Debug, Default)]
struct Names {
    addresses: HashMap<&'static str, Vec<&'static str>>,
}

impl HostResolver for Names {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = self.addresses.get(host);
        let ips = found.ok_or_else(|| io::Error::other("no such host"))?;
        let address = |ip: &&str| SocketAddr::new(ip.parse().expect("an address"), port);
        Ok(ips.iter().map(address).collect())
    }

    fn may_block(&self) -> bool {
        false
    }
}

fn names() -> Names {
    Names {
        addresses: HashMap::from([
            ("kafka.example", vec!["10.0.0.1", "10.0.0.2"]),
            ("mixed.example", vec!["::1", "10.0.0.1", "::2"]),
            ("empty.example", vec![]),
        ]),
    }
}

fn parse(servers: &[&str]) -> Result<Vec<(i32, String, u16)>, String> {
    let servers: Vec<_> = servers.iter().map(|s| (*s).to_owned()).collect();
    parse_and_validate_addresses(&servers, &names())
        .map(|nodes| {
            let parts = |node: &Node| (node.id(), node.host().to_owned(), node.port());
            nodes.iter().map(parts).collect()
        })
        .map_err(|error| error.message().to_owned())
}

fn server(id: i32, host: &str, port: u16) -> (i32, String, u16) {
    (id, host.to_owned(), port)
}

/// Java: `ClientUtilsTest.testParseAndValidateAddresses`, `testValidBrokerAddress`, `testGetHost`, `testGetPort`.
/// Scenario: C11.
#[test]
fn bootstrap_servers_are_hosts_and_ports() {
    assert_eq!(
        parse(&[
            "127.0.0.1:8000",
            "kafka.example:9092",
            "[::1]:9093",
            "PLAINTEXT://10.0.0.7:1",
            "2001:db8::1:65535",
            " kafka.example:9093 ",
            "",
        ]),
        Ok(vec![
            server(-1, "127.0.0.1", 8000),
            server(-2, "kafka.example", 9092),
            server(-3, "::1", 9093),
            server(-4, "10.0.0.7", 1),
            server(-5, "2001:db8::1", 65535),
            server(-6, "kafka.example", 9093),
        ])
    );
}

/// Java: `ClientUtilsTest.testInvalidConfig`, `testNoPort`, `testInvalidPort`, `testInvalidBrokerAddress`.
/// Scenario: C11 (errors).
#[test]
fn what_is_no_host_and_port_is_refused_by_name() {
    for (entry, what) in [
        ("127.0.0.1", "no port"),
        ("kafka.example:", "a port outside 1 to 65535"),
        ("kafka.example:70000", "a port outside 1 to 65535"),
        ("kafka.example:0", "a port outside 1 to 65535"),
        ("kafka.example:abc", "a port outside 1 to 65535"),
        (":9092", "no valid host"),
        ("a b:9092", "no valid host"),
        ("http://:9092", "no valid host"),
    ] {
        assert_eq!(
            parse(&[entry]),
            Err(format!(
                "bootstrap.servers has {what} in {entry:?}, host:port is expected"
            ))
        );
    }
}

/// Java: `ClientUtilsTest.testOnlyBadHostname`, `testFilterPreferredAddresses`. Scenario: C11 (unknown hosts).
#[test]
fn unknown_hosts_are_skipped_and_duplicates_are_one_node() {
    let good = parse(&["nowhere.example:1", "kafka.example:2", "kafka.example:2"]);
    assert_eq!(good, Ok(vec![server(-1, "kafka.example", 2)]));
    assert_eq!(
        parse(&["nowhere.example:1", "empty.example:1"]),
        Err(
            "bootstrap.servers has no entry that can be resolved: nowhere.example:1,empty.example:1"
                .to_owned()
        )
    );
    assert!(parse(&[]).is_err() && parse(&["", " "]).is_err());
}

/// Java: `ClientUtilsTest.testFilterPreferredAddresses`, `ClusterConnectionStatesTest.testMultipleIPsWithMixed..`.
/// Scenario: C08.
#[test]
fn only_addresses_of_the_first_ones_family_are_used() {
    let addresses = addresses_of(&names(), "mixed.example", 9092).expect("known");
    let ips: Vec<_> = addresses.iter().map(|a| a.ip().to_string()).collect();
    assert_eq!(ips, ["::1", "::2"]);
}

/// A resolver that blocks until the test lets it go.
#[derive(Debug)]
struct Blocking {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl HostResolver for Blocking {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut is_open = self.is_open.lock();
        while !*is_open {
            self.opened.wait(&mut is_open);
        }
        assert_ne!(host, "panic.example", "as told");
        Ok(vec![SocketAddr::from(([10, 0, 0, 9], port))])
    }
}

/// Java: none: there the I/O thread blocks.
#[test]
fn a_lookup_that_blocks_holds_up_nobody() {
    let resolver = Arc::new(Blocking {
        is_open: Mutex::new(Rank::Leaf, false),
        opened: Condvar::new(),
    });
    let (wake, woken) = std::sync::mpsc::channel();
    let wake = Mutex::new(Rank::Leaf, wake);
    let waker = Arc::new(SelectorWaker::new(move || {
        wake.lock().send(()).expect("awaited");
    }));
    let mut lookups = HostLookups::new(Arc::clone(&resolver) as _, Arc::clone(&waker));
    let host: Arc<str> = "slow.example".into();
    let literal = lookups.look_up(NodeId(9), &"10.1.2.3".into(), 1);
    assert_eq!(literal, Some(Ok(vec!["10.1.2.3:1".parse().expect("v4")])));
    assert_eq!(lookups.look_up(NodeId(1), &host, 9092), None);
    assert_eq!(lookups.look_up(NodeId(2), &host, 9092), None);
    assert_eq!(lookups.look_up(NodeId(1), &host, 9092), None);
    assert_eq!(lookups.under_way.len(), 1, "one lookup for all");
    assert_eq!(lookups.poll(), None);
    assert!(waker.begin_sleep());
    *resolver.is_open.lock() = true;
    resolver.opened.notify_all();
    woken.recv().expect("the I/O thread is woken");
    let address = SocketAddr::from(([10, 0, 0, 9], 9092));
    let expected = Lookup {
        nodes: vec![NodeId(1), NodeId(2)],
        host,
        port: 9092,
        result: Ok(vec![address]),
    };
    assert_eq!(lookups.poll(), Some(expected));
    assert_eq!(lookups.poll(), None);
    assert!(waker.end_sleep() && waker.begin_sleep());
    lookups.look_up(NodeId(3), &"panic.example".into(), 1);
    woken.recv().expect("also after a panic");
    let done = lookups.poll().expect("done");
    assert_eq!(done.nodes, [NodeId(3)]);
    let reason = done.result.expect_err("failed");
    assert!(reason.contains("the resolver panicked"), "{reason}");
}

/// Java: `InetAddress.getAllByName` with its default order. "localhost" would otherwise mean `::1` alone.
#[test]
fn the_operating_systems_answer_has_ipv4_first() {
    let addresses = DefaultHostResolver.resolve("localhost", 9092);
    let addresses = addresses.expect("every machine knows itself");
    assert!(
        addresses.is_sorted_by_key(SocketAddr::is_ipv6),
        "{addresses:?}"
    );
}
