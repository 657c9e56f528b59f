"""One unary call, attempted until it is done."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import grpc

from sessioncast._attempts import Attempts, closed_error
from sessioncast._channel import AioLine, replaced_error
from sessioncast._status import error_of_call, pushback_s
from sessioncast.aio._signal import Signal, is_cancelled
from sessioncast.credentials import Token
from sessioncast.errors import Error


class Caller:
    """Makes the calls of one Publisher or SessionStream (`what`)."""

    def __init__(
        self, what: str, token: Token, closing: Signal, is_closed: Callable[[], bool]
    ) -> None:
        """`closing`: comes when `is_closed` begins to hold."""
        self._what = what
        self._token = token
        self._closing = closing
        self._is_closed = is_closed

    async def call(
        self,
        line: AioLine,
        method: str,
        request: Any,
        attempts: Attempts,
        *,
        wait_for_ready: bool | None = None,
    ) -> Any:
        """Until it is done, or refused for good; CANCELLED once it `is_closed`.

        `wait_for_ready`: of each attempt; None: as `attempts` has it.
        """
        while True:
            if self._is_closed():
                raise closed_error(self._what)
            pushback = None
            stub = line.stub
            try:
                return await getattr(stub, method)(
                    request,
                    timeout=attempts.timeout(time.monotonic()),
                    metadata=self._token.metadata(),
                    wait_for_ready=attempts.wait_for_ready
                    if wait_for_ready is None
                    else wait_for_ready,
                )
            except grpc.RpcError as failure:
                error, pushback = error_of_call(failure), pushback_s(failure)
            except Error as failure:
                error = failure
            except asyncio.CancelledError:
                # Of the call, by close, or since the line was replaced; or of the task.
                if is_cancelled() or (not self._is_closed() and stub is line.stub):
                    raise
                if self._is_closed():
                    raise closed_error(self._what) from None
                error = replaced_error()
            wait = attempts.failed(error, pushback, time.monotonic())
            await self._closing.until(self._is_closed, wait)
