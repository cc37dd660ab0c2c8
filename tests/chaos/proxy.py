"""A TCP proxy before one broker, with faults: cut, cut at byte k, delay, drop one direction."""
import random
import socket
import threading
import time


class Link:
    """One connection through the proxy, and the bytes of both directions."""

    def __init__(self, client, broker):
        self.client, self.broker = client, broker
        self.left = {"up": None, "down": None}  # bytes until the cut, by direction

    def cut(self):
        for end in (self.client, self.broker):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Proxy:
    """Listens for clients of the broker at `target`."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.links = set()
        self.lock = threading.Lock()
        self.heal()
        threading.Thread(target=self.accept, daemon=True).start()

    def heal(self):
        self.delay, self.silent, self.refuses = 0.0, set(), False

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            if self.refuses:
                client.close()
                continue
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        try:
            broker = socket.create_connection(("127.0.0.1", self.target), timeout=5)
        except OSError:
            client.close()
            return
        broker.settimeout(None)
        for end in (client, broker):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link = Link(client, broker)
        with self.lock:
            self.links.add(link)
        back = threading.Thread(target=self.pump, args=(link, broker, client, "down"), daemon=True)
        back.start()
        self.pump(link, client, broker, "up")
        back.join()
        with self.lock:
            self.links.discard(link)
        client.close()
        broker.close()

    def pump(self, link, source, sink, direction):
        try:
            while part := source.recv(65536):
                while direction in self.silent:
                    time.sleep(0.02)
                if self.delay:
                    time.sleep(self.delay)
                left = link.left[direction]
                if left is not None:
                    sink.sendall(part[:left])
                    link.left[direction] = left - len(part)
                    if left <= len(part):
                        break
                else:
                    sink.sendall(part)
        except OSError:
            pass
        link.cut()

    def cut(self):
        with self.lock:
            for link in self.links:
                link.cut()

    def cut_at(self, rng: random.Random, direction):
        """Each connection ends after so many more bytes of one direction."""
        with self.lock:
            for link in self.links:
                link.left[direction] = rng.randrange(1, 20_000)
