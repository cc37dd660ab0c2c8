#!/usr/bin/env python3
"""Speaks transactions to a broker, request by request, and prints what it answers: `transactions.py HOST:PORT`.

Real Kafka and the embedded broker must print the same lines. Every step is done with the requests of transaction
version 1, then with those of version 2 (KIP-890); then come batches of an idempotent producer without transactions.
"""
import os
import pathlib
import struct
import sys
import time

sys.dont_write_bytecode = True
from wire import Cursor, Wire, text

HERE = pathlib.Path(__file__).resolve().parent
ERRORS = {}
for line in (HERE / "../golden/errors.txt").read_text().splitlines():
    if not line.startswith("#"):
        code, error = line.split(" | ")[:2]
        ERRORS[int(code)] = error
TOGGLES = {"CONCURRENT_TRANSACTIONS", "COORDINATOR_LOAD_IN_PROGRESS", "NOT_COORDINATOR", "COORDINATOR_NOT_AVAILABLE",
           "NOT_LEADER_OR_FOLLOWER", "UNKNOWN_TOPIC_OR_PARTITION"}
NO_TAGS = b"\0"


def name(code):
    return ERRORS.get(code, str(code))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x82F63B78 if crc & 1 else crc >> 1
    return crc ^ 0xFFFFFFFF


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def compact(value):
    return b"\0" if value is None else varint(len(value.encode()) + 1) + value.encode()


def batch(pid, epoch, sequence, transactional=True):
    """A batch of one record without key, value v."""
    record = bytes([0, 0, 0, 1, 2]) + b"v" + b"\0"
    body = varint(len(record) << 1) + record
    now = int(time.time() * 1000)
    head = struct.pack(">hiqqqhii", 0x10 if transactional else 0, 0, now, now, pid, epoch, sequence, 1)
    rest = struct.pack(">ibI", -1, 2, crc32c(head + body)) + head + body
    return struct.pack(">qi", 0, len(rest)) + rest


class Answer(Cursor):
    def varint(self):
        number = shift = 0
        while True:
            byte = self.take(">B")
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def compact(self):
        size = self.varint() - 1
        self.at += max(size, 0)
        return None if size < 0 else self.data[self.at - size:self.at].decode()

    def tags(self):
        for _ in range(self.varint()):
            self.varint()
            self.at += self.varint()


class Connection(Wire):
    """As Wire, and requests with tagged fields too."""

    def ask(self, api, version, body, flexible=False):
        head = struct.pack(">hhi", api, version, 1) + text("probe") + (NO_TAGS if flexible else b"")
        self.socket.sendall(struct.pack(">i", len(head + body)) + head + body)
        answer = Answer(self.exactly(struct.unpack(">i", self.exactly(4))[0])[4:])
        if flexible:
            answer.tags()
        return answer


class Probe:
    def __init__(self, address):
        self.host, self.port = address.split(":")
        self.run, self.used, self.connections = os.urandom(3).hex(), 0, {}
        self.any = self.connection(int(self.port))

    def connection(self, port):
        if port not in self.connections:
            self.connections[port] = Connection(port, 20.0)
        return self.connections[port]

    def coordinator(self, key, kind):
        for _ in range(300):
            answer = self.any.ask(10, 2, text(key) + struct.pack(">b", kind))
            answer.take(">i")
            error = answer.take(">h")
            answer.text(), answer.take(">i"), answer.text()
            if error == 0:
                return self.connection(answer.take(">i"))
            time.sleep(0.1)
        raise ConnectionError(f"no coordinator for {key}: {name(error)}")

    def fresh(self):
        """A new transactional id, and a new topic that has leaders."""
        self.used += 1
        tx, topic = f"tx-{self.run}-{self.used}", f"topic-{self.run}-{self.used}"
        create = struct.pack(">i", 1) + text(topic) + struct.pack(">ihii", 2, 1, 0, 0) + struct.pack(">ib", 30000, 0)
        self.any.ask(19, 2, create)
        again(lambda: self.produce(None, topic, 1, batch(-1, -1, -1, False), 8))
        again(lambda: self.produce(None, topic, 0, batch(-1, -1, -1, False), 8))
        return tx, topic

    def init(self, tx, pid=-1, epoch=-1, timeout=60000, version=4):
        body = compact(tx) + struct.pack(">iqh", timeout, pid, epoch) + NO_TAGS
        answer = self.coordinator(tx, 1).ask(22, version, body, True)
        answer.take(">i")
        return name(answer.take(">h")), answer.take(">q"), answer.take(">h")

    def init_in_the_end(self, tx, **more):
        return again(lambda: self.init(tx, **more))

    def add(self, tx, pid, epoch, topics, version=2):
        body = text(tx) + struct.pack(">qhi", pid, epoch, len(topics))
        body += b"".join(text(topic) + struct.pack(">ii", 1, partition) for topic, partition in topics)
        answer = self.coordinator(tx, 1).ask(24, version, body)
        answer.take(">i")
        found = [(answer.text(), answer.take(">i"), answer.take(">i"), name(answer.take(">h"))) for _ in range(answer.take(">i"))]
        return [error for *_, error in sorted(found)]

    def add_offsets(self, tx, pid, epoch, group):
        answer = self.coordinator(tx, 1).ask(25, 2, text(tx) + struct.pack(">qh", pid, epoch) + text(group))
        answer.take(">i")
        return name(answer.take(">h"))

    def commit(self, tx, group, pid, epoch, topic, version, generation=-1, member="", instance=None):
        """TxnOffsetCommit of offset 5 in partition 0."""
        body = compact(tx) + compact(group) + struct.pack(">qhi", pid, epoch, generation) + compact(member) + compact(instance)
        body += varint(2) + compact(topic) + varint(2) + struct.pack(">iqi", 0, 5, -1) + compact("m") + 3 * NO_TAGS
        for _ in range(200):
            answer = self.coordinator(group, 0).ask(28, version, body, True)
            answer.take(">i"), answer.varint(), answer.compact(), answer.varint(), answer.take(">i")
            error = name(answer.take(">h"))
            # A young cluster has not begun to read what it knows of groups, or still does.
            if error not in ("NOT_COORDINATOR", "COORDINATOR_LOAD_IN_PROGRESS"):
                break
            time.sleep(0.05)
        return error

    def offset(self, group, topic, stable):
        body = compact(group) + varint(2) + compact(topic) + varint(2) + struct.pack(">i", 0) + NO_TAGS
        answer = self.coordinator(group, 0).ask(9, 7, body + struct.pack(">b", stable) + NO_TAGS, True)
        answer.take(">i"), answer.varint(), answer.compact(), answer.varint(), answer.take(">i")
        offset, _, metadata = answer.take(">q"), answer.take(">i"), answer.compact()
        return offset, name(answer.take(">h")), metadata

    def end(self, tx, pid, epoch, commit, version):
        """With version 5 also whether the id is the same, and the epoch."""
        flexible = version >= 3
        body = (compact if flexible else text)(tx) + struct.pack(">qhb", pid, epoch, commit)
        answer = self.coordinator(tx, 1).ask(26, version, body + (NO_TAGS if flexible else b""), flexible)
        answer.take(">i")
        error = name(answer.take(">h"))
        if version < 5:
            return error, "", epoch
        next_pid, next_epoch = answer.take(">q"), answer.take(">h")
        return error, "same" if next_pid == pid else "none" if next_pid < 0 else "other", next_epoch

    def produce(self, tx, topic, partition, records, version):
        if version < 9:
            body = text(tx) if tx else struct.pack(">h", -1)
            body += struct.pack(">hii", -1, 10000, 1) + text(topic) + struct.pack(">iii", 1, partition, len(records)) + records
            answer = self.any.ask(0, version, body)
            answer.take(">i"), answer.text(), answer.take(">i"), answer.take(">i")
            return name(answer.take(">h")), answer.take(">q")
        body = compact(tx) + struct.pack(">hi", -1, 10000) + varint(2) + compact(topic) + varint(2) + struct.pack(">i", partition)
        answer = self.any.ask(0, version, body + varint(len(records) + 1) + records + 3 * NO_TAGS, True)
        answer.varint(), answer.compact(), answer.varint(), answer.take(">i")
        return name(answer.take(">h")), answer.take(">q")

    def fetch(self, topic, isolation):
        """Partition 0 from offset 1 on: high watermark, last stable offset, aborted transactions, and the batches."""
        body = struct.pack(">iiiibiii", -1, 0, 1, 1 << 20, isolation, 0, -1, 1) + text(topic)
        body += struct.pack(">iiiqqii", 1, 0, -1, 1, -1, 1 << 20, 0) + text("")
        answer = self.any.ask(1, 11, body)
        answer.take(">i"), answer.take(">h"), answer.take(">i"), answer.take(">i"), answer.text(), answer.take(">i"), answer.take(">i")
        error, high, stable, _ = answer.take(">h"), answer.take(">q"), answer.take(">q"), answer.take(">q")
        count = answer.take(">i")
        aborted = None if count < 0 else [(answer.take(">q"), answer.take(">q"))[1] for _ in range(count)]
        answer.take(">i"), answer.take(">i")
        return name(error), high, stable, aborted, batches(answer.data[answer.at:])

    def log(self, topic):
        return self.fetch(topic, 0)[4]


def batches(data):
    """Each batch as a word: transactional, plain, commit or abort; offset, epoch, first sequence."""
    words, at = [], 0
    while at + 61 <= len(data):
        base, size = struct.unpack_from(">qi", data, at)
        attributes, = struct.unpack_from(">h", data, at + 21)
        epoch, sequence = struct.unpack_from(">hi", data, at + 51)
        kind = ("commit" if data[at + 69] else "abort") if attributes & 0x20 else "record" if attributes & 0x10 else "plain"
        words.append(f"{kind}@{base}/{epoch}/{sequence}")
        at += 12 + size
    return words


def again(ask):
    """Asks until the answer is a final one."""
    for _ in range(300):
        answer = ask()
        errors = {answer[0]} if isinstance(answer, tuple) else set(answer)
        if not errors & TOGGLES:
            break
        time.sleep(0.05)
    return answer


def settle():
    time.sleep(0.3)


class Version:
    """The steps in the words of one transaction version."""

    def __init__(self, probe, number):
        self.probe, self.number = probe, number
        self.end_version, self.produce_version, self.commit_version = (2, 11, 3) if number == 1 else (5, 12, 5)

    def say(self, what, *answers):
        print(f"version {self.number}, {what}:", *answers, flush=True)

    def begin(self, **more):
        self.tx, self.topic = self.probe.fresh()
        _, self.pid, self.epoch = self.probe.init_in_the_end(self.tx, **more)

    def init(self):
        error, pid, self.epoch = self.probe.init_in_the_end(self.tx)
        return error, "same" if pid == self.pid else "other", self.epoch

    def join(self, sequence):
        if self.number == 1:
            again(lambda: self.probe.add(self.tx, self.pid, self.epoch, [(self.topic, 0)]))
        return again(lambda: self.produce(sequence))

    def produce(self, sequence, epoch=None, partition=0):
        records = batch(self.pid, self.epoch if epoch is None else epoch, sequence)
        return self.probe.produce(self.tx, self.topic, partition, records, self.produce_version)

    def end(self, commit, epoch=None, pid=None):
        epoch = self.epoch if epoch is None else epoch
        return self.probe.end(self.tx, pid or self.pid, epoch, commit, self.end_version)

    def bump(self, pid, epoch, **more):
        error, found, epoch = self.probe.init(self.tx, pid, epoch, **more)
        return error, "same" if found == self.pid else "other", epoch - self.epoch if found >= 0 else "-"

    def run(self):
        self.begin()
        self.without_a_transaction()
        self.commit_and_abort()
        self.fencing()
        self.bumps()
        self.timeouts()
        self.offsets()

    def without_a_transaction(self):
        records = batch(self.pid, self.epoch, 0)
        self.say("a batch that never joined", *(self.probe.produce(self.tx, self.topic, 1, records, v) for v in (11, 8)))
        self.say("abort of nothing", self.end(False))
        settle()
        self.say("init again", self.init())
        self.say("commit of nothing", self.end(True))

    def commit_and_abort(self):
        probe, first = self.probe, self.epoch
        self.say("a batch that joins", self.join(0))
        self.say("read committed while it is open", probe.fetch(self.topic, 1))
        self.say("a batch outside the transaction", probe.produce(None, self.topic, 0, batch(self.pid, first, 1, False), self.produce_version))
        self.say("a batch without the id", probe.produce(None, self.topic, 0, batch(self.pid, first, 1), self.produce_version))
        ended = self.end(True)
        self.say("commit", ended)
        settle()
        self.say("commit and abort repeated", self.end(True), self.end(False))
        self.say("the log", probe.fetch(self.topic, 1), probe.fetch(self.topic, 0))
        self.epoch = ended[2]
        self.say("commit under the next epoch", self.end(True))
        self.say("late batches", self.produce(1, first), self.produce(0, first, 1))
        self.say("end under a foreign id, an epoch to come", self.end(True, pid=self.pid + 5), self.end(True, self.epoch + 3))
        self.say("end of an unknown id", probe.end(self.tx + "x", self.pid, self.epoch, True, self.end_version))
        self.additions()
        self.say("the next transaction", self.join(1 if self.number == 1 else 0))
        ended = self.end(False)
        self.say("abort", ended)
        self.epoch = ended[2]
        settle()
        self.say("read committed", probe.fetch(self.topic, 1))
        self.say("the third transaction", self.join(2 if self.number == 1 else 0))
        self.say("the late commit of the first", self.end(True, first))
        settle()
        self.say("read committed", probe.fetch(self.topic, 1))

    def additions(self):
        probe, topics = self.probe, [(self.topic, 0)]
        self.say("partitions under a foreign id", probe.add(self.tx, self.pid + 5, self.epoch, topics))
        self.say("partitions under an epoch to come", *(probe.add(self.tx, self.pid, self.epoch + 3, topics, v) for v in (2, 1)))
        self.say("partitions for unknown ids", probe.add(self.tx + "x", self.pid, self.epoch, topics), probe.add("", 5, 0, topics))
        self.say("partitions of an unknown topic", probe.add(self.tx, self.pid, self.epoch, topics + [("none-" + self.topic, 0)]))

    def fencing(self):
        zombie = self.epoch
        self.say("a new instance", self.init())
        settle()
        self.say("the log", self.probe.log(self.topic))
        self.say("commit of the old instance", self.end(True, zombie))
        self.say("partitions of the old instance", *(self.probe.add(self.tx, self.pid, zombie, [(self.topic, 0)], v) for v in (2, 1)))
        self.say("batches of the old instance", self.produce(3 if self.number == 1 else 0, zombie), self.produce(0, zombie, 1))
        self.say("offsets of the old instance", self.probe.add_offsets(self.tx, self.pid, zombie, "g"))

    def bumps(self):
        pid, epoch = self.pid, self.epoch
        self.say("bump, and again", self.bump(pid, epoch), self.bump(pid, epoch))
        self.say("bump of an older epoch", self.bump(pid, epoch - 1), self.bump(pid, epoch - 1, version=3))
        self.say("bump of a foreign id, without an epoch", self.bump(pid + 9, epoch), self.bump(pid, -1))
        self.say("timeouts", *(self.probe.init(self.tx, timeout=timeout)[0] for timeout in (10**8, 0)))
        self.say("no id", self.probe.init("")[0])
        error, found, epoch = self.probe.init(self.tx + "new", 77, 3)
        self.say("a bump of what is not known", error, found == 77, epoch)

    def timeouts(self):
        self.begin(timeout=1000)
        self.say("a transaction of one second", self.join(0))
        for _ in range(400):
            _, high, stable, *_ = self.probe.fetch(self.topic, 1)
            if high == stable:
                break
            time.sleep(0.1)
        self.say("the log", self.probe.log(self.topic))
        self.say("commit and abort too late", self.end(True), self.end(False))
        self.say("partitions too late", self.probe.add(self.tx, self.pid, self.epoch, [(self.topic, 0)]))
        self.say("a batch too late", self.produce(1))
        self.say("bump", self.bump(self.pid, self.epoch))

    def offsets(self):
        self.begin()
        probe, group, version = self.probe, "group-" + self.tx, self.commit_version

        def commit(group=group, version=version, pid=self.pid, epoch=self.epoch, topic=self.topic, **more):
            return probe.commit(self.tx, group, pid, epoch, topic, version, **more)
        self.say("offsets that never joined", commit(version=3), commit(version=4))
        if self.number == 1:
            self.say("the group joins", probe.add_offsets(self.tx, self.pid, self.epoch, group))
        self.say("a generation of an unknown group", commit(generation=3, member="m"))
        self.say("a member of an unknown group", commit(member="m"))
        self.say("offsets", commit(), commit(instance="i"), commit(member="m"))
        self.say("a generation of a known group", commit(generation=3, member="m"), commit(generation=0, member="m", instance="i"))
        self.say("an unknown topic, no group", commit(topic="none-" + self.topic), commit(group=""))
        self.say("fenced", commit(epoch=self.epoch - 1), commit(group + "2", epoch=self.epoch - 1), commit(group + "2", epoch=self.epoch + 1))
        self.say("a foreign id", commit(pid=self.pid + 7))
        self.say("pending", probe.offset(group, self.topic, True), probe.offset(group, self.topic, False))
        self.end(True)
        settle()
        self.say("committed", probe.offset(group, self.topic, True))
        self.say("too late", commit())


def versions_mixed(probe):
    tx, topic = probe.fresh()
    _, pid, epoch = probe.init_in_the_end(tx)
    print("up:", probe.add(tx, pid, epoch, [(topic, 0)]), probe.produce(tx, topic, 0, batch(pid, epoch, 0), 11))
    print("up:", probe.end(tx, pid, epoch, True, 5))
    settle()
    _, pid, epoch = probe.init_in_the_end(tx)
    print("down:", probe.produce(tx, topic, 0, batch(pid, epoch, 0), 12), probe.end(tx, pid, epoch, True, 2))
    settle()
    print("down:", probe.add(tx, pid, epoch, [(topic, 0)]), probe.produce(tx, topic, 0, batch(pid, epoch, 1), 11))
    print("down:", probe.end(tx, pid, epoch, False, 2))
    settle()
    print("log:", probe.log(topic))


def sequences(probe):
    """What a partition remembers of an idempotent producer: its last five batches and its epoch."""
    _, topic = probe.fresh()

    def write(sequence, epoch=3, pid=4711):
        return probe.produce(None, topic, 0, batch(pid, epoch, sequence, False), 8)
    print("seven batches:", *(write(sequence) for sequence in range(5, 12)))
    print("the two forgotten ones:", write(5), write(6))
    print("those remembered:", *(write(sequence) for sequence in range(7, 12)))
    print("a gap, a sequence before the first one:", write(13), write(1))
    print("the older epoch, a repeated batch and the next:", write(11, 2), write(12, 2))
    print("the next epoch, not from its beginning:", write(12, 4), write(1, 4))
    print("the next batch, the next epoch, the old one:", write(12), write(0, 4), write(13))
    print("up to the largest, and on:", write(2**31 - 2, 0, 4712), write(2**31 - 1, 0, 4712), write(0, 0, 4712), write(2**31 - 1, 0, 4712))
    print("log:", probe.log(topic))


if __name__ == "__main__":
    probe = Probe(sys.argv[1])
    for number in (1, 2):
        Version(probe, number).run()
    versions_mixed(probe)
    sequences(probe)
