"""Waiting for a condition on an event loop."""

from __future__ import annotations

import asyncio
from typing import Any, Callable


def is_cancelled() -> bool:
    """Whether the task that runs was cancelled; not known before Python 3.11."""
    task: Any = asyncio.current_task()
    return bool(getattr(task, "cancelling", lambda: 0)())


class Signal:
    """`notify` lets all who wait look again. One event loop."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def notify(self) -> None:
        """Something has changed."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(self, holds: Callable[[], bool], timeout: float | None = None) -> bool:
        """Waits until `holds()`; false if `timeout`, in seconds, passes before."""
        try:
            await asyncio.wait_for(self._look(holds), timeout)
        except asyncio.TimeoutError:
            return holds()
        return True

    async def _look(self, holds: Callable[[], bool]) -> None:
        while not holds():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
