#!/usr/bin/env python3
"""broken_rules.py BIN: each rule of recovery, once broken, is found by the checker; an edge that keeps them all is not.

One control, an edge for each rule (--broken_rule, edge/broken_rule.h) and one with none broken, each with recovering
clients of its own, whose connections are cut at random bytes, most of them while they subscribe.
"""

import argparse
import asyncio
import pathlib
import random
import re
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.dont_write_bytecode = True

import history as histories  # noqa: E402
import history_checker  # noqa: E402
import run  # noqa: E402
from programs import ROOT as SOURCES, Server  # noqa: E402
from proxy import DOWN, Proxy  # noqa: E402
from stage import EDGE_FLAGS, Stage  # noqa: E402

NONE = "none"
LEFT_OUT = {"no_cursor_on_subscribed"}  # found in two runs of three at best: no schedule hits it surely
SESSIONS_OF_CLIENTS = [1, 2, 2, 3]
STRIKE_S = 30
PAUSE_MS = 120
STABLE_S = 5  # so long has nobody come nearer to the top: nobody will
# Before a `subscribed`; before an acknowledgement, which follows a `subscribed`.
CUT_BEFORE = [rb'42\["subscribed"', rb'43\d+\[\{"']
CUT_SOON = (300, 1_500)  # while it subscribes
CUT_AMID = (3_000, 20_000)  # amid its events


def rules():
    text = (ROOT / "edge/broken_rule.h").read_text(encoding="utf-8")
    names = re.findall(r'\{"(\w+)", BrokenRule::', text)
    return [name for name in names if name not in LEFT_OUT]


class ManyEdges(Stage):
    """A stage with an edge for each of these rules and one that breaks none, and their clients: the more of each, the
    fewer the edges."""

    def __init__(self, directory, binaries, seed, options, broken):
        super().__init__(directory, binaries, seed, options)
        self.webs = {rule: Proxy(rule) for rule in [NONE, *broken]}
        self.sessions_of_clients = SESSIONS_OF_CLIENTS * ((1 + len(rules())) // len(self.webs))
        self.edges = {}

    async def start(self):
        for proxy in (self.publish, self.attach, self.web, *self.webs.values()):
            await proxy.start()
        command, proxies = self.control_command(), [self.publish, self.attach]
        self.control = Server("control", "control", command, self.directory, proxies)
        await self.control.start()
        for rule, web in self.webs.items():
            command = [self.binaries / "sessioncast-edge", "--http_listen=localhost:0", *EDGE_FLAGS]
            command.append(f"--control=127.0.0.1:{self.attach.port}")
            command += [] if rule == NONE else [f"--broken_rule={rule}"]
            self.edges[rule] = Server(rule, "edge", command, self.directory, [web])
        await asyncio.gather(*(edge.start() for edge in self.edges.values()))
        await self._start_grpc()
        self._cut_links()
        await self._start_clients()

    async def _start_clients(self):
        clients = [
            self._recovering(rule, i, count, transports)
            for rule in self.webs
            for i, count in enumerate(self.sessions_of_clients)
            for transports in ([["websocket"]] if count > 1 else [["websocket"], ["polling"]])
        ]
        config = {"directory": str(self.histories), "url": "", "clients": clients}
        config |= {"sessions": self.sessions, "seed": self.seed, "stir_ms": 15}
        script = SOURCES / "tests/chaos/subscribers.mjs"
        await self.crew("javascript", [self.options.node, script], config)

    def _recovering(self, rule, i, count, transports):
        who = f"{rule}.{i}-{count}-{transports[0]}"
        self.who.append(who)
        client = {"who": who, "rule": "recovering", "transports": transports}
        client["options"] = {"auth": {"recovery": True}}
        client["steady"] = True
        client["url"] = f"http://127.0.0.1:{self.webs[rule].port}"
        client["sessions"] = self.random.sample(self.sessions, count)
        return client

    def _cut_links(self):
        def cut_soon(link):
            whole, soon = self.random.randrange(*CUT_AMID), self.random.randrange(*CUT_SOON)
            how = self.random.random()
            link.cut_after[DOWN] = soon if how < 0.25 else whole
            if how > 0.4:
                count = self.random.choice([1, 2, 2, 3])
                link.cut_before = (self.random.choice(CUT_BEFORE), count)

        for web in self.webs.values():
            web.on_link = cut_soon

    async def at_rest(self):
        """Until all are at the top, or, on edges with a broken rule, nobody comes nearer to it."""
        last, since = None, self.now()

        def rests():
            nonlocal last, since
            missing = self._missing(tops)
            if missing != last:
                last, since = missing, self.now()
            of_none = any(line.startswith((NONE, "grpc", "javascript")) for line in missing)
            return not missing or (not of_none and self.now() - since > STABLE_S)

        tops = self._tops()
        await self.crews["javascript"].program.tell({"tops": tops})
        await self.until(rests, 60, "those with no rule broken are at the top")

    async def close_all(self):
        grpc = self.crews["grpc"]
        await self.crews["javascript"].program.tell({"calm": True})
        await grpc.program.tell({"stop": True})
        await self._phase("stopped")
        await grpc.program.tell({"close": {"complete": [], "mark": self.sessions}})
        await self._phase("closed")
        await self._read_final()

    async def take_down(self):
        for edge in self.edges.values():
            if edge.program and edge.program.running:
                await edge.program.kill()
        await super().take_down()
        for web in self.webs.values():
            await web.stop()


async def play(stage):
    """Cuts, a kill of all edges in the midst of them, and rest."""
    try:
        await stage.start()
        await stage.flowing()
        await asyncio.sleep(STRIKE_S / 2)
        await asyncio.gather(*(edge.kill() for edge in stage.edges.values()))
        await asyncio.gather(*(edge.start() for edge in stage.edges.values()))
        await asyncio.sleep(STRIKE_S / 2)
        for web in stage.webs.values():
            web.heal()
            web.cut()
        await stage.close_all()
        await stage.at_rest()
        await stage.end_crews()
    finally:
        await stage.take_down()
    stage.end_record(fault="broken_rules", needs={}, allows=[])


def verdict_of(records, rule):
    """What the checker says of one edge's clients."""
    observers = {
        who
        for who, lines in records.items()
        if any(line.get("role") == "observer" for line in lines[:1])
    }
    others = {who for who in observers if not who.startswith(f"{rule}.")}
    history = histories.History({w: lines for w, lines in records.items() if w not in others})
    history.run = {**history.run, "participants": sorted(observers - others)}
    return history_checker.check(history)


ROUNDS_MAX = 5


def report(records, played):
    """The verdicts on a round, by rule; shown."""
    words = {}
    for rule in played:
        verdict = verdict_of(records, rule)
        words[rule] = verdict.word
        wanted = history_checker.PASSED if rule == NONE else history_checker.VIOLATED
        names = sorted({violation.invariant for violation in verdict.violations})
        print(f"{'well' if verdict.word == wanted else 'not yet'}: {rule}: {verdict.word} {names} {verdict.figures}")
        if verdict.word != wanted:
            for text in [*verdict.violations[:5], *verdict.doubts[:5]]:
                print(f"    {text}")
    return words


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binaries", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 31))
    arguments = parser.parse_args()
    node = shutil.which("node") or sys.exit("there is no node: tools/setup --for=test")
    options = run.Options(arguments.binaries, node, "", True, PAUSE_MS, False, print)
    # Whether a cut hits the one moment in which a rule matters is chance: what was not hit is tried again, by itself and
    # with more clients. Without a broken rule there is no violation, in any round.
    wanted = {NONE, *rules()}
    for seed in range(arguments.seed, arguments.seed + ROUNDS_MAX):
        directory = tempfile.mkdtemp(prefix="sessioncast-broken-rules-")
        print(f"seed {seed}", flush=True)
        stage = ManyEdges(directory, arguments.binaries, seed, options, sorted(wanted - {NONE}))
        asyncio.run(play(stage))
        words = report(histories.read(pathlib.Path(directory, "histories")).records, stage.webs)
        wanted -= {rule for rule, word in words.items() if rule != NONE and word == history_checker.VIOLATED}
        if words[NONE] == history_checker.PASSED:
            wanted.discard(NONE)
        if words[NONE] == history_checker.VIOLATED:
            print(f"a violation with no rule broken; histories and logs: {directory}")
            return 1
        if not wanted:
            shutil.rmtree(directory)
            return 0
        print(f"not seen yet: {sorted(wanted)}; histories and logs: {directory}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
