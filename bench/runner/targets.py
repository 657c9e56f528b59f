"""What is aimed at, and whether it was reached: a row each. Pure: it reads the results of a run and nothing else.

Times are µs; "ours" is what the first column of servers.OURS that was measured gave, unless a target tells the two apart.
"""

import dataclasses

from servers import DAEMONS, FLOOR, NODE, SERVE
from table import Row, number, shown

CPU = "cpu_us_a_delivery"
P99 = "latency_us.p99"
SYNC_FACTOR = 1.3
STORM_BACK_OFF_S = 1.5  # the longest first pause of a stock client: 1 s ± 50 %
STORM_EXTRA_S = 1.0
JITTER_AWAY_MS = 2_000
JITTER_EXTRA_MS = 500
KIB = 1024
LEFT_FACTOR = 1.25  # of what it weighed before: what clients that left may leave behind
LEFT_MB = 10


class Judge:
    """Looks things up in the results of a run."""

    def __init__(self, results):
        self._results = results

    def spread(self, shape, what, contender, path):
        return self._results.spread(shape, what, contender, path)

    def median(self, *key):
        return self._results.median(*key)

    def sync(self, quantile):
        """fdatasync's own, in µs."""
        return self._results.median("disk", "fdatasync", FLOOR, quantile)

    def has(self, shape):
        return any(key[0] == shape for key in self._results.keys())

    def whats(self, shape):
        return sorted({key[1] for key in self._results.keys() if key[0] == shape})


def _at_most(figure, ours, other, part, unit, name, peer=None, floor=None):
    """Ours against a part of the other's."""
    ratio = ours.median / other.median if ours and other and other.median else None
    return Row(
        figure,
        shown(ours, unit),
        shown(peer, unit),
        shown(floor, unit),
        "–" if ratio is None else f"{number(ratio)} × {name}",
        f"≤ {number(part)} × {name}",
        None if ratio is None else ratio <= part,
    )


def _at_least(figure, ours, other, times, unit, name, peer=None, floor=None):
    row = _at_most(figure, ours, other, times, unit, name, peer, floor)
    met = None if row.met is None else ours.median >= times * other.median
    return Row(*row.cells[:5], f"≥ {number(times)} × {name}", met)


def _below(figure, ours, limit, why, unit, peer=None, floor=None):
    """Ours against a limit that this run gave."""
    known = ours is not None and limit is not None
    return Row(
        figure,
        shown(ours, unit),
        shown(peer, unit),
        shown(floor, unit),
        f"{number(ours.median / limit)} × the limit" if known else "–",
        why + (f" = {number(limit)} {unit}" if limit is not None else ""),
        ours.median <= limit if known else None,
    )


def _three(judge, shape, what, path, ours=DAEMONS):
    return [judge.spread(shape, what, one, path) for one in (ours, NODE, FLOOR)]


def _cpu(judge, figure, measured, part, other):
    """CPU of (shape, what, ours) against a part of the other's; who falls behind has none, and has missed it."""
    shape, what, contender = measured
    ours, peer, floor = _three(judge, shape, what, CPU, contender)
    against, name = (floor, "floor") if other == FLOOR else (peer, "Node")
    row = _at_most(figure, ours, against, part, "µs", name, peer, floor)
    if ours is None and judge.spread(shape, what, contender, "behind"):
        return dataclasses.replace(row, ours="fell behind", met=False)
    return row


def _wide(judge):
    yield _cpu(judge, "wide at 20,000/s, CPU a delivery", ("wide", "20,000/s", DAEMONS), 1.15, FLOOR)
    ours, peer, floor = _three(judge, "wide", "saturation", "rate")
    yield _at_least("wide, saturation", ours, peer, 5, "/s", "Node", peer, floor)
    ours, peer, floor = _three(judge, "wide", "half of Node's", P99)
    limit = _sum(floor and 1.3 * floor.median, judge.sync("p99"))
    why = "≤ 1.3 × (floor + sync's p99)"
    yield _below("wide at half of Node's saturation, p99", ours, limit, why, "µs", peer, floor)


def _sum(own, sync):
    """A part of another's latency, and what the disk may add to it; None if either is not known."""
    return None if own is None or sync is None else own + SYNC_FACTOR * sync


def _narrow(judge):
    for contender, part in ((SERVE, 0.6), (DAEMONS, 0.8)):
        figure = f"narrow at 20,000/s, CPU an event, {contender}"
        yield _cpu(judge, figure, ("narrow", "20,000/s", contender), part, NODE)
    for contender in (SERVE, DAEMONS):
        figure = f"narrow at 20,000/s, 32 a message, CPU an event, {contender}"
        yield _cpu(judge, figure, ("narrow", "20,000/s, 32 a message", contender), 1 / 3, NODE)
    for contender in (SERVE, DAEMONS):
        ours, peer, floor = _three(judge, "narrow", "half of Node's", P99, contender)
        limit = _sum(peer and peer.median / 5, judge.sync("p99"))
        why = "≤ Node's / 5 + 1.3 × sync's p99"
        figure = f"narrow at half of Node's saturation, p99, {contender}"
        yield _below(figure, ours, limit, why, "µs", peer, floor)


def _tokens(judge):
    for contender in (SERVE, DAEMONS):
        figure = f"tokens, CPU an event, {contender}"
        yield _cpu(judge, figure, ("tokens", "20,000/s", contender), 1 / 4, NODE)


def _idle(judge):
    what = "10,000 connections"
    ours, peer = (judge.spread("idle", what, one, "bytes_a_connection") for one in (DAEMONS, NODE))
    row = _at_most("idle, bytes resident a connection", ours, peer, 1 / 4, "", "Node", peer)
    limit = 3.5 * KIB
    yield Row(*row.cells[:5], f"≤ {limit:,.0f}", None if ours is None else ours.median <= limit)
    ours, peer = (judge.spread("idle", what, one, "connects_a_second") for one in (DAEMONS, NODE))
    yield _at_least("connect and subscribe", ours, peer, 2, "/s", "Node", peer)
    yield _after_they_left(*(_levels(judge, what, one) for one in (DAEMONS, NODE)))


def _levels(judge, what, contender):
    """MB resident before the connections, after they left, after a second time; None: not measured."""
    names = ("before", "after", "after_again")
    levels = [judge.median("idle", what, contender, f"resident_mb.{name}") for name in names]
    return None if None in levels else levels


def _after_they_left(ours, peer):
    def shown_levels(levels):
        return " → ".join(map(number, levels)) + " MB" if levels else "–"

    target = f"≤ {LEFT_FACTOR} × before + {LEFT_MB} MB"
    figure = "idle, memory after they left: before → after → after a second time"
    if ours is None:
        return Row(figure, "–", shown_levels(peer), "–", "–", target, None)
    before, most = ours[0], max(ours[1:])
    limit = LEFT_FACTOR * before + LEFT_MB
    cells = (shown_levels(ours), shown_levels(peer), "–", f"{number(most / before)} × before")
    return Row(figure, *cells, f"{target} = {number(limit)} MB", most <= limit)


def _publish(judge):
    rate = "events_a_second"
    ours, peer, floor = _three(judge, "publish", "stream, 256 a message", rate)
    met = None if ours is None else ours.median >= 200_000
    ratio = f"{number(ours.median / floor.median)} × floor" if ours and floor else "–"
    figure = "publish, durable, 256 events a message"
    yield Row(figure, shown(ours, "/s"), shown(peer, "/s"), shown(floor, "/s"), ratio, "≥ 200,000/s", met)
    ours, peer, floor = _three(judge, "publish", "unary, closed loop", "latency_us.p50")
    limit = _sum(floor and floor.median, judge.sync("p50"))
    why = "≤ floor + 1.3 × sync's p50"
    yield _below("publish, unary closed loop, p50", ours, limit, why, "µs", peer, floor)
    ours, peer, floor = _three(judge, "publish", "unary, 64 in flight", rate)
    yield _at_least("publish, unary, 64 in flight", ours, floor, 0.8, "/s", "floor", peer, floor)


def _storm(judge):
    what = "5,000 clients"
    back, lost, twice = (
        judge.spread("storm", what, DAEMONS, name) for name in ("back_part", "lost", "duplicates")
    )
    yield _exactly("storm, clients that are back", back, 1, "all")
    yield _none_of("storm, events lost or twice", lost, twice)
    p95 = judge.spread("storm", what, DAEMONS, "back_s.p95")
    why = "≤ back-off + 1 s"
    yield _below("storm, back after (p95)", p95, STORM_BACK_OFF_S + STORM_EXTRA_S, why, "s")


def _jitter(judge):
    what = "1,000 clients"
    ours, peer = (judge.spread("jitter", what, one, "delivered_part") for one in (DAEMONS, NODE))
    yield _exactly("jitter, part delivered", ours, 1, "all", peer)
    twice, order = (judge.spread("jitter", what, DAEMONS, name) for name in ("duplicates", "out_of_order"))
    yield _none_of("jitter, events twice or out of order", twice, order)
    ours, peer = (judge.spread("jitter", what, one, "replay_ms.p99") for one in (DAEMONS, NODE))
    why = "≤ back-off + 0.5 s"
    yield _below("jitter, replay p99", ours, JITTER_AWAY_MS + JITTER_EXTRA_MS, why, "ms", peer)


def _exactly(figure, ours, wanted, word, peer=None):
    """In every round."""
    met = None if ours is None else ours.low == wanted == ours.high
    return Row(figure, shown(ours), shown(peer), "–", "–", word, met)


def _none_of(figure, *spreads):
    known = all(spreads)
    worst = sum(spread.high for spread in spreads) if known else None
    return Row(figure, number(worst) if known else "–", "–", "–", "–", "none", worst == 0 if known else None)


def _grow(judge):
    whats = judge.whats("grow")
    known = [cpu for what in whats if (cpu := judge.median("grow", what, DAEMONS, CPU)) is not None]
    figure = f"grow, CPU a delivery over {len(whats)} sizes"
    if len(known) < len(whats):
        yield Row(figure, f"fell behind at {len(whats) - len(known)}", "–", "–", "–", "± 20 %", False)
    else:
        middle = sorted(known)[len(known) // 2]
        far = max(abs(one / middle - 1) for one in known)
        ends = f"{number(min(known))}..{number(max(known))} µs"
        yield Row(figure, ends, "–", "–", f"± {100 * far:.0f} %", "± 20 %", far <= 0.2)
    few, many = (
        judge.median("grow", what, DAEMONS, "resident_bytes_of_control")
        for what in ("1,000 sessions", "100,000 sessions")
    )
    each = None if few is None or many is None else (many - few) / 99_000
    shown_each = "–" if each is None else f"{number(each)} bytes"
    met = None if each is None else each <= KIB
    yield Row("grow, an idle session beside its history", shown_each, "–", "–", "–", "≤ 1,024 bytes", met)


def _kept_promises(judge):
    """What is measured is of no use if it was not delivered, and in time."""
    counts = {"behind": 0, "gaps": 0, "duplicates": 0}
    seen = False
    for shape in ("wide", "narrow", "tokens"):
        for contender in (SERVE, DAEMONS):
            for name in counts:
                spread = judge.spread(shape, "20,000/s", contender, name)
                seen = seen or spread is not None
                counts[name] += int(spread.high) if spread else 0
    if seen:
        said = f"{counts['behind']}; {counts['gaps']}; {counts['duplicates']}"
        figure = "at 20,000/s: fell behind; events skipped; events twice"
        yield Row(figure, said, "–", "–", "–", "none", not any(counts.values()))


ROWS = {
    "wide": _wide,
    "narrow": _narrow,
    "tokens": _tokens,
    "idle": _idle,
    "storm": _storm,
    "jitter": _jitter,
    "publish": _publish,
    "grow": _grow,
}


def rows(results):
    """Of the shapes that were measured."""
    judge = Judge(results)
    found = [row for shape, judged in ROWS.items() if judge.has(shape) for row in judged(judge)]
    return found + list(_kept_promises(judge))
