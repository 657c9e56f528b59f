"""What goes wrong, in gRPC's canonical codes; no type of gRPC's is needed to handle it."""

from __future__ import annotations

import enum

from sessioncast.v1.event_pb2 import Clarification, Position


class Code(enum.IntEnum):
    """gRPC's canonical codes."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


# With these it may have been done.
UNKNOWN_OUTCOMES = frozenset(
    {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.CANCELLED, Code.INTERNAL, Code.UNKNOWN}
)


class Error(Exception):
    """A call was refused, or its outcome is unknown.

    Attributes:
        code: gRPC's canonical code.
        message: names the field and the limit.
        outcome_unknown: whether it may have been done all the same. Publishing again with the same
            idempotency key is safe.
        snapshot_position: with OUT_OF_RANGE: from where reading can go on.
        winner: with ALREADY_EXISTS of a clarification: what ended it.

    """

    def __init__(
        self,
        code: Code,
        message: str,
        outcome_unknown: bool = False,
        snapshot_position: Position | None = None,
        winner: Clarification | None = None,
    ) -> None:
        # All of them, so that it can be pickled.
        super().__init__(code, message, outcome_unknown, snapshot_position, winner)
        self.code = code
        self.message = message
        self.outcome_unknown = outcome_unknown
        self.snapshot_position = snapshot_position
        self.winner = winner

    def __str__(self) -> str:
        unknown = "; the outcome is unknown" if self.outcome_unknown else ""
        return f"{self.message} ({self.code.name}{unknown})"


class SessionEnded(Error):
    """FAILED_PRECONDITION: the session has ended, nothing more can be published to it."""


class ClarificationEnded(Error):
    """ALREADY_EXISTS: somebody else has ended the clarification; `winner` says how."""
