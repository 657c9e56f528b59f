"""The asyncio reader of a session."""

from __future__ import annotations

import asyncio
import collections
import time
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from sessioncast import _options
from sessioncast._attempts import Attempts
from sessioncast._channel import AioLine, replaced_error
from sessioncast._options import Options
from sessioncast._reading import Item, Reading, Resync
from sessioncast._status import error_of_call, pushback_s
from sessioncast.aio._calling import Caller
from sessioncast.aio._signal import Signal, is_cancelled
from sessioncast.credentials import Credentials, Token
from sessioncast.errors import Code, Error
from sessioncast.v1.event_pb2 import Position
from sessioncast.v1.session_service_pb2 import GetSessionRequest, Snapshot


class SessionStream:
    """The events of one session in order, then live, until it ends: an async iterator.

    It gives each Event once, with nothing missing between two of them, or a Resync where events are
    missing: the position is not in the kept history any more, or of another epoch. A session that
    nobody has published to yet is waited for. After a drop, or a restart of control, it goes on
    after the last event, however long that takes (or until `give_up_after`). The iteration ends
    when the session has ended, or this is closed. It reads no faster than it is iterated.

    Threads: that of the event loop in which it was iterated first, and no other. A step that is
    cancelled loses nothing: the next one goes on.

    Processes: as of sessioncast.Publisher.
    """

    def __init__(
        self,
        session_id: str,
        control: str = "localhost:50051",
        *,
        after: Position | None = None,
        credentials: Credentials | None = None,
        call_timeout: float = _options.CALL_TIMEOUT,
        backoff_min: float = _options.BACKOFF_MIN,
        backoff_max: float = _options.BACKOFF_MAX,
        give_up_after: float | None = None,
    ) -> None:
        """Of a session, at a control at HOST:PORT.

        Args:
            session_id: 1..128 of letters, digits, `. _ : -`.
            control: HOST:PORT.
            after: the last position that the program has; None: from the first event.
            credentials: what control asks for; None: plaintext, and no token.
            call_timeout: for the snapshot of a Resync, in seconds.
            backoff_min: from one attempt to the next, in seconds; doubling, and each time a random
                part between half and all of it.
            backoff_max: the most of it, in seconds.
            give_up_after: how long control may be away before the iteration raises, in seconds;
                None: for ever.

        Raises:
            ValueError: an option is out of its range; the message names it.

        """
        self._settings = Options(
            call_timeout=call_timeout, backoff_min=backoff_min, backoff_max=backoff_max
        )
        self._session_id = session_id
        self._control = control
        self._credentials = credentials or Credentials()
        self._token = Token(self._credentials)
        self._line: AioLine | None = None
        self._stub: Any = None  # of the call
        self._reading = Reading(session_id, after, self._settings, give_up_after)
        self._ready: collections.deque[Item] = collections.deque()
        self._ended = False
        self._closed = False
        self._closing = Signal()
        self._caller = Caller("SessionStream", self._token, self._closing, lambda: self._closed)
        self._call: Any = None
        self._position = self._reading.given

    @property
    def position(self) -> Position:
        """Of the last item that the iteration gave; before the first: `after`."""
        return self._position

    async def close(self) -> None:
        """Ends the iteration, also one that waits in another task. More than once: nothing."""
        self._closed = True
        self._closing.notify()
        if self._call is not None:
            self._call.cancel()
        if self._line is not None:
            await self._line.close()

    async def __aenter__(self) -> SessionStream:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __aiter__(self) -> SessionStream:
        return self

    async def __anext__(self) -> Item:
        """The next event, or Resync; waits for it.

        Raises:
            Error: refused for good (UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT); or
                control was away for `give_up_after`.
            OSError: a file of `credentials` cannot be read.

        """
        while not self._ready:
            if self._ended or self._closed:
                raise StopAsyncIteration
            await self._read()
        item = self._ready.popleft()
        position = item.snapshot.position if isinstance(item, Resync) else item.position
        self._position = position
        return item

    async def _read(self) -> None:
        """Of one call: the next message, or what its end means."""
        try:
            if self._call is None:
                await self._begin()
            response = await self._call.read()
            if response is grpc.aio.EOF:
                self._ended = True
            else:
                self._ready.extend(self._reading.received(response))
        except grpc.RpcError as failure:
            await self._failed(error_of_call(failure), pushback_s(failure))
        except Error as failure:
            await self._failed(failure, None)
        except asyncio.CancelledError:
            # Of the call, by close, or since the line was replaced; or of the task, and gRPC has
            # cancelled the call with it.
            self._call = None
            replaced = self._line is not None and self._stub is not self._line.stub
            if is_cancelled() or not (self._closed or replaced):
                raise

    def _connected(self) -> AioLine:
        if self._line is None:
            self._line = AioLine(self._control, self._credentials)
        return self._line

    async def _begin(self) -> None:
        line = self._connected()
        self._stub = line.stub
        left = self._reading.gives_up_in(time.monotonic())
        if left is not None:
            try:
                await asyncio.wait_for(line.channel.channel_ready(), left)
            except asyncio.TimeoutError:
                raise Error(Code.UNAVAILABLE, "control cannot be reached") from None
            except grpc.aio.UsageError:
                if self._stub is line.stub:
                    raise
                raise replaced_error() from None
        metadata = self._token.metadata()
        request = self._reading.request(time.monotonic())
        self._stub = line.stub
        self._call = self._stub.StreamSession(request, metadata=metadata, wait_for_ready=True)

    async def _failed(self, error: Error, pushback: float | None) -> None:
        self._call = None
        if self._closed:
            return
        if error.code == Code.OUT_OF_RANGE:
            snapshot = await self._snapshot()
            if not self._closed:
                self._ready.append(self._reading.resync(snapshot))
            return
        wait = self._reading.failed(error, pushback, time.monotonic())
        await self._closing.until(lambda: self._closed, wait)

    async def _snapshot(self) -> Snapshot | None:
        """None: there is no such session any more."""
        request = GetSessionRequest(session_id=self._session_id)
        settings = self._settings
        attempts = Attempts(settings, time.monotonic(), None, "", settings.call_timeout)
        try:
            response = await self._caller.call(
                self._connected(), "GetSession", request, attempts, wait_for_ready=True
            )
        except Error as error:
            if error.code == Code.NOT_FOUND or self._closed:
                return None
            raise
        snapshot: Snapshot = response.snapshot
        return snapshot
