#!/usr/bin/env python3
"""Reads topics `read_committed` with confluent-kafka: `read_committed.py BOOTSTRAP GROUP TOPIC..`.

Prints `record TOPIC PARTITION OFFSET VALUE` for every record (VALUE in hexadecimal digits), and `offset TOPIC PARTITION
OFFSET` for every offset that GROUP has committed. Where the package cannot be fetched it ends with code 77 and says why.
"""
import os
import pathlib
import subprocess
import sys

VERSION = "2.12.1"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "ottla" / "python"
PYTHON = "{}{}".format(*sys.version_info)
FOLDER = CACHE / f"confluent-kafka-{VERSION}-{PYTHON}"
NOT_HERE = 77
SECONDS = 30.0


def fetch():
    """Fills the folder once; a fetch that was interrupted leaves no mark and is done again."""
    if (FOLDER / "fetched").exists():
        return
    command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "2", "--upgrade",
               "--only-binary=:all:", "--target", str(FOLDER), f"confluent-kafka=={VERSION}"]
    got = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if got.returncode != 0:
        reason = (got.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        print(f"confluent-kafka {VERSION} cannot be fetched: {reason}", file=sys.stderr)
        sys.exit(NOT_HERE)
    (FOLDER / "fetched").touch()


def main(bootstrap, group, *topics):
    fetch()
    sys.path.insert(0, str(FOLDER))
    from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": group, "isolation.level": "read_committed",
                         "enable.auto.commit": False, "enable.partition.eof": True, "check.crcs": True})
    found = consumer.list_topics(timeout=SECONDS).topics
    partitions = [(topic, partition) for topic in topics for partition in sorted(found[topic].partitions)]
    consumer.assign([TopicPartition(*place, OFFSET_BEGINNING) for place in partitions])
    unread = set(partitions)
    while unread:
        message = consumer.poll(SECONDS)
        if message is None:
            sys.exit(f"nothing came for {SECONDS} s; not read to the end: {sorted(unread)}")
        place = message.topic(), message.partition()
        if message.error() is None:
            print("record", *place, message.offset(), (message.value() or b"").hex())
        elif message.error().code() == KafkaError._PARTITION_EOF:
            unread.discard(place)
        else:
            sys.exit(f"{place}: {message.error()}")
    for committed in consumer.committed([TopicPartition(*place) for place in partitions], timeout=SECONDS):
        if committed.offset >= 0:
            print("offset", committed.topic, committed.partition, committed.offset)
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
