"""One run of tools/chaos: a fresh stage, one fault, quiet, the checker; and the table of all runs."""

import asyncio
import dataclasses
import pathlib
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))

import history as histories  # noqa: E402
import history_checker  # noqa: E402
from stage import Stage  # noqa: E402

PROGRESS_EVERY_S = 5
SHOWN_MAX = 12
NEEDS = {"events": 200, "deliveries": 1000}
COLUMNS = ["hits", "events", "deliveries", "reconnects", "recovered", "unknown"]


@dataclasses.dataclass
class Options:
    """What all runs have in common."""

    binaries: pathlib.Path
    node: str
    python: str
    recovery: bool
    pause_ms: int
    keep: bool
    say: callable


@dataclasses.dataclass
class Outcome:
    """What came of a run."""

    fault: str
    seed: int
    word: str
    figures: dict
    violations: int
    seconds: float
    directory: str

    @property
    def row(self):
        figures = [str(self.figures.get(column, 0)) for column in COLUMNS]
        return [self.fault, *figures, str(self.violations), f"{self.seconds:.0f} s", self.word]


async def _report_progress(stage, options):
    while True:
        await asyncio.sleep(PROGRESS_EVERY_S)
        figures = ("acked", "unknown", "delivered", "connects", "recovered", "connected")
        said = ", ".join(f"{stage.count(name)} {name}" for name in figures)
        options.say(f"    {said}, {len(stage.hits)} hits")


async def _play(stage, fault, options, seconds):
    """Violations that the stage itself saw."""
    await fault.prepare(stage)
    await stage.start()
    progress = asyncio.create_task(_report_progress(stage, options))
    try:
        await stage.flowing()
        await fault.run(stage, seconds)
        await stage.flowing()
        await stage.quiesce()
        await stage.end_crews()
        return await stage.stop_servers()
    finally:
        progress.cancel()


async def run_fault(fault, seed, options, seconds):
    directory = tempfile.mkdtemp(prefix=f"sessioncast-chaos-{fault.name}-{seed}-")
    started = time.monotonic()
    stage = Stage(directory, options.binaries, seed, options)
    broken = None
    wrong = []
    try:
        wrong = await _play(stage, fault, options, seconds)
    except (TimeoutError, RuntimeError, asyncio.TimeoutError) as error:
        broken = f"the run did not come to its end: {error}"
    finally:
        await stage.take_down()
        await fault.clear_away(stage)
    needs = {**NEEDS, "hits": fault.hits_min, "reconnects": fault.reconnects_min}
    stage.end_record(fault=fault.name, needs=needs, allows=list(fault.allows))
    history = histories.read(stage.histories)
    verdict = history_checker.check(history)
    if not broken:
        wrong += fault.judge(stage, history)
    else:
        # What the histories lack then, they lack for that reason.
        verdict = history_checker.Verdict([], [], verdict.figures)
        wrong = [broken]
    for text in wrong:
        verdict.violations.insert(0, history_checker.Violation("run", "", "", text))
    return _conclude(fault, seed, options, verdict, directory, time.monotonic() - started)


def _conclude(fault, seed, options, verdict, directory, seconds):
    for violation in verdict.violations[:SHOWN_MAX]:
        options.say(f"    VIOLATION {violation}")
    for doubt in verdict.doubts:
        options.say(f"    inconclusive: {doubt}")
    if verdict.word == history_checker.PASSED and not options.keep:
        shutil.rmtree(directory)
    else:
        options.say(f"    histories and logs: {directory}")
        options.say(f"    again: tools/chaos --seed {seed} {fault.name}")
    count = len(verdict.violations)
    return Outcome(fault.name, seed, verdict.word, verdict.figures, count, seconds, directory)


def table(outcomes):
    head = ["fault", *COLUMNS, "violations", "took", "verdict"]
    rows = [head, *(outcome.row for outcome in outcomes)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        yield "  ".join(cells)
