"""Processes under measurement: started on given CPUs, talked to line by line, looked at from outside."""
import json
import os
import pathlib
import re
import select
import signal
import subprocess
import time


class Failed(Exception):
    """What a program did instead of its work."""


class Program:
    """A program that answers lines with lines. It ends with its standard input, so it never outlives the runner."""

    def __init__(self, name, command, cpus):
        self.name = name
        pin = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=pin)
        self.pid = self.process.pid

    def say(self, line):
        try:
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise Failed(f"{self.name} ended by itself") from None

    def hear(self, seconds):
        """The next line; the programs write whole lines, and one at a time."""
        ready, _, _ = select.select([self.process.stdout], [], [], seconds)
        if not ready:
            self.process.kill()
            raise Failed(f"{self.name} said nothing for {seconds} s")
        line = self.process.stdout.readline().decode().strip()
        if not line:
            raise Failed(f"{self.name} ended by itself")
        return line

    def end(self):
        """Closes its standard input, waits, and kills what stays."""
        try:
            self.process.stdin.close()
            self.process.wait(20)
        except (OSError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


class Broker(Program):
    """The broker that discards."""

    def __init__(self, command, cpus):
        super().__init__("the broker", command, cpus)
        self.address = f"127.0.0.1:{self.hear(60)}"

    def totals(self, command="totals"):
        """What has arrived so far; `verify` and `trust` say whether checksums are looked at from now on, `delay` how long it waits."""
        self.say(command)
        return json.loads(self.hear(60))


class Client(Program):
    """A client program."""

    def __init__(self, name, command, words, cpus):
        super().__init__(name, [*command, *(f"{key}={value}" for key, value in words.items())], cpus)
        # Whom it sends to, what else belongs to each of its runs, and the last one.
        self.broker, self.facts, self.last = None, {}, None
        word, _, self.version = self.hear(60).partition(" ")
        if word != "ready":
            raise Failed(f"{name} said {word}")

    def run(self, verify=False, seconds=180):
        """One run: what the client says of it, what the kernel counted meanwhile, and what arrived."""
        broker = self.broker
        totals = broker.totals("verify" if verify else "trust") if broker else None
        ours = [self.pid, os.getpid(), *([broker.pid] if broker else [])]
        began, others = self.look(), time_of_others(ours)
        self.say("run")
        word, _, wall = self.hear(seconds).partition(" ")
        ended, others = self.look(), time_of_others(ours) - others
        if word != "done":
            raise Failed(f"{self.name} said {word}")
        self.say("report")
        run = {**self.facts, "wall_ns": int(wall), **json.loads(self.hear(60)), "others_ns": max(0, others)}
        run.update({key: ended[key] - began[key] for key in ("cpu_ns", "voluntary", "involuntary")})
        run.update({key: ended[key] for key in ("threads", "peak_rss_kib")})
        if broker:
            now = broker.totals()
            run["broker"] = arrived = {key: now[key] - totals[key] for key in now}
            if arrived["records"] != run["records"]:
                raise Failed(f"{self.name} claims {run['records']} records, the broker got {arrived['records']}")
            if verify and (arrived["corrupt"] or arrived["verified"] != arrived["batches"]):
                raise Failed(f"{self.name} sent {arrived['corrupt']} batches with a wrong checksum")
        self.last = run
        return run

    def look(self):
        """CPU time of the whole process; switches of the threads that live."""
        seen = {"cpu_ns": cpu_time(self.pid), "voluntary": 0, "involuntary": 0}
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            try:
                status = task.joinpath("status").read_text()
            except OSError:
                continue  # the thread has just ended
            seen["voluntary"] += field(status, "voluntary_ctxt_switches")
            seen["involuntary"] += field(status, "nonvoluntary_ctxt_switches")
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        seen["threads"] = field(status, "Threads")
        seen["peak_rss_kib"] = field(status, "VmHWM")
        return seen

    def system_calls(self, seconds=180):
        """System calls of one run, by name, counted by strace: a run that is not timed."""
        trace = subprocess.Popen(["strace", "-f", "-c", "-q", "-p", str(self.pid)], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            if not until(lambda: traced(self.pid), 5):
                raise Failed("strace does not attach")
            self.say("run")
            self.hear(seconds)
        finally:
            trace.send_signal(signal.SIGINT)
            table = trace.communicate(timeout=20)[1]
        self.say("report")
        self.hear(60)
        rows = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", table, re.M)
        return {name: int(count) for count, name in rows if name != "total"}


def field(status, name):
    return int(re.search(rf"^{name}:\s+(\d+)", status, re.M)[1])


def traced(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return field(status, "TracerPid") != 0


def until(done, seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if done():
            return True
        time.sleep(0.02)
    return False


def wait_for_quiet(seconds):
    """Waits until others use less than a tenth of a CPU, at most so long."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        before = time_of_others([os.getpid()])
        time.sleep(0.5)
        if time_of_others([os.getpid()]) - before < 0.05e9:
            return


def time_of_others(ours):
    """Nanoseconds of CPU time that all processes but these have used since the machine started, in steps of 10 ms."""
    with open("/proc/stat", encoding="utf-8") as file:
        user, nice, system, _, _, irq, softirq = (int(word) for word in file.readline().split()[1:8])
    ticks = user + nice + system + irq + softirq
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK") - sum(cpu_time(pid) for pid in ours)


def cpu_time(pid):
    """Of the whole process, threads that have ended included."""
    return time.clock_gettime_ns((~pid << 3) | 2)
