"""The Kafka protocol as far as starting a cluster and making topics needs it."""
import socket
import struct


class Wire:
    """One connection that speaks three old request versions which 2.8 and 4.3 both know."""

    METADATA, API_VERSIONS, CREATE_TOPICS, DELETE_TOPICS = 3, 18, 19, 20

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
        """Answers (broker ids, controller id, {topic: [(error, leader, replicas, isr)]})."""
        error = self.ask(self.API_VERSIONS, 0, b"").take(">h")
        if error != 0:
            raise ConnectionError(f"ApiVersions answered error {error}")
        reply = self.ask(self.METADATA, 1, struct.pack(">i", -1))
        brokers = [(reply.take(">i"), reply.text(), reply.take(">i"), reply.text())[0] for _ in range(reply.take(">i"))]
        controller, topics = reply.take(">i"), {}
        for _ in range(reply.take(">i")):
            _, name, _ = reply.take(">h"), reply.text(), reply.take(">b")
            topics[name] = [(reply.take(">h"), (reply.take(">i"), reply.take(">i"))[1], reply.ids(), reply.ids())
                            for _ in range(reply.take(">i"))]
        return brokers, controller, topics

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
