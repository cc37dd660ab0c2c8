"""Freezes a leader for a while and says how long the cluster needed to do without it."""
import contextlib
import signal
import struct
import time
from collections import Counter

from wire import Wire


def freeze(cluster, node, seconds):
    """SIGSTOP for some seconds; without a number for the node that leads most. Prints `node=N failover_ms=T`: until every
    other node said of every partition that somebody else leads it and that the frozen node is not in sync."""
    node = node or leader_of_most(cluster)
    others = [peer for peer in cluster.nodes if peer.number != node]
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(peer.port)) for peer in others]
        frozen = cluster.node(node).process
        frozen.send(signal.SIGSTOP)
        stopped = time.monotonic()
        try:
            took = None
            while time.monotonic() < stopped + seconds:
                if took is None and all(does_without(wire, node) for wire in wires):
                    took = time.monotonic() - stopped
                time.sleep(0.02)
        finally:
            frozen.send(signal.SIGCONT)
    print(f"node={node} failover_ms={'none' if took is None else round(took * 1000)}", flush=True)


def partitions(wire):
    return [state for topic in wire.metadata()[2].values() for state in topic.values()]


def leader_of_most(cluster):
    with Wire(cluster.nodes[0].port) as wire:
        return Counter(leader for _, leader, _, _ in partitions(wire) if leader > 0).most_common(1)[0][0]


def does_without(wire, node):
    try:
        return all(leader not in (node, -1) and node not in isr for _, leader, _, isr in partitions(wire))
    except (OSError, struct.error):
        return False
