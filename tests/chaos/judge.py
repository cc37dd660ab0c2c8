"""Judges a run: what the journals say the application saw, against what an independent reader found.

A history is plain data, so that the judge's own test can spoil one in every way (judge_test.py).
"""
import collections
import zlib

# Every kind of finding; a run without anomalies has none of them.
ANOMALIES = (
    "lost", "duplicated", "reordered", "misrouted", "corrupted", "phantom",
    "wrong offset", "wrong timestamp", "wrong outcome class", "no outcome", "two outcomes", "late outcome",
    "unseen commit", "torn transaction", "aborted read", "late commit", "wrong group offset", "stuck last stable offset",
)


class Record:
    """A record as a reader found it; `parts` is what the judge made of its value."""
    __slots__ = ("topic", "partition", "offset", "timestamp", "value", "parts")

    def __init__(self, topic, partition, offset, timestamp, value):
        self.topic, self.partition, self.offset, self.timestamp, self.value = topic, partition, offset, timestamp, value
        self.parts = None


class History:
    """What a run left behind; without transactions also what it left in one partition only."""

    def __init__(self):
        self.run = ""
        self.journals = []         # (producer, lines, whether the client was killed)
        self.stored = []           # Records, read uncommitted
        self.committed = None      # Records, read committed; None without transactions
        self.ends = {}             # (topic, partition): end of the log
        self.stable_ends = {}      # (topic, partition): last stable offset
        self.group_offsets = {}    # group: offset
        self.lossy_topics = set()  # deleted while the run went on: their records may be gone
        self.outcome_limit_ms = 0  # the longest that a record may be without an outcome; 0: not looked at


def parse(value):
    """The parts of a record's value (run, producer, thread, topic, partition, counter, transaction), or None."""
    text, _, checksum = value.rpartition("|")
    if f"{zlib.crc32(text.encode()):08x}" != checksum:
        return None
    parts = text.split("|")
    if len(parts) != 8:
        return None
    try:
        return parts[0], parts[1], int(parts[2]), parts[3], int(parts[4]), int(parts[5]), int(parts[6])
    except ValueError:
        return None


class Sent:
    """A record that the application handed over, and what it was told of it."""
    __slots__ = ("key", "timestamp", "began", "transaction", "outcome", "offset", "told_timestamp", "ended", "persisted",
                 "why", "extra")

    def __init__(self, key, transaction, timestamp, began):
        self.key, self.transaction, self.timestamp, self.began = key, transaction, timestamp, began
        self.outcome, self.offset, self.told_timestamp, self.ended = None, None, None, None
        self.persisted, self.why, self.extra = "-", "", 0


class Transaction:
    """`ended` is one of open, committing, committed, aborting, aborted, given up."""
    __slots__ = ("producer", "thread", "number", "ended", "asked_to_commit", "records")

    def __init__(self, producer, thread, number):
        self.producer, self.thread, self.number = producer, thread, number
        self.ended, self.asked_to_commit, self.records = "open", False, []


class Journal:
    """The lines of one client, understood."""

    def __init__(self, producer, lines):
        self.producer, self.sent, self.transactions, self.clean = producer, {}, {}, False
        for line in lines:
            words = line.split(" ")
            note = getattr(self, f"note_{words[0]}", None)
            if note:
                note(words[1:])

    def note_s(self, words):
        thread, topic, partition, counter, transaction, timestamp, now = words
        key = (self.producer, int(thread), topic, int(partition), int(counter))
        sent = self.sent[key] = Sent(key, int(transaction), int(timestamp), int(now))
        if sent.transaction:
            self.transaction(thread, transaction).records.append(sent)

    def note_a(self, words):
        sent = self.find(words)
        if sent.outcome:
            sent.extra += 1
        sent.outcome, sent.offset, sent.told_timestamp, sent.ended = "acked", int(words[4]), int(words[5]), int(words[6])

    def note_f(self, words):
        sent = self.find(words)
        if sent.outcome:
            sent.extra += 1
        sent.outcome, sent.persisted, sent.ended = "failed", words[4], int(words[5])
        sent.why = words[6].partition(":")[0]

    def note_b(self, words):
        self.transaction(words[0], words[1])

    def note_c(self, words):
        transaction = self.transaction(words[0], words[1])
        transaction.ended, transaction.asked_to_commit = "committing", True

    def note_k(self, words):
        self.transaction(words[0], words[1]).ended = "committed"

    def note_r(self, words):
        self.transaction(words[0], words[1]).ended = "aborting"

    def note_x(self, words):
        self.transaction(words[0], words[1]).ended = "aborted"

    def note_end(self, _):
        self.clean = True

    def find(self, words):
        return self.sent[(self.producer, int(words[0]), words[1], int(words[2]), int(words[3]))]

    def transaction(self, thread, number):
        key = (int(thread), int(number))
        if key not in self.transactions:
            self.transactions[key] = Transaction(self.producer, *key)
        return self.transactions[key]


class Judge:
    def __init__(self, history):
        self.history = history
        self.findings = collections.defaultdict(list)
        self.journals = [Journal(producer, lines) for producer, lines, _ in history.journals]
        self.killed = {producer for producer, _, killed in history.journals if killed}
        self.sent = {key: sent for journal in self.journals for key, sent in journal.sent.items()}
        self.counts = collections.Counter()
        self.slowest = (0, "")  # the longest that an acknowledged record took, and which one
        self.last_timestamps = collections.defaultdict(set)

    def add(self, anomaly, text):
        assert anomaly in ANOMALIES
        self.findings[anomaly].append(text)

    def judge(self):
        self.counts["in the log"] = len(self.history.stored)
        found = self.read(self.history.stored, self.sent)
        self.judge_outcomes(found)
        self.judge_order()
        if self.history.committed is not None:
            self.judge_transactions(found)
        return self

    def read(self, records, sent):
        """Where each record is, by its key; finds what no record may be."""
        found = collections.defaultdict(list)
        for record in records:
            where = f"{record.topic}-{record.partition}@{record.offset}"
            parts = record.parts = parse(record.value)
            if parts is None:
                self.add("corrupted", where)
                continue
            run, producer, thread, topic, partition, counter, _ = parts
            if (topic, partition) != (record.topic, record.partition):
                self.add("misrouted", f"{where} was meant for {topic}-{partition}")
            key = (producer, thread, topic, partition, counter)
            if run != self.history.run or key not in sent:
                self.add("phantom", where)
                continue
            found[key].append(record)
        return found

    def judge_outcomes(self, found):
        limit = self.history.outcome_limit_ms
        for key, sent in self.sent.items():
            places = found.get(key, [])
            lossy = key[2] in self.history.lossy_topics
            self.counts[f"failed ({sent.why})" if sent.outcome == "failed" else sent.outcome or "open"] += 1
            if sent.outcome == "acked" and sent.ended - sent.began > self.slowest[0]:
                self.slowest = sent.ended - sent.began, f"{key} from {sent.began} on"
            if len(places) > 1:
                self.add("duplicated", f"{key} at {[place.offset for place in places]}")
            if sent.extra:
                self.add("two outcomes", str(key))
            if sent.outcome is None and key[0] not in self.killed:
                self.add("no outcome", str(key))
            if sent.outcome == "acked" and not lossy:
                if not places:
                    self.add("lost", f"{key} acknowledged at {sent.offset}")
                elif sent.offset >= 0 and all(place.offset != sent.offset for place in places):
                    self.add("wrong offset", f"{key} told {sent.offset}, is at {places[0].offset}")
            if places and places[0].timestamp != sent.timestamp:
                self.add("wrong timestamp", f"{key} sent {sent.timestamp}, stored {places[0].timestamp}")
            elif sent.outcome == "acked" and sent.told_timestamp not in (-1, sent.timestamp) \
                    and sent.told_timestamp not in self.answers_to_repeats(key, found):
                self.add("wrong timestamp", f"{key} sent {sent.timestamp}, told {sent.told_timestamp}")
            if sent.outcome == "failed" and sent.persisted == "N" and places:
                self.add("wrong outcome class", f"{key} failed as not written, is at {places[0].offset}")
            if limit and sent.ended is not None and sent.ended - sent.began > limit:
                self.add("late outcome", f"{key} after {sent.ended - sent.began} ms")

    def answers_to_repeats(self, key, found):
        """The timestamps that a record may be told in place of its own: a broker that gets a batch a second time answers
        with the last timestamp in the batch as if it were the time of the append, whatever the topic's kind is. Of a
        deleted topic the batch may be gone by now, so there all count that were sent."""
        if not self.last_timestamps:
            for (producer, _, topic, partition, _), sent in self.sent.items():
                if topic in self.history.lossy_topics:
                    self.last_timestamps[producer, topic, partition].add(sent.timestamp)
            for (producer, _, topic, partition, _), places in found.items():
                for place in places:
                    self.last_timestamps[producer, topic, partition].add(place.timestamp)
        return {told for told in self.last_timestamps[key[0], key[2], key[3]] if told > self.sent[key].timestamp}

    def judge_order(self):
        """Within one thread and partition the counter rises with the offset; what comes twice is a duplicate, not this."""
        last, seen = {}, set()
        for record in sorted(self.history.stored, key=lambda r: (r.topic, r.partition, r.offset)):
            parts = record.parts
            if parts is None:
                continue
            key = (parts[1], parts[2], record.topic, record.partition)
            if (key, parts[5]) in seen:
                continue
            seen.add((key, parts[5]))
            if parts[5] < last.get(key, 0):
                self.add("reordered", f"{key}: {parts[5]} behind {last[key]} at offset {record.offset}")
            last[key] = max(parts[5], last.get(key, 0))

    def judge_transactions(self, found):
        visible = self.read_committed()
        for journal in self.journals:
            for transaction in journal.transactions.values():
                self.judge_transaction(transaction, visible, found)
        self.judge_group_offsets(visible)
        for at, end in self.history.ends.items():
            stable = self.history.stable_ends.get(at, end)
            if stable < end:
                self.add("stuck last stable offset", f"{at[0]}-{at[1]}: {stable} of {end}")

    def read_committed(self):
        keys = set()
        for record in self.history.committed:
            parts = parse(record.value)
            if parts:
                keys.add((parts[1], parts[2], parts[3], parts[4], parts[5]))
        return keys

    def judge_transaction(self, transaction, visible, found):
        name = f"{transaction.producer}/{transaction.thread} transaction {transaction.number}"
        # A record that the client never accepted for good need not be there; one that was acknowledged has to.
        must = [sent for sent in transaction.records if sent.outcome == "acked" and sent.key[2] not in self.history.lossy_topics]
        seen = [sent for sent in transaction.records if sent.key in visible]
        self.counts[f"transactions {transaction.ended}"] += 1
        if transaction.ended == "committed":
            missing = [sent for sent in must if sent.key not in visible]
            if missing:
                self.add("torn transaction" if seen else "unseen commit", f"{name}: {len(missing)} of {len(must)} missing")
        elif not seen:
            return
        elif not transaction.asked_to_commit:
            self.add("aborted read", f"{name} ({transaction.ended}): {len(seen)} seen")
        elif any(sent.key not in visible for sent in must):
            self.add("torn transaction", f"{name} ({transaction.ended}): {len(seen)} of {len(must)} seen")
        elif transaction.ended == "aborted":
            self.add("late commit", f"{name}: commit was given up, abort succeeded, and all of it is there")

    def judge_group_offsets(self, visible):
        """Each transaction puts its own number into its group: what stands there belongs to the last one that is visible."""
        last = {}
        for journal in self.journals:
            for transaction in journal.transactions.values():
                is_there = transaction.ended == "committed" or any(sent.key in visible for sent in transaction.records)
                group = f"{transaction.producer.partition('.')[0]}-{transaction.thread}"
                if is_there:
                    last[group] = max(last.get(group, -1), transaction.number)
        for group, offset in self.history.group_offsets.items():
            if offset != last.get(group, -1):
                self.add("wrong group offset", f"{group}: {offset}, last visible transaction {last.get(group, -1)}")

    def absorb(self, other):
        """Adds what another judge found in another part of the same run."""
        for anomaly, texts in other.findings.items():
            self.findings[anomaly] += texts
        self.counts.update(other.counts)
        self.slowest = max(self.slowest, other.slowest)

    def is_clean(self):
        return not self.findings

    def summary(self):
        """One line: counts first, then every anomaly that there is."""
        counts = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        found = ", ".join(f"{len(texts)} {anomaly}" for anomaly, texts in sorted(self.findings.items()))
        return f"{counts}; slowest acknowledgement {self.slowest[0] / 1000:.1f} s; anomalies: {found or '0'}"
