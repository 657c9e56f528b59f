"""What is queued for one connection, and for all of an edge: at the limit, and past it. Less cannot be set of either."""

import asyncio

from peer import Peer, knows
from queued import MEBIBYTE, Poller, Session

CONNECTION_BYTES_MAX, ALL_BYTES_MAX = 8 * MEBIBYTE, 64 * MEBIBYTE
EDGE_FLAGS = (
    f"--connection_queue_bytes_max={CONNECTION_BYTES_MAX}", f"--queued_bytes_max={ALL_BYTES_MAX}",
    f"--socket_queue_bytes_max={64 * MEBIBYTE}",  # not reached
    "--io_threads=1", "--write_timeout_ms=120000", "--ping_interval_ms=120000",
)  # fmt: skip
one_at_a_time = asyncio.Lock()  # each counts what the others have queued


def in_turn(row):
    async def alone(stage):
        async with one_at_a_time:
            await row(stage)

    return alone


async def of_a_connection(stage):
    async with Session(stage) as session:
        at, past = [await Poller.joined(stage.port, session) for _ in range(2)]
        unread = await Peer.reads_nothing(stage.port, session.id)
        await session.begin(at, past)
        await session.fill(CONNECTION_BYTES_MAX)
        assert await knows(stage.port, past.sid), "at the limit"
        assert f"disconnected: {unread.socket_id}" not in stage.edge.log.read_text(encoding="utf-8")
        events = await at.fetch_through(session.sequence)
        assert [event["sequence"] for event in events] == list(range(2, session.sequence + 1)), "all of it is served"
        assert all("skipped" not in event for event in events)
        await session.publish(1)
        assert await stage.reason(past.socket_id) == "slow consumer"
        assert not await knows(stage.port, past.sid)
        assert [event["sequence"] for event in await at.fetch_through(session.sequence)] == [session.sequence]
        # By websocket the kernel has a part, of which only the most is known: not above the limit until now, then clearly.
        await session.publish(1_000_000)
        assert await stage.reason(unread.socket_id) == "slow consumer"
        unread.reset()
        await at.leave()


async def of_all(stage):
    """12 pollers with 5 MB each, and 1.8 MB more for two of them: 63.6 MB. The witnesses' own is little, but not known: it is
    clearly below the 67.1 MB of the limit, and then with 0.5 MB for each of the 12 clearly above."""
    async with Session(stage) as session, Session(stage) as more:
        longest = [await Poller.joined(stage.port, session, more) for _ in range(2)]
        others = [await Poller.joined(stage.port, session) for _ in range(10)]
        await session.begin(*longest, *others)
        await more.begin(*longest)
        await session.fill(5_000_000)
        await more.fill(1_800_000)
        for poller in longest + others:
            assert await knows(stage.port, poller.sid), "below the limit"
        await session.fill(500_000)
        for poller in longest:
            assert await stage.reason(poller.socket_id) == "slow consumer"
            assert not await knows(stage.port, poller.sid)
        await stage.says("limit reached: queued_bytes_max: 2 connections with the longest queues were ended")
        for poller in others:
            events = await poller.fetch_through(session.sequence)
            assert [event["sequence"] for event in events] == list(range(2, session.sequence + 1)), "they have all of it"
            await poller.leave()


ROWS = {
    "connection_queue_bytes_max": in_turn(of_a_connection),
    "queued_bytes_max": in_turn(of_all),
}
