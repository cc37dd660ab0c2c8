"""Medians, ranges and ratios of a saved run, as Markdown and as plots."""
import statistics

from workloads import FIGURES, OWN

# What is printed beside the figure that decides.
BESIDE = {
    "cpu_us": ("records_s", "requests", "wakes", "rss_mib", "threads"),
    "records_s": ("cpu_us", "p50_us", "requests", "rss_mib"),
    "p50_us": ("p99_us", "cpu_us", "wakes"),
    "p50_ns": ("p999_ns", "cpu_us"),
}


def samples(result, client, figure):
    """`{round: value}` for those rounds that have it."""
    found = {}
    for run in result["runs"].get(client, []):
        try:
            found[run["round"]] = FIGURES[figure][1](run)
        except (KeyError, ZeroDivisionError):
            pass
    return found


def best_peer(result):
    """The best other producer by its median; the floor is no peer."""
    less = FIGURES[result["figure"]][2]
    medians = {client: statistics.median(samples(result, client, result["figure"]).values())
               for client in result["runs"] if client not in ("ottla", "skeleton")}
    return (min if less else max)(medians, key=medians.get, default=None)


def ratio(result, client, figure):
    """ottla's figure over the other's, round by round: (median, lowest, highest)."""
    ours, theirs = samples(result, "ottla", figure), samples(result, client, figure)
    ratios = [ours[number] / theirs[number] for number in ours if theirs.get(number)]
    return (statistics.median(ratios), min(ratios), max(ratios)) if ratios else None


def number(value):
    if value >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def spread(values):
    values = list(values)
    return f"{number(statistics.median(values))} [{number(min(values))}..{number(max(values))}]" if values else "-"


def table(result):
    """One workload: a line for each producer."""
    figure = result["figure"]
    beside = [name for name in BESIDE[figure] if any(samples(result, client, name) for client in result["runs"])]
    lines = [f"### {result['about']} (`{result['name']}`)", ""]
    lines.append("| producer | " + " | ".join(FIGURES[name][0] for name in (figure, *beside)) + " | ottla's over its |")
    lines.append("| --- |" + " ---: |" * (len(beside) + 2))
    for client in result["runs"]:
        found = ratio(result, client, figure) if client != "ottla" else None
        cells = [spread(samples(result, client, figure).values())]
        for name in beside:
            values = samples(result, client, name).values()
            cells.append(number(statistics.median(values)) if values else "-")
        cells.append(three(found) if found else "")
        lines.append(f"| {client} | " + " | ".join(cells) + " |")
    lines += ["", *notes(result)]
    return "\n".join(lines)


def notes(result):
    lines = []
    for client, calls in result["system_calls"].items():
        runs = result["runs"].get(client)
        if not runs:
            continue
        get = "p50" in runs[0]
        requests = runs[-1]["records"] if get or "broker" not in runs[-1] else runs[-1]["broker"]["requests"]
        most = sorted(calls.items(), key=lambda call: -call[1])[:5]
        names = ", ".join(f"{name} {count / requests:.2g}" for name, count in most)
        lines.append(f"* {client}: {sum(calls.values()) / requests:.3g} system calls a {'`send().get()`' if get else 'request'} ({names}).")
    lines += [f"* {client}: failed, {why}." for client, why in result["failed"].items()]
    return [*lines, ""] if lines else []


def goals(run):
    """The ratios that must be something."""
    lines = ["| workload | figure | against | ottla's over its | must be | |", "| --- | --- | --- | ---: | ---: | --- |"]
    for result in run["workloads"]:
        musts = result["must"]
        for sign, bound, *peers in musts if musts and isinstance(musts[0], (list, tuple)) else [musts] if musts else []:
            peer = peers[0] if peers else best_peer(result)
            found = peer and ratio(result, peer, result["figure"])
            if found:
                lines.append(f"| `{result['name']}` | {FIGURES[result['figure']][0]} | {peer} | {three(found)} | {sign} {bound:g} "
                             f"| {verdict(found, sign, bound)} |")
    of_name = {result["name"]: result for result in run["workloads"]}
    for over, under, sign, bound in OWN:
        if over in of_name and under in of_name:
            figure = of_name[over]["figure"]
            tops, bottoms = (samples(of_name[name], "ottla", figure) for name in (over, under))
            ratios = [tops[number] / bottoms[number] for number in tops if number in bottoms]
            if ratios:
                found = (statistics.median(ratios), min(ratios), max(ratios))
                lines.append(f"| `{over}` | {FIGURES[figure][0]} | ottla in `{under}` | {three(found)} | {sign} {bound:g} "
                             f"| {verdict(found, sign, bound)} |")
    return "\n".join(lines)


def three(found):
    return f"{found[0]:.3g} [{found[1]:.3g}..{found[2]:.3g}]"


def verdict(found, sign, bound):
    held = [value <= bound if sign == "<=" else value >= bound for value in found]
    return ("yes" if held[0] else "no") + ("" if len(set(held)) == 1 else ", not in every round")


def performance(run, tried, counted):
    """The whole page."""
    counts = count_table(counted)
    about = run["about"]
    versions = {}
    for result in run["workloads"]:
        versions.update(result["versions"])
    named = ", ".join(f"{client} {version}" for client, version in versions.items() if client not in ("ottla", "skeleton"))
    busy = [sample["busy"] for result in run["workloads"] for runs in result["runs"].values() for sample in runs]
    busy = statistics.median(busy) if busy else 0
    small = "" if not (about["records"] or about["java_runs"]) else (
        f"\n**A trial: at most {about['records'] or 'all'} records a run, Java warmed by {about['java_runs'] or 10} runs.**\n")
    loud = "" if busy < 15 else ("\n**The machine was busy with other work during this run: the ratios are rough, and nothing else here "
                                 "means anything.** Repeat it on a quiet machine.\n")
    absent = "".join(f"* {line}\n" for line in run["absent"])
    tables = "\n".join(table(result) for result in run["workloads"])
    return f"""# Performance

This page is generated: `benches/compare/compare page RUN.json > docs/performance.md`, from the run saved in `benches/compare/saved/`.
Run of {about['day']}, commit {about['commit']}, {about['cpus']} CPUs ({about['cpu']}), Linux {about['kernel']}, {about['rounds']} rounds.
Something waited for a CPU {busy:.0f} % of the time (median over the samples).
{small}{loud}
Against: {named or 'nobody'}. `skeleton` is the floor: ottla's thread shape without any of its features.
{absent}
## What must hold

The median of the ratios of the rounds, with the lowest and the highest.

{goals(run)}

## How to repeat it

```sh
benches/compare/compare --quick     # under three minutes, after the first build
benches/compare/compare             # everything
```

It needs Linux, Rust and Python 3.8. Java with Maven, Go and pip each bring a producer; without one, a line says what is left out.

* Each producer is a process of its own that stays for the whole workload and is warm before it counts: Java after ten runs (a million
  records each, where a run is that long), the others after two. Then they run in turns, every other round in the opposite order, and
  ratios are taken within a round.
* On one CPU, broker and producers are pinned to the same one: CPU time and latency then hardly depend on what else the machine does.
* The broker keeps nothing: it reads a batch's header for the totals and lets the kernel drop the rest. It compares how many records
  arrived with how many the producer claims, in every run; a difference fails the producer.
* CPU time is that of the whole process, read by the runner before and after a run, in the same way for all. So are threads, memory and
  the times that a thread gave up its CPU by itself (here called wake-ups). System calls are counted by strace in a run of their own.
* Every producer gets the same `linger` and batch size where the workload names them, and keeps its other defaults: Java, franz-go and
  ottla are idempotent, librdkafka is not. franz-go's default codec, snappy, is turned off where others would not compress, and it may
  buffer 300,000 records instead of 10,000. librdkafka's batch size counts uncompressed bytes. Its records are polled for by the
  thread that sends, except where several threads wait.

## Counts

What can be counted instead of timed has its expected value in `benches/compare/counts.txt`; what grew by more than 3 % fails.

{counts}
```sh
cargo run --release --manifest-path benches/compare/Cargo.toml --bin counts    # instructions, allocations, system calls, wake-ups
cargo run --manifest-path benches/compare/Cargo.toml --bin counts              # locks, which a debug build can count
```

With `OTTLA_REGENERATE=1` the file is written anew. It needs valgrind and strace.

## What not to conclude

* Nothing about absolute speed anywhere else: the broker does no work, and the network is a loopback without loss or delay.
* Nothing from records/s or latency on two CPUs unless the run was quiet: where the scheduler puts threads decides those.
* Nothing from one p99.9, and nothing from a Java that is not warm: it is two to three times slower then.
* Nothing about real Kafka's speed: on two CPUs the broker is the limit, so only the client's CPU time counts there.

## Workloads

{tables}
## Tried and left

{tried.strip()}
"""


def count_table(text):
    """The lines `name = count`."""
    rows = [line.partition(" = ") for line in text.splitlines() if " = " in line]
    return "\n".join(["| count | expected |", "| --- | ---: |", *(f"| {name} | {count} |" for name, _, count in rows), ""])


def plots(run, folder):
    """A bar for each producer, a file for each workload."""
    for result in run["workloads"]:
        bars = {client: statistics.median(values.values()) for client in result["runs"]
                if (values := samples(result, client, result["figure"]))}
        if bars:
            (folder / f"{result['name']}.svg").write_text(bar_chart(result, bars))


def bar_chart(result, bars):
    most, height = max(bars.values()), 24
    title = f"{result['about'].replace('`', '')}: {FIGURES[result['figure']][0]}"
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="720" height="{len(bars) * height + 40}" font-family="sans-serif" font-size="13">',
             '<rect width="100%" height="100%" fill="white"/>', f'<text x="8" y="20" font-weight="bold">{title}</text>']
    for row, (client, value) in enumerate(bars.items()):
        y, width = 32 + row * height, max(1.0, 440 * value / most)
        color = "#c0392b" if client == "ottla" else "#7f8c8d"
        lines.append(f'<text x="8" y="{y + 15}">{client}</text>'
                     f'<rect x="130" y="{y + 2}" width="{width:.1f}" height="{height - 6}" fill="{color}"/>'
                     f'<text x="{136 + width:.1f}" y="{y + 15}">{number(value)}</text>')
    return "\n".join([*lines, "</svg>", ""])
