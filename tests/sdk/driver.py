#!/usr/bin/env python3
"""The Python SDK as a scenario tells it: the protocol is at the head of scenarios.py."""

import argparse
import json
import threading
import time

import sessioncast

PAUSE = threading.Event()  # never set


def say(**fields):
    print(json.dumps(fields), flush=True)


def published(number, future):
    try:
        outcome = future.result()
    except sessioncast.Error as error:
        say(n=number, error=error.code.name, message=error.message)
    else:
        position = outcome.position
        say(n=number, epoch=position.epoch, sequence=position.sequence, duplicate=outcome.duplicate)


def publish(options):
    waiting = []  # (number, future), in order
    begun = time.monotonic()
    with sessioncast.Publisher(options.control) as publisher:
        for number in range(options.events):
            if options.per_s:
                PAUSE.wait(max(0, begun + number / options.per_s - time.monotonic()))
            event = sessioncast.events.custom(options.session, "n", {"n": number})
            waiting.append((number, publisher.publish_soon(event, f"{options.key_prefix}-{number}")))
            while waiting and waiting[0][1].done():
                published(*waiting.pop(0))
        for number, future in waiting:
            published(number, future)
        try:
            publisher.flush()
        except sessioncast.Error:
            pass  # printed already
    say(done=True)


def show(item):
    if isinstance(item, sessioncast.Resync):
        position = item.snapshot.position
        return say(resync={"epoch": position.epoch, "sequence": position.sequence})
    kind = item.WhichOneof("kind")
    fields = {"epoch": item.position.epoch, "sequence": item.position.sequence, "kind": kind}
    if kind == "custom" and "n" in item.custom.data:
        fields["n"] = int(item.custom.data["n"])
    return say(**fields)


def position_of(options):
    if not options.after_epoch:
        return None
    return sessioncast.Position(epoch=options.after_epoch, sequence=options.after_sequence)


def read(options):
    with sessioncast.SessionStream(options.session, options.control, after=position_of(options)) as stream:
        for item in stream:
            show(item)
            PAUSE.wait(options.pause_ms / 1000)
    say(end=True)


def parsed():
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    publishing = verbs.add_parser("publish")
    publishing.add_argument("--events", type=int, required=True)
    publishing.add_argument("--per_s", type=float, default=0)
    publishing.add_argument("--key_prefix", required=True)
    reading = verbs.add_parser("read")
    reading.add_argument("--after_epoch")
    reading.add_argument("--after_sequence", type=int, default=0)
    reading.add_argument("--pause_ms", type=float, default=0)
    for verb in (publishing, reading):
        verb.add_argument("--control", required=True)
        verb.add_argument("--session", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    chosen = parsed()
    {"publish": publish, "read": read}[chosen.verb](chosen)
