//! What the discarding broker does with its connections: answers, and throws the records away unread.
//!
//! It offers only versions without compact encodings, which keeps it small, but all that other producers ask for. The bytes
//! of records stay in the kernel where it lets them be dropped there; of each batch only the header is read, for the totals.
//! When told to `verify` it reads everything and checks each batch's checksum.

use std::io::{self, BufRead, ErrorKind, Write};
use std::mem::MaybeUninit;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use byteorder::{BigEndian, ByteOrder};
use crc_fast::{CrcAlgorithm, Digest};
use socket2::Socket;

#[path = "asleep.rs"]
mod asleep;

use asleep::LastSleep;

/// Serves as so many brokers until standard input ends. Prints the first one's port, then one line of totals for each line that
/// it reads: `totals`, `verify`, `trust`, or `delay MICROSECONDS` before each answer to a Produce request.
pub(crate) fn serve(partitions: i32, brokers: usize) -> io::Result<()> {
    let bind = |_| TcpListener::bind(("127.0.0.1", 0));
    let listeners = (0..brokers).map(bind).collect::<io::Result<Vec<_>>>()?;
    let port = |listener: &TcpListener| Ok(listener.local_addr()?.port());
    let shared = Arc::new(Shared {
        ports: listeners.iter().map(port).collect::<io::Result<_>>()?,
        partitions,
        totals: Totals::default(),
        verify: AtomicBool::new(false),
        delay_micros: AtomicU64::new(0),
        last_sleep: LastSleep::default(),
    });
    println!("{}", shared.ports[0]);
    for listener in listeners {
        let shared = Arc::clone(&shared);
        spawn(move || {
            for stream in listener.incoming() {
                let input = stream.and_then(|stream| Incoming::new(stream.into()));
                let connection = Connection {
                    input: input.expect("loopback works"),
                    offset: 0,
                    in_step_with: None,
                    shared: Arc::clone(&shared),
                };
                spawn(move || connection.run());
            }
        });
    }
    for line in io::stdin().lock().lines() {
        shared.obey(&line?);
        println!("{}", shared.totals.line());
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a program of its own")]
fn spawn(work: impl FnOnce() + Send + 'static) {
    std::thread::spawn(work);
}

#[expect(clippy::disallowed_methods, reason = "it pretends to be far away")]
fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// What all connections share.
struct Shared {
    ports: Vec<u16>,
    partitions: i32,
    totals: Totals,
    verify: AtomicBool,
    delay_micros: AtomicU64,
    last_sleep: LastSleep,
}

impl Shared {
    fn obey(&self, line: &str) {
        match line.split_once(' ') {
            Some(("delay", micros)) => {
                let micros = micros.parse().expect("microseconds");
                self.delay_micros.store(micros, Relaxed);
            }
            _ if line == "totals" => {}
            _ => self.verify.store(line == "verify", Relaxed),
        }
    }
}

/// What has arrived over all connections since the start.
#[derive(Default)]
struct Totals {
    requests: AtomicU64,
    batches: AtomicU64,
    records: AtomicU64,
    bytes: AtomicU64,
    /// Batches whose checksum was looked at, and those where it was wrong.
    verified: AtomicU64,
    corrupt: AtomicU64,
}

impl Totals {
    fn line(&self) -> String {
        let pairs = [
            ("requests", &self.requests),
            ("batches", &self.batches),
            ("records", &self.records),
            ("bytes", &self.bytes),
            ("verified", &self.verified),
            ("corrupt", &self.corrupt),
        ];
        let pairs = pairs.map(|(name, count)| format!("\"{name}\":{}", count.load(Relaxed)));
        format!("{{{}}}", pairs.join(","))
    }
}

struct Connection {
    input: Incoming,
    offset: i64,
    /// The process that is to sleep whenever it gets an answer.
    in_step_with: Option<String>,
    shared: Arc<Shared>,
}

impl Connection {
    /// Ends when the producer hangs up, which is all that can go wrong here.
    fn run(mut self) {
        let mut answer = Vec::new();
        while self.answer_one(&mut answer).is_ok() {}
    }

    fn answer_one(&mut self, answer: &mut Vec<u8>) -> io::Result<()> {
        self.input.next_frame()?;
        let (api, version) = (self.input.i16()?, self.input.i16()?);
        let correlation_id = self.input.i32()?;
        let client_id = self.input.i16()?;
        let client_id = self.input.take(usize::try_from(client_id).unwrap_or(0))?;
        if let Some(process) = client_id.strip_prefix(IN_STEP.as_bytes()) {
            self.in_step_with = Some(String::from_utf8_lossy(process).into_owned());
        }
        answer.clear();
        put_i32(answer, 0);
        put_i32(answer, correlation_id);
        let mut expects_answer = true;
        match api {
            18 => api_versions(answer, version),
            3 => self.metadata(answer)?,
            22 => init_producer_id(answer),
            0 => expects_answer = self.produce(answer, version)?,
            _ => return Err(ErrorKind::Unsupported.into()),
        }
        self.input.end_frame()?;
        if expects_answer {
            let size = i32::try_from(answer.len() - 4).expect("answers are small");
            BigEndian::write_i32(&mut answer[..4], size);
            if let Some(process) = &self.in_step_with {
                self.shared.last_sleep.wait_for_next(process);
            }
            (&self.input.socket).write_all(answer)?;
        }
        Ok(())
    }

    /// Metadata 4: the brokers lead in turn the partitions of whatever topic is asked for.
    fn metadata(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let brokers = i32::try_from(self.shared.ports.len()).expect("few");
        put_i32(out, 0);
        put_i32(out, brokers);
        for (broker, port) in (0..).zip(&self.shared.ports) {
            put_i32(out, broker);
            put_string(out, b"127.0.0.1");
            put_i32(out, i32::from(*port));
            put_i16(out, -1);
        }
        put_string(out, b"discard");
        put_i32(out, 0);
        let topics = self.input.i32()?.max(0);
        put_i32(out, topics);
        for _ in 0..topics {
            put_i16(out, 0);
            self.input.copy_string(out)?;
            out.push(0);
            put_i32(out, self.shared.partitions);
            for partition in 0..self.shared.partitions {
                let leader = partition % brokers;
                put_i16(out, 0);
                for number in [partition, leader, 1, leader, 1, leader] {
                    put_i32(out, number);
                }
            }
        }
        Ok(())
    }

    /// Produce 3 to 8. Whether the producer wants an answer.
    fn produce(&mut self, out: &mut Vec<u8>, version: i16) -> io::Result<bool> {
        self.shared.totals.requests.fetch_add(1, Relaxed);
        let transactional_id = self.input.i16()?;
        self.input
            .skip(usize::try_from(transactional_id).unwrap_or(0))?;
        let acks = self.input.i16()?;
        self.input.i32()?;
        let topics = self.input.i32()?;
        put_i32(out, topics);
        for _ in 0..topics {
            self.input.copy_string(out)?;
            let partitions = self.input.i32()?;
            put_i32(out, partitions);
            for _ in 0..partitions {
                put_i32(out, self.input.i32()?);
                self.discard_batches()?;
                put_i16(out, 0);
                put_i64(out, self.offset);
                put_i64(out, -1);
                if version >= 5 {
                    put_i64(out, 0);
                }
                if version >= 8 {
                    put_i32(out, 0);
                    put_i16(out, -1);
                }
                self.offset += 1_000_000;
            }
        }
        put_i32(out, 0);
        match self.shared.delay_micros.load(Relaxed) {
            0 => {}
            micros => sleep(Duration::from_micros(micros)),
        }
        Ok(acks != 0)
    }

    /// The batches for one partition: format 2, or the connection ends.
    fn discard_batches(&mut self) -> io::Result<()> {
        let mut left = usize::try_from(self.input.i32()?).unwrap_or(0);
        let verify = self.shared.verify.load(Relaxed);
        let totals = &self.shared.totals;
        totals.bytes.fetch_add(left as u64, Relaxed);
        while left > 0 {
            let header = self.input.take(BATCH_HEADER)?;
            let length = usize::try_from(BigEndian::read_i32(&header[8..12])).unwrap_or(0);
            let records = BigEndian::read_u32(&header[57..61]);
            let checksum = BigEndian::read_u32(&header[17..21]);
            let digest = verify.then(|| {
                let mut digest = Digest::new(CrcAlgorithm::Crc32Iscsi);
                digest.update(&header[21..]);
                digest
            });
            if header[16] != 2 || length + 12 > left || length + 12 < BATCH_HEADER {
                return Err(ErrorKind::InvalidData.into());
            }
            totals.batches.fetch_add(1, Relaxed);
            totals.records.fetch_add(u64::from(records), Relaxed);
            let rest = length + 12 - BATCH_HEADER;
            if let Some(mut digest) = digest {
                self.input.read_each(rest, |bytes| digest.update(bytes))?;
                let wrong = digest.finalize() != u64::from(checksum);
                totals.verified.fetch_add(1, Relaxed);
                totals.corrupt.fetch_add(u64::from(wrong), Relaxed);
            } else {
                self.input.skip(rest)?;
            }
            left -= length + 12;
        }
        Ok(())
    }
}

fn api_versions(out: &mut Vec<u8>, version: i16) {
    // A newer version than 0 is answered with UNSUPPORTED_VERSION and the range of this API (KIP-511).
    put_i16(out, if version == 0 { 0 } else { 35 });
    // Fetch and FindCoordinator are offered, not served: librdkafka decides by them which batches and codecs it may write.
    let ranges: &[(i16, i16, i16)] = if version == 0 {
        &[
            (0, 3, 8),
            (1, 4, 11),
            (3, 4, 4),
            (10, 0, 2),
            (18, 0, 0),
            (22, 0, 1),
        ]
    } else {
        &[(18, 0, 0)]
    };
    put_i32(out, i32::try_from(ranges.len()).expect("few"));
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

/// Reads frame by frame what clients write: fields through a small buffer, the rest dropped.
struct Incoming {
    socket: Socket,
    buffer: Box<[u8]>,
    /// What has been read and not used.
    unread: std::ops::Range<usize>,
    /// What of the current frame has not been used, read or not.
    left_of_frame: usize,
    dropped: Box<[MaybeUninit<u8>]>,
}

impl Incoming {
    fn new(socket: Socket) -> io::Result<Self> {
        socket.set_tcp_nodelay(true)?;
        Ok(Self {
            socket,
            buffer: vec![0; 64 << 10].into(),
            unread: 0..0,
            left_of_frame: 0,
            dropped: Box::new_uninit_slice(1 << 20),
        })
    }

    fn next_frame(&mut self) -> io::Result<()> {
        self.left_of_frame = 4;
        self.left_of_frame = usize::try_from(self.i32()?).unwrap_or(0);
        Ok(())
    }

    fn end_frame(&mut self) -> io::Result<()> {
        self.skip(self.left_of_frame)
    }

    fn take(&mut self, size: usize) -> io::Result<&[u8]> {
        self.left_of_frame = self
            .left_of_frame
            .checked_sub(size)
            .ok_or(ErrorKind::InvalidData)?;
        if self.unread.len() < size {
            self.buffer.copy_within(self.unread.clone(), 0);
            self.unread = 0..self.unread.len();
            while self.unread.len() < size {
                let read = io::Read::read(&mut &self.socket, &mut self.buffer[self.unread.end..])?;
                if read == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                self.unread.end += read;
            }
        }
        let start = self.unread.start;
        self.unread.start += size;
        Ok(&self.buffer[start..start + size])
    }

    /// Shows so many bytes, piece by piece.
    fn read_each(&mut self, mut size: usize, mut show: impl FnMut(&[u8])) -> io::Result<()> {
        while size > 0 {
            let piece = self.take(size.min(self.buffer.len()))?;
            size -= piece.len();
            show(piece);
        }
        Ok(())
    }

    fn skip(&mut self, size: usize) -> io::Result<()> {
        self.left_of_frame = self
            .left_of_frame
            .checked_sub(size)
            .ok_or(ErrorKind::InvalidData)?;
        let here = size.min(self.unread.len());
        self.unread.start += here;
        let mut left = size - here;
        while left > 0 {
            let most = left.min(self.dropped.len());
            // On Linux this flag makes TCP drop the bytes without copying them; elsewhere they are copied, and not looked at.
            match self
                .socket
                .recv_with_flags(&mut self.dropped[..most], libc::MSG_TRUNC)?
            {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                read => left -= read,
            }
        }
        Ok(())
    }

    fn i16(&mut self) -> io::Result<i16> {
        Ok(BigEndian::read_i16(self.take(2)?))
    }

    fn i32(&mut self) -> io::Result<i32> {
        Ok(BigEndian::read_i32(self.take(4)?))
    }

    fn copy_string(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let size = self.i16()?;
        let text = self.take(usize::try_from(size).unwrap_or(0))?;
        put_string(out, text);
        Ok(())
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

/// From the base offset to the number of records, of a batch in format 2.
const BATCH_HEADER: usize = 61;

/// A producer whose client id is this and the number of its process gets each answer while all its threads sleep, so that what
/// it does next does not depend on who is faster.
const IN_STEP: &str = "in-step-with-";
