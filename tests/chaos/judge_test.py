"""The judge's own test: a good history is clean, and one that is spoilt in any one way is found out, by name."""
import copy
import random
import unittest
import zlib

from judge import ANOMALIES, History, Judge, Record


def value(run, producer, thread, topic, partition, counter, transaction):
    text = "|".join(map(str, (run, producer, thread, topic, partition, counter, transaction, "pad")))
    return f"{text}|{zlib.crc32(text.encode()):08x}"


def plain(seed):
    """Two producers of two threads on two topics; some records fail, with and without having been written."""
    rng, history, now = random.Random(seed), History(), 1_000_000
    history.run, history.outcome_limit_ms = "r", 5000
    offsets = {}
    for producer in ("p0.1", "p1.1"):
        lines = ["run r " + producer]
        for thread in (0, 1):
            counters = {}
            for _ in range(60):
                topic, partition = rng.choice(("t", "u")), rng.randrange(3)
                counter = counters[topic, partition] = counters.get((topic, partition), 0) + 1
                now += 3
                what = f"{thread} {topic} {partition} {counter}"
                lines.append(f"s {what} 0 {now} {now}")
                outcome = rng.choices(("acked", "lost", "maybe"), (10, 1, 1))[0]
                if outcome != "lost":
                    offset = offsets[topic, partition] = offsets.get((topic, partition), -1) + 1
                    text = value("r", producer, thread, topic, partition, counter, 0)
                    history.stored.append(Record(topic, partition, offset, now, text))
                if outcome == "acked":
                    lines.append(f"a {what} {offset} {now} {now + 9}")
                else:
                    lines.append(f"f {what} {'M' if outcome == 'maybe' else 'N'} {now + 9} Timeout")
        history.journals.append((producer, lines + [f"end {now}"], False))
    return history


def transactional(seed):
    """One producer of two threads: committed, aborted, and indefinite transactions, some of which are there."""
    rng, history, now = random.Random(seed), History(), 1_000_000
    history.run, history.committed = "r", []
    offsets, lines = {}, ["run r p0.1"]
    for thread in (0, 1):
        counters, last = {}, -1
        for number in range(1, 31):
            end = rng.choice(("k", "k", "x", "?k", "?x", "kx"))
            lines.append(f"b {thread} {number} {now}")
            for _ in range(3):
                partition = rng.randrange(3)
                counter = counters[partition] = counters.get(partition, 0) + 1
                offset = offsets["t", partition] = offsets.get(("t", partition), -1) + 1
                now += 3
                what = f"{thread} t {partition} {counter}"
                lines += [f"s {what} {number} {now} {now}", f"a {what} {offset} {now} {now + 2}"]
                record = Record("t", partition, offset, now, value("r", "p0.1", thread, "t", partition, counter, number))
                history.stored.append(record)
                if end in ("k", "?k"):
                    history.committed.append(record)
            lines.append(f"{'r' if end == 'x' else 'c'} {thread} {number} {now}")
            if end == "kx":  # the commit was given up, and the abort took
                lines += [f"e {thread} {number} {now} Timeout", f"r {thread} {number} {now}"]
            lines.append({"k": "k", "x": "x", "kx": "x"}.get(end, "e") + f" {thread} {number} {now}")
            last = number if end in ("k", "?k") else last
        history.group_offsets[f"p0-{thread}"] = last
    history.journals.append(("p0.1", lines + [f"end {now}"], False))
    history.ends = {at: offset + 1 for at, offset in offsets.items()}
    history.stable_ends = dict(history.ends)
    return history


def acked(history, rng):
    """The line of an acknowledged record, by journal and place, and the record."""
    while True:
        number = rng.randrange(len(history.journals))
        producer, lines, _ = history.journals[number]
        at = rng.randrange(len(lines))
        words = lines[at].split(" ")
        if words[0] == "a":
            stored = next(r for r in history.stored if (r.topic, str(r.partition), str(r.offset)) == (words[2], words[3], words[5]))
            return lines, at, words, stored


def visible(history, mark, rng, asked=True):
    """The committed-or-not records of a transaction that ended with this line."""
    _, lines, _ = history.journals[0]
    ends = [line.split(" ") for line in lines if line.startswith(mark + " ")]
    if mark == "x":
        asked_for = {tuple(line.split(" ")[1:3]) for line in lines if line.startswith("c ")}
        ends = [words for words in ends if (tuple(words[1:3]) in asked_for) == asked]
    words = rng.choice(ends)
    mine = [r for r in history.stored if r.value.split("|")[2] == words[1] and r.value.split("|")[6] == words[2]]
    return mine, words


def spoil_lost(h, rng):
    h.stored.remove(acked(h, rng)[3])


def spoil_duplicated(h, rng):
    record = copy.copy(acked(h, rng)[3])
    record.offset = 1 + max(r.offset for r in h.stored)
    h.stored.append(record)


def spoil_reordered(h, rng):
    while True:
        one = acked(h, rng)[3]
        parts = one.value.split("|")
        for other in h.stored:
            theirs = other.value.split("|")
            if other is not one and theirs[1:5] == parts[1:5]:
                one.value, other.value = other.value, one.value
                return


def spoil_misrouted(h, rng):
    record = acked(h, rng)[3]
    record.partition, record.offset = record.partition + 1, 10_000


def spoil_corrupted(h, rng):
    record = acked(h, rng)[3]
    at = rng.randrange(len(record.value) - 9)
    record.value = record.value[:at] + chr(ord(record.value[at]) ^ 1) + record.value[at + 1:]


def spoil_phantom(h, rng):
    h.stored.append(Record("t", 0, 10_000, 5, value("r", "p0.1", 0, "t", 0, 99_999, 0)))


def spoil_wrong_offset(h, rng):
    lines, at, words, _ = acked(h, rng)
    words[5] = str(int(words[5]) + 1)
    lines[at] = " ".join(words)


def spoil_wrong_timestamp(h, rng):
    acked(h, rng)[3].timestamp += 1


def spoil_wrong_outcome_class(h, rng):
    lines, at, words, _ = acked(h, rng)
    lines[at] = " ".join(["f", *words[1:5], "N", words[7], "Timeout"])


def spoil_no_outcome(h, rng):
    lines, at, _, _ = acked(h, rng)
    del lines[at]


def spoil_two_outcomes(h, rng):
    lines, at, _, _ = acked(h, rng)
    lines.insert(at, lines[at])


def spoil_late_outcome(h, rng):
    lines, at, words, _ = acked(h, rng)
    words[7] = str(int(words[7]) + 5001)
    lines[at] = " ".join(words)


def spoil_unseen_commit(h, rng):
    for record in visible(h, "k", rng)[0]:
        h.committed.remove(record)


def spoil_torn_transaction(h, rng):
    h.committed.remove(visible(h, "k", rng)[0][1])


def spoil_aborted_read(h, rng):
    h.committed.extend(visible(h, "x", rng, asked=False)[0])


def spoil_late_commit(h, rng):
    h.committed.extend(visible(h, "x", rng, asked=True)[0])


def spoil_wrong_group_offset(h, rng):
    h.group_offsets["p0-1"] -= 1


def spoil_stuck_last_stable_offset(h, rng):
    h.stable_ends["t", 1] -= 1


TRANSACTIONAL = ("unseen commit", "torn transaction", "aborted read", "late commit", "wrong group offset",
                 "stuck last stable offset")


class TheJudge(unittest.TestCase):
    def test_finds_nothing_in_good_histories(self):
        for seed in range(20):
            self.assertEqual(Judge(plain(seed)).judge().findings, {})
            self.assertEqual(Judge(transactional(seed)).judge().findings, {})

    def test_finds_every_anomaly_in_spoilt_histories(self):
        for anomaly in ANOMALIES:
            spoil = globals()["spoil_" + anomaly.replace(" ", "_")]
            for seed in range(20):
                with self.subTest(anomaly=anomaly, seed=seed):
                    history = (transactional if anomaly in TRANSACTIONAL else plain)(seed)
                    spoil(history, random.Random(seed))
                    self.assertIn(anomaly, Judge(history).judge().findings)

    def test_forgives_a_killed_client_its_open_records_and_a_deleted_topic_its_lost_ones(self):
        history = plain(1)
        lines, at, _, _ = acked(history, random.Random(2))
        del lines[at]
        history.journals = [(producer, lines, True) for producer, lines, _ in history.journals]
        self.assertEqual(Judge(history).judge().findings, {})
        history.stored = [record for record in history.stored if record.topic != "u"]
        history.lossy_topics = {"u"}
        self.assertEqual(Judge(history).judge().findings, {})

    def test_forgives_the_timestamp_of_a_repeated_batch_even_when_its_topic_was_deleted(self):
        history = plain(1)
        lines = history.journals[0][1]
        told = [line.split(" ") for line in lines if line.startswith("a ")]
        later = next(words for words in reversed(told) if words[2] == "u")
        words = next(words for words in told if words[2:4] == later[2:4])
        lines[lines.index(" ".join(words))] = " ".join([*words[:6], later[6], words[7]])
        self.assertEqual(Judge(history).judge().findings, {})
        history.stored = [record for record in history.stored if record.topic != "u"]
        history.lossy_topics = {"u"}
        self.assertEqual(Judge(history).judge().findings, {})
        history.lossy_topics = set()
        self.assertIn("lost", Judge(history).judge().findings)


if __name__ == "__main__":
    unittest.main()
