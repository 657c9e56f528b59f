"""Ways to break a good history: what an observer can have wrong. See history_mutations.py."""

from history import LATEST, delivery, fold_key
from history_mutations import (
    MUTATIONS,
    NotApplicable,
    breaks,
    choose,
    event_line,
    everywhere,
    is_grpc,
    is_must,
    lines,
    live_neighbours,
    once_acknowledged,
    place,
)

__all__ = ["MUTATIONS", "NotApplicable"]  # with those below


@breaks("one_payload")
def another_payload_was_seen_before_the_crash(records, seed):
    hit = lines(records, "hit")[0][1]["t"]
    event_line(records, seed, lambda name, line: line["t"] < hit)[2]["hash"] = "an earlier life"


@breaks("one_payload")
def two_observers_saw_another_time(records, seed):
    event_line(records, seed)[2]["time"] += 1


@breaks("seen_kept")
def an_event_was_seen_and_vanished(records, seed):
    name, index, line = event_line(
        records,
        seed,
        lambda name, line: line["sequence"]
        == max(
            e["sequence"] for _, e in lines(records, "final") if e["session"] == line["session"]
        ),
    )
    ghost = {**line, "sequence": line["sequence"] + 1, "skipped": 0}
    records[name].insert(index + 1, ghost)


@breaks("increasing")
def an_event_arrives_twice(records, seed):
    name, index, line = event_line(records, seed)
    records[name].insert(index, dict(line))


@breaks("increasing")
def two_events_change_places(records, seed):
    own, index = live_neighbours(records, seed)
    own[index], own[index + 1] = own[index + 1], own[index]


@breaks("increasing")
def a_recovered_client_gets_an_event_again(records, seed):
    own, index, seen = choose(
        seed,
        [
            (own, index, line)
            for own in records.values()
            for index, line in enumerate(own)
            if line["what"] == "event"
            and own[index + 1]["what"] == "disconnected"
            and own[index + 2].get("recovered")
        ],
    )
    own.insert(index + 3, {**seen, "t": own[index + 2]["t"] + 1})


@breaks("no_hole")
def an_event_is_lost_on_the_way(records, seed):
    own, index = live_neighbours(records, seed)
    del own[index]


@breaks("no_hole")
def an_event_is_lost_and_declared_to_a_grpc_reader(records, seed):
    own, index = choose(
        seed,
        [
            (own, index)
            for name, own in records.items()
            if name.startswith("observer") and is_grpc(records, name)
            for index, (a, b) in enumerate(zip(own, own[1:]))
            if a["what"] == b["what"] == "event"
        ],
    )
    own[index + 1]["skipped"] += 1
    del own[index]


def is_live(own, index):
    """Whether no fold can be under way: the last subscription before was after a position."""
    session = own[index]["session"]
    asked = [
        line for line in own[:index] if line["what"] == "subscribe" and line["session"] == session
    ]
    return asked[-1]["after"] is not None


@breaks("must_delivered")
def an_event_that_must_be_delivered_is_skipped(records, seed):
    own, index = choose(
        seed,
        [
            (own, index)
            for own in records.values()
            for index, (a, b) in enumerate(zip(own, own[1:]))
            if a["what"] == b["what"] == "event"
            and a["session"] == b["session"]
            and not own[0]["kind"] == "grpc"
            and is_must(a)
            and is_live(own, index)
        ],
    )
    own[index + 1]["skipped"] += 1 + own[index]["skipped"]
    del own[index]


@breaks("must_delivered")
def a_progress_is_skipped_before_there_is_a_newer_one(records, seed):
    def superseded_later(a, b):
        newer = [
            line["t"]
            for _, line in lines(records, "call")
            if line["session"] == a["session"]
            and delivery(line["kind"], line["status"]) == LATEST
            and line["t"] > b["t"]
        ]
        between = [
            line
            for _, line in lines(records, "final")
            if line["session"] == a["session"]
            and line["kind"] == "progress"
            and line["sequence"] > a["sequence"]
        ]
        called = {line["hash"]: line["t"] for _, line in lines(records, "call")[::-1]}
        return bool(newer) and bool(between) and called[between[0]["hash"]] > b["t"]

    own, index = choose(
        seed,
        [
            (own, index)
            for own in records.values()
            for index, (a, b) in enumerate(zip(own, own[1:]))
            if a["what"] == b["what"] == "event"
            and a["session"] == b["session"]
            and own[0]["kind"] != "grpc"
            and a["kind"] == "progress"
            and superseded_later(a, b)
        ],
    )
    own[index + 1]["skipped"] += 1 + own[index]["skipped"]
    del own[index]


@breaks("must_delivered")
def a_fold_lacks_what_it_keeps(records, seed):
    def in_fold(own, index):
        asked = own[index - 2]
        return asked["what"] == "subscribe" and own[index - 1]["what"] == "subscribed"

    own, index = choose(
        seed,
        [
            (own, index)
            for own in records.values()
            for index, (a, b) in enumerate(zip(own, own[1:]))
            if a["what"] == b["what"] == "event"
            and a["session"] == b["session"]
            and in_fold(own, index)
            and not is_live(own, index)
            and fold_key(a["kind"], a["of"], a["status"]) is not None
            and a["kind"] == "clarification"
        ],
    )
    own[index + 1]["skipped"] += 1 + own[index]["skipped"]
    del own[index]


def replaced_in_a_fold(records, own, index):
    """Of an event that must be delivered, and that a fold of a later time lacks: the observer's lines since `subscribed`,
    when each payload was first called, and when what replaced it was."""
    line = own[index]
    key = fold_key(line["kind"], line["of"], line["status"])
    if not is_must(line) or key is None or is_live(own, index):
        return [], {}, 0
    called = {call["hash"]: call["t"] for _, call in lines(records, "call")[::-1]}
    ours = [
        at
        for at, other in enumerate(own)
        if other["what"] == "connected" or other.get("session") == line["session"]
    ]
    began = max(at for at in ours if at < index and own[at]["what"] == "subscribed")
    replaced = [
        called[own[at]["hash"]]
        for at in ours
        if at > index
        and own[at]["what"] == "event"
        and fold_key(own[at]["kind"], own[at]["of"], own[at]["status"]) == key
    ]
    since = [own[at] for at in ours if began < at <= index]
    is_fold = own[began]["epoch"] != "" and own[began]["sequence"] == 0
    return (since, called, replaced[0]) if is_fold and replaced else ([], {}, 0)


def skip(own, index):
    """The event did not arrive: the session's next one declares it."""
    after = [
        line
        for line in own[index + 1 :]
        if line["what"] in ("event", "subscribed") and line["session"] == own[index]["session"]
    ]
    if not after or after[0]["what"] != "event":
        raise NotApplicable
    after[0]["skipped"] += 1 + own[index]["skipped"]
    del own[index]


def choose_event(records, seed, condition):
    """One that an observer got, of those for which the condition of its file and the line's number holds."""
    return choose(
        seed,
        [
            (own, index)
            for own in records.values()
            for index, line in enumerate(own)
            if line["what"] == "event" and condition(own, index)
        ],
    )


@breaks("must_delivered")
def a_later_piece_of_a_fold_is_of_a_later_top(records, seed):
    def was_published_behind_its_first(own, index):
        since, called, _ = replaced_in_a_fold(records, own, index)
        return (
            all(line["what"] == "event" for line in since)
            and len(since) > 1
            and called[own[index]["hash"]] > since[0]["t"]
            and called[since[-2]["hash"]] <= since[0]["t"]  # the fold may still be under way
        )

    own, index = choose_event(records, seed, was_published_behind_its_first)
    skip(own, index)


@breaks("must_delivered")
def who_recovers_behind_the_fold_is_given_a_fold_again(records, seed):
    def was_behind_the_fold(own, index):
        since, called, replaced = replaced_in_a_fold(records, own, index)
        connected = [at for at, line in enumerate(since) if line["what"] == "connected"]
        if not connected or since[connected[-1] + 1]["t"] < replaced:
            return False
        events = [line for line in since[: connected[-1]] if line["what"] == "event"]
        return any(called[line["hash"]] > events[0]["t"] for line in events)

    own, index = choose_event(records, seed, was_behind_the_fold)
    skip(own, index)


@breaks("position_kept")
def a_subscription_begins_elsewhere(records, seed):
    own, index = choose(
        seed,
        [
            (own, index)
            for own in records.values()
            for index, line in enumerate(own)
            if line["what"] == "subscribed"
            and own[index - 1]["what"] == "subscribe"
            and own[index - 1]["after"] is not None
        ],
    )
    own[index]["sequence"] += 1


def last_event(records, seed):
    """An observer's last event of a session that it holds to the end."""
    held = []
    for own in records.values():
        events = [line for line in own if line["what"] == "event"]
        left = {line["session"] for line in own if line["what"] == "unsubscribe"}
        for session in {line["session"] for line in events} - left:
            held.append((own, [line for line in events if line["session"] == session][-1]))
    return choose(seed, held)


@breaks("top_reached")
def an_observer_does_not_get_the_last_event(records, seed):
    own, line = last_event(records, seed)
    own.remove(line)


@breaks("top_reached")
def an_observer_never_comes_back(records, seed):
    own, _ = last_event(records, seed)
    own.insert(-1, {"t": own[-1]["t"], "what": "disconnected", "reason": "transport close"})


@breaks("top_reached")
def a_subscription_is_never_answered(records, seed):
    name = choose(seed, [name for name in records if name.startswith("observer")])
    last = choose(seed, lines(records, "final_top"))[1]
    ask = {"t": 1, "what": "subscribe", "session": last["session"], "after": None}
    records[name][-1:-1] = [
        {"t": 1, "what": "disconnected", "reason": "transport close"},
        {"t": 1, "what": "connected", "recovered": False},
        ask,
    ]


@breaks("top_reached")
def a_stream_ends_before_its_session(records, seed):
    names = [name for name in records if name.startswith("observer") and is_grpc(records, name)]
    name = choose(seed, names)
    last = [line for _, line in lines(records, "final") if line["session"] == "s0"][-1]
    for line in everywhere(records, place(last)):
        line.update(kind="custom", of="token")
    for _, line in lines(records, "call"):
        if line["hash"] == last["hash"]:
            line.update(kind="custom", of="token")
    if records[name][-2]["what"] != "ended":
        raise NotApplicable


@breaks("one_epoch")
def the_epoch_changes_under_a_subscription(records, seed):
    own, line = last_event(records, seed)
    line["epoch"] = "another"


@breaks("one_epoch")
def an_epoch_is_acknowledged_that_nobody_saw(records, seed):
    once_acknowledged(records, seed)[2]["epoch"] = "another"


@breaks("one_epoch")
def a_resync_without_a_cause(records, seed):
    own, line = last_event(records, seed)
    resync = {"t": line["t"], "what": "resync", "session": line["session"]}
    resync |= {"epoch": line["epoch"], "sequence": line["sequence"]}
    own.insert(own.index(line) + 1, resync)


@breaks("subscribed_only")
def an_event_arrives_after_unsubscribed(records, seed):
    own, index = choose(
        seed,
        [
            (own, index)
            for own in records.values()
            for index, line in enumerate(own)
            if line["what"] == "unsubscribed"
        ],
    )
    session = own[index]["session"]
    event = next((line for _, line in lines(records, "event") if line["session"] == session), None)
    if event is None:
        raise NotApplicable
    own.insert(index + 1, {**event, "t": own[index]["t"]})


@breaks("subscribed_only")
def an_event_arrives_before_subscribed(records, seed):
    own, index = choose(
        seed,
        [
            (own, index)
            for own in records.values()
            for index, (a, b) in enumerate(zip(own, own[1:]))
            if a["what"] == "subscribed" and b["what"] == "event" and a["session"] == b["session"]
        ],
    )
    own[index], own[index + 1] = own[index + 1], own[index]


@breaks("subscribed_only")
def an_event_of_a_session_that_nobody_asked_for(records, seed):
    name, index, line = event_line(
        records, seed, lambda name, line: line["session"] == "s1" and not is_grpc(records, name)
    )
    grpc = choose(seed, [n for n in records if n.startswith("observer") and is_grpc(records, n)])
    records[grpc].insert(-1, {**line, "skipped": 0})


@breaks("subscribed_only")
def an_event_arrives_while_not_connected(records, seed):
    own, index = choose(
        seed,
        [
            (own, index)
            for own in records.values()
            for index, (a, b) in enumerate(zip(own, own[1:]))
            if a["what"] == "event" and b["what"] == "disconnected"
        ],
    )
    own[index], own[index + 1] = own[index + 1], own[index]
