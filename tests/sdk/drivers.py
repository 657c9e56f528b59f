"""The programs that use an SDK as a scenario tells them, one for each language, and what they print."""

import asyncio
import dataclasses
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 120
LINE_BYTES_MAX = 1024 * 1024


@dataclasses.dataclass
class Language:
    command: tuple  # as it is started; "{bin}" and "{python}" stand for options
    reads_at: str  # "control" or "edge"
    publishes: bool = True


LANGUAGES = {
    "python": Language(("{python}", ROOT / "tests/sdk/driver.py"), "control"),
    "python_aio": Language(("{python}", ROOT / "tests/sdk/driver_aio.py"), "control"),
    "cpp": Language(("{bin}/sdk_driver",), "control"),
    "js": Language(("node", ROOT / "tests/sdk/driver.mjs"), "edge", publishes=False),
}


def of_language(name, options, own=True):
    """The language, with its command as it is to be started."""
    language = LANGUAGES[name]
    command = [str(part).format(bin=options.bin, python=options.python) for part in language.command]
    if own and options.driver:
        command[-1] = str(options.driver)
    return dataclasses.replace(language, command=tuple(command))


class Driver:
    """A running driver. What it prints is in `lines`, parsed; its standard error is in a log."""

    def __init__(self, name, process, log):
        self.name = name
        self.lines = []
        self._process = process
        self._log = log
        self._changed = asyncio.Event()
        self._ended = False
        self._reading = asyncio.create_task(self._read())

    @staticmethod
    async def start(name, command, log):
        with open(log, "ab") as errors:
            process = await asyncio.create_subprocess_exec(
                *map(str, command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                limit=LINE_BYTES_MAX,
            )
        return Driver(name, process, log)

    async def _read(self):
        try:
            with open(self._log, "a", encoding="utf-8") as log:
                while line := await self._process.stdout.readline():
                    log.write(line.decode())
                    log.flush()
                    self.lines.append(json.loads(line))
                    self._changed.set()
            await self._process.wait()
        finally:
            self._ended = True
            self._changed.set()

    async def ended(self):
        """Waits until it has, whatever came of it."""
        await asyncio.wait([self._reading])

    async def until(self, holds, seconds=PATIENCE_S):
        """Waits until `holds(lines)`; fails if the driver ends before."""

        async def look():
            while not holds(self.lines):
                assert not self._ended, f"{self.name} ended with {self._process.returncode} too early"
                self._changed.clear()
                await self._changed.wait()

        try:
            await asyncio.wait_for(look(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.name}: after {seconds} s: {self.lines[-3:]}") from None

    async def end(self, seconds=PATIENCE_S):
        """What it printed, without the line that says that this was all; it must have ended with 0."""
        try:
            await asyncio.wait_for(asyncio.shield(self._reading), seconds)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.name} did not end in {seconds} s: {self.lines[-3:]}") from None
        code = self._process.returncode
        assert code == 0, f"{self.name} ended with {code}"
        assert self.lines and self.lines[-1] in ({"done": True}, {"end": True}), self.lines[-3:]
        return self.lines[:-1]

    async def kill(self):
        if self._process.returncode is None:
            self._process.kill()
        await asyncio.gather(self._reading, return_exceptions=True)
