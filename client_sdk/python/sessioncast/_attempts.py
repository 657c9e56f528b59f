"""The attempts of one unary call, until it is done, refused, or its time is over; does no I/O."""

from __future__ import annotations

from sessioncast._backoff import Backoff
from sessioncast._options import Options
from sessioncast._status import may_try_again
from sessioncast.errors import Code, Error


class Attempts:
    """Times are in seconds, of a monotonic clock.

    The first attempt fails at once where there is no connection, and so tells why; the others wait
    for one, and poll it: gRPC gets on with connecting only while somebody does.
    """

    def __init__(
        self,
        options: Options,
        now: float,
        total: float | None,
        name: str,
        attempt_timeout: float | None,
    ) -> None:
        """`total`: of all attempts; None: as long as it takes. `name`: what `total` is called."""
        self._backoff = Backoff(options.backoff_min, options.backoff_max)
        self._total = total
        self._end = None if total is None else now + total
        self._name = name
        self._attempt_timeout = attempt_timeout
        self._failed = 0
        self._outcome_unknown = False
        self._reason: Error | None = None

    @property
    def wait_for_ready(self) -> bool:
        """Whether the next attempt waits for a connection."""
        return self._failed > 0

    @property
    def outcome_unknown(self) -> bool:
        """Whether an attempt before the last one may have been done."""
        return self._outcome_unknown

    def timeout(self, now: float) -> float | None:
        """Of the next attempt."""
        if self._end is None:
            return self._attempt_timeout
        left = max(self._end - now, 0.001)
        return left if self._attempt_timeout is None else min(left, self._attempt_timeout)

    def failed(self, error: Error, pushback: float | None, now: float) -> float:
        """How long to wait before the next attempt. Raises what came of it if there is none."""
        self._failed += 1
        if not may_try_again(error, pushback):
            raise error
        self._outcome_unknown = self._outcome_unknown or error.outcome_unknown
        # A deadline tells nothing of what was wrong.
        if self._reason is None or error.code != Code.DEADLINE_EXCEEDED:
            self._reason = error
        wait = self._backoff.wait(pushback)
        if self._end is not None and now + wait >= self._end:
            raise Error(
                self._reason.code,
                f"{self._name} of {self._total:g} s has passed; {self._reason.message}",
                self._outcome_unknown,
            ) from self._reason
        return wait


def closed_error(what: str) -> Error:
    """It was closed, by this program, before or while it was used."""
    return Error(Code.CANCELLED, f"the {what} is closed")
