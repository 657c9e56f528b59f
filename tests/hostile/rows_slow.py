"""The events that are queued for a socket: at the limit, and past it, where it is slow and is spared what is superseded."""

from peer import Peer, knows
from queued import Poller, Session, cost, payload

SOCKET_BYTES_MAX = 256 * 1024
EDGE_FLAGS = (
    f"--socket_queue_bytes_max={SOCKET_BYTES_MAX}",
    "--io_threads=1", "--write_timeout_ms=120000", "--ping_interval_ms=120000",
)  # fmt: skip


def is_slow(stage, socket_id):
    return f"Socket {socket_id} is slow: " in stage.edge.log.read_text(encoding="utf-8")


def accounts_for(events, first, last):
    """Each event from the first to the last has come, or is declared as skipped."""
    at = first - 1
    for event in events:
        at += event.get("skipped", 0) + 1
        assert event["sequence"] == at, (event["sequence"], event.get("skipped"), at)
    assert at == last, (at, last)


async def by_polling(stage):
    async with Session(stage) as session:
        at, past = [await Poller.joined(stage.port, session) for _ in range(2)]
        await session.begin(at, past)
        await session.fill(SOCKET_BYTES_MAX // 2)
        await session.fill(SOCKET_BYTES_MAX // 2)
        events = await at.fetch_through(session.sequence)
        assert [event["sequence"] for event in events] == [2, 3] and not any("skipped" in event for event in events)
        queued = SOCKET_BYTES_MAX + cost(await session.publish(1))
        await stage.says(f"Socket {past.socket_id} is slow: its queue of {queued} bytes is dropped")
        assert not is_slow(stage, at.socket_id), "at the limit"
        events = await past.fetch_through(session.sequence)
        assert [(event["sequence"], event.get("skipped")) for event in events] == [(4, 2)], events
        await session.publish(1)
        for poller in (at, past):
            events = await poller.fetch_through(session.sequence)
            assert events[-1]["result"] == "r" and "skipped" not in events[-1], events
            assert await knows(stage.port, poller.sid)
            await poller.leave()


async def by_websocket(stage):
    """The kernel holds a part, of which only the most is known: below the limit in all, and then 3 MB above."""
    async with Session(stage) as session:
        below, above = [await Peer.reads_nothing(stage.port, session.id) for _ in range(2)]
        await session.begin()
        await session.fill(SOCKET_BYTES_MAX - 4 * 1024)  # 4 KiB: the first event, and what came before it
        assert not is_slow(stage, below.socket_id)
        accounts_for([payload(packet) for packet in await texts_through(below, session.sequence)], 1, session.sequence)
        below.leave()
        for _ in range(3):
            await session.publish(1_000_000)
        await stage.says(f"Socket {above.socket_id} is slow: ")
        events = [payload(packet) for packet in await texts_through(above, session.sequence)]
        accounts_for(events, 1, session.sequence)
        assert any("skipped" in event for event in events), [event["sequence"] for event in events]
        above.leave()


async def texts_through(peer, sequence):
    """The session's events that come, up to this one."""
    packets = []
    while not packets or payload(packets[-1])["sequence"] < sequence:
        packet = await peer.text()
        assert packet is not None, "the connection ended"
        if packet.startswith('42["model_result"'):
            packets.append(packet)
    return packets


ROWS = {"socket_queue_bytes_max by polling": by_polling, "socket_queue_bytes_max by websocket": by_websocket}
