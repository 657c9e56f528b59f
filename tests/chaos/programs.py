"""Starts and stops programs for a chaos run: the servers, and the participants. Every wait has a deadline."""

import asyncio
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess

START_S_MAX = 60
STOP_S_MAX = 60
ROOT = pathlib.Path(__file__).resolve().parents[2]
SUPPRESSIONS = ROOT / "tests/support/leaks_of_libraries.txt"
LINE_BYTES_MAX = 4 * 1024 * 1024
LINES_KEPT = 400


def _libraries(binaries):
    command = ["ldd", pathlib.Path(binaries, "sessioncast-control")]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def sanitized(binaries):
    """Whether the servers there are built with UBSan."""
    return "libubsan" in _libraries(binaries)


def library_of_asan(binaries):
    """The path of what the servers there are built with, or None."""
    found = re.search(r"=> (\S*libasan\S*)", _libraries(binaries))
    return found[1] if found else None


class Program:
    """A running program, whose lines go to a file and to whoever waits for one."""

    def __init__(self, name):
        self.name = name
        self.lines = []
        self.expected_end = False
        self._process = None
        self._reading = None
        self._changed = asyncio.Event()

    @staticmethod
    async def start(name, command, log, environment=None, limits=None):
        program = Program(name)
        variables = {
            **os.environ,
            "LSAN_OPTIONS": f"suppressions={SUPPRESSIONS}:print_suppressions=0",
            **(environment or {}),
        }
        program._process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=variables,
            limit=LINE_BYTES_MAX,
            preexec_fn=limits,
        )
        program._reading = asyncio.create_task(program._read(log))
        return program

    async def _read(self, log):
        with open(log, "a", encoding="utf-8") as file:
            while line := await self._process.stdout.readline():
                text = line.decode(errors="replace").rstrip("\n")
                file.write(text + "\n")
                file.flush()
                self.lines = [*self.lines[-LINES_KEPT:], text]
                self._changed.set()
        await self._process.wait()
        self._changed.set()

    @property
    def pid(self):
        return self._process.pid

    @property
    def exit_code(self):
        return self._process.returncode

    @property
    def running(self):
        return self.exit_code is None

    @property
    def state(self):
        """As the kernel says it: 'T' is stopped."""
        with contextlib.suppress(FileNotFoundError):
            stat = pathlib.Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
            return stat.rpartition(")")[2].split()[0]
        return ""

    def signal(self, number):
        if self.running:
            # Not send_signal(), which may reap the process before asyncio does.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def tell(self, message):
        self._process.stdin.write((json.dumps(message) + "\n").encode())
        try:
            await self._process.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            pass  # how it ended is seen elsewhere

    async def line(self, pattern, seconds=START_S_MAX):
        """The first match in its lines."""

        async def look():
            while True:
                self._changed.clear()
                for line in self.lines:
                    if match := re.search(pattern, line):
                        return match
                if not self.running and self._reading.done():
                    raise RuntimeError(f"{self.name} ended with {self.exit_code}: {self.tail()}")
                await self._changed.wait()

        return await asyncio.wait_for(look(), seconds)

    def tail(self, count=20):
        return "\n".join(f"  {self.name}| {line}" for line in self.lines[-count:])

    async def kill(self):
        """As a crash; its exit code."""
        self.expected_end = True
        self.signal(signal.SIGKILL)
        return await self.wait()

    async def stop(self):
        """Asked to; its exit code."""
        self.expected_end = True
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        return await self.wait()

    async def wait(self, seconds=STOP_S_MAX):
        try:
            await asyncio.wait_for(asyncio.shield(self._reading), seconds)
        except asyncio.TimeoutError:
            self.signal(signal.SIGKILL)
            await self._reading
        return self.exit_code


class Server:
    """Control or an edge: on a port of its own choice each time, with a proxy of a fixed port before it."""

    def __init__(self, name, word, command, directory, proxies):
        self.name = name
        self.command = command
        self.proxies = proxies
        self.program = None
        self.port = None
        self.environment = {}
        self.limits = None
        self.starts = 0
        self._word = word
        self._log = pathlib.Path(directory, f"{name}.log")

    async def start(self):
        self.starts += 1
        self.program = await Program.start(
            self.name, self.command, self._log, self.environment, self.limits
        )
        match = await self.program.line(rf"{self._word} listening on 127\.0\.0\.1:(\d+)")
        self.port = int(match[1])
        for proxy in self.proxies:
            proxy.target = self.port

    async def kill(self):
        for proxy in self.proxies:
            proxy.target = None
        return await self.program.kill()

    async def stop(self):
        """On SIGTERM; the exit code, which is 0 if all is well."""
        code = await self.program.stop()
        for proxy in self.proxies:
            proxy.target = None
        return code

    def crashed(self):
        """How it ended, if nobody wanted it to."""
        if self.program is None or self.program.running or self.program.expected_end:
            return None
        return f"{self.name} ended by itself with {self.program.exit_code}\n{self.program.tail()}"
