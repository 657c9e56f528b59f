"""Events in order over one PublishEvents stream, which is begun anew when it breaks.

One event loop; from the first event on two tasks: one opens streams and reads outcomes, one looks
after deadlines.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc

from sessioncast._attempts import closed_error
from sessioncast._backoff import Backoff
from sessioncast._channel import AioLine, replaced_error
from sessioncast._options import Options
from sessioncast._pending import Entry, Pending, Published, Settled
from sessioncast._status import error_of_call, may_try_again, pushback_s
from sessioncast.aio._signal import Signal, is_cancelled
from sessioncast.credentials import Token
from sessioncast.errors import Code, Error
from sessioncast.v1.session_service_pb2 import PublishEventRequest, PublishEventsRequest


class _Stream:
    """One PublishEvents call."""

    def __init__(self, stub: Any) -> None:
        self.stub = stub
        self.call: Any = None
        self.draining = False  # nothing more is sent; the outcomes of what was sent still come
        self.ended = False
        self.given_up = False  # by this program: what it ended with says nothing


class SoonPublisher:
    """Over one line."""

    def __init__(self, line: AioLine, token: Token, options: Options) -> None:
        self._line = line
        self._token = token
        self._options = options
        self._backoff = Backoff(options.backoff_min, options.backoff_max)
        self._work = Signal()  # there is something to send, or the end
        self._room = Signal()  # something has its outcome, or the end
        self._deadline = Signal()  # a first deadline
        self._pending = Pending(options)
        self._stream: _Stream | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._failures = 0  # streams that broke since the last outcome
        self._first_error: Error | None = None
        self._closing = False  # nothing more is added
        self._closed = False

    async def add(self, request: PublishEventRequest) -> asyncio.Future[Published]:
        """Waits for room."""
        loop = asyncio.get_running_loop()
        entry = Entry(request, 0.0, loop.create_future())
        if not self._pending.has_room(entry.bytes):
            await self._room.until(lambda: self._closing or self._pending.has_room(entry.bytes))
        if self._closing:
            raise closed_error("Publisher")
        if not self._tasks:
            self._tasks = [
                loop.create_task(self._run()),
                loop.create_task(self._look_after_deadlines()),
            ]
        entry.deadline = time.monotonic() + self._options.publish_timeout
        self._pending.add(entry)
        self._work.notify()
        if len(self._pending) == 1:
            self._deadline.notify()
        future: asyncio.Future[Published] = entry.future
        return future

    async def flush(self, timeout: float | None) -> None:
        """Waits for the outcome of all that was added before; raises the first error."""
        last = self._pending.last_number

        def all_told() -> bool:
            first = self._pending.first
            return first is None or first.number > last

        if not await self._room.until(all_told, timeout):
            raise TimeoutError(f"flush: there are events without an outcome after {timeout} s")
        error = self.take_error()
        if error is not None:
            raise error

    async def close(self) -> None:
        """All that was added has its outcome; nothing more is added. Again: nothing."""
        self._closing = True
        self._room.notify()
        await self._room.until(lambda: len(self._pending) == 0)
        self._closed = True
        if self._stream is not None:
            self._stream.draining = True
        self._work.notify()
        self._deadline.notify()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._options.call_timeout)
            self._cancel()
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def take_error(self) -> Error | None:
        """The first since the last flush."""
        error, self._first_error = self._first_error, None
        return error

    def _cancel(self) -> None:
        if self._stream is not None:
            self._stream.given_up = True
            self._stream.call.cancel()

    # --- Outcomes, and streams: a task of its own

    async def _run(self) -> None:
        while True:
            await self._work.until(lambda: self._closed or self._pending.has_waiting)
            if self._closed:
                return
            stream = _Stream(self._line.stub)
            error: Error | None = None
            pushback: float | None = None
            try:
                await self._read_outcomes(stream)
            except Error as raised:
                error = raised
            except grpc.RpcError as raised:
                error, pushback = error_of_call(raised), pushback_s(raised)
            except asyncio.CancelledError:
                # Of the call, by this program, or since the line was replaced; or of the task.
                if is_cancelled() or not (stream.given_up or stream.stub is not self._line.stub):
                    raise
                if not stream.given_up:
                    error = replaced_error()
            except Exception as raised:  # no event may wait for ever
                error = Error(Code.INTERNAL, f"publish_soon: {raised!r}")
            self._ended(stream, error, pushback)
            await self._work.until(lambda: self._closed, self._backoff.wait(pushback))

    async def _read_outcomes(self, stream: _Stream) -> None:
        # The first one fails at once where there is no connection, and tells why.
        stream.call = stream.stub.PublishEvents(
            self._messages(stream),
            metadata=self._token.metadata(),
            wait_for_ready=self._failures > 0,
        )
        self._stream = stream
        async for response in stream.call:
            settled, again = self._pending.answered(response)
            if settled:
                self._failures = 0
                self._backoff.reset()
            if again:
                stream.draining = True
                self._work.notify()
            self._settle(settled)

    async def _messages(self, stream: _Stream) -> AsyncIterator[PublishEventsRequest]:
        """GRPC takes from it as fast as control does."""
        while True:
            await self._work.until(
                lambda: stream.draining or stream.ended or self._pending.has_waiting
            )
            if stream.draining or stream.ended:
                return
            yield PublishEventsRequest(events=self._pending.take_message())

    def _ended(self, stream: _Stream, error: Error | None, pushback: float | None) -> None:
        if stream.call is not None:
            stream.call.cancel()  # unless it has ended
        stream.ended = True
        self._stream = None
        self._work.notify()
        if stream.given_up:
            error = None
        self._pending.stream_ended(error)
        if error is not None and not may_try_again(error, pushback):
            self._settle(self._pending.fail_all(error))
        else:
            self._failures += 1

    def _settle(self, settled: Iterable[Settled]) -> None:
        for entry, result in settled:
            if isinstance(result, Error):
                self._first_error = self._first_error or result
            if entry.future.done():
                continue  # whoever waited was cancelled
            if isinstance(result, Error):
                entry.future.set_exception(result)
                entry.future.exception()  # flush raises it: not asyncio's business to complain
            else:
                entry.future.set_result(result)
        self._room.notify()

    # --- Deadlines: a task of its own

    async def _look_after_deadlines(self) -> None:
        while not self._closed:
            settled, on_stream = self._pending.expire(time.monotonic())
            if settled:
                self._settle(settled)
            if on_stream:
                self._cancel()
            first = self._pending.first
            if first is None:
                await self._deadline.until(lambda: self._closed or len(self._pending) > 0)
            else:
                left = max(first.deadline - time.monotonic(), 0.0)
                await self._deadline.until(lambda: self._closed, left)
