"""What must be shown, row by row, and how each of it is worked out from a saved run."""
import dataclasses
import statistics

from workloads import FIGURES, MAIN, RUST


@dataclasses.dataclass(frozen=True)
class Check:
    """ottla's figure over another's, or by itself where `under` is empty, beside what it must be and what it aims at.

    `under` is a name, several whose figures are added up, or `BEST`: the best peer.
    """
    workload: str
    sign: str
    must: float = None
    aim: float = None
    under: tuple = ()
    figure: str = None


@dataclasses.dataclass(frozen=True)
class Row:
    number: int
    metric: str
    checks: tuple


BEST = ("best peer",)
# The floors are nobody's peers. rskafka sends what it is handed, at once and without idempotence, batches or retries of its own:
# it is measured beside the producers and not one of them.
PEERS = tuple(name for name in (*MAIN, *RUST) if name not in ("ottla", "skeleton"))


def each(peers, workload, sign, must=None, aim=None, figure=None):
    return tuple(Check(workload, sign, must, aim, (peer,), figure) for peer in peers)


ROWS = (
    Row(1, "client CPU a record, 100 B, 16 KiB batches", (Check("send-16k", "<=", 0.45, 0.30, BEST),)),
    Row(2, "the same, 1 MB batches", (Check("send-1m", "<=", 0.40, 0.25, BEST),)),
    Row(3, "records/s on two CPUs", tuple(Check(name, ">=", 1.5, 2.5, BEST) for name in ("send-16k-two", "send-1m-two"))),
    Row(4, "`send()` on the caller", (
        *each(("librdkafka", "java"), "call", "<=", 0.45), Check("call", "<=", None, 1.2, ("skeleton",)),
        Check("call", "<=", None, 2_000, (), "p999_ns"))),
    Row(5, "`send().get()`, default settings", (
        *each(("java", "librdkafka", "confluent-kafka", "krafka"), "get-default", "<=", 0.02),
        Check("get-default", "<=", 1.0, None, ("franz-go",)), Check("get-default", "<=", None, 1.05, ("ottla, linger 0",)))),
    Row(6, "`send().get()`, linger 0, one CPU and two", (
        *(Check(name, "<=", 0.85, 0.65, BEST) for name in ("get-linger-0", "get-linger-0-two")),
        *(Check(name, "<=", None, None, ("rskafka",)) for name in ("get-linger-0", "get-linger-0-two")))),
    Row(7, "16 and 64 threads of `send().get()`", tuple(check for name in ("get-16-threads", "get-64-threads") for check in (
        Check(name, ">=", 1.2, None, BEST), Check(name, "<=", 0.8, None, BEST, "cpu_us"),
        Check(name, ">=", None, 0.95, ("skeleton",))))),
    Row(8, "10,000 partitions, random keys", (Check("keyed-10000", ">=", 8, None, BEST),
                                              Check("keyed-10000", ">=", None, 0.8, ("skeleton",)))),
    Row(9, "64 threads over one, 12 partitions, CPU a record", (Check("threads-64", "<=", 1.5, 1.15, ("ottla, one thread",)),)),
    Row(12, "memory", (Check("memory-full", "<=", 16, 3.6), Check("memory-open", "<=", 1.0),
                        Check("memory-open", "<=", 16, None, (), "beyond_mib"))),
    Row(13, "compression: CPU over plain and the codec alone", (
        *(Check(f"codec-{codec}", "<=", 1.15, 1.05, ("ottla, no codec", "codec alone")) for codec in ("lz4", "snappy", "gzip", "zstd")),
        Check("codec-lz4", "<=", None, 0.5, ("librdkafka",)))),
    Row(14, "cost of idempotence; of all defaults", (Check("send-16k", "<=", 1.02, 1.01, ("ottla, not idempotent",)),
                                                      Check("send-16k", "<=", 1.10, 1.05, ("ottla, bare",)))),
    Row(15, "idle with 10,000 partitions and 10 brokers", (Check("idle", "<=", 0),)),
    Row(16, "real Kafka 4.3.1, one node", (*each(("java", "librdkafka"), "kafka-send", "<=", 0.5),
                                            *each(("java", "librdkafka"), "kafka-get-default", "<=", 0.02))),
)

# Rows that are counted, not timed: (row, metric, name in counts.txt, must, aim).
COUNTED = (
    (10, "instructions a record", "instructions a record", 900, 450),
    (10, "instructions a `send().get()`", "instructions a send().get()", 12_000, 7_500),
    (11, "allocations a record without a callback", "allocations a record", 0, 0),
    (11, "allocations a record with a callback", "allocations a record with a callback", 1, 1),
    (11, "allocations a batch", "allocations a batch", 8, 0),
)


@dataclasses.dataclass(frozen=True)
class Found:
    """What a check found: the median over the rounds, the lowest, the highest; against whom."""
    against: str
    figure: str
    median: float
    lowest: float
    highest: float


def judge(check, of_name):
    """None: the run has not got it."""
    result = of_name.get(check.workload)
    if result is None:
        return None
    figure = check.figure or result["figure"]
    ours = samples(result, "ottla", figure)
    under = (best_peer(result),) if check.under == BEST else check.under
    if not ours or None in under:
        return None
    theirs = [samples(result, name, figure) for name in under]
    rounds = [number for number in ours if all(number in other for other in theirs)]
    if under:
        over = {number: sum(other[number] for other in theirs) for number in rounds}
        values = [ours[number] / over[number] for number in rounds if over[number]]
    else:
        values = list(ours.values())
    if not values:
        return None
    return Found(" + ".join(under), figure, statistics.median(values), min(values), max(values))


def samples(result, name, figure):
    """`{round: value}` for those rounds that have it."""
    found = {}
    for run in result["runs"].get(name, []):
        try:
            found[run["round"]] = FIGURES[figure][1](run)
        except (KeyError, ZeroDivisionError):
            pass
    return found


def best_peer(result):
    """The best other producer by its median."""
    less = FIGURES[result["figure"]][2]
    found = {name: samples(result, name, result["figure"]) for name in PEERS}
    medians = {name: statistics.median(values.values()) for name, values in found.items() if values}
    return (min if less else max)(medians, key=medians.get, default=None)


def ratio(result, name, figure):
    """ottla's figure over the other's, round by round."""
    return judge(Check(result["name"], "<=", under=(name,), figure=figure), {result["name"]: result})


def holds(value, sign, bound):
    return value <= bound if sign == "<=" else value >= bound
