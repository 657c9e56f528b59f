"""Faults of what a server has of its machine: descriptors, the clock, the disk."""

import asyncio
import contextlib
import datetime
import glob
import json
import os
import resource
import subprocess
import tempfile
import time

from fault import Fault
from programs import library_of_asan, sanitized
import raw

CONNECTIONS = 200
FREE_DESCRIPTORS = 3
HELD_S = (0.5, 2)


class DescriptorsOut(Fault):
    """A server has no file descriptor left; a subclass says which, and what it must do again."""

    serves_within_s = 2
    busy_machine_s = 8  # more, before it counts as broken: others may have the processor
    seconds = 15

    @staticmethod
    def cannot(binaries):
        if sanitized(binaries):
            # Which opens a pipe for it, and takes an object for a bad one where there is no pipe.
            return "UBSan looks at memory by way of pipes, so these programs must be release ones"
        return None

    def server(self, stage):
        raise NotImplementedError

    async def serve(self, port):
        """One real exchange; OSError if it failed."""
        raise NotImplementedError

    async def strike(self, stage):
        server = self.server(stage)
        pid = server.program.pid
        usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        limit = len(self._descriptors(pid)) + FREE_DESCRIPTORS
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (limit, usual[1]))
        try:
            full = await self._run_out(stage, server, limit)
            started = stage.now()
            tries = await self._serves_again(stage, server.port)
            seconds = stage.now() - started
        finally:
            if server.program.running:
                resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
        if seconds > self.serves_within_s + self.busy_machine_s:
            stage.wrong.append(f"{server.name} served again after {seconds:.1f} s only")
        await stage.flowing()
        if full:
            stage.hit(
                f"{server.name} had all {limit} descriptors in use; after that a new connection was"
                f" served within {seconds:.2f} s, at try {tries}"
            )

    async def _run_out(self, stage, server, limit):
        """Whether every descriptor below the limit was taken; the connections that did it are gone when it returns."""
        writers, full = [], False
        try:
            for _ in range(CONNECTIONS):
                with contextlib.suppress(OSError):
                    writers.append((await raw.connect(server.port))[1])
            until = stage.now() + stage.random.uniform(*HELD_S)
            while stage.now() < until:
                full = full or set(range(limit)) <= self._descriptors(server.program.pid)
                await asyncio.sleep(0.02)
        finally:
            for writer in writers:
                writer.transport.abort()
        return full

    @staticmethod
    def _descriptors(pid):
        with contextlib.suppress(FileNotFoundError):
            return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}
        raise RuntimeError(f"process {pid} ended")

    async def _serves_again(self, stage, port):
        tries, late = 0, stage.now() + 60
        while True:
            tries += 1
            try:
                await asyncio.wait_for(self.serve(port), 10)
                return tries
            except (OSError, asyncio.TimeoutError):
                if stage.now() > late:
                    raise
            await asyncio.sleep(0.02)


class DescriptorsOutControl(DescriptorsOut):
    """Control has no file descriptor left."""

    name = "descriptors_out_control"
    how = f"control may have {FREE_DESCRIPTORS} more descriptors than it has (prlimit), {CONNECTIONS} connections come and go; then the limit is as it was"
    holds = "within 2 s a call by a new connection is answered"

    def server(self, stage):
        return stage.control

    async def serve(self, port):
        await raw.grpc_answer(port)


class DescriptorsOutEdge(DescriptorsOut):
    """The edge has no file descriptor left."""

    name = "descriptors_out_edge"
    how = f"the edge may have {FREE_DESCRIPTORS} more descriptors than it has (prlimit), {CONNECTIONS} connections come and go; then the limit is as it was"
    holds = "within 2 s a handshake by a new connection is answered"

    def server(self, stage):
        return stage.edge

    async def serve(self, port):
        await raw.handshake(port)


class ClockJumps(Fault):
    """The wall clock of control jumps."""

    name = "clock_jumps"
    how = "control's wall clock jumps by 1 h forward or back or by 10 y, and back again (libfaketime; not the monotonic one)"
    holds = "G15: order, resume, timers untouched; no session expires"
    jumps_s = (3_600, -3_600, 10 * 365 * 86_400)
    near_s = 600
    seen_within_s = 20
    hits_min = 3

    def __init__(self):
        self.offset = None
        self.probes = self.strikes = 0

    @staticmethod
    def library():
        return next(iter(sorted(glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1"))), None)

    @staticmethod
    def cannot(binaries):
        if ClockJumps.library() is None:
            return "there is no libfaketime: tools/setup --for=test"
        return None

    async def prepare(self, stage):
        self.offset = stage.directory / "clock"
        self._jump(0)
        libraries = [library_of_asan(stage.binaries), self.library()]  # ASan must be the first
        stage.control_environment = {
            "LD_PRELOAD": ":".join(filter(None, libraries)),
            "FAKETIME_TIMESTAMP_FILE": str(self.offset),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    def _jump(self, seconds):
        whole = self.offset.with_suffix(".new")
        whole.write_text(f"{seconds:+d}\n", encoding="utf-8")
        whole.rename(self.offset)

    async def strike(self, stage):
        jump = self.jumps_s[self.strikes % len(self.jumps_s)]
        self.strikes += 1
        struck = await self._jump_and_see(stage, jump)
        await stage.flowing()
        await stage.pause(0, 2)
        back = await self._jump_and_see(stage, 0)
        await stage.flowing()
        for session in stage.sessions:
            status = (await self._session(stage, session)).get("status")
            if status == "EXPIRED":
                stage.wrong.append(f"{session} expired when the clock jumped by {jump} s")
        if struck and back:
            stage.hit(f"the wall clock of control jumped by {jump} s and back; libfaketime read it")

    async def _jump_and_see(self, stage, seconds):
        """Whether the process has read of it; a new session is of the true time nevertheless."""
        self._jump(seconds)
        written = self.offset.stat()
        until = stage.now() + self.seen_within_s
        while self.offset.stat().st_atime_ns <= written.st_atime_ns and stage.now() < until:
            await asyncio.sleep(0.1)
        read = self.offset.stat().st_atime_ns > written.st_atime_ns
        self.probes += 1
        session = f"clock-{stage.seed}-{self.probes}"
        request = raw.publish_request(session)
        await asyncio.wait_for(
            raw.grpc_answer(stage.control.port, raw.PUBLISH_EVENT, request), 20
        )
        created = (await self._session(stage, session)).get("createdAt")
        if not created or abs(_seconds(created) - time.time()) > self.near_s:
            stage.wrong.append(f"{session} is of {created} when the clock jumped by {seconds} s")
        return read

    @staticmethod
    async def _session(stage, session):
        status, body = await raw.get(stage.edge.port, f"/api/wizard/session/{session}")
        return json.loads(body) if status == 200 else {}


def _seconds(timestamp):
    return datetime.datetime.fromisoformat(timestamp.replace("Z", "+00:00")).timestamp()


class DiskFull(Fault):
    """The disk under control's store is full for some seconds."""

    name = "disk_full"
    how = "the store is on a tmpfs of 64 MiB, a ballast file fills it until publishes are refused, and for 3 s more; then it is gone"
    holds = "G16: no false ack, reading and live go on; publishes are taken again by themselves"
    disk_bytes = 64 << 20
    filled_within_s = 60
    held_s = 3

    def __init__(self):
        self.store = None

    @staticmethod
    def cannot(binaries):
        with tempfile.TemporaryDirectory() as directory:
            if not mount_tmpfs(directory, DiskFull.disk_bytes):
                return "mounting a tmpfs is not permitted: run as root"
            subprocess.run(["umount", directory], check=True)
        return None

    async def prepare(self, stage):
        stage.store.mkdir()
        if not mount_tmpfs(stage.store, self.disk_bytes):
            raise RuntimeError("the tmpfs could not be mounted")
        self.store = stage.store

    async def clear_away(self, stage):
        if self.store is not None:
            subprocess.run(["umount", self.store], check=True)

    async def strike(self, stage):
        ballast = stage.store / "ballast"
        try:
            acked = await self._fill(stage, ballast)
            await self._hold(stage, ballast)
            meanwhile = stage.count("acked") - acked
        finally:
            ballast.unlink()
        started = stage.now()
        await stage.flowing()
        stage.hit(
            f"publishes were refused, {meanwhile} acks in {self.held_s} s after; with space again, events"
            f" flow after {stage.now() - started:.1f} s"
        )

    async def _fill(self, stage, ballast):
        """The acks there were when they had stopped for a second."""
        until = stage.now() + self.filled_within_s
        while stage.now() < until:
            _fill_up(ballast)
            acked = stage.count("acked")
            await asyncio.sleep(1)
            if stage.count("acked") == acked:
                return acked
        raise RuntimeError("publishes were taken on a full disk")

    async def _hold(self, stage, ballast):
        until = stage.now() + self.held_s
        while stage.now() < until:
            _fill_up(ballast)
            session = stage.random.choice(stage.sessions)
            request = raw.session_request(session)
            await asyncio.wait_for(
                raw.grpc_answer(stage.control.port, raw.GET_SESSION, request), 20
            )
            await asyncio.sleep(0.2)


def _fill_up(ballast):
    """To the last byte."""
    for size in (1 << 20, 4096):
        with contextlib.suppress(OSError), open(ballast, "ab", buffering=0) as file:
            while True:
                file.write(bytes(size))


def mount_tmpfs(directory, size):
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "sessioncast-chaos", directory]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


FAULTS = [DescriptorsOutControl, DescriptorsOutEdge, ClockJumps, DiskFull]
