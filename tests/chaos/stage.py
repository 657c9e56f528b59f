"""One run's stage: control, edges, the proxies before them, and all that take part. tests/chaos/faults*.py act on it."""

import asyncio
import json
import pathlib
import random
import time

from programs import ROOT, Program, Server
from proxy import Proxy

SESSIONS = 10
HITS_SHOWN_MAX = 6
SESSIONS_A_CLIENT = 4
PUBLISHERS = 6
TRANSPORTS = [["websocket"], ["polling"], ["polling", "websocket"]]
# The disk of disk_full is small.
STORE_FREE_BYTES_MIN = 16 << 20
# What must be fast to be felt, and slow enough for a busy machine.
EDGE_FLAGS = ["--ping_interval_ms=3000", "--ping_timeout_ms=4000"]
STOP_PUBLISHING_S_MAX = 120
REACH_TOP_S_MAX = 90


class Crew:
    """One process of participants, with the last thing it said of itself."""

    def __init__(self, program):
        self.program = program

    @property
    def status(self):
        for line in reversed(self.program.lines):
            if line.startswith("{"):
                return json.loads(line)
        return {}

    async def end(self):
        await self.program.tell({"end": True})
        code = await self.program.wait()
        if code != 0:
            raise RuntimeError(f"{self.program.name} ended with {code}\n{self.program.tail()}")


class Stage:
    """Built by start(), taken down by stop(); the faults use the rest."""

    def __init__(self, directory, binaries, seed, options):
        self.directory = pathlib.Path(directory)
        self.histories = self.directory / "histories"
        self.histories.mkdir(parents=True)
        self.store = self.directory / "store"
        self.binaries = pathlib.Path(binaries)
        self.seed = seed
        self.random = random.Random(seed)
        self.options = options
        self.sessions = [f"chaos-{seed}-{i}" for i in range(SESSIONS)]
        self.publish = Proxy("publishers-control")
        self.attach = Proxy("edge-control")
        self.web = Proxy("clients-edge")
        self.crews = {}
        self.who = []
        self.control = None
        self.edge = None
        self.more_edges = []
        self.control_environment = {}
        self.control_flags = []
        self.without_proxies = False  # before control: what they cost is not measured, and nothing cut
        self.edge_listen = "localhost:0"
        self.edge_flags = EDGE_FLAGS
        self.edge_limits = None  # called in the edge's process before it starts
        self.crowd_sessions = []  # beside the others, with a publisher of their own
        self.crowd_pause_ms = 0  # its, at most
        self.hits = []
        self.wrong = []  # what a fault saw that must not be
        self._runner = open(self.histories / "runner.jsonl", "w", encoding="utf-8")
        self.record("participant", who="runner", role="runner", kind="tools/chaos")

    # --- What it writes and says

    def record(self, what, **fields):
        line = {"t": time.monotonic_ns(), "what": what, **fields}
        self._runner.write(json.dumps(line) + "\n")
        self._runner.flush()

    def hit(self, evidence):
        self.hits.append(evidence)
        self.record("hit", evidence=evidence)
        if len(self.hits) <= HITS_SHOWN_MAX:
            self.options.say(f"    hit: {evidence}")

    def end_record(self, **run):
        self.record("run", seed=self.seed, participants=[*self.who, "runner", "final"], **run)
        self.record("end")
        self._runner.close()

    def count(self, name):
        """A figure over all participants, as of their last status."""
        return sum(crew.status.get(name, 0) for crew in self.crews.values())

    # --- Building it

    async def start(self):
        for proxy in (self.publish, self.attach, self.web):
            await proxy.start()
        self.control = Server(
            "control",
            "control",
            self.control_command(),
            self.directory,
            [self.publish, self.attach],
        )
        self.control.environment = self.control_environment
        await self.control.start()
        self.edge = Server("edge", "edge", self.edge_command(), self.directory, [self.web])
        self.edge.limits = self.edge_limits
        await self.edge.start()
        await self._start_clients()
        await self._start_grpc()

    def control_command(self):
        return [
            self.binaries / "sessioncast-control",
            "--grpc_listen=localhost:0",
            f"--store=rocksdb:{self.store}",
            f"--store_free_bytes_min={STORE_FREE_BYTES_MIN}",
            *self.control_flags,
        ]

    def edge_command(self):
        command = [self.binaries / "sessioncast-edge", f"--http_listen={self.edge_listen}"]
        return [*command, *self.edge_flags, f"--control={self._control(self.attach)}"]

    def _control(self, proxy):
        return f"127.0.0.1:{self.control.port if self.without_proxies else proxy.port}"

    async def add_edges(self, count):
        """More edges, beside the first; no client comes to one before the fault points `web` at it."""
        for i in range(2, 2 + count):
            edge = Server(f"edge-{i}", "edge", self.edge_command(), self.directory, [])
            self.more_edges.append(edge)
            await edge.start()

    @property
    def every_edge(self):
        return [self.edge, *self.more_edges]

    @property
    def edge_of_clients(self):
        """The one that clients come to."""
        return next(edge for edge in self.every_edge if edge.port == self.web.target)

    def next_edge_for_clients(self):
        """Whoever connects from now on comes to the next edge."""
        edges = self.every_edge
        self.edge.proxies = []  # only this says from now on where `web` leads
        following = edges[(edges.index(self.edge_of_clients) + 1) % len(edges)]
        self.web.target = following.port

    @property
    def every_session(self):
        return [*self.sessions, *self.crowd_sessions]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.web.port}"

    def _some_sessions(self):
        return self.random.sample(self.sessions, SESSIONS_A_CLIENT)

    def _client(self, who, rule, transports):
        options = {"auth": {"recovery": True}} if rule == "recovering" else {}
        client = {"who": who, "rule": rule, "transports": transports, "options": options}
        client["sessions"] = self._some_sessions()
        self.who.append(who)
        return client

    async def _start_clients(self):
        rules = ["resume", "resume", "fold"] + ["recovering"] * 2 * self.options.recovery
        clients = [
            self._client(f"javascript-{rule}-{i}-{'-'.join(transports)}", rule, transports)
            for i, rule in enumerate(rules)
            for transports in TRANSPORTS
        ]
        script = ROOT / "tests/chaos/subscribers.mjs"
        config = {"directory": str(self.histories), "url": self.url, "clients": clients}
        config |= {"sessions": self.sessions, "seed": self.seed, "stir_ms": 400}
        await self.crew("javascript", [self.options.node, script], config)
        for i, transports in enumerate((["websocket"], ["polling", "websocket"])):
            who = f"python-{i}"
            self.who.append(who)
            config = {"directory": str(self.histories), "url": self.url, "who": who}
            config |= {"transports": transports, "sessions": self._some_sessions()}
            script = ROOT / "tests/chaos/python_subscriber.py"
            await self.crew(who, [self.options.python, script], config)

    async def _start_grpc(self):
        def publisher(who, i):
            self.who.append(who)
            return {
                "who": who,
                "seed": self.random.randrange(1 << 32),
                "sessions": self.sessions,
                "ends_after": {self.sessions[-1 - i]: 12 + 20 * i} if i < 2 else {},
                "way": "stream" if i % 2 else "unary",
                "pause_ms": self.options.pause_ms * (3 if i % 2 else 1),
            }

        publishers = [publisher(f"publisher-{i}", i) for i in range(PUBLISHERS)]
        if self.crowd_sessions:
            own = {"sessions": self.crowd_sessions, "pause_ms": self.crowd_pause_ms}
            publishers.append({**publisher("publisher-crowd", PUBLISHERS), **own})
        readers = []
        for i, session in enumerate(self.every_session):
            readers.append({"who": f"grpc-{i}", "session": session})
            self.who.append(f"grpc-{i}")
        config = {
            "directory": str(self.histories),
            "control": self._control(self.publish),
            "publishers": publishers,
            "closer": publisher("closer", PUBLISHERS),
            "readers": readers,
        }
        await self.crew("grpc", [self.binaries / "chaos_participant"], config)

    async def crew(self, name, command, config):
        """Another process of participants."""
        log = self.directory / f"{name}.log"
        crew = Crew(await Program.start(name, command, log))
        await crew.program.tell(config)
        self.crews[name] = crew

    # --- While it runs

    @staticmethod
    def now():
        return time.monotonic()

    async def pause(self, low_s, high_s):
        """Seconds between two numbers, as the seed says."""
        await asyncio.sleep(self.random.uniform(low_s, high_s))

    async def until(self, condition, seconds, what):
        deadline = time.monotonic() + seconds
        while not condition():
            self.check_running()
            if time.monotonic() > deadline:
                raise TimeoutError(f"not within {seconds} s: {what}")
            await asyncio.sleep(0.05)

    def check_running(self):
        for crew in self.crews.values():
            if not crew.program.running:
                raise RuntimeError(f"{crew.program.name} ended\n{crew.program.tail()}")

    def seen_by_browsers(self):
        return self.crews["javascript"].status.get("delivered", 0)

    async def flowing(self, events=40, seconds=60):
        """Until events are acknowledged, and delivered by the edge: what strikes next strikes something."""
        acked, delivered = self.count("acked"), self.seen_by_browsers()
        await self.until(
            lambda: self.count("acked") >= acked + events
            and self.seen_by_browsers() >= delivered + events,
            seconds,
            "events flow",
        )

    # --- Quiet, and the end

    async def quiesce(self):
        """Everything settled and closed; the final log read; whoever is not at the top in time is left to the checker."""
        grpc = self.crews["grpc"]
        await self.crews["javascript"].program.tell({"calm": True})
        await grpc.program.tell({"stop": True})
        await self._phase("stopped")
        mark = [*self.sessions[1::2], *self.crowd_sessions]
        close = {"complete": self.sessions[::2], "mark": mark}
        await grpc.program.tell({"close": close})
        await self._phase("closed")
        await self._read_final()
        tops = self._tops()
        for name in self.crews:
            if name != "grpc":
                await self.crews[name].program.tell({"tops": tops})
        try:
            await self.until(lambda: not self._missing(tops), REACH_TOP_S_MAX, "all at the top")
        except TimeoutError:
            for line in self._missing(tops)[:10]:
                self.options.say(f"    not at the top: {line}")

    async def _phase(self, phase):
        await self.until(
            lambda: self.crews["grpc"].status.get("phase") == phase, STOP_PUBLISHING_S_MAX, phase
        )

    async def _read_final(self):
        command = [self.binaries / "chaos_participant"]
        reader = await Program.start("final", command, self.directory / "final.log")
        config = {"directory": str(self.histories), "control": f"127.0.0.1:{self.control.port}"}
        await reader.tell({**config, "final": self.every_session})
        if await reader.wait(120) != 0:
            raise RuntimeError(f"the final reader failed\n{reader.tail()}")

    def _tops(self):
        lines = (self.histories / "final.jsonl").read_text(encoding="utf-8").splitlines()
        found = [line for line in map(json.loads, lines) if line["what"] == "final_top"]
        return {line["session"]: [line["epoch"], line["sequence"]] for line in found}

    def _missing(self, tops):
        missing = []
        for name, crew in self.crews.items():
            status = crew.status
            if name == "grpc":
                positions = status.get("positions", {})
                missing += [
                    f"grpc {session}: {places}, not {tops[session]}"
                    for session, places in positions.items()
                    if any(place != tops[session] for place in places)
                ]
            else:
                missing += status.get("missing", [f"{name} has not said yet"])
        return missing

    async def end_crews(self):
        for crew in self.crews.values():
            await crew.end()

    async def stop_servers(self):
        """Both stop on SIGTERM with 0: sanitizers have nothing to say."""
        servers = [*self.every_edge, self.control]
        wrong = self.wrong + [crash for server in servers if (crash := server.crashed())]
        for server in servers:
            if server.program.running:
                code = await server.stop()
                if code != 0:
                    wrong.append(f"{server.name} stopped with {code}\n{server.program.tail()}")
        return wrong

    async def take_down(self):
        """However the run went."""
        programs = [crew.program for crew in self.crews.values()]
        programs += [s.program for s in (*self.every_edge, self.control) if s and s.program]
        for program in programs:
            if program.running:
                await program.kill()
        for proxy in (self.publish, self.attach, self.web):
            await proxy.stop()
