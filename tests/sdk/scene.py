"""What a scenario plays on: control, edges, and the lines to them, which can be cut and lead elsewhere."""

import asyncio
import json
import pathlib
import subprocess
import sys

from drivers import PATIENCE_S, Driver

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "chaos"))
from programs import Server  # noqa: E402  pylint: disable=wrong-import-position
from proxy import Proxy  # noqa: E402  pylint: disable=wrong-import-position


class Scene:
    """`publisher_line` leads to control; `reader_line` to where the language reads: to control, or to an edge by way of
    `switch`. Lines have ports that stay.
    """

    def __init__(self, directory, options, store="memory", edges=0, control_flags=()):
        self.language = options.reads
        self.edges = []
        self._directory = pathlib.Path(directory)
        self._options = options
        self._drivers = []
        self._edges = max(edges, int(self.language.reads_at == "edge"))
        self._store = store if store == "memory" else f"{store}:{self._directory}/store"
        self._control_flags = control_flags

    async def __aenter__(self):
        self.publisher_line = await Proxy("publisher").start()
        self.switch = await Proxy("switch").start()
        edges_line = await Proxy("edges").start()
        lines = [self.publisher_line, edges_line]
        if self.language.reads_at == "control":
            self.reader_line = await Proxy("reader").start()
            lines.append(self.reader_line)
        else:
            self.reader_line = self.switch
        self._lines = {*lines, self.switch}
        command = [self._options.bin / "sessioncast-control", "--grpc_listen=127.0.0.1:0", f"--store={self._store}"]
        self.control = Server("control", "control", [*command, *self._control_flags], self._directory, lines)
        try:
            await self.control.start()
            for index in range(self._edges):
                await self._start_edge(index, edges_line)
        except BaseException:
            await self._leave()
            raise
        return self

    async def _start_edge(self, index, edges_line):
        command = [
            self._options.bin / "sessioncast-edge",
            f"--control=127.0.0.1:{edges_line.port}",
            "--http_listen=127.0.0.1:0",
        ]
        edge = Server(f"edge{index}", "edge", command, self._directory, [])
        self.edges.append(edge)
        await edge.start()
        if index == 0:
            self.switch.target = edge.port

    async def __aexit__(self, kind, error, trace):
        codes = await self._leave()
        assert error or not any(codes), f"servers ended with {codes}"

    async def _leave(self):
        """The exit codes of the servers that nobody has killed."""
        for driver in self._drivers:
            await driver.kill()
        running = [s for s in [*self.edges, self.control] if s.program and s.program.running]
        codes = [await server.stop() for server in running]
        for line in self._lines:
            await line.stop()
        return codes

    async def _drive(self, name, language, *arguments):
        log = self._directory / f"{len(self._drivers)}_{name}.log"
        driver = await Driver.start(name, [*language.command, name, *arguments], log)
        self._drivers.append(driver)
        return driver

    async def publish(self, session, events, per_s, key_prefix="k"):
        return await self._drive(
            "publish",
            self._options.publishes,
            f"--control=127.0.0.1:{self.publisher_line.port}",
            f"--session={session}",
            f"--events={events}",
            f"--per_s={per_s}",
            f"--key_prefix={key_prefix}",
        )

    async def connected(self, line, driver=None):
        """Waits for a connection by way of the line, or until the driver that makes them has ended."""

        linked = asyncio.Event()
        line.on_link = lambda link: linked.set()
        if line.links:
            return
        ends = [asyncio.ensure_future(linked.wait())]
        if driver:
            ends.append(asyncio.ensure_future(driver.ended()))
        done, pending = await asyncio.wait(ends, timeout=PATIENCE_S, return_when=asyncio.FIRST_COMPLETED)
        for end in pending:
            end.cancel()
        assert done, f"nobody has connected by way of {line.name} in {PATIENCE_S} s"

    async def read(self, session, *arguments):
        port = self.reader_line.port
        at_control = self.language.reads_at == "control"
        place = f"--control=127.0.0.1:{port}" if at_control else f"--edge=http://127.0.0.1:{port}"
        return await self._drive("read", self.language, place, f"--session={session}", *arguments)

    def tool(self, verb, session, *arguments):
        """Runs `sessioncast VERB SESSION`; the JSON objects that it printed. It asks control itself, not a line."""
        command = [
            self._options.bin / "sessioncast",
            verb,
            session,
            f"--control=127.0.0.1:{self.control.port}",
            "--json",
            *arguments,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return [json.loads(line) for line in done.stdout.splitlines()]

    def log(self, session, after=None):
        """The events of an ended session, in order: (epoch, sequence, kind, n)."""
        place = () if after is None else (f"--epoch={after[0]}", f"--after_sequence={after[1]}")
        return [_brief(event) for event in self.tool("watch", session, *place)]


def _brief(event):
    position = event["position"]
    kind = next(key for key in event if key not in ("sessionId", "position", "time"))
    number = event[kind].get("data", {}).get("n") if kind == "custom" else None
    return position["epoch"], int(position["sequence"]), kind, number
