"""The running programs that a table of hostile input is held against, what stock clients beside it noticed, and what is left
of it in the edge's process."""

import asyncio
import contextlib
import json
import os
import pathlib
import re
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/chaos"))

from programs import Program  # noqa: E402

ROWS_AT_A_TIME = 12
SETTLE_S = 20
DESCRIPTORS_MORE_MAX = 2  # a gRPC line that was opened again
RSS_MORE_BYTES_MAX = 12 * 1024 * 1024  # between two rounds of the same rows
PEAK_MORE_BYTES_MAX = 96 * 1024 * 1024  # while rows are under way
AGE_MS_MAX = 2_000  # of 99 % of the events of those beside
# The quarantine of AddressSanitizer keeps what was freed: with its usual 256 MB memory only grows.
ENVIRONMENT = {"ASAN_OPTIONS": "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}


async def until(condition, what, seconds=SETTLE_S):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what()}"
        await asyncio.sleep(0.02)


class Stage:
    """Control and an edge with these flags, and the witness."""

    def __init__(self, binaries, *flags, control_flags=()):
        self.binaries = binaries
        self.flags = flags
        self.control_flags = control_flags
        self._publisher = None

    async def __aenter__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="hostile-")
        self.stack = contextlib.AsyncExitStack()
        self.stack.callback(self.directory.cleanup)
        try:
            self.control = await self.start(
                "sessioncast-control", "--grpc_listen=localhost:0", "--store=memory", *self.control_flags)
            self.grpc = int((await self.control.line(r"control listening on 127\.0\.0\.1:(\d+)"))[1])
            self.edge = await self.start(
                "sessioncast-edge", "--http_listen=localhost:0", f"--control=127.0.0.1:{self.grpc}", *self.flags)
            self.port = int((await self.edge.line(r"edge listening on 127\.0\.0\.1:(\d+)"))[1])
            await self.edge.line("attached to control")
            self.witness = await self.run(
                "witness", "node", ROOT / "tests/hostile/witness.mjs",
                f"http://127.0.0.1:{self.port}", f"127.0.0.1:{self.grpc}")
            await self.witness.line("^witnessing$")
        except BaseException:
            await self.stack.aclose()
            raise
        return self

    async def __aexit__(self, *error):
        await self.stack.aclose()

    async def run(self, name, *command):
        log = pathlib.Path(self.directory.name, f"{name}.log")
        program = await Program.start(name, command, log, ENVIRONMENT)
        program.log = log
        self.stack.push_async_callback(self._end, program)
        return program

    async def start(self, name, *flags):
        return await self.run(name, pathlib.Path(self.binaries, name), *flags)

    async def publish_result(self, session, size):
        """A model's result of so many bytes, into a session that rows have for themselves."""
        if self._publisher is None:  # one for all rows, if there is one that wants it
            self._publisher = asyncio.ensure_future(self.run(
                "publisher", "node", ROOT / "tests/hostile/publisher.mjs", f"127.0.0.1:{self.grpc}"))  # fmt: skip
        await (await self._publisher).tell({"sessionId": session, "bytes": size})

    @staticmethod
    async def _end(program):
        if not program.running and not program.expected_end:
            raise AssertionError(f"{program.name} ended by itself with {program.exit_code}:\n{program.tail()}")
        code = await program.stop()
        if code not in (0, -15) or (code == -15 and program.name not in ("witness", "publisher")):
            raise AssertionError(f"{program.name} ended with {code}:\n{program.tail(60)}")

    # --- what the edge says

    async def says(self, pattern):
        """The first match in all of the edge's log."""
        found = []

        def look():
            found[:] = re.findall(pattern, self.edge.log.read_text(encoding="utf-8"))
            return bool(found)

        await until(look, lambda: f"the edge's log has {pattern}\n{self.edge.tail()}")
        return found[0]

    async def reason(self, socket_id):
        """Why the server ended the socket's connection."""
        return await self.says(rf"WebSocket client disconnected: {re.escape(socket_id)} \(([a-z ]+)\)")

    async def reason_of_connection(self, sid):
        """The same of a connection that joined nothing; the edge logs at debug."""
        return await self.says(rf"connection {re.escape(sid[:4])}\.\.\.: ended \(([a-z ]+)\)")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.edge.pid}/fd"))

    def memory(self, name):
        status = pathlib.Path(f"/proc/{self.edge.pid}/status").read_text(encoding="utf-8")
        return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) * 1024

    # --- the table

    async def hold(self, rows, rounds=2):
        """Holds the rows ({name: coroutine function of the stage}) against the edge; prints and raises what is wrong."""
        descriptors = self.descriptors()
        levels = []
        for _ in range(rounds):
            await self._round(rows)
            await until(
                lambda: self.descriptors() <= descriptors + DESCRIPTORS_MORE_MAX,
                lambda: f"the edge's descriptors are back at {descriptors}; it has {self.descriptors()}")
            levels.append(self.memory("VmRSS"))
        more = levels[-1] - levels[0]
        peak = self.memory("VmHWM") - levels[0]
        print(f"{len(rows)} rows, {rounds} times; descriptors {descriptors} before, {self.descriptors()} after; "
              f"memory +{more / 1e6:.1f} MB in the last round, at the most {peak / 1e6:.1f} MB above")
        assert more < RSS_MORE_BYTES_MAX, f"the edge's memory grew by {more} bytes in a round"
        assert peak < PEAK_MORE_BYTES_MAX, f"the edge's memory was {peak} bytes more at some time"
        await self.nobody_noticed()

    async def _round(self, rows):
        gate = asyncio.Semaphore(ROWS_AT_A_TIME)
        wrong = []

        async def one(name, row):
            async with gate:
                try:
                    await row(self)
                except Exception as error:  # all rows are told, not the first that failed
                    wrong.append(f"{name}: {type(error).__name__}: {error}")

        await asyncio.gather(*(one(name, row) for name, row in rows.items()))
        assert not wrong, f"{len(wrong)} of {len(rows)} rows:\n  " + "\n  ".join(wrong)

    async def nobody_noticed(self):
        """Those beside had no gap, no disconnect, and got their events in time."""
        self.witness.expected_end = True
        self.witness._process.stdin.close()
        report = json.loads((await self.witness.line(r"^(\{.*\})$"))[1])
        print("beside:", json.dumps(report))
        assert report["published"] >= 20, report
        for client in report["clients"]:
            assert not client["gaps"] and not client["disconnects"], client
            assert client["most_ms"] < AGE_MS_MAX, client
        assert self.edge.running and self.control.running
