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
        self.address = f"127.0.0.1:{self.hear(10)}"

    def totals(self):
        self.say("totals")
        return json.loads(self.hear(10))


class Client(Program):
    """A client program."""

    def __init__(self, name, command, words, cpus):
        super().__init__(name, [*command, *(f"{key}={value}" for key, value in words.items())], cpus)
        word, _, self.version = self.hear(60).partition(" ")
        if word != "ready":
            raise Failed(f"{name} said {word}")

    def run(self, broker=None, seconds=180):
        """One run: what the client says of it, and what the kernel counted meanwhile."""
        totals = broker.totals() if broker else None
        before = self.look()
        self.say("run")
        word, _, wall = self.hear(seconds).partition(" ")
        after = self.look()
        if word != "done":
            raise Failed(f"{self.name} said {word}")
        self.say("report")
        run = {"wall_ns": int(wall), **json.loads(self.hear(60))}
        run.update({key: after[key] - before[key] for key in ("cpu_ns", "voluntary", "involuntary")})
        run.update({key: after[key] for key in ("threads", "peak_rss_kib")})
        if broker:
            now = broker.totals()
            run["broker"] = {key: now[key] - totals[key] for key in now}
            if now["records"] - totals["records"] != run["records"]:
                raise Failed(f"{self.name} claims {run['records']} records, the broker got {run['broker']['records']}")
        return run

    def look(self):
        """CPU time of the whole process, dead threads included; switches of the threads that live."""
        seen = {"cpu_ns": time.clock_gettime_ns((~self.pid << 3) | 2), "voluntary": 0, "involuntary": 0}
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
    """Waits until little else wants the CPUs, at most so long. The share of time in which something waited for one."""
    deadline = time.monotonic() + seconds
    while (busy := pressure()) > 15 and time.monotonic() < deadline:
        time.sleep(0.5)
    return busy


def pressure():
    try:
        text = pathlib.Path("/proc/pressure/cpu").read_text()
    except OSError:
        return 0.0
    return float(re.search(r"some avg10=([\d.]+)", text)[1])
