"""Where a reader of a session is, and what it does when its call ends; does no I/O."""

from __future__ import annotations

import dataclasses
from typing import Union

from sessioncast._backoff import Backoff
from sessioncast._options import Options
from sessioncast._status import may_try_again
from sessioncast.errors import Code, Error
from sessioncast.v1.event_pb2 import Event, Position
from sessioncast.v1.session_service_pb2 import (
    Snapshot,
    StreamSessionRequest,
    StreamSessionResponse,
)

# A call that lasted for so long had a connection.
_CONNECTED_AFTER_S = 5.0


@dataclasses.dataclass(frozen=True)
class Resync:
    """The position was not in the kept history, or of another epoch: events are missing.

    Attributes:
        snapshot: the session's state, folded from its events 1..N; reading goes on after N.

    """

    snapshot: Snapshot


Item = Union[Event, Resync]


class Reading:
    """Whoever uses it holds a lock, or is the only thread. Times: seconds, monotonic."""

    def __init__(
        self,
        session_id: str,
        after: Position | None,
        options: Options,
        give_up_after: float | None,
    ) -> None:
        self._session_id = session_id
        self._backoff = Backoff(options.backoff_min, options.backoff_max)
        self._give_up_after = give_up_after
        self._away_since: float | None = None
        self._begun: float | None = None  # none: there was no connection to make a call on
        self._received = Position()
        if after is not None:
            self._received.CopyFrom(after)
        self.given = Position()
        self.given.CopyFrom(self._received)

    def request(self, now: float) -> StreamSessionRequest:
        """Of the next call: after what was received."""
        self._begun = now
        return StreamSessionRequest(session_id=self._session_id, after=self._received)

    def received(self, response: StreamSessionResponse) -> list[Item]:
        """What of it is new. Raises Error DATA_LOSS at a gap, which no control makes."""
        self._away_since = None
        self._backoff.reset()
        fresh: list[Item] = []
        for event in response.events:
            position = event.position
            begins = not self._received.epoch
            if not begins and position.epoch == self._received.epoch:
                if position.sequence <= self._received.sequence:
                    continue
            elif not begins:
                raise Error(
                    Code.DATA_LOSS, f"epoch {position.epoch} came after {self._received.epoch}"
                )
            if position.sequence != self._received.sequence + 1:
                raise Error(
                    Code.DATA_LOSS,
                    f"sequence {position.sequence} came after {self._received.sequence}",
                )
            self._received.CopyFrom(position)
            fresh.append(event)
        return fresh

    def resync(self, snapshot: Snapshot | None) -> Resync:
        """`snapshot`: None if there is no such session any more; then it is read from its start."""
        snapshot = snapshot or Snapshot(session_id=self._session_id)
        self._received.CopyFrom(snapshot.position)
        return Resync(snapshot)

    def failed(self, error: Error, pushback: float | None, now: float) -> float:
        """How long to wait before the next call. Raises the error if there is none to be made."""
        lasted = 0.0 if self._begun is None else now - self._begun
        self._begun = None
        if not may_try_again(error, pushback):
            raise error
        is_there = lasted > _CONNECTED_AFTER_S or error.code == Code.UNAUTHENTICATED
        if self._away_since is None or is_there:
            self._away_since = now
        if self.gives_up_in(now) == 0.0:
            raise Error(
                error.code,
                f"give_up_after of {self._give_up_after:g} s has passed; {error.message}",
            ) from error
        return self._backoff.wait(pushback)

    def gives_up_in(self, now: float) -> float | None:
        """How long control may still be away, counted from the first question; None: for ever."""
        if self._give_up_after is None:
            return None
        if self._away_since is None:
            self._away_since = now
        return max(self._away_since + self._give_up_after - now, 0.0)
