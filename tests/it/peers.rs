//! Peers that are no brokers, or bad ones.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// A listener on loopback that treats every connection the same way.
pub(crate) struct Peer {
    address: String,
    stopping: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Peer {
    /// Runs `behaviour` for each connection, on a thread of its own.
    pub(crate) fn start(behaviour: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound").to_string();
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, behaviour) = (Arc::clone(&stopping), Arc::new(behaviour));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let Ok(stream) = stream else { return };
                let behaviour = Arc::clone(&behaviour);
                thread::spawn(move || behaviour(stream));
            }
        });
        Self {
            address,
            stopping,
            acceptor: Some(acceptor),
        }
    }

    /// Accepts and never says a word.
    pub(crate) fn silent() -> Self {
        Self::start(|mut stream| {
            let mut sink = [0; 1024];
            while stream.read(&mut sink).is_ok_and(|read| read > 0) {}
        })
    }

    /// Reads one request and hangs up.
    pub(crate) fn hangs_up() -> Self {
        Self::start(|mut stream| {
            read_frame(&mut stream);
        })
    }

    /// Answers whatever comes first with these bytes, and keeps the connection.
    pub(crate) fn answers(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::start(move |mut stream| {
            if read_frame(&mut stream).is_some() && stream.write_all(&bytes).is_ok() {
                let mut sink = [0; 1024];
                while stream.read(&mut sink).is_ok_and(|read| read > 0) {}
            }
        })
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::Release);
        // One more connection ends the wait for connections.
        if TcpStream::connect(&self.address).is_ok() {
            if let Some(acceptor) = self.acceptor.take() {
                acceptor.join().expect("an acceptor does not panic");
            }
        }
    }
}

/// A request frame without its size, or nothing where the connection ends first.
pub(crate) fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut size = [0; 4];
    stream.read_exact(&mut size).ok()?;
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(size)).ok()?];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

/// A port on which nobody listens.
pub(crate) fn closed_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.local_addr().expect("bound").to_string()
}
