//! From the names of brokers to addresses, without holding up the I/O thread.
//!
//! Java: `clients/ClientUtils.java`, `clients/HostResolver.java`, `clients/DefaultHostResolver.java`.
//! Differs: names are looked up on a short-lived thread, since a resolver may block for half a minute; an IP address needs
//! no lookup; canonical names (`client.dns.lookup`) are not offered, since the standard library has no reverse lookup.
//! Threads: `resolve` on any thread, `HostLookups` on the I/O thread. Locks: one leaf, for the results.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use crate::common::cluster::{Node, NodeId};
use crate::common::error_kind::ErrorKind;
use crate::common::kafka_error::KafkaError;
use crate::common::kafka_thread;
use crate::common::sync::{Mutex, Rank};
use crate::network::selector_waker::SelectorWaker;

/// Knows the addresses of host names.
pub(crate) trait HostResolver: Send + Sync + fmt::Debug {
    /// All addresses of a host, best first. May block.
    ///
    /// # Errors
    /// Where the name is not known, or nobody could be asked.
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;

    /// Whether `resolve` may block, so that the I/O thread must not call it.
    fn may_block(&self) -> bool {
        true
    }
}

/// The operating system's resolver; IPv4 comes first, as in Java, where the two families differ in what they reach.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct DefaultHostResolver;

impl HostResolver for DefaultHostResolver {
    fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let mut addresses: Vec<_> = (host, port).to_socket_addrs()?.collect();
        addresses.sort_by_key(SocketAddr::is_ipv6);
        Ok(addresses)
    }
}

/// `bootstrap.servers` as nodes -1, -2, and so on. Blocks while names are looked up.
///
/// # Errors
/// Where an entry is no address, or none of the names can be resolved.
pub(crate) fn parse_and_validate_addresses(
    servers: &[String],
    resolver: &dyn HostResolver,
) -> Result<Vec<Node>, KafkaError> {
    let mut found: Vec<(String, u16)> = Vec::new();
    for entry in servers.iter().map(|entry| entry.trim()) {
        if entry.is_empty() {
            continue;
        }
        let (host, port) = parse_address(entry)?;
        match addresses_of(resolver, host, port) {
            Ok(_) => found.push((host.to_owned(), port)),
            Err(reason) => log::warn!("skipping {entry} of bootstrap.servers: {reason}"),
        }
    }
    if found.is_empty() {
        return Err(config_error(format!(
            "bootstrap.servers has no entry that can be resolved: {}",
            servers.join(",")
        )));
    }
    Ok(bootstrap_nodes(found))
}

/// Ids count down from -1; an entry that stands twice is one node.
fn bootstrap_nodes(mut servers: Vec<(String, u16)>) -> Vec<Node> {
    let mut seen = Vec::with_capacity(servers.len());
    servers.retain(|server| {
        let is_first = !seen.contains(server);
        seen.push(server.clone());
        is_first
    });
    (1..)
        .zip(servers)
        .map(|(number, (host, port)): (i32, _)| Node::new(-number, host, port))
        .collect()
}

/// Host and port of `host:port`, `[v6]:port` or `scheme://host:port`.
fn parse_address(entry: &str) -> Result<(&str, u16), KafkaError> {
    let invalid = |what: &str| {
        config_error(format!(
            "bootstrap.servers has {what} in {entry:?}, host:port is expected"
        ))
    };
    let address = entry.split_once("://").map_or(entry, |(_, rest)| rest);
    let (host, port) = address.rsplit_once(':').ok_or_else(|| invalid("no port"))?;
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._%:".contains(c);
    if host.is_empty() || !host.chars().all(is_name) {
        return Err(invalid("no valid host"));
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok((host, port)),
        _ => Err(invalid("a port outside 1 to 65535")),
    }
}

/// The addresses to try; only those of the family that the resolver prefers.
fn addresses_of(
    resolver: &dyn HostResolver,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, String> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let mut addresses = resolver
        .resolve(host, port)
        .map_err(|error| format!("cannot resolve {host}: {error}"))?;
    let Some(first) = addresses.first().copied() else {
        return Err(format!("cannot resolve {host}: it has no address"));
    };
    addresses.retain(|address| address.is_ipv4() == first.is_ipv4());
    Ok(addresses)
}

fn config_error(message: String) -> KafkaError {
    KafkaError::new(ErrorKind::Config, message)
}

/// The lookups of one client, at most one per host at a time.
#[derive(Debug)]
pub(crate) struct HostLookups {
    resolver: Arc<dyn HostResolver>,
    waker: Arc<SelectorWaker>,
    under_way: Vec<UnderWay>,
    finished: Arc<Mutex<Vec<Finished>>>,
}

/// A lookup and the nodes that wait for it.
#[derive(Debug)]
struct UnderWay {
    host: Arc<str>,
    port: u16,
    nodes: Vec<NodeId>,
}

#[derive(Debug)]
struct Finished {
    host: Arc<str>,
    port: u16,
    result: LookupResult,
}

/// A lookup that is done, and the nodes that waited for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Lookup {
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) host: Arc<str>,
    pub(crate) port: u16,
    pub(crate) result: LookupResult,
}

/// The addresses of a host, or why there are none.
pub(crate) type LookupResult = Result<Vec<SocketAddr>, String>;

impl HostLookups {
    pub(crate) fn new(resolver: Arc<dyn HostResolver>, waker: Arc<SelectorWaker>) -> Self {
        Self {
            resolver,
            waker,
            under_way: Vec::new(),
            finished: Arc::new(Mutex::new(Rank::Leaf, Vec::new())),
        }
    }

    /// The addresses of a host for `node`, or nothing: then they come later through [`poll`](Self::poll).
    pub(crate) fn look_up(
        &mut self,
        node: NodeId,
        host: &Arc<str>,
        port: u16,
    ) -> Option<LookupResult> {
        if !self.resolver.may_block() || host.parse::<IpAddr>().is_ok() {
            return Some(addresses_of(&*self.resolver, host, port));
        }
        let mut lookups = self.under_way.iter_mut();
        if let Some(same) = lookups.find(|l| l.host == *host && l.port == port) {
            if !same.nodes.contains(&node) {
                same.nodes.push(node);
            }
            return None;
        }
        if let Err(error) = self.start(Arc::clone(host), port) {
            return Some(Err(format!("cannot look up {host}: {error}")));
        }
        self.under_way.push(UnderWay {
            host: Arc::clone(host),
            port,
            nodes: vec![node],
        });
        None
    }

    /// Takes a lookup that is done.
    pub(crate) fn poll(&mut self) -> Option<Lookup> {
        if self.under_way.is_empty() {
            return None;
        }
        let done = self.finished.lock().pop()?;
        let mut lookups = self.under_way.iter();
        let at = lookups.position(|l| l.host == done.host && l.port == done.port)?;
        Some(Lookup {
            nodes: self.under_way.swap_remove(at).nodes,
            host: done.host,
            port: done.port,
            result: done.result,
        })
    }

    fn start(&self, host: Arc<str>, port: u16) -> io::Result<()> {
        let name = format!("kafka-host-lookup | {host}");
        let resolver = Arc::clone(&self.resolver);
        let answer = Answer {
            host,
            port,
            finished: Arc::clone(&self.finished),
            waker: Arc::clone(&self.waker),
        };
        let panicked = answer.clone();
        kafka_thread::spawn(
            &name,
            move || answer.give(addresses_of(&*resolver, &answer.host, port)),
            move |panic| panicked.give(Err(format!("the resolver panicked: {panic}"))),
        )?;
        Ok(())
    }
}

/// Hands a result back to the I/O thread.
#[derive(Clone)]
struct Answer {
    host: Arc<str>,
    port: u16,
    finished: Arc<Mutex<Vec<Finished>>>,
    waker: Arc<SelectorWaker>,
}

impl Answer {
    fn give(&self, result: LookupResult) {
        self.finished.lock().push(Finished {
            host: Arc::clone(&self.host),
            port: self.port,
            result,
        });
        self.waker.wakeup();
    }
}

#[cfg(test)]
mod tests;
