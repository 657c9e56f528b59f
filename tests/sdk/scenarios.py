#!/usr/bin/env python3
"""The rows of client_sdk/README.md, "Behaviour", for each language against real servers.

    SESSIONCAST_BIN=build/dev/bin tests/sdk/scenarios.py --language=cpp                 all scenarios
    SESSIONCAST_BIN=build/dev/bin tests/sdk/scenarios.py --language=js drop edge_kill   these

    --driver=PATH      instead of the language's own (LANGUAGES in drivers.py)
    --publisher=LANG   whose driver publishes, where the language only reads (js); default: python
    --python=PATH      for the drivers in Python: an interpreter that has the package `sessioncast`
    --keep             leaves the directory with logs and what the drivers printed, also if all is well

A scenario starts control, edges and TCP relays of its own, on ports that the system picks, runs the language's driver, and
checks what it printed against the session's log as the `sessioncast` tool reads it. Exit code 0: all as it should be.

A driver is a program; standard input is closed; it prints one JSON object a line and flushes each, and ends with 0:

    driver publish --control=H:P --session=S --events=N --per_s=R --key_prefix=K
        publishes N Custom events by PublishSoon, named "n", with data {"n": i} and the key K-i, i from 0; R a second (0: as
        fast as it can). In order of i:
        {"n": i, "epoch": e, "sequence": s, "duplicate": bool}   or   {"n": i, "error": "ALREADY_EXISTS", "message": m}
        each when its outcome is there, and at the end {"done": true}.

    driver read --control=H:P --session=S [--after_epoch=E --after_sequence=N] [--pause_ms=P]      js: --edge=URL for --control
        for each event {"epoch": e, "sequence": s, "kind": "custom", "n": i}: `kind` as in the proto's oneof, `n` if it has one,
        "skipped": k if the SDK said so. For a resync {"resync": {"epoch": e, "sequence": s}}: where reading goes on after.
        {"end": true} when the session has ended. With --pause_ms it takes that long for each event.
"""

import argparse
import asyncio
import os
import pathlib
import sys
import tempfile
import traceback

import checks
from drivers import LANGUAGES, PATIENCE_S, of_language
from scene import Scene

SESSION = "scenario"


def seen(driver):
    """How many events it has printed."""
    return sum("sequence" in line for line in driver.lines)


async def completed(scene, outcomes, reader, events, whole):
    """Ends the session; all that was published is in its log, and the reader has what it must."""
    checks.all_accepted(outcomes, events)
    scene.tool("publish", SESSION, "--completed={}")
    lines = await reader.end()
    log = scene.log(SESSION)
    checks.acknowledged_once(outcomes, log)
    checks.in_order(log, events)
    checks.reading(lines, log, whole=whole)


async def publish_and_read(scene, options, faults, events=800, per_s=400):
    """Both at a time; each fault when the reader has seen as many events as it says. Everything must be there."""
    reader = await scene.read(SESSION)
    publisher = await scene.publish(SESSION, events, per_s)
    for at, fault in faults:
        await reader.until(lambda lines, at=at: seen(reader) >= at)
        await fault(publisher)
    outcomes = await publisher.end()
    await completed(scene, outcomes, reader, events, whole=True)
    return outcomes


async def drop(scene, options):
    """Connections are lost, again and again, of the publisher and of the reader."""

    async def cut(publisher):
        await scene.connected(scene.reader_line)
        scene.reader_line.cut()
        # The reader may be behind so far that all is published.
        await scene.connected(scene.publisher_line, publisher)
        scene.publisher_line.cut()

    await publish_and_read(scene, options, [(at, cut) for at in (50, 200, 201, 450, 600)])


async def control_restart(scene, options):
    """kill -9, twice; it comes back with what its store has."""

    async def restart(_):
        await scene.control.kill()
        await scene.control.start()

    await publish_and_read(scene, options, [(100, restart), (500, restart)])


async def edge_kill(scene, options):
    """An edge dies: its readers go on at another one; who is at control notices nothing."""
    killed = scene.edges[0]

    async def kill(_):
        await killed.kill()
        scene.switch.target = scene.edges[1].port

    outcomes = await publish_and_read(scene, options, [(200, kill)])
    assert not any(outcome["duplicate"] for outcome in outcomes), "the publisher noticed"
    if scene.language.reads_at == "control":
        assert scene.reader_line.accepted == 1, f"the reader connected {scene.reader_line.accepted} times"


async def duplicate_key(scene, options):
    """The same keys again: the same positions. A key of another event: refused, and nothing else is."""
    events = 60
    other = scene.tool("publish", SESSION, "--custom=other", "--payload={}", "--idempotency_key=k-7")
    assert other, "the tool prints where it is"
    first = await (await scene.publish(SESSION, events, 0)).end()
    again = await (await scene.publish(SESSION, events, 0)).end()
    assert [line for line in first if "error" in line] == [first[7]], first
    assert first[7]["error"] == "ALREADY_EXISTS" and "idempotency_key" in first[7]["message"], first[7]
    for before, now in zip(first, again, strict=True):
        if "error" in before:
            assert now == before, (before, now)
        else:
            assert not before["duplicate"] and now == {**before, "duplicate": True}, (before, now)
    reader = await scene.read(SESSION)
    scene.tool("publish", SESSION, "--completed={}")
    lines = await reader.end()
    log = scene.log(SESSION)
    checks.acknowledged_once(first, log)
    checks.reading(lines, log, whole=True)
    assert len(log) == events + 1, f"the log has {len(log)} events"


async def slow_reader(scene, options):
    """It takes its time; the publisher does not wait for it, and it gets everything or is told what it was spared."""
    events = 800
    reader = await scene.read(SESSION, "--pause_ms=20")
    publisher = await scene.publish(SESSION, events, 0)
    outcomes = await publisher.end()
    seen_then = seen(reader)
    assert seen_then < events / 2, f"the reader had {seen_then} events when the publisher was done"
    await completed(scene, outcomes, reader, events, whole=False)


async def resync(scene, options):
    """A position that is not kept any more, and one of another epoch: a resync, then what follows it."""
    events = 600
    outcomes = await (await scene.publish(SESSION, events, 0)).end()
    checks.all_accepted(outcomes, events)
    epoch = outcomes[0]["epoch"]
    readers = [
        await scene.read(SESSION, f"--after_epoch={epoch}", "--after_sequence=1"),
        await scene.read(SESSION, "--after_epoch=AAAAAAAA", "--after_sequence=5"),
        await scene.read(SESSION, f"--after_epoch={epoch}", f"--after_sequence={events}"),
    ]
    for reader in readers[:2]:
        await reader.until(lambda lines: lines)
    more = await (await scene.publish(SESSION, 20, 0, "more")).end()
    checks.all_accepted(more, 20)
    scene.tool("publish", SESSION, "--completed={}")
    log = scene.log(SESSION, after=(epoch, events))
    for reader, resynced in zip(readers, (True, True, False), strict=True):
        lines = await reader.end()
        assert ("resync" in lines[0]) == resynced, lines[0]
        checks.reading(lines, log, after=(epoch, events))
        numbers = [line["n"] for line in lines if "n" in line]
        assert numbers == list(range(20)), numbers


SCENARIOS = {
    # What each needs of control beyond a store in memory.
    drop: {},
    control_restart: {"store": "rocksdb"},
    edge_kill: {"edges": 2},
    duplicate_key: {},
    slow_reader: {},
    resync: {"control_flags": ("--history_kept_events_max=100",)},
}


async def run(scenario, needs, options):
    with tempfile.TemporaryDirectory(prefix="sessioncast-sdk-") as directory:
        try:
            async with Scene(directory, options, **needs) as scene:
                await asyncio.wait_for(scenario(scene, options), 4 * PATIENCE_S)
        except Exception:  # pylint: disable=broad-except
            print(f"[sdk] {options.language} {scenario.__name__}: FAILED", flush=True)
            traceback.print_exc()
            show(directory)
            return False
        if options.keep:
            show(directory)
    print(f"[sdk] {options.language} {scenario.__name__}: as it should be", flush=True)
    return True


def show(directory):
    """The last lines of each log."""
    for log in sorted(pathlib.Path(directory).glob("*.log")):
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        print(f"--- {log.name}: {len(lines)} lines", *lines[-15:], sep="\n", flush=True)


def main():
    by_name = {scenario.__name__: scenario for scenario in SCENARIOS}
    root = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", choices=LANGUAGES, required=True)
    parser.add_argument("--driver", type=pathlib.Path)
    parser.add_argument("--publisher", choices=LANGUAGES, default="python")
    parser.add_argument("--python", type=pathlib.Path, default=root / "build/dev/sdk_python/newest/bin/python")
    parser.add_argument("--bin", type=pathlib.Path, default=pathlib.Path(os.environ.get("SESSIONCAST_BIN", root / "build/dev/bin")))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(by_name))
    options = parser.parse_args()
    if unknown := set(options.scenarios) - set(by_name):
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(by_name)}")
    options.reads = of_language(options.language, options)
    publishes = options.language if options.reads.publishes else options.publisher
    options.publishes = options.reads if publishes == options.language else of_language(publishes, options, own=False)
    chosen = [by_name[name] for name in options.scenarios] or list(SCENARIOS)
    results = [asyncio.run(run(scenario, SCENARIOS[scenario], options)) for scenario in chosen]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
