"""The shape jitter: stock clients whose TCP connections die about every 15 s, and who are away for 2 s each time."""

import contextlib
import time

import servers
import side_programs
from servers import DAEMONS, NODE
from task import Task

CLIENTS = 1_000
PROCESSES = 2
SESSIONS = 50
EVENTS_A_SECOND = 2  # in each session
KILLED_EVERY_S = 15
AWAY_S = 2
SECONDS = 30
SETTLE_S = 4
START_S_MAX = 120
COUNT_S_MAX = 60


def quantile(values, part):
    """Of sorted values; None of none."""
    return values[int(part * (len(values) - 1))] if values else None


def merged(counted):
    """One measurement of what the processes counted."""
    replays = sorted(ms for one in counted for ms in one["replay_ms"])
    total = {
        name: sum(one[name] for one in counted)
        for name in ("expected", "lost", "duplicates", "out_of_order", "kills", "recovered")
    }
    return {
        **total,
        "delivered_part": 1 - total["lost"] / max(1, total["expected"]),
        "replays": len(replays),
        "replay_ms": {"p50": quantile(replays, 0.5), "p99": quantile(replays, 0.99)},
    }


def _start_clients(context, server, stack):
    crews = []
    sessions = [f"jitter-{i % SESSIONS}" for i in range(CLIENTS)]
    for i in range(PROCESSES):
        config = {"url": f"http://{server.edge}", "sessions": sessions[i::PROCESSES]}
        config |= {"killed_every_s": KILLED_EVERY_S, "away_s": AWAY_S}
        command = ["node", side_programs.HERE / "jitter_clients.mjs"]
        crews.append(stack.enter_context(side_programs.side(context.place, command, config)))
    for crew, own in zip(crews, (sessions[i::PROCESSES] for i in range(PROCESSES))):
        crew.until(
            lambda status, own=own: status.get("subscribed") == len(own),
            START_S_MAX,
            "all clients are subscribed",
        )
    return crews


def _measure(context, contender):
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(servers.start(contender, context.place))
        crews = _start_clients(context, server, stack)
        ids = [f"jitter-{i}" for i in range(SESSIONS)]
        publisher = stack.enter_context(
            side_programs.publisher(context.place, server.control, ids, rate=EVENTS_A_SECOND)
        )
        _watch(crews, SECONDS)
        for crew in crews:
            crew.tell({"calm": True})
        _watch(crews, SETTLE_S)
        publisher.tell({"end": True})
        publisher.until(lambda status: "published" in status, COUNT_S_MAX, "the publisher ends")
        for crew in crews:
            crew.tell({"published": publisher.status["published"]})
        for crew in crews:
            crew.until(lambda status: "counted" in status, COUNT_S_MAX, "all is counted")
        return merged([crew.status for crew in crews])


def _watch(crews, seconds):
    """Takes what they say, lest they wait for it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for crew in crews:
            if not crew.look(0.1):
                crew.until(lambda _: False, 0, "it keeps running")


def _said(measured):
    return (
        f"{measured['kills']} connections killed, {measured['recovered']} recovered;"
        f" {100 * measured['delivered_part']:.2f} % delivered, {measured['duplicates']} twice,"
        f" {measured['out_of_order']} out of order; replay p99 {measured['replay_ms']['p99']} ms"
    )


def jitter(redis=False):
    """1,000 stock clients, each TCP connection killed about every 15 s, away 2 s, 2 events a second."""
    del redis
    return [
        Task(
            "jitter",
            f"{CLIENTS:,} clients",
            contender,
            SECONDS + SETTLE_S + 12,
            lambda context, contender=contender: _measure(context, contender),
            _said,
            1,
        )
        for contender in (DAEMONS, NODE)
    ]
