"""Faults of the store: control dies at each step of the way to it; it comes back damaged."""

import asyncio
import contextlib
import itertools
import pathlib
import shutil
import signal

from fault import Fault
from programs import library_of_asan
import store_files

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
    late_s_max = 180
    reaches_step_s = 30
    used_s = 1
    used_events = 10
    starts_max = 8  # tables are merged when there are four
    write_steps = WRITE_STEPS
    start_steps = START_STEPS  # none: it is only started again

    def __init__(self):
        self.plan = None
        self.next_write_step = itertools.cycle(self.write_steps)
        self.next_start_step = itertools.cycle(self.start_steps)

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
        step, number_max = next(self.next_write_step)
        self._arm(stage, step, number_max)
        await stage.control.program.wait(self.reaches_step_s)
        said = [await self._how_it_died(stage, step)]
        if self.start_steps:
            said.append(await self._die_at_start(stage))
        await self._start_again(stage)
        for line in said:
            stage.hit(f"control ended by signal 9, {line}; there were {acked} events")

    async def _start_again(self, stage):
        self.plan.unlink()
        await stage.control.start()
        await stage.flowing()

    async def _die_at_start(self, stage):
        step, number_max = next(self.next_start_step)
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


class PowerLoss(KillAtStep):
    """The machine's power fails while control writes: what was not synced is gone, or half of it."""

    name = "power_loss"
    how = "at the n-th write to its log, control's log loses all that was not synced, or the second half of that, and control dies (SIGKILL, by a library that is preloaded)"
    holds = "G2 G4 G5: nothing that was acknowledged, or seen, is lost; no session needs a new epoch"
    hits_min = 6
    write_steps = [("log write lost", 60), ("log write torn", 60)]
    start_steps = []


class SyncFails(KillAtStep):
    """The disk says that it could not sync."""

    name = "sync_fails"
    how = "the n-th sync of control's log fails with EIO (by a library that is preloaded)"
    holds = "G16: control ends at once (exit code 4), and what was acknowledged is there after its start"
    hits_min = 5
    ends_with = 4

    async def strike(self, stage):
        acked = stage.count("acked")
        self._arm(stage, "log sync fails", 60)
        stage.control.program.expected_end = True
        code = await stage.control.program.wait(self.reaches_step_s)
        await stage.control.kill()  # nobody is led to it any more
        said = [line for line in stage.control.program.lines if line.startswith("failed at step:")]
        if code != self.ends_with or not said:
            tail = stage.control.program.tail()
            raise RuntimeError(f"control ended with {code}, not with {self.ends_with}\n{tail}")
        await self._start_again(stage)
        stage.hit(f"{said[0]}; control ended with {code}; there were {acked} events")


class TornStore(Fault):
    """Control is killed under load, and its store comes back damaged, or older."""

    name = "torn_store"
    how = "kill -9 of control; its log is cut or one bit of it flipped, below what the marker counted, or one bit of a table is flipped, or a copy of the running store is put back under the newer marker; what cannot be read is put back whole"
    holds = "G4 G5 G18: all that was acknowledged is there, or the session has a new epoch and its readers are told, or reading says DATA_LOSS"
    allows = ("new_epoch",)
    hits_min = 8
    between_s = (0, 1)
    seconds = 30
    late_s_max = 180
    damaged_s = 3  # so long is a damaged table served
    marker_s = 2.5  # its second, on a busy machine
    new_epochs = "every session gets a new epoch"
    unharmed = "all is there"
    refused = "restore it from a copy"
    stuck = "nothing is appended any more"

    def __init__(self):
        self.ways = itertools.cycle(
            [self._cut_log, self._flip_in_log, self._flip_in_table, self._put_copy_back]
        )
        self.whole = self.copy = None

    async def prepare(self, stage):
        self.whole, self.copy = stage.directory / "whole", stage.directory / "copy"

    async def strike(self, stage):
        way, losses = next(self.ways), _losses_told(stage)
        await self._marker_passes(stage, store_files.commits_in_log(stage.store))
        if way == self._put_copy_back:
            await self._copy_the_running_store(stage)
            await self._marker_passes(stage, store_files.commits_in_log(self.copy))
        await stage.control.kill()
        shutil.rmtree(self.whole, ignore_errors=True)
        shutil.copytree(stage.store, self.whole)
        damage = way(stage)
        answer = await self._start(stage)
        if way == self._flip_in_table or answer == self.refused:
            if answer != self.refused:
                answer = await self._serve_damaged(stage, losses)
            answer += f"; put back whole: {await self._put_whole_back(stage)}"
        if way in (self._cut_log, self._put_copy_back) and answer == self.unharmed:
            stage.wrong.append(f"a loss that nobody noticed: {damage}")
        await stage.flowing()
        stage.hit(f"{damage}: {answer}")

    async def _marker_passes(self, stage, commits):
        """What was committed since the marker's last second may come back short in silence: it is not damaged."""
        await stage.until(
            lambda: store_files.marked(stage.store) > commits, 30, "the marker counts on"
        )

    async def _start(self, stage):
        """What control said of its store."""
        try:
            await stage.control.start()
        except RuntimeError:  # it ended
            await stage.control.kill()
            if not self._said(stage, self.refused):
                raise
            return self.refused
        return self.new_epochs if self._said(stage, self.new_epochs) else self.unharmed

    @staticmethod
    def _said(stage, words):
        return any(words in line for line in stage.control.program.lines)

    async def _serve_damaged(self, stage, losses):
        """What came of it, once publishers or readers have met it."""
        acked = stage.count("acked")
        await stage.until(
            lambda: stage.count("acked") > acked
            or _losses_told(stage) > losses
            or self._said(stage, self.stuck),
            30,
            "a damaged store is used",
        )
        await asyncio.sleep(self.damaged_s)
        lost = _losses_told(stage) - losses
        appends = "nothing is appended" if self._said(stage, self.stuck) else "appends go on"
        return f"{lost} answers were DATA_LOSS, {appends}"

    async def _put_whole_back(self, stage):
        stage.publish.target = None
        stage.publish.cut()
        await asyncio.sleep(self.marker_s)  # what was acknowledged meanwhile is counted
        await stage.control.kill()
        store_files.put_back(self.whole, stage.store)
        return await self._start(stage)

    @staticmethod
    async def _copy_the_running_store_once(stage, copy):
        shutil.rmtree(copy, ignore_errors=True)
        await asyncio.to_thread(shutil.copytree, stage.store, copy)

    async def _copy_the_running_store(self, stage):
        for last in (False, False, False, True):
            try:
                return await self._copy_the_running_store_once(stage, self.copy)
            except shutil.Error:  # a file went meanwhile
                if last:
                    raise

    # --- Ways to damage it, each says what it did

    @staticmethod
    def _counted_part(stage):
        """(The log, the size of its part of which the marker tells, in words what there is.)"""
        marked, path = store_files.marked(stage.store), store_files.logs(stage.store)[-1]
        records = store_files.records(path.read_bytes())
        counted = [record for record in records if record.commits <= marked]
        if not counted:
            raise RuntimeError(f"{path.name} has no commit that the marker counted, {marked}")
        said = f"{path.name} of commits {records[0].commits} to {records[-1].commits}, marked {marked}"
        return path, counted[-1].end, said

    def _cut_log(self, stage):
        path, size, said = self._counted_part(stage)
        left = stage.random.randrange(size)
        whole = path.stat().st_size
        with open(path, "r+b") as file:
            file.truncate(left)
        return f"{said}, cut from {whole} to {left} bytes"

    def _flip_in_log(self, stage):
        path, size, said = self._counted_part(stage)
        bit = stage.random.randrange(8 * size)
        store_files.flip(path, bit)
        return f"{said}, bit {bit} of {8 * path.stat().st_size} flipped"

    @staticmethod
    def _flip_in_table(stage):
        path = stage.random.choice(store_files.tables(stage.store))
        bits = 8 * path.stat().st_size
        bit = stage.random.randrange(bits)
        store_files.flip(path, bit)
        return f"{path.name}, bit {bit} of {bits} flipped"

    def _put_copy_back(self, stage):
        commits = store_files.commits_in_log(self.copy)
        store_files.put_back(self.copy, stage.store)
        return f"a copy put back of commit {commits}, marked {store_files.marked(stage.store)}"


def _losses_told(stage):
    """How often a participant was told so."""
    return sum(path.read_bytes().count(b'"DATA_LOSS"') for path in stage.histories.glob("*.jsonl"))


FAULTS = [KillAtStep, PowerLoss, SyncFails, TornStore]
