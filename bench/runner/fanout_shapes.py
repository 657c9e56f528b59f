"""The shapes in which events go to subscribers: wide, narrow, tokens."""

import contextlib

import load
import saturation
import servers
from processes import Failure
from servers import DAEMONS, FLOOR, NODE, NODE_REDIS, SERVE
from task import Task, said_of_fanout

OVERHEAD_S = 3.5  # of a measurement: the server's start, connecting, warming up
STEP_S = 2.0  # of a step on the way to saturation
STEP_WARM_UP_S = 1.5  # Node compiles what runs often while it runs
AFTER_LAST_S = 25
FIXED_DELIVERIES = 20_000  # a second

WIDE = {"sessions": 1, "subscribers": 1_000}
NARROW = {"sessions": 1_000, "subscribers": 1, "batch": 1}
BATCHED = {**NARROW, "batch": 32}
TOKENS = {"sessions": 200, "subscribers": 1, "event": "token", "burst": 10, "batch": 10}
TOKEN_BYTES = 60

# Where a search for saturation begins, in deliveries a second; a wrong one costs time only.
BEGIN_AT = {
    ("wide", DAEMONS): 150_000,
    ("wide", NODE): 60_000,
    ("wide", FLOOR): 120_000,
    ("narrow", DAEMONS): 25_000,
    ("narrow", NODE): 20_000,
}


def with_verdict(measured):
    """CPU a delivery says nothing of a server that falls behind: work done and deliveries are not of the same events."""
    if saturation.keeps_up(measured):
        return {**measured, "behind": 0}
    return {**measured, "behind": 1, "cpu_us_a_delivery": None}


def at_rate(shape, what, contender, deliveries, flags):
    """At a fixed rate of deliveries a second, or one that is known only then: deliveries(results)."""

    def measure(context):
        rate = deliveries(context.results) if callable(deliveries) else deliveries
        measured = load.fanout(
            context.place, contender, rate / flags.get("subscribers", 1), context.seconds, **flags
        )
        return with_verdict({**measured, "rate": rate})

    return Task(shape, what, contender, OVERHEAD_S + 3, measure, said_of_fanout)


def _stepper(context, contender, flags, stack):
    """step(rate) for a search: all on one server, but for the floor, which makes its events at one rate."""
    server = None if contender == FLOOR else stack.enter_context(servers.start(contender, context.place))

    def step(rate):
        context.detail(f"at {rate:,.0f} deliveries a second")
        events = rate / flags["subscribers"]
        if server is None:
            return load.fanout(context.place, contender, events, STEP_S, STEP_WARM_UP_S, **flags)
        return load.fanout_on(context.place, server, events, STEP_S, STEP_WARM_UP_S, **flags)

    return step


def to_saturation(shape, contender, flags, rounds_max=1_000):
    """Later rounds begin where the one before ended."""
    what = "saturation"

    def measure(context):
        before = context.results.median(shape, what, contender, "rate")
        with contextlib.ExitStack() as stack:
            step = _stepper(context, contender, flags, stack)
            return saturation.search(step, before or BEGIN_AT[shape, contender])

    def said(measured):
        return f"keeps up with {measured['rate']:,.0f} deliveries a second"

    return Task(shape, what, contender, AFTER_LAST_S, measure, said, rounds_max)


def half_of_node(shape):
    """Half of what Node took in this run."""

    def deliveries(results):
        rate = results.median(shape, "saturation", NODE, "rate")
        if not rate:
            raise Failure(f"Node kept up with no rate in {shape}: is something else busy here? Run it again")
        return rate / 2

    return deliveries


def wide(redis=False):
    """1 session, 1,000 subscribers: a public dashboard."""
    peers = [NODE, NODE_REDIS] if redis else [NODE]
    fixed = [DAEMONS, *peers, FLOOR]
    tasks = [at_rate("wide", "20,000/s", one, FIXED_DELIVERIES, WIDE) for one in fixed]
    tasks += [to_saturation("wide", one, WIDE) for one in (DAEMONS, *peers[:1])]
    tasks += [to_saturation("wide", FLOOR, WIDE, rounds_max=1)]
    half = half_of_node("wide")
    tasks += [at_rate("wide", "half of Node's", one, half, WIDE) for one in (DAEMONS, NODE, FLOOR)]
    return tasks


def narrow(redis=False):
    """1,000 sessions, 1 subscriber each: each user watches one job."""
    peers = [NODE, NODE_REDIS] if redis else [NODE]
    fixed = [SERVE, DAEMONS, *peers, FLOOR]
    tasks = [at_rate("narrow", "20,000/s", one, FIXED_DELIVERIES, NARROW) for one in fixed]
    batched = [SERVE, DAEMONS, NODE]
    tasks += [at_rate("narrow", "20,000/s, 32 a message", one, FIXED_DELIVERIES, BATCHED) for one in batched]
    tasks += [to_saturation("narrow", NODE, NARROW), to_saturation("narrow", DAEMONS, NARROW, 1)]
    half = half_of_node("narrow")
    tasks += [at_rate("narrow", "half of Node's", one, half, NARROW) for one in fixed if one != NODE_REDIS]
    return tasks


def tokens(redis=False):
    """200 sessions with 1 subscriber, 100 small events a second each, ten at a time: a model's output, streamed."""
    del redis
    flags = {**TOKENS, "payload_bytes": TOKEN_BYTES}
    fixed = [SERVE, DAEMONS, NODE, FLOOR]
    return [at_rate("tokens", "20,000/s", one, FIXED_DELIVERIES, flags) for one in fixed]
