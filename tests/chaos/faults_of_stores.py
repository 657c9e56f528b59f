"""Faults of the way to the store: control dies at each step of it."""

import contextlib
import itertools
import pathlib
import signal

from fault import Fault
from programs import library_of_asan

# Each step, and the highest number of the call that is struck. While events flow:
WRITE_STEPS = [
    ("log write before", 60),
    ("log write half", 60),
    ("log write after", 60),  # and before its sync
    ("log sync after", 60),  # and before the outcome is told
    ("answer send before", 60),
    ("answer send half", 60),
    ("answer send after", 60),
    ("marker write before", 2),
    ("marker write half", 2),
    ("marker write after", 2),
    ("marker sync after", 2),
]
# While control starts: RocksDB makes a table of the log, names a new manifest, removes the log, and sometimes merges tables.
START_STEPS = [
    ("table write before", 1),
    ("table write half", 1),
    ("table sync after", 1),
    ("manifest write half", 3),
    ("manifest sync after", 1),
    ("current rename before", 1),
    ("current rename after", 1),
    ("log unlink before", 1),
    ("log unlink after", 1),
    ("table unlink before", 1),
    ("table unlink after", 1),
]


class KillAtStep(Fault):
    """Control dies at each step of the way to the disk and to its callers."""

    name = "kill_at_step"
    how = "control kills itself (SIGKILL, by a library that is preloaded) before, half way through or after the n-th call that is one step of its write path, then at one step of its start on what that left: each step in turn"
    holds = "G1 G5 G6 G8: what was acknowledged is there, no position names two events"
    hits_min = 2 * len(WRITE_STEPS)
    between_s = (0, 0.2)
    reaches_step_s = 30
    used_s = 1
    used_events = 10
    starts_max = 8  # tables are merged when there are four

    def __init__(self):
        self.plan = None
        self.write_steps = itertools.cycle(WRITE_STEPS)
        self.start_steps = itertools.cycle(START_STEPS)

    @staticmethod
    def library(binaries):
        return pathlib.Path(binaries, "libchaos_kill_at_step.so").resolve()

    @staticmethod
    def cannot(binaries):
        if not KillAtStep.library(binaries).exists():
            return "libchaos_kill_at_step.so is not beside the programs: build chaos_kill_at_step"
        return None

    async def prepare(self, stage):
        self.plan = stage.directory / "kill_at_step"
        libraries = [library_of_asan(stage.binaries), str(self.library(stage.binaries))]
        stage.control_environment = {
            "LD_PRELOAD": ":".join(filter(None, libraries)),  # ASan must be the first
            "SESSIONCAST_KILL_AT_STEP": str(self.plan),
        }

    def _arm(self, stage, step, number_max):
        whole = self.plan.with_suffix(".new")
        whole.write_text(f"{step} {stage.random.randint(1, number_max)}\n", encoding="utf-8")
        whole.rename(self.plan)

    async def strike(self, stage):
        acked = stage.count("acked")
        step, number_max = next(self.write_steps)
        self._arm(stage, step, number_max)
        await stage.control.program.wait(self.reaches_step_s)
        died = await self._how_it_died(stage, step)
        while_starting = await self._die_at_start(stage)
        self.plan.unlink()
        await stage.control.start()
        await stage.flowing()
        for line in (died, while_starting):
            stage.hit(f"control ended by signal 9, {line}; there were {acked} events")

    async def _die_at_start(self, stage):
        step, number_max = next(self.start_steps)
        self._arm(stage, step, number_max)
        for _ in range(self.starts_max):
            with contextlib.suppress(RuntimeError):  # it ended before it listened
                await stage.control.start()
                await self._dead_or_used(stage)
            with contextlib.suppress(RuntimeError):  # another start brings another table
                return await self._how_it_died(stage, step)
        raise RuntimeError(f"no start came to the step {step}")

    async def _dead_or_used(self, stage):
        """Until it has died, or has had its time and a log that the next start makes a table of."""
        program, acked, used = stage.control.program, stage.count("acked"), stage.now() + self.used_s
        await stage.until(
            lambda: not program.running
            or (stage.now() > used and stage.count("acked") >= acked + self.used_events),
            self.reaches_step_s,
            "control is used, or dies",
        )

    async def _how_it_died(self, stage, step):
        code = await stage.control.kill()  # nobody is led to it any more
        lines = stage.control.program.lines
        said = next((line for line in lines if line.startswith(f"killed at step: {step},")), None)
        if said is None or code != -signal.SIGKILL:
            tail = stage.control.program.tail()
            raise RuntimeError(f"control ended with {code}, not at the step {step}\n{tail}")
        return said


FAULTS = [KillAtStep]
