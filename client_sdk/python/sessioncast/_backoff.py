"""How long to wait from one attempt to the next."""

from __future__ import annotations

import random
from typing import Callable


class Backoff:
    """Doubles from `least` to `most` (seconds); each wait a random part between half and all of it.

    Threads: whoever uses it holds a lock.
    """

    def __init__(
        self, least: float, most: float, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._least = least
        self._most = most
        self._uniform = uniform
        self._next = least

    def reset(self) -> None:
        """Something went well."""
        self._next = self._least

    def wait(self, pushback: float | None = None) -> float:
        """The next wait, in seconds; at least what the server has asked for."""
        whole = self._next
        self._next = min(2 * whole, self._most)
        return max(self._uniform(whole / 2, whole), pushback or 0.0)
