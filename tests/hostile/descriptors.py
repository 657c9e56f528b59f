#!/usr/bin/env python3
"""descriptors.py BIN_DIRECTORY: an edge, and a control, that have no file descriptor left serve again when there are some, and
who was connected stays.
"""

import asyncio
import os
import resource
import sys
import time

from peer import POLLING, Peer, fetch, request
from stage import ROOT, Stage

sys.path.insert(0, str(ROOT / "tests/chaos"))

import raw  # noqa: E402

FREE_DESCRIPTORS = 12
CONNECTIONS = 40
SERVES_AGAIN_S_MAX = 2.0
TURNS = 3


async def handshake(port):
    response = await fetch(port, request(f"GET {POLLING}"))
    assert response.status == 200 and response.body.startswith(b'0{"sid"'), response


async def call(port):
    """A real RPC: its answer, by a connection of its own."""
    await asyncio.wait_for(raw.grpc_answer(port), 5)


def descriptors(pid):
    return {int(name) for name in os.listdir(f"/proc/{pid}/fd")}


async def starve(program, port, serve):
    """Takes all its descriptors, holds them, gives them back; the seconds until it serves again."""
    usual = resource.prlimit(program.pid, resource.RLIMIT_NOFILE)
    limit = max(descriptors(program.pid)) + 1 + FREE_DESCRIPTORS
    resource.prlimit(program.pid, resource.RLIMIT_NOFILE, (limit, usual[1]))
    peers = []
    try:
        for _ in range(CONNECTIONS + limit):
            peers.append(await Peer.connect(port))
        end = time.monotonic() + 20
        while not set(range(limit)) <= descriptors(program.pid):
            assert time.monotonic() < end, f"{program.name} has {len(descriptors(program.pid))} of {limit} descriptors"
            for _ in range(5):
                peers.append(await Peer.connect(port))
            await asyncio.sleep(0.02)
        try:
            await asyncio.wait_for(serve(port), 0.3)
        except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
            pass
        else:
            raise AssertionError(f"{program.name} had a descriptor after all")
        for peer in peers:
            peer.reset()
        began = time.monotonic()
        while True:
            try:
                await asyncio.wait_for(serve(port), 5)
                return time.monotonic() - began
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                assert time.monotonic() - began < 30, f"{program.name} serves nobody any more"
                await asyncio.sleep(0.02)
    finally:
        for peer in peers:
            peer.reset()
        resource.prlimit(program.pid, resource.RLIMIT_NOFILE, usual)


async def main(binaries):
    async with Stage(binaries) as stage:
        await handshake(stage.port)
        await call(stage.grpc)
        for program, port, serve in ((stage.edge, stage.port, handshake), (stage.control, stage.grpc, call)):
            for _ in range(TURNS):
                seconds = await starve(program, port, serve)
                print(f"{program.name} served again after {seconds:.2f} s")
                assert seconds < SERVES_AGAIN_S_MAX
        await stage.nobody_noticed()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
