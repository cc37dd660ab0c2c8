//! A broker that answers what a producer asks and throws the records away: what is left to measure is the producer.
//!
//! It offers only versions without compact encodings, which keeps it small. One thread for each connection; it runs in a
//! process of its own (the benchmark starts itself again), so that its work never counts as the producer's.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use byteorder::{BigEndian, ByteOrder};

/// A discarding broker in a process of its own, ended when this is dropped.
pub(crate) struct Broker {
    process: Child,
    port: u16,
}

impl Broker {
    /// What this very program is started with again to be the broker.
    pub(crate) const ARGUMENT: &str = "--discard-broker";

    pub(crate) fn start(partitions: i32) -> Self {
        let program = std::env::current_exe().expect("this program");
        let mut process = Command::new(program)
            .args([Self::ARGUMENT, &partitions.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the broker starts");
        let mut line = String::new();
        let output = process.stdout.take().expect("piped");
        BufReader::new(output)
            .read_line(&mut line)
            .expect("the broker says its port");
        Self {
            process,
            port: line.trim().parse().expect("a port"),
        }
    }

    /// What a producer connects to.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Serves until the process is ended. Prints the port on standard output.
pub(crate) fn serve(partitions: i32) -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let port = listener.local_addr()?.port();
    println!("{port}");
    for stream in listener.incoming() {
        let stream = stream?;
        #[expect(clippy::disallowed_methods, reason = "a program of its own")]
        std::thread::spawn(move || {
            Connection {
                stream,
                port,
                partitions,
                offset: 0,
            }
            .run()
        });
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    port: u16,
    partitions: i32,
    offset: i64,
}

impl Connection {
    /// Ends when the producer hangs up, which is all that can go wrong here.
    fn run(mut self) {
        let _ = self.stream.set_nodelay(true);
        let mut frame = Vec::new();
        while self.read_frame(&mut frame).is_ok() {
            let request = Request::parse(&frame);
            let mut answer = vec![0; 4];
            answer.extend_from_slice(&request.correlation_id.to_be_bytes());
            match request.api {
                18 => api_versions(&mut answer, request.version),
                3 => self.metadata(&mut answer, request.body),
                22 => init_producer_id(&mut answer),
                0 => self.produce(&mut answer, request.body),
                _ => return,
            }
            let size = i32::try_from(answer.len() - 4).expect("answers are small");
            BigEndian::write_i32(&mut answer[..4], size);
            if self.stream.write_all(&answer).is_err() {
                return;
            }
        }
    }

    fn read_frame(&mut self, frame: &mut Vec<u8>) -> io::Result<()> {
        let mut size = [0; 4];
        self.stream.read_exact(&mut size)?;
        frame.resize(
            usize::try_from(i32::from_be_bytes(size)).expect("our own client"),
            0,
        );
        self.stream.read_exact(frame)
    }

    /// Metadata 4: this broker leads every partition of whatever topic is asked for.
    fn metadata(&self, out: &mut Vec<u8>, mut body: Cursor<'_>) {
        put_i32(out, 0);
        put_i32(out, 1);
        put_i32(out, 0);
        put_string(out, b"127.0.0.1");
        put_i32(out, i32::from(self.port));
        put_i16(out, -1);
        put_string(out, b"discard");
        put_i32(out, 0);
        let topics = body.i32().max(0);
        put_i32(out, topics);
        for _ in 0..topics {
            put_i16(out, 0);
            put_string(out, body.string());
            out.push(0);
            put_i32(out, self.partitions);
            for partition in 0..self.partitions {
                put_i16(out, 0);
                for number in [partition, 0, 1, 0, 1, 0] {
                    put_i32(out, number);
                }
            }
        }
    }

    /// Produce 8: counts offsets on, without looking at the records.
    fn produce(&mut self, out: &mut Vec<u8>, mut body: Cursor<'_>) {
        body.string();
        body.i16();
        body.i32();
        let topics = body.i32();
        put_i32(out, topics);
        for _ in 0..topics {
            put_string(out, body.string());
            let partitions = body.i32();
            put_i32(out, partitions);
            for _ in 0..partitions {
                put_i32(out, body.i32());
                body.bytes();
                put_i16(out, 0);
                put_i64(out, self.offset);
                put_i64(out, -1);
                put_i64(out, 0);
                put_i32(out, 0);
                put_i16(out, -1);
                self.offset += 1_000_000;
            }
        }
        put_i32(out, 0);
    }
}

fn api_versions(out: &mut Vec<u8>, version: i16) {
    // A newer version than 0 is answered with UNSUPPORTED_VERSION and the range of this API (KIP-511).
    put_i16(out, if version == 0 { 0 } else { 35 });
    let ranges: &[(i16, i16, i16)] = if version == 0 {
        &[(0, 3, 8), (3, 4, 4), (18, 0, 0), (22, 0, 1)]
    } else {
        &[(18, 0, 0)]
    };
    put_i32(out, i32::try_from(ranges.len()).expect("four"));
    for (api, lowest, highest) in ranges {
        put_i16(out, *api);
        put_i16(out, *lowest);
        put_i16(out, *highest);
    }
}

fn init_producer_id(out: &mut Vec<u8>) {
    put_i32(out, 0);
    put_i16(out, 0);
    put_i64(out, 4242);
    put_i16(out, 0);
}

struct Request<'a> {
    api: i16,
    version: i16,
    correlation_id: i32,
    body: Cursor<'a>,
}

impl<'a> Request<'a> {
    fn parse(frame: &'a [u8]) -> Self {
        let mut cursor = Cursor(frame);
        let (api, version, correlation_id) = (cursor.i16(), cursor.i16(), cursor.i32());
        cursor.string();
        Self {
            api,
            version,
            correlation_id,
            body: cursor,
        }
    }
}

/// Reads what our own client wrote; anything else may panic this connection's thread.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, size: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(size);
        self.0 = rest;
        taken
    }

    fn i16(&mut self) -> i16 {
        BigEndian::read_i16(self.take(2))
    }

    fn i32(&mut self) -> i32 {
        BigEndian::read_i32(self.take(4))
    }

    fn string(&mut self) -> &'a [u8] {
        let size = self.i16();
        self.take(usize::try_from(size).unwrap_or(0))
    }

    fn bytes(&mut self) -> &'a [u8] {
        let size = self.i32();
        self.take(usize::try_from(size).unwrap_or(0))
    }
}

fn put_i16(out: &mut Vec<u8>, value: i16) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_i32(out: &mut Vec<u8>, value: i32) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_i64(out: &mut Vec<u8>, value: i64) {
    out.extend_from_slice(&value.to_be_bytes());
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    put_i16(out, i16::try_from(text.len()).expect("names are short"));
    out.extend_from_slice(text);
}
