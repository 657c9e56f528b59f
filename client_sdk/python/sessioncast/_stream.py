"""The sync reader of a session."""

from __future__ import annotations

import collections
import threading
import time
from types import TracebackType
from typing import Any

import grpc

from sessioncast import _options
from sessioncast._attempts import Attempts
from sessioncast._calling import Caller
from sessioncast._channel import Line
from sessioncast._options import Options
from sessioncast._reading import Item, Reading, Resync
from sessioncast._status import error_of_call, pushback_s
from sessioncast.credentials import Credentials, Token
from sessioncast.errors import Code, Error
from sessioncast.v1.event_pb2 import Position
from sessioncast.v1.session_service_pb2 import GetSessionRequest, Snapshot

_LOOK_S = 0.2


class SessionStream:
    """The events of one session in order, then live, until it ends: an iterator.

    It gives each Event once, with nothing missing between two of them, or a Resync where events are
    missing: the position is not in the kept history any more, or of another epoch. A session that
    nobody has published to yet is waited for. After a drop, or a restart of control, it goes on
    after the last event, however long that takes (or until `give_up_after`). The iteration ends
    when the session has ended, or this is closed. It reads no faster than it is iterated.

    Threads: one iterates; `position` and `close` are for any.

    Processes: as Publisher.
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
            OSError: a file of `credentials` cannot be read.

        """
        self._settings = Options(
            call_timeout=call_timeout, backoff_min=backoff_min, backoff_max=backoff_max
        )
        credentials = credentials or Credentials()
        self._session_id = session_id
        self._token = Token(credentials)
        self._line = Line(control, credentials)
        self._stub = self._line.stub  # of the call
        self._reading = Reading(session_id, after, self._settings, give_up_after)
        self._ready: collections.deque[Item] = collections.deque()
        self._ended = False
        self._closed = threading.Event()
        self._caller = Caller("SessionStream", self._line, self._token, self._closed)
        self._lock = threading.Lock()
        self._call: Any = None  # guarded by the lock
        self._position = self._reading.given  # replaced whole: other threads read it

    @property
    def position(self) -> Position:
        """Of the last item that the iteration gave; before the first: `after`."""
        return self._position

    def close(self) -> None:
        """Ends the iteration, also one that waits in another thread. More than once: nothing."""
        self._closed.set()
        with self._lock:
            call = self._call
        if call is not None:
            call.cancel()
        self._line.close()

    def __enter__(self) -> SessionStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __iter__(self) -> SessionStream:
        return self

    def __next__(self) -> Item:
        """The next event, or Resync; waits for it.

        Raises:
            Error: refused for good (UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT); or
                control was away for `give_up_after`.

        """
        while not self._ready:
            if self._ended or self._closed.is_set():
                raise StopIteration
            self._read()
        item = self._ready.popleft()
        position = item.snapshot.position if isinstance(item, Resync) else item.position
        self._position = position
        return item

    def _read(self) -> None:
        """Of one call: the next message, or what its end means."""
        pushback = None
        try:
            response = next(self._current())
            self._ready.extend(self._reading.received(response))
        except StopIteration:
            self._ended = True
        except grpc.RpcError as failure:
            error, pushback = error_of_call(failure), pushback_s(failure)
            self._failed(error, pushback)
        except Error as failure:
            self._failed(failure, None)
        except ValueError:  # gRPC's word for a channel that was closed
            if not self._closed.is_set() and self._stub is self._line.stub:
                raise

    def _current(self) -> Any:
        if self._call is None:
            self._await_connection()
            metadata = self._token.metadata()
            with self._lock:
                if self._closed.is_set():
                    raise StopIteration
                request = self._reading.request(time.monotonic())
                self._stub = self._line.stub
                self._call = self._stub.StreamSession(
                    request, metadata=metadata, wait_for_ready=True
                )
        return self._call

    def _await_connection(self) -> None:
        """For as long as is left of `give_up_after`, if it is given."""
        if self._reading.gives_up_in(time.monotonic()) is None:
            return
        channel = self._line.channel
        ready = grpc.channel_ready_future(channel)
        try:
            while not self._closed.is_set():
                if channel is not self._line.channel:
                    ready.cancel()
                    channel = self._line.channel
                    ready = grpc.channel_ready_future(channel)
                left = self._reading.gives_up_in(time.monotonic())
                try:
                    ready.result(min(left or 0.0, _LOOK_S))
                    return
                except grpc.FutureTimeoutError:
                    if not left:
                        raise Error(Code.UNAVAILABLE, "control cannot be reached") from None
        finally:
            ready.cancel()

    def _failed(self, error: Error, pushback: float | None) -> None:
        with self._lock:
            self._call = None
        if self._closed.is_set():
            return
        if error.code == Code.OUT_OF_RANGE:
            snapshot = self._snapshot()
            if not self._closed.is_set():
                self._ready.append(self._reading.resync(snapshot))
            return
        self._closed.wait(self._reading.failed(error, pushback, time.monotonic()))

    def _snapshot(self) -> Snapshot | None:
        """None: there is no such session any more."""
        request = GetSessionRequest(session_id=self._session_id)
        settings = self._settings
        attempts = Attempts(settings, time.monotonic(), None, "", settings.call_timeout)
        try:
            response = self._caller.call("GetSession", request, attempts, wait_for_ready=True)
        except Error as error:
            if error.code == Code.NOT_FOUND or self._closed.is_set():
                return None
            raise
        snapshot: Snapshot = response.snapshot
        return snapshot
