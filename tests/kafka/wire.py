"""The Kafka protocol as far as starting a cluster and making topics needs it."""
import socket
import struct


class Wire:
    """One connection that speaks old request versions which 2.8 and 4.3 both know."""

    LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS = 2, 3, 18, 19, 20

    def __init__(self, port, timeout=10.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, api, version, body):
        request = struct.pack(">hhi", api, version, 1) + text("cluster") + body
        self.socket.sendall(struct.pack(">i", len(request)) + request)
        return Cursor(self.exactly(struct.unpack(">i", self.exactly(4))[0])[4:])

    def exactly(self, size):
        parts = b""
        while len(parts) < size:
            part = self.socket.recv(size - len(parts))
            if not part:
                raise ConnectionError("connection closed")
            parts += part
        return parts

    def metadata(self):
        """Answers (broker ids, controller id, {topic: {partition: (error, leader, replicas, isr)}})."""
        error = self.ask(self.API_VERSIONS, 0, b"").take(">h")
        if error != 0:
            raise ConnectionError(f"ApiVersions answered error {error}")
        reply = self.ask(self.METADATA, 1, struct.pack(">i", -1))
        brokers = [(reply.take(">i"), reply.text(), reply.take(">i"), reply.text())[0] for _ in range(reply.take(">i"))]
        controller, topics = reply.take(">i"), {}
        for _ in range(reply.take(">i")):
            _, name, _ = reply.take(">h"), reply.text(), reply.take(">b")
            topics[name] = {}
            for _ in range(reply.take(">i")):
                error, partition = reply.take(">h"), reply.take(">i")
                topics[name][partition] = (error, reply.take(">i"), reply.ids(), reply.ids())
        return brokers, controller, topics

    def leads(self, topic, partitions):
        """Whether this node answers for these partitions as their leader: it may know its duty a little later than others."""
        body = struct.pack(">ii", -1, 1) + text(topic) + struct.pack(">i", len(partitions))
        reply = self.ask(self.LIST_OFFSETS, 1, body + b"".join(struct.pack(">iq", each, -1) for each in partitions))
        reply.take(">i"), reply.text()
        errors = [(reply.take(">i"), reply.take(">h"), reply.take(">q"), reply.take(">q"))[1] for _ in range(reply.take(">i"))]
        return not any(errors)

    def create_topic(self, name, partitions, replication, configs):
        body = struct.pack(">i", 1) + text(name) + struct.pack(">ihi", partitions, replication, 0)
        body += struct.pack(">i", len(configs)) + b"".join(text(key) + text(value) for key, value in configs)
        reply = self.ask(self.CREATE_TOPICS, 2, body + struct.pack(">ib", 30000, 0))
        reply.take(">i"), reply.take(">i"), reply.text()
        return reply.take(">h"), reply.text()

    def delete_topic(self, name):
        reply = self.ask(self.DELETE_TOPICS, 1, struct.pack(">i", 1) + text(name) + struct.pack(">i", 30000))
        reply.take(">i"), reply.take(">i"), reply.text()
        return reply.take(">h"), None


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, layout):
        value = struct.unpack_from(layout, self.data, self.at)[0]
        self.at += struct.calcsize(layout)
        return value

    def text(self):
        size = self.take(">h")
        self.at += max(size, 0)
        return None if size < 0 else self.data[self.at - size:self.at].decode()

    def ids(self):
        return [self.take(">i") for _ in range(self.take(">i"))]


def text(value):
    data = value.encode()
    return struct.pack(">h", len(data)) + data
