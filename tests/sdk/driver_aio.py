#!/usr/bin/env python3
"""The Python SDK for asyncio as a scenario tells it: the protocol is at the head of scenarios.py."""

import asyncio
import collections
import time

import sessioncast
from driver import parsed, position_of, say, show
from sessioncast import aio


async def printed(number, future):
    try:
        outcome = await future
    except sessioncast.Error as error:
        say(n=number, error=error.code.name, message=error.message)
    else:
        position = outcome.position
        say(n=number, epoch=position.epoch, sequence=position.sequence, duplicate=outcome.duplicate)


async def publish(options):
    waiting = collections.deque()  # (number, future), in order
    begun = time.monotonic()
    async with aio.Publisher(options.control) as publisher:
        for number in range(options.events):
            if options.per_s:
                await asyncio.sleep(max(0, begun + number / options.per_s - time.monotonic()))
            event = sessioncast.events.custom(options.session, "n", {"n": number})
            key = f"{options.key_prefix}-{number}"
            waiting.append((number, await publisher.publish_soon(event, key)))
            while waiting and waiting[0][1].done():
                await printed(*waiting.popleft())
        while waiting:
            await printed(*waiting.popleft())
        try:
            await publisher.flush()
        except sessioncast.Error:
            pass  # printed already
    say(done=True)


async def read(options):
    stream = aio.SessionStream(options.session, options.control, after=position_of(options))
    async with stream:
        async for item in stream:
            show(item)
            await asyncio.sleep(options.pause_ms / 1000)
    say(end=True)


if __name__ == "__main__":
    chosen = parsed()
    asyncio.run({"publish": publish, "read": read}[chosen.verb](chosen))
