"""Faults of networks, made by the proxies between the participants and the servers."""

import itertools
import re

from fault import Fault
from proxy import DOWN, UP


class CutClients(Fault):
    """Connections of clients end at any byte."""

    name = "cut_clients"
    how = "each TCP connection of a client is reset after some bytes: inside headers, frames, characters"
    holds = "G8: any byte may be the last of a connection"
    reconnects_min = 30
    hits_min = 10
    short = True

    async def run(self, stage, seconds):
        until = stage.now() + seconds
        while stage.now() < until:
            await stage.flowing()
            reported = len(stage.web.cuts)
            stage.web.on_link = lambda link: self._plan(stage, link)
            for link in list(stage.web.links):
                self._plan(stage, link)
            await stage.pause(2, 4)
            stage.web.heal()
            for link in list(stage.web.links):
                link.cut_after = {UP: None, DOWN: None}
            for cut in stage.web.cuts[reported:]:
                stage.hit(cut)

    @staticmethod
    def _plan(stage, link):
        direction = DOWN if stage.random.random() < 0.8 else UP
        most = stage.random.choice([300, 3_000, 20_000])
        link.cut_after[direction] = stage.random.randrange(1, most)


class CutOff(Fault):
    """Edge and control cannot reach each other."""

    name = "cut_off"
    how = "bytes between edge and control stay where they are, one way or both, for some seconds; then go on, or a reset"
    holds = "G17 G8: sockets stay, and go on from their positions"
    short = True

    async def strike(self, stage):
        ways = stage.random.choice([[UP], [DOWN], [UP, DOWN]])
        reset = stage.random.random() < 0.5
        connected, delivered = (
            stage.crews["javascript"].status["connected"],
            stage.seen_by_browsers(),
        )
        stage.attach.hold(*ways)
        started = stage.now()
        await stage.pause(1, 5)
        missed = stage.seen_by_browsers() - delivered
        if reset:
            stage.attach.cut()
        stage.attach.heal()
        seconds = stage.now() - started
        await stage.flowing()
        after = "a reset" if reset else "it went on"
        stage.hit(
            f"no bytes {' and '.join(ways)} for {seconds:.1f} s, then {after}; {connected} sockets"
            f" before, {missed} deliveries meanwhile"
        )


class DeadLine(Fault):
    """The connections to control die without a word."""

    name = "dead_line"
    how = "what is connected to control is never answered again, and not reset: a host or a NAT box vanished; new connections work"
    holds = "G17 G8: noticed within 30 s, then all goes on"
    seconds = 40
    between_s = (0, 1)
    noticed_s_max = 30

    async def strike(self, stage):
        proxy = stage.random.choice([stage.attach, stage.publish])
        links = proxy.freeze()
        started = stage.now()
        await stage.pause(0.5, 1)
        if proxy is stage.attach:
            await stage.flowing(seconds=self.noticed_s_max)
        else:
            await self._readers_go_on(stage)
        stage.hit(f"{links} {proxy.name} died silently, noticed in {stage.now() - started:.1f} s")

    async def _readers_go_on(self, stage):
        def read():
            return stage.crews["grpc"].status["delivered"]

        delivered = read()
        await stage.until(
            lambda: read() > delivered + 40, self.noticed_s_max, "StreamSession readers go on"
        )


class LostAcks(Fault):
    """Control does what it is asked to, and its answers are lost."""

    name = "lost_acks"
    how = "what control says to publishers is thrown away for up to a second, then the connections are reset"
    holds = "G7: the retry is answered with the first position, as a duplicate"
    short = True

    async def strike(self, stage):
        unknown, dropped = stage.count("unknown"), stage.publish.to[DOWN].dropped_bytes
        stage.publish.drop(DOWN)
        await stage.pause(0.1, 1)
        stage.publish.cut()
        stage.publish.heal()
        await stage.flowing()
        unknown = stage.count("unknown") - unknown
        dropped = stage.publish.to[DOWN].dropped_bytes - dropped
        if dropped and unknown:
            stage.hit(f"{dropped} bytes of control's answers lost, {unknown} outcomes unknown")


class SlowLines(Fault):
    """Latency, and bytes in drops."""

    name = "slow_lines"
    how = "between clients and edge 20 to 200 ms more each way, or 1 to 7 bytes at a time"
    holds = "G8: nothing is taken for more than it is, whatever arrives in one piece"
    seconds = 25

    async def strike(self, stage):
        proxy, clients = stage.web, stage.crews["javascript"].status["connected"]
        before = sum(sum(link.bytes.values()) for link in proxy.links)
        for direction in proxy.to.values():
            if stage.random.random() < 0.5:
                direction.delay_s = stage.random.uniform(0.02, 0.2)
            else:
                direction.piece_bytes = stage.random.randrange(1, 8)
        said = {way: (rule.delay_s, rule.piece_bytes) for way, rule in proxy.to.items()}
        proxy.cut(stage.random.sample(sorted(proxy.links, key=id), len(proxy.links) // 2))
        await stage.pause(3, 6)
        passed = sum(sum(link.bytes.values()) for link in proxy.links) - before
        proxy.heal()
        await stage.flowing()
        stage.hit(f"(delay, piece) {said} for {clients} clients, {passed} bytes more")


class Upgrade:
    """Watches one connection for a client's upgrade to websocket, and has it cut at one step of it."""

    PROBE_UP, PROBE_DOWN, UPGRADE_UP = 2 + 4 + len("2probe"), 2 + len("3probe"), 2 + 4 + len("5")
    # In words, direction, the bytes after the head of HTTP: between the least and the most.
    STEPS = (
        ("inside the probe", UP, 1, PROBE_UP - 1),
        ("after the probe", UP, PROBE_UP, PROBE_UP),
        ("inside the answer to the probe", DOWN, 1, PROBE_DOWN - 1),
        ("after the answer to the probe", DOWN, PROBE_DOWN, PROBE_DOWN),
        ("inside the upgrade packet", UP, PROBE_UP + 1, PROBE_UP + UPGRADE_UP - 1),
        ("after the upgrade packet", UP, PROBE_UP + UPGRADE_UP, PROBE_UP + UPGRADE_UP),
        ("inside the first frames after it", DOWN, PROBE_DOWN + 1, PROBE_DOWN + 400),
    )
    HEAD_END = b"\r\n\r\n"
    ASKED = re.compile(rb"GET /socket\.io/\?(?=[^ ]*transport=websocket)[^ ]*sid=")

    def __init__(self, next_step, random):
        self._next_step, self._random = next_step, random
        self._seen = None
        self.step = None
        self.cut = False

    def _begin(self):
        self._seen = {UP: b"", DOWN: b""}
        self.step, self._direction, least, most = self._next_step()
        self._after_head = self._random.randint(least, most)

    def __call__(self, link, direction, data):
        if direction == UP and self._seen is None and self.ASKED.match(data):
            self._begin()
        if self._seen is None or self.cut:
            return
        before = len(self._seen[direction])
        self._seen[direction] += data
        head = self._seen[direction].find(self.HEAD_END)
        if direction != self._direction or head < 0:
            return
        left = head + len(self.HEAD_END) + self._after_head - before
        if left <= len(data):
            self.cut = True
            link.cut_after[direction] = left


class UpgradeCut(Fault):
    """The upgrade from polling to websocket is interrupted."""

    name = "upgrade_cut"
    how = "connections end, and the upgrades that follow are cut at each of their steps while events are under way"
    holds = "G8: nothing missing, nothing twice, whichever of the two transports has it"
    hits_min = 10
    reconnects_min = 10
    seconds = 30

    def __init__(self):
        self._steps = itertools.cycle(Upgrade.STEPS)

    async def strike(self, stage):
        upgrades = []
        delivered = stage.seen_by_browsers()

        def watch(link):
            link.inspect = Upgrade(lambda: next(self._steps), stage.random)
            upgrades.append(link.inspect)

        stage.web.on_link = watch
        stage.web.cut()
        await stage.pause(2, 4)
        stage.web.heal()
        await stage.flowing()
        for upgrade in upgrades:
            if upgrade.cut:
                more = stage.seen_by_browsers() - delivered
                stage.hit(f"an upgrade was cut {upgrade.step}; {more} deliveries since")


FAULTS = [CutClients, CutOff, DeadLine, LostAcks, SlowLines, UpgradeCut]
