"""Programs that run for a measurement. Whatever happens, none stays: each is in a process group of its own, which ends
with the `with` block that started it.
"""

import contextlib
import os
import pathlib
import re
import signal
import subprocess
import time

START_S_MAX = 60
STOP_S_MAX = 10
LOOK_EVERY_S = 0.02
TAIL_LINES = 15


class Failure(Exception):
    """Something did not work; the text says what, and what to do next."""


class Program:
    """A running program, whose output is in a file."""

    def __init__(self, name, command, log):
        self.name = name
        self.log = pathlib.Path(log)
        self._command = [str(word) for word in command]
        with open(self.log, "ab") as file:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise Failure(f"{name} does not start: {error}. Try: tools/setup --for=bench") from error

    @property
    def pid(self):
        return self._process.pid

    @property
    def running(self):
        return self._process.poll() is None

    def text(self):
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tail(self):
        return "\n".join(f"  {self.name}| {line}" for line in self.text().splitlines()[-TAIL_LINES:])

    def line(self, pattern, seconds=START_S_MAX):
        """The first match in its output, which is waited for."""
        deadline = time.monotonic() + seconds
        while True:
            running = self.running
            match = re.search(pattern, self.text(), re.MULTILINE)
            if match:
                return match
            if not running or time.monotonic() > deadline:
                how = f"did not say {pattern!r} in {seconds} s" if running else "ended by itself"
                raise Failure(
                    f"{self.name} {how}:\n{self.tail()}\nTry it by hand: {' '.join(self._command)}"
                )
            time.sleep(LOOK_EVERY_S)

    def pids(self):
        """Its own, and those of what it started."""
        found = [self.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                    found += map(int, (task / "children").read_text(encoding="ascii").split())
        return found

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    def kill(self):
        """As a crash."""
        self._signal(signal.SIGKILL)
        self._process.wait()

    def stop(self):
        """Asks it to end; after a while it has to."""
        self._signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_S_MAX)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal(signal.SIGKILL)  # whatever of its group is left
            self._process.wait()

    def _signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)


@contextlib.contextmanager
def running(name, command, log):
    """A program for as long as the block lasts."""
    program = Program(name, command, log)
    try:
        yield program
    finally:
        program.stop()
