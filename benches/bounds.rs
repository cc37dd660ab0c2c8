//! Whether calls that wait come back in time: each against brokers that are absent, silent or frozen, on real sockets.
//!
//! `cargo bench --all-features --bench bounds`, or with `-- 2000` for fewer calls than 10,000. Says for each call by how
//! much it outstayed its limit. The first line says the same of plain sleeping threads, which is the machine's own part: on
//! a busy machine run the program under `chrt -r 1`.

use std::collections::BTreeMap;
use std::env;
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use ottla::embedded::EmbeddedCluster;
use ottla::{ConsumerGroupMetadata, ErrorKind, FutureRecordMetadata, KafkaError, KafkaProducer};
use ottla::{OffsetAndMetadata, ProducerRecord, TopicPartition};

type Producer = KafkaProducer<[u8], [u8]>;

const CALLS: usize = 10_000;
const ALLOWED: Duration = Duration::from_millis(50);
const WORKERS: usize = 8;
const REPEATS: usize = 6;
const MAX_BLOCK: Duration = Duration::from_millis(40);
const TOPIC: &str = "known";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if !arguments.iter().any(|word| word == "--bench") {
        println!("nothing is measured outside of `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let wanted = arguments.iter().find_map(|word| word.parse().ok());
    let lateness = measure(wanted.unwrap_or(CALLS));
    lateness.print();
    let over = lateness.all().filter(|late| **late > ALLOWED).count();
    let (calls, allowed) = (lateness.total(), ALLOWED.as_millis());
    println!("{calls} calls, {over} of them more than {allowed} ms late");
    ExitCode::from(u8::from(over > 0))
}

/// By how much the calls of each kind outstayed their limits.
#[derive(Default)]
struct Lateness {
    calls: BTreeMap<String, Vec<Duration>>,
    /// Calls that did not run into their limit, though they should have.
    surprises: BTreeMap<String, String>,
}

impl Lateness {
    /// A call that cannot succeed, so it has to wait until its limit.
    fn of<T>(&mut self, name: &str, limit: Duration, call: impl FnOnce() -> Result<T, KafkaError>) {
        let began = now();
        let outcome = call();
        self.note(name, began.elapsed().saturating_sub(limit));
        let surprise = match outcome {
            Err(error) if ran_out(error.kind()) => return,
            Err(error) => error.to_string(),
            Ok(_) => "it succeeded".to_owned(),
        };
        self.surprises.insert(name.to_owned(), surprise);
    }

    fn close(&mut self, name: &str, producer: &Producer) {
        let (limit, began) = (some_limit(self.total()), now());
        let closed = producer.close(limit);
        self.note(name, began.elapsed().saturating_sub(limit));
        let _report = closed.expect("the I/O thread lives");
    }

    fn note(&mut self, name: &str, late: Duration) {
        self.calls.entry(name.to_owned()).or_default().push(late);
    }

    /// Of all calls of ours.
    fn all(&self) -> impl Iterator<Item = &Duration> {
        let ours = self.calls.iter().filter(|(name, _)| *name != SLEEP);
        ours.flat_map(|(_, late)| late)
    }

    fn total(&self) -> usize {
        self.all().count()
    }

    fn absorb(&mut self, other: Self) {
        for (name, late) in other.calls {
            self.calls.entry(name).or_default().extend(late);
        }
        self.surprises.extend(other.surprises);
    }

    fn print(&self) {
        println!("late by, in ms: median, 99 %, worst");
        for (name, late) in &self.calls {
            let mut late: Vec<f64> = late.iter().map(|late| late.as_secs_f64() * 1e3).collect();
            late.sort_by(f64::total_cmp);
            let at = |part: f64| late[((late.len() - 1) as f64 * part) as usize];
            let (calls, median, most, worst) = (late.len(), at(0.5), at(0.99), at(1.0));
            println!("{name:52} {calls:6} calls {median:8.2} {most:8.2} {worst:8.2}");
        }
        for (name, surprise) in &self.surprises {
            println!("{name}: {surprise}");
        }
    }
}

fn ran_out(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Timeout | ErrorKind::BufferExhausted)
}

const SLEEP: &str = " a thread that sleeps";

/// The brokers of all rounds; nobody accepts what `silent` is offered.
struct Peers {
    absent: String,
    silent: TcpListener,
    cluster: EmbeddedCluster,
}

/// Rounds of all calls by several threads at once, until there are as many as are wanted.
fn measure(wanted: usize) -> Lateness {
    let listener = || TcpListener::bind("127.0.0.1:0").expect("loopback works");
    let cluster = EmbeddedCluster::builder().brokers(3).topic(TOPIC, 4);
    let peers = Peers {
        absent: address(&listener()),
        silent: listener(),
        cluster: cluster.start().expect("the cluster starts"),
    };
    let mut all = Lateness::default();
    let mut round = 0;
    while all.total() < wanted {
        round += 1;
        all.absorb(peers.round(round));
    }
    all
}

impl Peers {
    fn round(&self, round: usize) -> Lateness {
        let (ready, frozen) = (Barrier::new(WORKERS + 1), Barrier::new(WORKERS + 1));
        let mut all = Lateness::default();
        thread::scope(|scope| {
            let workers = (0..WORKERS).map(|worker| {
                let (ready, frozen) = (&ready, &frozen);
                scope.spawn(move || {
                    let acquainted = Frozen::new(&self.cluster, &format!("{round}-{worker}"));
                    ready.wait();
                    frozen.wait();
                    self.work(&acquainted)
                })
            });
            let workers: Vec<_> = workers.collect();
            ready.wait();
            (1..=3).for_each(|broker| assert!(self.cluster.pause_broker(broker)));
            frozen.wait();
            for worker in workers {
                all.absorb(worker.join().expect("no panic"));
            }
        });
        (1..=3).for_each(|broker| assert!(self.cluster.resume_broker(broker)));
        all
    }

    fn work(&self, acquainted: &Frozen) -> Lateness {
        let mut late = Lateness::default();
        sleep(&mut late);
        unreachable(&mut late, "absent", &self.absent);
        unreachable(&mut late, "silent", &address(&self.silent));
        acquainted.measure(&mut late);
        late
    }
}

fn sleep(late: &mut Lateness) {
    for number in 0..REPEATS {
        let (limit, began) = (some_limit(number), now());
        #[expect(clippy::disallowed_methods, reason = "the machine is measured too")]
        thread::sleep(limit);
        late.note(SLEEP, began.elapsed().saturating_sub(limit));
    }
}

/// All that can be called before any broker has answered.
fn unreachable(late: &mut Lateness, peer: &str, address: &str) {
    let named = |call: &str| format!("{peer}: {call}");
    let producer = open(address, &[]);
    for number in 0..REPEATS {
        let limit = some_limit(number);
        late.of(&named("send"), MAX_BLOCK, || refused(producer.send(one())));
        late.of(&named("send_timeout"), limit, || {
            refused(producer.send_timeout(one(), limit))
        });
        late.of(&named("partitions_for"), MAX_BLOCK, || {
            producer.partitions_for(TOPIC)
        });
    }
    late.close(&named("close"), &producer);
    let producer = open(address, &[("transactional.id", "bounds")]);
    for number in 0..REPEATS {
        let limit = some_limit(number);
        late.of(&named("init_transactions"), MAX_BLOCK, || {
            producer.init_transactions()
        });
        late.of(&named("init_transactions_timeout"), limit, || {
            producer.init_transactions_timeout(limit)
        });
    }
    late.close(&named("close, transactional"), &producer);
}

/// Producers that knew the cluster while it was well.
struct Frozen {
    plain: Producer,
    full: Producer,
    uninitialised: Producer,
    committing: Producer,
    aborting: Producer,
}

impl Frozen {
    fn new(cluster: &EmbeddedCluster, name: &str) -> Self {
        let servers = cluster.bootstrap_servers();
        let small = [("buffer.memory", "32768"), ("batch.size", "16384")];
        let transactional = |what: &str, may_begin: bool| {
            let id = format!("{what}-{name}");
            let producer = open(&servers, &[("transactional.id", &id)]);
            let patience = Duration::from_secs(60);
            if may_begin {
                let ready = producer.init_transactions_timeout(patience);
                ready.expect("the cluster answers");
                producer.begin_transaction().expect("it may begin");
            }
            let known = producer.send_timeout(one(), patience);
            assert!(known.is_ok() == may_begin, "{known:?}");
            producer
        };
        Self {
            plain: acquainted(open(&servers, &[])),
            full: acquainted(open(&servers, &small)),
            uninitialised: transactional("init", false),
            committing: transactional("commit", true),
            aborting: transactional("abort", true),
        }
    }

    fn measure(&self, late: &mut Lateness) {
        self.measure_records(late);
        self.measure_transactions(late);
        late.close("frozen: close, records on their way", &self.plain);
        late.close("frozen: close, buffer full", &self.full);
        late.close("frozen: close, never initialised", &self.uninitialised);
        late.close("frozen: close, while committing", &self.committing);
        late.close("frozen: close, while aborting", &self.aborting);
    }

    fn measure_records(&self, late: &mut Lateness) {
        let waiting = self.plain.send(one()).expect("there is room");
        let large = || ProducerRecord::new(TOPIC, b"key".to_vec(), vec![b'x'; 10_000]);
        while self.full.try_send(large()).is_ok() {}
        for number in 0..REPEATS {
            let limit = some_limit(number);
            late.of("frozen: get_timeout", limit, || waiting.get_timeout(limit));
            late.of("frozen: flush_timeout", limit, || {
                self.plain.flush_timeout(limit)
            });
            late.of("frozen: partitions_for", MAX_BLOCK, || {
                self.plain.partitions_for("unknown")
            });
            late.of("frozen: send_timeout, topic unknown", limit, || {
                refused(self.plain.send_timeout(to("unknown"), limit))
            });
            late.of("frozen: send, buffer full", MAX_BLOCK, || {
                refused(self.full.send(large()))
            });
            late.of("frozen: send_timeout, buffer full", limit, || {
                refused(self.full.send_timeout(large(), limit))
            });
        }
    }

    fn measure_transactions(&self, late: &mut Lateness) {
        let (input, offset) = (TopicPartition::new("input", 0), OffsetAndMetadata::new(7));
        let group = ConsumerGroupMetadata::new("bounds");
        late.of("frozen: send_offsets_to_transaction", MAX_BLOCK, || {
            let offsets = [(&input, &offset)];
            self.aborting.send_offsets_to_transaction(offsets, &group)
        });
        for number in 0..REPEATS {
            let limit = some_limit(number);
            late.of("frozen: init_transactions_timeout", limit, || {
                self.uninitialised.init_transactions_timeout(limit)
            });
            late.of("frozen: commit_transaction", MAX_BLOCK, || {
                self.committing.commit_transaction()
            });
            late.of("frozen: abort_transaction", MAX_BLOCK, || {
                self.aborting.abort_transaction()
            });
        }
    }
}

fn open(servers: &str, more: &[(&str, &str)]) -> Producer {
    let max_block = MAX_BLOCK.as_millis().to_string();
    let own = [("bootstrap.servers", servers), ("max.block.ms", &max_block)];
    let producer = Producer::from_properties(own.into_iter().chain(more.iter().copied()));
    producer.expect("a legal configuration")
}

/// Knows the topic, and has an identity.
fn acquainted(producer: Producer) -> Producer {
    let sent = producer.send_timeout(one(), Duration::from_secs(60));
    let sent = sent.expect("a legal record");
    let written = sent.get_timeout(Duration::from_secs(60));
    written.expect("the cluster answers");
    producer
}

fn one() -> ProducerRecord<'static, Vec<u8>, Vec<u8>> {
    to(TOPIC)
}

fn to(topic: &'static str) -> ProducerRecord<'static, Vec<u8>, Vec<u8>> {
    ProducerRecord::new(topic, b"key".to_vec(), b"value".to_vec())
}

/// What is wrong with the record itself is in the promise.
fn refused(sent: Result<FutureRecordMetadata, KafkaError>) -> Result<(), KafkaError> {
    match sent?.try_get() {
        Some(Err(error)) => Err(error),
        _ => Ok(()),
    }
}

/// One of several limits, from 1 ms to 60 ms.
fn some_limit(number: usize) -> Duration {
    Duration::from_millis([1, 5, 10, 20, 40, 60][number % 6])
}

fn address(listener: &TcpListener) -> String {
    listener.local_addr().expect("it is bound").to_string()
}

#[expect(clippy::disallowed_methods, reason = "it measures time")]
fn now() -> Instant {
    Instant::now()
}
