"""The asyncio client against a real control."""

import asyncio

import pytest
import sessioncast
from conftest import PATIENCE_S
from sessioncast import Code, Error, Position, SessionEnded, aio, events
from test_publisher import nobody, number


def test_publishing_is_in_order_and_within_its_bounds(control, session):
    async def run():
        async with aio.Publisher(control, in_flight_events_max=50) as publisher:
            first = await publisher.publish(number(session, 0), "key")
            assert (await publisher.publish(number(session, 0), "key")).duplicate and first.position.sequence == 1
            futures = [await publisher.publish_soon(number(session, n)) for n in range(1, 1_000)]
            await publisher.flush()
            assert all(future.done() for future in futures)
            assert [future.result().position.sequence for future in futures] == list(range(2, 1_001))
            assert (await publisher.get_session(session)).position.sequence == 1_000

    asyncio.run(run())


def test_errors_are_raised_by_flush_and_by_close(control, session):
    async def run():
        publisher = aio.Publisher(control)
        bad = await publisher.publish_soon(events.progress(session, -1))
        with pytest.raises(Error, match="progress"):
            await publisher.flush()
        assert bad.exception().code == Code.INVALID_ARGUMENT
        await publisher.publish(events.completed(session))
        with pytest.raises(SessionEnded):
            await publisher.publish(number(session, 1))
        await publisher.publish_soon(number(session, 2))
        with pytest.raises(SessionEnded):
            await publisher.close()
        await publisher.close()
        for call in (publisher.publish, publisher.publish_soon):
            with pytest.raises(Error, match="the Publisher is closed"):
                await call(number(session, 1))

    asyncio.run(run())


def test_while_nobody_is_there_events_wait_and_are_given_up(session):
    async def run(address):
        async with aio.Publisher(address, publish_timeout=1.0, in_flight_events_max=1) as publisher:
            await publisher.publish_soon(number(session, 0))
            second = await publisher.publish_soon(number(session, 1))  # waits until the first was given up
            with pytest.raises(Error, match="publish_timeout of 1 s has passed"):
                await publisher.flush()
            assert second.exception().code == Code.DEADLINE_EXCEEDED
        with pytest.raises(Error, match="give_up_after of 0.5 s has passed"):
            async for _ in aio.SessionStream(session, address, give_up_after=0.5):
                pass

    held, address = nobody()
    with held:
        asyncio.run(run(address))


def test_a_question_is_answered(control, session):
    async def run():
        async with aio.Publisher(control) as publisher, aio.SessionStream(session, control) as stream:
            asked = asyncio.create_task(publisher.ask_clarification(session, "Which?", clarification_id="q"))
            assert (await stream.__anext__()).clarification.question == "Which?"
            await publisher.answer_clarification(session, "q", "this")
            answer = await asyncio.wait_for(asked, PATIENCE_S)
            assert (answer.response, answer.position.sequence) == ("this", 2)

    asyncio.run(run())


def test_a_step_that_is_cancelled_loses_nothing(control, session):
    async def run():
        async with aio.Publisher(control) as publisher, aio.SessionStream(session, control) as stream:
            await publisher.publish(number(session, 0))
            assert (await stream.__anext__()).position.sequence == 1
            for n in range(1, 4):
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(stream.__anext__(), 0.05)
                await publisher.publish(number(session, n))
                assert (await stream.__anext__()).custom.data["n"] == n
            await publisher.publish(events.completed(session))
            assert [item.WhichOneof("kind") async for item in stream] == ["completed"]
            assert stream.position.sequence == 5

    asyncio.run(run())


def test_a_stream_is_closed_from_another_task(control, session):
    async def run():
        stream = aio.SessionStream(session, control)

        async def read():
            return [item async for item in stream]

        reading = asyncio.create_task(read())
        async with aio.Publisher(control) as publisher:
            await publisher.publish(number(session, 0))
        await stream.close()
        assert len(await asyncio.wait_for(reading, PATIENCE_S)) <= 1

    asyncio.run(run())


def test_a_stream_that_is_closed_while_it_waits_for_a_snapshot_gives_nothing_more(start_control, session):
    async def run():
        control = start_control()
        async with aio.Publisher(control.address) as publisher:
            await publisher.publish(events.progress(session, 7))
        stream = aio.SessionStream(session, control.address, after=Position(epoch="AAAAAAAA", sequence=3))
        waits = asyncio.Event()
        call = stream._caller.call

        async def call_nobody(*arguments, **named):
            control.process.kill()
            control.process.wait()
            waits.set()
            return await call(*arguments, **named)

        stream._caller.call = call_nobody

        async def read():
            return [item async for item in stream]

        reading = asyncio.ensure_future(read())
        await asyncio.wait_for(waits.wait(), PATIENCE_S)
        await stream.close()
        assert await asyncio.wait_for(reading, PATIENCE_S) == []

    asyncio.run(run())


def test_another_epoch_is_a_resync(control, session):
    async def run():
        async with aio.Publisher(control) as publisher:
            await publisher.publish(events.progress(session, 7))
            await publisher.publish(events.completed(session))
        after = Position(epoch="AAAAAAAA", sequence=3)
        resync, *rest = [item async for item in aio.SessionStream(session, control, after=after)]
        assert isinstance(resync, sessioncast.Resync) and resync.snapshot.position.sequence == 2
        assert rest == []

    asyncio.run(run())
