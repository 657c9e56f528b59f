"""The shapes in which nobody waits for an event: idle connections, publishers alone; and how cost grows."""

import load
import servers
import side_programs
from fanout_shapes import with_verdict
from servers import DAEMONS, FLOOR, NODE
from task import Task, microseconds, said_of_fanout

IDLE_CONNECTIONS = 10_000
IDLE_ROUNDS = 2  # they come and go so often: what the second leaves behind would grow on
IDLE_FEWER = (1_000, 4_000)  # for the plot
PUBLISH_WARM_UP_S = 0.5
PUBLISH = {
    "unary, closed loop": {"mode": "unary", "in_flight": 1},
    "unary, 64 in flight": {"mode": "unary", "in_flight": 64},
    "stream, one a message": {"mode": "stream", "in_flight": 256, "batch": 1},
    "stream, 256 a message": {"mode": "stream", "in_flight": 8, "batch": 256},
}
PUBLISH_SESSIONS = 1_000

GROW_RATE = 5_000  # deliveries a second, however many there are
GROW_CONNECTIONS = (100, 1_000, 5_000, 18_000)
GROW_SESSIONS = (1_000, 100_000)
GROW_SUBSCRIBED = 1_000
GROW_EVENTS = 100_000  # in all sessions together, before


def idle(redis=False):
    """10,000 connections, each subscribed to a session of its own."""
    del redis

    def task(contender, connections, comings, rounds_max):
        def measure(context):
            count = {"connections": connections, "sessions": connections, "rounds": comings}
            measured = load.idle(context.place, contender, **count)
            return {**measured, "resident_mb": resident_mb(measured)}

        def said(measured):
            levels = " → ".join(f"{value:.0f}" for value in measured["resident_mb"].values())
            return (
                f"{measured['bytes_a_connection'] / 1024:.2f} KiB resident a connection,"
                f" {measured['connects_a_second']:,.0f} connect and subscribe a second,"
                f" resident {levels} MB"
            )

        what = f"{connections:,} connections"
        guess_s = 2 + comings * (8 + connections / 2_000)
        return Task("idle", what, contender, guess_s, measure, said, rounds_max)

    tasks = [task(one, IDLE_CONNECTIONS, IDLE_ROUNDS, 1_000) for one in (DAEMONS, NODE)]
    return tasks + [task(one, fewer, 1, 1) for fewer in IDLE_FEWER for one in (DAEMONS, NODE)]


def resident_mb(measured):
    """What all processes of the server together weigh, in the order of time."""
    comings = zip(("after", "after_again"), measured["rss_kib_after"])
    levels = {"before": measured["rss_kib_before"], "with": measured["rss_kib_with"], **dict(comings)}
    return {name: sum(processes) * 1024 / 1e6 for name, processes in levels.items()}


def publish(redis=False):
    """No subscribers: job runners. Ours is durable; the others keep nothing."""
    del redis

    def task(what, flags, contender):
        def measure(context):
            return load.publish(
                context.place,
                contender,
                context.seconds,
                warm_up_s=PUBLISH_WARM_UP_S,
                sessions=PUBLISH_SESSIONS,
                connections=1,
                **flags,
            )

        def said(measured):
            latency = measured["latency_us"]
            return (
                f"{measured['events_a_second']:,.0f} events a second,"
                f" p50 {microseconds(latency['p50'])}, p99 {microseconds(latency['p99'])}"
            )

        return Task("publish", what, contender, 6, measure, said)

    contenders = (DAEMONS, NODE, FLOOR)
    return [task(what, flags, one) for what, flags in PUBLISH.items() for one in contenders]


def grow(redis=False):
    """100 to 18,000 connections, 1,000 to 100,000 sessions, at the same rate."""
    del redis
    return [_grow_connections(count) for count in GROW_CONNECTIONS] + [
        _grow_sessions(count) for count in GROW_SESSIONS
    ]


def _grow_connections(count):
    # Every session has had its first event, which costs more, when it begins to count.
    warm_up_s = 1 + 1.2 * count / GROW_RATE

    def measure(context):
        measured = load.fanout(
            context.place,
            DAEMONS,
            GROW_RATE,
            context.seconds,
            warm_up_s=warm_up_s,
            sessions=count,
            subscribers=1,
        )
        return with_verdict(measured)

    return Task(
        "grow", f"{count:,} connections", DAEMONS, 6 + 2 * warm_up_s, measure, said_of_fanout, 1
    )


def _grow_sessions(count):
    def measure(context):
        with servers.daemons(context.place) as server:
            side_programs.fill(context.place, server, count, GROW_EVENTS)
            resident = server.programs[0].resident_bytes()
            measured = load.fanout_on(
                context.place,
                server,
                GROW_RATE,
                context.seconds,
                warm_up_s=2.0,
                sessions=GROW_SUBSCRIBED,
                subscribers=1,
            )
            return {**with_verdict(measured), "resident_bytes_of_control": resident}

    return Task("grow", f"{count:,} sessions", DAEMONS, 12, measure, said_of_fanout, 1)
