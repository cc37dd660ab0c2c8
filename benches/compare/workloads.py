"""The workloads, each for a row of what must be shown, with the figure that decides it."""
import dataclasses
import random


@dataclasses.dataclass(frozen=True)
class Workload:
    """`words` go to the client programs; `figure` is the first of `FIGURES` that is printed."""
    name: str
    about: str
    words: dict
    figure: str = "cpu_us"
    both_cpus: bool = False
    partitions: int = 1
    values: str = "plain-100"
    target: str = "discard"
    # Java's warm-up and nobody else's needs many runs.
    java_runs: int = 10
    # A producer that waits out its linger for each record gets fewer.
    patient: dict = dataclasses.field(default_factory=dict)
    clients: tuple = ()
    # What the ratio must be: (sign, bound) to the best other producer, or (sign, bound, producer), several of them.
    must: tuple = ()
    system_calls: bool = False
    quick: bool = False


def send(name, about, records=1_000_000, **how):
    words = {"workload": "send", "records": records, "linger": 5, **how.pop("words", {})}
    return Workload(name, about, words, **how)


def get(name, about, records=5_000, **how):
    words = {"workload": "get", "records": records, **how.pop("words", {})}
    return Workload(name, about, words, figure=how.pop("figure", "p50_us"), **how)


SLOW = {client: {"records": 200} for client in ("java", "librdkafka", "krafka", "confluent-kafka")}
# Whoever waits ends the linger: as in franz-go, and in nobody else.
WAITER = (("<=", 1.0, "franz-go"), *(("<=", 0.02, client) for client in SLOW))
KIB16, MB1 = {"batch": 16_384}, {"batch": 1_000_000}

WORKLOADS = [
    send("send-16k", "100 B, 16 KiB batches, one thread, one CPU", words=KIB16, must=("<=", 0.45), system_calls=True, quick=True),
    send("send-1m", "100 B, 1 MB batches, one thread, one CPU", words=MB1, must=("<=", 0.40)),
    send("send-16k-two", "100 B, 16 KiB batches, two CPUs", words=KIB16, both_cpus=True, figure="records_s", must=(">=", 1.5)),
    send("send-1m-two", "100 B, 1 MB batches, two CPUs", words=MB1, both_cpus=True, figure="records_s", must=(">=", 1.5)),
    Workload("call", "one `send()`, bursts of 2,000, one CPU", {"workload": "cost", "records": 200_000, **KIB16}, figure="p50_ns",
             must=("<=", 0.45)),
    get("get-default", "`send().get()`, default settings, one CPU", must=WAITER, patient=SLOW, quick=True),
    get("get-linger-0", "`send().get()`, linger 0, one CPU", words={"linger": 0}, must=("<=", 0.85), system_calls=True, quick=True),
    get("get-linger-0-two", "`send().get()`, linger 0, two CPUs", words={"linger": 0}, both_cpus=True, must=("<=", 0.85)),
    get("get-16-threads", "16 threads of `send().get()`, linger 0, two CPUs", 64_000, words={"linger": 0, "threads": 16},
        both_cpus=True, figure="records_s", must=(">=", 1.2)),
    get("get-64-threads", "64 threads of `send().get()`, linger 0, two CPUs", 64_000, words={"linger": 0, "threads": 64},
        both_cpus=True, figure="records_s", must=(">=", 1.2)),
    *(send(f"keyed-{count}", f"random keys of 16 bytes over {count:,} partitions, one CPU", 200_000, partitions=count,
           words={"workload": "keyed", **KIB16}, figure="records_s", java_runs=20, must=(">=", 8.0) if count == 10_000 else ())
      for count in (12, 100, 1_000, 10_000)),
    *(send(f"threads-{count}", f"{count} threads, 12 partitions, 16 KiB batches, two CPUs", words={"threads": count, **KIB16},
           partitions=12, both_cpus=True) for count in (1, 4, 16, 64)),
    *(send(f"size-{size}", f"{size} B, 1 MB batches, one CPU", 300_000 if size > 100 else 1_000_000, words=MB1,
           values=f"plain-{size}") for size in (10, 1_000)),
    *(send(f"codec-{codec}", f"{codec}, JSON values of about 157 B, 16 KiB batches, one CPU", 300_000, values="json",
           words={"codec": codec, **KIB16}) for codec in ("none", "lz4", "snappy", "gzip", "zstd")),
    *(send(f"bare-{name}", about, words={**KIB16, **words}, clients=("ottla",)) for name, about, words in (
        ("acks-1", "without idempotence, acks 1: 100 B, 16 KiB batches, one CPU", {"idempotence": "false", "acks": 1}),
        ("acks-all", "without idempotence, acks all: 100 B, 16 KiB batches, one CPU", {"idempotence": "false"}))),
    send("kafka-send", "real Kafka: 100 B, 16 KiB batches, two CPUs", words=KIB16, target="kafka", both_cpus=True, must=("<=", 0.5)),
    get("kafka-get-default", "real Kafka: `send().get()`, default settings, two CPUs", 2_000, target="kafka", both_cpus=True,
        patient=SLOW, must=WAITER[1:]),
    get("kafka-get-linger-0", "real Kafka: `send().get()`, linger 0, two CPUs", 2_000, words={"linger": 0}, target="kafka",
        both_cpus=True),
]

# Of ottla alone, one workload over another: what a feature or more threads cost.
OWN = (
    ("threads-64", "threads-1", "<=", 1.5),
    ("send-16k", "bare-acks-all", "<=", 1.02),
    ("send-16k", "bare-acks-1", "<=", 1.10),
    ("get-default", "get-linger-0", "<=", 1.05),
)

# Figure: what it is, how it is worked out from a run, whether less is better.
FIGURES = {
    "cpu_us": ("CPU us a record", lambda run: run["cpu_ns"] / 1e3 / run["records"], True),
    "records_s": ("records/s", lambda run: run["records"] * 1e9 / run["wall_ns"], False),
    "p50_us": ("p50 us", lambda run: run["p50"] / 1e3, True),
    "p99_us": ("p99 us", lambda run: run["p99"] / 1e3, True),
    "p50_ns": ("p50 ns", lambda run: run["p50"], True),
    "p999_ns": ("p99.9 ns", lambda run: run["p999"], True),
    "wakes": ("wake-ups a request", lambda run: run["voluntary"] / run["broker"]["requests"], True),
    "requests": ("records a request", lambda run: run["records"] / run["broker"]["requests"], None),
    "threads": ("threads", lambda run: run["threads"], None),
    "rss_mib": ("peak RSS MiB", lambda run: run["peak_rss_kib"] / 1024, True),
}


def values(kind):
    """The text of the file of values that all clients read."""
    if kind.startswith("plain-"):
        size = int(kind.partition("-")[2])
        return "".join(chr(65 + i % 26) for i in range(size)) + "\n"
    dice = random.Random(1883)
    events, pages = ("view", "click", "search", "purchase", "refund"), ("cart", "product", "home", "help", "account")
    lines = []
    for number in range(1_000):
        user, cents = dice.randrange(100_000), dice.randrange(100_000)
        lines.append(f'{{"id":{dice.randrange(10**9):09d},"user":"user-{user:05d}","event":"{dice.choice(events)}",'
                     f'"page":"/{dice.choice(pages)}/{dice.randrange(10_000):04d}","cents":{cents:05d},'
                     f'"session":"{dice.getrandbits(128):032x}","ok":true,"n":{number:03d}}}\n')
    return "".join(lines)
