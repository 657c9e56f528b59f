"""Somebody else's project: copied out of the tree, run and type-checked there."""

import asyncio
import sys

import sessioncast
from sessioncast import aio, events
from sessioncast.v1 import event_pb2, session_service_pb2


def publish(control: str, session: str) -> int:
    with sessioncast.Publisher(control, publish_timeout=30) as publisher:
        future = publisher.publish_soon(events.progress(session, 5))
        publisher.flush()
        publisher.publish(event_pb2.Event(session_id=session, custom=event_pb2.Custom(name="mine")))
        return future.result().position.sequence


async def read(control: str, session: str) -> list[str]:
    kinds: list[str] = []
    async with aio.Publisher(control) as publisher, aio.SessionStream(session, control) as stream:
        outcome = await (await publisher.publish_soon(events.completed(session)))
        assert not outcome.duplicate
        async for item in stream:
            if not isinstance(item, sessioncast.Resync):
                kinds.append(item.WhichOneof("kind") or "")
    return kinds


if __name__ == "__main__":
    assert publish(sys.argv[1], sys.argv[2]) == 1
    print(*asyncio.run(read(sys.argv[1], sys.argv[2])))
    assert session_service_pb2.Snapshot.DESCRIPTOR.full_name == "sessioncast.v1.Snapshot"
