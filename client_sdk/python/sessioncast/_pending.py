"""The events of publish_soon that have no final outcome, in order. Does no I/O, takes no lock.

An event is waiting (for a stream), on the stream (sent, and not answered), or kept (answered, and
not for good: it goes again over the next stream). All that is kept was sent before all that is on
the stream, which was sent before all that waits.
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
from typing import Any, NamedTuple

from sessioncast._options import Options
from sessioncast._status import error_of_refusal, is_retryable
from sessioncast.errors import Code, Error
from sessioncast.v1.event_pb2 import Position
from sessioncast.v1.session_service_pb2 import (
    PublishEventRequest,
    PublishEventsResponse,
    PublishOutcome,
)

MESSAGE_EVENTS_MAX = 256
MESSAGE_BYTES_MAX = 512 * 1024


@dataclasses.dataclass(frozen=True)
class Published:
    """Where an event is; it is durable.

    Attributes:
        position: its epoch and sequence.
        duplicate: an event with its idempotency key was there before: the position is that one's.
            It may have come with an earlier attempt of the same call, whose answer was lost.

    """

    position: Position
    duplicate: bool


class Entry:
    """One event that was handed over."""

    __slots__ = ("bytes", "deadline", "future", "maybe_stored", "number", "request")

    # The future is concurrent.futures' or asyncio's.
    def __init__(self, request: PublishEventRequest, deadline: float, future: Any) -> None:
        self.request = request
        self.bytes = request.ByteSize()
        self.deadline = deadline
        self.future = future
        self.number = 0
        self.maybe_stored = False


class Settled(NamedTuple):
    """What became of one event, for good."""

    entry: Entry
    result: Published | Error


class Pending:
    """Whoever uses it holds a lock, or is the only thread. Times: seconds, monotonic."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._waiting: collections.deque[Entry] = collections.deque()
        self._on_stream: collections.deque[Entry] = collections.deque()
        self._kept: collections.deque[Entry] = collections.deque()
        self._bytes = 0
        self._numbers = itertools.count(1)
        self.last_number = 0
        self.last_error: Error | None = None  # the last one after which events go again

    def __len__(self) -> int:
        return len(self._waiting) + len(self._on_stream) + len(self._kept)

    def has_room(self, size: int) -> bool:
        """Whether an event of so many bytes may be added; one always fits."""
        return not len(self) or (
            len(self) < self._options.in_flight_events_max
            and self._bytes + size <= self._options.in_flight_bytes_max
        )

    def add(self, entry: Entry) -> None:
        """At the end."""
        entry.number = self.last_number = next(self._numbers)
        self._bytes += entry.bytes
        self._waiting.append(entry)

    @property
    def has_waiting(self) -> bool:
        """Whether there is something to send."""
        return bool(self._waiting)

    @property
    def first(self) -> Entry | None:
        """The oldest, whose deadline passes first."""
        for entries in (self._kept, self._on_stream, self._waiting):
            if entries:
                return entries[0]
        return None

    def take_message(self) -> list[PublishEventRequest]:
        """What goes next over the stream: all that is there, if a message has room for it."""
        message: list[PublishEventRequest] = []
        size = 0
        while self._waiting and len(message) < MESSAGE_EVENTS_MAX:
            size += self._waiting[0].bytes
            if message and size > MESSAGE_BYTES_MAX:
                break
            entry = self._waiting.popleft()
            self._on_stream.append(entry)
            message.append(entry.request)
        return message

    def answered(self, response: PublishEventsResponse) -> tuple[list[Settled], bool]:
        """Outcomes came, for the oldest on the stream. The second: some must be sent again."""
        settled = []
        again = False
        for outcome in response.outcomes:
            if not self._on_stream:
                raise Error(Code.INTERNAL, "control answered more events than it was sent")
            entry = self._on_stream.popleft()
            result = self._result(outcome)
            if isinstance(result, Error) and is_retryable(result):
                entry.maybe_stored = entry.maybe_stored or result.outcome_unknown
                self.last_error = result
                self._kept.append(entry)
                again = True
            else:
                settled.append(self._settle(entry, result))
        return settled, again

    @staticmethod
    def _result(outcome: PublishOutcome) -> Published | Error:
        if outcome.HasField("accepted"):
            return Published(outcome.accepted.position, outcome.accepted.duplicate)
        return error_of_refusal(outcome.refused)

    def _settle(self, entry: Entry, result: Published | Error) -> Settled:
        self._bytes -= entry.bytes
        return Settled(entry, result)

    def stream_ended(self, error: Error | None = None) -> None:
        """All that has no final outcome waits again, in order."""
        if error is not None:
            self.last_error = error
        for entry in self._on_stream:
            entry.maybe_stored = True
        self._waiting.extendleft(reversed(self._on_stream))
        self._waiting.extendleft(reversed(self._kept))
        self._on_stream.clear()
        self._kept.clear()

    def expire(self, now: float) -> tuple[list[Settled], bool]:
        """Gives up what is over its deadline. The second: some of it was on the stream."""
        settled = []
        on_stream = False
        for entries in (self._kept, self._on_stream, self._waiting):
            while entries and entries[0].deadline <= now:
                entry = entries.popleft()
                if entries is self._on_stream:
                    entry.maybe_stored = on_stream = True
                settled.append(self._settle(entry, self._given_up(entry)))
        return settled, on_stream

    def _given_up(self, entry: Entry) -> Error:
        outcome = "its outcome is unknown" if entry.maybe_stored else "it was not stored"
        reason = f"; {self.last_error.message}" if self.last_error else ""
        return Error(
            Code.DEADLINE_EXCEEDED,
            f"publish_timeout of {self._options.publish_timeout:g} s has passed: {outcome}{reason}",
            entry.maybe_stored,
        )

    def fail_all(self, error: Error) -> list[Settled]:
        """The publisher may not publish, or is closed: nothing of this will get any further."""
        settled = []
        for entries in (self._kept, self._on_stream, self._waiting):
            while entries:
                entry = entries.popleft()
                own = Error(error.code, error.message, entry.maybe_stored)
                settled.append(self._settle(entry, own))
        return settled
