"""Programs beside bench_load that take one line of JSON, and say what came of it in JSON lines."""

import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import time

from processes import Failure

HERE = pathlib.Path(__file__).resolve().parent
FILL_S_MAX = 120


class Side:
    """A running one. Its last line of JSON is its status."""

    def __init__(self, command, log):
        self._name = pathlib.Path(command[-1]).name
        self._log = log
        self._kept = b""
        self.status = {}
        with open(log, "wb") as file:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
            )
        os.set_blocking(self._process.stdout.fileno(), False)

    def tell(self, message):
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._failure("ended by itself") from error

    def look(self, seconds=0.0):
        """Reads what it has said, waiting that long for something. False: it has ended."""
        select.select([self._process.stdout], [], [], seconds)
        said = self._process.stdout.read()
        if said == b"":
            return False
        *lines, self._kept = (self._kept + (said or b"")).split(b"\n")
        for line in lines:
            if line.startswith(b"{"):
                self.status = json.loads(line)
        return True

    def until(self, condition, seconds, what):
        """Until condition(status) holds."""
        deadline = time.monotonic() + seconds
        while not condition(self.status):
            if not self.look(0.2):
                if condition(self.status):
                    return
                raise self._failure("ended by itself")
            if time.monotonic() > deadline:
                raise self._failure(f"not within {seconds} s: {what}; it is at {self.status}")

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def _failure(self, what):
        tail = pathlib.Path(self._log).read_text(encoding="utf-8", errors="replace")[-2_000:]
        return Failure(f"{self._name}: {what}\n{tail}\nAre its packages there? tools/setup --for=bench")


@contextlib.contextmanager
def side(place, command, config):
    """One for as long as the block lasts."""
    started = Side(command, place.fresh() / "side.log")
    try:
        started.tell(config)
        yield started
    finally:
        started.kill()


def publisher(place, control, sessions, **more):
    command = ["node", HERE / "publisher.mjs"]
    return side(place, command, {"control": control, "sessions": sessions, **more})


def fill(place, server, sessions, events):
    """So many events, one session after the other."""
    ids = [f"bench-{i}" for i in range(sessions)]
    with publisher(place, server.control, ids, fill=events) as running:
        running.until(lambda status: "published" in status, FILL_S_MAX, f"{events} events published")
