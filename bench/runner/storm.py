"""The shape storm: kill -9 of the edge, and 5,000 clients come back at once (tests/chaos/crowd.cc: the stock client's
back-off, subscribing after the last position).
"""

import contextlib
import json
import random
import socket
import time

import servers
import side_programs
from jitter import quantile
from processes import Failure, running
from servers import DAEMONS
from task import Task

CLIENTS = 5_000
IDS = [f"storm-{i}" for i in range(4)]
EVENTS_A_SECOND = 2  # in each session
CALM_S = 3
BACK_S_MAX = 60
START_S_MAX = 60
PORTS_TRIED_MAX = 100


def port_that_stays():
    """A port that no client gets for its own end while nobody listens there: it would connect to itself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
        first = int(file.read().split()[0])
    for port in random.sample(range(first // 2, first), PORTS_TRIED_MAX):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise Failure("no port below those of clients is free; wait a minute, and run it again")


def read_history(lines, killed_ns):
    """Of one client's lines: (ns from the kill until it was subscribed again or None, events lost, events twice).

    Every event is one that must be delivered, so each sequence follows the one before.
    """
    back_ns, lost, twice, last = None, 0, 0, None
    for line in map(json.loads, lines):
        if line["what"] == "subscribed" and line["t"] > killed_ns and back_ns is None:
            back_ns = line["t"] - killed_ns
        if line["what"] == "resync":
            lost += 1
        if line["what"] != "event":
            continue
        sequence = line["sequence"]
        if last is not None and sequence <= last:
            twice += 1
            continue
        lost += sequence - last - 1 if last is not None else 0
        last = sequence
    return back_ns, lost, twice


def _judge(directory, killed_ns, up_ns):
    histories = []
    for path in directory.glob("*.jsonl"):
        with open(path, encoding="utf-8") as lines:
            histories.append(read_history(lines, killed_ns))
    back = sorted(ns / 1e9 for ns, _, _ in histories if ns is not None)
    return {
        "clients": len(histories),
        "back": len(back),
        "back_part": len(back) / max(1, len(histories)),
        "lost": sum(lost for _, lost, _ in histories),
        "duplicates": sum(twice for _, _, twice in histories),
        "edge_up_s": (up_ns - killed_ns) / 1e9,
        "back_s": {"p50": quantile(back, 0.5), "p95": quantile(back, 0.95), "max": quantile(back, 1)},
    }


class _Edges:
    """One edge after another, on one port."""

    def __init__(self, context, control):
        self._place = context.place
        listen = f"127.0.0.1:{port_that_stays()}"
        self._command = servers.edge_command(context.place, control, listen)
        self.port = int(listen.rpartition(":")[2])

    def running(self):
        return running("edge", self._command, self._place.fresh() / "edge.log")

    @staticmethod
    def await_listening(edge):
        edge.line(r"edge listening on 127\.0\.0\.1:(\d+)")


def _measure(context):
    with contextlib.ExitStack() as stack:
        control = stack.enter_context(servers.control_alone(context.place))
        edges = _Edges(context, control.control)
        edge = stack.enter_context(edges.running())
        edges.await_listening(edge)
        histories = context.place.fresh()
        crowd = stack.enter_context(_crowd(context, histories, edges.port))
        publisher = stack.enter_context(
            side_programs.publisher(context.place, control.control, IDS, rate=EVENTS_A_SECOND)
        )
        crowd.until(lambda status: status.get("back") == CLIENTS, START_S_MAX, "all are there")
        _look_on(crowd, CALM_S)
        killed_ns, up_ns = _strike(stack, crowd, edges, edge)
        with contextlib.suppress(Failure):  # who is not back, is counted
            crowd.until(lambda status: status.get("back") == CLIENTS, BACK_S_MAX, "all are back")
        _look_on(crowd, CALM_S)
        publisher.tell({"end": True})
        publisher.until(lambda status: "tops" in status, BACK_S_MAX, "the publisher ends")
        return _count(crowd, publisher.status["tops"], histories, killed_ns, up_ns)


def _crowd(context, histories, port):
    config = {"directory": str(histories), "port": port, "seed": 1, "sessions": IDS}
    config |= {"clients": [f"crowd-{i}" for i in range(CLIENTS)]}
    return side_programs.side(context.place, [context.place.binaries / "chaos_crowd"], config)


def _strike(stack, crowd, edges, edge):
    """When the edge was killed, and when the next one listened."""
    crowd.tell({"strike": 1})
    crowd.until(lambda status: status.get("strike") == 1, START_S_MAX, "it counts anew")
    killed_ns = time.monotonic_ns()
    edge.kill()
    edges.await_listening(stack.enter_context(edges.running()))
    return killed_ns, time.monotonic_ns()


def _count(crowd, tops, histories, killed_ns, up_ns):
    crowd.tell({"tops": tops})
    with contextlib.suppress(Failure):
        crowd.until(lambda status: status.get("missing") == [], BACK_S_MAX, "all at the top")
    not_at_top = len(crowd.status.get("missing", [None]))
    crowd.tell({"end": True})
    while crowd.look(1):
        pass
    measured = _judge(histories, killed_ns, up_ns)
    measured["lost"] += not_at_top
    return measured


def _look_on(crowd, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        crowd.look(0.2)


def _said(measured):
    back = measured["back_s"]
    return (
        f"{measured['back']} of {measured['clients']} are back, p95 {back['p95']:.2f} s, the last {back['max']:.2f} s"
        f" after the kill (the edge: {measured['edge_up_s']:.2f} s); {measured['lost']} events lost"
    )


def storm(redis=False):
    """5,000 clients come back at once after kill -9 of the edge."""
    del redis
    return [Task("storm", f"{CLIENTS:,} clients", DAEMONS, 30, _measure, _said, 1)]
