"""The clients of a run: processes that produce, their journals, and their successors after each kill."""
import collections
import pathlib
import subprocess
import time

DELIVERY_MS, BLOCK_MS, TRANSACTION_MS = 60_000, 30_000, 20_000
SETTINGS = {"acks": "all", "enable.idempotence": "true", "linger.ms": "5", "request.timeout.ms": "10000",
            "delivery.timeout.ms": str(DELIVERY_MS), "max.block.ms": str(BLOCK_MS)}


class Side:
    """Clients of one kind in one mode on topics of their own: what gets a line of its own in the end."""

    def __init__(self, cluster, o, kind, mode, program):
        self.cluster, self.o, self.kind, self.mode, self.program = cluster, o, kind, mode, program
        self.name = kind[0] + mode[0]
        self.run = f"{kind}-{mode}-{o.seed}"
        self.churn = f"{self.name}-churn" if "recreate" in o.faults else None  # deleted and made again
        self.topics = [f"{self.name}-{each}" for each in ("a", "b", *(["churn"] if self.churn else []))]
        self.clients = []

    is_transactional = property(lambda self: self.mode == "transactional")

    def start(self):
        self.clients = [Client(self, number) for number in range(self.o.producers)]

    def wait_for_news(self):
        for client in self.clients:
            client.wait_for_news()

    def wait_until_done(self, what, count, deadline):
        """Until so many (in all) are `acked` or `ended`, a client has gone, or it is too late."""
        while self.count(what) < count and time.monotonic() < deadline:
            if any(client.process.poll() is not None for client in self.clients):
                break
            time.sleep(0.5)

    def count(self, what):
        return sum(client.look()[what] for client in self.clients)

    def finish(self):
        """Asks all to stop; answers whether all ended well."""
        for client in self.clients:
            client.process.stdin.close()
        return all([client.finish() for client in self.clients])


class Client:
    """One producer process, its journals, and its successors after each kill."""

    def __init__(self, side, number):
        self.side, self.cluster, self.o = side, side.cluster, side.o
        self.name, self.number = f"{side.name}{number}", number
        self.incarnation, self.journals, self.killed = 0, [], set()
        self.counts = collections.Counter()
        self.start()

    def start(self):
        self.incarnation += 1
        producer, side, o = f"{self.name}.{self.incarnation}", self.side, self.o
        journal = self.cluster.folder / f"journal-{producer}"
        words = {"bootstrap": self.cluster.bootstrap, "run": side.run, "producer": producer, "journal": journal,
                 "id": self.name, "first": self.last_transaction(), "topics": ",".join(side.topics),
                 "partitions": o.partitions, "threads": o.threads, "rate": o.rate, "mode": side.mode,
                 "seed": o.seed * 100 + self.number * 10 + self.incarnation}
        settings = dict(SETTINGS)
        if side.is_transactional:
            settings["transaction.timeout.ms"] = str(TRANSACTION_MS)
        words = [f"{key}={value}" for key, value in words.items()]
        words += [f"p:{key}={value}" for key, value in settings.items()]
        command = self.cluster.java("produce", *words) if side.kind == "java" else [side.program, *words]
        with open(self.cluster.folder / f"errors-{producer}", "w") as errors:
            # Ctrl-C is for the one who draws the faults; a client ends when its input does.
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors,
                                            start_new_session=True)
        journal.touch()
        self.journals.append((producer, journal))
        self.looked = 0

    def last_transaction(self):
        numbers = [0]
        for _, journal in self.journals:
            for line in complete_lines(journal):
                if line.startswith("b "):
                    numbers.append(int(line.split(" ")[2]))
        return max(numbers)

    def look(self):
        """What this client's applications were told so far: records `acked`, transactions `ended`."""
        with open(self.journals[-1][1], "rb") as journal:
            journal.seek(self.looked)
            new = journal.read()
        whole = b"\n" + new[:new.rfind(b"\n") + 1]
        self.looked += len(whole) - 1
        self.counts["acked"] += whole.count(b"\na ")
        self.counts["ended"] += whole.count(b"\nk ") + whole.count(b"\nx ")
        return self.counts

    def wait_for_news(self):
        """Until another record is acknowledged, or there is reason to fear that none will be."""
        until, before = time.monotonic() + DELIVERY_MS / 1000, self.look()["acked"]
        while self.look()["acked"] == before and time.monotonic() < until:
            time.sleep(0.2)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.look()
        self.killed.add(self.journals[-1][0])
        self.start()

    def finish(self):
        try:
            code = self.process.wait((DELIVERY_MS + BLOCK_MS) / 1000 + 60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = "did not end"
        if code:
            print(f"  {self.name} ended with {code}: see {self.cluster.folder}")
        return not code


def complete_lines(file: pathlib.Path):
    """All but a last line that a kill has cut."""
    with open(file) as lines:
        for line in lines:
            if line.endswith("\n"):
                yield line[:-1]
