"""The workloads: what each producer is asked to do, and the figure that decides."""
import dataclasses
import random

# Those that take part in everything, and those that join where they can and where a row asks for them.
MAIN = ("ottla", "skeleton", "java", "librdkafka", "franz-go")
RUST = ("confluent-kafka", "krafka")
EVERYBODY = (*MAIN, *RUST, "rskafka")


@dataclasses.dataclass(frozen=True)
class Workload:
    """`words` go to the client programs; `figure` is the first of `FIGURES` that is printed."""
    name: str
    about: str
    words: dict
    figure: str = "cpu_us"
    both_cpus: bool = False
    partitions: int = 1
    brokers: int = 1
    values: str = "plain-100"
    target: str = "discard"
    # How long the broker waits before each answer to a Produce request.
    delay_us: int = 0
    # For so long everybody does nothing at the end of a round.
    idle_seconds: int = 0
    # Java's warm-up and nobody else's needs many runs.
    java_runs: int = 10
    # More rounds than this would say nothing more.
    most_rounds: int = 99
    # Other words for some: a producer that waits out its linger for each record gets fewer of them.
    words_of: dict = dataclasses.field(default_factory=dict)
    clients: tuple = MAIN
    # More of the same producer under other names: {name: (client, words)}.
    variants: dict = dataclasses.field(default_factory=dict)
    system_calls: bool = False
    quick: bool = False

    def members(self):
        """`{name: (client, words)}` of all that take part."""
        everybody = {name: (name, {}) for name in self.clients}
        everybody.update(self.variants)
        return {name: (client, {**self.words, **self.words_of.get(client, {}), **words})
                for name, (client, words) in everybody.items()}


def send(name, about, records=1_000_000, **how):
    words = {"workload": "send", "records": records, "linger": 5, **how.pop("words", {})}
    return Workload(name, about, words, **how)


def get(name, about, records=5_000, **how):
    words = {"workload": "get", "records": records, **how.pop("words", {})}
    return Workload(name, about, words, figure=how.pop("figure", "p50_us"), **how)


KIB16, MB1 = {"batch": 16_384}, {"batch": 1_000_000}
# What costs several times as much per record is measured over fewer.
FEWER = {"krafka": {"records": 300_000}, "confluent-kafka": {"records": 500_000}}
# These wait out their linger of 5 ms for each record.
PATIENT = {client: {"records": 200} for client in ("java", "librdkafka", "krafka", "confluent-kafka")}
NOT_IDEMPOTENT = {"idempotence": "false"}
MEMORY = {"memory": 32 << 20}

WORKLOADS = [
    send("send-16k", "100 B, 16 KiB batches, one thread, one CPU", words=KIB16, clients=EVERYBODY, words_of=FEWER, system_calls=True,
         quick=True, variants={"ottla, not idempotent": ("ottla", NOT_IDEMPOTENT),
                               "ottla, bare": ("ottla", {**NOT_IDEMPOTENT, "acks": 1})}),
    send("send-1m", "100 B, 1 MB batches, one thread, one CPU", words=MB1, clients=EVERYBODY, words_of=FEWER),
    send("send-16k-two", "100 B, 16 KiB batches, one thread, two CPUs", words=KIB16, clients=EVERYBODY, words_of=FEWER,
         both_cpus=True, figure="records_s"),
    send("send-1m-two", "100 B, 1 MB batches, one thread, two CPUs", words=MB1, clients=EVERYBODY, words_of=FEWER, both_cpus=True,
         figure="records_s"),
    Workload("call", "one `send()`, bursts of 2,000, one CPU", {"workload": "cost", "records": 200_000, "linger": 5, **KIB16},
             figure="p50_ns", quick=True),
    get("get-default", "`send().get()`, default settings, one CPU", clients=(*MAIN, *RUST), words_of=PATIENT, quick=True,
        variants={"ottla, linger 0": ("ottla", {"linger": 0})}),
    get("get-linger-0", "`send().get()`, linger 0, one CPU", words={"linger": 0}, clients=EVERYBODY, system_calls=True, quick=True),
    get("get-linger-0-two", "`send().get()`, linger 0, two CPUs", words={"linger": 0}, clients=EVERYBODY, both_cpus=True),
    *(get(f"get-{count}-threads", f"{count} threads of `send().get()`, linger 0, two CPUs", 64_000,
          words={"linger": 0, "threads": count}, clients=(*MAIN, *RUST) if count > 4 else MAIN, both_cpus=True,
          figure="records_s", quick=count == 16) for count in (4, 16, 64)),
    *(send(f"keyed-{count}", f"random keys of 16 bytes over {count:,} partitions, one CPU", 200_000, partitions=count,
           words={"workload": "keyed", **KIB16}, figure="records_s", quick=count == 10_000) for count in (12, 100, 1_000, 10_000)),
    *(send(f"threads-{count}", f"{count} threads, 12 partitions, 16 KiB batches, two CPUs", 960_000,
           words={"threads": count, **KIB16}, partitions=12, both_cpus=True,
           variants={"ottla, one thread": ("ottla", {"threads": 1})} if count > 1 else {}) for count in (1, 4, 16, 64)),
    *(send(f"size-{size}", f"{size} B, 1 MB batches, one CPU", 300_000 if size > 100 else 1_000_000, words=MB1,
           values=f"plain-{size}") for size in (10, 1_000)),
    *(send(f"codec-{codec}", f"{codec}, JSON values of about 157 B, 16 KiB batches, one CPU", 300_000, values="json",
           words={"codec": codec, **KIB16}, clients=("ottla", "java", "librdkafka", "franz-go"),
           variants={"ottla, no codec": ("ottla", {"codec": "none"}), "codec alone": ("codec-floor", {})})
      for codec in ("lz4", "snappy", "gzip", "zstd")),
    send("memory-full", "a broker that takes 0.5 ms for each request, buffer.memory 32 MiB, 16 KiB batches, one CPU", 600_000,
         words={**KIB16, **MEMORY}, delay_us=500, figure="beyond_mib", java_runs=1, most_rounds=2,
         clients=("ottla", "java", "librdkafka", "franz-go")),
    send("memory-open", "10,000 partitions that each hold 60 keyed records of 10 B until the flush, buffer.memory 32 MiB, one CPU",
         600_000, words={"workload": "keyed", **KIB16, **MEMORY, "linger": 60_000}, partitions=10_000, values="plain-10",
         figure="batches", java_runs=1, most_rounds=2, clients=("ottla", "java", "librdkafka", "franz-go")),
    send("idle", "idle after a record or more in each of 10,000 partitions of 10 brokers, one CPU", 100_000, partitions=10_000,
         brokers=10, words={"workload": "keyed", **KIB16}, figure="idle_wakes", java_runs=2, most_rounds=2, idle_seconds=10,
         clients=("ottla", "java", "librdkafka", "franz-go")),
    send("kafka-send", "real Kafka: 100 B, 16 KiB batches, two CPUs", 300_000, words=KIB16, target="kafka", both_cpus=True,
         clients=("ottla", "java", "librdkafka", "franz-go")),
    get("kafka-get-default", "real Kafka: `send().get()`, default settings, two CPUs", 2_000, target="kafka", both_cpus=True,
        words_of=PATIENT, clients=("ottla", "java", "librdkafka", "franz-go")),
    get("kafka-get-linger-0", "real Kafka: `send().get()`, linger 0, two CPUs", 2_000, words={"linger": 0}, target="kafka",
        both_cpus=True, clients=("ottla", "java", "librdkafka", "franz-go")),
]

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
    "batches": ("batches a partition", lambda run: run["broker"]["batches"] / run["partitions"], True),
    "threads": ("threads", lambda run: run["threads"], None),
    "rss_mib": ("peak RSS MiB", lambda run: run["peak_rss_kib"] / 1024, True),
    "beyond_mib": ("peak RSS beyond buffer.memory, MiB", lambda run: run["peak_rss_kib"] / 1024 - run["memory"] / (1 << 20), True),
    "idle_wakes": ("wake-ups an idle second", lambda run: run["idle"]["voluntary"] / run["idle"]["seconds"], True),
    "idle_cpu": ("CPU us an idle second", lambda run: run["idle"]["cpu_ns"] / 1e3 / run["idle"]["seconds"], True),
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
