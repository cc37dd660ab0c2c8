"""Medians, ranges and ratios of a saved run, as Markdown and as plots."""
import math
import re
import statistics

from rows import BEST, COUNTED, PEERS, ROWS, holds, judge, ratio, samples
from workloads import FIGURES

# What is printed beside the figure that decides.
BESIDE = {
    "cpu_us": ("records_s", "requests", "wakes", "rss_mib", "threads"),
    "records_s": ("cpu_us", "p50_us", "requests", "rss_mib"),
    "p50_us": ("p99_us", "cpu_us", "wakes"),
    "p50_ns": ("p999_ns", "cpu_us"),
    "beyond_mib": ("rss_mib", "records_s"),
    "batches": ("rss_mib", "records_s"),
    "idle_wakes": ("idle_cpu", "threads", "rss_mib"),
}

# Figures that are no measure of speed: no ratio says anything.
ALONE = ("beyond_mib", "batches", "idle_wakes")


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
        found = None if client in ("ottla", "codec alone") or figure in ALONE else ratio(result, client, figure)
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
        requests = runs[-1]["records"] if get else runs[-1]["broker"]["requests"]
        most = sorted(calls.items(), key=lambda call: -call[1])[:5]
        names = ", ".join(f"{name} {count / requests:.2g}" for name, count in most)
        lines.append(f"* {client}: {sum(calls.values()) / requests:.3g} system calls a {'`send().get()`' if get else 'request'} ({names}).")
    lines += [f"* {client}: failed, {why}." for client, why in result["failed"].items()]
    return [*lines, ""] if lines else []


def goals(run, counts=None):
    """The table of what must be shown: what was found, what it must be, what it aims at. Without counts: what was found only."""
    lines = ["| # | what | workload | figure | over | found | must | | aim | |", "| --: | --- | --- | --- | --- | ---: | ---: | --- | ---: | --- |"]
    of_name = {result["name"]: result for result in run["workloads"]}
    for row in ROWS:
        lines += [f"| {row.number} | {row.metric} | {judged(check, of_name)} |" for check in row.checks
                  if counts or judge(check, of_name)]
        if row.number == 9 and counts:
            lines += [counted(*one, counts) for one in COUNTED]
    return "\n".join(lines)


def judged(check, of_name):
    found = judge(check, of_name)
    bounds = [bound(check.sign, limit) for limit in (check.must, check.aim)]
    if found is None:
        against = ", ".join(check.under)
        return f"`{check.workload}` | | {against} | not in this run | {bounds[0]} | | {bounds[1]} | "
    against = found.against + (" (the best)" if check.under == BEST else "")
    verdicts = [verdict(found, check.sign, limit) for limit in (check.must, check.aim)]
    return (f"`{check.workload}` | {FIGURES[found.figure][0]} | {against} | {three(found)} | {bounds[0]} | {verdicts[0]} "
            f"| {bounds[1]} | {verdicts[1]}")


def counted(row, metric, name, must, aim, counts):
    if name not in counts:
        return f"| {row} | {metric} | counts | | | not counted | <= {must:g} | | <= {aim:g} | |"
    value = counts[name]
    # A count is written with two places: less than that is none.
    met = ["yes" if value < limit + 0.005 else "no" for limit in (must, aim)]
    return f"| {row} | {metric} | counts | | | {number(value)} | <= {must:g} | {met[0]} | <= {aim:g} | {met[1]} |"


def bound(sign, limit):
    return "" if limit is None else f"{sign} {limit:g}"


def three(found):
    return f"{number(found.median)} [{number(found.lowest)}..{number(found.highest)}]"


def verdict(found, sign, limit):
    if limit is None:
        return ""
    held = [holds(value, sign, limit) for value in (found.median, found.lowest, found.highest)]
    return ("yes" if held[0] else "no") + ("" if len(set(held)) == 1 else ", not in every round")


def others(run):
    """How many CPUs other processes used while something ran, on average."""
    every = [one for result in run["workloads"] for runs in result["runs"].values() for one in runs]
    return sum(one["others_ns"] for one in every) / max(1, sum(one["wall_ns"] for one in every))


def performance(run, tried, counted_text, plots):
    """The whole page; `plots` says where which picture is."""
    counts = {name: float(count) for name, count in re.findall(r"^(.+?) = ([\d.]+)$", counted_text, re.M)}
    about = run["about"]
    versions = {}
    for result in run["workloads"]:
        versions.update({name: version for name, version in result["versions"].items() if name in PEERS})
    named = ", ".join(f"{client} {version}" for client, version in versions.items())
    busy = others(run)
    small = "" if not (about["records"] or about["java_runs"]) else (
        f"\n**A trial: at most {about['records'] or 'all'} records a run, Java warmed by {about['java_runs'] or 10} runs.** Ratios to Java "
        "and of short runs mean nothing.\n")
    loud = "" if busy < 0.1 else ("\n**The machine was busy with other work during this run: the ratios are rough, and nothing else here "
                                  "means anything.** Repeat it on a quiet machine.\n")
    absent = "".join(f"* {line}\n" for line in run["absent"])
    later = {}
    for result in run["workloads"]:
        if "later" in result:
            later.setdefault((result["later"]["day"], result["later"]["commit"]), []).append(f"`{result['name']}`")
    later = "".join(f"Run of {day}, commit {commit}, instead: {', '.join(names)}.\n" for (day, commit), names in later.items())
    tables = "\n".join(table(result) + picture(result["name"], plots) for result in run["workloads"])
    return f"""# Performance

This page is generated: `benches/compare/compare page RUN.json > docs/performance.md`, from the run saved in `benches/compare/saved/`.
Run of {about['day']}, commit {about['commit']}, {about['cpus']} CPUs ({about['cpu']}), Linux {about['kernel']}, {about['rounds']} rounds, {about['seconds'] // 60} minutes.
{later}Other processes used {busy:.2f} CPUs meanwhile, on average.
{small}{loud}
Against: {named or 'nobody'}. `skeleton` is the floor: ottla's thread shape without any of its features.
{absent}
## What must hold

The median over the rounds of ottla's figure over another's, with the lowest and the highest; where nobody is named, of ottla's figure by
itself. The best peer is the one with the best median; rskafka, which sends what it is handed without batching, idempotence or retries
of its own, is measured beside them and is not one of them.

{goals(run, counts)}
{picture("overview", plots)}
## How to repeat it

```sh
benches/compare/compare --quick                        # under three minutes, after the first build
benches/compare/compare --save benches/compare/saved   # everything, under half an hour
```

It needs Linux, Rust and Python 3.8. Java with Maven, Go and pip each bring a producer; without one, a line says what is left out.

* Each producer is a process of its own that stays for the whole workload and is warm before it counts: Java after ten runs (a million
  records each, where a run is that long), the others after two. Then they run in turns, every other round in the opposite order, and
  ratios are taken within a round. What ottla pays for one of its own features is measured in the same way, beside itself without it.
* On one CPU, broker and producers are pinned to the same one: CPU time and latency then hardly depend on what else the machine does.
* The broker keeps nothing: it reads a batch's header for the totals and lets the kernel drop the rest. It compares how many records
  arrived with how many the producer claims, in every run; a difference fails the producer. In each producer's first run it reads
  everything and checks every batch's checksum.
* CPU time is that of the whole process, read by the runner before and after a run, in the same way for all. So are threads, memory and
  the times that a thread gave up its CPU by itself (here called wake-ups). System calls are counted by strace in a run of their own.
* Every producer gets the same `linger` and batch size where the workload names them, and keeps its other defaults: Java, franz-go,
  confluent-kafka and ottla are idempotent, librdkafka is not. franz-go's default codec, snappy, is turned off where others would not
  compress, and it may buffer 300,000 records instead of 10,000. librdkafka's batch size counts uncompressed bytes. Its records are
  polled for by the thread that sends, except where several threads wait. Producers that are futures send within one task, and where
  a thread waits for each record, that thread drives them.
* A producer that costs several times as much per record sends fewer of them in a run, save over 10,000 partitions, where the cost
  depends on the length.
* The codec alone is the library that ottla uses, with the same level and the same reuse, over batches with as many of the same records.

## Counts

What can be counted instead of timed has its expected value in `benches/compare/counts.txt`. CI fails where one has grown by more than 3 %.

{count_table(counted_text)}
```sh
benches/compare/counts                       # compares; it needs valgrind
OTTLA_REGENERATE=1 benches/compare/counts    # writes the file anew
```

`docs/testing.md` says how it counts, and what to do after a change of tools.

## What not to conclude

* Nothing about absolute speed anywhere else: the broker does no work, and the network is a loopback without loss or delay.
* Nothing from records/s or latency on two CPUs unless the run was quiet: where the scheduler puts threads decides those.
* Nothing from one p99.9, and nothing from a Java that is not warm: it is two to three times slower then.
* Nothing about real Kafka's speed: on two CPUs the broker is the limit, so only the client's CPU time counts there.
* Nothing about TLS, several brokers or a network with loss: they are not measured here.

## Workloads

{tables}
## Tried and left

{tried.strip()}
"""


def picture(name, plots):
    return f"\n![{name}]({plots[name]})\n" if name in plots else ""


def count_table(text):
    """The lines `name = count`."""
    rows = [line.partition(" = ") for line in text.splitlines() if " = " in line]
    return "\n".join(["| count | expected |", "| --- | ---: |", *(f"| {name} | {count} |" for name, _, count in rows), ""])


def plots(run, folder):
    """A bar for each producer in a file for each workload that a row of the table is about; and the ratios of all rows in one."""
    wanted, drawn = {check.workload for row in ROWS for check in row.checks}, {}
    for result in run["workloads"]:
        bars = {client: statistics.median(values.values()) for client in result["runs"]
                if (values := samples(result, client, result["figure"]))}
        if bars and result["name"] in wanted:
            drawn[result["name"]] = bar_chart(result, bars)
    drawn["overview"] = overview(run)
    paths = {}
    for name, text in drawn.items():
        paths[name] = folder / f"{name}.svg"
        paths[name].write_text(text)
    return paths


def overview(run):
    """Each ratio that must be something, on a scale of powers of ten: the bar is what was found, the line what it must be."""
    of_name = {result["name"]: result for result in run["workloads"]}
    rows = [(row, check, found) for row in ROWS for check in row.checks
            if check.must and check.under and (found := judge(check, of_name))]
    height, left, width = 20, 430, 360
    at = lambda value: left + width * (min(2.0, max(-4.0, math.log10(max(value, 1e-9)))) + 4.0) / 6.0
    lines = [svg(left + width + 90, len(rows) * height + 64), text(8, 18, "ottla over the others: the bar is what was found, the line what it must be", "bold")]
    for power in range(-4, 3):
        x = at(10.0 ** power)
        lines.append(f'<line x1="{x:.1f}" y1="30" x2="{x:.1f}" y2="{len(rows) * height + 34}" stroke="#ddd"/>'
                     + text(x - 12, len(rows) * height + 52, f"{10.0 ** power:g}"))
    for place, (row, check, found) in enumerate(rows):
        y = 34 + place * height
        x, must, met = at(found.median), at(check.must), holds(found.median, check.sign, check.must)
        low, high = min(x, at(1.0)), max(x, at(1.0))
        lines.append(text(8, y + 14, f"{row.number}: {check.workload}, {FIGURES[found.figure][0]}, over {found.against}")
                     + f'<rect x="{low:.1f}" y="{y + 3}" width="{max(1.0, high - low):.1f}" height="{height - 7}" fill="{"#27ae60" if met else "#c0392b"}"/>'
                     + f'<line x1="{must:.1f}" y1="{y}" x2="{must:.1f}" y2="{y + height - 1}" stroke="black" stroke-width="2"/>'
                     + text(left + width + 12, y + 14, number(found.median)))
    return "\n".join([*lines, "</svg>", ""])


def svg(width, height):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
            '<rect width="100%" height="100%" fill="white"/>')


def text(x, y, words, weight="normal"):
    return f'<text x="{x:.0f}" y="{y}" font-weight="{weight}">{words}</text>'


def bar_chart(result, bars):
    most, height = max(bars.values()) or 1, 24
    title = f"{result['about'].replace('`', '')}: {FIGURES[result['figure']][0]}"
    lines = [svg(760, len(bars) * height + 40), text(8, 20, title, "bold")]
    for row, (client, value) in enumerate(bars.items()):
        y, width = 32 + row * height, max(1.0, 440 * value / most)
        color = "#c0392b" if client == "ottla" else "#7f8c8d"
        lines.append(text(8, y + 15, client)
                     + f'<rect x="150" y="{y + 2}" width="{width:.1f}" height="{height - 6}" fill="{color}"/>'
                     + text(156 + width, y + 15, number(value)))
    return "\n".join([*lines, "</svg>", ""])
