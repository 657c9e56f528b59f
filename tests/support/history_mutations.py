"""Ways to break a good history: name to (the invariant that it breaks, function(records, seed)). For
history_checker_test.py. Here: what the log and the publishers can have wrong."""

import random

from history import MUST, delivery

MUTATIONS = {}


class NotApplicable(Exception):
    """This history has no place for this mutation."""


def breaks(invariant):
    def register(function):
        MUTATIONS[function.__name__] = (invariant, function)
        return function

    return register


# --- Finding a place


def choose(seed, candidates):
    candidates = list(candidates)
    if not candidates:
        raise NotApplicable
    return random.Random(seed).choice(candidates)


def lines(records, what, role=None):
    """All lines of that kind: (their participant, the line)."""
    return [
        (name, line)
        for name, own in records.items()
        if role is None or name.startswith(role)
        for line in own
        if line["what"] == what
    ]


def place(line):
    return (line["session"], line["epoch"], line["sequence"])


def is_must(line):
    return delivery(line["kind"], line["status"]) == MUST


def event_line(records, seed, fits=lambda name, line: True):
    """An event that an observer saw: (its participant, index of the line, line)."""
    return choose(
        seed,
        [
            (name, index, line)
            for name, own in records.items()
            for index, line in enumerate(own)
            if line["what"] == "event" and fits(name, line)
        ],
    )


def live_neighbours(records, seed):
    """Two events of one session, one right after the other in sequence and in the file."""
    return choose(
        seed,
        [
            (own, index)
            for own in records.values()
            for index, (a, b) in enumerate(zip(own, own[1:]))
            if a["what"] == b["what"] == "event"
            and a["session"] == b["session"]
            and b["sequence"] == a["sequence"] + 1
        ],
    )


def calls(records, result="acked"):
    """Pairs of call and outcome of all publishers, with the file."""
    for name, own in records.items():
        by_number = {line["call"]: line for line in own if line["what"] == "call"}
        for line in own:
            if line["what"] == "outcome" and line["result"] == result:
                yield name, by_number[line["call"]], line


def in_final(records, at):
    return next(line for _, line in lines(records, "final") if place(line) == at)


def is_grpc(records, name):
    return records[name][0]["kind"] == "grpc"


def everywhere(records, at):
    """Each sight of the event at a place: of observers and of the final reader."""
    return [
        line for _, line in lines(records, "event") + lines(records, "final") if place(line) == at
    ]


def once_acknowledged(records, seed):
    acked = list(calls(records))
    keys = [(call["session"], call["key"]) for _, call, _ in calls(records, "unknown")]
    return choose(seed, [c for c in acked if (c[1]["session"], c[1]["key"]) not in keys])


# --- The log and its publishers


@breaks("acked_kept")
def the_last_events_are_lost(records, seed):
    _, top = choose(seed, [line for line in lines(records, "final_top") if line[1]["sequence"] > 5])
    top["sequence"] -= 3
    records["final"] = [
        line
        for line in records["final"]
        if line["what"] != "final"
        or line["session"] != top["session"]
        or line["sequence"] <= top["sequence"]
    ]


@breaks("acked_kept")
def an_acknowledged_event_has_another_payload(records, seed):
    _, _, acked = choose(seed, calls(records))
    other = choose(seed + 1, calls(records))[1]["hash"]
    records_at = [
        line for _, line in lines(records, "final") if line["sequence"] == acked["sequence"]
    ]
    for line in records_at:
        line["hash"] = other + "'"


@breaks("acked_kept")
def an_acknowledgement_names_another_position(records, seed):
    _, _, acked = once_acknowledged(records, seed)
    acked["sequence"] += 1


@breaks("acked_kept")
def an_acknowledgement_is_above_the_top(records, seed):
    _, _, acked = once_acknowledged(records, seed)
    acked["sequence"] += 10_000


@breaks("key_once")
def a_retry_is_stored_again(records, seed):
    def is_retried(call):
        return any(
            other is not call and (other["session"], other["key"]) == (call["session"], call["key"])
            for _, other in lines(records, "call")
        )

    name, call, acked = choose(seed, [c for c in calls(records) if is_retried(c[1])])
    again = {**call, "call": 99_999, "t": acked["t"] + 1}
    outcome = {**acked, "call": 99_999, "t": acked["t"] + 2, "duplicate": False}
    outcome["sequence"] += 1
    records[name][-1:-1] = [again, outcome]


@breaks("key_once")
def a_payload_is_in_the_log_twice(records, seed):
    _, top = choose(seed, [line for line in lines(records, "final_top") if line[1]["sequence"] > 5])
    events = [line for _, line in lines(records, "final") if line["session"] == top["session"]]
    top["sequence"] += 1
    again = {**choose(seed, events), "sequence": top["sequence"], "time": events[-1]["time"]}
    records["final"].insert(records["final"].index(events[-1]) + 1, again)


@breaks("key_once")
def a_first_call_is_answered_as_a_duplicate(records, seed):
    once_acknowledged(records, seed)[2]["duplicate"] = True


@breaks("dense")
def the_log_has_a_hole(records, seed):
    _, line = choose(seed, [event for event in lines(records, "final") if event[1]["sequence"] > 1])
    records["final"].remove(line)


@breaks("dense")
def the_log_has_a_sequence_twice(records, seed):
    _, line = choose(seed, lines(records, "final"))
    records["final"].insert(records["final"].index(line), dict(line))


@breaks("dense")
def the_log_does_not_begin_with_1(records, seed):
    _, top = choose(seed, [line for line in lines(records, "final_top") if line[1]["sequence"] > 5])
    top["first"] = 3
    records["final"] = [
        line
        for line in records["final"]
        if line["what"] != "final" or line["session"] != top["session"] or line["sequence"] >= 3
    ]


@breaks("failure_absent")
def a_refused_event_is_there(records, seed):
    _, _, outcome = once_acknowledged(records, seed)
    outcome.update(result="failed", code="RESOURCE_EXHAUSTED")


@breaks("published")
def an_event_comes_from_nowhere(records, seed):
    name, call, outcome = once_acknowledged(records, seed)
    records[name].remove(call)
    records[name].remove(outcome)


@breaks("real_time_order")
def an_event_overtakes_one_that_was_acknowledged_before(records, seed):
    _, call, outcome = once_acknowledged(records, seed)
    if outcome["sequence"] == 1:
        raise NotApplicable
    # As if it had been acknowledged before any other was called.
    call["t"], outcome["t"] = 1, 2


@breaks("stream_order")
def two_events_of_a_stream_change_places(records, seed):
    pairs = [
        (own, index)
        for own in records.values()
        for index, (a, b) in enumerate(zip(own, own[1:]))
        if a["what"] == b["what"] == "call" and "stream" in a and a.get("stream") == b.get("stream")
        if {result_of(own, a), result_of(own, b)} == {("acked", False)}
    ]
    own, index = choose(seed, pairs)
    a, b = own[index], own[index + 1]
    a["t"], b["t"] = b["t"], a["t"]
    own[index], own[index + 1] = b, a


def result_of(own, call):
    outcome = next(o for o in own if o["what"] == "outcome" and o["call"] == call["call"])
    return outcome["result"], outcome.get("duplicate")


@breaks("stream_order")
def an_event_is_accepted_behind_an_unknown_one(records, seed):
    streams = {}
    for name, call, outcome in calls(records):
        if "stream" in call and not outcome["duplicate"]:
            streams.setdefault((name, call["stream"], call["session"]), []).append(outcome)
    outcomes = choose(seed, [group for group in streams.values() if len(group) > 1])
    outcomes[0].update(result="unknown", code="UNAVAILABLE")


@breaks("time_order")
def a_time_goes_back(records, seed):
    _, line = choose(seed, [event for event in lines(records, "final") if event[1]["sequence"] > 1])
    for sight in everywhere(records, place(line)):
        sight["time"] -= 3_600_000


@breaks("fold_true")
def the_snapshot_is_of_an_earlier_top(records, seed):
    _, line = choose(seed, lines(records, "snapshot"))
    line["sequence"] -= 1


@breaks("fold_true")
def the_snapshot_lacks_an_event(records, seed):
    _, line = choose(seed, lines(records, "snapshot"))
    line["events"].pop(len(line["events"]) // 2)
