//! Takes connections and gives them to the broker's processor.
//!
//! Java: `core/network/SocketServer.scala`, `Acceptor`.
//! Differs: one processor for each broker, so there is nobody to choose between.
//! Threads: its own. Locks: none.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::Sender;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

use crate::common::kafka_thread;
use crate::common::sync::thread::JoinHandle;
use crate::network::selector_waker::SelectorWaker;

/// A listening socket with its thread.
#[derive(Debug)]
pub(crate) struct Acceptor {
    address: SocketAddr,
    /// Set by `stop` (Release), read by the thread after each wake-up (Acquire).
    stopping: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: JoinHandle<()>,
}

impl Acceptor {
    /// Listens on an address (port 0: any free port) and hands connections to `processor`.
    pub(crate) fn start(
        name: &str,
        address: SocketAddr,
        connections: Sender<TcpStream>,
        processor: Arc<SelectorWaker>,
    ) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let stopping = Arc::new(AtomicBool::new(false));
        let accepting = Accepting {
            poll,
            listener,
            connections,
            processor,
            stopping: Arc::clone(&stopping),
        };
        let thread = kafka_thread::spawn(
            name,
            move || accepting.run(),
            |panic| {
                log::error!("embedded broker: the acceptor panicked: {panic}");
            },
        )?;
        Ok(Self {
            address,
            stopping,
            waker,
            thread,
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops listening; returns when the port is free.
    pub(crate) fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            log::error!("embedded broker: the acceptor cannot be woken: {error}");
            return;
        }
        // A thread that panicked has said so already.
        let _ = self.thread.join();
    }
}

struct Accepting {
    poll: Poll,
    listener: TcpListener,
    connections: Sender<TcpStream>,
    processor: Arc<SelectorWaker>,
    stopping: Arc<AtomicBool>,
}

impl Accepting {
    fn run(mut self) {
        let mut events = Events::with_capacity(8);
        while !self.stopping.load(Ordering::Acquire) {
            match self.poll.poll(&mut events, None) {
                Ok(()) => self.accept_all(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::error!(
                        "embedded broker: the acceptor cannot wait for connections: {error}"
                    );
                    return;
                }
            }
        }
    }

    /// Readiness is told once: take connections until there are none.
    fn accept_all(&self) {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    let _ = self.connections.send(stream);
                    self.processor.wakeup();
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    log::warn!("embedded broker: a connection could not be taken: {error}");
                    return;
                }
            }
        }
    }
}

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
