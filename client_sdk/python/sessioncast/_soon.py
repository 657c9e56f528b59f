"""Events in order over one PublishEvents stream, which is begun anew when it breaks.

Threads: `add` and `flush` from any. Three of its own, from the first event on: one reads outcomes
and opens streams, one looks after deadlines, and gRPC's own takes what is to be sent.
"""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any

import grpc

from sessioncast._attempts import closed_error
from sessioncast._backoff import Backoff
from sessioncast._channel import Line
from sessioncast._options import Options
from sessioncast._pending import Entry, Pending, Published, Settled
from sessioncast._status import error_of_call, may_try_again, pushback_s
from sessioncast.credentials import Token
from sessioncast.errors import Code, Error
from sessioncast.v1.session_service_pb2 import PublishEventRequest, PublishEventsRequest


class _Stream:
    """One PublishEvents call. Guarded by the lock of SoonPublisher."""

    def __init__(self) -> None:
        self.call: Any = None
        self.draining = False  # nothing more is sent; the outcomes of what was sent still come
        self.ended = False
        self.given_up = False  # by this program: what it ended with says nothing


class SoonPublisher:
    """Over one line."""

    def __init__(self, line: Line, token: Token, options: Options) -> None:
        self._line = line
        self._token = token
        self._options = options
        self._backoff = Backoff(options.backoff_min, options.backoff_max)
        self._lock = threading.Lock()
        self._work = threading.Condition(self._lock)  # there is something to send, or the end
        self._room = threading.Condition(self._lock)  # something has its outcome, or the end
        self._deadline = threading.Condition(self._lock)  # a first deadline, or the end
        # The rest is guarded by the lock.
        self._pending = Pending(options)
        self._stream: _Stream | None = None
        self._threads: list[threading.Thread] = []
        self._deadline_is_set = False
        self._settling = 0  # threads that tell futures what became of them
        self._failures = 0  # streams that broke since the last outcome
        self._first_error: Error | None = None
        self._closing = False  # nothing more is added
        self._closed = False

    def add(self, request: PublishEventRequest) -> concurrent.futures.Future[Published]:
        """Waits for room."""
        future: concurrent.futures.Future[Published] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()  # what is on its way cannot be cancelled
        entry = Entry(request, 0.0, future)
        with self._lock:
            while not self._closing and not self._pending.has_room(entry.bytes):
                self._room.wait()
            if self._closing:
                raise closed_error("Publisher")
            if not self._threads:
                self._start()
            entry.deadline = time.monotonic() + self._options.publish_timeout
            self._pending.add(entry)
            self._work.notify_all()
            if not self._deadline_is_set:
                self._deadline.notify()
        return future

    def _start(self) -> None:
        for run in (self._run, self._look_after_deadlines):
            thread = threading.Thread(target=run, name=f"sessioncast{run.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def flush(self, timeout: float | None) -> None:
        """Waits for the outcome of all that was added before; raises the first error."""
        with self._lock:
            last = self._pending.last_number

            def all_told() -> bool:
                first = self._pending.first
                return self._settling == 0 and (first is None or first.number > last)

            if not self._room.wait_for(all_told, timeout):
                raise TimeoutError(f"flush: there are events without an outcome after {timeout} s")
            error, self._first_error = self._first_error, None
        if error is not None:
            raise error

    def close(self) -> None:
        """All that was added has its outcome; nothing more is added. Again: nothing."""
        with self._lock:
            self._closing = True
            self._room.notify_all()
            self._room.wait_for(lambda: self._settling == 0 and len(self._pending) == 0)
            self._closed = True
            for condition in (self._work, self._deadline):
                condition.notify_all()
            if self._stream is not None:
                self._stream.draining = True
        for thread in self._threads:
            thread.join(self._options.call_timeout)
        self._cancel()

    def take_error(self) -> Error | None:
        """The first since the last flush."""
        with self._lock:
            error, self._first_error = self._first_error, None
        return error

    def _cancel(self) -> None:
        with self._lock:
            stream = self._stream
            if stream is not None:
                stream.given_up = True
        if stream is not None:
            stream.call.cancel()

    # --- Outcomes, and streams: a thread of its own

    def _run(self) -> None:
        while self._await_work():
            stream = _Stream()
            error: Error | None = None
            pushback: float | None = None
            try:
                self._read_outcomes(stream)
            except Error as raised:
                error = raised
            except grpc.RpcError as raised:
                error, pushback = error_of_call(raised), pushback_s(raised)
            except Exception as raised:  # no event may wait for ever
                error = Error(Code.INTERNAL, f"publish_soon: {raised!r}")
            self._ended(stream, error, pushback)

    def _await_work(self) -> bool:
        with self._lock:
            self._work.wait_for(lambda: self._closed or self._pending.has_waiting)
            return not self._closed

    def _read_outcomes(self, stream: _Stream) -> None:
        metadata = self._token.metadata()
        with self._lock:
            # The first one fails at once where there is no connection, and tells why.
            stream.call = self._line.stub.PublishEvents(
                self._messages(stream), metadata=metadata, wait_for_ready=self._failures > 0
            )
            self._stream = stream
        for response in stream.call:
            with self._lock:
                settled, again = self._pending.answered(response)
                self._note(settled)
                if settled:
                    self._failures = 0
                    self._backoff.reset()
                if again:
                    stream.draining = True
                    self._work.notify_all()
            self._settle(settled)

    def _messages(self, stream: _Stream) -> Iterator[PublishEventsRequest]:
        """GRPC takes from it with a thread of its own, as fast as control does."""
        while True:
            with self._lock:
                self._work.wait_for(
                    lambda: stream.draining or stream.ended or self._pending.has_waiting
                )
                if stream.draining or stream.ended:
                    return
                events = self._pending.take_message()
            yield PublishEventsRequest(events=events)

    def _ended(self, stream: _Stream, error: Error | None, pushback: float | None) -> None:
        settled: list[Settled] = []
        if stream.call is not None:
            stream.call.cancel()  # unless it has ended
        with self._lock:
            stream.ended = True
            if stream.given_up:
                error = None
            self._stream = None
            self._work.notify_all()
            self._pending.stream_ended(error)
            if error is not None and not may_try_again(error, pushback):
                settled = self._pending.fail_all(error)
            else:
                self._failures += 1
            self._note(settled)
        self._settle(settled)
        with self._lock:
            self._work.wait_for(lambda: self._closed, self._backoff.wait(pushback))

    def _note(self, settled: list[Settled]) -> None:
        """Under the lock in which they left what is pending: a flush waits for `_settle`."""
        self._settling += 1
        for _, result in settled:
            if self._first_error is None and isinstance(result, Error):
                self._first_error = result

    def _settle(self, settled: Iterable[Settled]) -> None:
        """Tells the futures, without the lock: they may call back; then who waits for room."""
        for entry, result in settled:
            if isinstance(result, Error):
                entry.future.set_exception(result)
            else:
                entry.future.set_result(result)
        with self._lock:
            self._settling -= 1
            self._room.notify_all()

    # --- Deadlines: a thread of its own

    def _look_after_deadlines(self) -> None:
        while True:
            with self._lock:
                if self._closed:
                    return
                now = time.monotonic()
                settled, on_stream = self._pending.expire(now)
                if settled:
                    self._note(settled)
                else:
                    first = self._pending.first
                    self._deadline_is_set = first is not None
                    left = None if first is None else max(first.deadline - now, 0.0)
                    self._deadline.wait(left)
            if settled:
                self._settle(settled)
            if on_stream:
                self._cancel()
